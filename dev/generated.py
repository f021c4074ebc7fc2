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

"""
Writes what is made of the parameters' one statement: the file that ships, and the table of doc/.

A test holds both to `emotion_estimator.parameters`.
"""

from __future__ import annotations

import argparse
import sys
import textwrap
from pathlib import Path

from emotion_estimator.files import write_whole
from emotion_estimator.parameters import NODES, Spec

ROOT = Path(__file__).resolve().parents[1]
_HEAD = """\
# SPDX-License-Identifier: Apache-2.0
# Parameters of both nodes with their defaults, written by `python -m dev.generated`.
# "Live" may change while a node runs; the others while it is not configured.
"""
_PAGE = """\
# Parameters

Written by `python -m dev.generated`. Each node describes its parameters too (`ros2 param describe
NODE NAME`). Values out of range are refused with a reason. What is live may change while the node
runs, the others while it is not configured. `config/emotion_estimator.yaml` holds the defaults.
"""
_TABLE = '\n## {}\n\n| parameter | default | range | meaning |\n|---|---|---|---|\n'
_WIDTH = 95


def parameter_file() -> str:
    """
    Write the parameter file that ships.

    :returns: YAML for `--params-file`.
    """
    parts = [_HEAD]
    for node, specs in NODES.items():
        parts.append(f'\n/**/{node}:\n  ros__parameters:\n')
        for spec in specs:
            note = ' '.join(filter(None, (spec.description, _limits(spec))))
            lines = textwrap.wrap(note, _WIDTH - len('    # '))
            parts.append(''.join(f'    # {line}\n' for line in lines))
            parts.append(f'    {spec.name}: {_yaml(spec)}\n')
    return ''.join(parts)


def parameter_page() -> str:
    """
    Write the page of parameters.

    :returns: Markdown.
    """
    parts = [_PAGE]
    for node, specs in NODES.items():
        parts.append(_TABLE.format(node))
        parts += [
            f'| `{spec.name}` | `{_yaml(spec)}` | {_limits(spec)} | {spec.description} |\n'
            for spec in specs
        ]
    return ''.join(parts)


def _limits(spec: Spec) -> str:
    parts = []
    if spec.choices:
        *others, last = (f'`{choice}`' for choice in spec.choices)
        parts.append(f'{", ".join(others)} or {last}')
    elif spec.minimum is not None and spec.maximum is not None:
        parts.append(f'{spec.minimum:.10g} to {spec.maximum:.10g}')
    if spec.at_run_time:
        parts.append('live')
    elif spec.read_only:
        parts.append('fixed at the start')
    return f'{", ".join(parts).capitalize()}.' if parts else ''


def _yaml(spec: Spec) -> str:
    if isinstance(spec.default, bool):
        return str(spec.default).lower()
    return str(spec.default) or '""'


PAGES = {
    'config/emotion_estimator.yaml': parameter_file,
    'doc/parameters.md': parameter_page,
}
"""What is written, by path from the repository's root."""


def main() -> int:
    """Write both."""
    argparse.ArgumentParser(prog='dev.generated', description=__doc__).parse_args()
    for path, text in PAGES.items():
        write_whole(ROOT / path, text().encode())
        print(path)
    return 0


if __name__ == '__main__':
    sys.exit(main())
