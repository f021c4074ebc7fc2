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

"""Geometry of images, of the camera that took them, and of the face that they show."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

MAX_SIDE = 32_766
"""Longest side of an image in pixels: MediaPipe's OpenCV ends the process at one more."""
MAX_PIXELS = 64_000_000
"""Most pixels of an image: more than cameras have, and some 200 MB once it is decoded."""
WHOLE = (0, 0, 0, 0, 1, 1)
_FOCAL_WIDTHS = (0.1, 100.0)
"""Focal lengths that a calibration can state, as multiples of the image's width."""
_MOST_REPORTED = 100  # faults that are remembered, so that each is reported once


class ImageError(ValueError):
    """An image that cannot be decoded; the message says which field is wrong and what to do."""


def check_size(width: int, height: int) -> None:
    """
    Refuse an image that is empty, or so large that a native library would fail at it.

    :param width: in pixels.
    :param height: in pixels.
    :raises ImageError: when it is; see `MAX_SIDE` and `MAX_PIXELS`.
    """
    size = f'The image is {width} x {height} pixels'
    if width <= 0 or height <= 0:
        raise ImageError(f'{size}: it is empty; check the camera driver.')
    if max(width, height) > MAX_SIDE or width * height > MAX_PIXELS:
        raise ImageError(
            f'{size}; at most {MAX_SIDE} a side and {MAX_PIXELS // 10**6} million in all are '
            'looked at: scale it down, or check the camera driver.'
        )


# How the camera hangs: what is looked at is turned upright, what is found is turned back.


