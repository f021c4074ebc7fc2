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

"""Holds two finished runs of `replay` against each other: another model, other settings."""

from __future__ import annotations

from pathlib import Path

from emotion_estimator.evaluation.finished_run import read_run
from emotion_estimator.evaluation.report import write_comparison


def compare_runs(first: Path, second: Path, output: Path, label_map: str | None = None) -> Path:
    """
    Compare two runs by the labels that were given to them; the first's where both have some.

    :param first: output folder of one run.
    :param second: of another.
    :param output: folder for what comes out.
    :param label_map: see `write_report`.
    :returns: path of the page.
    :raises ValueError: when a folder holds no run, or the runs have nothing in common.
    """
    one, other = read_run(first), read_run(second)
    truth = {
        name: one.truth.get(name) or other.truth.get(name, ())
        for name in {*one.truth, *other.truth}
    }
    return write_comparison(output, one.replays, other.replays, truth, label_map)
