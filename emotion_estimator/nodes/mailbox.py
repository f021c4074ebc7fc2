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

"""Hands the latest item from one thread to another; older ones are skipped, never queued."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Generic, TypeVar

from std_msgs.msg import Header

from emotion_estimator.faces.camera import PinholeCamera
from emotion_estimator.faces.finder import Face
from emotion_estimator.faces.image_decoding import Rgb

Item = TypeVar('Item')


class LatestOfEach(Generic[Item]):
    """A place for one item of each sender; those who waited longest come first."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._items: dict[str, Item] = {}
        self._closed = False

    def put(self, sender: str, item: Item) -> bool:
        """
        Leave an item.

        :param sender: its name.
        :param item: the item.
        :returns: whether it replaced one of the same sender that nobody had taken.
        """
        with self._changed:
            replaced = sender in self._items
            self._items[sender] = item
            self._changed.notify()
            return replaced

    def take(self) -> tuple[str, Item] | None:
        """
        Wait for an item.

        :returns: a sender and its latest item, or None once the place is closed.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._items or self._closed)
            if self._closed:
                return None
            sender = next(iter(self._items))
            return sender, self._items.pop(sender)

    def drop(self, sender: str) -> None:
        """
        Throw a sender's item away.

        :param sender: its name; one that left nothing is no error.
        """
        with self._changed:
            self._items.pop(sender, None)

    def close(self) -> None:
        """Wake and end whoever waits."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()


# What was seen in one image, on its way from the thread that looks to the one that publishes.


@dataclass(frozen=True)
class CameraImage:
    """
    An image and what took it.

    :param image: the pixels.
    :param camera: the camera, for an image of this size.
    """

    image: Rgb
    camera: PinholeCamera


@dataclass(frozen=True)
class ObservedFaces:
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
    view: CameraImage | None = None
