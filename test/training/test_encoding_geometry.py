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

"""The bottleneck finds what tells classes apart, and the runtime computes the same numbers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from emotion_estimator.faces.geometry import LANDMARKS, MESH
from training.datasets.labels import one_hot
from training.encoding.geometry import (
    Bottleneck,
    SeenFaces,
    learn_directions,
    mean_face,
    mirror_order,
    mirrored,
)

SMALL = Bottleneck(
    numbers=2, hidden=8, units=(16,), epochs=30, batch=64, dropout=0.1, learning_rate=3e-3
)


def faces(seed):
    """Make faces: a landmark tells of one vocabulary's two classes, another of another's."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(2, size=(2, 400))
    points = np.zeros((400, 478 * 3), np.float16)
    points[:, :20] = rng.normal(0, 0.1, (400, 20))
    points[:, 7] += labels[0].astype(np.float16)
    points[:, 11] += labels[1].astype(np.float16)
    shapes = np.full((400, 52), 0.3, np.float32)
    return SeenFaces(np.ones(400, bool), shapes, points), labels


@pytest.fixture(scope='module')
def learned():
    seen, labels = faces(0)
    return seen, learn_directions([seen, seen], [one_hot(part) for part in labels], SMALL)


def test_the_numbers_tell_the_classes_apart_on_faces_not_seen_before(learned):
    _, projection = learned
    fresh, truth = faces(1)
    found = projection(fresh.points.astype(np.float32))
    assert found.shape == (400, 2)
    for classes in truth:
        apart = np.abs(found[classes == 0].mean(axis=0) - found[classes == 1].mean(axis=0))
        assert apart.max() > 0.8


def test_the_numbers_have_mean_zero_and_deviation_one_on_what_was_learned_from(learned):
    seen, projection = learned
    found = projection(seen.points.astype(np.float32))
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=1e-2)
    np.testing.assert_allclose(found.std(axis=0), 1, atol=1e-2)


# The template is the faces' mean: frontal, symmetric, and mirrored as a mirror does.


FLIP = np.array([-1, 1, 1])
MIDDLE = 8
"""Landmarks of the made face that lie on its middle line."""


def symmetric_face(seed):
    """Make a face of pairs of landmarks and some on the middle line, in a random order."""
    rng = np.random.default_rng(seed)
    parts = []
    for count, middle in ((MESH, MIDDLE), (LANDMARKS - MESH, 0)):
        half = rng.uniform(0.05, 1, ((count - middle) // 2, 3))
        line = rng.uniform(-1, 1, (middle, 3)) * [0, 1, 1]
        part = np.concatenate([half, half * FLIP, line])
        parts.append(part[rng.permutation(count)])
    face = np.concatenate(parts)
    centred = face - face[:MESH].mean(axis=0)
    return (centred / np.sqrt((centred[:MESH] ** 2).sum(axis=1).mean())).astype(np.float32)


def turned(face, yaws, seed=0, noise=0.0):
    """Turn a face by angles about the vertical axis, in radians."""
    rng = np.random.default_rng(seed)
    rotations = Rotation.from_rotvec(np.outer(yaws, [0, 1, 0])).as_matrix()
    faces = np.matmul(face, rotations) + rng.normal(0, noise, (len(yaws), LANDMARKS, 3))
    return faces.astype(np.float32)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_the_order_undoes_itself(seed):
    order = mirror_order(symmetric_face(seed))
    assert np.array_equal(order[order], np.arange(LANDMARKS))


def test_each_landmark_s_partner_is_where_the_mirror_shows_it():
    face = symmetric_face(1)
    order = mirror_order(face)
    assert face[order] * FLIP == pytest.approx(face, abs=1e-5)
    assert (order == np.arange(LANDMARKS)).sum() == MIDDLE


def test_skin_and_irises_stay_among_themselves():
    order = mirror_order(symmetric_face(2))
    assert order[:MESH].max() < MESH <= order[MESH:].min()


def test_a_face_that_is_not_quite_symmetric_has_the_same_order():
    face = symmetric_face(3)
    distances = np.linalg.norm(face[:, None] - face[None], axis=2)
    nearest = np.min(distances + 9 * np.eye(LANDMARKS))
    noise = np.random.default_rng(3).normal(0, nearest / 10, face.shape)
    order = mirror_order((face + noise).astype(np.float32))
    assert np.array_equal(order, mirror_order(face))


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_mirrored_twice_is_as_it_was(seed):
    rng = np.random.default_rng(seed)
    faces = rng.normal(0, 1, (3, LANDMARKS, 3)).astype(np.float32)
    order = mirror_order(symmetric_face(seed))
    once = mirrored(faces, order)
    assert once.shape == faces.shape
    assert not np.array_equal(once, faces)
    assert np.array_equal(mirrored(once, order), faces)


def test_a_turned_face_is_mirrored_to_one_turned_the_other_way():
    face = symmetric_face(4)
    left, right = turned(face, [0.4, -0.4])
    assert mirrored(left, mirror_order(face)) == pytest.approx(right, abs=1e-5)


def test_the_mean_of_faces_turned_to_both_sides_looks_straight_ahead():
    face = symmetric_face(5)
    found = mean_face(turned(face, [0.5, 0.3, -0.1, -0.3, -0.35]))
    assert found == pytest.approx(face, abs=0.01)


def test_the_mean_face_is_symmetric_and_in_face_units():
    faces = turned(symmetric_face(6), np.linspace(-0.5, 0.7, 12), seed=6, noise=0.002)
    found = mean_face(faces)
    assert found.dtype == np.float32
    assert mirrored(found, mirror_order(found)) == pytest.approx(found, abs=1e-5)
    assert found[:MESH].mean(axis=0) == pytest.approx(np.zeros(3), abs=1e-5)
    assert (found[:MESH] ** 2).sum(axis=1).mean() == pytest.approx(1, abs=1e-4)
