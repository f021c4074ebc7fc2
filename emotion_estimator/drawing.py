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

"""Draws onto an image what was found in it: who, where, which expression, where they look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from emotion_estimator.colours import Colour, colour_of, ink_on
from emotion_estimator.faces.geometry import PinholeCamera
from emotion_estimator.faces.image_decoding import Rgb
from emotion_estimator.faces.landmarker import Box
from emotion_estimator.faces.pose import HeadPose
from emotion_estimator.files import find_shared_file

AXIS_M = 0.06
"""Length of a head's axes in metres."""
GAZE_M = 0.12
"""Length of the gaze's arrow in metres."""
LEAST_SCALE = 0.7
"""Letters get no smaller than at 448 x 336 pixels."""
MESH_SHARE = 0.25
"""How much of the mesh's colour is mixed in at most; the face stays visible."""
MESH_PX = 200
"""Width of a face in pixels below which the mesh, ever denser, is drawn ever lighter."""
JPEG_PX = 65_500
"""Most pixels that a JPEG has in width or height."""

# MediaPipe's FACE_LANDMARKS_TESSELATION as triangles of landmarks, shape [852, 3].
_TRIANGLES_FILE = 'resource/face_mesh/triangles.npy'
# Forward, left and up in the colours that RViz gives to x, y and z.
_AXIS_COLOURS: tuple[Colour, ...] = ((230, 40, 40), (40, 200, 40), (60, 90, 255))
_GAZE_COLOUR: Colour = (255, 0, 255)
_GROUND: Colour = (30, 30, 30)
_FONT = cv2.FONT_HERSHEY_SIMPLEX


@dataclass(frozen=True)
class Person:
    """
    What is known of one face.

    :param box: where it is, as fractions of the image's width and height.
    :param landmarks: shape [478, 3], see `LandmarkedFace`.
    :param pose: of the head.
    :param gaze: direction in the camera's frame, shape [3].
    :param label: the expression shown; empty while nothing was said of it.
    :param confidence: of the label, in [0, 1].
    :param classes: all that the model tells apart, which the label's colour depends on.
    """

    face_id: str
    box: Box
    landmarks: NDArray[np.float32]
    pose: HeadPose
    gaze: NDArray[np.float64]
    label: str = ''
    confidence: float = 0.0
    classes: tuple[str, ...] = ()

    @property
    def colour(self) -> Colour:
        """Of the label."""
        return colour_of(self.label, self.classes)


def annotate(image: Rgb, camera: PinholeCamera, people: Sequence[Person], rate_hz: float) -> Rgb:
    """
    Draw what was found.

    :param image: the pixels; they stay as they are.
    :param camera: of the image.
    :param people: the faces; the nearest are drawn last.
    :param rate_hz: images a second that are looked at.
    :returns: a picture of the same size.
    """
    picture = image.copy()
    pen = _Pen(picture)
    for person in sorted(people, key=lambda person: -float(person.pose.position_m[2])):
        pen.mesh(person.landmarks)
        pen.box(person)
        pen.axes(person, camera)
    # Text last, so that no face hides whose it is.
    faces = f'{len(people)} face{"" if len(people) == 1 else "s"}'
    pen.rate(f'{rate_hz:.1f} Hz  {faces}')
    for person in people:
        pen.name(person)
    return picture


