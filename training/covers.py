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

"""Draws by chance onto pictures of faces what hides mouth or eyes, and what hides neither."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from training.painting import CHEEKS, EYES, LIPS, FacePlaces, Pixels, Place, Scene

_JAW = (
    *(234, 93, 132, 58, 172, 136, 150, 149, 176, 148, 152),
    *(377, 400, 378, 379, 365, 397, 288, 361, 323, 454),
)
_LIP_EDGE = (61, 40, 37, 0, 267, 270, 291, 321, 314, 17, 84, 91)
_NOSE = (6, 197, 195, 5, 4, 2)  # from its root to its base


def _mask(scene: Scene) -> None:
    """Draw a mask from the nose to below the chin, maybe with rim, seam and loops."""
    face, rng = scene.face, scene.rng
    cut = int(rng.integers(1, 4))
    jaw = face.points[list(_JAW)][cut:-cut]
    jaw = jaw.mean(axis=0) + (jaw - jaw.mean(axis=0)) * rng.uniform(1.0, 1.12)
    jaw += face.down * face.unit * rng.uniform(0, 0.12)
    nose = face.points[int(rng.choice(_NOSE, p=[0.1, 0.22, 0.22, 0.2, 0.2, 0.06]))]
    top = [face.at(nose, side, rng.uniform(-0.03, 0.1)) for side in (0.35, 0, -0.35)]
    scene.lay(scene.area([*jaw, *top]), scene.cloth())
    if scene.chance(0.4):
        seams = (top[0], jaw[-1]), (top[2], jaw[0]), (nose, face.points[152])
        for a, b in seams[: int(rng.integers(1, 4))]:
            scene.line(a, b, scene.grey(), int(rng.integers(1, 4)))
    if scene.chance(0.35):
        for a, ear in ((jaw[0], 234), (jaw[-1], 454)):
            scene.line(
                a, face.at(face.points[ear], 0, -0.1), scene.grey(), int(rng.integers(1, 4))
            )


def _hand(scene: Scene, middle: Place) -> None:
    """Draw fingers, and often a palm."""
    rng, turn = scene.rng, scene.rng.uniform(0, 2 * np.pi)
    paint = scene.skin() if scene.chance(0.85) else scene.cloth()
    if scene.chance(0.7):
        palm = scene.face.at(middle, rng.normal(0, 0.08), rng.normal(0, 0.05))
        half = rng.uniform(0.42, 0.7), rng.uniform(0.22, 0.4)
        scene.lay(scene.blob(palm, half, 0.06, turn), paint)
    count, wide = int(rng.integers(3, 6)), rng.uniform(0.09, 0.14)
    c, s = np.cos(turn), np.sin(turn)
    for number in range(count):
        off = (number - (count - 1) / 2) * wide * 2
        slip = rng.normal(0, 0.12, 2)
        place = scene.face.at(middle, -s * off + c * slip[0], c * off + s * slip[1])
        half = rng.uniform(0.4, 0.75), wide * 1.05
        finger = scene.blob(place, half, 0.03, turn + rng.normal(0, 0.12))
        edge = np.asarray(cv2.dilate(finger, np.ones((3, 3), np.uint8)), np.uint8)
        scene.lay(edge, np.asarray(scene.pixels * rng.uniform(0.35, 0.8), np.float32))
        scene.lay(finger, np.clip(paint * rng.uniform(0.85, 1.12), 0, 255).astype(np.float32))


def _hand_on_mouth(scene: Scene) -> None:
    rng = scene.rng
    _hand(scene, scene.face.at(scene.face.mouth, rng.normal(0, 0.06), rng.uniform(-0.1, 0.1)))


def _scarf(scene: Scene) -> None:
    """Draw cloth from the nose down, wider than the face."""
    face, rng = scene.face, scene.rng
    top = face.at(face.points[int(rng.choice([4, 2, 195]))], 0, rng.uniform(-0.05, 0.1))
    if (top - face.points[0]) @ face.down > -0.04 * face.unit:
        top = face.at(face.points[0], 0, -0.08)
    edge = [
        face.at(top, x, rng.normal(0, 0.04) - 0.08 * abs(x)) for x in np.linspace(-1.6, 1.6, 9)
    ]
    scene.lay(scene.area([*edge, face.at(top, 1.6, 3), face.at(top, -1.6, 3)]), scene.cloth())


def _thing(scene: Scene) -> None:
    """Draw a cup, a microphone, a telephone, a book: something before the mouth."""
    face, rng = scene.face, scene.rng
    wide, high, turn = rng.uniform(0.42, 0.9), rng.uniform(0.25, 0.8), rng.normal(0, 0.25)
    lower = rng.uniform(-0.05, max(0.05, high - 0.28))
    middle = face.at(face.mouth, rng.normal(0, 0.06), lower)
    kind = rng.integers(3)
    if kind == 0:
        c, s, taper = np.cos(turn), np.sin(turn), rng.uniform(0.75, 1.2)
        corners = (-wide, -high), (wide, -high), (wide * taper, high), (-wide * taper, high)
        mask = scene.area([face.at(middle, c * a - s * b, s * a + c * b) for a, b in corners])
    else:
        mask = scene.blob(middle, (wide, high), 0.02 if kind == 1 else 0.25, turn)
    scene.lay(mask, scene.cloth())
    if scene.chance(0.4):
        gleam = scene.blob(face.at(middle, *rng.normal(0, 0.2, 2)), (0.08, 0.2), 0.1)
        scene.lay(np.minimum(gleam, mask), rng.uniform(127, 255), rng.uniform(0.3, 0.9))


def _glasses(scene: Scene, dark: bool) -> None:
    """Draw spectacles: dark ones hide the eyes; clear ones, tinted or with glints, do not."""
    face, rng = scene.face, scene.rng
    half, power = (rng.uniform(0.32, 0.5), rng.uniform(0.22, 0.38)), rng.uniform(0.55, 1.0)
    drop = rng.uniform(-0.02, 0.08)
    share = rng.uniform(0.8, 1) if dark else 0.0 if scene.chance(0.6) else rng.uniform(0.05, 0.3)
    frame = scene.grey() if scene.chance(0.3) else scene.grey(0, 70)
    thick = max(1, round(face.unit * rng.uniform(0.008, 0.07)))
    paint = _lens_paint(scene, dark)
    angles = np.linspace(0, 2 * np.pi, 28, endpoint=False)
    across, down = (np.sign(f) * np.abs(f) ** power for f in (np.cos(angles), np.sin(angles)))
    for eye, outward, ear in zip(face.eyes, (-1, 1), (127, 356)):
        middle = face.at(eye, outward * 0.02, drop)
        edge = [face.at(middle, half[0] * a, half[1] * b) for a, b in zip(across, down)]
        lens = scene.area(edge)
        if share:
            scene.lay(lens, paint, share)
        for _ in range(int(rng.integers(0, 4)) if scene.chance(0.7) else 0):
            # On clear glasses a glint stays away from the eye's middle.
            sides = rng.choice([-1, 1], 2) * (0.27, 0.16)
            place = face.at(eye, *(rng.normal(0, 0.15, 2) if dark else sides))
            size = (
                rng.uniform(0.02, 0.2 if dark else 0.08),
                rng.uniform(0.02, 0.1 if dark else 0.05),
            )
            glint = scene.blob(place, size, 0.1, rng.uniform(0, 3))
            scene.lay(np.minimum(glint, lens), rng.uniform(100, 255), rng.uniform(0.2, 0.9))
        if scene.chance(0.75 if dark else 1):
            rim = np.rint(edge).astype(np.int32)
            cv2.polylines(scene.pixels, [rim], True, frame, thick, cv2.LINE_AA)
        scene.line(face.at(middle, outward * half[0], 0), face.points[ear], frame, thick)
    ends = [face.at(eye, inward * half[0], drop) for eye, inward in zip(face.eyes, (1, -1))]
    scene.line(ends[0], ends[1], frame, thick)


def _lens_paint(scene: Scene, dark: bool) -> Pixels:
    """Paint glass: dark or of any shade, mirroring or not, lighter or darker below."""
    rng, face = scene.rng, scene.face
    shade = rng.uniform(0, 70) if scene.chance(0.85) or not dark else rng.uniform(70, 230)
    paint = np.empty_like(scene.pixels)
    paint[:] = shade + rng.normal(0, 8, 3)
    if dark and scene.chance(0.3):
        paint = 0.4 * paint + 0.6 * scene.cloth()
    y = np.mgrid[0 : paint.shape[0], 0 : paint.shape[1]][0]
    ramp = np.clip((y - face.between[1]) / face.unit, -0.4, 0.6) * (rng.uniform(-40, 70) * dark)
    return np.asarray(np.clip(paint + ramp[..., None], 0, 255), np.float32)


def _sunglasses(scene: Scene) -> None:
    _glasses(scene, dark=True)


def _goggles(scene: Scene) -> None:
    """Draw ski goggles, a visor, a sleep mask, a bar, a headset."""
    face, rng = scene.face, scene.rng
    middle = face.at(face.between, rng.normal(0, 0.05), rng.uniform(-0.12, 0.08))
    if scene.chance(0.5):
        corners = (-3, -0.18), (3, -0.18), (3, 0.15), (-3, 0.15)
        scene.lay(scene.area([face.at(middle, a, b) for a, b in corners]), scene.cloth())
    half = rng.uniform(0.85, 1.3), rng.uniform(0.25, 0.55)
    mask = scene.blob(middle, half, 0.03, rng.normal(0, 0.06))
    if scene.chance(0.5):
        rim = np.asarray(cv2.dilate(mask, np.ones((5, 5), np.uint8)), np.uint8)
        scene.lay(rim, rng.uniform(0, 255))
    scene.lay(mask, scene.cloth())
    if scene.chance(0.5):
        place = face.at(middle, rng.normal(0, 0.4), rng.normal(0, 0.15))
        size = rng.uniform(0.1, 0.6), rng.uniform(0.03, 0.15)
        gleam = scene.blob(place, size, 0.1, rng.normal(0, 0.5))
        scene.lay(np.minimum(gleam, mask), rng.uniform(80, 255), rng.uniform(0.2, 0.9))


def _hands_on_eyes(scene: Scene) -> None:
    """Draw one hand over both eyes, or one over each."""
    rng, face = scene.rng, scene.face
    across = face.at(face.between, rng.normal(0, 0.05), rng.normal(0, 0.06))
    for place in [across] if scene.chance(0.5) else face.eyes:
        _hand(scene, place)


def _patches(scene: Scene) -> None:
    """Draw something over each eye."""
    paint, rng = scene.cloth(), scene.rng
    for eye in scene.face.eyes:
        patch = scene.blob(eye, (rng.uniform(0.3, 0.45), rng.uniform(0.18, 0.35)), 0.1)
        scene.lay(patch, paint if scene.chance(0.5) else scene.cloth())


def _spectacles(scene: Scene) -> None:
    _glasses(scene, dark=False)


def _beard(scene: Scene) -> None:
    """Draw hair round the lips and on the cheeks, or a moustache alone; the lips stay free."""
    face, rng, before = scene.face, scene.rng, scene.pixels.copy()
    lips = face.points[list(_LIP_EDGE)]
    # A moustache may hang over the upper lip.
    middle = face.at(lips.mean(axis=0), 0, rng.uniform(0, 0.08))
    free = scene.area(middle + (lips - lips.mean(axis=0)) * rng.uniform(1.0, 1.25))
    low = float((face.points[152] - face.mouth) @ face.down) / face.unit + rng.uniform(0, 0.5)
    moustache, alone = scene.chance(0.7), scene.chance(0.2)
    shade = rng.uniform(120, 230) if scene.chance(0.15) else rng.uniform(5, 120)
    spread, wide = rng.uniform(8, 60), rng.uniform(0.62, 0.9)
    for across, below in rng.uniform((-1, -0.5), (1, 1), (int(rng.integers(400, 3500)), 2)):
        upper = moustache and abs(across) < 0.75
        bare = alone if below > 0 else not (upper or abs(across) > 0.8)
        if bare or across**2 + max(below, 0) ** 2 > 1:
            continue
        down = below * low if below >= 0 else 0.4 * below - 0.05
        start = face.at(face.mouth, across * wide, down)
        slant, long = rng.normal(0, 0.5), rng.uniform(0.03, 0.14)
        end = face.at(start, long * np.sin(slant), long * np.cos(slant))
        grey = np.clip(shade + rng.uniform(-spread, spread), 0, 255)
        hair = [float(grey * tint) for tint in (1.0, 0.95, 0.9)]
        scene.line(start, end, hair, max(1, int(face.unit * rng.uniform(0.006, 0.02))))
    scene.lay(free, before)


def _elsewhere(scene: Scene) -> None:
    """Draw a hat or fringe, a collar, a hand on the cheek, something beside the face."""
    face, rng, before = scene.face, scene.rng, scene.pixels.copy()
    for _ in range(int(rng.integers(1, 3))):
        paint = scene.skin() if scene.chance(0.3) else scene.cloth()
        place, side = rng.integers(4), int(rng.choice([-1, 1]))
        if place < 2:
            out = -3 if place == 0 else 3
            top = face.at(face.between, 0, -rng.uniform(0.42, 0.8))
            if place == 1:
                top = face.at(face.points[17], 0, rng.uniform(0.22, 0.6))
            edge = [face.at(top, x, rng.normal(0, 0.03)) for x in (-1.6, 0, 1.6)]
            mask = scene.area([*edge, face.at(top, 1.6, out), face.at(top, -1.6, out)])
        elif place == 2:
            cheek = face.points[CHEEKS[side > 0]]
            middle = face.at(cheek, side * rng.uniform(0.15, 0.4), rng.uniform(-0.05, 0.2))
            mask = scene.blob(middle, (rng.uniform(0.1, 0.3), rng.uniform(0.1, 0.25)), 0.2)
        else:
            middle = face.at(face.between, side * rng.uniform(1.35, 1.7), rng.uniform(-0.5, 1))
            mask = scene.blob(middle, (rng.uniform(0.3, 0.5), rng.uniform(0.3, 1)), 0.2)
        scene.lay(mask, paint)
    # What came too near to mouth or eyes is taken back.
    free = scene.blank()
    for part in (LIPS, *EYES):
        points = face.points[list(part)]
        middle = np.rint((points.min(axis=0) + points.max(axis=0)) / 2).astype(int)
        half = np.rint(np.ptp(points, axis=0) / 2 + 0.1 * face.unit).astype(int)
        cv2.ellipse(free, middle.tolist(), half.tolist(), 0, 0, 360, 255, -1, cv2.LINE_AA)
    scene.lay(free, before)


def _shadow(scene: Scene) -> None:
    """Draw a shadow over a part of the face, soft or sharp."""
    rng, pixels = scene.rng, scene.pixels
    y, x = np.mgrid[0 : pixels.shape[0], 0 : pixels.shape[1]]
    angle, nose = rng.uniform(0, 2 * np.pi), scene.face.points[4]
    along = ((x - nose[0]) * np.cos(angle) + (y - nose[1]) * np.sin(angle)) / scene.face.unit
    slope = np.clip(along * rng.uniform(1, 14) + rng.normal(0, 2), -50, 50)
    dark = rng.uniform(0.3, 0.8) / (1 + np.exp(-slope))
    scene.pixels = np.asarray(pixels * (1 - dark)[..., None], np.float32)


_DRAWN: dict[str, Callable[[Scene], None]] = {
    'mask': _mask,
    'hand on mouth': _hand_on_mouth,
    'scarf': _scarf,
    'thing': _thing,
    'sunglasses': _sunglasses,
    'goggles': _goggles,
    'hands on eyes': _hands_on_eyes,
    'patches': _patches,
    'spectacles': _spectacles,
    'beard': _beard,
    'elsewhere': _elsewhere,
    'shadow': _shadow,
}
MOUTH_COVERS: tuple[str, ...] = ('mask', 'hand on mouth', 'scarf', 'thing')
EYE_COVERS: tuple[str, ...] = ('sunglasses', 'goggles', 'hands on eyes', 'patches')
HARMLESS: tuple[str, ...] = ('spectacles', 'beard', 'elsewhere', 'shadow')
"""What leaves mouth and eyes to be seen."""


def covered(
    picture: NDArray[np.uint8],
    face: FacePlaces,
    names: Sequence[str],
    rng: np.random.Generator,
    donors: Sequence[NDArray[np.uint8]],
) -> NDArray[np.uint8]:
    """
    Draw covers onto a face.

    :param picture: RGB, left as it is.
    :param face: where it is.
    :param names: of what is drawn, one over the other: `MOUTH_COVERS`, `EYE_COVERS`, `HARMLESS`.
    :param rng: source of chance; the same state gives the same picture.
    :param donors: other pictures, grey or RGB, parts of which serve as cloth.
    :returns: RGB, the same shape.
    """
    scene = Scene(picture, face, rng, donors)
    for name in names:
        _DRAWN[name](scene)
    return scene.finished()
