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

"""What the soak calls growth, and how long it takes."""

import os

import pytest

from dev.bench import soak
from dev.bench.soak import Sample, faults_of, processor_s, sample_process
from emotion_estimator.files import OutputError


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
