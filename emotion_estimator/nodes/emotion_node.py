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

"""The LSTM node: blendshapes of each face in, the expression shown out."""

from __future__ import annotations

if __name__ == '__main__':  # before the imports, so that Ctrl-C ends them quietly
    from emotion_estimator import commands

    raise SystemExit(commands.main('emotion_node'))

import threading
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any

from hri_msgs.msg import Expression
from rclpy.publisher import Publisher
from rclpy.qos import QoSProfile
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.subscription import Subscription
from std_msgs.msg import Header
from vision_msgs.msg import Classification

from emotion_estimator.cameras import advice_for_rate
from emotion_estimator.emotion.decision import PriorError
from emotion_estimator.emotion.estimation import (
    EmotionEstimation,
    FeatureError,
    build_estimation,
)
from emotion_estimator.emotion.model import ModelError, ModelMetadata
from emotion_estimator.files import find_model
from emotion_estimator.messages import (
    MOST_FACES,
    ROS,
    MessageError,
    NamedFeatures,
    face_features,
    nanoseconds,
)
from emotion_estimator.nodes.diagnostics import PATIENCE, Silence
from emotion_estimator.nodes.lifecycle import ManagedNode
from emotion_estimator.nodes.spin import run
from emotion_estimator.parameters import EMOTION_NODE
from emotion_estimator.stamps import Step

_MOST_NAMED = 3
_LOSS_FIRST = 'Where blendshape_node tells of images that do not arrive, mend that first.'

Take = Callable[[NamedFeatures, Header], None]
"""Takes a face's features, and the header that their message would have."""


class HandOver:
    """
    A short way from the node that finds faces to the one that estimates their expression.

    It is taken while the second is the only one that listens. Where others listen too a message is
    sent, which that node hears as they do. What is on its way as a message comes first: so faces
    keep their order where a listener comes or goes.
    """

    def __init__(self) -> None:
        self._taker: tuple[str, Take] | None = None
        self._awaited: Header | None = None

    def open(self, topic: str, take: Take) -> None:
        """
        Begin to take faces.

        :param topic: resolved name of the topic that the taker listens to.
        :param take: called in the thread of whoever offers a face.
        """
        self._awaited = None
        self._taker = topic, take

    def close(self) -> None:
        """Take no more."""
        self._taker = None

    def offer(self, publisher: Publisher[Any], face: NamedFeatures, header: Header) -> bool:
        """
        Hand a face over, if no message of it is needed.

        :param publisher: what would send the message.
        :param face: the face.
        :param header: of the message.
        :returns: whether it was taken; if not, the message is to be sent.
        """
        taker = self._taker
        if taker is None or taker[0] != publisher.topic_name:
            return False
        if self._awaited is not None or publisher.get_subscription_count() != 1:
            self._awaited = header
            return False
        taker[1](face, header)
        return True

    def hear(self, header: Header) -> None:
        """
        Note a message that has arrived, when it was dealt with.

        :param header: the message's.
        """
        if header == self._awaited:
            self._awaited = None


