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

import numpy as np
from numpy.typing import NDArray

from emotion_estimator.emotion.emotion_model import EmotionModel
from emotion_estimator.emotion.temporal_buffer import TemporalBuffer
from emotion_estimator.stamps import NS_PER_S
from training import scores
from training.fer_data import LABELS, Stills, one_hot
from training.window_resampling import MAX_GAP_S, RATE_HZ, STEPS, WINDOW_S


def still_probabilities(model: EmotionModel, stills: Stills) -> NDArray[np.float64]:
    """
    Run the runtime's own buffer and model on each readable photograph held constant.

    :param model: the model.
    :param stills: photographs; unreadable ones give no row.
    :returns: shape [readable, 7].
    """
    rows = []
    for blends in stills.blends[stills.readable[:, 0]]:
        buffer = TemporalBuffer(len(blends), WINDOW_S, RATE_HZ, MAX_GAP_S)
        for step in range(STEPS):
            buffer.add(round(step * NS_PER_S / RATE_HZ), blends)
        rows.append(model.probabilities(buffer.window()))
    return np.array(rows)


def still_scores(probabilities: NDArray[np.float64], stills: Stills) -> dict[str, float]:
    """
    Score the answers for one split's photographs.

    :param probabilities: of the readable photographs, shape [readable, 7].
    :param stills: all photographs of the split.
    :returns: by name; 'readable' counts readable photographs only, 'all' counts an unreadable
        one as wrong; P7 counts photographs on which FER+ has a majority for a class.
    """
    readable = stills.readable[:, 0]
    predicted = np.full(len(stills), -1)
    predicted[readable] = probabilities.argmax(axis=1)
    labels, majority, answers = stills.labels, stills.majority(), predicted[readable]
    judged = majority >= 0
    clear = judged[readable]
    found = {
        'f7_accuracy_readable': float((answers == labels[readable]).mean()),
        'f7_accuracy_all': float((predicted == labels).mean()),
        'f7_macro_f1_readable': scores.macro_f1(answers, labels[readable], len(LABELS)),
        'f7_cross_entropy': scores.cross_entropy(probabilities, one_hot(labels[readable])),
        'f7_ece': scores.calibration_error(probabilities, labels[readable]),
        'p7_accuracy_readable': float((answers == majority[readable])[clear].mean()),
        'p7_accuracy_all': float((predicted == majority)[judged].mean()),
        'p7_cross_entropy_to_votes': scores.cross_entropy(
            probabilities[clear], stills.vote_shares()[readable][clear]
        ),
        'p7_ece': scores.calibration_error(probabilities[clear], majority[readable][clear]),
        'coverage': float(readable.mean()),
    }
    recall = scores.recalls(answers, labels[readable], len(LABELS))
    found.update({f'f7_recall_{name}': float(value) for name, value in zip(LABELS, recall)})
    return {name: round(value, 4) for name, value in found.items()}
