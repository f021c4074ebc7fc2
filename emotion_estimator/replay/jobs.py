# Copyright 2026 emotion_estimator maintainers
#
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.

"""Replays recordings side by side: each is a job that any worker can do, and is kept."""

from __future__ import annotations

import glob
import hashlib
import json
import os
import traceback
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import asdict, dataclass, replace
from itertools import chain
from os.path import expanduser
from pathlib import Path

from emotion_estimator.faces.encoding import files_that_count
from emotion_estimator.faces.finder import find_finder_files
from emotion_estimator.files import (
    AssetError,
    OutputError,
    check_files,
    find_model,
    remove_abandoned,
    sha256_of,
    writing,
)
from emotion_estimator.parallel import engine as parallel
from emotion_estimator.parallel.engine import Patience, reporter, run_all
from emotion_estimator.parallel.workers import open_workers
from emotion_estimator.parameters import NODES, NodeParameters
from emotion_estimator.replay.bag import Bag
from emotion_estimator.replay.bag_reader import storage_files
from emotion_estimator.replay.bag_writer import BagWriter, is_recorded_replay
from emotion_estimator.replay.files import is_bag, may_be_read, open_recording, recordings_in
from emotion_estimator.replay.predictions import FeatureTable, Replay, settings_of, write_replay
from emotion_estimator.replay.recordings import Selection, plain_path, recorded_camera
from emotion_estimator.replay.replay import Progress, replay


@dataclass(frozen=True)
class Settings:
    """
    What holds for all recordings of one call.

    :param parameters: of both nodes.
    :param selection: which images are looked at.
    :param topic: the camera's topic in bags; empty takes the only one that there is.
    :param picture_rate_hz: frames a second of pictures whose names are no stamps.
    :param given: the parameters that the replay states, where it finds the files of `parameters`
        under other names; None where it finds them as they were given.
    """

    parameters: NodeParameters
    selection: Selection
    topic: str
    picture_rate_hz: float
    given: NodeParameters | None = None


@dataclass(frozen=True)
class Job:
    """
    One recording to replay.

    :param name: what the report calls it.
    :param settings: how.
    :param kept: file for the finished replay.
    :param record: bag to write, see `BagWriter`; None writes none.
    :param with_input: whether the input's messages stand in that bag too.
    :param features: table to write, see `FeatureTable`; None writes none.
    :param landmarks: whether the landmarks stand in that table too.
    """

    name: str
    path: Path
    settings: Settings
    kept: Path
    record: Path | None = None
    with_input: bool = False
    features: Path | None = None
    landmarks: bool = False

    @property
    def outputs(self) -> list[Path]:
        """What is written, but for the replay itself."""
        return [path for path in (self.record, self.features) if path is not None]

    @property
    def done(self) -> bool:
        """Whether the replay is kept, and the bag is the one that was written with it."""
        if not self.kept.is_file():
            return False
        kept_ns = _modified_ns(self.kept)
        return all(path.exists() and _modified_ns(path) <= kept_ns for path in self.outputs)


def recordings_to_replay(path: Path) -> list[Path]:
    """List the recordings in a folder, see `recordings_in`, but for what `--record` wrote."""
    found = recordings_in(path)
    return [one for one in found if one == path or not _is_own(one)] or found


def _is_own(found: Path) -> bool:
    with suppress(OSError):  # said where it is opened
        bags = storage_files(found) if found.is_dir() and is_bag(found) else [found]
        return all(one.is_file() and is_recorded_replay(one) for one in bags)
    return False


def run_job(job: Job, progress: Progress | None = None, started: Progress | None = None) -> Replay:
    """
    Replay a recording and keep the result; bag and table come first, then the replay.

    :param progress: called with the number of images read so far.
    :param started: called with the number of images that the recording states.
    :raises RecordingError: when the recording cannot be read at all.
    :raises AssetError: when a model is not there.
    :raises ValueError: when a model or a parameter cannot be used.
    :raises OutputError: when bag, table or replay cannot be written.
    """
    settings = job.settings
    recording = open_recording(job.path, settings.topic, settings.picture_rate_hz)
    recording.name = job.name
    writer = table = None
    refused: list[str] = []
    try:
        if started is not None:
            started(recording.image_count)
        if job.record is not None:
            beside = job.path if job.with_input and isinstance(recording, Bag) else None
            if job.with_input and beside is None:
                recording.hints.append(f'{job.name} is no bag: --with-input has nothing to copy.')
            camera = recorded_camera(recording, settings.parameters, refused.append)
            writer = BagWriter(job.record, settings.parameters, beside, camera)
        if job.features is not None:
            table = FeatureTable(job.features, job.landmarks)
        listeners = tuple(one for one in (writer, table) if one is not None)
        done = replay(recording, settings.parameters, settings.selection, listeners, progress)
        for one in listeners if done.stamps_ns else ():
            one.finish()
    finally:
        recording.close()
        if writer is not None:
            refused += writer.problems
            writer.close()
        if table is not None:
            table.close()
    said = settings_of(settings.given or settings.parameters, settings.selection)
    problems = (*done.problems, *(f'{job.name}: {why}' for why in refused))
    done = replace(done, settings=said, problems=problems)
    write_replay(job.kept, done)
    return done


