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

"""Models that ship, scored through the runtime's own buffer, network and decision."""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray

from emotion_estimator.emotion.decision import (
    DEFAULT_HYSTERESIS,
    DEFAULT_MIN_CONFIDENCE,
    Decider,
)
from emotion_estimator.emotion.emotion_model import EmotionModel
from training.report_protocol import ReportRows, report_scores
from training.sequence_protocol import Track, buffer_windows, track_scores
from training.still_protocols import (
    Figures,
    f7_scores,
    label_probabilities,
    p7_scores,
    still_probabilities,
    sure_scores,
)
from training.stills import Stills
from training.window_resampling import constant_windows


def seven_class_scores(
    model: EmotionModel, stills: Stills, tracks: list[Track]
) -> tuple[Figures, NDArray[np.float64]]:
    """
    Score a model of the seven classes on F7, P7 and S.

    :param model: the model.
    :param stills: all photographs of a split, all features.
    :param tracks: sequences composed of them, with the model's features.
    :returns: the figures; those of S with the decision's hysteresis end in '_hysteresis'; and
        the probabilities of the readable photographs.
    """
    probabilities = still_probabilities(model, stills)
    by_label = label_probabilities(model, stills)
    return {
        **f7_scores(by_label, stills),
        **p7_scores(probabilities, stills),
        **sure_scores(probabilities, stills, DEFAULT_MIN_CONFIDENCE),
        **sequence_scores(model, tracks),
        **network_latency(model),
    }, probabilities


def sequence_scores(model: EmotionModel, tracks: list[Track]) -> Figures:
    """
    Score a model on protocol S.

    :param model: the model.
    :param tracks: sequences with the model's features, their truth in its classes.
    :returns: the figures; those with the decision's hysteresis end in '_hysteresis'.
    """
    over_time = [track_probabilities(model, track) for track in tracks]
    labels = model.metadata.labels
    raw = track_scores(tracks, [rows.argmax(axis=1) for rows in over_time])
    decided = track_scores(tracks, [decisions(labels, rows) for rows in over_time])
    return {**raw, **{f'{name}_hysteresis': figure for name, figure in decided.items()}}


def report_figures(
    probabilities: NDArray[np.float64],
    stills: Stills,
    report: ReportRows,
    training_shares: NDArray[np.float64],
) -> Figures:
    """
    Score answers in the report's three classes on its rows (protocol R).

    :param probabilities: of the readable photographs, shape [readable, 3].
    :param stills: all photographs of PrivateTest.
    :param report: the rows.
    :param training_shares: class shares of the training.
    :returns: by name; with the rows' own shares as prior those that end in '_prior'.
    """
    readable_rows = stills.rows[stills.readable[:, 0]]
    place = {int(row): position for position, row in enumerate(readable_rows)}
    found = np.array([int(row) in place for row in report.photographs])
    chosen = probabilities[[place[int(row)] for row in report.photographs[found]]]
    return {
        **report_scores(chosen, found, report, training_shares).metrics(),
        **report_scores(chosen, found, report, training_shares, prior_of_rows=True).metrics(
            '_prior'
        ),
        'coverage': {key: float(found.mean()) for key in ('value', 'low', 'high')},
    }


def network_latency(model: EmotionModel, calls: int = 2000) -> Figures:
    """
    Time the network with its softmax, on one thread.

    :param model: the model.
    :param calls: how often it is called.
    :returns: median in milliseconds, with the best and the 95th percentile as its bounds.
    """
    values = np.full((1, len(model.metadata.features)), 0.3, np.float32)
    window = constant_windows(values)[0]
    times_ms = []
    for _ in range(calls):
        start = time.perf_counter()
        model.probabilities(window)
        times_ms.append(1000 * (time.perf_counter() - start))
    low, middle, high = np.percentile(times_ms, [0, 50, 95])
    return {
        'network_ms_p50': {
            'value': round(float(middle), 4),
            'low': round(float(low), 4),
            'high': round(float(high), 4),
        }
    }


def track_probabilities(model: EmotionModel, track: Track) -> NDArray[np.float64]:
    """
    Run a model over a sequence.

    :param model: the model.
    :param track: the sequence.
    :returns: at each frame, shape [frames, labels].
    """
    return np.array([model.probabilities(window) for window in buffer_windows(track)])


def decisions(labels: tuple[str, ...], probabilities: NDArray[np.float64]) -> NDArray[np.int64]:
    """
    Decide frame by frame as the emotion node does, without 'unknown'.

    :param labels: of the model.
    :param probabilities: shape [frames, labels].
    :returns: index into the labels, shape [frames].
    """
    decider = Decider(labels, hysteresis=DEFAULT_HYSTERESIS)
    return np.array([labels.index(decider.decide(row).label) for row in probabilities])
