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
"""What `make setup` installs is pinned down to the checksum, for every environment."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = {
    'kilted': ('dev/requirements.txt', 'dev/requirements-kilted.txt'),
    'jazzy': ('dev/requirements.txt', 'dev/requirements-jazzy.txt'),
    'training': ('training/requirements.txt',),
    'uv': ('dev/requirements-uv.txt',),
}
LOCKED = re.compile(r'([a-z0-9-]+)==(\S+)((?: --hash=sha256:[0-9a-f]{64})+)')


def read_lock(name: str) -> list[str]:
    """
    Read a lock.

    :param name: of its environment.
    :returns: a line for each package, without comments.
    """
    text = (ROOT / f'dev/locked-{name}.txt').read_text()
    text = re.sub(r'\\\n *', '', re.sub(r'^ *#.*\n', '', text, flags=re.MULTILINE))
    return text.splitlines()


@pytest.mark.parametrize('name', REQUIREMENTS)
def test_lock_holds_what_the_requirements_ask_for(name: str) -> None:
    """A pin that was changed without `make lock` would not be installed."""
    locked = {line.partition(' ')[0] for line in read_lock(name)}
    text = ''.join((ROOT / file).read_text() for file in REQUIREMENTS[name])
    wanted = re.sub(r'#.*|\[.*?\]', '', text).lower().split()
    assert wanted
    assert [pin for pin in wanted if pin not in locked] == []


@pytest.mark.parametrize('name', REQUIREMENTS)
def test_every_locked_package_has_a_checksum(name: str) -> None:
    """One version with its sums a package, none twice, from no index of somebody's own."""
    matches = [LOCKED.fullmatch(line) for line in read_lock(name)]
    assert all(matches)
    names = [match.group(1) for match in matches if match]
    assert len(names) == len(set(names))
    assert '/' not in ''.join(read_lock(name))
