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

"""Protocols F7 and P7: photographs held constant over the window."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from emotion_estimator.emotion.estimation import TemporalBuffer
from emotion_estimator.emotion.model import EmotionModel
from emotion_estimator.evaluation import classification_metrics as metrics
from emotion_estimator.evaluation.bootstrap import bootstrap
from emotion_estimator.stamps import NS_PER_S
from training.datasets.labels import LABELS
from training.stills import Stills
from training.windows import MAX_GAP_S, RATE_HZ, STEPS, WINDOW_S

Figures = dict[str, dict[str, float]]
"""Score by name, each as value, low and high, see `Interval.rounded`."""


def still_probabilities(model: EmotionModel, stills: Stills) -> NDArray[np.float64]:
    """
    Run the runtime's own buffer and model on each readable photograph held constant.

    :param stills: photographs with all features; unreadable ones give no row.
    :returns: shape [readable, labels].
    """
    return np.array([model.probabilities(window) for window in _held(model, stills)])


def label_probabilities(model: EmotionModel, stills: Stills) -> NDArray[np.float64]:
    """
    Run them for the model's auxiliary head, in the vocabulary of FER2013's labels.

    :param model: a model that has one.
    :param stills: photographs with all features; unreadable ones give no row.
    :returns: shape [readable, further labels].
    """
    return np.array([model.further(window) for window in _held(model, stills)])


def _held(model: EmotionModel, stills: Stills) -> Iterator[NDArray[np.float32]]:
    """Fill the runtime's buffer with each readable photograph, held constant."""
    for values in stills.only(model.metadata.features).values[stills.readable[:, 0]]:
        buffer = TemporalBuffer(len(values), WINDOW_S, RATE_HZ, MAX_GAP_S)
        for step in range(STEPS):
            buffer.add(round(step * NS_PER_S / RATE_HZ), values)
        yield buffer.window()


def f7_scores(probabilities: NDArray[np.float64], stills: Stills) -> Figures:
    """
    Score answers against FER2013's labels.

    :param probabilities: in the labels' vocabulary, of the readable photographs, shape
        [readable, 7].
    :param stills: all photographs of the split.
    :returns: by name; 'readable' counts readable photographs only, 'all' counts an unreadable one
        as wrong.
    """
    readable = stills.readable[:, 0]
    truth = stills.labels[readable]
    answers = probabilities.argmax(axis=1)
    right = answers == truth
    everywhere = np.zeros(len(stills), np.bool_)
    everywhere[readable] = right
    classes = len(LABELS)
    found = {
        'f7_accuracy_readable': bootstrap(np.mean, [right]),
        'f7_accuracy_all': bootstrap(np.mean, [everywhere]),
        'f7_macro_f1_readable': bootstrap(
            lambda a, t: metrics.macro_f1(a, t, classes), [answers, truth]
        ),
        'f7_cross_entropy': bootstrap(np.mean, [metrics.log_losses(probabilities, truth)]),
        'f7_ece': bootstrap(metrics.calibration_error, [probabilities, truth]),
        'coverage': bootstrap(np.mean, [readable]),
    }
    for number, name in enumerate(LABELS):
        if (truth == number).any():
            found[f'f7_recall_{name}'] = bootstrap(np.mean, [right[truth == number]])
            found[f'coverage_{name}'] = bootstrap(np.mean, [readable[stills.labels == number]])
    return {name: interval.rounded() for name, interval in found.items()}


def p7_scores(probabilities: NDArray[np.float64], stills: Stills) -> Figures:
    """
    Score answers against the majority of FER+'s votes.

    :param probabilities: of the readable photographs, shape [readable, 7].
    :param stills: all photographs of the split.
    :returns: by name; only photographs with a majority for one of the classes count.
    """
    readable = stills.readable[:, 0]
    majority = stills.majority()
    clear = majority[readable] >= 0
    truth, rated = majority[readable][clear], probabilities[clear]
    right = rated.argmax(axis=1) == truth
    everywhere = np.zeros(len(stills), np.bool_)
    everywhere[np.flatnonzero(readable)[clear]] = right
    shares = stills.vote_shares()[readable][clear]
    found = {
        'p7_accuracy_readable': bootstrap(np.mean, [right]),
        'p7_accuracy_all': bootstrap(np.mean, [everywhere[majority >= 0]]),
        'p7_macro_f1_readable': bootstrap(
            lambda a, t: metrics.macro_f1(a, t, len(LABELS)), [rated.argmax(axis=1), truth]
        ),
        'p7_cross_entropy': bootstrap(np.mean, [metrics.log_losses(rated, truth)]),
        'p7_cross_entropy_to_votes': bootstrap(np.mean, [metrics.log_losses(rated, shares)]),
        'p7_ece': bootstrap(metrics.calibration_error, [rated, truth]),
    }
    for number, name in enumerate(LABELS):
        if (truth == number).any():
            found[f'p7_recall_{name}'] = bootstrap(np.mean, [right[truth == number]])
    return {name: interval.rounded() for name, interval in found.items()}


def sure_scores(
    probabilities: NDArray[np.float64], stills: Stills, min_confidence: float
) -> Figures:
    """
    Score only the answers that reach a probability, against the majority of the votes.

    :param probabilities: of the readable photographs, shape [readable, 7].
    :param stills: all photographs of the split.
    :param min_confidence: that probability.
    :returns: by name.
    """
    majority = stills.majority()[stills.readable[:, 0]]
    clear = majority >= 0
    answered = (probabilities.max(axis=1) >= min_confidence)[clear]
    right = (probabilities.argmax(axis=1) == majority)[clear]
    return {
        'min_confidence': dict.fromkeys(('value', 'low', 'high'), min_confidence),
        'sure_coverage': bootstrap(np.mean, [answered]).rounded(),
        'sure_accuracy': bootstrap(np.mean, [right[answered]]).rounded(),
    }
