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

"""The way into this wing: images by stamp in, faces with ids, blendshapes, features out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import chain
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from emotion_estimator.blendshapes import NAMES
from emotion_estimator.faces.face_encoding import FaceEncoding
from emotion_estimator.faces.face_features import FaceFeatures
from emotion_estimator.faces.face_landmarker import Box, LandmarkedFace
from emotion_estimator.faces.face_tracker import FaceTracker
from emotion_estimator.faces.image_decoding import Rgb
from emotion_estimator.stamps import Step, step_between

_NS_PER_MS = 1_000_000
JUMP_S = 2.0
"""A camera that was silent for longer starts a new time line, in seconds."""


@dataclass(frozen=True)
class Face:
    """
    One face at one image's stamp.

    :param face_id: stays the same while the face is followed.
    :param box: where it is in the image.
    :param blendshapes: shape [52] in the order of `blendshapes.NAMES`, each in [0, 1].
    :param landmarks: shape [478, 3], MediaPipe's face mesh, see `FaceArrays`.
    :param feature_names: names of `features`; the same for all faces of a `FaceFinder`.
    :param encode: computes `features`.
    """

    face_id: str
    box: Box
    blendshapes: NDArray[np.float32]
    landmarks: NDArray[np.float32]
    feature_names: tuple[str, ...]
    encode: Callable[[], NDArray[np.float32]]

    @cached_property
    def features(self) -> NDArray[np.float32]:
        """
        What encoding and visibility add to the blendshapes, shape [feature_names].

        Computed when it is first asked for, by whichever thread asks: the next image need not
        wait for it.
        """
        return self.encode()

    def named_values(self) -> dict[str, float]:
        """
        Name all that is known of the face, as it goes from node to node.

        :returns: every blendshape, then every further feature, by name.
        """
        return dict(
            chain(
                zip(NAMES, self.blendshapes.tolist()),
                zip(self.feature_names, self.features.tolist()),
            )
        )


@dataclass(frozen=True)
class Sighting:
    """
    What was found in one image.

    :param faces: the faces, empty when there is none.
    :param step: how the image's stamp followed the one before.
    """

    faces: tuple[Face, ...]
    step: Step


class Landmarker(Protocol):
    """What finds faces in one frame after the other: `FaceLandmarker` or `FaceSearch`."""

    def find(self, image: Rgb, time_ms: int) -> list[LandmarkedFace]:
        """Find the faces of the next frame, at a time above that of the frame before."""

    def close(self) -> None:
        """Release what it holds."""


class FaceFinder:
    """
    Finds and follows faces in the images of one camera, by their stamps.

    A stamp that repeats is not looked at. One that goes back, or jumps ahead by more than
    `JUMP_S`, starts a new time line: the faces get new ids.

    :param landmarker: finds faces in one frame after the other; closed with this object.
    :param tracker: gives them ids.
    :param encoding: gives their further features, and the template by which to tell what of
        them is visible; None leaves it at the blendshapes.
    """

    def __init__(
        self,
        landmarker: Landmarker,
        tracker: FaceTracker,
        encoding: FaceEncoding | None = None,
    ) -> None:
        self._landmarker = landmarker
        self._tracker = tracker
        self._features = FaceFeatures(encoding)
        self.feature_names = self._features.names
        self._newest_ns: int | None = None
        # MediaPipe's clock only runs forward: it gets the stamps shifted by this.
        self._shift_ns = 0
        self._time_ms = 0

    def find(self, image: Rgb, stamp_ns: int) -> Sighting:
        """
        Find the faces of the next image.

        :param image: the pixels.
        :param stamp_ns: the image's stamp in nanoseconds.
        :returns: the faces with their ids.
        """
        step = step_between(self._newest_ns, stamp_ns, JUMP_S)
        if step is Step.REPEATED:
            return Sighting((), step)
        self._newest_ns = stamp_ns
        if step is Step.FIRST or step.restarts:
            self._tracker.reset()
            self._shift_ns = (self._time_ms + round(JUMP_S * 1000)) * _NS_PER_MS - stamp_ns
        self._time_ms = max(self._time_ms + 1, (stamp_ns + self._shift_ns) // _NS_PER_MS)
        found = self._landmarker.find(image, self._time_ms)
        height, width = image.shape[:2]
        ids = self._tracker.track(found, width, height, stamp_ns)
        faces = (
            Face(
                face_id,
                face.box,
                face.blendshapes,
                face.landmarks,
                self.feature_names,
                partial(self._features.of, image, face.landmarks),
            )
            for face_id, face in zip(ids, found)
        )
        return Sighting(tuple(faces), step)

    def close(self) -> None:
        """Release the landmarker."""
        self._landmarker.close()
