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

"""What was seen in one image, on its way from the thread that looks to the one that publishes."""

from __future__ import annotations

from dataclasses import dataclass

from std_msgs.msg import Header

from emotion_estimator.faces.face_finder import Face
from emotion_estimator.faces.image_decoding import Rgb
from emotion_estimator.faces.pinhole_camera import PinholeCamera


@dataclass(frozen=True)
class View:
    """
    An image and what took it.

    :param image: the pixels.
    :param camera: the camera, for an image of this size.
    """

    image: Rgb
    camera: PinholeCamera


@dataclass(frozen=True)
class Seen:
    """
    One image's faces.

    :param header: the image's.
    :param faces: the faces in it.
    :param begins_anew: whether the stamp starts a new time line: faces of before are lost.
    :param view: the image, where it is a camera's; None where another detector cut it out.
    """

    header: Header
    faces: tuple[Face, ...]
    begins_anew: bool = False
    view: View | None = None
