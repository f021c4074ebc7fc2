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

"""Recordings replayed by the workers of a Dask scheduler are those that this machine replays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.bags import camera_bag
from helpers.calls import DaskCluster

from emotion_estimator.evaluation.cli import main
from emotion_estimator.parameters import read_parameters
from emotion_estimator.replay.jobs import Finished, Job, Settings, run_jobs
from emotion_estimator.replay.recordings import Selection

pytestmark = [pytest.mark.usefixtures('landmarker_path'), pytest.mark.timeout(600)]


@pytest.fixture
def cluster(tmp_path):
    """Two workers without nannies: one that is killed does not come back."""
    folder = tmp_path / 'dask'
    folder.mkdir()
    with DaskCluster(folder, 2, nanny=False) as two:
        yield two


def blank_bag(path, count):
    return camera_bag(path, [np.full((32, 32, 3), 90, np.uint8)] * count)


def jobs_of(paths, folder):
    settings = Settings(read_parameters(), Selection(), '', 30.0)
    return [
        Job(p.name, p, settings, folder / f'{p.name}.json', folder / f'{p.name}.mcap')
        for p in paths
    ]


def test_a_worker_that_is_killed_costs_no_recording(cluster, tmp_path, media, monkeypatch):
    blank_bag(tmp_path / 'long', 300)
    (tmp_path / 'clip.mp4').symlink_to(media('single_face.mp4'))
    # The workers run in another folder, where these paths mean nothing.
    monkeypatch.chdir(tmp_path)
    paths = [Path(name) for name in ('long', 'clip.mp4')]
    here, there = (jobs_of(paths, tmp_path / name) for name in ('here', 'there'))
    events = run_jobs(here, 2, tmp_path / 'log')
    assert [event.problem for event in events if isinstance(event, Finished)] == ['', '']
    finished, read, killed = [], [], None
    for event in run_jobs(there, 2, tmp_path / 'log', cluster.address):
        if isinstance(event, Finished):
            finished.append((event.job.name, event.problem))
            continue
        read.append(event.read)
        if killed is None and event.read:
            killed = cluster.pids()[0]
            os.kill(killed, signal.SIGKILL)
    assert sorted(finished) == [('clip.mp4', ''), ('long', '')]
    assert killed not in cluster.pids()
    assert max(read) > 0
    for one, other in zip(here, there):
        assert one.kept.read_bytes() == other.kept.read_bytes()
        assert one.record.read_bytes() == other.record.read_bytes()


def test_ctrl_c_keeps_what_the_workers_have_finished(tmp_path):
    output, folder = tmp_path / 'out', tmp_path / 'dask'
    folder.mkdir()
    bags = [str(blank_bag(tmp_path / 'short', 1)), str(blank_bag(tmp_path / 'long', 6000))]
    with DaskCluster(folder, 1) as cluster:
        (worker,) = cluster.pids()
        command = [sys.executable, '-m', 'emotion_estimator.evaluation.cli', *bags]
        process = subprocess.Popen(
            [*command, '--scheduler', cluster.address, '-o', str(output)],
            stderr=subprocess.PIPE,
            text=True,
            # Tests that a shell runs in the background inherit that the signal is ignored.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        while not list((output / 'kept').glob('*.json')):
            assert process.poll() is None
            time.sleep(0.1)  # no event tells of a file
        process.send_signal(signal.SIGINT)
        _, said = process.communicate()
        assert process.returncode == 130
        assert '1 of 2 recordings are finished and kept' in ' '.join(said.split())
        deadline_s = time.monotonic() + 30
        while worker in cluster.pids():
            assert time.monotonic() < deadline_s, 'the worker goes on with what nobody awaits'
            time.sleep(0.1)  # no event tells of a process


def test_a_disk_that_is_not_shared_is_told(cluster, tmp_path):
    (job,) = jobs_of([blank_bag(tmp_path / 'bag', 2)], tmp_path / 'out')
    # Names another place in each process.
    elsewhere = replace(job, kept=Path('/proc/self/cwd/kept-elsewhere.json'))
    *_, last = run_jobs([elsewhere], 1, tmp_path / 'log', cluster.address)
    assert 'must lie on a disk that it shares with this machine' in last.problem


def test_a_scheduler_that_is_not_there_is_told_in_a_sentence(tmp_path, capfd):
    bag, output = blank_bag(tmp_path / 'bag', 1), tmp_path / 'out'
    assert main([str(bag), '-o', str(output), '--scheduler', 'nowhere']) == 2
    assert "No Dask scheduler answers at 'nowhere'" in ' '.join(capfd.readouterr().err.split())
    assert not [path for path in output.rglob('*') if path.is_file()]
