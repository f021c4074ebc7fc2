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


"""What finds faces, as the parameters of blendshape_node describe it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from emotion_estimator.assets import FACE_DETECTOR, FACE_LANDMARKER, Asset, find_asset
from emotion_estimator.faces.close_up import CloseUp
from emotion_estimator.faces.face_detector import FaceDetector
from emotion_estimator.faces.face_encoding import read_encoding
from emotion_estimator.faces.face_finder import FaceFinder, Landmarker
from emotion_estimator.faces.face_landmarker import FaceLandmarker
from emotion_estimator.faces.face_search import FaceSearch
from emotion_estimator.faces.face_tracker import FaceTracker
from emotion_estimator.files import AssetError, find_encoding

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
    return Path(named) if named else find_asset(FACE_LANDMARKER, fetch)


def find_finder_files(
    parameters: FinderParameters,
    fetch: bool = False,
    warn: Callable[[str], None] = _log.warning,
) -> FinderFiles:
    """
    Find the files that the parameters name or ask for.

    :param parameters: see `build_finder`.
    :param fetch: whether the network may be asked.
    :param warn: is told what is lost where the detector is missing.
    :returns: the files.
    :raises AssetError: when the landmarker or the encoding is not there.
    """
    detector, encoding = str(parameters['detector']), str(parameters['encoding'])
    detector_path = Path(detector) if detector else None
    if not _seeks_far_faces(parameters):
        detector_path = None
    elif detector_path is None:
        try:
            detector_path = find_asset(FACE_DETECTOR, fetch)
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

    :param parameters: `max_faces`, `detection_rate_hz`, `min_detection_confidence`,
        `min_presence_confidence`, `min_tracking_confidence`, `on_one_core`, `max_absence_s`,
        `face_id_seed`, `landmarker`, `detector` and `encoding`, see
        config/emotion_estimator.yaml.
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
    return FaceFinder(_landmarker(parameters, files), tracker, encoding)


def build_close_up(parameters: FinderParameters, landmarker_path: Path) -> CloseUp:
    """
    Make what finds the face in pictures of one face each.

    :param parameters: see `build_finder`.
    :param landmarker_path: face_landmarker.task.
    :returns: the close-up, to be closed.
    :raises ValueError: when the file cannot be used.
    """
    return CloseUp(_landmarkers(parameters, landmarker_path)(stills=True))


def _seeks_far_faces(parameters: FinderParameters) -> bool:
    return float(parameters['detection_rate_hz']) > 0


def _landmarker(parameters: FinderParameters, files: FinderFiles) -> Landmarker:
    landmarker = _landmarkers(parameters, files.landmarker)
    max_faces = parameters['max_faces']
    if files.detector is None:
        return landmarker(max_faces=max_faces)
    # The detector first: unlike MediaPipe's graphs, it need not be closed.
    detector = FaceDetector(files.detector)
    return FaceSearch(
        landmarker(),
        detector,
        lambda: CloseUp(landmarker()),
        max_faces,
        parameters['detection_rate_hz'],
    )


def _landmarkers(parameters: FinderParameters, path: Path) -> partial[FaceLandmarker]:
    return partial(
        FaceLandmarker,
        path,
        min_detection_confidence=parameters['min_detection_confidence'],
        min_presence_confidence=parameters['min_presence_confidence'],
        min_tracking_confidence=parameters['min_tracking_confidence'],
        on_one_core=parameters['on_one_core'],
    )
