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

import threading
from collections.abc import Mapping
from copy import copy
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from hri_msgs.msg import IdsList
from rclpy.qos import qos_profile_sensor_data
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.subscription import Subscription
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header
from vision_msgs.msg import Classification

from emotion_estimator.assets import FACE_DETECTOR, FACE_LANDMARKER, find_asset, find_encoding
from emotion_estimator.faces.face_encoding import DEFAULT_VERSION
from emotion_estimator.faces.face_finder import FaceFinder, Sighting
from emotion_estimator.faces.finder_assembly import assemble_finder
from emotion_estimator.faces.image_decoding import ImageError
from emotion_estimator.messages import blendshapes_message, nanoseconds, tracked_message
from emotion_estimator.nodes.events import NO_PUBLISHER_EVENTS, NO_SUBSCRIPTION_EVENTS
from emotion_estimator.nodes.image_conversion import rgb_of
from emotion_estimator.nodes.latest import Latest
from emotion_estimator.nodes.managed_node import ManagedNode
from emotion_estimator.nodes.parameters import Spec
from emotion_estimator.nodes.running import run
from emotion_estimator.stamps import NS_PER_S, Step

SPECS = (
    Spec(
        'image_transport',
        'raw',
        'How images arrive: raw on `image`, or compressed on `image/compressed`.',
        choices=('raw', 'compressed'),
    ),
    Spec('max_faces', 1, 'Most faces that are followed at once.', 1, 10),
    Spec(
        'detection_rate_hz',
        2.0,
        'Most searches a second for faces that MediaPipe alone does not find: small ones, and '
        'all but one of several. 0 leaves it at MediaPipe.',
        0.0,
        60.0,
    ),
    Spec('min_detection_confidence', 0.5, 'Least confidence of a detected face.', 0.0, 1.0),
    Spec('min_presence_confidence', 0.5, 'Least confidence that landmarks fit.', 0.0, 1.0),
    Spec('min_tracking_confidence', 0.5, 'Below it a face is detected anew.', 0.0, 1.0),
    Spec(
        'max_absence_s',
        1.0,
        'Longest time in seconds that an unseen face keeps its id.',
        0.0,
        60.0,
    ),
    Spec('face_id_seed', -1, 'Makes face ids repeatable; -1 draws them at random.', -1, 2**31 - 1),
    Spec(
        'on_one_core',
        True,
        "Keep MediaPipe's threads, which take turns, on the last core the process may use.",
    ),
    Spec('landmarker', '', 'Path of face_landmarker.task; empty finds or downloads it.'),
    Spec('detector', '', 'Path of yunet_n_dynamic.onnx; empty finds or downloads it.'),
    Spec(
        'encoding',
        DEFAULT_VERSION,
        'Name of a face encoding that ships, or path of one; empty sends blendshapes alone.',
    ),
    Spec('ros4hri', True, 'Publish /humans/faces/tracked (REP-155).'),
)


