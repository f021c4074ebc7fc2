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

"""The arguments of `replay` that tell where labels come from."""

from __future__ import annotations

import argparse
from pathlib import Path

from emotion_estimator.evaluation.labelled_report import LabelSource
from emotion_estimator.evaluation.labels import Time
from emotion_estimator.evaluation.labels.vocabulary import LABEL_MAPS


def add_label_arguments(parser: argparse.ArgumentParser) -> None:
    """
    Add the arguments to a parser.

    :param parser: of the command.
    """
    labels = parser.add_argument_group(
        'labels', 'Without these, NAME.csv beside a recording NAME is taken where there is one.'
    )
    add = labels.add_mutually_exclusive_group().add_argument
    add(
        '--labels',
        type=Path,
        metavar='FILE',
        help='table: start_s,end_s,face,emotion, with several recordings also recording',
    )
    add(
        '--labels-topic',
        default='',
        metavar='TOPIC',
        help='of the bags: vision_msgs/Classification or hri_msgs/Expression; * stands for any '
        'text',
    )
    add(
        '--labels-from-folders',
        action='store_true',
        help='folders named after expressions label what they hold',
    )
    add = labels.add_argument
    add(
        '--label-times',
        choices=[one.value for one in Time],
        default=Time.AUTOMATIC.value,
        help="whether a table's seconds count from the first image or from 1970",
    )
    add(
        '--label-map',
        choices=[one.name for one in LABEL_MAPS],
        help='judge in these coarser classes',
    )


def label_source(options: argparse.Namespace) -> LabelSource:
    """
    Read the arguments.

    :param options: of a parser with `add_label_arguments`.
    :returns: where labels come from.
    """
    return LabelSource(
        options.labels,
        options.labels_topic,
        options.labels_from_folders,
        Time(options.label_times),
        options.label_map,
    )
