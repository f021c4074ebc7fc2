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

"""Clips are split so that no person stands in two splits."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.datasets.actor_split import SHARES, split_by_actor
from training.datasets.clips import LabelledClip
from training.datasets.labels import DataError, Split


def clips_of(counts):
    """Make clips of as many actors as there are counts, mixed as they come in a data set."""
    clips = [
        LabelledClip(name=f'{actor} {take}', source=Path('none'), label=3, actor=f'actor {actor}')
        for actor, count in enumerate(counts)
        for take in range(count)
    ]
    return sorted(clips, key=lambda clip: clip.name.split()[::-1])


SHARES_OF_ANY_SIZE = st.tuples(*[st.integers(1, 20)] * 3).map(
    lambda parts: {split: part / sum(parts) for split, part in zip(Split, parts)}
)


@given(
    counts=st.lists(st.integers(1, 30), min_size=3, max_size=40),
    shares=SHARES_OF_ANY_SIZE,
    seed=st.integers(0, 2**32 - 1),
)
def test_every_clip_is_in_one_split_and_no_actor_in_two(counts, shares, seed):
    clips = clips_of(counts)
    found = split_by_actor(clips, shares, seed)
    assert set(found) == set(Split)
    assert Counter(clip.name for part in found.values() for clip in part) == Counter(
        clip.name for clip in clips
    )
    actors = [{clip.actor for clip in part} for part in found.values()]
    assert sum(map(len, actors)) == len(counts)
    # As much above its share as one actor has clips, at most; the others then lack as much.
    for split, part in found.items():
        surplus = len(part) - shares[split] * len(clips)
        assert -2 * max(counts) < surplus < max(counts)
        assert part


@given(order=st.permutations(range(12)), seed=st.integers(0, 1000))
def test_the_order_of_the_clips_does_not_tell_who_goes_where(order, seed):
    clips = clips_of([2] * 6)
    mixed = split_by_actor([clips[place] for place in order], seed=seed)
    for split, part in split_by_actor(clips, seed=seed).items():
        assert {clip.name for clip in mixed[split]} == {clip.name for clip in part}


def test_many_actors_give_about_the_wanted_shares():
    found = split_by_actor(clips_of([82] * 91), SHARES, seed=5)
    shares = {split: len(part) / (82 * 91) for split, part in found.items()}
    assert shares == pytest.approx(SHARES, abs=0.011)


def test_a_seed_gives_the_same_splits_and_another_gives_others():
    clips = clips_of([5] * 24)
    assert split_by_actor(clips, seed=1) == split_by_actor(clips, seed=1)
    assert split_by_actor(clips, seed=1) != split_by_actor(clips, seed=2)


def test_clips_keep_their_order():
    clips = clips_of([4] * 9)
    for part in split_by_actor(clips).values():
        places = [clips.index(clip) for clip in part]
        assert places == sorted(places)


def test_two_splits_are_possible():
    found = split_by_actor(clips_of([1] * 10), {Split.TRAINING: 0.8, Split.PRIVATE: 0.2})
    assert {split: len(part) for split, part in found.items()} == {
        Split.TRAINING: 8,
        Split.PRIVATE: 2,
    }


def test_too_few_actors_are_told():
    with pytest.raises(DataError, match='2 actors are too few for 3 splits'):
        split_by_actor(clips_of([50, 50]))


@pytest.mark.parametrize(
    'shares', [{}, {Split.TRAINING: 0.5, Split.PUBLIC: 0.4}, {Split.TRAINING: 1, Split.PUBLIC: 0}]
)
def test_shares_that_are_none_are_refused(shares):
    with pytest.raises(ValueError, match='must be above 0 and sum to 1'):
        split_by_actor(clips_of([1] * 5), shares)
