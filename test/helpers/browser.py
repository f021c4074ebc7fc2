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
