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

"""What the figures are held to, the table of them, and their file."""

from __future__ import annotations

import json
from pathlib import Path

from rich.table import Column, Table

from dev.bench.session import Results
from emotion_estimator.files import write_whole

EXIT_BEYOND = 1
EXIT_STOPPED = 130

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
    'faces_invented_beside': ('<=', 0),
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


def is_met(name: str, value: float) -> bool:
    """
    Hold a figure to its limit.

    :param name: the figure's.
    :param value: what was measured.
    :returns: whether it is within its limit, or has none.
    """
    if name not in LIMITS:
        return True
    sign, limit = LIMITS[name]
    return value >= limit if sign == '>=' else value <= limit


def exit_status(results: Results) -> int:
    """
    Tell how the benchmark ends.

    :param results: what came out.
    :returns: 130 after Ctrl-C; 1 when a part failed or a figure is beyond its limit; else 0, also
        where parts were left out.
    """
    if results.stopped:
        return EXIT_STOPPED
    beyond = any(not is_met(name, value) for name, value in results.figures.items())
    return EXIT_BEYOND if beyond or results.failed else 0


def table_of(results: Results) -> Table:
    """
    List all figures, and the parts that have none.

    :param results: what came out.
    :returns: the table.
    """
    # In a narrow terminal reasons are folded, and names are not.
    longest = max(map(len, results.figures), default=0)
    figure = Column('figure', no_wrap=True, min_width=longest)
    table = Table(figure, 'measured', 'limit', '')
    for name, value in results.figures.items():
        limit = ' '.join([LIMITS[name][0], f'{LIMITS[name][1]:g}']) if name in LIMITS else ''
        verdict = 'met' if is_met(name, value) else 'NOT MET'
        table.add_row(name, f'{value:.4g}', limit, verdict if limit else '')
    if results.left_out or results.failed:
        table.add_section()
    for name, reason in results.left_out.items():
        table.add_row(name, 'left out', '', reason)
    for name, error in results.failed.items():
        table.add_row(name, 'FAILED', '', error)
    return table


def write_results(path: Path, results: Results) -> None:
    """
    Write the figures by name, with the parts left out and failed under `left_out` and `failed`.

    :param path: the JSON file.
    :param results: what came out.
    """
    content = {**results.figures, 'left_out': results.left_out, 'failed': results.failed}
    write_whole(path, (json.dumps(content, indent=2) + '\n').encode())
