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

"""Makes two bags with labels from the assets' clips and replays them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from dev.camera_bag import write_camera_bag
from emotion_estimator.assets import find_media, log_to_terminal
from emotion_estimator.evaluation.cli import EXIT_STOPPED
from emotion_estimator.evaluation.cli import main as replay
from emotion_estimator.files import AssetError, write_whole

FOLDER = Path('out/demo-replay')
WIDTH_PX = 640
# Clip, JPEG quality (None: raw images), segments as a person sees them: the times of change, and
# a worried look behind a hand from 5.7 to 10.2 s, are left out.
CLIPS: dict[str, tuple[str, int | None, list[tuple[float, float, str]]]] = {
    'smile': ('single_face.mp4', None, [(0.0, 0.55, 'neutral'), (0.75, 2.4, 'happy')]),
    'tears_to_laughter': (
        'WolfgangLanger_Pexels.mp4',
        90,
        [(0.0, 5.7, 'sad'), (10.2, 19.65, 'happy')],
    ),
}


def main() -> int:
    """
    Make the bags where they are not there yet, then replay them.

    :returns: exit status of `replay`, or 1 with a sentence when a clip cannot be had.
    """
    log_to_terminal()
    try:
        bags = [_bag(name, *clip) for name, clip in CLIPS.items()]
    except AssetError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print('Stopped; bags that are finished are kept.', file=sys.stderr)
        return EXIT_STOPPED
    return replay([*map(str, bags), '--output', str(FOLDER)])


def _bag(
    name: str, clip: str, quality: int | None, segments: list[tuple[float, float, str]]
) -> Path:
    """Make a bag of a clip where there is none yet, and its labels beside it."""
    bag = FOLDER / 'bags' / name
    path = find_media(clip)
    if not bag.is_dir():
        print(f'Making {bag} of {clip} ...', file=sys.stderr)
        rate_hz = cv2.VideoCapture(str(path)).get(cv2.CAP_PROP_FPS)
        write_camera_bag(bag, _pictures(path), rate_hz, quality)
    rows = [f'{start_s:g},{end_s:g},,{emotion}' for start_s, end_s, emotion in segments]
    table = '\n'.join(['start_s,end_s,face,emotion', *rows, ''])
    write_whole(bag.with_suffix('.csv'), table.encode())
    return bag


def _pictures(path: Path) -> Iterator[NDArray[np.uint8]]:
    capture = cv2.VideoCapture(str(path))
    while True:
        read, bgr = capture.read()
        if not read:
            return
        size = (WIDTH_PX, bgr.shape[0] * WIDTH_PX // bgr.shape[1])
        yield np.asarray(cv2.resize(bgr, size, interpolation=cv2.INTER_AREA), np.uint8)


if __name__ == '__main__':
    sys.exit(main())
