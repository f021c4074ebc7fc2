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

"""Records what the nodes publish, and on request the pictures, into one folder."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.serialization import deserialize_message
from rclpy.subscription import Subscription

from emotion_estimator.files import OutputError, remove_abandoned, writing
from emotion_estimator.messages import (
    ACTION_UNITS,
    CLASSIFICATION,
    EXPRESSION,
    IDS_LIST,
    LANDMARKS,
    REGION,
    TF,
    bag_types,
    listed_faces,
    ros_type,
)
from emotion_estimator.nodes.spin import subscribe_to_all
from emotion_estimator.replay.bag_writer import BagFile
from emotion_estimator.view.state import MOST_PEOPLE

LEAST_FREE_BYTES = 500 << 20
"""A recording ends before less is left on the disk."""
_NAME = re.compile(r'[A-Za-z0-9][A-Za-z0-9_-]{0,59}')
_LOOK_S = 1.0  # how often it is looked at the disk
# As what is listened to: nothing waits for the disk.
_QOS = QoSProfile(depth=100, reliability=ReliabilityPolicy.BEST_EFFORT)
_TOPICS = (
    ('blendshapes', CLASSIFICATION),
    ('emotion', CLASSIFICATION),
    ('/humans/faces/tracked', IDS_LIST),
    ('/tf', TF),
    ('/diagnostics', 'diagnostic_msgs/msg/DiagnosticArray'),
    ('camera_info', 'sensor_msgs/msg/CameraInfo'),
)
_OF_A_FACE = (
    ('expression', EXPRESSION),
    ('roi', REGION),
    ('facs', ACTION_UNITS),
    ('landmarks', LANDMARKS),
)


class RecordingNameError(ValueError):
    """A name that no recording can have; the message says why."""


def recording_path(folder: Path, name: str) -> Path:
    """
    Tell where a recording goes: into the folder, whatever was asked for.

    :param folder: of all recordings.
    :param name: as somebody typed it; empty is made of the date and time.
    :returns: a file that is not there yet.
    :raises RecordingNameError: when the name is none, or taken.
    :raises OutputError: when the folder cannot be looked into.
    """
    name = name.removesuffix('.mcap') or time.strftime('%Y-%m-%d_%H-%M-%S')
    if not _NAME.fullmatch(name):
        raise RecordingNameError(
            'A name has letters, digits, - and _ only, 60 at most, and begins with a letter or '
            'digit.'
        )
    path = folder / f'{name}.mcap'
    rescue(folder)
    # Another live view's is hidden until it is whole.
    with writing(path):
        taken = path.exists() or any(folder.glob(f'.{path.name}.*'))
    if taken:
        raise RecordingNameError(f'There is a recording {path.name} already; choose another name.')
    return path


def rescue(folder: Path) -> None:
    """
    Give each recording of a live view that was killed its name; `replay` reads what is whole.

    :param folder: of all recordings; it need not exist.
    """
    with suppress(OSError):  # a folder that cannot be: who begins to record is told
        for left in folder.glob('.*.mcap.*'):
            name = left.name[1:].rpartition('.mcap.')[0]
            remove_abandoned(folder / f'{name}.mcap', partial(_keep_whole, folder))


def _keep_whole(folder: Path, left: Path) -> None:
    for made in left.glob('*/*.mcap'):
        place, number = folder / made.name, 1
        while place.exists():
            number += 1
            place = folder / f'{made.stem}_{number}.mcap'
        made.replace(place)


class Recorder:
    """
    Writes messages as they come, without looking into them; used by the thread that spins alone.

    :param node: subscribes.
    :param folder: of all recordings.
    """

    def __init__(self, node: Node, folder: Path) -> None:
        self._node = node
        self._folder = folder
        rescue(folder)
        self._bag: BagFile | None = None
        self._path = folder
        self._begin_s = self._looked_s = 0.0
        self._count = 0
        self._word = ''
        self._subscriptions: list[Subscription[Any]] = []
        self._of_faces: dict[str, list[Subscription[Any]]] = {}
        self._types = bag_types()

    def facts(self) -> dict[str, Any]:
        """
        Tell how far it is; may be called from any thread.

        :returns: `records`, `name`, `folder`, `bytes`, `seconds`, `messages`, and `word`: a
            sentence on what came of the last one.
        """
        bag = self._bag
        return {
            'records': bag is not None,
            'name': self._path.name,
            'folder': str(self._folder),
            'bytes': 0 if bag is None else bag.size_bytes,
            'seconds': time.monotonic() - self._begin_s if bag is not None else 0.0,
            'messages': self._count,
            'word': self._word,
        }

    def start(self, name: str, pictures: tuple[str, str] | None) -> None:
        """
        Begin to record; where that cannot be, `facts` says why.

        :param name: see `recording_path`.
        :param pictures: topic and type of the images that are recorded too; None records none.
        """
        if self._bag is not None:
            return
        try:
            self._path = recording_path(self._folder, name)
            self._bag = BagFile(self._path)
        except (RecordingNameError, OutputError) as error:
            self._word = str(error)
            return
        self._begin_s, self._count, self._word = time.monotonic(), 0, ''
        topics = [*_TOPICS, *([pictures] if pictures else [])]
        self._subscriptions = [self._subscribe(topic, kind) for topic, kind in topics]

    def _subscribe(self, topic: str, kind: str) -> Subscription[Any]:
        resolved = self._node.resolve_topic_name(topic)
        work: Callable[[bytes], None] = partial(self._write, resolved, kind)
        return subscribe_to_all(self._node, ros_type(kind), topic, work, _QOS, raw=True)

    def _write(self, topic: str, kind: str, raw: bytes) -> None:
        if self._bag is None:
            return
        try:
            now_ns = self._node.get_clock().now().nanoseconds
            self._bag.write(topic, kind, now_ns, raw, self._types)
            self._count += 1
            if time.monotonic() - self._looked_s > _LOOK_S:
                self._look()
        except OutputError as error:
            self.stop(str(error))
            return
        if kind == IDS_LIST and self._bag is not None:  # a full disk may have ended it
            self._follow(raw)

    def _look(self) -> None:
        self._looked_s = time.monotonic()
        with writing(self._path):  # its folder may be gone
            free_bytes = shutil.disk_usage(self._folder).free
        if free_bytes < LEAST_FREE_BYTES:
            self.stop(
                f'The recording has ended, since less than {LEAST_FREE_BYTES >> 20} MB are left '
                'on the disk.'
            )

    def _follow(self, raw: bytes) -> None:
        try:
            faces, _ = listed_faces(deserialize_message(raw, ros_type(IDS_LIST)).ids)
        except Exception:  # not what its topic carries: recorded all the same
            return
        for face_id in set(self._of_faces).difference(faces):
            for subscription in self._of_faces.pop(face_id):
                self._node.destroy_subscription(subscription)
        for face_id in faces[:MOST_PEOPLE]:
            if face_id not in self._of_faces:
                self._of_faces[face_id] = [
                    self._subscribe(f'/humans/faces/{face_id}/{name}', kind)
                    for name, kind in _OF_A_FACE
                ]

    def stop(self, word: str = '') -> None:
        """
        End the recording, and put it into its folder.

        :param word: why, where nobody asked for it.
        """
        bag, self._bag = self._bag, None
        for subscriptions in (self._subscriptions, *self._of_faces.values()):
            for subscription in subscriptions:
                self._node.destroy_subscription(subscription)
        self._subscriptions, self._of_faces = [], {}
        if bag is None:
            return
        try:
            bag.finish()
            self._word = word or f'{self._path} is written: {self._count} messages.'
        except OutputError as error:
            self._word = str(error)
            with suppress(OutputError, StopIteration):
                bag.finish(whole=False)
                self._word += f' What was written until then is in {self._path.name}.'
        finally:
            bag.close()
