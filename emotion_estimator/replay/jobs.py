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

"""One recording's replay as a piece of work that can be done anywhere and kept."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import signal
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, astuple, dataclass, replace
from itertools import chain
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path

import cv2

from emotion_estimator.faces.finder import find_finder_files
from emotion_estimator.files import AssetError, find_model, sha256_of
from emotion_estimator.parameters import NodeParameters
from emotion_estimator.replay.bag_writer import BagWriter, recorded_camera
from emotion_estimator.replay.files import open_recording
from emotion_estimator.replay.predictions import Replay, write_replay
from emotion_estimator.replay.replay import Progress, Selection, replay


@dataclass(frozen=True)
class Settings:
    """
    What holds for all recordings of one call.

    :param parameters: of both nodes.
    :param selection: which images are looked at.
    :param topic: the camera's topic in bags; empty takes the only one that there is.
    :param picture_rate_hz: frames a second of pictures whose names are no stamps.
    """

    parameters: NodeParameters
    selection: Selection
    topic: str
    picture_rate_hz: float


@dataclass(frozen=True)
class Job:
    """
    One recording to replay.

    :param name: what the report calls it.
    :param path: the recording.
    :param settings: how.
    :param kept: file for the finished replay.
    :param record: bag to write, see `BagWriter`; None writes none.
    :param with_input: whether the input's messages stand in that bag too.
    """

    name: str
    path: Path
    settings: Settings
    kept: Path
    record: Path | None = None
    with_input: bool = False

    @property
    def done(self) -> bool:
        """Whether the replay is kept, and the bag is the one that was written with it."""
        if not self.kept.is_file():
            return False
        if self.record is None:
            return True
        return self.record.exists() and _modified_ns(self.record) <= _modified_ns(self.kept)


def run_job(job: Job, progress: Progress | None = None, started: Progress | None = None) -> Replay:
    """
    Replay a recording and keep the result; the bag comes first, then the replay.

    :param job: the work.
    :param progress: called with the number of images read so far.
    :param started: called with the number of images that the recording states.
    :returns: the replay.
    :raises RecordingError: when the recording cannot be read at all.
    :raises AssetError: when a model is not there.
    :raises ValueError: when a model or a parameter cannot be used.
    """
    settings = job.settings
    recording = open_recording(job.path, settings.topic, settings.picture_rate_hz)
    recording.name = job.name
    writer = None
    refused: list[str] = []
    try:
        if started is not None:
            started(recording.image_count)
        if job.record is not None:
            beside = job.path if job.with_input else None
            camera = recorded_camera(recording, settings.parameters, refused.append)
            writer = BagWriter(job.record, settings.parameters, beside, camera)
        listeners = () if writer is None else (writer,)
        told = replay(recording, settings.parameters, settings.selection, listeners, progress)
        if writer is not None and told.stamps_ns:
            writer.finish()
    finally:
        recording.close()
        if writer is not None:
            writer.close()
    told = replace(told, problems=(*told.problems, *(f'{job.name}: {why}' for why in refused)))
    write_replay(job.kept, told)
    return told


def job_key(path: Path, settings: Settings, record: Path | None, with_input: bool) -> str:
    """
    Name all that decides on a replay; another recording, model, parameter or code changes it.

    :param path: the recording; known by its files' names, sizes and times.
    :param settings: how it is replayed.
    :param record: see `Job`.
    :param with_input: see `Job`.
    :returns: 16 hexadecimal digits.
    :raises AssetError: when a model is not there.
    """
    emotion = settings.parameters.emotion_node
    files = find_finder_files(settings.parameters.blendshape_node, warn=lambda _: None)
    models = [path for path in astuple(files) if path is not None]
    models += sorted(find_model(str(emotion['model'])).iterdir())
    said = {
        'recording': [str(path.resolve()), _files(path)],
        'blendshape_node': dict(settings.parameters.blendshape_node),
        'emotion_node': dict(emotion),
        'selection': asdict(settings.selection),
        'topic': settings.topic,
        'picture_rate_hz': settings.picture_rate_hz,
        'record': [str(record), with_input],
        'models': [sha256_of(model) for model in models if model.is_file()],
        'code': _code(),
    }
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:16]


def named_apart(paths: list[Path]) -> Mapping[Path, str]:
    """
    Name recordings by their last part, or by as many as tell them apart.

    :param paths: the recordings.
    :returns: name by path.
    """
    parts = 1
    whole = [path.resolve().parts for path in paths]
    while len({names[-parts:] for names in whole}) < len(set(whole)):
        parts += 1
    return {path: '/'.join(names[-parts:]) for path, names in zip(paths, whole)}


def unread(job: Job, like: Replay, problem: str) -> Replay:
    """
    Make the replay of a recording that could not be read.

    :param job: its work.
    :param like: an empty replay with model, labels and settings.
    :param problem: what was wrong, a sentence.
    :returns: a replay without images.
    """
    return replace(like, recording=job.name, problems=(problem,))


def _files(path: Path) -> list[tuple[str, int, int]]:
    if not path.exists():
        return []
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    return [(file.name, file.stat().st_size, _modified_ns(file)) for file in files]


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


# Replays several recordings at once: a process a recording, a core a process.


_TOLD_EVERY = 16
"""Images from one word of progress to the next."""
_END_S = 5.0


@dataclass(frozen=True)
class Started:
    """A recording was opened; it states `image_count` images."""

    job: Job
    image_count: int


@dataclass(frozen=True)
class Advanced:
    """So many of a recording's images have been read."""

    job: Job
    read: int


