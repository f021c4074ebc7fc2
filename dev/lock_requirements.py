#!/usr/bin/env python3
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
"""Write `locked-<distro>.txt`: every package under the requirements, with its checksum."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path

from machine import DEV, SetupError, check_distro, require_python, run, write


def resolve(distro: str) -> list[str]:
    """
    Ask pip what it would install.

    :param distro: the ROS distribution whose requirements are taken.
    :returns: lines of a requirements file, sorted.
    """
    needs = ('-r', DEV / 'requirements.txt', '-r', DEV / f'requirements-{distro}.txt')
    with tempfile.TemporaryDirectory() as folder:
        run(require_python(distro), '-m', 'venv', folder)
        report = Path(folder, 'report.json')
        dry = ('install', '--dry-run', '--ignore-installed', '--report', report)
        # Without this machine's settings, so that the sums are those that everyone gets.
        run(f'{folder}/bin/pip', *dry, *needs, PIP_CONFIG_FILE=os.devnull, PIP_FIND_LINKS='')
        items = json.loads(report.read_text())['install']
    lines = []
    for item in items:
        name, version = item['metadata']['name'].lower(), item['metadata']['version']
        sha256 = item['download_info']['archive_info']['hashes']['sha256']
        lines.append(f'{name}=={version} --hash=sha256:{sha256}\n')
    return sorted(lines)


def main() -> int:
    """
    Lock the distribution that the one argument names.

    :returns: the exit status.
    """
    distro = sys.argv[1] if len(sys.argv) > 1 else 'kilted'
    try:
        check_distro(distro)
        lines = resolve(distro)
    except SetupError as error:
        print(error, file=sys.stderr)
        return 1
    head = f'# Written by `make lock` from requirements.txt and requirements-{distro}.txt.\n'
    write(DEV / f'locked-{distro}.txt', head + ''.join(lines))
    print(f'{len(lines)} packages locked for {distro}.')
    return 0


if __name__ == '__main__':
    sys.exit(main())