class EmotionNode(ManagedNode):
    """
    Estimates the expression of each face over a window of time, by the images' stamps.

    :param hand_over: comes from the blendshape node of the same process; None where there is none.
    :param options: further arguments of `rclpy.node.Node`.
    """

    message_errors = (MessageError, FeatureError, ModelError)
    # Nothing comes while no face is seen.
    input_may_pause = True

    def __init__(self, hand_over: HandOver | None = None, **options: Any) -> None:
        # Messages come in the thread that spins, what is handed over in one of the other node.
        self._lock = threading.Lock()
        self._takes = False
        self._hand_over = hand_over or HandOver()
        super().__init__('emotion_node', EMOTION_NODE, **options)
        self._emotion = self.create_lifecycle_publisher(Classification, 'emotion', 10)
        self._expressions: dict[str, Publisher[Expression]] = {}
        self._faces_now = 0
        self._unseen = Silence()  # since a face was estimated: what is refused shows none
        self._estimation: EmotionEstimation | None = None
        self._metadata: ModelMetadata | None = None

    def load(self) -> None:
        """Load the model."""
        self._estimation, self._metadata = build_estimation(
            self.parameters, find_model(self.parameters['model'])
        )
        self._estimation.most_faces = MOST_FACES

    def release(self) -> None:
        """Forget the model."""
        self._estimation = self._metadata = None

    def start(self) -> Subscription[Any]:
        """Begin to take blendshapes."""
        subscription = self.create_subscription(
            Classification,
            'blendshapes',
            self._on_blendshapes,
            QoSProfile(depth=10),
            qos_overriding_options=QoSOverridingOptions.with_default_policies(),
        )
        self._takes = True
        self._hand_over.open(subscription.topic_name, self._take)
        return subscription

    def stop(self) -> None:
        """End all faces."""
        self._hand_over.close()
        with self._lock:
            self._takes = False
            if self._estimation is not None:
                self._estimation.forget_all()
            self._end_topics()

    def facts(self) -> Mapping[str, object]:
        """Tell model and faces, how many send blendshapes and how many listen."""
        model = self._metadata
        named = f'{model.name} {model.version}' if model else ''
        return {
            'faces': self._faces_now,
            'model': named,
            'publishers': self.count_publishers(self.resolve_topic_name('blendshapes')),
            'subscribers': self._emotion.get_subscription_count(),
        }

    def problems(self) -> list[str]:
        """Tell of a rate for which the parameters are not made."""
        step_s = self._step_s()
        names = ('max_gap_s', 'face_timeout_s')
        advice = advice_for_rate(step_s, {name: self.parameters[name] for name in names})
        # Of faces nobody counts which are lost: that is known where the images arrive.
        return [f'{advice} {_LOSS_FIRST}'] if advice else []

    def objection(self, name: str, value: Any) -> str:
        """Refuse a class prior that does not fit the model."""
        try:
            if name == 'class_prior' and self._metadata is not None:
                self._metadata.prior(value)
        except PriorError as error:
            return str(error)
        return ''

    def on_parameters_changed(self, changed: dict[str, Any]) -> None:
        """Take over prior and thresholds from the next frame on."""
        with self._lock:
            if self._estimation is not None and self._metadata is not None:
                self._estimation.prior = self._metadata.prior(self.parameters['class_prior'])
                self._estimation.face_timeout_s = self.parameters['face_timeout_s']
                self._estimation.set_thresholds(
                    self.parameters['min_confidence'], self.parameters['hysteresis']
                )

    def _on_blendshapes(self, message: Classification) -> None:
        with self._lock:
            self.statistics.receive(nanoseconds(message.header.stamp), lost=0)
            self.attempt(self._read, message)
            self._hand_over.hear(message.header)

    def _take(self, face: NamedFeatures, header: Header) -> None:
        """Take a face from the other node of this process."""
        with self._lock:
            if self._takes:
                self.statistics.receive(face.stamp_ns, lost=0)
                self.attempt(partial(self._estimate, header=header), face)

    def _read(self, message: Classification) -> None:
        self._estimate(face_features(message), message.header)

    def _estimate(self, face: NamedFeatures, header: Header) -> None:
        if self._estimation is None:
            return
        estimate = self._estimation.estimate(face.face_id, face.stamp_ns, face.values)
        if estimate is None:
            step = self._estimation.step
            how = 'came twice' if step is Step.REPEATED else step.value
            raise MessageError(
                f'header.stamp {face.stamp_ns} ns of face {face.face_id} {how}; '
                'the message is left out.'
            )
        if estimate.step.restarts:
            self.refuse(
                f'header.stamp of face {face.face_id} {estimate.step.value} to '
                f'{face.stamp_ns} ns: its buffer starts over.'
            )
        elif ahead := self._estimation.ended_ahead:
            self.refuse(
                f'header.stamp {face.stamp_ns} ns of face {face.face_id} lies far behind that of '
                f'{", ".join(ahead[:_MOST_NAMED])}, whose buffer ends: let all stamps on the '
                'topic be of one clock.'
            )
        if self._emotion.get_subscription_count():
            self._emotion.publish(ROS.emotion(estimate, header))
        if self.parameters['ros4hri']:
            publisher = self._expression_publisher(face.face_id)
            if publisher.get_subscription_count():
                publisher.publish(ROS.expression(estimate, header))
        self._end_topics(self._estimation.face_ids)
        self._unseen.hear()
        self.count_result(face.stamp_ns)

    def _expression_publisher(self, face_id: str) -> Publisher[Expression]:
        publisher = self._expressions.get(face_id)
        if publisher is None:
            topic = f'/humans/faces/{face_id}/expression'
            publisher = self._expressions[face_id] = self.create_publisher(Expression, topic, 10)
        return publisher

    def watch(self) -> None:
        """
        Take topics down when no face comes any more, by the steady clock.

        Only topics: buffers end by the images' stamps, in a replay as here.
        """
        timeout_s = max(self.parameters['face_timeout_s'], PATIENCE * self._step_s())
        # Asked first, and always: it also notices when this process stood still.
        if self._unseen.duration_s > timeout_s and self._faces_now:
            with self._lock:
                self._end_topics()

    def _step_s(self) -> float:
        with self._lock:
            return 0.0 if self._estimation is None else self._estimation.step_s

    def _end_topics(self, but_of: Collection[str] = ()) -> None:
        self._faces_now = len(but_of)
        for face_id in set(self._expressions).difference(but_of):
            self.destroy_publisher(self._expressions.pop(face_id))


def main() -> int:
    """Run the node by itself."""
    return run([EmotionNode], sends_images=False)
