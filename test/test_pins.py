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
"""What `make setup` installs is pinned down to the checksum, for every distribution."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

DEV = Path(__file__).resolve().parent.parent / 'dev'
LOCK_LINE = re.compile(r'([a-z0-9._-]+==\S+) --hash=sha256:[0-9a-f]{64}')


def lines_of(path: Path) -> list[str]:
    """
    Read a requirements file.

    :param path: the file.
    :returns: its lines without comments and extras, in lower case.
    """
    text = re.sub(r'#.*|\[.*?\]', '', path.read_text())
    return [line.strip().lower() for line in text.splitlines() if line.strip()]


@pytest.mark.parametrize('distro', ['kilted', 'jazzy'])
def test_lock_holds_what_the_requirements_ask_for(distro: str) -> None:
    """A pin that was changed without `make lock` would not be installed."""
    locked = {line.partition(' ')[0] for line in lines_of(DEV / f'locked-{distro}.txt')}
    wanted = lines_of(DEV / 'requirements.txt') + lines_of(DEV / f'requirements-{distro}.txt')
    assert [pin for pin in wanted if pin not in locked] == []


@pytest.mark.parametrize('distro', ['kilted', 'jazzy'])
def test_every_locked_package_has_a_checksum(distro: str) -> None:
    """One version and one sha256 a line, no package twice."""
    matches = [LOCK_LINE.fullmatch(line) for line in lines_of(DEV / f'locked-{distro}.txt')]
    assert all(matches)
    names = [match.group(1).partition('==')[0] for match in matches if match]
    assert len(names) == len(set(names))
