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

"""Frames a second from image message to emotion message, against bare MediaPipe."""

from __future__ import annotations

import statistics
import time

from dev.bench.clip import BareMediaPipe, Rgb
from dev.bench.feeder import Feeder
from dev.bench.nodes import LOG, new_node

ROUNDS = 9
FRAMES_A_ROUND = 144
IN_FLIGHT = 2
"""One frame being looked at and one waiting: more would be skipped, as they should be."""
LOST_S = 0.9
PATIENCE_S = 60.0


def measure_throughput(frames: list[Rgb], rounds: int = ROUNDS) -> dict[str, float]:
    """
    Measure both by turns, so that a busy machine disturbs both.

    :param frames: the frames.
    :param rounds: how many turns each has.
    :returns: median frames a second of each and the median of the rounds' ratios.
    """
    bare = BareMediaPipe()
    feeder = Feeder(frames)
    reliable = 'qos_overrides./image.subscription.reliability:=reliable'
    with new_node('both_nodes', '-p', reliable):
        _pipeline_fps(feeder, 30)
        for frame in frames[:30]:
            bare.look_at(frame)
        fps = [(_bare_fps(bare, frames), _pipeline_fps(feeder)) for _ in range(rounds)]
    feeder.close()
    bare.close()
    return {
        'bare_fps': statistics.median(of_bare for of_bare, _ in fps),
        'pipeline_fps': statistics.median(of_pipeline for _, of_pipeline in fps),
        'pipeline_fps_ratio': statistics.median(p / b for b, p in fps),
    }


def _bare_fps(bare: BareMediaPipe, frames: list[Rgb]) -> float:
    start_s = time.perf_counter()
    for i in range(FRAMES_A_ROUND):
        bare.look_at(frames[i % len(frames)])
    return FRAMES_A_ROUND / (time.perf_counter() - start_s)


def _pipeline_fps(feeder: Feeder, count: int = FRAMES_A_ROUND) -> float:
    """Send a frame whenever the one before the last has come out, and count the answers."""
    deadline_s = time.monotonic() + PATIENCE_S
    while not feeder.connected():
        feeder.spin(0.1)
        _check(deadline_s)
    feeder.forget()
    start_s = last_s = time.perf_counter()
    while len(feeder.heard) < count:
        if feeder.in_flight() < IN_FLIGHT:
            feeder.send()
        else:
            heard = len(feeder.heard)
            feeder.spin(1.0)
            if len(feeder.heard) == heard and time.perf_counter() - last_s > LOST_S:
                # Both were skipped or lost on the way.
                feeder.send()
            last_s = time.perf_counter()
        _check(deadline_s)
    return count / (time.perf_counter() - start_s)


def _check(deadline_s: float) -> None:
    if time.monotonic() > deadline_s:
        raise TimeoutError(f'The nodes gave no answer within {PATIENCE_S:g} s; see {LOG}.')
