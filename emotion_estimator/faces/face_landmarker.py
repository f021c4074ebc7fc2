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

"""MediaPipe Face Landmarker over the frames of one camera."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import mediapipe as mp
import numpy as np
from mediapipe.tasks.python import BaseOptions, vision
from mediapipe.tasks.python.vision.face_landmarker import Blendshapes
from numpy.typing import NDArray

from emotion_estimator import blendshapes
from emotion_estimator.faces.cpu_affinity import new_threads_on_one_core
from emotion_estimator.faces.image_decoding import Rgb
from emotion_estimator.faces.mediapipe_result import (
    detect_through_objects,
    detect_through_structures,
    has_structures,
)

# Outermost points of the face oval in MediaPipe's face mesh: forehead, chin, right, left.
_OVAL_POINTS = [10, 152, 234, 454]


@dataclass(frozen=True)
class Box:
    """
    Where a face is, as fractions of the image's width and height; may reach outside [0, 1].

    :param x_min: left edge.
    :param y_min: upper edge.
    :param x_max: right edge.
    :param y_max: lower edge.
    """

    x_min: float
    y_min: float
    x_max: float
    y_max: float


@dataclass(frozen=True)
class LandmarkedFace:
    """
    One face in one image.

    :param box: where it is.
    :param blendshapes: shape [52] in the order of `blendshapes.NAMES`, each in [0, 1].
    :param landmarks: shape [478, 3], MediaPipe's face mesh, see `FaceArrays`.
    """

    box: Box
    blendshapes: NDArray[np.float32]
    landmarks: NDArray[np.float32]


class FaceLandmarker:
    """
    Finds faces and their blendshapes, following them from frame to frame.

    :param model_path: face_landmarker.task, see `assets.FACE_LANDMARKER`.
    :param max_faces: most faces to find, at least 1.
    :param min_detection_confidence: of the face detector, in [0, 1].
    :param min_presence_confidence: of the landmarks, in [0, 1].
    :param min_tracking_confidence: below it a face is detected anew, in [0, 1].
    :param on_one_core: whether MediaPipe's threads keep together, see `cpu_affinity`.
    :param stills: each image is a photograph of its own (IMAGE mode) rather than the next frame
        of a camera (VIDEO mode); then `find` takes no time.
    :raises ValueError: when the model file cannot be used.
    """

    def __init__(
        self,
        model_path: Path,
        max_faces: int = 1,
        min_detection_confidence: float = 0.5,
        min_presence_confidence: float = 0.5,
        min_tracking_confidence: float = 0.5,
        on_one_core: bool = False,
        stills: bool = False,
    ) -> None:
        options = vision.FaceLandmarkerOptions(
            base_options=BaseOptions(model_asset_path=str(model_path)),
            running_mode=vision.RunningMode.IMAGE if stills else vision.RunningMode.VIDEO,
            num_faces=max_faces,
            min_face_detection_confidence=min_detection_confidence,
            min_face_presence_confidence=min_presence_confidence,
            min_tracking_confidence=min_tracking_confidence,
            output_face_blendshapes=True,
        )
        _check_names()
        try:
            with new_threads_on_one_core() if on_one_core else nullcontext():
                self._landmarker = vision.FaceLandmarker.create_from_options(options)
        except (ValueError, RuntimeError, OSError) as error:
            raise ValueError(f'MediaPipe cannot use {model_path}: {error}') from error
        self._detect = (
            detect_through_structures
            if has_structures(self._landmarker)
            else detect_through_objects
        )

    def find(self, image: Rgb, time_ms: int | None = None) -> list[LandmarkedFace]:
        """
        Find the faces of the next frame.

        :param image: the frame.
        :param time_ms: its time in milliseconds, above that of the frame before; None for stills.
        :returns: the faces, in MediaPipe's order.
        """
        frame = mp.Image(image_format=mp.ImageFormat.SRGB, data=image)
        return [
            LandmarkedFace(box_of(face.landmarks), face.scores, face.landmarks)
            for face in self._detect(self._landmarker, frame, time_ms)
        ]

    def close(self) -> None:
        """Release MediaPipe's graph."""
        self._landmarker.close()


def box_of(landmarks: NDArray[np.float32]) -> Box:
    """
    Frame a face by the outermost points of its oval.

    :param landmarks: shape [478, 3], MediaPipe's face mesh, see `FaceArrays`.
    :returns: the box.
    """
    oval = landmarks[_OVAL_POINTS, :2]
    (x_min, y_min), (x_max, y_max) = oval.min(axis=0).tolist(), oval.max(axis=0).tolist()
    return Box(x_min, y_min, x_max, y_max)


def _check_names() -> None:
    """Compare MediaPipe's own list of blendshapes with this package's."""
    theirs = [shape.name.replace('_', '').lower() for shape in Blendshapes]
    ours = [name.strip('_').lower() for name in blendshapes.NAMES]
    if theirs != ours:
        raise ValueError(
            'This MediaPipe names or orders its blendshapes otherwise than expected '
            f'({sorted(set(theirs) ^ set(ours))}); install the version that README.md names.'
        )
