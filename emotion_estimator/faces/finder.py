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

"""The door of `faces`: images by stamp in, faces with ids, blendshapes, features out."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from os.path import expanduser
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from emotion_estimator.assets import FACE_DETECTOR, FACE_LANDMARKER, Asset, find_asset
from emotion_estimator.blendshapes import NAMES
from emotion_estimator.faces.detection import (
    Detector,
    FaceDetector,
    TiledDetector,
    find_yunet,
    sure_from_close,
)
from emotion_estimator.faces.encoding import FaceEncoding, FaceFeatures, read_encoding
from emotion_estimator.faces.geometry import turned, turned_points
from emotion_estimator.faces.image_decoding import Rgb
from emotion_estimator.faces.landmarker import (
    Box,
    LandmarkedFace,
    box_of,
    check_engine,
    large_enough,
    new_landmarkers,
)
from emotion_estimator.faces.multi_face import FORGET_MS, CloseUp, FaceCounter, FaceSearch
from emotion_estimator.faces.networks import FaceNetworks
from emotion_estimator.faces.tracker import FaceTracker
from emotion_estimator.files import AssetError, find_encoding
from emotion_estimator.stamps import SILENCE_S, Step, TimeLine

_NS_PER_MS = 1_000_000
_NO_FACE = np.zeros((64, 64, 3), np.uint8)
_RESTART_MS = round(SILENCE_S * 1000) + 1000  # between two time lines, longer than pauses in one


@dataclass(frozen=True, eq=False)  # arrays have no truth value
class Face:
    """
    One face at one image's stamp.

    :param face_id: stays the same while the face is followed.
    :param box: where it is in the image.
    :param compute_blendshapes: computes `blendshapes`.
    :param landmarks: shape [478, 3], see `LandmarkedFace`.
    :param feature_names: names of `features`; the same for all faces of a `FaceFinder`.
    :param encode: computes `features`, as those of an upright face.
    :param rotate: degrees clockwise that turn the image upright.
    """

    face_id: str
    box: Box
    compute_blendshapes: Callable[[], NDArray[np.float32]]
    landmarks: NDArray[np.float32]
    feature_names: tuple[str, ...]
    encode: Callable[[], NDArray[np.float32]]
    rotate: int = 0

    @cached_property
    def blendshapes(self) -> NDArray[np.float32]:
        """See `LandmarkedFace.blendshapes`."""
        return self.compute_blendshapes()

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
        named = dict(zip(NAMES, self.blendshapes.tolist()))
        named.update(zip(self.feature_names, self.features.tolist()))
        return named


@dataclass(frozen=True)
class TrackedFaces:
    """
    What was found in one image.

    :param faces: the faces, empty when there is none.
    :param step: how the image's stamp followed the one before.
    """

    faces: tuple[Face, ...]
    step: Step


class FaceFollower(Protocol):
    """What finds faces in one frame after the other: a `Landmarker` or `FaceSearch`."""

    def find(self, image: Rgb, time_ms: int) -> list[LandmarkedFace]:
        """Find the faces of the next frame, at a time above that of the frame before."""

    def close(self) -> None:
        """Release what it holds."""


class FaceFinder:
    """
    Finds and follows faces in the images of one camera, by their stamps.

    What repeats, comes late or stands alone in time (`TimeLine`) is not looked at. After
    `FORGET_MS` without an image faces are sought anew, on a new time line with new ids.

    :param landmarker: finds faces in one frame after the other; closed with this object.
    :param tracker: gives them ids.
    :param encoding: gives their further features, and the template by which to tell what of
        them is visible; None leaves it at the blendshapes.
    :param rotate: degrees clockwise that turn the images upright, before they are looked at:
        0, 90, 180 or 270. Boxes and landmarks are those of the images as they came.
    """

    def __init__(
        self,
        landmarker: FaceFollower,
        tracker: FaceTracker,
        encoding: FaceEncoding | None = None,
        rotate: int = 0,
    ) -> None:
        self._rotate = rotate
        self._landmarker = landmarker
        self._tracker = tracker
        self._features = FaceFeatures(encoding)
        self.feature_names = self._features.names
        self._own_line: TimeLine[None] = TimeLine(ahead_s=0.5)
        self._line: object = None
        self._newest_ns: int | None = None
        # MediaPipe's clock only runs forward: it gets the stamps shifted by this.
        self._shift_ns = 0
        self._time_ms = 0

    def find(self, image: Rgb, stamp_ns: int, line: object = None) -> TrackedFaces:
        """
        Find the faces of the next image.

        :param stamp_ns: the image's stamp in nanoseconds.
        :param line: whatever names its time line, where the caller follows the stamps; None: they
            are followed here.
        :returns: the faces with their ids; none where `step.left_out`.
        """
        if line is None:
            placed = self._own_line.follow_at_once(stamp_ns)
            if placed.step.left_out:
                return TrackedFaces((), placed.step)
            line = placed.line
        step = self._step(stamp_ns, line)
        if step.left_out:
            return TrackedFaces((), step)
        self._newest_ns, self._line = stamp_ns, line
        if step is Step.FIRST or step.restarts:
            self._tracker.reset()
            self._shift_ns = (self._time_ms + _RESTART_MS) * _NS_PER_MS - stamp_ns
        time_ms = max(self._time_ms + 1, (stamp_ns + self._shift_ns) // _NS_PER_MS)
        if self._time_ms and time_ms - self._time_ms > FORGET_MS:
            # MediaPipe lets go of faces, and of what it smooths, where it sees them gone.
            self._landmarker.find(_NO_FACE, self._time_ms + 1)
        self._time_ms = time_ms
        upright = turned(image, self._rotate)
        height, width = upright.shape[:2]
        found = large_enough(self._landmarker.find(upright, self._time_ms), width)
        ids = self._tracker.track(found, width, height, stamp_ns)
        return TrackedFaces(tuple(map(partial(self._face, upright), ids, found)), step)

    def _face(self, upright: Rgb, face_id: str, face: LandmarkedFace) -> Face:
        height, width = upright.shape[:2]
        encode = partial(self._features.of, upright, face.landmarks)
        back = turned_points(face.landmarks, -self._rotate % 360, width, height)
        box = box_of(back) if self._rotate else face.box
        names = self.feature_names
        return Face(face_id, box, face.compute_blendshapes, back, names, encode, self._rotate)

    def _step(self, stamp_ns: int, line: object) -> Step:
        if self._newest_ns is None:
            return Step.FIRST
        if line != self._line:
            return Step.BACK if stamp_ns < self._newest_ns else Step.JUMP
        return Step.REPEATED if stamp_ns == self._newest_ns else Step.FORWARD

    def close(self) -> None:
        """Release the landmarker."""
        self._landmarker.close()


# What finds faces, as the parameters of blendshape_node describe it.


_log = logging.getLogger(__name__)


class FinderParameters(Protocol):
    """Values by the names that blendshape_node gives them: a node's parameters, or a dict."""

    def __getitem__(self, name: str, /) -> Any:
        """Return a parameter's value."""


