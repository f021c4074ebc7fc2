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

"""Runs every measurement, prints a table and writes out/bench.json."""

from __future__ import annotations

import argparse
import gc
import importlib.util
import json
import sys
from pathlib import Path

import rclpy
from rich.console import Console
from rich.table import Table

from dev.bench.clip import rgb_frames
from dev.bench.covered_faces import measure_covered_faces
from dev.bench.crossings import measure_crossings
from dev.bench.emotion_half import measure_emotion_half
from dev.bench.head_pose import measure_head_pose
from dev.bench.latency import measure_latency
from dev.bench.many_faces import measure_many_faces
from dev.bench.replay_speed import measure_replay
from dev.bench.small_faces import measure_small_faces
from dev.bench.throughput import measure_throughput
from dev.bench.turned_faces import measure_turned_faces
from emotion_estimator.files import write_whole

LIMITS = {
    'pipeline_fps_ratio': ('>=', 0.95),
    'emotion_half_ms_p50': ('<=', 1.0),
    'emotion_half_ms_p99': ('<=', 3.0),
    'frames_lost': ('<=', 0),
    'latency_over_mediapipe_ms_p50': ('<=', 6.0),
    'multi_face_found': ('>=', 5),
    'recall_24px': ('>=', 0.95),
    'recall_40px': ('>=', 0.99),
    'smiling_right_48px': ('>=', 0.9),
    'faces_invented': ('<=', 0),
    'replay_fps_ratio': ('>=', 0.95),
    'replay_one_core_ratio': ('>=', 0.95),
    'replay_two_cores_ratio': ('>=', 1.8),
    'replay_memory_ratio': ('<=', 1.1),
    'replay_bytes_differ': ('<=', 0),
    'ids_kept_apart': ('>=', 1.0),
    'ids_kept_overlapping': ('>=', 0.9),
    'cost_per_face_2': ('<=', 1.0),
    'cost_per_face_4': ('<=', 1.0),
    'cost_per_face_8': ('<=', 1.0),
    'near_face_fps_ratio': ('>=', 0.97),
    'head_roll_error_deg': ('<=', 5),
    'head_pitch_error_deg': ('<=', 5),
    'head_yaw_error_deg': ('<=', 5),
    'same_yaw_30deg': ('>=', 0.9),
    'misled_yaw_75deg': ('<=', 0.1),
    'misled_pitch_45deg': ('<=', 0.1),
    'unknown_uncovered': ('<=', 0.05),
    'unknown_mouth_covered': ('>=', 0.9),
    'unknown_eyes_covered': ('>=', 0.9),
    'tensorflow_importable': ('<=', 0),
}


def main() -> int:
    """
    Measure.

    :returns: exit status: 0, or 1 when a figure is beyond its limit.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--seconds', type=float, default=120.0, help='length of the latency run')
    parser.add_argument('--out', type=Path, default=Path('out/bench.json'))
    arguments = parser.parse_args()
    frames = rgb_frames()
    rclpy.init()
    gc.freeze()
    try:
        figures: dict[str, float] = {
            **measure_throughput(frames),
            **measure_emotion_half(frames),
            **measure_latency(frames, arguments.seconds),
            **measure_small_faces(),
            **measure_replay(frames),
            **measure_crossings(),
            **measure_many_faces(frames),
            **measure_head_pose(),
            **measure_turned_faces(),
            **measure_covered_faces(),
            'tensorflow_importable': int(importlib.util.find_spec('tensorflow') is not None),
        }
    finally:
        rclpy.try_shutdown()
    write_whole(arguments.out, (json.dumps(figures, indent=2) + '\n').encode())
    table = Table('figure', 'measured', 'limit', '')
    for name, value in figures.items():
        sign, limit = LIMITS.get(name, ('', None))
        table.add_row(
            name,
            f'{value:.4g}',
            '' if limit is None else f'{sign} {limit:g}',
            '' if limit is None else ('met' if _met(name, value) else 'NOT MET'),
        )
    Console().print(table)
    print(f'Written: {arguments.out}')
    return 0 if all(_met(name, figures[name]) for name in LIMITS) else 1


def _met(name: str, value: float) -> bool:
    sign, limit = LIMITS[name]
    return value >= limit if sign == '>=' else value <= limit


if __name__ == '__main__':
    sys.exit(main())