def job_key(path: Path, settings: Settings, name: str, *outputs: object) -> str:
    """
    Name all that decides on a replay; another recording, model, parameter or code changes it.

    :param path: the recording; known by its files' names, sizes and times.
    :param settings: how it is replayed.
    :param name: what it is called, which the replay holds.
    :param outputs: what is written beside the replay, see `Job`.
    :returns: 16 hexadecimal digits.
    :raises AssetError: when a model is not there.
    """
    emotion = settings.parameters.emotion_node
    files = find_finder_files(settings.parameters.blendshape_node, warn=lambda _: None)
    models = [path for path in (files.landmarker, files.detector) if path is not None]
    models += files_that_count(files.encoding)
    models += sorted(find_model(str(emotion['model'])).iterdir())
    said = {
        'recording': [name, str(plain_path(path)), _files(path)],
        'blendshape_node': dict(settings.parameters.blendshape_node),
        'emotion_node': dict(emotion),
        'selection': asdict(settings.selection),
        'topic': settings.topic,
        'picture_rate_hz': settings.picture_rate_hz,
        'outputs': list(map(str, outputs)),
        'models': [sha256_of(model) for model in models if model.is_file()],
        'code': _code(),
    }
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:16]


def check_records(jobs: Sequence[Job], written: Iterable[Path]) -> None:
    """
    Refuse to put a bag in the place of a recording, or of anything that no replay wrote.

    :param written: files and folders that are written beside the bags, and are no place for one.
    :raises ValueError: naming the place.
    """
    paths = {Path(os.path.realpath(job.path)): f'the recording {job.path}' for job in jobs}
    paths |= {Path(os.path.realpath(path)): f'the output {path}' for path in written}
    for record in (job.record for job in jobs if job.record is not None):
        place = Path(os.path.realpath(record))
        for path, words in paths.items():
            if path == place or path in place.parents or place in path.parents:
                raise ValueError(
                    f'--record would write {record} over {words}, or into it; name another place.'
                )
        with writing(record):
            if not _may_be_replaced(record):
                raise ValueError(
                    f'{record} is there already, and no replay has written it, or not all of it: '
                    '--record does not replace it; remove it, or name another place.'
                )


def check_outputs(jobs: Sequence[Job], written: Iterable[Path], read: Mapping[Path, str]) -> None:
    """
    See that files can be written, and nothing that is read in their place.

    :param jobs: whose recordings are read and whose tables are written.
    :param written: what is written beside these.
    :param read: what else is read, and words for it; it need not exist.
    :raises OutputError: naming the first place that cannot be written, or would be both.
    """
    recordings = {job.path: f'the recording {job.name}' for job in jobs}
    features = (job.features for job in jobs if job.features is not None)
    check_files(*written, *features, read={**read, **recordings})


def _may_be_replaced(record: Path) -> bool:
    if not record.exists() or (record.is_dir() and not any(record.iterdir())):
        return True
    return (record.is_dir() or record.is_file()) and is_recorded_replay(record)


def unread(job: Job, like: Replay, problem: str) -> Replay:
    """
    Make the replay of a recording that could not be read.

    :param like: an empty replay with model, labels and settings.
    :param problem: what was wrong, a sentence.
    :returns: a replay without images.
    """
    return replace(like, recording=job.name, problems=(problem,))


def _files(path: Path) -> list[tuple[str, int, int]]:
    if not path.exists():
        return []
    # Beside a file of a bag lies the log of a recorder that did not close it.
    beside = sorted(path.parent.glob(f'{glob.escape(path.name)}-*'))
    # In a folder labels and outputs may lie too.
    files = sorted(filter(may_be_read, path.iterdir())) if path.is_dir() else [path, *beside]
    return [(one.name, one.stat().st_size, _modified_ns(one)) for one in files if one.exists()]


