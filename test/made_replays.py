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

"""Replays made up of what a face is said to show, as plain as `happy happy unknown`."""

from __future__ import annotations

from emotion_estimator.evaluation.answers import Answer, Replay

LABELS = ('happy', 'sad', 'neutral')
RATE_HZ = 10
STEP_NS = 1_000_000_000 // RATE_HZ
START_NS = 1_700_000_000 * 1_000_000_000


def answer(stamp_ns, label, face_id='abc', sure=0.8, best=None, head=(0.0, 0.1, 0.2)):
    """One answer; the probabilities name `best`, or what is shown, with `sure`."""
    best = best or (label if label in LABELS else LABELS[0])
    rest = (1 - sure) / (len(LABELS) - 1)
    return Answer(
        stamp_ns=stamp_ns,
        face_id=face_id,
        label=label,
        confidence=sure,
        probabilities=tuple(sure if name == best else rest for name in LABELS),
        valence=0.1,
        arousal=0.2,
        head=head,
        box=(0.2, 0.1, 0.6, 0.7),
    )


def replay(*shown, name='walk', faces=None, sure=0.8, thumbnails=None, problems=(), **changes):
    """
    One recording at 10 images a second.

    :param shown: labels of each face frame by frame, separated by spaces; '-' is no face.
    """
    faces = faces or ['abc', 'def', 'ghi'][: len(shown)]
    frames = [line.split() for line in shown]
    stamps_ns = tuple(START_NS + i * STEP_NS for i in range(max(map(len, frames), default=0)))
    answers = sorted(
        (
            answer(stamp_ns, label, face_id, sure)
            for face_id, labels in zip(faces, frames)
            for stamp_ns, label in zip(stamps_ns, labels)
            if label != '-'
        ),
        key=lambda one: (one.stamp_ns, one.face_id),
    )
    values = {
        'recording': name,
        'model': 'made 1.0.0',
        'labels': LABELS,
        'settings': {'model': 'made', 'min_confidence': 0.5, 'hysteresis': 1.5},
        'stamps_ns': stamps_ns,
        'answers': tuple(answers),
        'thumbnails': thumbnails or {},
        'problems': tuple(problems),
    }
    return Replay(**{**values, **changes})
