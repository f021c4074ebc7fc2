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


"""Tells what the package sees in recordings: bags, videos and folders of pictures."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from emotion_estimator.assets import log_to_terminal
from emotion_estimator.emotion.decision import Decider
from emotion_estimator.emotion.emotion_model import read_metadata
from emotion_estimator.evaluation.answers import Replay
from emotion_estimator.evaluation.compared_runs import compare_runs
from emotion_estimator.evaluation.job import Job, Settings, job_key, named_apart, unread
from emotion_estimator.evaluation.label_arguments import label_source
from emotion_estimator.evaluation.labelled_report import write_labelled_report
from emotion_estimator.evaluation.labels import LabelError
from emotion_estimator.evaluation.parameters import read_parameters
from emotion_estimator.evaluation.replay import settings_of
from emotion_estimator.evaluation.replay_arguments import parse
from emotion_estimator.evaluation.replay_files import read_replay
from emotion_estimator.evaluation.selection import Selection
from emotion_estimator.evaluation.workers import (
    Finished,
    Started,
    run_jobs,
)
from emotion_estimator.faces.finder_assembly import find_finder_files
from emotion_estimator.files import PACKAGE, AssetError, find_model

EXIT_BROKEN = 1
EXIT_WRONG_ARGUMENT = 2
EXIT_STOPPED = 130

_log = logging.getLogger(f'{PACKAGE}.replay')  # this module is run by the name __main__


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Replay recordings.

    :param arguments: command line; None takes that of the process.
    :returns: exit status: 0; 1 when something could not be read, the others done; 2 when an
        argument is wrong or a model cannot be had; 130 after Ctrl-C.
    """
    options = parse(arguments)
    console = Console(stderr=True)
    if options.compare:
        return _compare(options, console)
    log_to_terminal()
    try:
        jobs, empty = _prepare(options)
    except (AssetError, ValueError) as error:
        console.print(str(error), style='red', markup=False, highlight=False)
        return EXIT_WRONG_ARGUMENT
    except KeyboardInterrupt:
        console.print('Stopped before the first recording.')
        return EXIT_STOPPED
    todo = [job for job in jobs if not job.done]
    try:
        problems = _work(todo, options, console)
    except KeyboardInterrupt:
        done = sum(job.done for job in jobs)
        console.print(
            f'Stopped. {done} of {len(jobs)} recordings are finished and kept; the same command '
            'goes on from there.'
        )
        return EXIT_STOPPED
    replays = [
        unread(job, empty, problems[job.path]) if problems.get(job.path) else read_replay(job.kept)
        for job in jobs
    ]
    _tell(replays, console)
    paths = {job.name: job.path for job in jobs}
    try:
        page = write_labelled_report(options.output, paths, replays, label_source(options))
    except LabelError as error:
        console.print(str(error), style='red', markup=False, highlight=False)
        return EXIT_WRONG_ARGUMENT
    print(page.resolve())
    return EXIT_BROKEN if any(replay.problems for replay in replays) else 0


def _compare(options: argparse.Namespace, console: Console) -> int:
    """Hold two finished runs against each other."""
    first, second = options.compare
    try:
        page = compare_runs(first, second, options.output, options.label_map)
    except ValueError as error:
        console.print(str(error), style='red', markup=False, highlight=False)
        return EXIT_WRONG_ARGUMENT
    print(page.resolve())
    return 0


def _prepare(options: argparse.Namespace) -> tuple[list[Job], Replay]:
    """Make the jobs, and an empty replay with what is the same for all."""
    for name in ('rate_hz', 'from_s'):
        if not getattr(options, name) >= 0:
            raise ValueError(
                f'--{name.removesuffix("_s").replace("_", "-")} must not be negative.'
            )
    if not options.picture_rate_hz > 0 or options.jobs < 1:
        raise ValueError('--picture-rate-hz must be above 0, and --jobs at least 1.')
    if options.with_input and options.record is None:
        raise ValueError('--with-input copies beside what --record writes; give --record too.')
    if options.to_s is not None and options.to_s <= options.from_s:
        raise ValueError(f'--to {options.to_s:g} must lie behind --from {options.from_s:g}.')
    parameters = read_parameters(options.params_file)
    if options.model:
        parameters = parameters.with_model(options.model)
    emotion = parameters.emotion_node
    metadata = read_metadata(find_model(str(emotion['model'])))
    # Said once rather than once a recording.
    Decider(metadata.labels, float(emotion['min_confidence']), float(emotion['hysteresis']))
    # Said and fetched once: the recordings' processes only look on this machine.
    find_finder_files(parameters.blendshape_node, fetch=True, warn=_log.warning)
    selection = Selection(options.rate_hz, options.from_s, options.to_s)
    settings = Settings(parameters, selection, options.topic, options.picture_rate_hz)
    jobs = []
    for path, name in named_apart(options.recordings).items():
        record = _record_path(options, name)
        key = job_key(path, settings, record, options.with_input)
        kept = options.output / 'kept' / f'{Path(name).name}-{key}.json'
        jobs.append(Job(name, path, settings, kept, record, options.with_input))
    model = f'{metadata.name} {metadata.version}'
    said = settings_of(parameters, selection)
    return jobs, Replay('', model, metadata.labels, said, (), (), {}, ())


def _record_path(options: argparse.Namespace, name: str) -> Path | None:
    if options.record is None or len(options.recordings) == 1:
        return options.record  # type: ignore[no-any-return]
    stem = name.replace('/', '_').removesuffix('.mcap')
    return Path(options.record / f'{stem}.mcap')


def _work(jobs: Sequence[Job], options: argparse.Namespace, console: Console) -> dict[Path, str]:
    """Do the jobs, showing how far they are; returns the sentences of those that failed."""
    problems: dict[Path, str] = {}
    columns = (
        TextColumn('{task.description}'),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(elapsed_when_finished=True),
    )
    with Progress(*columns, console=console) as bars:
        whole = bars.add_task('recordings', total=len(jobs), visible=len(jobs) > 1)
        tasks: dict[Path, TaskID] = {}
        for event in run_jobs(jobs, options.jobs, options.output / 'replay.log'):
            path = event.job.path
            if isinstance(event, Started):
                tasks[path] = bars.add_task(event.job.name, total=event.image_count or None)
            elif isinstance(event, Finished):
                problems[path] = event.problem
                bars.advance(whole)
                if path in tasks:
                    bars.remove_task(tasks[path])
            else:
                bars.update(tasks[path], completed=event.read)
    return problems


def _tell(replays: Sequence[Replay], console: Console) -> None:
    for replay in replays:
        faces = {answer.face_id for answer in replay.answers}
        console.print(
            f'{replay.recording}: {len(replay.stamps_ns)} images, {len(replay.answers)} answers '
            f'on {len(faces)} faces.',
            markup=False,
            highlight=False,
        )
        for problem in replay.problems:
            console.print(
                f'  {problem}', style='red', markup=False, highlight=False, soft_wrap=True
            )


if __name__ == '__main__':
    sys.exit(main())
