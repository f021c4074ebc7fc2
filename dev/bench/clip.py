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

"""The frames that every measurement uses, and the bare MediaPipe loop over them."""

from __future__ import annotations

import time

import cv2
import mediapipe as mp
import numpy as np
from mediapipe.tasks.python import BaseOptions, vision
from numpy.typing import NDArray

from emotion_estimator.assets import FACE_LANDMARKER, find_asset, find_media

CLIP = 'single_face.mp4'  # shows a face in every frame
SIZE = (640, 480)

Rgb = NDArray[np.uint8]


def rgb_frames() -> list[Rgb]:
    """
    Read the clip, resized to 640 x 480.

    :returns: its frames in RGB, forward and then backward, so that they repeat without a jump.
    :raises AssetError: when the clip cannot be had.
    """
    capture = cv2.VideoCapture(str(find_media(CLIP)))
    frames: list[Rgb] = []
    while True:
        read, bgr = capture.read()
        if not read:
            return frames + frames[::-1]
        small = cv2.resize(bgr, SIZE, interpolation=cv2.INTER_AREA)
        frames.append(np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2RGB), np.uint8))


class BareMediaPipe:
    """MediaPipe Face Landmarker in VIDEO mode and nothing else: what the nodes are held to."""

    def __init__(self) -> None:
        self._landmarker = vision.FaceLandmarker.create_from_options(
            vision.FaceLandmarkerOptions(
                base_options=BaseOptions(model_asset_path=str(find_asset(FACE_LANDMARKER))),
                running_mode=vision.RunningMode.VIDEO,
                output_face_blendshapes=True,
            )
        )
        self._time_ms = 0

    def look_at(self, frame: Rgb) -> float:
        """
        Look at one frame.

        :param frame: RGB pixels.
        :returns: the time that it took, in seconds.
        """
        self._time_ms += 33
        start_s = time.perf_counter()
        image = mp.Image(image_format=mp.ImageFormat.SRGB, data=frame)
        self._landmarker.detect_for_video(image, self._time_ms)
        return time.perf_counter() - start_s

    def close(self) -> None:
        """Release it."""
        self._landmarker.close()
