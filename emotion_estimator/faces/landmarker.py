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

"""Follows faces from frame to frame with the networks, as MediaPipe's Face Landmarker does."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from emotion_estimator.faces.geometry import turned_points
from emotion_estimator.faces.image_decoding import Rgb
from emotion_estimator.faces.networks import FaceNetworks, Region, region_of

# Outermost points of the face oval in MediaPipe's face mesh: forehead, chin, right, left.
_OVAL_POINTS = [10, 152, 234, 454]
_NO_MEDIAPIPE = (
    'engine: mediapipe needs the Python package mediapipe ({}); install it, or take engine: '
    'litert.'
)


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

    def is_of_same_face(self, other: Box) -> bool:
        """
        Tell whether either centre lies in the other box: detectors frame a face differently.

        :param other: of the same image.
        :returns: whether it does.
        """
        return self._holds_centre_of(other) or other._holds_centre_of(self)

    def _holds_centre_of(self, other: Box) -> bool:
        x, y = (other.x_min + other.x_max) / 2, (other.y_min + other.y_max) / 2
        return self.x_min <= x <= self.x_max and self.y_min <= y <= self.y_max


@dataclass(frozen=True)
class LandmarkedFace:
    """
    One face in one image.

    :param box: where it is.
    :param compute_blendshapes: computes `blendshapes`.
    :param landmarks: shape [478, 3], MediaPipe's face mesh: x and y as fractions of the image's
        width and height, z in the scale of x, smaller is nearer.
    """

    box: Box
    compute_blendshapes: Callable[[], NDArray[np.float32]]
    landmarks: NDArray[np.float32]

    @cached_property
    def blendshapes(self) -> NDArray[np.float32]:
        """
        Shape [52] in the order of `blendshapes.NAMES`, each in [0, 1].

        Computed when they are first asked for, by whichever thread asks: following the face into
        the next frame does without.
        """
        return self.compute_blendshapes()


def box_of(landmarks: NDArray[np.float32]) -> Box:
    """
    Frame a face by the outermost points of its oval.

    :param landmarks: shape [478, 3], see `LandmarkedFace`.
    :returns: the box.
    """
    oval = landmarks[_OVAL_POINTS, :2]
    (x_min, y_min), (x_max, y_max) = oval.min(axis=0).tolist(), oval.max(axis=0).tolist()
    return Box(x_min, y_min, x_max, y_max)


LEAST_FACE_PX = 8
"""A narrower face is none: MediaPipe lays its mesh into noise too."""


def large_enough(faces: list[LandmarkedFace], width: int) -> list[LandmarkedFace]:
    """
    Leave out what is too narrow to be a face.

    :param faces: of one image.
    :param width: of the image in pixels.
    :returns: the others.
    """
    return [face for face in faces if (face.box.x_max - face.box.x_min) * width >= LEAST_FACE_PX]


def turned_box(box: Box, rotate: int) -> Box:
    """
    Tell where a box is once its image is turned.

    :param box: the box.
    :param rotate: degrees clockwise: 0, 90, 180 or 270.
    :returns: the box in the turned image.
    """
    corners = np.array([[box.x_min, box.y_min], [box.x_max, box.y_max]], np.float32)
    corners = turned_points(corners, rotate, 1, 1)
    return Box(*corners.min(axis=0).tolist(), *corners.max(axis=0).tolist())


class Landmarker(Protocol):
    """Finds the landmarks of faces in one frame after the other, or in stills."""

    def find(self, image: Rgb, time_ms: int | None = None) -> list[LandmarkedFace]:
        """
        Find the faces of the next frame.

        :param image: the frame.
        :param time_ms: its time in milliseconds, above that of the frame before; None for stills.
        :returns: the faces.
        """

    def close(self) -> None:
        """Release what it holds."""


# ConfigureLandmarksSmoothingCalculator of face_landmarks_detector_graph.cc.
_MIN_CUTOFF_HZ = 0.05
_BETA = 80.0
_DERIVATIVE_CUTOFF_HZ = 1.0


class FaceLandmarker:
    """
    Finds faces and their blendshapes, following them from frame to frame.

    :param networks: may serve several landmarkers, one after the other.
    :param max_faces: most faces to find, at least 1; the landmarks of one alone are smoothed.
    :param min_detection_confidence: of the face detector, in [0, 1].
    :param min_presence_confidence: of the landmarks, in [0, 1].
    :param min_tracking_confidence: overlap above which two faces are one, in [0, 1].
    :param stills: each image is a photograph of its own rather than the next frame of a camera;
        then `find` takes no time.
    :param close_up: each image shows one face in its middle; others may be beside it.
    """

    def __init__(
        self,
        networks: FaceNetworks,
        max_faces: int = 1,
        min_detection_confidence: float = 0.5,
        min_presence_confidence: float = 0.5,
        min_tracking_confidence: float = 0.5,
        stills: bool = False,
        close_up: bool = False,
    ) -> None:
        self._networks = networks
        self._max_faces = max_faces
        self._min_detection_confidence = min_detection_confidence
        self._min_presence_confidence = min_presence_confidence
        self._min_tracking_confidence = min_tracking_confidence
        self._stills = stills
        self._close_up = close_up
        self._regions: list[Region] = []
        self._size = (1, 1)
        self._smoothing = OneEuroFilter()

    def find(self, image: Rgb, time_ms: int | None = None) -> list[LandmarkedFace]:
        """
        Find the faces of the next frame.

        :param image: the frame; its size may differ from that of the one before.
        :param time_ms: its time in milliseconds, above that of the frame before; None for stills.
        :returns: the faces.
        """
        height, width = image.shape[:2]
        regions = [] if self._stills else self._regions
        if (width, height) != self._size:
            across, down = width / self._size[0], height / self._size[1]
            regions = [region.resized(across, down) for region in regions]
            self._size = (width, height)
        if len(regions) < self._max_faces:
            regions = regions + self._networks.detect(
                image, self._min_detection_confidence, self._max_faces, self._close_up
            )
        # Each takes the place of those before it that it overlaps, be it detected or followed: two
        # that are followed may have come to one face (AssociationCalculator).
        apart, candidates, regions = self._min_tracking_confidence, regions, []
        for one in candidates:
            regions = [other for other in regions if one.overlap(other) <= apart] + [one]
        found = []
        for region in regions[: self._max_faces]:
            points, presence = self._networks.landmarks(image, region)
            if presence > self._min_presence_confidence:
                found.append(points)
        # From the landmarks before they are smoothed.
        self._regions = [region_of(points) for points in found]
        if time_ms is not None and self._max_faces == 1:
            found = [self._smoothing(points, time_ms / 1000) for points in found]
            if not found:
                self._smoothing = OneEuroFilter()
        scale = np.array([width, height, width], np.float32)
        return [self._face(points, points / scale) for points in found]

    def _face(self, points: NDArray[np.float32], landmarks: NDArray[np.float32]) -> LandmarkedFace:
        compute = partial(self._networks.blendshapes, points)
        return LandmarkedFace(box_of(landmarks), compute, landmarks)

    def close(self) -> None:
        """Nothing is held but the networks."""


def check_engine(engine: str) -> None:
    """
    Tell whether an engine's package is there, without importing it.

    :param engine: litert or mediapipe.
    :raises ValueError: when it is not installed.
    """
    if engine == 'mediapipe' and find_spec(engine) is None:
        raise ValueError(_NO_MEDIAPIPE.format('it is not installed'))


def new_landmarkers(
    networks: FaceNetworks, path: Path, parameters: Any
) -> Callable[..., Landmarker]:
    """
    Tell how to make landmarkers.

    :param networks: that all of `engine: litert` share.
    :param path: face_landmarker.task, which the networks were read from.
    :param parameters: `engine`, `on_one_core`, `min_detection_confidence`,
        `min_presence_confidence` and `min_tracking_confidence` by name, see
        config/emotion_estimator.yaml.
    :returns: takes `max_faces`, `stills` and `close_up`, see `FaceLandmarker`.
    :raises ValueError: when MediaPipe is asked for and cannot be imported.
    """
    confidences = {
        name: parameters[name]
        for name in (
            'min_detection_confidence',
            'min_presence_confidence',
            'min_tracking_confidence',
        )
    }
    if parameters['engine'] == 'litert':
        return partial(FaceLandmarker, networks, **confidences)
    try:
        # Imported here: a robot may lack it.
        from emotion_estimator.faces.mediapipe_landmarker import MediaPipeLandmarker
    # Of an installation that does not fit, protobuf and others each complain in their own way.
    except Exception as error:
        raise ValueError(_NO_MEDIAPIPE.format(error)) from error
    return partial(MediaPipeLandmarker, path, on_one_core=parameters['on_one_core'], **confidences)


class OneEuroFilter:
    """
    Smooths landmarks, less the faster they move (Casiez, Roussel, Vogel: 1 EUR filter, CHI 2012).

    As MediaPipe's OneEuroFilter and LandmarksSmoothingCalculator: speeds are in sizes of the face
    a second.
    """

    def __init__(self) -> None:
        self._time_s = 0.0
        self._raw: NDArray[np.float32] | None = None
        self._smooth = self._speed = np.zeros(0, np.float32)

    def __call__(self, points: NDArray[np.float32], time_s: float) -> NDArray[np.float32]:
        """
        Smooth the next frame's landmarks.

        :param points: in pixels, shape [N, 3].
        :param time_s: the frame's time in seconds; one that does not go forward smooths nothing.
        :returns: the same shape.
        """
        step_s = time_s - self._time_s
        if self._raw is None:
            self._smooth, self._speed = points, np.zeros_like(points)
        elif step_s <= 0:
            return points
        else:
            size = float(np.ptp(points[:, :2], axis=0).mean())
            speed = (points - self._raw) / np.float32(size * step_s)
            share = _share(np.array(_DERIVATIVE_CUTOFF_HZ), step_s)
            self._speed = self._speed + share * (speed - self._speed)
            share = _share(_MIN_CUTOFF_HZ + _BETA * np.abs(self._speed), step_s)
            self._smooth = self._smooth + share * (points - self._smooth)
        self._time_s, self._raw = time_s, points
        return self._smooth


def _share(cutoff_hz: NDArray[np.floating], step_s: float) -> NDArray[np.float32]:
    """Tell the weight of the newest value in a low-pass filter."""
    turned = np.asarray(cutoff_hz, np.float32) * np.float32(2 * math.pi * step_s)
    return np.asarray(turned / (1 + turned), np.float32)
