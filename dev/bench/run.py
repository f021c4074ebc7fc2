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

import argparse
import gc
import sys
from pathlib import Path

import rclpy
from rclpy.signals import SignalHandlerOptions
from rich.console import Console

from dev.bench.parts import TOO_SLOW, Plan, choose, every_part
from dev.bench.results import EXIT_STOPPED, Results, exit_status, measure, table_of, write_results
from dev.bench.speed import LOG
from emotion_estimator.assets import log_to_terminal
from emotion_estimator.native_output import own_stderr_sieved

LATENCY_S, QUICK_LATENCY_S = 120.0, 10.0


def main() -> int:
    """
    Measure.

    :returns: exit status: 0; 1 when a figure is beyond its limit or a part failed; 130 after
        Ctrl-C.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        '--seconds', type=float, help=f'length of the latency run; default {LATENCY_S:g}'
    )
    parser.add_argument('--out', type=Path, default=Path('out/bench.json'))
    parser.add_argument(
        '--quick', action='store_true', help='under two minutes: fewer rounds, no slow parts'
    )
    arguments = parser.parse_args()
    console = Console()
    log_to_terminal()
    LOG.unlink(missing_ok=True)
    with own_stderr_sieved(LOG):
        try:
            results = _measure(arguments, console)
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
        write_results(arguments.out, results)
        console.print(f'Written: {arguments.out}')
    return exit_status(results)


def _measure(arguments: argparse.Namespace, console: Console) -> Results:
    latency_s = arguments.seconds or (QUICK_LATENCY_S if arguments.quick else LATENCY_S)
    plan = choose(every_part(arguments.quick, latency_s), arguments.quick)
    _tell(plan, console)
    # Ctrl-C is an exception here: what was measured before is still shown.
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    gc.freeze()
    try:
        return measure(plan, console)
    finally:
        rclpy.try_shutdown()


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
        console.print('Fewer rounds are noisier: figures worth keeping come from a full run.')


if __name__ == '__main__':
    sys.exit(main())