def turned(image: NDArray[np.uint8], rotate: int) -> NDArray[np.uint8]:
    """
    Turn an image.

    :param image: the pixels, shape [height, width, 3].
    :param rotate: degrees clockwise: 0, 90, 180 or 270.
    :returns: the turned image; the same one for 0.
    """
    if not rotate:
        return image
    import cv2  # here, since who reads features alone does without OpenCV

    turns = (cv2.ROTATE_90_CLOCKWISE, cv2.ROTATE_180, cv2.ROTATE_90_COUNTERCLOCKWISE)
    return np.asarray(cv2.rotate(image, turns[rotate // 90 - 1]), np.uint8)


def turned_points(
    points: NDArray[np.float32], rotate: int, width: int, height: int
) -> NDArray[np.float32]:
    """
    Tell where points of an image are once it is turned.

    :param points: x and y as fractions of the width and height, and z in the scale of x where
        there is one, shape [N, 2] or [N, 3].
    :param rotate: degrees clockwise: 0, 90, 180 or 270.
    :param width: of the image before it is turned, in pixels.
    :param height: its height in pixels.
    :returns: the same for the turned image; the same array for 0.
    """
    if not rotate:
        return points
    x, y, *depth = points.T
    if rotate in (90, 270):
        depth = [z * np.float32(width / height) for z in depth]
    x, y = {90: (1 - y, x), 180: (1 - x, 1 - y), 270: (y, 1 - x)}[rotate]
    return np.stack([x, y, *depth], axis=1)


class IntrinsicsError(ValueError):
    """Intrinsics that no camera has; the message says which value is wrong."""


@dataclass(frozen=True)
class PinholeCamera:
    """
    A camera without distortion; axes of its optical frame are x right, y down, z away (REP-103).

    :param focal_x: in pixels.
    :param focal_y: vertical focal length in pixels.
    :param middle_x: column of the optical axis in pixels.
    :param middle_y: its row.
    :param width: of the image in pixels.
    :param height: its height in pixels.
    """

    focal_x: float
    focal_y: float
    middle_x: float
    middle_y: float
    width: int
    height: int

    def __post_init__(self) -> None:
        """Refuse what no camera has."""
        values = (self.focal_x, self.focal_y, self.middle_x, self.middle_y)
        if not all(map(math.isfinite, values)) or min(self.focal_x, self.focal_y) <= 0:
            raise IntrinsicsError(
                f'focal lengths ({self.focal_x:g}, {self.focal_y:g}) must be above 0 and the '
                f'middle ({self.middle_x:g}, {self.middle_y:g}) finite, in pixels.'
            )
        if self.width <= 0 or self.height <= 0:
            raise IntrinsicsError(
                f'the image is {self.width} x {self.height} pixels: it is empty.'
            )

    @staticmethod
    def of_view(width: int, height: int, horizontal_rad: float) -> PinholeCamera:
        """
        Make a camera of which no more is known than how much it sees.

        :param horizontal_rad: angle between the left and the right edge.
        :returns: the camera, with square pixels and its axis in the middle.
        """
        focal = width / 2 / math.tan(horizontal_rad / 2)
        return PinholeCamera(focal, focal, width / 2, height / 2, width, height)

    @staticmethod
    def of_matrix(k: ArrayLike, width: int, height: int) -> PinholeCamera:
        """
        Make a camera from its calibration; distortion is left out.

        :param k: the matrix of the intrinsics, 9 values row by row, in pixels.
        :param width: of the image that it is for, in pixels.
        :param height: its height in pixels.
        :returns: the camera.
        :raises IntrinsicsError: when no camera can have it.
        """
        matrix = np.asarray(k, np.float64).ravel()
        if matrix.size != 9:
            raise IntrinsicsError(f'k holds {matrix.size} values, not 9.')
        focal_x, _, middle_x, _, focal_y, middle_y, *_ = matrix.tolist()
        camera = PinholeCamera(focal_x, focal_y, middle_x, middle_y, int(width), int(height))
        least, greatest = (share * camera.width for share in _FOCAL_WIDTHS)
        if not least <= min(focal_x, focal_y) <= max(focal_x, focal_y) <= greatest:
            raise IntrinsicsError(
                f'focal lengths ({focal_x:g}, {focal_y:g}) must lie between {least:g} and '
                f'{greatest:g} pixels, a tenth and a hundred times the width.'
            )
        if not (0 <= middle_x <= camera.width and 0 <= middle_y <= camera.height):
            raise IntrinsicsError(
                f'the middle ({middle_x:g}, {middle_y:g}) must lie inside the image of '
                f'{camera.width} x {camera.height} pixels.'
            )
        return camera

    def resized(self, width: int, height: int) -> PinholeCamera:
        """
        Tell what the camera is for an image of another resolution.

        :returns: the camera.
        :raises IntrinsicsError: when the image has another shape: it is cut, nobody knows where.
        """
        if (width, height) == (self.width, self.height):
            return self
        # Half a pixel more or less on the shorter side is rounding.
        if abs(width * self.height - height * self.width) > max(width, height, self.width) / 2:
            raise IntrinsicsError(
                f'the calibration is for {self.width} x {self.height} pixels, but the image has '
                f'{width} x {height}, another shape.'
            )
        x, y = width / self.width, height / self.height
        return PinholeCamera(
            self.focal_x * x, self.focal_y * y, self.middle_x * x, self.middle_y * y, width, height
        )

    def part(
        self, x: int, y: int, width: int, height: int, across: int, down: int
    ) -> PinholeCamera:
        """
        Tell what the camera is where it sends a part of its image, or joins pixels.

        :param x: first column of the part; the axis may lie outside it.
        :param y: its first row.
        :param width: of the part; 0 is that of the whole.
        :param height: its height; 0 is that of the whole.
        :param across: columns that are joined to one, at least 1.
        :param down: rows that are joined to one, at least 1.
        :raises IntrinsicsError: when nothing is left, or the part lies outside the image.
        """
        width, height = width or self.width, height or self.height
        if x + width > self.width or y + height > self.height:
            raise IntrinsicsError(
                f'roi, {width} x {height} pixels at ({x}, {y}), lies outside the image of '
                f'{self.width} x {self.height} pixels.'
            )
        focal, middle = (self.focal_x / across, self.focal_y / down), (self.middle_x - x) / across
        size = width // across, height // down
        return PinholeCamera(*focal, middle, (self.middle_y - y) / down, *size)

    def ray(self, x: float, y: float) -> NDArray[np.float64]:
        """
        Tell where a pixel looks.

        :param x: column in pixels.
        :param y: row in pixels.
        :returns: a point of the line of sight, at z = 1, shape [3].
        """
        return np.array(
            [(x - self.middle_x) / self.focal_x, (y - self.middle_y) / self.focal_y, 1.0]
        )

    def pixels(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """
        Project points.

        :param points: in the optical frame, z above 0, shape [N, 3].
        :returns: column and row in pixels, shape [N, 2].
        """
        focal = np.array([self.focal_x, self.focal_y])
        middle = np.array([self.middle_x, self.middle_y])
        projected: NDArray[np.float64] = points[:, :2] / points[:, 2:] * focal + middle
        return projected


# What the camera is, as far as it says so itself.


class KnownCamera:
    """
    A camera that calibrations may tell of; until then its angle of view has to do.

    :param field_of_view_rad: horizontal angle of view where nothing better is known.
    :param refuse: counts a calibration that cannot be used; called once for each kind of fault.
    """

    def __init__(self, field_of_view_rad: float, refuse: Callable[[str], None]) -> None:
        self._field_of_view_rad = field_of_view_rad
        self._refuse = refuse
        self._reported: set[str] = set()
        self._calibrated: PinholeCamera | None = None
        self._stated: tuple[object, ...] | None = None
        self._stated_well = False
        # What was last reported, and the calibration that it was made from.
        self._camera: tuple[PinholeCamera | None, PinholeCamera] | None = None

    def calibrate(
        self, k: ArrayLike, width: int, height: int, part: tuple[int, ...] = WHOLE
    ) -> bool:
        """
        Take a calibration, as CameraInfo states it; it replaces those before it.

        :param k: the matrix of the intrinsics, 9 values row by row, in pixels.
        :param width: of the image that it is for, in pixels.
        :param height: its height in pixels.
        :param part: what is sent of that image, as `PinholeCamera.part` takes it.
        :returns: whether it can be used.
        """
        stated = (tuple(np.asarray(k, np.float64).ravel().tolist()), width, height, part)
        if stated == self._stated:  # thirty times a second it is the same
            return self._stated_well
        self._stated, self._stated_well = stated, False
        try:
            self._calibrated = PinholeCamera.of_matrix(k, width, height).part(*part)
        except IntrinsicsError as error:
            self._tell(f'k, p, width, height or roi is wrong: {error}', bool(self._calibrated))
            return False
        self._stated_well = True
        return True

    def camera(self, width: int, height: int) -> PinholeCamera:
        """
        Tell what the camera is.

        :returns: the camera for an image of this size.
        """
        calibrated = self._calibrated
        if self._camera is not None and self._camera[0] is calibrated:
            camera = self._camera[1]
            if (camera.width, camera.height) == (width, height):
                return camera
        camera = PinholeCamera.of_view(width, height, self._field_of_view_rad)
        if calibrated is not None:
            try:
                camera = calibrated.resized(width, height)
            except IntrinsicsError as error:
                self._tell(str(error))
        self._camera = (calibrated, camera)
        return camera

    def _tell(self, fault: str, keeps: bool = False) -> None:
        if fault not in self._reported and len(self._reported) < _MOST_REPORTED:
            self._reported.add(fault)
            degrees = math.degrees(self._field_of_view_rad)
            assumed = f'A field of view of {degrees:g} degrees is assumed.'
            counts = 'The calibration before it stays.' if keeps else assumed
            self._refuse(f'camera_info: {fault} {counts}')


# Landmarks in the face's own frame, laid on a template; the rotation is the head's pose.
#
# The similarity transform is that of least squares: W. Kabsch, Acta Crystallographica A32 (1976),
# 922; S. Umeyama, IEEE PAMI 13 (1991), 376.


LANDMARKS = 478
MESH = 468
"""Landmarks of the skin; those behind are the irises, which gaze moves."""

POSE_NAMES: tuple[str, ...] = ('head.roll', 'head.pitch', 'head.yaw')
"""Names of what `head_angles` returns."""

# Rows: forward, left and up of the head (REP-103) in the image's axes right, down and away.
_HEAD_AXES = np.array([[0, 0, -1], [1, 0, 0], [0, -1, 0]], np.float64)


def in_face_units(
    landmarks: NDArray[np.float32], width: int, height: float
) -> tuple[NDArray[np.float32], tuple[float, float, float]]:
    """
    Free landmarks from the image: equal scale of all axes, centred, mean square distance 1.

    :param landmarks: shape [478, 3], see `LandmarkedFace`.
    :param width: of the image in pixels.
    :param height: its height in pixels.
    :returns: points of shape [478, 3] in image axes (x right, y down, z away); and x and y of the
        face's middle and the length of a face unit, in pixels of the image.
    """
    pixels = landmarks * np.array([width, height, width], np.float32)
    middle = pixels[:MESH].mean(axis=0)
    centred = pixels - middle
    unit_px = np.sqrt((centred[:MESH] ** 2).sum(axis=1).mean())
    return centred / unit_px, (float(middle[0]), float(middle[1]), float(unit_px))


def align(
    points: NDArray[np.float32], template: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """
    Rotate faces onto the template.

    :param points: in face units, shape [N, 478, 3].
    :param template: in face units, shape [478, 3].
    :returns: the rotated faces, shape [N, 478, 3], and the rotations that turn the template as
        the faces are turned, shape [N, 3, 3], image axes.
    """
    products = np.matmul(template[:MESH].T.astype(np.float64), points[:, :MESH])
    left, _, right = np.linalg.svd(products)
    # Without this a mirrored face would be explained by a reflection.
    right[:, 2] *= np.sign(np.linalg.det(np.matmul(left, right)))[:, None]
    rotations = np.matmul(right.transpose(0, 2, 1), left.transpose(0, 2, 1))
    # Points are rows: multiplied from the right, the rotations turn them back.
    return np.matmul(points, rotations.astype(np.float32)), rotations


def head_axes(rotation: NDArray[np.float64]) -> NDArray[np.float64]:
    """
    Tell which way a head faces.

    :param rotation: that turns a head as it is turned, shape [3, 3].
    :returns: its columns are the head's forward, left and up (REP-103) in image axes, [3, 3].
    """
    return np.asarray(rotation @ _HEAD_AXES.T)


def head_angles(rotations: NDArray[np.float64]) -> NDArray[np.float64]:
    """
    Tell the head's pose.

    :param rotations: of `align`, shape [N, 3, 3].
    :returns: roll, pitch and yaw in radians about the head's forward, left and up axes (REP-103:
        positive are roll to the person's right shoulder, pitch downward and yaw to the person's
        left), applied in this order about the template's axes, 0 when the head is held as the
        template's, shape [N, 3].
    """
    turned = _HEAD_AXES @ rotations @ _HEAD_AXES.T
    roll = np.arctan2(turned[:, 2, 1], turned[:, 2, 2])
    pitch = -np.arcsin(np.clip(turned[:, 2, 0], -1, 1))
    yaw = np.arctan2(turned[:, 1, 0], turned[:, 0, 0])
    return np.stack([roll, pitch, yaw], axis=1)
