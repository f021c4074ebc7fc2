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

"""How long the expression is decided right while a face turns away; drawn with --plot."""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import matplotlib
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import Delaunay

from dev.bench.pictures import (
    SIZE,
    Photograph,
    held_expression,
    landscape,
    new_finder,
    photographs,
    study,
    write_plot,
)
from emotion_estimator.commands import place
from emotion_estimator.emotion.decision import UNKNOWN, Trust
from emotion_estimator.emotion.model import EmotionModel
from emotion_estimator.faces.finder import Face, FaceFinder
from emotion_estimator.faces.geometry import MESH, POSE_NAMES
from emotion_estimator.faces.image_decoding import Rgb
from emotion_estimator.faces.pose import rotation_of
from emotion_estimator.files import check_files, find_model
from emotion_estimator.stamps import NS_PER_S

# Photographs of faces turned by known angles: their landmarks' mesh, rendered with its skin.


_RINGS = ((1.2, 0.5), (1.5, 1.2))
"""Head around the mesh: the face's outline so many times as wide, so many face units behind."""
_DISTANCE = 8.0  # of the camera from the face's middle, in face units: about a metre


@dataclass(frozen=True)
class HeadMesh:
    """
    A head that can be turned.

    :param places: x and y of its points in the texture, shape [N, 2].
    :param points: the same in face units, centred on the face's middle, image axes (x right,
        y down, z away), shape [N, 3].
    :param triangles: rows of three points, shape [M, 3].
    """

    texture: Rgb
    places: NDArray[np.float32]
    points: NDArray[np.float64]
    triangles: NDArray[np.int32]

    def draw(self, scene: Rgb, angles: tuple[float, float, float], unit_px: float) -> Rgb:
        """
        Draw the head, turned, in the middle of a scene.

        :param scene: the scene, left as it is.
        :param angles: roll, pitch and yaw in radians, see `head_angles`.
        :param unit_px: length of a face unit in pixels.
        """
        turned = self.points @ rotation_of(angles).T
        near = unit_px * _DISTANCE / (_DISTANCE + turned[:, 2:])
        seen = (turned[:, :2] * near + np.array(SIZE) / 2).astype(np.float32)
        owners = np.full(scene.shape[:2], -1, np.int32)
        # Painter's algorithm: what is nearer hides what was drawn before.
        for i in np.argsort(-turned[self.triangles, 2].mean(axis=1)).tolist():
            cv2.fillConvexPoly(owners, np.rint(seen[self.triangles[i]]).astype(np.int32), i)
        inside = owners >= 0
        rows, columns = np.nonzero(inside)
        matrices = self._ways_back(seen)[owners[inside]]
        pixels = np.stack([columns, rows, np.ones_like(rows)], axis=1)[:, :, None]
        sources = np.zeros((*inside.shape, 2), np.float32)
        sources[inside] = (matrices @ pixels)[:, :, 0]
        x, y = (np.ascontiguousarray(sources[..., i]) for i in (0, 1))
        skin = cv2.remap(self.texture, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return np.where(inside[:, :, None], skin, scene)

    def _ways_back(self, seen: NDArray[np.float32]) -> NDArray[np.float64]:
        """Affine maps of each triangle's pixels into the texture, shape [M, 2, 3]."""
        ones = np.ones((len(self.triangles), 3, 1))
        corners = np.concatenate([seen[self.triangles], ones], axis=2)
        # A triangle seen on edge covers no pixel that matters.
        ways = np.linalg.pinv(corners) @ self.places[self.triangles].astype(np.float64)
        return np.asarray(ways.transpose(0, 2, 1), np.float64)


def head_mesh(photograph: Photograph, unit_px: float) -> HeadMesh:
    """
    Make a head of a photograph.

    :param photograph: the photograph, its face looking straight ahead.
    :param unit_px: length of a face unit in the pictures to be drawn.
    :returns: the head; its texture is reduced to about this size.
    """
    height, width = photograph.picture.shape[:2]
    points = photograph.landmarks.astype(np.float64) * [width, height, width]
    middle = points[:MESH].mean(axis=0)
    unit = np.sqrt(((points[:MESH] - middle) ** 2).sum(axis=1).mean())
    outline = points[cv2.convexHull(points[:, :2].astype(np.float32), returnPoints=False)[:, 0]]
    rings = [middle + (outline - middle) * [wider] * 3 for wider, _ in _RINGS]
    for ring, (_, behind) in zip(rings, _RINGS):
        ring[:, 2] = outline[:, 2] + behind * unit
    points = np.concatenate([points, *rings])
    scale = min(1.0, 2 * unit_px / unit)
    texture = cv2.resize(
        photograph.picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA
    )
    return HeadMesh(
        np.asarray(texture, np.uint8),
        (points[:, :2] * scale).astype(np.float32),
        (points - middle) / unit,
        Delaunay(points[:, :2]).simplices.astype(np.int32),
    )


# People who turn their heads before the camera, step by step.


UNIT_PX = 50
"""Length of a face unit in the pictures: the face is some 130 pixels wide."""
_RATE_HZ = 15
_FRAMES_HELD = 2


class TurningPeople:
    """
    Shows one face after the other to the faces wing, turning away from the camera step by step.

    :param finder: the faces wing.
    """

    def __init__(self, finder: FaceFinder) -> None:
        self._finder = finder
        self._background = landscape()

    def turn(
        self, mesh: HeadMesh, axis: int, degrees: Iterable[int]
    ) -> Iterator[tuple[int, Face | None]]:
        """
        Turn a head about one axis.

        :param axis: of `POSE_NAMES`.
        :param degrees: the angles, one after the other.
        :returns: each angle with what is found at it.
        """
        # So that nothing is followed that was there before.
        line = object()
        self._finder.find(self._background, 0, line)
        number = 0
        for angle in degrees:
            angles = [0.0, 0.0, 0.0]
            angles[axis] = float(np.radians(angle))
            picture = mesh.draw(self._background, (angles[0], angles[1], angles[2]), UNIT_PX)
            faces: tuple[Face, ...] = ()
            for _ in range(_FRAMES_HELD):
                number += 1
                faces = self._finder.find(picture, number * NS_PER_S // _RATE_HZ, line).faces
            yield angle, faces[0] if faces else None


def both_ways(step: int, most: int) -> list[list[int]]:
    """
    List the angles of turning to one side and then, from the middle again, to the other.

    :param step: between angles in degrees, above 0.
    :param most: the last of a side.
    :returns: the angles of each side.
    """
    return [list(range(0, side * (most + 1), side * step)) for side in (1, -1)]


STEP_DEG = 15
MOST_DEG = 75
AXES = ('yaw', 'pitch')
NOT_FOUND = 'not found'


Decided = dict[str, dict[int, list[tuple[str, str, str]]]]


def decided_expressions() -> Decided:
    """
    Turn smiling and neutral people about each of `AXES`, each expression held at each angle.

    :returns: by axis and angle in degrees, for each person: what basic7 says when the person
        looks straight ahead, what it says here, both as if trusted; and what the decision with
        the node's defaults is here. `NOT_FOUND` where no face is found.
    """
    finder, model = new_finder(max_faces=1), EmotionModel(find_model('basic7'))
    people, trust = TurningPeople(finder), Trust()
    decided: Decided = {}
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
                    trusted = held_expression(face, model, trust=trust).label
                    ahead = ahead or here
                    at[angle].append((ahead, here, trusted))
        decided[axis] = dict(sorted(at.items()))
    finder.close()
    return decided


def measure_turned_faces(decided: Decided | None = None) -> dict[str, float]:
    """
    Compare turned faces with themselves looking straight ahead.

    :param decided: of `decided_expressions`; None asks for it.
    :returns: by angle to either side, the share of faces decided the same, `same_<axis>_<deg>deg`;
        and of those decided otherwise, neither the same nor 'unknown' nor not found,
        `misled_<axis>_<deg>deg`.
    """
    figures = {}
    for axis, at in (decided or decided_expressions()).items():
        for angle in range(STEP_DEG, MOST_DEG + 1, STEP_DEG):
            faces = at[angle] + at[-angle]
            same = [here == ahead for ahead, here, _ in faces]
            misled = [decided not in (ahead, UNKNOWN, NOT_FOUND) for ahead, _, decided in faces]
            figures[f'same_{axis}_{angle}deg'] = float(np.mean(same))
            figures[f'misled_{axis}_{angle}deg'] = float(np.mean(misled))
    return figures


@study
def main() -> None:
    """Print the figures and draw what becomes of the expression at each angle."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--plot', type=place, default=Path('out/turned_faces.png'), help='a PNG')
    path = parser.parse_args().plot
    check_files(path)
    decided = decided_expressions()
    for name, value in measure_turned_faces(decided).items():
        print(f'{name}: {value:.3f}')
    matplotlib.use('Agg')
    from matplotlib import pyplot

    figure, plots = pyplot.subplots(
        1, len(AXES), figsize=(9, 3.4), sharey=True, layout='constrained'
    )
    for plot, (axis, at) in zip(plots, decided.items()):
        shares = {
            'decided the same, trusted or not': [
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
    write_plot(figure, path)
    print(f'Written: {path}')


if __name__ == '__main__':
    raise SystemExit(main())


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
