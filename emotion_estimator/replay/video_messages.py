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

"""Messages that hold video rather than images: decoded one after the other, by PyAV."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from emotion_estimator.faces.geometry import MAX_PIXELS, ImageError, check_size
from emotion_estimator.faces.image_decoding import Rgb
from emotion_estimator.replay.recordings import Frame, RecordingError

Times = tuple[int, int, str]
"""Stamp, time of receipt, frame: as `Frame` has them."""


class VideoDecoder:
    """
    Decodes the packets of one topic in their order.

    :param path: the bag, for error messages.
    :param topic: the topic and its type.
    :param codec: FFmpeg's name of the codec.
    :raises RecordingError: when PyAV is missing or does not know the codec.
    """

    def __init__(self, path: Path, topic: str, codec: str) -> None:
        republish = (
            'or have the images republished before they are recorded, as with `ros2 run '
            'image_transport republish ffmpeg raw`.'
        )
        try:
            import av
        except ImportError as error:
            raise RecordingError(
                f'{path}: {topic} holds {codec} video, which PyAV decodes, and it is not there '
                f'({error}): install it with `pip install av`, {republish}'
            ) from error
        try:
            self._context: Any = av.CodecContext.create(codec, 'r')
            self._context.options = {'max_pixels': str(MAX_PIXELS)}
        except (ValueError, av.FFmpegError) as error:
            raise RecordingError(
                f'{path}: {topic} holds {codec} video, which PyAV does not decode ({error}); have '
                f'it encoded as H.264, {republish}'
            ) from error
        self._av = av
        self._topic, self._codec = topic, codec
        self._times: list[Times] = []
        self._waiting: list[Times] = []
        self._own_stamps = False
        """Whether packets have their own pictures' stamps: these go back where pictures do."""
        self._decoded = self._damaged = 0
        self._early: list[Frame] = []
        """Refused before the first picture: they need a key frame that was not recorded."""

    def frames(self, data: bytes, at: Times) -> Iterator[Frame]:
        """
        Decode the next packet.

        :param at: when its image was taken.
        :returns: yields the images that are ready; a decoder may hold some back.
        """
        packet = self._av.Packet(data)
        packet.pts = packet.dts = len(self._times)
        self._own_stamps |= bool(self._times) and at < self._times[-1]
        self._times.append(at)
        if self._context.has_b_frames or not self._decoded:
            self._waiting.append(at)
        try:
            yield from self._made(self._context.decode(packet) if data else ())
        except self._av.FFmpegError as error:
            reason = f'The {self._codec} packet of {len(data)} bytes is damaged ({error}).'
            refused = Frame(*at, partial(_refuse, reason))
            if not self._decoded:
                self._early.append(refused)
                return
            self._damaged += 1
            if at in self._waiting:
                self._waiting.remove(at)
            yield refused

    def rest(self) -> Iterator[Frame]:
        """Give the images that the decoder has held back."""
        with suppress(self._av.FFmpegError):
            yield from self._made(self._context.decode(None))
        if not self._decoded:
            yield from self._early

    def hints(self) -> list[str]:
        """Tell how many packets gave no image."""
        lost = len(self._times) - self._decoded - self._damaged
        if lost <= 0:
            return []
        return [
            f'{lost} of {len(self._times)} packets on {self._topic} gave no image: video can only '
            'be read from a key frame on.'
        ]

    def _made(self, pictures: Any) -> Iterator[Frame]:
        for picture in pictures:
            if not self._decoded:
                # What came before the first key frame gives no image.
                self._waiting = self._times[picture.pts :]
            self._decoded += 1
            at: Times = self._times[picture.pts]
            if self._context.has_b_frames and not self._own_stamps:
                # Pictures leave the decoder in their order in time, packets enter it in another.
                at = min(self._waiting)
                self._waiting.remove(at)
            yield Frame(*at, partial(_rgb, picture))


def _rgb(picture: Any) -> Rgb:
    check_size(picture.width, picture.height)
    return np.ascontiguousarray(picture.to_ndarray(format='rgb24'))


def _refuse(reason: str) -> Rgb:
    raise ImageError(reason)
