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
Draws doc/replay_report.png from what `make demo-replay` left, without pictures of faces.

Needs Chromium.
"""

from __future__ import annotations

import dataclasses
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from emotion_estimator.evaluation.report.run_files import RunError, read_run
from emotion_estimator.evaluation.report.write import write_report

RUN = Path('out/demo-replay')
PICTURE = Path('doc/replay_report.png')
SIZE = '1160,1300'


def main() -> int:
    """
    Draw the picture.

    :returns: exit status.
    """
    browser = shutil.which('chromium')
    if browser is None:
        print('Chromium is not installed; it draws the picture.', file=sys.stderr)
        return 1
    try:
        run = read_run(RUN)
    except RunError as error:
        print(error, file=sys.stderr)
        return 1
    faceless = [dataclasses.replace(replay, thumbnails={}) for replay in run.replays]
    with tempfile.TemporaryDirectory() as folder:
        page = write_report(Path(folder), faceless, run.truth)
        headless = ('--headless', '--no-sandbox', '--disable-gpu', '--hide-scrollbars')
        where = (f'--user-data-dir={folder}/profile', f'--window-size={SIZE}')
        picture = Path(folder, 'picture.png')
        command = (browser, *headless, *where, f'--screenshot={picture}', page.as_uri())
        subprocess.run(command, check=True, capture_output=True, timeout=120)
        shutil.copyfile(picture, PICTURE)
    print(PICTURE)
    return 0


if __name__ == '__main__':
    sys.exit(main())
