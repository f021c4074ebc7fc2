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

"""The model that ships keeps what its folder states."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from emotion_estimator.blendshapes import NAMES
from emotion_estimator.emotion.emotion_model import EmotionModel
from training.fer_data import LABELS, Split, data_files, read_stills
from training.still_protocols import still_probabilities, still_scores
from training.window_resampling import RATE_HZ, WINDOW_S, constant_windows

FOLDER = Path(__file__).resolve().parents[1] / 'resource' / 'models' / 'basic7'


@pytest.fixture(scope='module')
def model():
    return EmotionModel(FOLDER)


def test_it_states_what_the_training_uses(model):
    metadata = model.metadata
    assert metadata.labels == LABELS
    assert metadata.features == NAMES
    assert (metadata.rate_hz, metadata.window_s) == (RATE_HZ, WINDOW_S)
    assert metadata.licence == 'Apache-2.0'
    assert 'composed' in metadata.data and 'FER2013' in metadata.data


def test_it_is_small(model):
    network = FOLDER / model.metadata.network
    assert network.stat().st_size < 2_000_000


def test_a_broad_smile_is_happy(model):
    face = np.full(52, 0.02, np.float32)
    for name in ('mouthSmile', 'eyeSquint', 'mouthUpperUp'):
        face[[NAMES.index(f'{name}Left'), NAMES.index(f'{name}Right')]] = 0.8
    chances = model.probabilities(constant_windows(face[None])[0])
    assert LABELS[int(chances.argmax())] == 'happy'
    assert chances.sum() == pytest.approx(1)


@pytest.mark.skipif(
    not all(path.is_file() for path in data_files()),
    reason='the assets folder lacks FER2013 and its blendshapes',
)
def test_the_public_figures_are_those_measured(model):
    public = read_stills(Split.PUBLIC)
    found = still_scores(still_probabilities(model, public), public)
    stated = model.metadata.metrics['public']
    for name in ('f7_accuracy_readable', 'p7_accuracy_readable', 'f7_cross_entropy'):
        assert found[name] == pytest.approx(stated[name], abs=0.002)
    assert found['f7_accuracy_readable'] >= 0.54