@dataclass(frozen=True)
class FinderFiles:
    """
    The files that finding faces needs.

    :param landmarker: face_landmarker.task.
    :param detector: yunet_n_dynamic.onnx; None leaves it at MediaPipe's own detector.
    :param encoding: a face encoding; None leaves it at the blendshapes.
    """

    landmarker: Path
    detector: Path | None
    encoding: Path | None


def wanted_assets(parameters: FinderParameters) -> list[Asset]:
    """
    List the assets that the parameters ask for, because they name no file in their place.

    :param parameters: see `build_finder`.
    :returns: the landmarker first.
    """
    wanted = [] if parameters['landmarker'] else [FACE_LANDMARKER]
    if _seeks_far_faces(parameters) and not parameters['detector']:
        wanted.append(FACE_DETECTOR)
    return wanted


def find_landmarker(parameters: FinderParameters, fetch: bool = False) -> Path:
    """
    Find face_landmarker.task.

    :param parameters: of which `landmarker` counts.
    :param fetch: whether the network may be asked.
    :returns: the file that the parameters name, else the published one.
    :raises AssetError: when it is not there.
    """
    named = str(parameters['landmarker'])
    return Path(expanduser(named)) if named else find_asset(FACE_LANDMARKER, fetch)  # noqa: PTH111


def find_finder_files(
    parameters: FinderParameters,
    fetch: bool = False,
    warn: Callable[[str], None] = _log.warning,
) -> FinderFiles:
    """
    Find the files that the parameters name or ask for.

    :param parameters: see `build_finder`.
    :param fetch: whether the network may be asked.
    :param warn: called with what is lost where the detector is missing.
    :raises AssetError: when the landmarker or the encoding is not there.
    :raises ValueError: when the engine's package is not there.
    """
    check_engine(parameters['engine'])
    detector, encoding = str(parameters['detector']), str(parameters['encoding'])
    detector_path = Path(expanduser(detector)) if detector else None  # noqa: PTH111, it never raises
    if not _seeks_far_faces(parameters):
        detector_path = None
    elif detector_path is None:
        try:
            detector_path = find_yunet(fetch)
        except AssetError as error:
            warn(f'{FACE_DETECTOR.loss} {error}')
    return FinderFiles(
        find_landmarker(parameters, fetch),
        detector_path,
        find_encoding(encoding) if encoding else None,
    )


