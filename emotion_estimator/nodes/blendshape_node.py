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

"""The camera subscriber: images in, blendshapes and further features of each face out."""

from __future__ import annotations

if __name__ == '__main__':  # before the imports, so that Ctrl-C ends them quietly
    from emotion_estimator import commands

    raise SystemExit(commands.main('blendshape_node'))

import math
import threading
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from queue import SimpleQueue
from typing import Any, Union

import cv2
from rclpy.subscription import Subscription
from std_msgs.msg import Header
from vision_msgs.msg import Classification

from emotion_estimator.assets import FACE_LANDMARKER, Asset
from emotion_estimator.faces.appearance import UprightWatch
from emotion_estimator.faces.encoding import read_encoding
from emotion_estimator.faces.finder import wanted_assets
from emotion_estimator.faces.image_decoding import ImageError
from emotion_estimator.faces.pose import HeadModel
from emotion_estimator.files import DEFAULT_ENCODING, find_encoding
from emotion_estimator.messages import ROS, NamedFeatures, nanoseconds
from emotion_estimator.nodes.crop_source import CroppedFaces
from emotion_estimator.nodes.diagnostics import INPUT_TIMEOUT_S, PATIENCE, Silence
from emotion_estimator.nodes.face_publishers import AnnotatedImage, FacePublishers
from emotion_estimator.nodes.lifecycle import ManagedNode
from emotion_estimator.nodes.sources import CameraFaces, ObservedFaces
from emotion_estimator.nodes.spin import LatestOfEach, run
from emotion_estimator.parameters import BLENDSHAPE_NODE

_UNKNOWN_RATE_S = 5.0  # so long a camera may be silent of whose images few have come
_Publication = tuple[Callable[[Any], None], Any]
"""What the publishing thread does next, and with what."""
_LOOKED_AT = 60
"""So many of the latest faces tell whether the camera hangs upside down."""

Offer = Callable[[Any, NamedFeatures, Header], bool]
"""Takes a face in place of its message, or tells that it does not, see `HandOver.offer`."""


