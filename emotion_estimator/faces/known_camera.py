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

"""What the camera is, as far as it says so itself."""

from __future__ import annotations

import math
from collections.abc import Callable

from numpy.typing import ArrayLike

from emotion_estimator.faces.pinhole_camera import IntrinsicsError, PinholeCamera


class KnownCamera:
    """
    A camera that a calibration may tell of; until then its angle of view has to do.

    :param field_of_view_rad: horizontal angle of view where nothing better is known.
    :param refuse: counts a calibration that cannot be used; called once for each kind of fault.
    """

    def __init__(self, field_of_view_rad: float, refuse: Callable[[str], None]) -> None:
        self._field_of_view_rad = field_of_view_rad
        self._refuse = refuse
        self._told: set[str] = set()
        self._calibrated: PinholeCamera | None = None
        # What was last told, and the calibration that it was made from.
        self._camera: tuple[PinholeCamera | None, PinholeCamera] | None = None

    def calibrate(self, k: ArrayLike, width: int, height: int) -> bool:
        """
        Take a calibration, as CameraInfo states it.

        :param k: the matrix of the intrinsics, 9 values row by row, in pixels.
        :param width: of the image that it is for, in pixels.
        :param height: likewise.
        :returns: whether it can be used.
        """
        try:
            self._calibrated = PinholeCamera.of_matrix(k, width, height)
        except IntrinsicsError as error:
            self._tell(f'k, width or height is wrong: {error}')
            return False
        return True

    def camera(self, width: int, height: int) -> PinholeCamera:
        """
        Tell what the camera is.

        :param width: of its image in pixels.
        :param height: likewise.
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

    def _tell(self, fault: str) -> None:
        if fault not in self._told:
            self._told.add(fault)
            degrees = math.degrees(self._field_of_view_rad)
            self._refuse(
                f'camera_info: {fault} A field of view of {degrees:g} degrees is assumed.'
            )
