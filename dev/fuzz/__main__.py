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

"""`python -m dev.fuzz`: fuzz the package for a time, or for a number of cases."""

from __future__ import annotations

if __name__ == '__main__':  # before the imports, so that Ctrl-C ends them quietly
    from emotion_estimator import commands

    raise SystemExit(commands.run('dev.fuzz.__main__'))

import argparse
import json
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from dev.fuzz.engine import Fault, Outcome, chunks, fuzz
from dev.fuzz.files import FILE_TARGETS
from dev.fuzz.messages import MESSAGE_TARGETS
from emotion_estimator.commands import place
from emotion_estimator.files import check_files, write_whole

TARGETS = {**MESSAGE_TARGETS, **FILE_TARGETS}
EXIT_FAULTS = 1
EXIT_STOPPED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Fuzz.

    :param arguments: command line; None takes that of the process.
    :returns: exit status: 0; 1 when something went wrong or nothing was tried; 130 after Ctrl-C.
    :raises OutputError: when its file cannot be written.
    """
    parser = argparse.ArgumentParser(prog='python -m dev.fuzz', description=__doc__)
    parser.add_argument('--seconds', type=float, default=60.0, help='how long; default 60')
    parser.add_argument('--cases', type=int, help='how many cases, instead of how long')
    parser.add_argument('--seed', type=int, default=0, help='of the first round; default 0')
    parser.add_argument('--target', action='append', choices=list(TARGETS), help='only these')
    parser.add_argument('--jobs', type=int, default=2, help='processes; default 2')
    parser.add_argument('--out', type=place, default=Path('out/fuzz.json'))
    options = parser.parse_args(arguments)
    for name in ('cases', 'jobs'):
        if (number := getattr(options, name)) is not None and number < 1:
            parser.error(f'--{name} must be at least 1, not {number}.')
    if not options.seconds > 0:
        parser.error(f'--seconds must be a number above 0, not {options.seconds:g}.')
    check_files(options.out)
    names = options.target or list(TARGETS)
    start_s = time.monotonic()

    def more(outcome: Outcome) -> bool:
        if options.cases is not None:
            return outcome.cases.total() < int(options.cases)
        return time.monotonic() - start_s < float(options.seconds)

    console = Console()
    columns = (TextColumn('{task.description}'), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=console, transient=True) as bar:
        task = bar.add_task('cases', total=options.cases)

        def tell(outcome: Outcome) -> None:
            bar.update(
                task,
                completed=outcome.cases.total(),
                description=f'cases ({len(outcome.faults)} faults)',
            )

        todo = chunks(names, options.seed, TARGETS)
        outcome = fuzz(todo, TARGETS, options.jobs, more, on_end=tell)
    seconds = time.monotonic() - start_s
    counts = ', '.join(f'{name} {count}' for name, count in outcome.cases.items())
    console.print(
        f'{outcome.cases.total()} cases from seed {options.seed} in {seconds:.0f} s: {counts}.',
        highlight=False,
    )
    alike: dict[tuple[str, str, str], list[Fault]] = {}
    for fault in outcome.faults:
        alike.setdefault((fault.target, fault.kind, fault.place), []).append(fault)
    for (target, kind, where), faults in alike.items():
        first = faults[0]
        sentence = (
            f'{kind} in {target} ({len(faults)} times) {where}, first in case {first.case} of '
            f'seed {first.seed}: {first.detail}'
        )
        console.print(sentence, style='red', markup=False, soft_wrap=True)
    for remark, count in outcome.remarks.items():
        console.print(f'{remark} ({count} times).', highlight=False)
    kinds = Counter(fault.kind for fault in outcome.faults)
    named = ('crash', 'hang', 'memory', 'error')
    console.print(', '.join(f'{kind}: {kinds[kind]}' for kind in named) + '.', highlight=False)
    content = {
        'seed': options.seed,
        'seconds': round(seconds, 1),
        'cases': dict(outcome.cases),
        'remarks': dict(outcome.remarks),
        'faults': [asdict(fault) for fault in outcome.faults],
    }
    write_whole(options.out, (json.dumps(content, indent=2) + '\n').encode())
    if outcome.stopped:
        return EXIT_STOPPED
    if not outcome.cases:
        console.print('Nothing was tried; give more --seconds.', style='red')
    return EXIT_FAULTS if outcome.faults or not outcome.cases else 0
