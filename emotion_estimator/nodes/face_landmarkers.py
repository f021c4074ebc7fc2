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

from pathlib import Path

from emotion_estimator.assets import FACE_DETECTOR, FACE_LANDMARKER, find_asset, find_encoding
from emotion_estimator.faces.close_up import CloseUp
from emotion_estimator.faces.face_encoding import DEFAULT_VERSION, FaceEncoding, read_encoding
from emotion_estimator.faces.face_finder import FaceFinder
from emotion_estimator.faces.finder_assembly import assemble_close_up, assemble_finder
from emotion_estimator.faces.head_pose import HeadModel
from emotion_estimator.nodes.parameters import Parameters


def camera_finder(parameters: Parameters, encoding: FaceEncoding | None) -> FaceFinder:
    """
    Make what finds and follows the faces in a camera's images.

    :param parameters: of blendshape_node.
    :param encoding: see `FaceFinder`.
    :returns: the finder.
    """
    named, small_faces = parameters['detector'], parameters['detection_rate_hz'] > 0
    detector = (Path(named) if named else find_asset(FACE_DETECTOR)) if small_faces else None
    return assemble_finder(parameters, _landmarker_path(parameters), detector, encoding)


def crop_landmarker(parameters: Parameters) -> CloseUp:
    """
    Make what finds the face in pictures of one face each.

    :param parameters: of blendshape_node.
    :returns: the landmarker.
    """
    return assemble_close_up(parameters, _landmarker_path(parameters))


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


def _landmarker_path(parameters: Parameters) -> Path:
    named = parameters['landmarker']
    return Path(named) if named else find_asset(FACE_LANDMARKER)
