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

"""Makes what finds faces from a node's parameters."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from emotion_estimator.assets import FACE_DETECTOR, FACE_LANDMARKER, find_asset, find_encoding
from emotion_estimator.faces.close_up import CloseUp
from emotion_estimator.faces.face_detector import FaceDetector
from emotion_estimator.faces.face_encoding import DEFAULT_VERSION, FaceEncoding, read_encoding
from emotion_estimator.faces.face_finder import Landmarker
from emotion_estimator.faces.face_landmarker import FaceLandmarker
from emotion_estimator.faces.face_search import FaceSearch
from emotion_estimator.faces.head_pose import HeadModel
from emotion_estimator.nodes.parameters import Parameters


def camera_landmarker(parameters: Parameters) -> Landmarker:
    """
    Make what finds faces in a camera's images; with a detection rate also small ones and many.

    :param parameters: of blendshape_node.
    :returns: the landmarker.
    """
    landmarker = _landmarker(parameters)
    max_faces, rate_hz = parameters['max_faces'], parameters['detection_rate_hz']
    if rate_hz == 0:
        return landmarker(max_faces=max_faces)
    # The detector first: unlike MediaPipe's graphs, it need not be closed.
    named = parameters['detector']
    detector = FaceDetector(Path(named) if named else find_asset(FACE_DETECTOR))
    return FaceSearch(landmarker(), detector, lambda: CloseUp(landmarker()), max_faces, rate_hz)


def crop_landmarker(parameters: Parameters) -> CloseUp:
    """
    Make what finds the face in pictures of one face each.

    :param parameters: of blendshape_node.
    :returns: the landmarker.
    """
    return CloseUp(_landmarker(parameters)(stills=True))


def face_encoding(parameters: Parameters) -> FaceEncoding | None:
    """
    Read the encoding that the parameters name.

    :param parameters: of blendshape_node.
    :returns: the encoding, or None where they name none.
    """
    name = parameters['encoding']
    return read_encoding(find_encoding(name)) if name else None


def head_model(encoding: FaceEncoding | None) -> HeadModel:
    """
    Make what tells where heads are.

    :param encoding: whose template is taken; without one that of the default encoding.
    :returns: the model.
    """
    encoding = encoding or read_encoding(find_encoding(DEFAULT_VERSION))
    return HeadModel(encoding.template)


def _landmarker(parameters: Parameters) -> partial[FaceLandmarker]:
    named = parameters['landmarker']
    return partial(
        FaceLandmarker,
        Path(named) if named else find_asset(FACE_LANDMARKER),
        min_detection_confidence=parameters['min_detection_confidence'],
        min_presence_confidence=parameters['min_presence_confidence'],
        min_tracking_confidence=parameters['min_tracking_confidence'],
        on_one_core=parameters['on_one_core'],
    )
