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

"""How much each blendshape tells of the expression shown."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_selection import mutual_info_classif

from training.datasets.labels import LABELS
from training.report.relevance import Relevance, images_above

SEED = 0


def information(
    blendshapes: NDArray[np.float32], labels: NDArray[np.int64], seed: int = SEED
) -> NDArray[np.float64]:
    """
    Estimate the mutual information of each blendshape with the label.

    It does not depend on a blendshape's scale, which the report's threshold does. The estimate
    is that of Ross (2014), doi:10.1371/journal.pone.0087357, over three nearest neighbours. With
    shuffled labels, which tell nothing, FER2013's 25,710 readable photographs gave up to 0.003.

    :param blendshapes: of readable photographs, in [0, 1], shape [N, 52].
    :param labels: any classes, shape [N].
    :param seed: of the small noise that parts equal values.
    :returns: in nats, at least 0, shape [52].
    """
    found = mutual_info_classif(blendshapes, labels, random_state=seed)
    return np.asarray(found, np.float64)


def measure_relevance(
    blendshapes: NDArray[np.float32], labels: NDArray[np.int64], seed: int = SEED
) -> Relevance:
    """
    Put the report's rule beside the mutual information; 25,000 photographs take 12 s.

    :param blendshapes: of readable training photographs, in [0, 1], shape [N, 52].
    :param labels: indices into `LABELS`, shape [N], all labelled.
    :param seed: of the estimate.
    :returns: what is known of each blendshape.
    """
    sad = (labels == LABELS.index('sad')).astype(np.int64)
    return Relevance(
        images=images_above(blendshapes),
        about_label=information(blendshapes, labels, seed),
        about_sad=information(blendshapes, sad, seed),
    )