def jpeg_of(rgb: Rgb, quality: int, most_width: int = JPEG_PX) -> bytes:
    """
    Pack a picture; one that is wider than wanted, or larger than a JPEG can be, is made smaller.

    :param rgb: the pixels.
    :param quality: of 100.
    :param most_width: in pixels.
    :returns: a JPEG.
    """
    height, width = rgb.shape[:2]
    factor = min(most_width / width, JPEG_PX / max(height, width))
    if factor < 1:
        size = (max(1, round(width * factor)), max(1, round(height * factor)))
        rgb = np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8)
    bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
    return bytes(cv2.imencode('.jpg', bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes())


@cache
def _triangles() -> NDArray[np.int16]:
    return np.asarray(np.load(find_shared_file(_TRIANGLES_FILE)), np.int16)


class _Pen:
    """Draws onto one picture, in sizes that fit it: those of 640 x 480 are the measure."""

    def __init__(self, picture: Rgb) -> None:
        self._picture = picture
        self._size = np.array(picture.shape[1::-1])
        scale = max(min(self._size / [640, 480]), LEAST_SCALE)
        self._line = max(1, round(1.6 * scale))
        self._font_scale = 0.5 * scale
        self._gap = max(2, round(4 * scale))
        self._taken: list[tuple[int, int, int, int]] = []

    def _pixels(self, fractions: NDArray[np.float32]) -> NDArray[np.int32]:
        return np.asarray(np.round(fractions * self._size), np.int32)

    def mesh(self, landmarks: NDArray[np.float32]) -> None:
        points = self._pixels(landmarks[:, :2])
        left, top = np.clip(points.min(axis=0) - 1, 0, self._size)
        right, bottom = np.clip(points.max(axis=0) + 2, 0, self._size)
        if left >= right or top >= bottom:
            return
        face = self._picture[top:bottom, left:right]
        drawn = np.ascontiguousarray(face)
        triangles = list(points[_triangles()] - np.array([left, top], np.int32))
        cv2.polylines(drawn, triangles, True, (255, 255, 255), 1, cv2.LINE_AA)
        share = MESH_SHARE * min(1.0, float(right - left) / MESH_PX)
        cv2.addWeighted(drawn, share, face, 1 - share, 0, dst=drawn)
        face[:] = drawn

    def box(self, person: Person) -> None:
        (left, top), (right, bottom) = self._corners(person.box)
        cv2.rectangle(self._picture, (left, top), (right, bottom), person.colour, self._line)

    def axes(self, person: Person, camera: PinholeCamera) -> None:
        origin = person.pose.position_m
        tips = [origin + AXIS_M * axis for axis in person.pose.rotation.T]
        tips.append(origin + GAZE_M * person.gaze)
        points = np.array([origin, *tips])
        if points[:, 2].min() <= 0:
            return
        start, *ends = np.round(camera.pixels(points)).astype(int).clip(-(2**14), 2**14).tolist()
        for end, colour in zip(ends, _AXIS_COLOURS):
            cv2.line(self._picture, start, end, colour, self._line, cv2.LINE_AA)
        cv2.arrowedLine(
            self._picture, start, ends[-1], _GAZE_COLOUR, self._line, cv2.LINE_AA, tipLength=0.2
        )

    def rate(self, line: str) -> None:
        self.text(line, (0, 0), _GROUND)
        self._taken.append((0, 0, *self._extent([line])))

    def name(self, person: Person) -> None:
        colour = person.colour
        shown = f'{person.label} {person.confidence:.2f}' if person.label else '...'
        lines = [f'face_{person.face_id}', shown]
        width, height = self._extent(lines)
        (left, top), (_, bottom) = self._corners(person.box)
        bar = 2 * self._gap
        left = int(np.clip(left, 0, max(self._size[0] - width, 0)))
        # Above the face, or below it where the image's edge would push it onto the eyes.
        below = top < height / 2
        top = bottom if below else top - height - bar
        top = int(np.clip(top, 0, max(self._size[1] - height - bar, 0)))
        top = self._free_top((left, top), (width, height + bar), below)
        for row, line in enumerate(lines):
            self.text(line, (left, top + row * height // 2), colour, width)
        edge, frame = top + height, max(1, bar // 4)
        self._taken.append((left, top, left + width, edge + bar))
        full = round((width - 2 * frame) * min(max(person.confidence, 0.0), 1.0))
        cv2.rectangle(self._picture, (left, edge), (left + width, edge + bar), _GROUND, -1)
        if full:
            inner = (left + frame, edge + frame), (left + frame + full, edge + bar - frame)
            cv2.rectangle(self._picture, *inner, colour, -1)

    def _free_top(self, corner: tuple[int, int], size: tuple[int, int], below: bool) -> int:
        """
        Find where a name that stands above its face, or below it, hides no other one.

        It moves further away from the face, or to the other side where the picture ends.
        """
        (left, top), (width, height) = corner, size
        most = int(self._size[1]) - height

        def hidden(at: int) -> list[tuple[int, int]]:
            return [
                (upper, lower)
                for first, upper, last, lower in self._taken
                if first <= left + width and last >= left and upper <= at + height and lower >= at
            ]

        for down in (below, not below):
            at = top
            while 0 <= at <= most and (found := hidden(at)):
                edges = [lower if down else upper for upper, lower in found]
                at = max(edges) + 1 if down else min(edges) - height - 1
            if 0 <= at <= most:
                return at
        return top

    def text(self, line: str, corner: tuple[int, int], ground: Colour, width: int = 0) -> None:
        (left, top), (own_width, height) = corner, self._extent([line])
        right = left + max(width, own_width)
        cv2.rectangle(self._picture, corner, (right, top + height), ground, -1)
        cv2.putText(
            self._picture,
            line,
            (left + self._gap, top + height - self._gap - self._gap // 2),
            _FONT,
            self._font_scale,
            ink_on(ground),
            max(1, self._line // 2),
            cv2.LINE_AA,
        )

    def _extent(self, lines: list[str]) -> tuple[int, int]:
        """Width and height of lines of text with their ground."""
        sizes = [cv2.getTextSize(line, _FONT, self._font_scale, 1) for line in lines]
        width = max(size[0][0] for size in sizes) + 2 * self._gap
        # The tallest letters count, so that all lines are equally high.
        (_, tall), baseline = cv2.getTextSize('Ag|', _FONT, self._font_scale, 1)
        return width, len(lines) * (tall + baseline // 2 + 2 * self._gap)

    def _corners(self, box: Box) -> tuple[tuple[int, int], tuple[int, int]]:
        fractions = np.array([[box.x_min, box.y_min], [box.x_max, box.y_max]], np.float32)
        (left, top), (right, bottom) = self._pixels(fractions).tolist()
        return (left, top), (right, bottom)
