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
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.signals import SignalHandlerOptions
from rclpy.utilities import remove_ros_args

from emotion_estimator.commands import note_interrupts
from emotion_estimator.extras.bag_player import BagPlayer
from emotion_estimator.nodes.spin import POLL_S
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
    :returns: exit status: 0, or 1 when the bag cannot be read, or not all of it.
    """
    given = sys.argv if arguments is None else ['play', *arguments]
    options = _parse(remove_ros_args(given)[1:])
    noted = note_interrupts()
    # Without rclpy's signal handlers, which end the context before the last word is said.
    rclpy.init(args=given, signal_handler_options=SignalHandlerOptions.NO)
    player: BagPlayer | None = None
    try:
        player = BagPlayer(options.bag, options.topics)
        for hint in player.hints:
            print(hint, file=sys.stderr)
        play(player, options, lambda: bool(noted))
    except RecordingError as error:
        print(error, file=sys.stderr)
        return EXIT_BROKEN
    except ExternalShutdownException:
        pass
    finally:
        if player is not None:
            player.end_faces()
            for problem in player.problems:
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
            _play_once(player, wait, options)
            if not options.loop:
                return
    finally:
        executor.remove_node(player)
        executor.shutdown()


def _play_once(
    player: BagPlayer, wait: Callable[[float], None], options: argparse.Namespace
) -> None:
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


def _wait(executor: SingleThreadedExecutor, ended: Callable[[], bool], until_s: float) -> None:
    """Serve the node's services until a time; ends early when it is to end."""
    while not ended() and (left_s := until_s - time.monotonic()) > 0:
        executor.spin_once(timeout_sec=min(left_s, POLL_S))
    if ended() or not rclpy.ok():
        raise ExternalShutdownException


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog='play', description=__doc__)
    add = parser.add_argument
    add('bag', type=Path, metavar='BAG', help='rosbag2 folder; .mcap, .db3 or .bag file')
    add('--topics', nargs='+', default=[], help='play these alone')
    add(
        '--stamps',
        choices=('kept', 'now'),
        default='kept',
        help='stamps as recorded, or moved so that the first message was recorded now',
    )
    add('--rate', type=_above_zero, default=1.0, help='times the pace of the recording')
    add('--loop', action='store_true', help='begin again at the end, until Ctrl-C')
    add('--clock', action='store_true', help='publish the time on /clock, for use_sim_time')
    add('--delay', type=float, default=1.0, help='seconds for subscribers to find the topics')
    return parser.parse_args(arguments)


def _above_zero(text: str) -> float:
    value = float(text)
    if not value > 0:
        raise argparse.ArgumentTypeError(f'must be above 0, not {text}.')
    return value
