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

"""Plays a bag onto topics at the pace of its recording, for machines without rosbag2."""

from __future__ import annotations

if __name__ == '__main__':  # before the imports, so that Ctrl-C ends them quietly
    from emotion_estimator import commands

    raise SystemExit(commands.main('play'))

import argparse
import struct
import sys
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import rclpy
from builtin_interfaces.msg import Time
from hri_msgs.msg import IdsList
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.serialization import deserialize_message, serialize_message
from rosbags.convert.converter import generate_message_converter
from rosbags.interfaces import Connection, ConnectionExtRosbag2, QosDurability, QosReliability
from rosgraph_msgs.msg import Clock
from std_msgs.msg import Header
from tf2_msgs.msg import TFMessage

from emotion_estimator.commands import note_interrupts, part_arguments, place
from emotion_estimator.messages import ROS, ros_type, standard_types
from emotion_estimator.nodes.lifecycle import LAST_WORD
from emotion_estimator.nodes.spin import EXIT_WRONG_PARAMETER, POLL_S, RosArgumentError, init_ros
from emotion_estimator.replay.bag import with_slash
from emotion_estimator.replay.bag_reader import BagReader
from emotion_estimator.replay.recordings import RecordingError
from emotion_estimator.stamps import NS_PER_S

CLOCK_PERIOD_S = 0.01
LONGEST_PAUSE_S = 3600.0
"""Nothing is waited for longer: what leaps further is another clock."""
EXIT_BROKEN = 1


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Play a bag.

    :param arguments: command line without the program's name; None takes that of the process.
    :returns: exit status: 0, 1 when the bag cannot be read whole, 2 when an argument is wrong.
    """
    given = sys.argv[1:] if arguments is None else arguments
    options = _parse(part_arguments(given)[0])
    noted = note_interrupts()
    player: BagPlayer | None = None
    try:
        init_ros(given)
        player = BagPlayer(options.bag, options.topics)
        if options.clock and '/clock' in map(with_slash, player.topics):
            options.clock = False  # two times would take turns
            player.hints.append('The bag holds a /clock, which is played; --clock adds none.')
        for hint in player.hints:
            print(hint, file=sys.stderr)
        play(player, options, lambda: bool(noted))
    except RosArgumentError as error:
        print(error, file=sys.stderr)
        return EXIT_WRONG_PARAMETER
    except RecordingError as error:
        print(error, file=sys.stderr)
        return EXIT_BROKEN
    except ExternalShutdownException:
        pass
    finally:
        if player is not None:
            player.finish(lambda: bool(noted))
            for problem in dict.fromkeys(player.problems):  # each round finds them
                print(problem, file=sys.stderr)
            player.close()
            player.destroy_node()
        rclpy.try_shutdown()
    return EXIT_BROKEN if player is not None and player.problems else 0


def play(player: BagPlayer, options: argparse.Namespace, ended: Callable[[], bool]) -> None:
    """
    Publish message after message when it is due.

    :param player: publishes them.
    :param options: as the command line gives them.
    :param ended: asked a few times a second whether to end.
    :raises ExternalShutdownException: when it is to end.
    """
    executor = SingleThreadedExecutor()
    executor.add_node(player)
    wait = partial(_wait, executor, ended)
    try:
        wait(time.monotonic() + options.delay)
        while True:
            # To play nothing again and again would leave no time for Ctrl-C.
            if not _play_once(player, wait, options) or not options.loop:
                return
    finally:
        executor.remove_node(player)
        executor.shutdown()


def _play_once(
    player: BagPlayer, wait: Callable[[float], None], options: argparse.Namespace
) -> bool:
    newest_ns: int | None = None
    shift_ns = lasted_ns = refused = 0
    start_s = time.monotonic()
    for due in player.messages():
        if newest_ns is None and options.stamps == 'now':
            shift_ns = time.time_ns() - due.recorded_ns
        step_ns = due.recorded_ns - (due.recorded_ns if newest_ns is None else newest_ns)
        newest_ns = due.recorded_ns
        if 0 <= step_ns <= LONGEST_PAUSE_S * NS_PER_S:
            lasted_ns += step_ns
        else:
            player.get_logger().warning(
                f'The times in the bag leap by {step_ns / NS_PER_S:.0f} s; it goes on at once.',
                once=True,
            )
        due_s = start_s + lasted_ns / NS_PER_S / options.rate
        while options.clock and (left_s := due_s - time.monotonic()) > CLOCK_PERIOD_S:
            player.publish_clock(due.recorded_ns + shift_ns - round(left_s * options.rate * 1e9))
            wait(time.monotonic() + CLOCK_PERIOD_S)
        wait(due_s)
        if options.clock:
            player.publish_clock(due.recorded_ns + shift_ns)
        try:
            due.publish(shift_ns)
        # A message that is no message of its type costs itself alone.
        except Exception as error:
            if not rclpy.ok():
                raise
            refused += 1
            player.get_logger().warning(f'A message cannot be published: {error}', once=True)
    if refused:
        player.problems.append(f'{refused} messages could not be published.')
    return newest_ns is not None


def _wait(executor: SingleThreadedExecutor, ended: Callable[[], bool], until_s: float) -> None:
    """Serve the node's services until a time; ends early when it is to end."""
    while not ended() and (left_s := until_s - time.monotonic()) > 0:
        executor.spin_once(timeout_sec=min(left_s, POLL_S))
    if ended() or not rclpy.ok():
        raise ExternalShutdownException


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog='play', usage='play BAG [options]', description=__doc__)
    add = parser.add_argument
    add('bag', type=place, metavar='BAG', help='rosbag2 folder; .mcap, .db3 or .bag file')
    add('--topics', nargs='+', default=[], help='play these alone')
    moved = 'stamps as recorded, or moved so that the first message was recorded now'
    add('--stamps', choices=('kept', 'now'), default='kept', help=moved)
    add('--rate', type=float, default=1.0, help='times the pace of the recording')
    add('--loop', action='store_true', help='begin again at the end, until Ctrl-C')
    add('--clock', action='store_true', help='tell the time on /clock, where the bag does not')
    add('--delay', type=float, default=1.0, help='seconds for subscribers to find the topics')
    options = parser.parse_args(arguments)
    if not 0 < options.rate < float('inf'):
        parser.error(f'--rate must be a number above 0, not {options.rate:g}.')
    if not 0 <= options.delay < float('inf'):
        parser.error(f'--delay must be a number of 0 or more, not {options.delay:g}.')
    return options


