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

"""The models that ship: what they state is what they are, and what was measured."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from emotion_estimator.blendshapes import NAMES
from emotion_estimator.emotion.emotion_model import EmotionModel
from emotion_estimator.faces.face_encoding import DEFAULT_VERSION, read_encoding
from training.datasets.labels import LABELS
from training.label_maps import HAPPY_UNKNOWN_SAD
from training.window_resampling import RATE_HZ, WINDOW_S, constant_windows

RESOURCE = Path(__file__).resolve().parents[1] / 'resource'
CLASSES = {
    'basic7': LABELS,
    'basic7_blendshapes': LABELS,
    'happy_unknown_sad': HAPPY_UNKNOWN_SAD.names,
}


@pytest.fixture(params=CLASSES)
def model(request):
    return EmotionModel(RESOURCE / 'models' / request.param)


def test_it_states_what_the_training_uses(model):
    metadata = model.metadata
    assert metadata.labels == CLASSES[metadata.name]
    assert (metadata.rate_hz, metadata.window_s) == (RATE_HZ, WINDOW_S)
    assert metadata.licence == 'Apache-2.0'
    assert 'composed' in metadata.data and 'FER2013' in metadata.data


def test_its_features_are_those_that_faces_are_published_with(model):
    encoding = read_encoding(RESOURCE / 'face_encodings' / f'{DEFAULT_VERSION}.npz')
    published = (*NAMES, *encoding.names)
    alone = model.metadata.name.endswith('_blendshapes')
    assert model.metadata.features == (NAMES if alone else published)
    assert len(encoding.names) <= 31


def test_it_is_small(model):
    network = RESOURCE / 'models' / model.metadata.name / model.metadata.network
    assert network.stat().st_size < 2_000_000


def test_a_broad_smile_is_happy(model):
    face = np.zeros(len(model.metadata.features), np.float32)
    face[: len(NAMES)] = 0.02
    for name in ('mouthSmile', 'eyeSquint', 'mouthUpperUp'):
        face[[NAMES.index(f'{name}Left'), NAMES.index(f'{name}Right')]] = 0.8
    chances = model.probabilities(constant_windows(face[None])[0])
    assert model.metadata.labels[int(chances.argmax())] == 'happy'
    assert chances.sum() == pytest.approx(1)
