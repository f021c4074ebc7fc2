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

"""Ids that stay the same."""

import re

from emotion_estimator.faces.face_landmarker import Box
from emotion_estimator.faces.face_tracker import FaceTracker
from emotion_estimator.stamps import NS_PER_S


def box(x, y=0.5, size=0.2):
    return Box(x - size / 2, y - size / 2, x + size / 2, y + size / 2)


def test_a_face_that_moves_keeps_its_id():
    tracker = FaceTracker(seed=1)
    ids = {tracker.track([box(0.2 + i * 0.05)], i * NS_PER_S // 30)[0] for i in range(12)}
    assert len(ids) == 1


def test_two_faces_keep_theirs_when_their_order_changes():
    tracker = FaceTracker(seed=1)
    left, right = tracker.track([box(0.2), box(0.8)], 0)
    assert tracker.track([box(0.79), box(0.22)], NS_PER_S // 30) == [right, left]


def test_a_face_far_away_is_another_face():
    tracker = FaceTracker(seed=1)
    first = tracker.track([box(0.1)], 0)
    assert tracker.track([box(0.9)], NS_PER_S // 30) != first


def test_an_absence_is_bridged_up_to_its_limit():
    tracker = FaceTracker(max_absence_s=1.0, seed=1)
    first = tracker.track([box(0.5)], 0)
    assert tracker.track([], NS_PER_S // 2) == []
    assert tracker.track([box(0.5)], NS_PER_S) == first
    assert tracker.track([box(0.5)], 2 * NS_PER_S + 1) != first


def test_a_newcomer_beside_a_known_face_gets_an_id_of_its_own():
    tracker = FaceTracker(seed=1)
    (known,) = tracker.track([box(0.5)], 0)
    ids = tracker.track([box(0.75), box(0.52)], 1)
    assert ids[1] == known
    assert ids[0] != known


def test_ids_are_five_letters_and_a_seed_repeats_them():
    drawn = [FaceTracker(seed=7).track([box(0.2), box(0.8)], 0) for _ in range(2)]
    assert drawn[0] == drawn[1]
    assert all(re.fullmatch('[a-z]{5}', face_id) for face_id in drawn[0])
    assert FaceTracker().track([box(0.5)], 0) != FaceTracker().track([box(0.5)], 0)


def test_a_reset_gives_new_ids():
    tracker = FaceTracker(seed=1)
    first = tracker.track([box(0.5)], 0)
    tracker.reset()
    assert tracker.track([box(0.5)], 1) != first