class BlendshapeNode(ManagedNode):
    """
    Finds faces in the latest image, publishes what each shows by the image's stamp.

    :param offer: takes a face in place of its message, see `HandOver.offer`; None where no
        emotion node is in this process.
    :param options: further arguments of `rclpy.node.Node`.
    """

    message_errors = (ImageError,)

    def __init__(self, offer: Offer | None = None, **options: Any) -> None:
        super().__init__('blendshape_node', BLENDSHAPE_NODE, **options)
        self._offer = offer
        self._blendshapes = self.create_lifecycle_publisher(Classification, 'blendshapes', 10)
        self._source: Union[CameraFaces, CroppedFaces, None] = None
        self._face_publishers: FacePublishers | None = None
        self._annotated: AnnotatedImage | None = None
        self._received: LatestOfEach[Any] = LatestOfEach()
        self._to_publish: SimpleQueue[_Publication | None] = SimpleQueue()
        self._is_published = threading.Semaphore(1)
        self._threads: list[threading.Thread] = []
        self._faces_now = 0
        self._size_now = ''
        self._upright = UprightWatch(_LOOKED_AT // 2, _LOOKED_AT)

    def load(self) -> None:
        """Load the encoding and MediaPipe's model."""
        # OpenCV's threads wait in a busy loop: for small pictures that takes more than it saves.
        cv2.setNumThreads(self.parameters['threads'])
        # Before the landmarker, whose graph would have to be closed were the encoding wrong.
        name = self.parameters['encoding']
        encoding = read_encoding(find_encoding(name or DEFAULT_ENCODING))
        # Of another detector nothing comes while no face is seen.
        self.input_may_pause = self.parameters['ros4hri_input']
        heads = HeadModel(encoding.template)
        if self.parameters['ros4hri']:
            owner = not self.parameters['ros4hri_input']
            self._face_publishers = FacePublishers(self, heads, owner)
        self._source = (
            CroppedFaces(self, encoding if name else None, self._lose)
            if self.parameters['ros4hri_input']
            else CameraFaces(self)
        )
        # Another detector's crops are no picture of the scene.
        if not self.parameters['ros4hri_input']:
            self._annotated = AnnotatedImage(self, heads)

    def release(self) -> None:
        """Close MediaPipe's graphs."""
        if self._source is not None:
            self._source.close()
            self._source = None
        if self._face_publishers is not None:
            self._face_publishers.close()
            self._face_publishers = None
        if self._annotated is not None:
            self._annotated.close()
            self._annotated = None

    def start(self) -> Subscription[Any]:
        """
        Begin to take images.

        One thread looks at the latest image, another publishes what was seen, so that
        MediaPipe, which needs no interpreter, has the next image in the meantime. Where publishing
        takes longer, looking waits for it.
        """
        source = self._source
        assert source is not None, 'a node is configured before it is activated'
        self._received, self._to_publish = LatestOfEach(), SimpleQueue()
        self._is_published = threading.Semaphore(1)
        self._blindness = Silence()
        self._is_looking = False
        self._upright = UprightWatch(_LOOKED_AT // 2, _LOOKED_AT)
        self._threads = [
            self.start_thread(partial(self._look, source)),
            self.start_thread(self._tell),
        ]
        return source.start(self._receive)

    def stop(self) -> None:
        """Let the threads finish their frame and end."""
        self._received.close()
        for thread in self._threads:
            thread.join()
        self._threads = []
        # After them: they look through it.
        if self._source is not None:
            self._source.stop()
        self._faces_now, self._size_now = 0, ''
        if self._face_publishers is not None:
            self._face_publishers.end_all()

    @property
    def input_timeout_s(self) -> float:
        """Silence after which a warning is due: a slow camera may take longer than others."""
        if not isinstance(self._source, CameraFaces) or not self.statistics.any_received:
            return INPUT_TIMEOUT_S
        # Another camera's images arrive: they are left out, which an alarm tells.
        if self._source.several_senders():
            return math.inf
        step_s = self._source.step_s
        return max(INPUT_TIMEOUT_S, PATIENCE * step_s) if step_s else _UNKNOWN_RATE_S

    def watch(self) -> None:
        """List no face any more when nothing was looked at for long, by the steady clock."""
        self._blindness.watch()
        assert self._source is not None, 'a node has a source while it is active'
        # Of the first images only the cap on their rate is known.
        max_rate_hz = self.parameters['max_rate_hz']
        capped_s = 1 / max_rate_hz if max_rate_hz else 0.0
        patience_s = PATIENCE * max(self._source.looked_at_step_s, capped_s)
        self._source.watch()
        if isinstance(self._source, CroppedFaces):
            patience_s = max(INPUT_TIMEOUT_S, patience_s)
        # However long a busy machine looks at an image: that is no silence of the camera.
        if not self._is_looking:
            self._to_publish.put((self._end_when_blind, patience_s))

    def _end_when_blind(self, patience_s: float) -> None:
        timeout_s = max(self.parameters['max_absence_s'], patience_s)
        if self._blindness.duration_s > timeout_s:
            self._faces_now = 0
            if isinstance(self._source, CroppedFaces):
                self._source.lose_sight()
            if self._face_publishers is not None:
                self._face_publishers.end_all()

    def facts(self) -> Mapping[str, object]:
        """Tell how many faces are seen, in images of which size, and how many listen."""
        source = self._source
        return {
            'faces': source.count() if isinstance(source, CroppedFaces) else self._faces_now,
            'image': self._size_now,
            'model': FACE_LANDMARKER.name,
            'subscribers': self._blendshapes.get_subscription_count(),
        }

    def on_parameters_changed(self, changed: dict[str, Any]) -> None:
        """Take over another rate from the next image on."""
        if self._source is not None:
            self._source.limit_rate()

    def alarms(self) -> Mapping[str, str]:
        """Tell of several cameras on the topic, and of several that list faces."""
        return {
            'senders': '' if self._source is None else self._source.several_senders(),
            'rivals': '' if self._face_publishers is None else self._face_publishers.rivals(),
        }

    def problems(self) -> list[str]:
        """Tell what is wrong with the images that come, or of faces whose pictures do not."""
        of_source = [] if self._source is None else self._source.problems()
        return [*of_source, *self._upright.hints()]

    def _receive(self, sender: str, *received: Any) -> None:
        for _ in range(self._received.put(sender, *received)):
            self.statistics.skip()

    def _leave_mediapipe_alone(self) -> None:
        if self.parameters['engine'] == 'mediapipe' and self.parameters['on_one_core']:
            from emotion_estimator.faces.mediapipe_landmarker import keep_off_last_core

            keep_off_last_core()

    def _look(self, source: CameraFaces | CroppedFaces) -> None:
        self.guarded(self._leave_mediapipe_alone)()

        def look(received: tuple[str, Any]) -> None:
            seen = source.look(*received)
            if seen is not None:
                # No further result waits: images that come meanwhile are skipped, and counted.
                self._is_published.acquire()
                self._to_publish.put((self._publish, seen))

        while (received := self._received.take()) is not None:
            self._is_looking = True
            self.attempt(look, received)
            self._is_looking = False
        self._to_publish.put(None)

    def _lose(self, face_ids: Iterable[str]) -> None:
        """Let the topics of faces go, after what was seen of them."""
        for face_id in face_ids:
            self._received.drop(face_id)
        if self._face_publishers is not None:
            self._to_publish.put((self._face_publishers.end, face_ids))

    def _tell(self) -> None:
        self.guarded(self._leave_mediapipe_alone)()
        while (task := self._to_publish.get()) is not None:
            work, argument = task
            self.attempt(work, argument)
            if isinstance(argument, ObservedFaces):
                self._is_published.release()

    def _publish(self, seen: ObservedFaces) -> None:
        # Whoever ends from here on has its end behind this in the queue.
        if isinstance(self._source, CroppedFaces) and not self._source.follows(seen.faces):
            return
        self._blindness.hear()
        self._faces_now = len(seen.faces)
        if seen.view is not None:
            self._size_now = f'{seen.view.camera.width} x {seen.view.camera.height}'
        stamp_ns = nanoseconds(seen.header.stamp)
        for face in seen.faces:
            features = NamedFeatures(face.face_id, stamp_ns, face.named_values())
            self._upright.see(features.values)
            header = ROS.header_of_face(face.face_id, seen.header.stamp)
            offered = self._offer and self._offer(self._blendshapes, features, header)
            if not offered:
                self._blendshapes.publish(ROS.blendshapes(face, header))
        if self._face_publishers is not None:
            self._face_publishers.publish(seen)
        if self._annotated is not None:
            self._annotated.offer(seen)
        self.count_result(stamp_ns)


def blendshape_node_assets(start_values: Mapping[str, object]) -> list[Asset]:
    """
    List the assets that the node will load.

    :param start_values: the parameters that its command line and files set.
    :returns: the assets.
    """
    values = {**{spec.name: spec.default for spec in BLENDSHAPE_NODE}, **start_values}
    # Another detector's crops are looked at without a search.
    searches = {} if not values['ros4hri_input'] else {'detection_rate_hz': 0.0}
    return wanted_assets({**values, **searches})


def main() -> int:
    """Run the node by itself."""
    return run([BlendshapeNode], {'blendshape_node': blendshape_node_assets})
