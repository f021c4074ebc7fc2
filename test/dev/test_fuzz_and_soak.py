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

"""The fuzzer sees what crashes, hangs or errs, and names the case; the soak sees what grows."""

import importlib
import itertools
import os
import time

import pytest
from hypothesis import strategies as st

from dev.bench import soak
from dev.bench.soak import Sample, faults_of, processor_s, sample_process
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


# What the soak calls growth, and how long it takes.


def held(cycle, memory_mb=300.0, threads=20, files=30, face_topics=5):
    return Sample(60.0 * cycle, cycle, memory_mb, threads, files, face_topics)


def test_what_stays_flat_is_no_fault():
    assert faults_of([held(n, memory_mb=300 + n % 3) for n in range(1, 12)]) == []


def test_what_filled_up_at_the_start_is_no_fault():
    assert faults_of([held(n, memory_mb=100 * min(n, 5)) for n in range(1, 12)]) == []


@pytest.mark.parametrize(
    ('grown', 'sentence'),
    [
        ({'memory_mb': 400.0}, 'Memory grew from 300 to 400 MB'),
        ({'threads': 21}, 'The number of threads changed: 20, 21.'),
        ({'files': 31}, 'The number of files changed: 30, 31.'),
        ({'face_topics': 99}, '99 topics of faces at once'),
    ],
)
def test_what_grows_later_is_a_fault(grown, sentence):
    samples = [held(n) for n in range(1, 11)] + [held(11, **grown)]
    (fault,) = faults_of(samples)
    assert sentence in fault


def test_this_process_has_memory_threads_and_files_and_takes_time():
    memory_mb, threads, files = sample_process(os.getpid())
    assert memory_mb > 10 and threads >= 1 and files >= 3
    assert processor_s(os.getpid()) == pytest.approx(sum(os.times()[:2]), abs=0.1)


@pytest.mark.parametrize(
    ('given', 'sentence'),
    [
        (['--minutes', '0'], '--minutes 0 is too short for two cycles of 60 s'),
        (['--minutes', '-3'], '--minutes -3 is too short for two cycles of 60 s'),
        (['--minutes', '1'], '--minutes 1 is too short for two cycles of 60 s'),
        (['--cycle-s', '3600'], '--minutes 60 is too short for two cycles of 3600 s'),
        (['--cycle-s', '0'], '--cycle-s must be a number of at least 1, not 0.'),
        (['--cycle-s', 'nan'], '--cycle-s must be a number of at least 1, not nan.'),
        (['--cycle-s', 'inf'], '--cycle-s must be a number of at least 1, not inf.'),
    ],
)
def test_a_time_in_which_nothing_can_grow_is_refused(monkeypatch, capsys, given, sentence):
    monkeypatch.setattr(soak, 'soak', lambda *_: pytest.fail('It has begun.'))
    with pytest.raises(SystemExit) as ended:
        soak.main(given)
    assert ended.value.code == 2
    assert sentence in capsys.readouterr().err


def test_files_that_cannot_be_written_are_told_before_the_nodes_start(monkeypatch, tmp_path):
    monkeypatch.setattr(soak, 'soak', lambda *_: pytest.fail('It has begun.'))
    (tmp_path / 'soak.1.png').mkdir()
    with pytest.raises(OutputError, match=r'soak\.1\.png cannot be written: it is a folder'):
        soak.main(['--out', str(tmp_path / 'soak.1')])
    with pytest.raises(SystemExit):
        soak.main(['--out', ''])
