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

"""Clips and pictures of the assets folder, as the tests use them."""

import os
from pathlib import Path

import cv2


def media_path(name):
    """Find a file below the assets' media folder; None where there is none."""
    folder = os.environ.get('EMOTION_ESTIMATOR_ASSETS')
    if not folder:
        return None
    return next(iter(Path(folder, 'media').rglob(name)), None)


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
