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
import os
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

from emotion_estimator.assets import sha256_of, write_whole
from training.clip_dynamics import logit
from training.fer_data import LABELS, Stills, data_files, read_training_stills
from training.settings import OUT

FrameClassifier = Callable[[NDArray[np.float32]], NDArray[np.float64]]
"""From blendshapes [N, 52] to probabilities [N, 7]."""

SEED = 1


def frame_classifiers() -> dict[str, FrameClassifier]:
    """
    Fit the baselines on the training stills' FER2013 labels, or take what was fitted before.

    :returns: by name: constant, logistic regression, gradient boosting, dense network.
    :raises DataError: when data is missing.
    """
    kept = OUT / 'training' / f'baselines-{_key()}.pickle'
    if kept.is_file():
        estimators = pickle.loads(kept.read_bytes())
    else:
        stills = read_training_stills()
        estimators = {name: make(stills) for name, make in _MAKERS.items()}
        write_whole(kept, pickle.dumps(estimators))
    return {name: estimator.predict_proba for name, estimator in estimators.items()}


class Constant:
    """
    Answers with the training shares, whatever it sees.

    :param stills: the training stills.
    """

    def __init__(self, stills: Stills) -> None:
        self._shares = np.bincount(stills.labels, minlength=len(LABELS)) / len(stills)

    def predict_proba(self, blends: NDArray[np.float32]) -> NDArray[np.float64]:
        """
        Answer.

        :param blends: shape [N, 52].
        :returns: shape [N, 7].
        """
        return np.tile(self._shares, (len(blends), 1))


def _logistic(stills: Stills) -> object:
    model = LogisticRegression(C=0.1, max_iter=500)
    return make_pipeline(FunctionTransformer(logit), StandardScaler(), model).fit(
        stills.blends, stills.labels
    )


def _boosting(stills: Stills) -> object:
    return HistGradientBoostingClassifier(
        learning_rate=0.08, max_iter=200, l2_regularization=1.0, random_state=SEED
    ).fit(stills.blends, stills.labels)


def _dense(stills: Stills) -> object:
    model = MLPClassifier(
        (128, 64), alpha=1e-2, early_stopping=True, n_iter_no_change=8, random_state=SEED
    )
    return make_pipeline(FunctionTransformer(logit), StandardScaler(), model).fit(
        stills.blends, stills.labels
    )


_MAKERS: dict[str, Callable[[Stills], object]] = {
    'constant': Constant,
    'logistic_regression': _logistic,
    'gradient_boosting': _boosting,
    'dense_network': _dense,
}


def _key() -> str:
    parts = [sha256_of(path) for path in (*data_files(), Path(os.path.realpath(__file__)))]
    return hashlib.sha256(''.join(parts).encode()).hexdigest()[:16]
