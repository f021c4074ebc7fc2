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

"""Faces whose mouth or eyes are covered: whether that is noticed, and nothing else."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from dev.bench.finder import new_finder
from dev.bench.held_expression import held_expression
from dev.bench.pictures import Photograph, photographs
from emotion_estimator.emotion.decision import UNKNOWN
from emotion_estimator.emotion.emotion_model import EmotionModel
from emotion_estimator.emotion.trust import Trust
from emotion_estimator.faces.image_decoding import Rgb
from emotion_estimator.files import find_model
from emotion_estimator.stamps import NS_PER_S

WIDTHS_PX = (60, 200)
MOUTH = ((61, 291, 0, 17),)
EYES = ((33, 133, 159, 145), (263, 362, 386, 374))
COLOURS = {'skin': (200, 160, 140), 'black': (20, 20, 20), 'white': (235, 235, 235)}
_AROUND = 0.15  # of the face's width that is covered around the part too
_APART_S = 3


def measure_covered_faces() -> dict[str, float]:
    """
    Paint over mouths or eyes of photographs in three colours, and leave some as they are.

    :returns: shares of faces decided 'unknown', `unknown_<part>_covered` and
        `unknown_uncovered`; and of those decided neither so nor as when uncovered,
        `misled_<part>_covered`.
    """
    finder, model, trust = new_finder(max_faces=1), EmotionModel(find_model('basic7')), Trust()
    stamps = iter(range(NS_PER_S, 10**5 * NS_PER_S, _APART_S * NS_PER_S))

    def decided(picture: Rgb) -> str:
        faces = finder.find(picture, next(stamps)).faces
        return held_expression(faces[0], model, trust=trust).label if faces else UNKNOWN

    told: dict[str, list[tuple[str, str]]] = {'mouth': [], 'eyes': []}
    uncovered = []
    for photograph in (*photographs('neutral'), *photographs('smiling')):
        for width_px in WIDTHS_PX:
            picture = _small(photograph, width_px)
            before = decided(picture)
            uncovered.append(before)
            for name, parts in (('mouth', MOUTH), ('eyes', EYES)):
                for colour in COLOURS.values():
                    covered = cover(picture, photograph.landmarks, parts, colour)
                    told[name].append((before, decided(covered)))
    finder.close()
    figures = {'unknown_uncovered': float(np.mean([label == UNKNOWN for label in uncovered]))}
    for name, pairs in told.items():
        unknown = [after == UNKNOWN for _, after in pairs]
        misled = [after not in (before, UNKNOWN) for before, after in pairs]
        figures[f'unknown_{name}_covered'] = float(np.mean(unknown))
        figures[f'misled_{name}_covered'] = float(np.mean(misled))
    return figures


def cover(
    picture: Rgb,
    landmarks: NDArray[np.float32],
    parts: tuple[tuple[int, ...], ...],
    colour: tuple[int, int, int],
) -> Rgb:
    """
    Paint over parts of a face, and over some skin around them.

    :param picture: the pixels, left as they are.
    :param landmarks: shape [478, 3], see `FaceArrays`.
    :param parts: landmarks round each part.
    :param colour: RGB.
    :returns: the picture.
    """
    size = np.array([picture.shape[1], picture.shape[0]])
    places = landmarks[:, :2] * size
    around = _AROUND * np.ptp(places[:, 0])
    covered = picture.copy()
    for part in parts:
        corners = places[list(part)]
        left, top = np.rint(corners.min(axis=0) - around).astype(int).tolist()
        right, bottom = np.rint(corners.max(axis=0) + around).astype(int).tolist()
        covered[top:bottom, left:right] = colour
    return covered


def _small(photograph: Photograph, width_px: int) -> Rgb:
    box, picture = photograph.box, photograph.picture
    scale = width_px / ((box.x_max - box.x_min) * picture.shape[1])
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8)
