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

"""The command line of `replay`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from emotion_estimator.evaluation.label_arguments import add_label_arguments
from emotion_estimator.evaluation.recordings.picture_folder import DEFAULT_RATE_HZ
from emotion_estimator.evaluation.workers import available_cores

DESCRIPTION = 'Tells what the package sees in recordings: bags, videos and folders of pictures.'


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """
    Read the command line.

    :param arguments: its words; None takes those of the process.
    :returns: the options by name.
    """
    parser = argparse.ArgumentParser(prog='replay', description=DESCRIPTION)
    add = parser.add_argument
    add('recordings', nargs='*', type=Path, metavar='BAG', help='rosbag2 folder; .mcap, .db3 or '
        '.bag file; video; folder of pictures')  # fmt: skip
    add('-o', '--output', type=Path, default=Path('out/replay'), help='folder for what comes out')
    add('--topic', default='', help="the camera's topic, where a bag has several")
    add('--model', default='', help='model that ships, or path of a model folder')
    add('--params-file', type=Path, help="YAML with the nodes' parameters")
    add('--rate-hz', type=float, default=0.0, help='most images a second, by stamp')
    add('--from', dest='from_s', type=float, default=0.0, help='seconds after the first image')
    add('--to', dest='to_s', type=float, help='likewise')
    add('--picture-rate-hz', type=float, default=DEFAULT_RATE_HZ,
        help='frames a second of pictures whose names are no stamps')  # fmt: skip
    add('--jobs', type=int, default=len(available_cores()), help='recordings at a time')
    add('--record', type=Path, help='write what the nodes would publish, but for pictures: '
        'an .mcap file, or a folder; with several recordings a folder of .mcap files')  # fmt: skip
    add('--with-input', action='store_true', help="copy the bags' own messages, images too, there")
    add_label_arguments(parser)
    parser.add_argument('--compare', nargs=2, type=Path, metavar='FOLDER', help='hold two '
        'finished runs against each other instead')  # fmt: skip
    options = parser.parse_args(arguments)
    if bool(options.recordings) == bool(options.compare):
        parser.error('give recordings, or two folders after --compare')
    return options
