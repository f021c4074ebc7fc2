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

"""Labelled clips, as video files or folders of frames, and splits that part no person's clips."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from emotion_estimator.faces.image_decoding import open_video, rgb_of_bgr
from emotion_estimator.stamps import NS_PER_S
from training.datasets.labels import DataError, Split
from training.datasets.pictures import FilePictures

FRAME_SUFFIXES = frozenset({'.png', '.jpg', '.jpeg', '.bmp', '.tif', '.tiff'})


@dataclass(frozen=True)
class LabelledClip:
    """
    One recorded expression of one person.

    :param name: what a person finds it by.
    :param source: a video file, or a folder whose pictures, by name, are the frames.
    :param label: index into `labels.LABELS`.
    :param actor: the person; all clips of one person belong into one split.
    :param rate_hz: frames per second of a folder, and of a video that does not tell its own.
    :param from_neutral: whether it begins neutral and ends at the apex, as CK+ does.
    """

    name: str
    source: Path
    label: int
    actor: str
    rate_hz: float = 30.0
    from_neutral: bool = False

    def frames(self) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """
        Read the frames one after the other.

        :returns: yields a frame's time in nanoseconds from 0 on, and RGB [height, width, 3].
        :raises DataError: when the source holds no frame that can be read.
        """
        return self._of_folder() if self.source.is_dir() else self._of_video()

    def _of_folder(self) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        files = FilePictures(
            sorted(p for p in self.source.glob('[!.]*') if p.suffix.lower() in FRAME_SUFFIXES)
        )
        if not len(files):
            raise DataError(f'The folder {self.source} holds no frames.')
        for index in range(len(files)):
            yield round(index * NS_PER_S / self.rate_hz), files.read(index)

    def _of_video(self) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        video = open_video(self.source)
        try:
            rate_hz = video.get(cv2.CAP_PROP_FPS) or self.rate_hz
            index = 0
            while (read := video.read())[0]:
                yield (
                    round(index * NS_PER_S / rate_hz),
                    rgb_of_bgr(np.asarray(read[1], np.uint8)),
                )
                index += 1
        finally:
            video.release()
        if index == 0:
            raise DataError(f'{self.source} is missing or no video that OpenCV reads.')


SHARES: dict[Split, float] = {Split.TRAINING: 0.7, Split.PUBLIC: 0.15, Split.PRIVATE: 0.15}


def split_by_actor(
    clips: Sequence[LabelledClip], shares: Mapping[Split, float] = SHARES, seed: int = 0
) -> dict[Split, tuple[LabelledClip, ...]]:
    """
    Share out clips so that all clips of one actor are in one split.

    The actors come in a random order, and each goes to the split that lacks most clips. So no
    split gets more than its share by as much as the clips of one actor, and none stays empty.

    :param clips: the clips; their order does not count for who goes where.
    :param shares: wanted share of the clips of each split, each above 0, summing to 1.
    :param seed: the same seed gives the same splits.
    :returns: the clips of each split, in their order.
    :raises ValueError: when the shares are not above 0 or do not sum to 1.
    :raises DataError: when there are fewer actors than splits.
    """
    if min(shares.values(), default=0) <= 0 or not math.isclose(sum(shares.values()), 1):
        raise ValueError(f'The shares {dict(shares)} must be above 0 and sum to 1.')
    counts = Counter(clip.actor for clip in clips)
    if len(counts) < len(shares):
        raise DataError(
            f'{len(counts)} actors are too few for {len(shares)} splits that share no actor; '
            'add clips of other people or ask for fewer splits.'
        )
    lacking = {split: share * len(clips) for split, share in shares.items()}
    empty = list(shares)
    found: dict[str, Split] = {}
    for actor in np.random.default_rng(seed).permutation(sorted(counts)).tolist():
        # Every split gets an actor before any gets a second one.
        split = empty.pop() if empty else max(lacking, key=lambda each: lacking[each])
        found[actor] = split
        lacking[split] -= counts[actor]
    return {split: tuple(clip for clip in clips if found[clip.actor] == split) for split in shares}
