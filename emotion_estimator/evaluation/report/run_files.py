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

"""Reads back what a finished run left in its folder, and holds it against another run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emotion_estimator.evaluation.labels import Segment
from emotion_estimator.evaluation.report.write import METRICS_FILE, SCHEMA, write_comparison
from emotion_estimator.replay.predictions import Replay, ReplayFileError, read_replay

KEPT_FOLDER = 'kept'


class RunError(ValueError):
    """A folder without a finished run; the message says what is wrong and what to do."""


@dataclass(frozen=True)
class FinishedRun:
    """
    One run.

    :param replays: in the order of the recordings' names.
    :param truth: labels by recording.
    """

    replays: tuple[Replay, ...]
    truth: Mapping[str, tuple[Segment, ...]]


def read_run(folder: Path) -> FinishedRun:
    """
    Read a run's replays and labels.

    A folder may keep replays of several settings; those that its metrics.json is of count.

    :param folder: the output folder of `replay`.
    :returns: the run.
    :raises RunError: naming the file, when the folder holds no finished run.
    """
    path = folder / METRICS_FILE
    try:
        found = json.loads(path.read_text(encoding='utf-8'))
        if found['schema'] != SCHEMA:
            raise RunError(
                f'{path} has schema {found["schema"]}, but this package reads {SCHEMA}; replay '
                'the recordings again.'
            )
        model, settings = found['model'], found['settings']
        truth = {name: labels_of(one) for name, one in found['recordings'].items()}
    except RunError:
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise RunError(
            f'{folder} holds no finished run ({path.name}: {error}); replay recordings into it '
            'first.'
        ) from error
    replays = {}
    for kept in sorted((folder / KEPT_FOLDER).glob('*.json')):
        try:
            replay = read_replay(kept)
        except ReplayFileError as error:
            raise RunError(str(error)) from error
        if (replay.model, dict(replay.settings)) == (model, settings):
            replays[replay.recording] = replay
    chosen = tuple(replays[name] for name in sorted(truth) if name in replays)
    if not chosen:
        raise RunError(
            f'{folder / KEPT_FOLDER} keeps no replay of the run that {path} is of; replay the '
            'recordings again.'
        )
    return FinishedRun(chosen, truth)


def labels_of(recording: dict[str, Any]) -> tuple[Segment, ...]:
    """
    Read the labels of one recording back.

    :param recording: of `metrics`' recordings.
    :returns: as they were given.
    """
    return tuple(
        Segment(int(one['start_ns']), int(one['end_ns']), str(one['face']), str(one['label']))
        for one in recording['labels']
    )


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