@dataclass(frozen=True)
class Finished:
    """A recording's replay is kept, or `problem` says why there is none."""

    job: Job
    problem: str = ''


def run_jobs(
    jobs: Sequence[Job], most_at_once: int, log: Path
) -> Iterator[Started | Advanced | Finished]:
    """
    Do the work; leaving the loop, as Ctrl-C does, ends what is unfinished.

    A process that dies costs its own recording alone.

    :param jobs: the recordings.
    :param most_at_once: processes at a time, at least 1.
    :param log: file for what MediaPipe prints.
    :returns: yields what happens, `Finished` once for each job.
    """
    # For the processes to come: NumPy's products are small here, and a pool of threads for them
    # would take the cores that MediaPipe needs.
    os.environ.setdefault('OPENBLAS_NUM_THREADS', '1')
    context = multiprocessing.get_context('spawn')
    cores = _cores(min(most_at_once, len(jobs)))
    waiting = list(reversed(jobs))
    running: dict[Connection, tuple[Job, SpawnProcess, int | None]] = {}
    log.parent.mkdir(parents=True, exist_ok=True)
    try:
        while waiting or running:
            while waiting and len(running) < most_at_once:
                used = [core for _, _, core in running.values()]
                core = min(cores, key=used.count)
                job = waiting.pop()
                here, there = context.Pipe(duplex=False)
                process = context.Process(target=_work, args=(job, core, there, log), daemon=True)
                process.start()
                there.close()
                running[here] = (job, process, core)
            for pipe in wait(list(running)):
                assert isinstance(pipe, Connection)
                job, process, _ = running[pipe]
                try:
                    event = pipe.recv()
                except (EOFError, OSError):
                    process.join()
                    event = Finished(job, _died(job, process, log))
                yield event
                if isinstance(event, Finished):
                    del running[pipe]
                    pipe.close()
                    process.join()
    finally:
        for _, process, _ in running.values():
            process.terminate()
        for _, process, _ in running.values():
            process.join(_END_S)


def available_cores() -> list[int]:
    """
    List the cores that this process may use.

    :returns: their numbers; where the system knows no affinity, as many as it has.
    """
    if not hasattr(os, 'sched_getaffinity'):
        return list(range(os.cpu_count() or 1))
    return sorted(os.sched_getaffinity(0))


def _cores(count: int) -> list[int | None]:
    """Give each of several processes a core of its own; one alone may use all."""
    if count < 2 or not hasattr(os, 'sched_setaffinity'):
        return [None]
    return list(available_cores()[:count])


def _died(job: Job, process: SpawnProcess, log: Path) -> str:
    return (
        f'{job.path}: its process ended by itself (exit status {process.exitcode}); {log} holds '
        'its last words.'
    )


def _work(job: Job, core: int | None, pipe: Connection, log: Path) -> None:
    # Ctrl-C reaches all processes of a terminal; the first one ends the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with log.open('ab') as file:
        os.dup2(file.fileno(), 2)
    if core is not None:
        os.sched_setaffinity(0, {core})
        cv2.setNumThreads(1)

    def advanced(read: int) -> None:
        if read % _TOLD_EVERY == 0:
            pipe.send(Advanced(job, read))

    problem = ''
    try:
        run_job(job, advanced, lambda count: pipe.send(Started(job, count)))
    except (AssetError, ValueError) as error:
        problem = str(error)
    except Exception as error:
        traceback.print_exc()
        problem = f'{job.path}: {type(error).__name__}: {error}; see {log}.'
    pipe.send(Finished(job, problem))