def _code() -> str:
    """Tell the code's version by what it says: development does not raise the number."""
    root = Path(__file__).resolve().parents[1]
    digest = hashlib.sha256()
    rooms = ((root / room).rglob('*.py') for room in ('faces', 'emotion', 'messages', 'replay'))
    for path in sorted(chain(root.glob('*.py'), *rooms)):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _modified_ns(path: Path) -> int:
    return path.stat().st_mtime_ns


# Replays several recordings at once.


ATTEMPTS = 2
"""How often a recording is tried whose worker dies or hangs."""
PATIENCE = Patience(1800.0, slowness=0.0)
"""Between two images the messages of a bag are copied that lie between them."""


@dataclass(frozen=True)
class Advanced:
    """So many of a recording's images have been read; it states `image_count`, 0 if unknown."""

    job: Job
    read: int
    image_count: int


@dataclass(frozen=True)
class Finished:
    """A recording's replay is kept, or `problem` says why there is none."""

    job: Job
    problem: str = ''


def run_jobs(
    jobs: Sequence[Job], most_at_once: int, log: Path, scheduler: str = ''
) -> Generator[Advanced | Finished, None, None]:
    """
    Do the work; leaving the loop, as Ctrl-C does, ends what is unfinished.

    A process that dies twice costs its own recording alone.

    :param most_at_once: processes at a time, at least 1; one alone may use all cores.
    :param log: file for what MediaPipe prints.
    :param scheduler: address of a Dask scheduler whose workers do it instead; they find
        recordings, output and the parameters' files under the paths that these have here.
    :returns: yields what happens, `Finished` once for each job.
    :raises SchedulerError: when the scheduler cannot be used.
    :raises OutputError: when a replay cannot be kept; that is no fault of its recording.
    """
    if not jobs:
        return
    try:
        yield from _events(jobs, most_at_once, log, scheduler)
    finally:
        for job in jobs:
            for path in (job.kept, *job.outputs):
                remove_abandoned(path)


def _events(
    jobs: Sequence[Job], most_at_once: int, log: Path, scheduler: str
) -> Generator[Advanced | Finished, None, None]:
    tasks = [(with_absolute_paths(job) if scheduler else job,) for job in jobs]
    with (
        open_workers(scheduler, min(most_at_once, len(jobs)), log) as workers,
        closing(run_all(_work, tasks, workers, ATTEMPTS, PATIENCE)) as events,
    ):
        for event in events:
            job = jobs[event.index]
            if not isinstance(event, parallel.Finished):
                yield Advanced(job, event.progress.done, event.progress.total)
                continue
            if isinstance(event.result, OutputError):
                raise event.result
            problem = event.result or ''
            if event.problem:
                words = 'its worker' if scheduler else str(log)
                problem = f'{job.path}: {event.problem}; {words} holds its last words.'
            elif not problem and not job.kept.is_file():
                problem = (
                    f'{job.path}: its worker has kept the replay, but not here; recordings and '
                    f'{job.kept.parent} must lie on a disk that it shares with this machine.'
                )
            yield Finished(job, problem)


def with_absolute_paths(job: Job) -> Job:
    """
    Name files so that a process finds them that runs in another folder.

    :returns: a job whose replay is the same: it states the parameters as they were given.
    """
    given = job.settings.parameters
    values = {**given.blendshape_node, **given.emotion_node}
    paths = {
        spec.name: str(Path(expanduser(str(values[spec.name]))).absolute())  # noqa: PTH111, it never raises
        for spec in chain(*NODES.values())
        if spec.is_path(values[spec.name])
    }
    return replace(
        job,
        path=job.path.absolute(),
        settings=replace(job.settings, parameters=given.changed(paths), given=given),
        kept=job.kept.absolute(),
        record=None if job.record is None else job.record.absolute(),
        features=None if job.features is None else job.features.absolute(),
    )


def _work(job: Job) -> str | OutputError:
    """Replay a recording in a worker; returns what was wrong with it, or with the output."""
    report = reporter()
    image_count = 0

    def opened(count: int) -> None:
        nonlocal image_count
        image_count = count
        report(0, count)

    try:
        run_job(job, lambda read: report(read, image_count), opened)
    except OutputError as error:
        return error
    except (AssetError, ValueError) as error:
        return str(error)
    except Exception as error:
        traceback.print_exc()
        return f'{job.path}: {type(error).__name__}: {error}; the log of its worker says where.'
    return ''
