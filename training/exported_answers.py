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

"""What an exported network answers: the first question, or the second in coarser classes."""

from __future__ import annotations

from dataclasses import dataclass

import keras
import numpy as np
from numpy.typing import NDArray

from emotion_estimator.emotion.emotion_model import softmax
from emotion_estimator.evaluation.metrics import scores
from training.calibration import fit_temperature
from training.datasets.labels import one_hot
from training.export import soften, to_litert
from training.label_maps import LabelMap
from training.settings import Settings
from training.stills import Stills
from training.targets import MAPS
from training.window_resampling import constant_windows


@dataclass(frozen=True)
class ExportedAnswers:
    """
    A network that is ready for the runtime, with what its outputs mean.

    :param network: the LiteRT file's bytes.
    :param labels: see `ModelMetadata`.
    :param further_labels: likewise.
    :param temperature: likewise.
    :param class_shares: shares of the labels in the training, shape [labels].
    :param teachers: whom it learned from, in words.
    """

    network: bytes
    labels: tuple[str, ...]
    further_labels: tuple[str, ...]
    temperature: float
    class_shares: NDArray[np.float32]
    teachers: str


def export_answers(
    network: keras.Model, settings: Settings, training: Stills, public: Stills
) -> ExportedAnswers:
    """
    Choose a network's outputs, fit their temperatures on PublicTest and convert it.

    :param network: the trained network; its weights may be changed.
    :param settings: it was trained with.
    :param training: what it learned from.
    :param public: PublicTest, all photographs, with the network's features.
    :returns: what is exported.
    """
    readable = public.select(public.readable[:, 0])
    logits = network.predict(constant_windows(readable.values), batch_size=1024, verbose=0)
    asked = settings.targets
    first, second = np.split(logits.astype(np.float64), [len(asked.names)], axis=1)
    if settings.summed_in is not None:
        return _summed(network, MAPS[settings.summed_in], second, training, readable)
    truth = asked.judged(readable)
    clear = truth >= 0
    if asked.further_names:
        soften(network, len(asked.names), fit_temperature(second[clear], readable.labels[clear]))
    votes = 'the votes of ten people each, FER+ (MIT)'
    weight = asked.label_weight
    return ExportedAnswers(
        network=to_litert(network),
        labels=asked.names,
        further_labels=asked.further_names,
        temperature=fit_temperature(first[clear], truth[clear]),
        class_shares=asked.shares(training).mean(axis=0),
        teachers=f"FER2013's labels, weight {weight:g}, and {votes}" if weight else votes,
    )


def _summed(
    network: keras.Model,
    label_map: LabelMap,
    second: NDArray[np.float64],
    training: Stills,
    readable: Stills,
) -> ExportedAnswers:
    """Export the second answer, FER2013's label, in coarser classes."""
    sums = np.log(np.maximum(label_map.probabilities(softmax(second)), scores.LEAST_PROBABILITY))
    labels = label_map.labels(readable.labels)
    return ExportedAnswers(
        network=to_litert(network, label_map),
        labels=label_map.names,
        further_labels=(),
        temperature=fit_temperature(sums, labels),
        class_shares=label_map.probabilities(one_hot(training.labels)).mean(axis=0),
        teachers=(
            "FER2013's labels in seven classes, whose probabilities are summed, and beside them "
            'the votes of ten people each, FER+ (MIT)'
        ),
    )