class BlendshapeNode(ManagedNode):
    """Finds faces in the latest image, publishes what each shows by the image's stamp."""

    message_errors = (ImageError,)

    def __init__(self, **options: Any) -> None:
        super().__init__('blendshape_node', SPECS, **options)
        self._blendshapes = self.create_lifecycle_publisher(
            Classification, 'blendshapes', 10, event_callbacks=NO_PUBLISHER_EVENTS
        )
        self._tracked = self.create_lifecycle_publisher(
            IdsList, '/humans/faces/tracked', 10, event_callbacks=NO_PUBLISHER_EVENTS
        )
        self._finder: FaceFinder | None = None
        self._frames: Latest[Image | CompressedImage] = Latest()
        self._sightings: SimpleQueue[tuple[Header, Sighting] | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._faces_now = 0

    def load(self) -> None:
        """Load the encoding and MediaPipe's model."""
        landmarker, detector = self.parameters['landmarker'], self.parameters['detector']
        encoding = self.parameters['encoding']
        small_faces = self.parameters['detection_rate_hz'] > 0
        self._finder = assemble_finder(
            self.parameters,
            Path(landmarker) if landmarker else find_asset(FACE_LANDMARKER),
            (Path(detector) if detector else find_asset(FACE_DETECTOR)) if small_faces else None,
            find_encoding(encoding) if encoding else None,
        )

    def release(self) -> None:
        """Close MediaPipe's graphs."""
        if self._finder is not None:
            self._finder.close()
            self._finder = None

    def start(self) -> Subscription[Any]:
        """
        Begin to take images.

        One thread looks at the latest image, another publishes what was seen, so that
        MediaPipe, which needs no interpreter, has the next image in the meantime.
        """
        self._frames, self._sightings = Latest(), SimpleQueue()
        self._threads = [
            threading.Thread(target=self._look, args=(self._frames, self._sightings), daemon=True),
            threading.Thread(target=self._tell, args=(self._sightings,), daemon=True),
        ]
        for thread in self._threads:
            thread.start()
        compressed = self.parameters['image_transport'] == 'compressed'
        return self.create_subscription(
            CompressedImage if compressed else Image,
            'image/compressed' if compressed else 'image',
            self._on_image,
            # A copy: rclpy writes overrides into the profile that it is given.
            copy(qos_profile_sensor_data),
            event_callbacks=NO_SUBSCRIPTION_EVENTS,
            qos_overriding_options=QoSOverridingOptions.with_default_policies(),
        )

    def stop(self) -> None:
        """Let the threads finish their frame and end."""
        self._frames.close()
        for thread in self._threads:
            thread.join()
        self._threads = []
        self._faces_now = 0

    def facts(self) -> Mapping[str, object]:
        """Tell how many faces are seen."""
        return {'faces': self._faces_now, 'model': FACE_LANDMARKER.name}

    def _on_image(self, message: Image | CompressedImage) -> None:
        self.statistics.receive(nanoseconds(message.header.stamp))
        if self._frames.put(message):
            self.statistics.skip()

    def _look(
        self,
        frames: Latest[Image | CompressedImage],
        sightings: SimpleQueue[tuple[Header, Sighting] | None],
    ) -> None:
        while (message := frames.take()) is not None:
            self.attempt(self._find, message)
        sightings.put(None)

    def _find(self, message: Image | CompressedImage) -> None:
        stamp_ns = nanoseconds(message.header.stamp)
        if stamp_ns == 0:
            raise ImageError("header.stamp is zero; let the driver fill in the image's time.")
        if self._finder is None:
            return
        sighting = self._finder.find(rgb_of(message), stamp_ns)
        if sighting.step is Step.REPEATED:
            raise ImageError(f'header.stamp {stamp_ns} ns came twice; the second is left out.')
        if sighting.step.restarts:
            self.refuse(
                f'header.stamp {sighting.step.value} to {stamp_ns} ns: all faces begin anew.'
            )
        self._sightings.put((message.header, sighting))

    def _tell(self, sightings: SimpleQueue[tuple[Header, Sighting] | None]) -> None:
        while (seen := sightings.get()) is not None:
            self.attempt(self._publish, seen)

    def _publish(self, seen: tuple[Header, Sighting]) -> None:
        header, sighting = seen
        self._faces_now = len(sighting.faces)
        for face in sighting.faces:
            self._blendshapes.publish(blendshapes_message(face, header.stamp))
        if self.parameters['ros4hri']:
            ids = [face.face_id for face in sighting.faces]
            self._tracked.publish(tracked_message(ids, header))
        latency_ns = self.get_clock().now().nanoseconds - nanoseconds(header.stamp)
        self.statistics.publish(latency_ns / NS_PER_S)


def main() -> int:
    """Run the node by itself."""
    return run([BlendshapeNode])


if __name__ == '__main__':
    raise SystemExit(main())