# A node that publishes the messages of a bag on their topics, their stamps moved in time.


# CDR: four bytes tell the byte order, then a header begins with seconds and nanoseconds.
_HEADER_AT = 4
_BYTE_ORDERS = {0: '>', 1: '<'}
_LAST_ENCODING = 0x0D
_STAMPED = ('std_msgs/Header', 'builtin_interfaces/Time')
_LAST_S = (1 << 31) - 1


def shifted(raw: bytes, message_type: Any, shift_ns: int) -> bytes:
    """
    Move a message's stamp: that of its header, or those of its transforms.

    A stamp of zero, which nobody filled in, stays; so does a message that begins with neither
    header nor stamp, and a stamp that would leave the range of stamps.

    :param raw: the message in CDR.
    :param shift_ns: nanoseconds to add.
    """
    if message_type is TFMessage:
        return _shifted_transforms(raw, shift_ns)
    fields = list(message_type.get_fields_and_field_types().values())
    if not fields or fields[0] not in _STAMPED:
        return raw
    layout = _BYTE_ORDERS[raw[1] & 1] + 'iI'
    sec, nanosec = struct.unpack_from(layout, raw, _HEADER_AT)
    if not sec and not nanosec:
        return raw
    moved = bytearray(raw)
    sec, nanosec = _moved(sec, nanosec, shift_ns)
    struct.pack_into(layout, moved, _HEADER_AT, sec, nanosec)
    return bytes(moved)


def _shifted_transforms(raw: bytes, shift_ns: int) -> bytes:
    message = deserialize_message(raw, TFMessage)
    for transform in message.transforms:
        stamp = transform.header.stamp
        if stamp.sec or stamp.nanosec:
            stamp.sec, stamp.nanosec = _moved(stamp.sec, stamp.nanosec, shift_ns)
    return bytes(serialize_message(message))


def _moved(sec: int, nanosec: int, shift_ns: int) -> tuple[int, int]:
    moved = divmod(sec * NS_PER_S + nanosec + shift_ns, NS_PER_S)
    return moved if 0 <= moved[0] <= _LAST_S else (sec, nanosec)


_DEPTH = 100
"""A latched topic keeps as many messages; the others may lie in wait."""


@dataclass(frozen=True)
class Due:
    """
    The message that comes next.

    :param recorded_ns: when it was recorded, in nanoseconds.
    :param publish: publishes it; takes the nanoseconds by which its stamp moves.
    """

    recorded_ns: int
    publish: Callable[[int], None]


