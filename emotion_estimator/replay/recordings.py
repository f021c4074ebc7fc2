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

"""What every kind of recording offers: a name, images with stamps; which count, in what order."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Protocol

from emotion_estimator.cameras import advice_for_rate
from emotion_estimator.faces.geometry import WHOLE, KnownCamera
from emotion_estimator.faces.image_decoding import Rgb
from emotion_estimator.parameters import NodeParameters
from emotion_estimator.stamps import (
    NS_PER_S,
    FirstSender,
    Placed,
    RateLimiter,
    Step,
    TimeLine,
    usual_step_s,
)

FIRST_STAMP_NS = NS_PER_S
"""Stamp of the first image where a recording knows no time of day; 0 would mean 'not filled'."""


class RecordingError(ValueError):
    """A recording that cannot be read; the message says which, why and what to do."""


@dataclass(frozen=True)
class Frame:
    """
    One image of a recording, not yet decoded.

    :param stamp_ns: when it was taken, in nanoseconds; 0 when the publisher did not fill it in.
    :param recorded_ns: when it was recorded, in nanoseconds.
    :param frame_id: the camera's optical frame; may be empty.
    :param decode: returns the pixels; raises ImageError when it cannot.
    :param file: name of the image's own file; empty where it has none.
    """

    stamp_ns: int
    recorded_ns: int
    frame_id: str
    decode: Callable[[], Rgb]
    file: str = ''


@dataclass(frozen=True)
class Calibration:
    """
    What a camera says of itself; not yet checked.

    :param k: the matrix of the intrinsics, 9 values row by row, in pixels.
    :param width: of the image that it is for, in pixels.
    :param height: its height in pixels.
    :param part: what is sent of that image, see `PinholeCamera.part`.
    """

    k: Sequence[float]
    width: int
    height: int
    part: tuple[int, ...] = WHOLE


class Recording(Protocol):
    """A recording that is open."""

    name: str
    """Name of the bag, clip or folder."""
    image_count: int
    """Number of images, as far as the recording states it."""
    problems: list[str]
    """Sentences: what is missing, as far as it was met; complete when all images are read."""
    hints: list[str]
    """Sentences: what was read, and yet is worth knowing."""

    def frames(self) -> Iterator[Frame]:
        """
        Read image by image.

        :raises RecordingError: where the recording is damaged; what came before is good.
        """

    def calibrations(self) -> Iterator[Calibration]:
        """Read what the camera says of itself, as often as it can matter."""

    def close(self) -> None:
        """Release what it holds."""


# What recordings are called.


def plain_path(path: Path) -> Path:
    """Make a path absolute, without `..`; a symbolic link keeps the name that its user chose."""
    return Path(os.path.normpath(path.absolute()))


def named_apart(paths: list[Path]) -> Mapping[Path, str]:
    """
    Name recordings by the last part of the path that the user gave, or by as many as are needed.

    :param paths: the recordings; one that is given twice counts once.
    :returns: name by path.
    """
    whole = {plain_path(path).parts: path for path in reversed(paths)}
    parts = 1
    while len({names[-parts:] for names in whole}) < len(whole):
        parts += 1
    return {path: '/'.join(names[-parts:]) for names, path in reversed(whole.items())}


MOST_NAME_BYTES = 150
"""Of a recording's name in a file's; file systems take 255, and more is put behind the name."""


def short_name(name: str) -> str:
    """Cut a recording's name at a character, so that it leaves room in a file's name."""
    while len(os.fsencode(name)) > MOST_NAME_BYTES:
        name = name[:-1]
    return name


def file_names(names: Iterable[str]) -> list[str]:
    """
    Make file names of recordings' names, each its own.

    :param names: of the recordings, as `named_apart` gives them.
    :returns: for each a short name without '/', in their order; a number follows one that is
        taken.
    """
    made: list[str] = []
    for name in names:
        plain = one = short_name(name.replace('/', '_'))
        number = 1
        while one in made:
            number += 1
            one = f'{plain}_{number}'
        made.append(one)
    return made


# What took the images.


def recorded_camera(
    recording: Recording, parameters: NodeParameters, refuse: Callable[[str], None]
) -> KnownCamera:
    """
    Tell what took the images, by the first calibration that can be used.

    Unlike a node, which hears of it after its first images, a replay knows it from the start.

    :param recording: open, its images not yet read.
    :param parameters: of both nodes; `field_of_view_deg` counts where nothing better is known.
    :param refuse: see `KnownCamera`.
    """
    camera = assumed_camera(parameters, refuse)
    for calibration in recording.calibrations():
        if camera.calibrate(*astuple(calibration)):
            break
    return camera


def assumed_camera(
    parameters: NodeParameters, refuse: Callable[[str], None] = lambda _: None
) -> KnownCamera:
    """
    Make a camera of which no more than its field of view is known.

    :param parameters: of both nodes.
    :param refuse: see `KnownCamera`.
    """
    field_of_view_deg = float(parameters.blendshape_node['field_of_view_deg'])
    return KnownCamera(math.radians(field_of_view_deg), refuse)


# Which images of a recording are looked at: a part of it, at a rate.


@dataclass(frozen=True)
class Selection:
    """
    Which images of a recording are looked at.

    :param rate_hz: most images a second, by stamp; 0 takes all.
    :param from_s: seconds after the first image's stamp.
    :param to_s: end, seconds after the first image; None takes the recording to its end.
    :param stills: whether each image is a photograph of its own rather than a film's next one.
    :raises ValueError: naming the option of `replay` whose number is none, or negative.
    """

    rate_hz: float = 0.0
    from_s: float = 0.0
    to_s: float | None = None
    stills: bool = False

    def __post_init__(self) -> None:
        """Refuse numbers that cannot be meant."""
        given = {'--rate-hz': self.rate_hz, '--from': self.from_s, '--to': self.to_s or 0.0}
        for name, value in given.items():
            if not 0 <= value < math.inf:
                raise ValueError(f'{name} must be a number of 0 or more, not {value:g}.')
        if self.to_s is not None and self.to_s <= self.from_s:
            raise ValueError(f'--to {self.to_s:g} must lie behind --from {self.from_s:g}.')


# Whose images are looked at, and in what order they came.


_STEP_HINTS = {
    Step.LATE: 'images came late, with a stamp behind the newest one, and were left out',
    Step.STRAY: 'images had a stamp far from those around them, and were left out',
    Step.BACK: 'times the stamps went back, as when a clock is set or a recording begins again: '
    'all faces start over',
    Step.JUMP: 'times the stamps jumped ahead, as when a clock is set or a camera is switched '
    'off: all faces start over',
    Step.FORWARD: 'times the stamps went further ahead than the times of receipt by more than '
    'half a second, as when a clock is set: faces go on',
}
_LEAP_NS = NS_PER_S // 2


@dataclass(frozen=True)
class Numbered:
    """
    An image of a recording.

    :param number: its number, from 1.
    """

    number: int
    frame: Frame


class ImageOrder:
    """
    Follows the images of one recording as the nodes follow those of a topic.

    :param refuse: called with the kind of fault and an example, for images without a stamp.
    :param progress: called with the number of images read so far.
    """

    def __init__(
        self, refuse: Callable[[str, str], None], progress: Callable[[int], None] | None = None
    ) -> None:
        self.first_ns: int | None = None
        self._refuse = refuse
        self._progress = progress
        self._sender: FirstSender[str] = FirstSender()
        self._others: Counter[tuple[str, str]] = Counter()
        self._steps: Counter[Step] = Counter()
        self._examples: dict[Step, str] = {}
        self._steps_ns: list[int] = []

    def each(self, recording: Recording) -> Iterator[Numbered]:
        """
        Read every image that has a stamp.

        :param recording: the recording, open.
        :raises RecordingError: where it is damaged.
        """
        for number, frame in enumerate(recording.frames(), start=1):
            if self._progress is not None:
                self._progress(number)
            if frame.stamp_ns == 0:
                hint = 'let the driver fill in header.stamp.'
                self._refuse('have no stamp', f'number {number}; {hint}')
                continue
            if self.first_ns is None:
                self.first_ns = frame.stamp_ns
            yield Numbered(number, frame)

    def photographs(
        self, recording: Recording, selection: Selection
    ) -> Iterator[tuple[Frame, object]]:
        """Read as `selected` does where no image follows another: no stamp is wrong then."""
        pace = RateLimiter(selection.rate_hz)
        most_s = math.inf if selection.to_s is None else selection.to_s
        for image in self.each(recording):
            stamp_ns = image.frame.stamp_ns
            since_ns = stamp_ns - (self.first_ns or 0)
            inside = selection.from_s * NS_PER_S <= since_ns <= most_s * NS_PER_S
            if inside and pace.is_due(stamp_ns):
                yield image.frame, 0

    def selected(
        self, recording: Recording, selection: Selection
    ) -> Iterator[tuple[Frame, object]]:
        """
        Read the images that are to be looked at.

        :param recording: the recording, open.
        :param selection: a part of it, at a rate.
        :returns: each with what names its time line.
        :raises RecordingError: where it is damaged.
        """
        pace = RateLimiter(selection.rate_hz)
        before: Placed[Numbered] | None = None
        recorded_ns = 0
        time_ns = 0  # since the first image; it goes on where the stamps begin again
        for placed in self._placed(recording):
            recorded_before_ns, recorded_ns = recorded_ns, placed.item.frame.recorded_ns
            if placed.step is Step.FORWARD:
                ahead_ns = placed.way_ns - (recorded_ns - recorded_before_ns)
                if placed.pause and ahead_ns > _LEAP_NS:
                    self._note(placed)
            elif placed.step in _STEP_HINTS:
                self._note(placed)
            # Whether an image repeats another is found out when that could be decoded.
            if placed.step in (Step.LATE, Step.STRAY):
                continue
            time_ns += max(placed.way_ns, 0)
            if selection.to_s is not None and time_ns > selection.to_s * NS_PER_S:
                return
            if time_ns >= selection.from_s * NS_PER_S and pace.is_due(placed.stamp_ns):
                if before is not None and placed.line == before.line:
                    self._steps_ns.append(placed.stamp_ns - before.stamp_ns)
                before = placed
                yield placed.item.frame, (self._sender.kept, placed.line)

    def hints(self, name: str, parameters: NodeParameters) -> tuple[str, ...]:
        """
        Tell what was odd about the senders, the stamps and their rate.

        :param name: of the recording.
        :param parameters: of both nodes.
        :returns: sentences.
        """
        values = {**parameters.blendshape_node, **parameters.emotion_node}
        advice = advice_for_rate(usual_step_s(self._steps_ns), values)
        others = (
            f'{count} images have the frame_id {other!r}, not {kept!r} as those of the camera '
            'that came first on the topic; they were left out. Give each camera its topic.'
            for (other, kept), count in self._others.items()
        )
        steps = (
            f'{self._steps[step]} {hint}; the first: {self._examples[step]}.'
            for step, hint in _STEP_HINTS.items()
            if self._steps[step]
        )
        return tuple(f'{name}: {hint}' for hint in (*others, *steps, advice) if hint)

    def _placed(self, recording: Recording) -> Iterator[Placed[Numbered]]:
        line: TimeLine[Numbered] = TimeLine()
        sender = self._sender
        for image in self.each(recording):
            frame = image.frame
            frame_id = FirstSender.frame_of(frame.frame_id, sender.kept)
            if sender.is_other(frame_id, frame.stamp_ns):
                self._others[frame.frame_id, str(sender.kept)] += 1
            else:
                yield from line.follow(frame.stamp_ns, image)
        yield from line.end()

    def _note(self, placed: Placed[Numbered]) -> None:
        """Count an image whose stamp does not follow the one before; the first is quoted."""
        since_s = (placed.stamp_ns - (self.first_ns or 0)) / NS_PER_S
        way_s = abs(placed.way_ns) / NS_PER_S
        way = f'{way_s:.3f} s {"behind" if placed.way_ns < 0 else "ahead of"} the newest'
        self._steps[placed.step] += 1
        self._examples.setdefault(
            placed.step,
            f'image {placed.item.number}, {way}, at {placed.stamp_ns} ns, {since_s:.3f} s after '
            'the first',
        )
