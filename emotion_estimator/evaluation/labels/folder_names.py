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

"""Labels from folders named after expressions, each with the recordings that show it."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from emotion_estimator.evaluation.labels.segment import ANY_FACE, Labels, Segment
from emotion_estimator.evaluation.labels.vocabulary import EXPRESSIONS, known_name


def labels_of_folder(
    path: Path, first_ns: int, last_ns: int, own_names: Collection[str] = ()
) -> Labels:
    """
    Take the name of the nearest folder that is an expression's as the label of the whole.

    :param path: of the recording, such as 'happy/2026-05-04.mcap'; a folder's own name counts.
    :param first_ns: stamp of its first image in nanoseconds.
    :param last_ns: stamp of its last image.
    :param own_names: names that count beside those of `vocabulary`.
    :returns: one segment; none, and why, when no folder is named so.
    """
    names = [path.name, *(folder.name for folder in path.parents)]
    for name in names:
        label = known_name(name, own_names)
        if label is not None:
            return Labels((Segment(first_ns, last_ns + 1, ANY_FACE, label),), ())
    return Labels(
        (),
        (
            f'{path}: no folder above it is named after an expression, such as '
            f'{", ".join(EXPRESSIONS)}; it has no label.',
        ),
    )
