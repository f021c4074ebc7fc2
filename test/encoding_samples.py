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

"""Faces and a small encoding of them, for tests of what the encoding is made of."""

from functools import lru_cache

import numpy as np

from emotion_estimator.assets import FACE_LANDMARKER, find_asset
from emotion_estimator.faces.face_encoding import DEFAULT_VERSION, NETWORK, SCHEMA
from emotion_estimator.faces.face_geometry import LANDMARKS, in_face_units
from emotion_estimator.faces.face_landmarker import FaceLandmarker
from emotion_estimator.files import find_encoding

HIDDEN = 6


def random_face(seed=0):
    """Draw points in face units that no rotation but one lays on each other."""
    points = np.random.default_rng(seed).normal(size=(LANDMARKS, 3)) * [1.0, 1.2, 0.6]
    return in_face_units(points.astype(np.float32), 1, 1)[0]


@lru_cache
def faces_in(pixels, shape):
    """Find the landmarks of up to two faces of a still, from left to right."""
    landmarker = FaceLandmarker(find_asset(FACE_LANDMARKER), max_faces=2, stills=True)
    image = np.frombuffer(pixels, np.uint8).reshape(shape)
    found = [face.landmarks for face in landmarker.find(image)]
    landmarker.close()
    return sorted(found, key=lambda landmarks: landmarks[:, 0].mean())


def mirrored(image):
    """Mirror an image left to right."""
    return np.ascontiguousarray(image[:, ::-1])


def landmarks_of(image):
    """Find the landmarks of a still's only face."""
    (landmarks,) = faces_in(image.tobytes(), image.shape)
    return landmarks


def points_of(image):
    """Find the face of a still in face units."""
    height, width = image.shape[:2]
    return in_face_units(landmarks_of(image), width, height)[0]


def upright_template(image):
    """Make a template that looks straight ahead: a face's mean with its mirror image's."""
    together = points_of(image) + points_of(mirrored(image))
    return in_face_units(together, 1, 1)[0]


@lru_cache
def shipped_network():
    """Read the LiteRT file of the encoding that ships; making one takes TensorFlow."""
    with np.load(find_encoding(DEFAULT_VERSION)) as file:
        return file[NETWORK]


def encoding_parts(template, geometry=4):
    """Make what an encoding's file holds: a template, random weights, the network that ships."""
    rng = np.random.default_rng(1)
    mean = template.ravel()
    return {
        'schema': SCHEMA,
        'template': template,
        NETWORK: shipped_network(),
        'geometry_mean': mean,
        'geometry_hidden': rng.normal(0, 0.05, (len(mean), HIDDEN)).astype(np.float32),
        'geometry_bias': rng.normal(0, 0.1, HIDDEN).astype(np.float32),
        'geometry_directions': rng.normal(0, 1, (HIDDEN, geometry)).astype(np.float32),
        'geometry_offset': rng.normal(0, 1, geometry).astype(np.float32),
    }


def write_encoding(path, face=None, **changed):
    """Write an encoding's file with a face as template; what is changed to None is left out."""
    parts = {**encoding_parts(random_face() if face is None else face), **changed}
    np.savez(path, **{name: part for name, part in parts.items() if part is not None})
    return path
