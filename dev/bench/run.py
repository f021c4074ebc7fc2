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

"""Runs every measurement, prints a table and writes out/bench.json."""

from __future__ import annotations

if __name__ == '__main__':  # before the imports, so that Ctrl-C ends them quietly
    from emotion_estimator import commands

    raise SystemExit(commands.run('dev.bench.run'))

import argparse
import gc
import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import rclpy
from rclpy.signals import SignalHandlerOptions
from rich.console import Console
from rich.progress import Progress, ProgressColumn, SpinnerColumn, Task, TextColumn
from rich.table import Column, Table
from rich.text import Text

from dev.bench.parts import TOO_SLOW, Metrics, Part, Plan, choose, every_part
from dev.bench.speed import DOMAINS, LEAST, LOG, MOST
from emotion_estimator.assets import log_to_terminal
from emotion_estimator.commands import place
from emotion_estimator.extras.node_processes import claim_domain, own_stderr_sieved
from emotion_estimator.files import AssetError, check_files, write_whole

# One part is measured after the other, and the time that is left is shown.


@dataclass
class Results:
    """
    What came out.

    :param metrics: the metrics by name.
    :param left_out: reason by the name of each part that was not measured.
    :param failed: error by the name of each part that broke off.
    :param stopped: whether Ctrl-C ended it before all parts were measured.
    """

    metrics: Metrics = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    stopped: bool = False


