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

"""What the LSTM has to beat: classifiers of single frames, always printed beside it."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from emotion_estimator.files import write_whole
from training.code_digest import code_of
from training.feature_scale import additive
from training.sources import OUT

Frames = NDArray[np.float32]
FrameClassifier = Callable[[Frames], NDArray[np.float64]]
"""From features [N, F] to probabilities [N, classes]."""

SEED = 1


def frame_classifiers(values: Frames, labels: NDArray[np.int64]) -> dict[str, FrameClassifier]:
    """
    Fit the baselines, or take what was fitted before.

    :param values: features of the training photographs, shape [N, F], the blendshapes first.
    :param labels: shape [N], every class from 0 on occurs.
    :returns: by name: constant, logistic regression, gradient boosting, dense network.
    """
    key = hashlib.sha256(values.tobytes() + labels.tobytes() + code_of(Path(__file__)))
    kept = OUT / 'training' / f'baselines-{key.hexdigest()[:16]}.pickle'
    if kept.is_file():
        estimators = pickle.loads(kept.read_bytes())
    else:
        estimators = {name: make(values, labels) for name, make in _MAKERS.items()}
        write_whole(kept, pickle.dumps(estimators))
    return {name: estimator.predict_proba for name, estimator in estimators.items()}


class Constant:
    """
    Answers with the training shares, whatever it sees.

    :param values: not looked at.
    :param labels: the training labels.
    """

    def __init__(self, values: Frames, labels: NDArray[np.int64]) -> None:
        self._shares = np.bincount(labels) / len(labels)

    def predict_proba(self, values: Frames) -> NDArray[np.float64]:
        """
        Answer.

        :param values: shape [N, F].
        :returns: shape [N, classes].
        """
        return np.tile(self._shares, (len(values), 1))


def _logistic(values: Frames, labels: NDArray[np.int64]) -> object:
    model = LogisticRegression(C=0.1, max_iter=500)
    return make_pipeline(FunctionTransformer(additive), StandardScaler(), model).fit(
        values, labels
    )


def _boosting(values: Frames, labels: NDArray[np.int64]) -> object:
    return HistGradientBoostingClassifier(
        learning_rate=0.1, max_iter=120, l2_regularization=1.0, random_state=SEED
    ).fit(values, labels)


def _dense(values: Frames, labels: NDArray[np.int64]) -> object:
    model = MLPClassifier(
        (128, 64), alpha=1e-2, early_stopping=True, n_iter_no_change=8, random_state=SEED
    )
    return make_pipeline(FunctionTransformer(additive), StandardScaler(), model).fit(
        values, labels
    )


_MAKERS: dict[str, Callable[[Frames, NDArray[np.int64]], object]] = {
    'constant': Constant,
    'logistic_regression': _logistic,
    'gradient_boosting': _boosting,
    'dense_network': _dense,
}
