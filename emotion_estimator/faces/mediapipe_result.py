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

"""
MediaPipe Face Landmarker's answer as arrays.

MediaPipe's own Python makes an object of each of the 478 landmarks of each face, under the
interpreter's lock: 1.4 ms a frame during which no other thread of the process runs. Its C
structures hold the same numbers side by side. They are read in place where this MediaPipe has
them; otherwise its public result is read.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Any

import mediapipe as mp
import numpy as np
from mediapipe.tasks.python import vision
from mediapipe.tasks.python.vision import face_landmarker as module
from numpy.typing import NDArray


@dataclass(frozen=True)
class FaceArrays:
    """
    One face of one image.

    :param landmarks: shape [478, 3]: x and y as fractions of the image's width and height, z in
        the scale of x, smaller is nearer.
    :param scores: shape [52], the blendshapes in MediaPipe's order, each in [0, 1].
    """

    landmarks: NDArray[np.float32]
    scores: NDArray[np.float32]


def has_structures(landmarker: vision.FaceLandmarker) -> bool:
    """
    Tell whether this MediaPipe has the C structures that `detect_through_structures` reads.

    :param landmarker: the landmarker.
    :returns: whether it has.
    """
    library = getattr(landmarker, '_lib', None)
    return (
        hasattr(module, 'MpFaceLandmarkerResultC')
        and hasattr(landmarker, '_handle')
        and hasattr(library, 'MpFaceLandmarkerDetectForVideo')
        and hasattr(library, 'MpFaceLandmarkerDetectImage')
        and hasattr(library, 'MpFaceLandmarkerCloseResult')
    )


def detect_through_structures(
    landmarker: vision.FaceLandmarker, image: mp.Image, time_ms: int | None
) -> list[FaceArrays]:
    """
    Find the faces of the next frame, or of a still, without an object for each landmark.

    :param landmarker: see `has_structures`.
    :param image: the frame.
    :param time_ms: in VIDEO mode its time in milliseconds, above that of the frame before; None
        in IMAGE mode.
    :returns: the faces.
    """
    result = module.MpFaceLandmarkerResultC()
    library, handle, pixels = landmarker._lib, landmarker._handle, image._image_ptr
    if time_ms is None:
        library.MpFaceLandmarkerDetectImage(handle, pixels, None, ctypes.byref(result))
    else:
        library.MpFaceLandmarkerDetectForVideo(handle, pixels, None, time_ms, ctypes.byref(result))
    try:
        return [
            FaceArrays(
                landmarks=_columns(
                    result.face_landmarks[i].landmarks,
                    result.face_landmarks[i].landmarks_count,
                    ('x', 'y', 'z'),
                ),
                scores=_columns(
                    result.face_blendshapes[i].categories,
                    result.face_blendshapes[i].categories_count,
                    ('score',),
                )[:, 0],
            )
            for i in range(result.face_landmarks_count)
        ]
    finally:
        landmarker._lib.MpFaceLandmarkerCloseResult(ctypes.byref(result))


def detect_through_objects(
    landmarker: vision.FaceLandmarker, image: mp.Image, time_ms: int | None
) -> list[FaceArrays]:
    """
    Find the faces of the next frame, or of a still, through MediaPipe's public result.

    :param landmarker: in VIDEO or IMAGE mode.
    :param image: the frame.
    :param time_ms: see `detect_through_structures`.
    :returns: the faces.
    """
    result = (
        landmarker.detect(image)
        if time_ms is None
        else landmarker.detect_for_video(image, time_ms)
    )
    return [
        FaceArrays(
            landmarks=np.array([(point.x, point.y, point.z) for point in points], np.float32),
            scores=np.array([shape.score for shape in shapes], np.float32),
        )
        for points, shapes in zip(result.face_landmarks, result.face_blendshapes)
    ]


def _columns(first: Any, count: int, names: tuple[str, ...]) -> NDArray[np.float32]:
    """Copy some float fields out of an array of C structures; shape [count, names]."""
    structure = type(first.contents)
    words = ctypes.sizeof(structure) // ctypes.sizeof(ctypes.c_float)
    address = ctypes.addressof(first.contents)
    floats = (ctypes.c_float * (words * count)).from_address(address)
    table: NDArray[np.float32] = np.ctypeslib.as_array(floats).reshape(count, words)
    offsets = [getattr(structure, name).offset // ctypes.sizeof(ctypes.c_float) for name in names]
    return table[:, offsets]
