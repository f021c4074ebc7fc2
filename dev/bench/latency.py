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

"""Latency, loss, memory and start of the two nodes as two processes at 30 frames a second."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from dev.bench.clip import BareMediaPipe, Rgb
from dev.bench.feeder import Feeder
from dev.bench.nodes import LOG, new_node
from emotion_estimator.demo.processes import NodeProcess

RATE_HZ = 30.0
WARM_UP_S = 3.0
BARE_S = 10.0
PATIENCE_S = 60.0


def measure_latency(
    frames: list[Rgb], duration_s: float, bare_s: float = BARE_S
) -> dict[str, float]:
    """
    Send frames at 30 Hz, best effort, and time the emotion messages by the images' stamps.

    :param frames: the frames.
    :param duration_s: how long, in seconds.
    :param bare_s: how long MediaPipe is timed alone, before and after.
    :returns: latencies in ms against MediaPipe's own at the same pace, losses, memory, start.
    """
    before_ms = _bare_ms(frames, bare_s)
    feeder = Feeder(frames)
    start_s = time.monotonic()
    with (
        new_node('blendshape_node') as blendshape_node,
        new_node('emotion_node') as emotion_node,
    ):
        while not feeder.heard:
            _send_for(feeder, 0.1)
            if time.monotonic() - start_s > PATIENCE_S:
                raise TimeoutError(f'No emotion within {PATIENCE_S:g} s; see {LOG}.')
        first_emotion_s = time.monotonic() - start_s
        # What went missing while the nodes were still finding each other is none of the frames
        # that count; nor is the one whose stamp tells of the pause.
        _drain(feeder)
        between_before = _counts(feeder)['between']
        _send_for(feeder, WARM_UP_S)
        unused_before = _counts(feeder)['unused']
        feeder.forget()
        for _ in range(round(duration_s)):
            _send_for(feeder, 1.0)
        rss_mb = _rss_mb(blendshape_node) + _rss_mb(emotion_node)
        _drain(feeder)
        counts = _counts(feeder)
        lost = counts['unused'] - unused_before + counts['between'] - between_before
    latencies_ms = np.array(feeder.latencies_s) * 1000
    after_ms = _bare_ms(frames, bare_s)
    mediapipe_ms = float(np.median(before_ms + after_ms))
    found = {
        'frames_sent': len(feeder.sent_ns),
        'frames_lost': lost,
        'frames_lost_in_transport': len(feeder.sent_ns) - len(feeder.heard) - lost,
        'latency_ms_p50': float(np.percentile(latencies_ms, 50)),
        'latency_ms_p99': float(np.percentile(latencies_ms, 99)),
        'mediapipe_ms_p50': mediapipe_ms,
        'latency_over_mediapipe_ms_p50': float(np.percentile(latencies_ms, 50)) - mediapipe_ms,
        'rss_mb': rss_mb,
        'first_emotion_s': first_emotion_s,
    }
    feeder.close()
    return found


def _send_for(feeder: Feeder, duration_s: float) -> None:
    start_s = time.monotonic()
    for i in range(max(1, round(duration_s * RATE_HZ))):
        feeder.send()
        while (left_s := start_s + (i + 1) / RATE_HZ - time.monotonic()) > 0:
            feeder.spin(left_s)


def _drain(feeder: Feeder) -> None:
    """Stop sending until both nodes have told their counts of all that was sent."""
    feeder.diagnostics.clear()
    quiet_until_s = time.monotonic() + 2.5
    while time.monotonic() < quiet_until_s or len(feeder.diagnostics) < 2:
        feeder.spin(0.1)


def _counts(feeder: Feeder) -> dict[str, int]:
    """Tell how many frames the nodes left unused, and how many went missing between them."""
    faces, emotions = (feeder.diagnostics[name] for name in ('blendshape_node', 'emotion_node'))
    unused = (int(node[key]) for node in (faces, emotions) for key in ('skipped', 'refused'))
    return {
        'unused': sum(unused),
        'between': int(faces['published']) - int(emotions['published']),
    }


def _bare_ms(frames: list[Rgb], duration_s: float) -> list[float]:
    """Time bare MediaPipe at the same pace: a processor that rests between frames is slower."""
    bare = BareMediaPipe()
    times_ms = []
    start_s = time.monotonic()
    for i in range(round(duration_s * RATE_HZ)):
        times_ms.append(1000 * bare.look_at(frames[i % len(frames)]))
        time.sleep(max(0.0, start_s + (i + 1) / RATE_HZ - time.monotonic()))
    bare.close()
    return times_ms[30:]


def _rss_mb(process: NodeProcess) -> float:
    status = Path(f'/proc/{process.process.pid}/status').read_text(encoding='utf-8')
    line = next(line for line in status.splitlines() if line.startswith('VmRSS:'))
    return int(line.split()[1]) / 1024
