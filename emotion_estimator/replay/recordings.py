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

"""What every kind of recording offers: its images in order, each with its stamp."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from emotion_estimator.faces.image_decoding import Rgb
from emotion_estimator.stamps import NS_PER_S

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
    """

    k: Sequence[float]
    width: int
    height: int


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


# Which images of a recording are looked at: a part of it, at a rate.


_EARLY = 0.02
"""Share of a period by which an image may come before it is due: cameras jitter."""


@dataclass(frozen=True)
class Selection:
    """
    Which images of a recording are looked at.

    :param rate_hz: most images a second, by stamp; 0 takes all.
    :param from_s: seconds after the first image's stamp.
    :param to_s: end, seconds after the first image; None takes the recording to its end.
    :param stills: whether each image is a photograph of its own rather than a film's next one.
    """

    rate_hz: float = 0.0
    from_s: float = 0.0
    to_s: float | None = None
    stills: bool = False


class RateLimiter:
    """
    Lets images pass at most at a rate, by their stamps.

    :param rate_hz: images a second; 0 lets all pass.
    """

    def __init__(self, rate_hz: float) -> None:
        self._period_ns = NS_PER_S / rate_hz if rate_hz else 0.0
        self._due_ns: float | None = None
        self._newest_ns: int | None = None

    def is_due(self, stamp_ns: int) -> bool:
        """
        Tell whether the next image is due; images go by a grid of the rate.

        :param stamp_ns: its stamp in nanoseconds.
        :returns: whether it passes.
        """
        back = self._newest_ns is not None and stamp_ns < self._newest_ns
        self._newest_ns = stamp_ns
        late_ns = 0.0 if self._due_ns is None else stamp_ns - self._due_ns
        # The grid starts over behind a gap or a step back.
        if self._due_ns is None or back or late_ns > self._period_ns:
            self._due_ns = stamp_ns + self._period_ns
            return True
        if late_ns < -_EARLY * self._period_ns:
            return False
        self._due_ns += self._period_ns
        return True
