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

"""
Makes two bags with labels from the assets' clips and replays them.

With --picture it draws doc/replay_report.png from what a run before left, without pictures of
faces; that needs Chromium.
"""

from __future__ import annotations

if __name__ == '__main__':  # before the imports, so that Ctrl-C ends them quietly
    from emotion_estimator import commands

    raise SystemExit(commands.run('dev.demo_replay'))

import argparse
import dataclasses
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np

from dev.bench.pictures import read_frames, write_camera_bag
from emotion_estimator.assets import find_media, log_to_terminal
from emotion_estimator.evaluation.cli import EXIT_STOPPED
from emotion_estimator.evaluation.cli import main as replay
from emotion_estimator.evaluation.report.write import write_report
from emotion_estimator.evaluation.runs import RunError, read_run
from emotion_estimator.faces.image_decoding import Rgb, open_video
from emotion_estimator.files import AssetError, check_output, write_whole

FOLDER = Path('out/demo-replay')
WIDTH_PX = 640
PICTURE = Path('doc/replay_report.png')
PICTURE_SIZE = '1160,1300'
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
    Replay the bags, or draw the picture.

    :returns: exit status: that of `replay`, or 1 with a sentence when something cannot be had.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--picture', action='store_true', help="draw the last run's report")
    return _draw() if parser.parse_args().picture else _replay()


def _replay() -> int:
    """Make the bags where they are not there yet, then replay them."""
    log_to_terminal()
    check_output(FOLDER)
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
        rate_hz = open_video(path).get(cv2.CAP_PROP_FPS)
        write_camera_bag(bag, map(_reduced, read_frames(clip)), rate_hz, quality)
    rows = [f'{start_s:g},{end_s:g},,{emotion}' for start_s, end_s, emotion in segments]
    table = '\n'.join(['start_s,end_s,face,emotion', *rows, ''])
    write_whole(bag.with_suffix('.csv'), table.encode())
    return bag


def _reduced(frame: Rgb) -> Rgb:
    size = (WIDTH_PX, frame.shape[0] * WIDTH_PX // frame.shape[1])
    return np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), np.uint8)


def _draw() -> int:
    """Draw the report of the last run in a real browser."""
    browser = shutil.which('chromium')
    if browser is None:
        print('Chromium is not installed; it draws the picture.', file=sys.stderr)
        return 1
    try:
        run = read_run(FOLDER)
    except RunError as error:
        print(error, file=sys.stderr)
        return 1
    faceless = [dataclasses.replace(replay, thumbnails={}) for replay in run.replays]
    with tempfile.TemporaryDirectory() as folder:
        page = write_report(Path(folder), faceless, run.truth)
        headless = ('--headless', '--no-sandbox', '--disable-gpu', '--hide-scrollbars')
        where = (f'--user-data-dir={folder}/profile', f'--window-size={PICTURE_SIZE}')
        picture = Path(folder, 'picture.png')
        command = (browser, *headless, *where, f'--screenshot={picture}', page.as_uri())
        subprocess.run(command, check=True, capture_output=True, timeout=120)
        shutil.copyfile(picture, PICTURE)
    print(PICTURE)
    return 0
