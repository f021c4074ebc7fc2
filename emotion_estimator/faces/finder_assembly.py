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


"""A face finder as the parameters of blendshape_node describe it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, Protocol

from emotion_estimator.faces.close_up import CloseUp
from emotion_estimator.faces.face_detector import FaceDetector
from emotion_estimator.faces.face_encoding import read_encoding
from emotion_estimator.faces.face_finder import FaceFinder, Landmarker
from emotion_estimator.faces.face_landmarker import FaceLandmarker
from emotion_estimator.faces.face_search import FaceSearch
from emotion_estimator.faces.face_tracker import FaceTracker


class FinderParameters(Protocol):
    """Values by the names that blendshape_node gives them: a node's parameters, or a dict."""

    def __getitem__(self, name: str, /) -> Any:
        """Return a parameter's value."""


def assemble_finder(
    parameters: FinderParameters,
    landmarker_path: Path,
    detector_path: Path | None,
    encoding_path: Path | None,
) -> FaceFinder:
    """
    Put a face finder together; with a detector it also finds small faces and many.

    :param parameters: `max_faces`, `detection_rate_hz`, `min_detection_confidence`,
        `min_presence_confidence`, `min_tracking_confidence`, `on_one_core`, `max_absence_s` and
        `face_id_seed`, see config/emotion_estimator.yaml.
    :param landmarker_path: face_landmarker.task.
    :param detector_path: yunet_n_dynamic.onnx; None leaves it at MediaPipe.
    :param encoding_path: a face encoding; None leaves it at the blendshapes.
    :returns: the finder, to be closed.
    :raises ValueError: when a file cannot be used.
    """
    # Before the landmarker, whose graph would have to be closed were the encoding wrong.
    encoding = None if encoding_path is None else read_encoding(encoding_path)
    seed = parameters['face_id_seed']
    tracker = FaceTracker(
        max_absence_s=parameters['max_absence_s'], seed=None if seed < 0 else seed
    )
    return FaceFinder(_landmarker(parameters, landmarker_path, detector_path), tracker, encoding)


def _landmarker(
    parameters: FinderParameters, landmarker_path: Path, detector_path: Path | None
) -> Landmarker:
    landmarker = partial(
        FaceLandmarker,
        landmarker_path,
        min_detection_confidence=parameters['min_detection_confidence'],
        min_presence_confidence=parameters['min_presence_confidence'],
        min_tracking_confidence=parameters['min_tracking_confidence'],
        on_one_core=parameters['on_one_core'],
    )
    max_faces = parameters['max_faces']
    if detector_path is None:
        return landmarker(max_faces=max_faces)
    # The detector first: unlike MediaPipe's graphs, it need not be closed.
    detector = FaceDetector(detector_path)
    close_up = CloseUp(landmarker(stills=True))
    return FaceSearch(landmarker(), detector, close_up, max_faces, parameters['detection_rate_hz'])
