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

"""The command `replay`: what the package sees in bags, videos and folders of pictures."""

from __future__ import annotations

if __name__ == '__main__':  # before the imports, so that Ctrl-C ends them quietly
    from emotion_estimator import commands

    raise SystemExit(commands.main('replay'))

import argparse
import logging
import math
from collections.abc import Sequence
from contextlib import closing
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
from emotion_estimator.commands import place
from emotion_estimator.emotion.decision import Decider
from emotion_estimator.emotion.model import read_metadata
from emotion_estimator.evaluation.label_files import LabelSource, check_labels, places_beside
from emotion_estimator.evaluation.label_readers import Time
from emotion_estimator.evaluation.labels import LABEL_MAPS, LabelError
from emotion_estimator.evaluation.report.write import (
    COMPARISON_FILES,
    REPORT_FILES,
    MissingLibraryError,
    Written,
    write_comparison,
    write_labelled_report,
)
from emotion_estimator.evaluation.runs import read_run
from emotion_estimator.faces.finder import find_finder_files
from emotion_estimator.files import PACKAGE, AssetError, OutputError, check_output, find_model
from emotion_estimator.parallel.engine import SchedulerError
from emotion_estimator.parallel.workers import available_cores
from emotion_estimator.parameters import read_parameters, without_effect
from emotion_estimator.replay.jobs import (
    Finished,
    Job,
    Settings,
    check_outputs,
    check_records,
    job_key,
    recordings_to_replay,
    run_jobs,
    unread,
)
from emotion_estimator.replay.picture_names import DEFAULT_RATE_HZ
from emotion_estimator.replay.predictions import (
    Replay,
    ReplayFileError,
    kept_replay,
    read_replay,
    settings_of,
)
from emotion_estimator.replay.recordings import Selection, file_names, named_apart, short_name

# The arguments of `replay` that tell where labels come from.


def add_label_arguments(parser: argparse.ArgumentParser) -> None:
    """
    Add the arguments to a parser.

    :param parser: of the command.
    """
    labels = parser.add_argument_group(
        'labels', 'Without these, NAME.csv beside a recording NAME is taken where there is one.'
    )
    add = labels.add_mutually_exclusive_group().add_argument
    add(
        '--labels',
        type=place,
        metavar='FILE',
        help='table: start_s,end_s,face,emotion, with several recordings also recording',
    )
    add(
        '--labels-topic',
        default='',
        metavar='TOPIC',
        help='of the bags: vision_msgs/Classification or hri_msgs/Expression; * stands for any '
        'text',
    )
    add(
        '--labels-from-folders',
        action='store_true',
        help='folders named after expressions label what they hold',
    )
    add = labels.add_argument
    add(
        '--label-times',
        choices=[one.value for one in Time],
        default=Time.AUTOMATIC.value,
        help="whether a table's seconds count from the first image or from 1970",
    )
    add(
        '--label-map',
        choices=[one.name for one in LABEL_MAPS],
        help='judge in these coarser classes',
    )


def label_source(options: argparse.Namespace) -> LabelSource:
    """
    Read the arguments.

    :param options: of a parser with `add_label_arguments`.
    :returns: where labels come from.
    """
    return LabelSource(
        options.labels,
        options.labels_topic,
        options.labels_from_folders,
        Time(options.label_times),
        options.label_map,
    )


# The command line of `replay`.


DESCRIPTION = 'Tells what the package sees in recordings: bags, videos and folders of pictures.'


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """
    Read the command line.

    :param arguments: its words; None takes those of the process.
    :returns: the options by name.
    """
    parser = argparse.ArgumentParser(prog='replay', description=DESCRIPTION)
    add = parser.add_argument
    add('recordings', nargs='*', type=place, metavar='BAG', help='rosbag2 folder; .mcap, .db3 or '
        '.bag file; video; folder of pictures')  # fmt: skip
    add('-o', '--output', type=place, default=Path('out/replay'), help='folder for what comes out')
    add('--topic', default='', help="the camera's topic, where a bag has several")
    add('--model', default='', help='model that ships, or path of a model folder')
    add('--params-file', type=place, help="YAML with the nodes' parameters")
    add('--rotate', type=int, choices=(0, 90, 180, 270), help='degrees clockwise that turn the '
        'images upright; default: that of --params-file, else 0')  # fmt: skip
    add('--max-faces', type=int, help='most faces followed at once; default: '
        f'{DEFAULT_MAX_FACES}, or what the file says')  # fmt: skip
    add('--rate-hz', type=float, default=0.0, help='most images a second, by stamp')
    add('--from', dest='from_s', type=float, default=0.0, help='seconds after the first image')
    add('--to', dest='to_s', type=float, help='end, seconds after the first image')
    add('--picture-rate-hz', type=float, default=DEFAULT_RATE_HZ,
        help='frames a second of pictures whose names are no stamps')  # fmt: skip
    add('--stills', action='store_true', help='each picture is a photograph of its own, which '
        'gets an answer of its own, rather than the next one of a film')  # fmt: skip
    add('--jobs', type=int, default=len(available_cores()), help='recordings at a time')
    add('--scheduler', default='', metavar='ADDRESS', help='of a Dask scheduler whose workers do '
        'it instead, such as tcp://10.0.0.1:8786; they share a disk with this one')  # fmt: skip
    add('--record', type=place, help='write what the nodes would publish, but for pictures: '
        'an .mcap file, or a folder; with several recordings a folder of .mcap files')  # fmt: skip
    add('--with-input', action='store_true', help="copy the bags' own messages, images too, there")
    add('--features', action='store_true', help='write what was measured into OUTPUT/features: a '
        'row for each face, and for each image without one')  # fmt: skip
    add('--landmarks', action='store_true', help='the 478 landmarks too, in that table')
    add_label_arguments(parser)
    parser.add_argument('--compare', nargs=2, type=place, metavar='FOLDER', help='hold two '
        'finished runs against each other instead')  # fmt: skip
    options = parser.parse_args(arguments)
    if bool(options.recordings) == bool(options.compare):
        parser.error('give recordings, or two folders after --compare')
    if options.compare:
        given = {name for name, one in vars(options).items() if one != parser.get_default(name)}
        for name in sorted(given - {'recordings', 'compare', 'output', 'label_map'}):
            option = name.removesuffix('_s').replace('_', '-')
            parser.error(
                f'--{option} does nothing beside --compare, which takes both runs as they are, '
                'with their labels; give it where you replay them'
            )
    return options


