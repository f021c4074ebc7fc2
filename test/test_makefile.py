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

"""How make takes what it is given, and hands it on."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
pytestmark = pytest.mark.skipif(shutil.which('make') is None, reason='needs make')


def made(*arguments, **variables):
    """Print what make would do, as though `make test` had not called it: that says more."""
    alone = {name: value for name, value in os.environ.items() if 'MAKE' not in name}
    command = ['make', '-n', *arguments]
    return subprocess.run(
        command, cwd=ROOT, env={**alone, **variables}, capture_output=True, text=True, check=True
    ).stdout


@pytest.mark.parametrize(
    ('target', 'name', 'with_it'),
    [
        ('setup', 'OLDEST', 'jazzy-oldest'),
        ('assets', 'DEMO', '--demo'),
        ('bench', 'QUICK', '--quick'),
        ('bench', 'PYFEAT', 'py-feat'),
        ('visibility', 'TABLE', '--visibility table'),
        ('evaluate', 'RECORD', '--record'),
        ('seeds', 'RECORD', '--record'),
        ('lock', 'UPGRADE', '--upgrade'),
    ],
)
def test_make_takes_0_and_empty_for_no(target, name, with_it):
    told = {value: with_it in made(target, f'{name}={value}') for value in ('1', '0', '', ' ')}
    assert told == {'1': True, '0': False, '': False, ' ': False}


def test_make_hands_a_path_with_an_apostrophe_on_as_it_is():
    given = ['VIDEO=it\'s "me" & you.mp4', "MODEL=it's"]
    printed = made('demo', *given)
    command = printed[printed.index('--video') :]
    words = subprocess.run(
        ['sh', '-c', f'printf "%s\\n" {command}'],
        env={**os.environ, **dict(one.split('=', 1) for one in given)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    assert words == ['--video', 'it\'s "me" & you.mp4', '--model', "it's"]


@pytest.mark.parametrize(
    ('target', 'options'),
    [
        ('assets', {'TO': '--to "$TO"'}),
        ('demo', {'VIDEO': '--video "$VIDEO"', 'MODEL': '--model "$MODEL"'}),
        ('view', {'VIDEO': '--video "$VIDEO"', 'MODEL': '--model "$MODEL"'}),
        ('view', {'HOST': '--host "$HOST"', 'PORT': '--port "$PORT"'}),
        ('evaluate', {'X': '--baselines none'}),
        ('evaluate', {'X': '--x "$X"'}),
        ('tune', {'MODEL': '--model "$MODEL"'}),
        ('errors', {'X': '--x "$X"', 'MODEL': '--model "$MODEL"'}),
    ],
)
def test_make_takes_no_option_from_a_variable_that_others_set(target, options):
    """Such as HOST, which tcsh and conda set to the machine's name or kind."""
    typed = made(target, *(f'{name}=1' for name in options))
    assert [option for option in options.values() if option not in typed] == []
    assert made(target, **dict.fromkeys(options, '1')) == made(target)


@pytest.mark.parametrize('given', ['OLDEST', 'DEMO'])
def test_make_takes_from_the_environment_what_is_its_own(given):
    assert made('assets', **{given: '1'}) == made('assets', f'{given}=1') != made('assets')
