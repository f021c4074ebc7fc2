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

"""The camera that took a recording, and the heads that it may have seen."""

from __future__ import annotations

import math
from collections.abc import Callable

from emotion_estimator.evaluation.parameters import NodeParameters
from emotion_estimator.evaluation.recordings.recording import Recording
from emotion_estimator.faces.face_encoding import DEFAULT_VERSION, read_encoding
from emotion_estimator.faces.head_pose import HeadModel
from emotion_estimator.faces.known_camera import KnownCamera
from emotion_estimator.files import find_encoding


def recorded_camera(
    recording: Recording, parameters: NodeParameters, refuse: Callable[[str], None]
) -> KnownCamera:
    """
    Tell what took the images, by the first calibration that can be used.

    Unlike a node, which hears of it after its first images, a replay knows it from the start.

    :param recording: open, its images not yet read.
    :param parameters: of both nodes; `field_of_view_deg` counts where nothing better is known.
    :param refuse: see `KnownCamera`.
    :returns: the camera.
    """
    camera = assumed_camera(parameters, refuse)
    for calibration in recording.calibrations():
        if camera.calibrate(calibration.k, calibration.width, calibration.height):
            break
    return camera


def assumed_camera(
    parameters: NodeParameters, refuse: Callable[[str], None] = lambda _: None
) -> KnownCamera:
    """
    Make a camera of which no more than its field of view is known.

    :param parameters: of both nodes.
    :param refuse: see `KnownCamera`.
    :returns: the camera.
    """
    field_of_view_deg = float(parameters.blendshape_node['field_of_view_deg'])
    return KnownCamera(math.radians(field_of_view_deg), refuse)


def head_model(parameters: NodeParameters) -> HeadModel:
    """
    Make what tells where heads are.

    :param parameters: of both nodes; without an encoding the default one's template is taken.
    :returns: the model.
    :raises AssetError: when the encoding is not there.
    """
    named = str(parameters.blendshape_node['encoding'])
    return HeadModel(read_encoding(find_encoding(named or DEFAULT_VERSION)).template)