DEFAULT_MAX_FACES = 4
"""Most faces that are followed at once; a robot's node, which must keep up, follows one."""
LEAST_PICTURE_RATE_HZ, MOST_PICTURE_RATE_HZ = 0.001, 1_000_000.0
"""Within these no two pictures have one stamp, and none a later one than ROS knows."""
LOG_FILE = 'replay.log'
EXIT_BROKEN = 1
EXIT_WRONG_ARGUMENT = 2
EXIT_STOPPED = 130

_log = logging.getLogger(f'{PACKAGE}.replay')  # this module is run by the name __main__


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Replay recordings.

    :param arguments: command line; None takes that of the process.
    :returns: exit status: 0; 1 when something could not be read or compared, the others done; 2
        when an argument is wrong, a model cannot be had or the output cannot be written; 130
        after Ctrl-C.
    """
    options = parse(arguments)
    console = Console(stderr=True)
    try:
        return _compare(options, console) if options.compare else _replay(options, console)
    except (AssetError, OutputError, SchedulerError, LabelError, ReplayFileError) as error:
        _say(str(error), console)
        return EXIT_WRONG_ARGUMENT
    except MissingLibraryError as error:
        _say(str(error), console)
        return EXIT_BROKEN
    except KeyboardInterrupt:
        console.print('Stopped; what is finished is kept.')
        return EXIT_STOPPED


def _replay(options: argparse.Namespace, console: Console) -> int:
    log_to_terminal()
    try:
        jobs, empty = prepare(options)
    except ValueError as error:
        _say(str(error), console)
        return EXIT_WRONG_ARGUMENT
    paths = {job.name: job.path for job in jobs}
    for warning in check_labels(label_source(options), paths, empty.labels):
        _say(warning, console, 'yellow')
    bags = {job.record.parent for job in jobs if job.record is not None}
    check_output(*bags, options.output, *{job.kept.parent for job in jobs})
    found = {job.path: kept_replay(job.kept) if job.done else None for job in jobs}
    todo = [job for job in jobs if found[job.path] is None]
    try:
        problems = _work(todo, options, console)
    except KeyboardInterrupt:
        done = sum(job.done for job in jobs)
        console.print(
            f'Stopped. {done} of {len(jobs)} recordings are finished and kept; the same command '
            'goes on from there.'
        )
        return EXIT_STOPPED
    for job in todo:
        problem = problems.get(job.path)
        found[job.path] = unread(job, empty, problem) if problem else read_replay(job.kept)
    replays = [replay for replay in found.values() if replay is not None]
    _tell(replays, console)
    report = write_labelled_report(options.output, paths, replays, label_source(options))
    _show(report, console)
    return EXIT_BROKEN if report.losses or any(replay.problems for replay in replays) else 0


def _compare(options: argparse.Namespace, console: Console) -> int:
    """Hold two finished runs against each other; where both have labels the first's count."""
    check_outputs((), [options.output / name for name in COMPARISON_FILES], {})
    try:
        one, other = map(read_run, options.compare)
        truth = {
            name: one.truth.get(name) or other.truth.get(name, ())
            for name in {*one.truth, *other.truth}
        }
        report = write_comparison(
            options.output, one.replays, other.replays, truth, options.label_map
        )
    except ValueError as error:
        _say(str(error), console)
        return EXIT_WRONG_ARGUMENT
    _show(report, console)
    return EXIT_BROKEN if report.losses else 0


def _show(report: Written, console: Console) -> None:
    for style, sentences in (('red', report.losses), ('yellow', report.hints)):
        for sentence in sentences:
            _say(sentence, console, style)
    print(report.page.absolute())


