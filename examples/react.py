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

"""Makes a robot react to a person's expression: a node of thirty lines to copy and change."""

from typing import Any

import rclpy
from rclpy.duration import Duration
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.time import Time
from std_msgs.msg import String
from vision_msgs.msg import Classification

REACTIONS = {'happy': 'smile', 'scared': 'slow down'}
BEGIN = 0.7
END = 0.4
TIMEOUT = Duration(seconds=1.0)


class React(Node):
    """
    Publishes what the robot is to do on `reaction`, each time that it changes; '' is nothing.

    A reaction begins where the expression's score reaches `BEGIN`, and ends where it falls below
    `END`: between them nothing changes, so that it does not flicker. Without a message of the face
    for `TIMEOUT`, by the stamps of the images, it ends too. One person at a time.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__('react', **options)
        self.face, self.expression, self.stamp = '', '', Time()
        latest = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self.publisher = self.create_publisher(String, 'reaction', latest)
        self.create_subscription(Classification, 'emotion', self.on_emotion, 10)
        self.create_timer(0.1, self.on_timer)

    def on_emotion(self, message: Classification) -> None:
        """Begin, go on or end."""
        stamp = Time.from_msg(message.header.stamp, self.get_clock().clock_type)
        face = message.header.frame_id
        if self.face not in ('', face) or not self.is_now(stamp):
            return
        scores = {result.class_id: result.score for result in message.results}
        if scores.get(self.expression, 0.0) >= END:
            self.stamp = stamp
        else:
            begun = (name for name in REACTIONS if scores.get(name, 0.0) >= BEGIN)
            self.react(face, next(begun, ''), stamp)

    def on_timer(self) -> None:
        """End where the person is gone, or the camera stands still."""
        if self.face and not self.is_now(self.stamp):
            self.react('', '', self.stamp)

    def is_now(self, stamp: Time) -> bool:
        """Tell whether a stamp is of now; where a bag begins again those of before lie ahead."""
        age = self.get_clock().now() - stamp
        return bool(abs(age.nanoseconds) <= TIMEOUT.nanoseconds)

    def react(self, face: str, expression: str, stamp: Time) -> None:
        """Let the robot do something; this is what you change."""
        if expression != self.expression:
            self.publisher.publish(String(data=REACTIONS.get(expression, '')))
        self.face, self.expression, self.stamp = face if expression else '', expression, stamp


def main() -> None:
    """Run it until Ctrl-C."""
    rclpy.init()
    try:
        rclpy.spin(React())
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    finally:
        rclpy.try_shutdown()


if __name__ == '__main__':
    main()
