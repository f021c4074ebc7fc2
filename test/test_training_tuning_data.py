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

"""A search's windows are composed once for what decides them, validation apart from training."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from emotion_estimator.blendshapes import NAMES
from training import sources
from training.clip_dynamics import Dynamics
from training.clip_series import EVALUATION_CLIPS, TRAINING_CLIPS
from training.datasets.labels import LABELS
from training.fitting import Material
from training.search import tuning_data as module
from training.search.search_data import read_data
from training.search.tuning_data import TuningSizes, tuning_data
from training.sequence_composer import Composition
from training.settings import Settings
from training.stills import Stills
from training.targets import Targets

HELD = Composition(
    constant=1.0,
    mixing=0.0,
    other_views=0.0,
    jitter=0.0,
    speech=0.0,
    noise=0.0,
    blinks_per_s=0.0,
)
SETTINGS = Settings(groups=(), composition=HELD)
SIZES = TuningSizes(training=700, validation=30, steps=3)


def made(value):
    """Make photographs that all look alike, and cannot be read in their second half."""
    count = 2 * len(LABELS)
    readable = np.ones((count, 2), bool)
    readable[len(LABELS) :] = False
    return Stills(
        features=(*NAMES, 'geometry.v1.00'),
        views=np.where(readable[..., None], np.float32(value), 0) * np.ones(53, np.float32),
        readable=readable,
        labels=np.arange(count) % len(LABELS),
        votes=np.tile(10 * np.eye(len(LABELS), dtype=np.float32), (2, 1)),
        other_votes=np.zeros((count, 3), np.float32),
        rows=np.arange(count),
    )


@pytest.fixture
def material(tmp_path, monkeypatch):
    """Material as the training has it, and clips in which nothing moves."""
    monkeypatch.setattr(sources, 'OUT', tmp_path)
    asked = []

    def read_dynamics(clips, encoding, features):
        asked.append(clips)
        shape = (60, len(features))
        return Dynamics(np.zeros(shape), np.zeros(shape), np.zeros((0, 31, len(features))))

    monkeypatch.setattr(module, 'read_dynamics', read_dynamics)
    training = made(0.2)
    found = Material(training.select(training.readable[:, 0]), made(0.8), tmp_path / 'v1.npz')
    yield found
    assert asked in (
        [],
        [TRAINING_CLIPS, EVALUATION_CLIPS],
        2 * [TRAINING_CLIPS, EVALUATION_CLIPS],
    )


def test_there_is_what_was_asked_for(material):
    data = read_data(tuning_data(SETTINGS, material, SIZES))
    assert data.train_windows.shape == (700, 3, 53)
    assert data.validation_windows.shape == (30, 3, 53)
    assert data.classes == len(LABELS)
    # Each in more than one part, and no two parts alike.
    assert not np.array_equal(data.train_targets[:188], data.train_targets[512:])


def test_validation_is_of_publictest_s_readable_photographs(material):
    data = read_data(tuning_data(SETTINGS, material, SIZES))
    for windows, value in ((data.train_windows, 0.2), (data.validation_windows, 0.8)):
        observed = windows[..., -1] == 1
        assert observed.any()
        assert windows[observed][:, :-1] == pytest.approx(value, abs=1e-5)


def test_the_same_is_made_once(material):
    path = tuning_data(SETTINGS, material, SIZES)
    written_ns = path.stat().st_mtime_ns
    assert tuning_data(SETTINGS, material, SIZES) == path
    assert path.stat().st_mtime_ns == written_ns
    assert path.parent == sources.OUT / 'search'


@pytest.mark.parametrize(
    ('settings', 'sizes'),
    [
        (replace(SETTINGS, seed=2), SIZES),
        (replace(SETTINGS, targets=Targets('happy_unknown_sad')), SIZES),
        (SETTINGS, replace(SIZES, steps=4)),
    ],
)
def test_other_choices_give_other_data(material, settings, sizes):
    first, second = (
        tuning_data(s, material, z) for s, z in ((SETTINGS, SIZES), (settings, sizes))
    )
    assert first != second
    assert read_data(first).digest() != read_data(second).digest()


def test_a_model_with_geometry_gets_it(material):
    data = read_data(tuning_data(replace(SETTINGS, groups=('geometry',)), material, SIZES))
    assert data.shape == (3, 54)
