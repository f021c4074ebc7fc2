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

"""People far away and many: which faces are found, and whether their expression still is."""

from __future__ import annotations

import cv2
import numpy as np

from dev.bench.finder import new_finder
from dev.bench.held_expression import held_expression
from dev.bench.pictures import (
    SIZE,
    Photograph,
    landscape,
    photographs,
    read_frames,
    read_picture,
)
from emotion_estimator.assets import find_model
from emotion_estimator.emotion.emotion_model import EmotionModel
from emotion_estimator.faces.face_finder import Face
from emotion_estimator.faces.face_landmarker import Box
from emotion_estimator.faces.image_decoding import Rgb
from emotion_estimator.stamps import NS_PER_S

WIDTHS_PX = (24, 32, 40, 48, 96, 192)
PLACES = 3
LABELS = {'smiling': 'happy', 'neutral': 'neutral'}
_SEED = 1
_MARGIN = 0.6  # of the face's box kept around it in a composite
_MAX_FACES = 10
_APART_S = 3  # pictures follow each other by more than the search remembers


def measure_small_faces() -> dict[str, float]:
    """
    Look at photographs of one face, made small, in a landscape; at a group; at no face.

    :returns: `multi_face_found`, of five; by the faces' width `recall_<px>px`, and the shares of
        smiling and neutral faces that basic7 calls so, `smiling_right_<px>px` and
        `neutral_right_<px>px`, a lost face counting as wrong; `faces_invented` where there is
        none.
    :raises FileNotFoundError: when the assets folder lacks a picture.
    """
    background = landscape()
    finder = new_finder(_MAX_FACES)
    model = EmotionModel(find_model('basic7'))
    stamps = iter(range(NS_PER_S, 10**6 * NS_PER_S, _APART_S * NS_PER_S))

    def look(picture: Rgb) -> tuple[Face, ...]:
        return finder.find(picture, next(stamps)).faces

    found = {'multi_face_found': float(len(look(read_picture('multi_face.jpg'))))}
    invented = len(look(background))
    invented += sum(len(look(picture)) for picture in read_frames('clips/no_face.mp4'))
    for width_px in WIDTHS_PX:
        random = np.random.default_rng([_SEED, width_px])
        seen, shown = 0, 0
        for expression, label in LABELS.items():
            right = []
            for photograph in photographs(expression) * PLACES:
                composite, (x, y) = _composite(background, photograph, width_px, random)
                faces = look(composite)
                here = [face for face in faces if _distance_px(face.box, x, y) < width_px / 2]
                invented += len(faces) - len(here)
                seen += bool(here)
                right.append(
                    bool(here) and held_expression(here[0], model, min_confidence=0).label == label
                )
            found[f'{expression}_right_{width_px}px'] = sum(right) / len(right)
            shown += len(right)
        found[f'recall_{width_px}px'] = seen / shown
    finder.close()
    return {**found, 'faces_invented': float(invented)}


def _composite(
    background: Rgb, photograph: Photograph, width_px: int, random: np.random.Generator
) -> tuple[Rgb, tuple[float, float]]:
    """Put a face of some width at a random place; the picture and the face's centre there."""
    picture, box = photograph.picture, photograph.box
    height, width = picture.shape[:2]
    x_min, x_max = box.x_min * width, box.x_max * width
    y_min, y_max = box.y_min * height, box.y_max * height
    margin = _MARGIN * (x_max - x_min)
    left, top = (max(round(value - margin), 0) for value in (x_min, y_min))
    cut = picture[top : round(y_max + margin), left : round(x_max + margin)]
    scale = width_px / (x_max - x_min)
    small = cv2.resize(cut, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    x = int(random.integers(0, SIZE[0] - small.shape[1]))
    y = int(random.integers(0, SIZE[1] - small.shape[0]))
    composite = background.copy()
    composite[y : y + small.shape[0], x : x + small.shape[1]] = small
    centre = (x_min + x_max) / 2 - left, (y_min + y_max) / 2 - top
    return composite, (x + centre[0] * scale, y + centre[1] * scale)


def _distance_px(box: Box, x: float, y: float) -> float:
    centre_x, centre_y = (box.x_min + box.x_max) / 2, (box.y_min + box.y_max) / 2
    return float(np.hypot(centre_x * SIZE[0] - x, centre_y * SIZE[1] - y))
