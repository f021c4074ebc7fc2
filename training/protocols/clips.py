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

"""Protocol C: real clips without labels: how steady the answers are, not how right."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from emotion_estimator.emotion.estimation import EmotionEstimation
from emotion_estimator.emotion.model import EmotionModel
from emotion_estimator.evaluation.bootstrap import bootstrap
from emotion_estimator.stamps import NS_PER_S
from training.protocols.stills import Figures

LOWER_RATES_HZ = (15.0, 10.0)
Series = tuple[NDArray[np.float32], float]
"""Features of consecutive frames, shape [frames, F], and frames per second."""


def clip_scores(
    model: EmotionModel,
    faces: list[Series],
    names: tuple[str, ...],
    min_confidence: float,
    hysteresis: float,
) -> Figures:
    """
    Let the runtime's own estimation follow real faces at their frame rate and at lower ones.

    :param model: the model.
    :param faces: one series a face.
    :param names: of the features.
    :param min_confidence: of the decision, see `Decider`.
    :param hysteresis: of the decision, see `Decider`.
    :returns: changes of the answer a second, 'unknown' being one; and the share of the frames at
        which a camera of 15 or 10 frames a second gets the same answer. Intervals resample faces.
    """
    changes, seconds = [], []
    same: dict[float, list[tuple[int, int]]] = {rate: [] for rate in LOWER_RATES_HZ}
    for values, rate_hz in faces:

        def answers(
            frames: NDArray[np.int64],
            values: NDArray[np.float32] = values,
            rate_hz: float = rate_hz,
        ) -> list[str]:
            estimation = EmotionEstimation(model, min_confidence, hysteresis)
            found = []
            for frame in frames.tolist():
                stamp_ns = round((frame + 1) * NS_PER_S / rate_hz)
                features = dict(zip(names, values[frame].tolist()))
                estimate = estimation.estimate('f', stamp_ns, features)
                found.append(estimate.label if estimate else '')
            return found

        every = answers(np.arange(len(values)))
        changes.append(sum(a != b for a, b in pairwise(every)))
        seconds.append(len(values) / rate_hz)
        for rate in LOWER_RATES_HZ:
            frames = np.unique(np.rint(np.arange(0, len(values), rate_hz / rate)).astype(int))
            frames = frames[frames < len(values)]
            alike = sum(every[f] == a for f, a in zip(frames.tolist(), answers(frames)))
            same[rate].append((alike, len(frames)))
    found = {'c_switches_per_s': bootstrap(_ratio, [np.array(changes), np.array(seconds)])}
    for rate, counts in same.items():
        alike, all_frames = np.array(counts).T
        found[f'c_agreement_{rate:g}_fps'] = bootstrap(_ratio, [alike, all_frames])
    return {name: interval.rounded() for name, interval in found.items()}


def _ratio(part: NDArray[np.floating], whole: NDArray[np.floating]) -> float:
    return float(part.sum() / whole.sum())
