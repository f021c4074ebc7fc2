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

"""Image topics of known robots and cameras, by name, and what slow cameras ask for."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from emotion_estimator.files import find_shared_file, read_text
from emotion_estimator.parameters import NODES, Value

TRANSPORTS = ('raw', 'compressed')
_TOPIC = re.compile(r'(~?/)?[A-Za-z_]\w*(/[A-Za-z_]\w*)*', re.ASCII)


class CameraError(ValueError):
    """A camera that is not known or described wrongly; the message says what to do."""


@dataclass(frozen=True)
class Camera:
    """
    Where a camera's images come from.

    :param image: topic of the raw images; compressed ones are on `<image>/compressed`.
    :param image_transport: 'raw' or 'compressed'.
    :param camera_info: topic of the calibration; empty where it stands beside the images, as
        image_transport has it.
    :param parameters: of the nodes, by name, that its rate of images, or how it hangs, asks for.
    """

    image: str
    image_transport: str = 'raw'
    camera_info: str = ''
    parameters: Mapping[str, float] = field(default_factory=dict)

    @property
    def calibration(self) -> str:
        """Topic of the calibration."""
        folder, slash, _ = self.image.rpartition('/')
        return self.camera_info or f'{folder}{slash}camera_info'


def find_camera(name_or_topic: str) -> Camera:
    """
    Look up a camera.

    :param name_or_topic: name of a preset in config/cameras, such as 'realsense'; whatever
        holds a `/`, or is `image`, is a topic.
    :raises CameraError: when there is no such preset, or it cannot be read.
    """
    if '/' in name_or_topic or name_or_topic == 'image':
        if not _TOPIC.fullmatch(name_or_topic):
            raise CameraError(
                f'{name_or_topic!r} is no image topic: a topic consists of names of letters, '
                'digits and _ with / between them, such as /camera/image_raw.'
            )
        return Camera(name_or_topic)
    folder = find_shared_file('config/cameras')
    path = folder / f'{name_or_topic}.yaml'
    if not path.is_file():
        known = ', '.join(sorted(file.stem for file in folder.glob('*.yaml')))
        raise CameraError(
            f'There is no camera {name_or_topic!r}; known are {known}. '
            'Give one of them, or an image topic such as /camera/image_raw.'
        )
    return read_camera(path)


def read_camera(path: Path) -> Camera:
    """
    Read a preset.

    :param path: a YAML file with `image`, `image_transport`, `camera_info`, `parameters`; further
        keys are for people.
    :raises CameraError: naming the file and the field that is missing or wrong.
    """
    try:
        raw = yaml.safe_load(read_text(path))
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise CameraError(f'{path} cannot be read as YAML: {error}') from error
    if not isinstance(raw, dict) or not isinstance(raw.get('image'), str):
        raise CameraError(f'{path}: image must name a topic.')
    transport = raw.get('image_transport', 'raw')
    if transport not in TRANSPORTS:
        raise CameraError(
            f'{path}: image_transport must be one of {", ".join(TRANSPORTS)}, not {transport!r}.'
        )
    camera_info = raw.get('camera_info') or ''
    if not isinstance(camera_info, str):
        raise CameraError(f'{path}: camera_info must name a topic, not {camera_info!r}.')
    parameters = raw.get('parameters') or {}
    if not isinstance(parameters, dict) or not all(
        isinstance(value, float) or name == 'rotate' for name, value in parameters.items()
    ):
        raise CameraError(f'{path}: parameters must be numbers with a point, by name, or rotate.')
    return Camera(raw['image'], transport, camera_info, parameters)


# What a slow camera asks for.


_IMAGES = {'max_absence_s': 3.0, 'max_gap_s': 1.5, 'face_timeout_s': 3.0}
"""How many times the time between two images these must be, so that single ones may be missing."""
_SLOW_S = 0.25
"""Seconds between images. Of faster cameras only values are raised that hold one image alone."""


def advice_for_rate(step_s: float, values: Mapping[str, Value]) -> str:
    """
    Say which parameters do not fit a slow or bursty camera.

    :param step_s: time between images that is usual, in seconds; of bursts between them.
    :param values: the values of the parameters by name; those that are missing are not judged.
    :returns: a sentence with values to set; empty where there is nothing to say.
    """
    specs = {spec.name: (node, spec) for node, specs in NODES.items() for spec in specs}
    changes = []
    for name, images in _IMAGES.items():
        node, spec = specs[name]
        wanted = math.ceil(10 * min(images * step_s, spec.maximum or math.inf)) / 10
        if name in values and float(values[name]) < wanted:
            changes.append(f'{name} of {node} to {wanted:.1f} (now {float(values[name]):g})')
    single = any(float(value) < step_s for name, value in values.items() if name in _IMAGES)
    if not changes or (step_s <= _SLOW_S and not single):
        return ''
    return (
        f'Images come {step_s:.3g} s apart, {1 / step_s:.2g} a second: set '
        f'{", ".join(changes)}, or answers rest on single images and faces lose their ids when '
        'they are missed.'
    )