class TimeLeft:
    """
    Estimates how long the rest will take, by how long the parts before took.

    :param about_s: estimates of the parts in seconds.
    :param clock_s: a steady clock in seconds.
    """

    def __init__(
        self, about_s: Sequence[float], clock_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._about_s = list(about_s)
        self._clock_s = clock_s
        self._begun = 0
        self._start_s = self._part_start_s = clock_s()

    def begin(self) -> None:
        """Begin the next part."""
        self._begun += 1
        self._part_start_s = self._clock_s()

    def seconds(self) -> float:
        """Estimate the seconds that are left in all."""
        done = max(0, self._begun - 1)
        estimated_s = sum(self._about_s[:done])
        slowness = (self._part_start_s - self._start_s) / estimated_s if estimated_s else 1.0
        spent_s = self._clock_s() - self._part_start_s if self._begun else 0.0
        this_s = sum(self._about_s[done : self._begun])
        later_s = sum(self._about_s[self._begun :])
        return max(0.0, slowness * this_s - spent_s) + slowness * later_s


def measure(plan: Plan, console: Console) -> Results:
    """
    Measure the plan's parts; one that fails costs its own metrics alone, Ctrl-C those to come.

    :param console: gets which part is measured and how long the rest takes.
    """
    results = Results(left_out=dict(plan.left_out))
    time_left = TimeLeft([part.about_s for part in plan.parts])
    columns = (SpinnerColumn(), TextColumn('{task.description}'), _TimeLeftColumn(time_left))
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task('')
        for number, part in enumerate(plan.parts, start=1):
            time_left.begin()
            place = f'{number} of {len(plan.parts)}: {part.name}'
            bar.update(task, description=place)
            left = clock_text(time_left.seconds())
            console.print(f'{place}; about {left} left in all', highlight=False)
            try:
                results.metrics.update(part.measure())
            except (AssetError, FileNotFoundError) as error:
                results.left_out[part.name] = str(error)
                console.print(f'{part.name} is left out: {error}', markup=False, style='yellow')
            except KeyboardInterrupt:
                results.stopped = True
                break
            except Exception as error:
                traceback.print_exc()
                results.failed[part.name] = f'{type(error).__name__}: {error}'
    return results


def clock_text(seconds: float) -> str:
    """
    Write a length of time.

    :returns: such as '3:07', minutes and seconds.
    """
    minutes, rest = divmod(round(seconds), 60)
    return f'{minutes}:{rest:02d}'


class _TimeLeftColumn(ProgressColumn):
    def __init__(self, left: TimeLeft) -> None:
        super().__init__()
        self._left = left

    def render(self, task: Task) -> Text:
        return Text(f'about {clock_text(self._left.seconds())} left')


# What the metrics are held to, the table of them, and their file.


EXIT_BEYOND = 1
EXIT_STOPPED = 130

LIMITS = {
    'pipeline_fps_ratio': ('>=', 1.25),
    'pipeline_fps_ratio_2_threads': ('>=', 1.5),
    'emotion_half_ms_p50': ('<=', 1.0),
    'emotion_half_ms_p99': ('<=', 3.0),
    'frames_lost': ('<=', 0),
    'latency_over_mediapipe_ms_p50': ('<=', 2.0),
    'rss_mb': ('<=', 260),
    'first_emotion_s': ('<=', 3.0),
    'core_share_ratio': ('<=', 0.75),
    'view_idle_core_share': ('<=', 0.01),
    'view_fps_ratio': ('>=', 0.95),
    'view_lost_a_second': ('<=', 1.5),
    'view_latency_ms': ('<=', 3.0),
    'view_pages_of_ten': ('>=', 10),
    'multi_face_found': ('>=', 5),
    'recall_24px': ('>=', 0.95),
    'recall_40px': ('>=', 0.99),
    'smiling_right_48px': ('>=', 0.9),
    'faces_invented': ('<=', 0),
    'faces_invented_beside': ('<=', 0),
    'tiled_multi_face_found': ('>=', 4),
    'tiled_recall_24px': ('>=', 0.7),
    'tiled_recall_40px': ('>=', 0.9),
    'tiled_faces_invented': ('<=', 0),
    'tiled_faces_invented_beside': ('<=', 0),
    'replay_fps_ratio': ('>=', 1.3),
    'replay_one_core_ratio': ('>=', 1.05),
    'replay_two_cores_ratio': ('>=', 1.8),
    'replay_memory_mb': ('<=', 350),
    'replay_memory_ratio': ('<=', 1.1),
    'replay_bytes_differ': ('<=', 0),
    'ids_kept_apart': ('>=', 1.0),
    'ids_kept_overlapping': ('>=', 0.9),
    'fps_ratio_2_faces': ('>=', 0.53),
    'fps_ratio_4_faces': ('>=', 0.28),
    'fps_ratio_8_faces': ('>=', 0.14),
    'near_face_fps_ratio': ('>=', 0.97),
    'head_roll_error_deg': ('<=', 5),
    'head_pitch_error_deg': ('<=', 5),
    'head_yaw_error_deg': ('<=', 5),
    'same_yaw_30deg': ('>=', 0.9),
    'misled_yaw_75deg': ('<=', 0.1),
    'misled_pitch_45deg': ('<=', 0.1),
    'unknown_uncovered': ('<=', 0.05),
    'unknown_mouth_covered': ('>=', 0.9),
    'unknown_eyes_covered': ('>=', 0.9),
    'unknown_upside_down': ('>=', 0.9),
    'tensorflow_importable': ('<=', 0),
}

GOALS = {
    'pipeline_fps_ratio': 1.6,
    'pipeline_fps_ratio_2_threads': 2.0,
    'latency_over_mediapipe_ms_p50': 0.0,
    'rss_mb': 200,
    'first_emotion_s': 2.0,
    'core_share_ratio': 0.55,
    'replay_fps_ratio': 1.6,
    'replay_one_core_ratio': 1.3,
    'replay_memory_mb': 250,
    'fps_ratio_2_faces': 0.6,
    'fps_ratio_4_faces': 0.35,
    'fps_ratio_8_faces': 0.2,
}
"""What is wished for beyond the limit; missing it is no fault."""


def is_met(name: str, value: float) -> bool:
    """
    Hold a metric to its limit.

    :param name: the metric's.
    :returns: whether it is within its limit, or has none.
    """
    if name not in LIMITS:
        return True
    sign, limit = LIMITS[name]
    return value >= limit if sign == '>=' else value <= limit


def exit_status(results: Results) -> int:
    """
    Tell how the benchmark ends.

    :returns: 130 after Ctrl-C; 1 when a part failed or a metric is beyond its limit; else 0, also
        where parts were left out.
    """
    if results.stopped:
        return EXIT_STOPPED
    beyond = any(not is_met(name, value) for name, value in results.metrics.items())
    return EXIT_BEYOND if beyond or results.failed else 0


def table_of(results: Results) -> Table:
    """List all metrics, and the parts that have none."""
    # In a narrow terminal reasons are folded, and names are not.
    longest = max(map(len, results.metrics), default=0)
    metric = Column('metric', no_wrap=True, min_width=longest)
    narrow = (Column(name, no_wrap=True) for name in ('measured', 'limit', 'goal'))
    measured, limits, goals = narrow
    table = Table(metric, measured, 'rounds', limits, goals, '')
    for name, value in results.metrics.items():
        if name.endswith((LEAST, MOST)):
            continue
        ends = [results.metrics.get(f'{name}{end}') for end in (LEAST, MOST)]
        rounds = ' to '.join(f'{end:.4g}' for end in ends if end is not None)
        limit = ' '.join([LIMITS[name][0], f'{LIMITS[name][1]:g}']) if name in LIMITS else ''
        goal = f'{GOALS[name]:g}' if name in GOALS else ''
        verdict = 'met' if is_met(name, value) else 'NOT MET'
        table.add_row(name, f'{value:.4g}', rounds, limit, goal, verdict if limit else '')
    if results.left_out or results.failed:
        table.add_section()
    for name, reason in results.left_out.items():
        table.add_row(name, 'left out', '', '', '', reason)
    for name, error in results.failed.items():
        table.add_row(name, 'FAILED', '', '', '', error)
    return table


def write_results(path: Path, results: Results, asked: Collection[str] = ()) -> None:
    """
    Write the metrics by name, with the parts left out and failed under `left_out` and `failed`.

    :param path: the JSON file.
    :param asked: parts that alone were asked for: what the file says of others stays.
    """
    try:
        before = dict(json.loads(path.read_bytes())) if asked and path.is_file() else {}
    except (TypeError, ValueError):
        print(f'{path} is damaged, and is written anew: earlier figures in it are lost.')
        before = {}
    reasons = {
        key: {k: v for k, v in before.pop(key, {}).items() if k not in asked} | now
        for key, now in (('left_out', results.left_out), ('failed', results.failed))
    }
    content = {**before, **results.metrics, **reasons}
    write_whole(path, (json.dumps(content, indent=2) + '\n').encode())


IN_A_FILE = 120
"""Columns of the table where it goes into a file."""
LATENCY_S, QUICK_LATENCY_S = 120.0, 10.0


def main() -> int:
    """
    Measure.

    :returns: exit status: 0; 1 when a metric is beyond its limit or a part failed; 130 after
        Ctrl-C.
    :raises OutputError: when its file cannot be written.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        '--seconds', type=float, help=f'length of the latency run; default {LATENCY_S:g}'
    )
    parser.add_argument('--out', type=place, default=Path('out/bench.json'))
    parser.add_argument(
        '--quick', action='store_true', help='under two minutes: shorter rounds, no slow parts'
    )
    parser.add_argument(
        '--parts',
        type=lambda text: [name.strip() for name in text.split(',')],
        help='names of parts, with commas between: only they are measured, and what --out holds '
        'of the others stays',
    )
    arguments = parser.parse_args()
    latency_s = QUICK_LATENCY_S if arguments.quick else LATENCY_S
    if arguments.seconds is not None:
        latency_s = arguments.seconds
    if not 0 < latency_s < float('inf'):
        parser.error(f'--seconds must be a number above 0, not {latency_s:g}.')
    parts = every_part(arguments.quick, latency_s)
    names = [part.name for part in parts]
    for name in arguments.parts or ():
        if name not in names:
            parser.error(f"there is no part '{name}'; there are: {', '.join(names)}")
    check_files(arguments.out)
    console = Console(width=None if sys.stdout.isatty() else IN_A_FILE)
    log_to_terminal()
    LOG.unlink(missing_ok=True)
    with own_stderr_sieved(LOG):
        try:
            results = _measure(parts, arguments, console)
        except KeyboardInterrupt:
            console.print('Stopped before anything was measured.')
            return EXIT_STOPPED
    console.print(table_of(results))
    if results.stopped:
        console.print(
            'Stopped; the table shows what was measured so far. '
            f'{arguments.out} is not written, {LOG} tells what the nodes said.'
        )
    else:
        write_results(arguments.out, results, arguments.parts or ())
        console.print(f'Written: {arguments.out}')
    return exit_status(results)


def _measure(parts: Sequence[Part], arguments: argparse.Namespace, console: Console) -> Results:
    plan = choose(parts, arguments.quick, arguments.parts)
    _tell(plan, console)
    # On a domain of its own: the nodes of tests that run meanwhile hear nothing of it.
    domain_id, claim = claim_domain(DOMAINS)
    os.environ['ROS_DOMAIN_ID'] = str(domain_id)
    # Ctrl-C is an exception here: what was measured before is still shown.
    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
    gc.freeze()
    try:
        return measure(plan, console)
    finally:
        rclpy.try_shutdown()
        claim.close()


def _tell(plan: Plan, console: Console) -> None:
    """Say what is left out, and why."""
    by_reason: dict[str, list[str]] = {}
    for name, reason in plan.left_out.items():
        by_reason.setdefault(reason, []).append(name)
    for reason, names in by_reason.items():
        console.print(f'Left out, {reason}: {", ".join(names)}.', highlight=False)
    for sentence in plan.missing.values():
        console.print(sentence, style='yellow', markup=False, soft_wrap=True)
    if TOO_SLOW in by_reason:
        console.print('Fewer rounds are noisier: metrics worth keeping come from a full run.')
