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

"""How long the expression is told right while a face turns away; drawn with --plot."""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path

import matplotlib
import numpy as np

from dev.bench.pictures import held_expression, new_finder, photographs
from dev.bench.turning import UNIT_PX, TurningPeople, both_ways, head_mesh
from emotion_estimator.emotion.decision import UNKNOWN, Trust
from emotion_estimator.emotion.model import EmotionModel
from emotion_estimator.faces.geometry import POSE_NAMES
from emotion_estimator.files import find_model

STEP_DEG = 15
MOST_DEG = 75
AXES = ('yaw', 'pitch')
NOT_FOUND = 'not found'


Told = dict[str, dict[int, list[tuple[str, str, str]]]]


def told_expressions() -> Told:
    """
    Turn smiling and neutral people about each of `AXES`, each expression held at each angle.

    :returns: by axis and angle in degrees, for each person: what basic7 tells when the person
        looks straight ahead, what it tells here, both as if trusted; and what the decision with
        the node's defaults is here. `NOT_FOUND` where no face is found.
    """
    finder, model = new_finder(max_faces=1), EmotionModel(find_model('basic7'))
    people, trust = TurningPeople(finder), Trust()
    told: Told = {}
    for axis in AXES:
        at: dict[int, list[tuple[str, str, str]]] = defaultdict(list)
        for photograph in (*photographs('neutral'), *photographs('smiling')):
            mesh = head_mesh(photograph, UNIT_PX)
            for degrees in both_ways(STEP_DEG, MOST_DEG):
                ahead = ''
                for angle, face in people.turn(mesh, POSE_NAMES.index(f'head.{axis}'), degrees):
                    if face is None:
                        at[angle].append((ahead, NOT_FOUND, NOT_FOUND))
                        continue
                    here = held_expression(face, model, min_confidence=0).label
                    decided = held_expression(face, model, trust=trust).label
                    ahead = ahead or here
                    at[angle].append((ahead, here, decided))
        told[axis] = dict(sorted(at.items()))
    finder.close()
    return told


def measure_turned_faces(told: Told | None = None) -> dict[str, float]:
    """
    Compare turned faces with themselves looking straight ahead.

    :param told: of `told_expressions`; None asks for it.
    :returns: by angle to either side, the share of faces told the same, `same_<axis>_<deg>deg`;
        and of those decided otherwise, neither the same nor 'unknown' nor not found,
        `misled_<axis>_<deg>deg`.
    """
    figures = {}
    for axis, at in (told or told_expressions()).items():
        for angle in range(STEP_DEG, MOST_DEG + 1, STEP_DEG):
            faces = at[angle] + at[-angle]
            same = [here == ahead for ahead, here, _ in faces]
            misled = [decided not in (ahead, UNKNOWN, NOT_FOUND) for ahead, _, decided in faces]
            figures[f'same_{axis}_{angle}deg'] = float(np.mean(same))
            figures[f'misled_{axis}_{angle}deg'] = float(np.mean(misled))
    return figures


def main() -> None:
    """Print the figures and draw what becomes of the expression at each angle."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--plot', type=Path, default=Path('out/turned_faces.png'))
    path = parser.parse_args().plot
    told = told_expressions()
    for name, value in measure_turned_faces(told).items():
        print(f'{name}: {value:.3f}')
    matplotlib.use('Agg')
    from matplotlib import pyplot

    figure, plots = pyplot.subplots(
        1, len(AXES), figsize=(9, 3.4), sharey=True, layout='constrained'
    )
    for plot, (axis, at) in zip(plots, told.items()):
        shares = {
            'told the same, trusted or not': [
                np.mean([here == ahead for ahead, here, _ in faces]) for faces in at.values()
            ],
            'decided the same': [
                np.mean([decided == ahead for ahead, _, decided in faces]) for faces in at.values()
            ],
            'decided otherwise': [
                np.mean([d not in (a, UNKNOWN, NOT_FOUND) for a, _, d in faces])
                for faces in at.values()
            ],
        }
        for (label, values), style in zip(shares.items(), ('k:', 'C0o-', 'C3x-')):
            plot.plot(list(at), values, style, label=label)
        plot.set_xlabel(f'{axis} of the rendered head in degrees')
        plot.set_xticks(range(-MOST_DEG, MOST_DEG + 1, 2 * STEP_DEG))
        plot.grid(alpha=0.3)
    plots[0].set_ylabel('share of 12 faces')
    figure.legend(*plots[0].get_legend_handles_labels(), loc='outside upper center', ncols=3)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    print(f'Written: {path}')


if __name__ == '__main__':
    main()


# The head's pose against the angles by which faces are turned.


POSE_STEP_DEG = 10
POSE_MOST_DEG = 30


def measure_head_pose() -> dict[str, float]:
    """
    Turn photographs of people who look straight at the camera, and compare.

    :returns: median absolute errors in degrees over angles up to `MOST_DEG` to either side,
        `head_<axis>_error_deg`, a face that is not found counting as the worst; the photographs
        themselves count as angle 0.
    """
    finder = new_finder(max_faces=1)
    people = TurningPeople(finder)
    meshes = [head_mesh(photograph, UNIT_PX) for photograph in photographs('neutral')]
    found = {}
    for axis, name in enumerate(POSE_NAMES):
        errors_deg = [
            np.inf if face is None else abs(float(np.degrees(face.features[axis])) - angle)
            for mesh in meshes
            for degrees in both_ways(POSE_STEP_DEG, POSE_MOST_DEG)
            for angle, face in people.turn(mesh, axis, degrees)
        ]
        found[f'{name.replace(".", "_")}_error_deg'] = float(np.median(errors_deg))
    finder.close()
    return found