def prepare(options: argparse.Namespace) -> tuple[list[Job], Replay]:
    """Make the jobs, and an empty replay with what is the same for all."""
    to_s = None if options.to_s == math.inf else options.to_s
    selection = Selection(options.rate_hz, options.from_s, to_s, options.stills)
    if not LEAST_PICTURE_RATE_HZ <= options.picture_rate_hz <= MOST_PICTURE_RATE_HZ:
        raise ValueError(
            f'--picture-rate-hz must lie between {LEAST_PICTURE_RATE_HZ:g} and '
            f'{MOST_PICTURE_RATE_HZ:g}, not {options.picture_rate_hz:g}.'
        )
    if options.jobs < 1:
        raise ValueError('--jobs must be at least 1.')
    if options.with_input and options.record is None:
        raise ValueError('--with-input copies beside what --record writes; give --record too.')
    if options.landmarks and not options.features:
        raise ValueError('--landmarks stand in what --features writes; give --features too.')
    options.recordings = [one for path in options.recordings for one in recordings_to_replay(path)]
    parameters = read_parameters(options.params_file, {'max_faces': DEFAULT_MAX_FACES})
    for sentence in without_effect(options.params_file) if options.params_file else ():
        _log.warning(sentence)
    over = {name: getattr(options, name) for name in ('max_faces', 'rotate', 'model')}
    parameters = parameters.changed({k: v for k, v in over.items() if v not in (None, '')})
    emotion = parameters.emotion_node
    metadata = read_metadata(find_model(str(emotion['model'])))
    # Said once rather than once a recording.
    Decider(metadata.labels, float(emotion['min_confidence']), float(emotion['hysteresis']))
    metadata.prior(emotion['class_prior'])
    # Said and fetched once: the recordings' processes only look on this machine.
    find_finder_files(parameters.blendshape_node, fetch=True, warn=_log.warning)
    settings = Settings(parameters, selection, options.topic, options.picture_rate_hz)
    jobs = []
    names = named_apart(options.recordings)
    tables = file_names(names.values())
    bags = file_names(name.removesuffix('.mcap') for name in names.values())
    for (path, name), table, bag in zip(names.items(), tables, bags):
        record = _record_path(options, bag)
        features = options.output / 'features' / f'{table}.csv' if options.features else None
        outputs = (record, options.with_input, features, options.landmarks)
        key = job_key(path, settings, name, *outputs)
        kept = options.output / 'kept' / f'{short_name(Path(name).name)}-{key}.json'
        jobs.append(Job(name, path, settings, kept, *outputs))
    written = [options.output / name for name in (*REPORT_FILES, LOG_FILE)]
    check_records(jobs, [*written, options.output / 'kept', options.output / 'features'])
    beside = ((job, places_beside(job.path)) for job in jobs)
    read = {one: f'the labels of {job.name}' for job, places in beside for one in places}
    given = {'--labels': options.labels, '--params-file': options.params_file}
    read |= {path: f'{name} {path}' for name, path in given.items() if path is not None}
    check_outputs(jobs, written, read)
    model = f'{metadata.name} {metadata.version}'
    said = settings_of(parameters, selection)
    return jobs, Replay('', model, metadata.labels, said, (), (), {}, ())


def _record_path(options: argparse.Namespace, name: str) -> Path | None:
    if options.record is None or len(options.recordings) == 1:
        return options.record  # type: ignore[no-any-return]
    return Path(options.record / f'{name}.mcap')


def _work(jobs: Sequence[Job], options: argparse.Namespace, console: Console) -> dict[Path, str]:
    """Do the jobs, showing how far they are; returns the sentences of those that failed."""
    problems: dict[Path, str] = {}
    columns = (
        TextColumn('{task.description}', markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(elapsed_when_finished=True),
    )
    log = options.output / LOG_FILE
    with (
        closing(run_jobs(jobs, options.jobs, log, options.scheduler)) as events,
        Progress(*columns, console=console) as bars,
    ):
        whole = bars.add_task('recordings', total=len(jobs), visible=len(jobs) > 1)
        tasks: dict[Path, TaskID] = {}
        for event in events:
            path = event.job.path
            if isinstance(event, Finished):
                problems[path] = event.problem
                bars.advance(whole)
                if path in tasks:
                    bars.remove_task(tasks[path])
                continue
            if path not in tasks:
                tasks[path] = bars.add_task(event.job.name, total=None)
            bars.update(tasks[path], completed=event.read, total=event.image_count or None)
    return problems


def _tell(replays: Sequence[Replay], console: Console) -> None:
    for replay in replays:
        faces = {answer.face_id for answer in replay.predictions}
        console.print(
            f'{replay.recording}: {replay.image_count} images, '
            f'{len(replay.predictions)} answers on {len(faces)} faces.',
            markup=False,
            highlight=False,
        )
        for style, sentences in (('red', replay.problems), ('yellow', replay.hints)):
            for sentence in sentences:
                _say(f'  {sentence}', console, style)


def _say(sentence: str, console: Console, style: str = 'red') -> None:
    console.print(sentence, style=style, markup=False, highlight=False, soft_wrap=True)