class BagPlayer(Node):  # type: ignore[misc]
    """
    Publishes serialised messages as they stand in the bag, of any type that is installed.

    :param path: a rosbag2 folder, or an .mcap, .db3 or .bag file.
    :param topics: those to play; empty plays all.
    :param options: further arguments of `rclpy.node.Node`.
    :raises RecordingError: when the bag cannot be opened, or nothing in it can be played.
    """

    def __init__(self, path: Path, topics: Collection[str] = (), **options: Any) -> None:
        self._reader = BagReader(path)
        self.problems, self.hints = self._reader.problems, self._reader.hints
        super().__init__('bag_player', **options)
        self._outputs: dict[tuple[int, int], tuple[Publisher[Any], Any]] = {}
        self._played: list[Connection] = []
        self._faces: dict[Publisher[IdsList], Header] = {}  # of the last list on each topic
        self._clock: Publisher[Clock] | None = None
        self._to_ros2: dict[str, Callable[[bytes], memoryview]] = {}
        self._current_types = standard_types()
        wanted = {with_slash(topic) for topic in topics}
        connections = self._reader.connections
        for connection in connections:
            if not wanted or with_slash(connection.topic) in wanted:
                self._add(connection)
        played = {with_slash(one.topic) for one in self._played if one.msgcount}
        if not played or wanted - played:
            held = sorted(f'{c.topic} ({c.msgtype}, {c.msgcount})' for c in connections)
            problems = ' '.join(('', *self.problems))
            self.close()
            self.destroy_node()
            what = f'on {", ".join(sorted(wanted - played))} ' if wanted else ''
            raise RecordingError(
                f'{path} holds nothing {what}to play; there: {", ".join(held) or "none"}.'
                f'{problems}'
            )

    @property
    def topics(self) -> tuple[str, ...]:
        """Names of the topics that are played, as they stand in the bag."""
        return tuple(sorted({connection.topic for connection in self._played}))

    def messages(self) -> Iterator[Due]:
        """Go through the bag once, message by message, in the order of recording."""
        refused = 0
        for connection, recorded_ns, raw in self._reader.messages(self._played):
            # CDR begins with a zero and a small number that tells how it is written.
            if self._reader.is2 and (len(raw) < _HEADER_AT or raw[0] or raw[1] > _LAST_ENCODING):
                refused += 1
                continue
            yield Due(recorded_ns, self._publication(connection, raw))
        if refused:
            self.problems.append(f'{refused} messages are damaged, and were not published.')

    def publish_clock(self, time_ns: int) -> None:
        """Tell the time on /clock, in nanoseconds."""
        if self._clock is None:
            self._clock = self.create_publisher(Clock, '/clock', 1)
        stamp = Time(sec=time_ns // NS_PER_S, nanosec=time_ns % NS_PER_S)
        self._clock.publish(Clock(clock=stamp))

    def finish(self, ended: Callable[[], bool] = lambda: False) -> None:
        """List no face any more, as nodes do at their end; until `ended`, let the rest arrive."""
        for publisher, header in self._faces.items():  # listeners keep those listed last
            publisher.publish(ROS.tracked((), header))
        for publisher, _ in self._outputs.values():
            if publisher in self._faces or not ended():
                publisher.wait_for_all_acked(LAST_WORD)
        self._faces.clear()

    def close(self) -> None:
        """Close the bag."""
        with suppress(Exception):
            self._reader.close()

    def _add(self, connection: Connection) -> None:
        """Make its publisher; what ROS 2 cannot play is left out, and said."""
        what, kind = connection.topic, connection.msgtype
        try:
            name = self.resolve_topic_name(connection.topic)
            message_type = ros_type(kind)
            if not self._reader.is2 and kind not in self._to_ros2:
                self._to_ros2[kind] = self._converter(kind)
        except (ImportError, AttributeError, KeyError, ValueError) as error:
            why = f'its type {kind} is not installed ({error})'
        except RuntimeError as error:  # of rcl, with a place in its source behind the reason
            reason = str(error).partition(': ')[2].partition(', at ')[0]
            why = f'ROS 2 has no topic of that name ({reason}); `replay` reads it all the same'
        else:
            there = {one for each, one in self._outputs.values() if each.topic_name == name}
            if there <= {message_type}:
                publisher = self.create_publisher(message_type, connection.topic, _qos(connection))
                self._outputs[_key(connection)] = (publisher, message_type)
                self._played.append(connection)
                return
            what = f'{kind} on {what}'
            why = 'a topic of ROS 2 has one type, and another on it is played'
        self.get_logger().warning(f'{what} is left out: {why}.')

    def _converter(self, kind: str) -> Callable[[bytes], memoryview]:
        old, new = self._reader.typestore, self._current_types
        new.get_msgdef(kind)
        converter: Callable[[bytes], memoryview] = generate_message_converter(
            old, new, kind, kind, {}, src_is2=False, dst_is2=True
        )
        return converter

    def _publication(self, connection: Connection, raw: bytes) -> Callable[[int], None]:
        publisher, message_type = self._outputs[_key(connection)]

        def publish(shift_ns: int) -> None:
            serialised = bytes(raw)
            if connection.msgtype in self._to_ros2:
                serialised = bytes(self._to_ros2[connection.msgtype](raw))
            if shift_ns:
                serialised = shifted(serialised, message_type, shift_ns)
            if message_type is IdsList:  # first: of a damaged one it raises
                self._faces[publisher] = deserialize_message(serialised, IdsList).header
            publisher.publish(serialised)

        return publish


def _key(connection: Connection) -> tuple[int, int]:
    return id(connection.owner), connection.id


def _qos(connection: Connection) -> QoSProfile:
    """Offer what was offered when the bag was recorded; latched where a topic always is."""
    qos = QoSProfile(depth=_DEPTH)
    offered = None
    latched = connection.topic == '/tf_static'
    if isinstance(connection.ext, ConnectionExtRosbag2):
        offered = next(iter(connection.ext.offered_qos_profiles), None)
    else:
        latched = latched or bool(connection.ext.latching)
    if offered is not None:
        latched = latched or offered.durability is QosDurability.TRANSIENT_LOCAL
        if offered.reliability is QosReliability.BEST_EFFORT:
            qos.reliability = ReliabilityPolicy.BEST_EFFORT
    if latched:
        qos.durability = DurabilityPolicy.TRANSIENT_LOCAL
    return qos