def build_finder(parameters: FinderParameters, files: FinderFiles) -> FaceFinder:
    """
    Put a face finder together; with a detector it also finds far faces and many.

    :param parameters: `max_faces`, `engine`, `threads`, `detection_rate_hz`,
        `min_detection_confidence`, `min_presence_confidence`, `min_tracking_confidence`,
        `on_one_core`, `max_absence_s`, `face_id_seed`, `landmarker`, `detector`, `encoding` and
        `rotate`, see config/emotion_estimator.yaml.
    :param files: see `find_finder_files`.
    :returns: the finder, to be closed.
    :raises ValueError: when a file cannot be used.
    """
    seed = parameters['face_id_seed']
    tracker = FaceTracker(
        max_absence_s=parameters['max_absence_s'], seed=None if seed < 0 else seed
    )
    # Before the landmarker, whose graph would have to be closed were the encoding wrong.
    encoding = read_encoding(files.encoding) if files.encoding else None
    return FaceFinder(_landmarker(parameters, files), tracker, encoding, parameters['rotate'])


def build_close_up(parameters: FinderParameters, landmarker_path: Path) -> CloseUp:
    """
    Make what finds the face in pictures of one face each.

    :param parameters: see `build_finder`.
    :param landmarker_path: face_landmarker.task.
    :returns: the close-up, to be closed.
    :raises ValueError: when the file cannot be used.
    """
    networks = FaceNetworks(landmarker_path, parameters['threads'])
    new = new_landmarkers(networks, landmarker_path, parameters)
    return CloseUp(new(stills=True, close_up=True))


def build_face_counter(parameters: FinderParameters, files: FinderFiles) -> FaceCounter:
    """
    Make what counts the faces that are in an image beside `max_faces`.

    :param parameters: see `build_finder`.
    :param files: see `find_finder_files`.
    :returns: the counter, to be closed.
    :raises ValueError: when a file cannot be used.
    """
    networks = FaceNetworks(files.landmarker, parameters['threads'])
    detector = _detector(parameters, networks, files)
    new = new_landmarkers(networks, files.landmarker, parameters)
    sure = _sure_of_close_ups(parameters, files)
    # With a detector it sees close-ups alone, without one whole images.
    most = 1 if detector else parameters['max_faces'] + 1
    close_up = detector is not None
    stills = new(max_faces=most, stills=True, close_up=close_up, min_detection_confidence=sure)
    return FaceCounter(stills, detector, parameters['rotate'])


def _seeks_far_faces(parameters: FinderParameters) -> bool:
    return float(parameters['detection_rate_hz']) > 0


def _landmarker(parameters: FinderParameters, files: FinderFiles) -> FaceFollower:
    networks = FaceNetworks(files.landmarker, parameters['threads'])
    # The detector first: unlike MediaPipe's graphs, it need not be closed.
    detector = _detector(parameters, networks, files)
    new = new_landmarkers(networks, files.landmarker, parameters)
    max_faces = parameters['max_faces']
    if detector is None:
        return new(max_faces=max_faces)
    sure = _sure_of_close_ups(parameters, files)
    close = partial(new, close_up=True, min_detection_confidence=sure)
    rate_hz = parameters['detection_rate_hz']
    return FaceSearch(new(), detector, lambda: CloseUp(close()), max_faces, rate_hz)


def _sure_of_close_ups(parameters: FinderParameters, files: FinderFiles) -> float:
    least = float(parameters['min_detection_confidence'])
    tiled = _seeks_far_faces(parameters) and not files.detector
    return sure_from_close(least) if tiled else least


def _detector(
    parameters: FinderParameters, networks: FaceNetworks, files: FinderFiles
) -> Detector | None:
    """Make what looks for far faces: YuNet, or where it is missing MediaPipe's detector."""
    if not _seeks_far_faces(parameters):
        return None
    if files.detector:
        return FaceDetector(files.detector)
    return TiledDetector(networks, parameters['min_detection_confidence'])
