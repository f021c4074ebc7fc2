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
Fetches ahead of time what the nodes load and do not contain.

Each file is sought in the folder that EMOTION_ESTIMATOR_ASSETS names, in the cache, at its
publisher and in the package index, and is verified by its checksum.
"""

from __future__ import annotations

if __name__ == '__main__':  # before the imports, so that Ctrl-C ends them quietly
    from emotion_estimator import commands

    raise SystemExit(commands.main('fetch_assets'))

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from emotion_estimator.assets import (
    ASSETS_VARIABLE,
    FACE_DETECTOR,
    FACE_LANDMARKER,
    MEDIA,
    Asset,
    log_to_terminal,
    obtain,
)
from emotion_estimator.files import AssetError, OutputError, check_output, write_whole

EXIT_MISSING = 1
EXIT_WRONG_ARGUMENT = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Fetch the assets.

    :param arguments: command line; None takes that of the process.
    :returns: exit status: 0; 1 when a file that the nodes cannot do without is missing; 2 when
        the folder cannot be written; 130 after Ctrl-C.
    """
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        '--to',
        type=Path,
        metavar='DIR',
        help=f'copy them into this folder, which {ASSETS_VARIABLE} may then name; default: cache',
    )
    parser.add_argument(
        '--demo', action='store_true', help='also the clips and pictures of demo, tests and bench'
    )
    options = parser.parse_args(arguments)
    log_to_terminal()
    wanted = [FACE_LANDMARKER, FACE_DETECTOR, *(MEDIA.values() if options.demo else ())]
    try:
        if options.to is not None:
            check_output(options.to)
        return max(_fetch(asset, options.to) for asset in wanted)
    except OutputError as error:
        print(error, file=sys.stderr)
        return EXIT_WRONG_ARGUMENT
    except KeyboardInterrupt:
        print('Stopped; what was fetched is kept.', file=sys.stderr)
        return 130


def _fetch(asset: Asset, to: Path | None) -> int:
    """Fetch one asset and say where it came from; returns the exit status that follows."""
    try:
        found = obtain(asset)
    except AssetError as error:
        print(f'{asset.loss} {error}'.strip(), file=sys.stderr)
        return 0 if asset.loss else EXIT_MISSING
    path = found.path
    if to is not None:
        path = to / asset.folder / asset.name
        write_whole(path, found.path.read_bytes())
    print(f'{asset.name} ({asset.licence}): {path}, from {found.source}')
    return 0
