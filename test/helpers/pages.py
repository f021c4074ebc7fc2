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

"""A real browser without a window, and what it makes of a page."""

from __future__ import annotations

import re
import shutil
import subprocess

import cv2
import numpy as np
import pytest

NAMES = ('chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable')


class Browser:
    """
    Chromium, without a window and without a network.

    :param program: its path.
    :param profile: a folder of its own.
    """

    def __init__(self, program, profile):
        self._command = [
            program,
            '--headless',
            # Chromium refuses its sandbox to root, which containers run as.
            '--no-sandbox',
            '--disable-gpu',
            '--disable-dev-shm-usage',
            '--disable-background-networking',
            '--no-first-run',
            f'--user-data-dir={profile}',
            # No host can be reached: a page that needs one shows it.
            '--host-resolver-rules=MAP * ~NOTFOUND',
            '--enable-logging=stderr',
        ]

    def open(self, path, *options):
        """Load a page; gives its document after scripts ran, and the console's lines."""
        done = subprocess.run(
            [*self._command, *options, '--dump-dom', path.as_uri()],
            capture_output=True,
            text=True,
            timeout=90,
            check=True,
        )
        return done.stdout, re.findall(r'CONSOLE.*', done.stderr)


def find_browser(folder):
    """Find a browser; skips where there is none."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        pytest.skip(f'There is none of {", ".join(NAMES)} on this machine.')
    return Browser(program, folder)


# Pictures, RGB 640 x 480, that resemble people without showing a face.


def smiley():
    """Draw a yellow smiley."""
    picture = np.full((480, 640, 3), 255, np.uint8)
    cv2.circle(picture, (320, 240), 140, (250, 210, 40), -1, cv2.LINE_AA)
    cv2.circle(picture, (320, 240), 140, (0, 0, 0), 4, cv2.LINE_AA)
    for x in (270, 370):
        cv2.ellipse(picture, (x, 200), (14, 24), 0, 0, 360, (0, 0, 0), -1, cv2.LINE_AA)
    cv2.ellipse(picture, (320, 260), (80, 60), 0, 15, 165, (0, 0, 0), 6, cv2.LINE_AA)
    return picture


def line_drawing():
    """Draw a face with a pencil."""
    picture = np.full((480, 640, 3), 245, np.uint8)
    ink = (40, 40, 40)
    cv2.ellipse(picture, (320, 240), (105, 140), 0, 0, 360, ink, 3, cv2.LINE_AA)
    for x in (275, 365):
        cv2.ellipse(picture, (x, 210), (24, 11), 0, 0, 360, ink, 2, cv2.LINE_AA)
        cv2.circle(picture, (x, 210), 7, ink, -1, cv2.LINE_AA)
        cv2.ellipse(picture, (x, 195), (32, 12), 0, 200, 340, ink, 4, cv2.LINE_AA)
    cv2.polylines(picture, [np.array([[318, 215], [305, 270], [330, 272]])], False, ink, 2)
    cv2.ellipse(picture, (320, 305), (45, 22), 0, 10, 170, ink, 3, cv2.LINE_AA)
    return picture


def cartoon():
    """Draw a coloured figure with hair, big eyes, an open mouth."""
    picture = np.full((480, 640, 3), (140, 200, 235), np.uint8)
    cv2.rectangle(picture, (210, 370), (430, 480), (200, 60, 60), -1)
    cv2.ellipse(picture, (320, 205), (140, 150), 0, 0, 360, (110, 60, 20), -1, cv2.LINE_AA)
    cv2.ellipse(picture, (320, 245), (112, 132), 0, 0, 360, (250, 205, 170), -1, cv2.LINE_AA)
    for x in (270, 370):
        cv2.ellipse(picture, (x, 220), (34, 42), 0, 0, 360, (255, 255, 255), -1, cv2.LINE_AA)
        cv2.circle(picture, (x, 226), 15, (30, 30, 30), -1, cv2.LINE_AA)
        cv2.ellipse(picture, (x, 165), (36, 12), 0, 190, 350, (90, 50, 15), 8, cv2.LINE_AA)
    cv2.ellipse(picture, (320, 268), (12, 16), 0, 0, 360, (235, 175, 140), -1, cv2.LINE_AA)
    cv2.ellipse(picture, (320, 310), (56, 40), 0, 0, 180, (150, 30, 40), -1, cv2.LINE_AA)
    return picture


def back_of_a_head():
    """Draw hair, ears, neck and shoulders as seen from behind."""
    picture = np.full((480, 640, 3), (205, 208, 206), np.uint8)
    cv2.ellipse(picture, (320, 480), (210, 110), 0, 180, 360, (235, 235, 240), -1, cv2.LINE_AA)
    cv2.rectangle(picture, (275, 300), (365, 400), (205, 150, 125), -1)
    for x in (205, 435):
        cv2.ellipse(picture, (x, 225), (16, 32), 0, 0, 360, (210, 155, 130), -1, cv2.LINE_AA)
    cv2.ellipse(picture, (320, 205), (112, 135), 0, 0, 360, (60, 40, 28), -1, cv2.LINE_AA)
    strands = np.random.default_rng(4)
    for _ in range(900):
        x, y = strands.normal((320, 200), (45, 55))
        shade = int(strands.integers(35, 95))
        end = (int(x + strands.normal(0, 6)), int(y + 30))
        cv2.line(
            picture, (int(x), int(y)), end, (shade, shade * 2 // 3, shade // 2), 1, cv2.LINE_AA
        )
    return picture
