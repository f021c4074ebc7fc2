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

"""The fuzzer sees what crashes, hangs or errs, and names the case."""

import importlib
import itertools
import os
import time

import pytest
from hypothesis import strategies as st

from dev.fuzz.engine import Chunk, Target, chunks, fuzz
from emotion_estimator.files import OutputError


def fine(value):
    assert 0 <= value <= 1000


def crashing(value):
    if value > 900:
        os.abort()


def hanging(value):
    if value > 900:
        time.sleep(600)


def erring(value):
    assert value <= 900, 'too large'


def planted(check):
    return st.integers(0, 1000), check


def make_fine():
    return planted(fine)


def make_crashing():
    return planted(crashing)


def make_hanging():
    return planted(hanging)


def make_erring():
    return planted(erring)


def make_none():
    raise ValueError('nothing to load')


PLANTED = {
    'fine': Target(50, make_fine),
    'crashing': Target(50, make_crashing),
    'hanging': Target(50, make_hanging),
    'erring': Target(50, make_erring),
    'not there': Target(50, make_none),
}


def fuzzed(*names, rounds=2, hang_s=1.0):
    todo = list(itertools.islice(chunks(names, 7, PLANTED), rounds * len(names)))
    left = iter(todo)
    given = iter(range(len(todo)))
    return fuzz(left, PLANTED, 1, lambda outcome: next(given, None) is not None, hang_s)


@pytest.mark.parametrize(
    ('name', 'kind'), [('crashing', 'crash'), ('hanging', 'hang'), ('erring', 'error')]
)
def test_a_fault_is_named_with_its_seed_and_case_and_the_others_go_on(name, kind):
    outcome = fuzzed(name, 'fine')
    assert {fault.kind for fault in outcome.faults} == {kind}
    assert {fault.target for fault in outcome.faults} == {name}
    assert all(fault.seed in (7, 8) and 1 <= fault.case <= 50 for fault in outcome.faults)
    assert outcome.cases['fine'] == 100
    assert not outcome.stopped


def test_the_same_seed_finds_the_same_case_again():
    first, second = (fuzzed('erring', rounds=1).faults for _ in range(2))
    assert first == second
    assert 'too large' in first[0].detail


def test_a_target_that_cannot_begin_ends_it_with_its_name():
    with pytest.raises(RuntimeError, match='not there cannot begin'):
        fuzzed('not there')


def test_each_round_gives_every_target_its_share():
    dealt = list(itertools.islice(chunks(['fine', 'erring'], 3, PLANTED), 4))
    assert dealt == [
        Chunk('fine', 3, 50),
        Chunk('erring', 3, 50),
        Chunk('fine', 4, 50),
        Chunk('erring', 4, 50),
    ]


@pytest.mark.parametrize('name', ['raw images', 'label tables', 'calibrations', 'parameter files'])
def test_doors_hold_against_some_made_up_input(name):
    # Imported here: the planted targets' processes do without MediaPipe.
    from dev.fuzz.files import FILE_TARGETS
    from dev.fuzz.messages import MESSAGE_TARGETS

    todo = iter([Chunk(name, 1, 30)])
    given = iter([True])
    targets = {**MESSAGE_TARGETS, **FILE_TARGETS}
    outcome = fuzz(todo, targets, 1, lambda outcome: next(given, False), hang_s=30.0)
    assert outcome.faults == []
    assert outcome.cases[name] == 30


@pytest.fixture
def command(monkeypatch, tmp_path):
    """Fuzz a planted target by the command line."""
    module = importlib.import_module('dev.fuzz.__main__')
    monkeypatch.setattr(module, 'TARGETS', PLANTED)
    monkeypatch.chdir(tmp_path)
    return lambda *given: module.main(['--target', 'fine', '--jobs', '1', *given])


@pytest.mark.parametrize(
    ('name', 'value', 'wanted'),
    [
        ('cases', '0', 'at least 1'),
        ('cases', '-5', 'at least 1'),
        ('jobs', '0', 'at least 1'),
        ('seconds', '0', 'a number above 0'),
        ('seconds', 'nan', 'a number above 0'),
    ],
)
def test_a_count_or_time_of_nothing_is_refused(command, capsys, name, value, wanted):
    with pytest.raises(SystemExit) as ended:
        command(f'--{name}', value)
    assert ended.value.code == 2
    assert f'--{name} must be {wanted}, not {value}.' in capsys.readouterr().err


def test_a_time_that_is_over_before_a_case_ends_with_1(command, capsys):
    assert command('--seconds', '1e-9') == 1
    assert 'Nothing was tried; give more --seconds.' in capsys.readouterr().out
    assert command('--cases', '1') == 0


def test_a_file_that_cannot_be_written_is_told_before_a_case_is_tried(command, tmp_path, capsys):
    with pytest.raises(OutputError, match='cannot be written: it is a folder'):
        command('--out', str(tmp_path))
    assert capsys.readouterr().out == ''
