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

"""Splits of clips in which no person stands twice."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from training.datasets.clips import LabelledClip
from training.datasets.labels import DataError, Split

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
