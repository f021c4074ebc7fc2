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

"""Real clips through the real landmarker."""

import re
from dataclasses import replace
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from helpers.faces import clip_features, frames, write_encoding
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from emotion_estimator.faces.appearance import VISIBLE_NAMES, FaceVisibility
from emotion_estimator.faces.encoding import read_encoding
from emotion_estimator.faces.finder import FaceFinder
from emotion_estimator.faces.landmarker import Box, FaceLandmarker, LandmarkedFace
from emotion_estimator.faces.multi_face import FaceSearch
from emotion_estimator.faces.networks import FaceNetworks
from emotion_estimator.faces.tracker import LISTED_S, FacePresence, FaceTracker, assigned
from emotion_estimator.stamps import NS_PER_S, Step

START_NS = 1_700_000_000 * NS_PER_S
FRAME_NS = NS_PER_S // 30


@pytest.fixture
def finder(landmarker_path):
    finder = FaceFinder(FaceLandmarker(FaceNetworks(landmarker_path)), FaceTracker(seed=1))
    yield finder
    finder.close()


@pytest.fixture
def pictures(media):
    found, _ = frames(media('single_face.mp4'), 6)
    return [cv2.cvtColor(picture, cv2.COLOR_BGR2RGB) for picture in found]


@pytest.mark.parametrize(('pause_s', 'first'), [(3, 0.7), (20, 0.1), (-20, 0.1)])
def test_a_place_looked_at_in_vain_comes_last_on_the_same_time_line_alone(pause_s, first):
    places = [Box(x, 0.4, x + 0.1, 0.6) for x in (0.1, 0.7)]
    face = LandmarkedFace(places[0], lambda: None, np.eye(478, 3, dtype=np.float32))
    look = SimpleNamespace(follows=False)
    look.find = lambda image, box, _: replace(face, box=box) if image.any() else None
    near = SimpleNamespace(find=lambda *_: [])
    detector = SimpleNamespace(find=lambda _: places, cost=1.0)
    finder = FaceFinder(FaceSearch(near, detector, lambda: look, 1, 0.1), FaceTracker(seed=1))
    covered, clear = np.zeros((99, 99, 3), np.uint8), np.ones((99, 99, 3), np.uint8)
    assert finder.find(covered, START_NS).faces == ()
    (found,) = finder.find(clear, START_NS + pause_s * NS_PER_S).faces
    assert found.box.x_min == first


def test_a_face_keeps_its_id_and_lies_in_the_picture(finder, pictures):
    sightings = [finder.find(p, START_NS + i * FRAME_NS) for i, p in enumerate(pictures)]
    assert [s.step for s in sightings] == [Step.FIRST] + [Step.FORWARD] * 5
    (face_id,) = {face.face_id for s in sightings for face in s.faces}
    assert len(face_id) == 5
    box = sightings[-1].faces[0].box
    assert 0 < box.x_min < box.x_max < 1
    assert 0 < box.y_min < box.y_max < 1


def test_without_an_encoding_a_face_has_blendshapes_alone(finder, pictures):
    (face,) = finder.find(pictures[0], START_NS).faces
    assert finder.feature_names == face.feature_names == ()
    assert face.features.shape == (0,)
    assert face.blendshapes.shape == (52,)


def test_an_encoding_gives_named_features(landmarker_path, pictures, tmp_path):
    encoding = read_encoding(write_encoding(tmp_path / 'mine.npz'))
    finder = FaceFinder(
        FaceLandmarker(FaceNetworks(landmarker_path)), FaceTracker(seed=1), encoding
    )
    (face,) = finder.find(pictures[0], START_NS).faces
    finder.close()
    assert face.feature_names == finder.feature_names == (*encoding.names, *VISIBLE_NAMES)
    encoded, seen = np.split(face.features, [len(encoding.names)])
    np.testing.assert_array_equal(encoded, encoding.encode(pictures[0], face.landmarks))
    visibility = FaceVisibility(encoding.template)
    np.testing.assert_array_equal(seen, visibility.of(encoding.crop(pictures[0], face.landmarks)))


def test_a_repeated_stamp_is_not_looked_at(finder, pictures):
    finder.find(pictures[0], START_NS)
    again = finder.find(pictures[1], START_NS)
    assert (again.step, again.faces) == (Step.REPEATED, ())


@pytest.mark.parametrize('jump_s', [-3600, 3600])
def test_after_a_jump_of_the_stamps_faces_begin_anew(finder, landmarker_path, pictures, jump_s):
    alone = FaceFinder(FaceLandmarker(FaceNetworks(landmarker_path)), FaceTracker(seed=1))
    (as_alone,) = alone.find(pictures[5], START_NS).faces
    before = finder.find(pictures[0], START_NS)
    after = finder.find(pictures[5], START_NS + jump_s * NS_PER_S)
    np.testing.assert_array_equal(after.faces[0].landmarks, as_alone.landmarks)
    assert after.step.restarts
    assert len(after.faces) == 1
    assert after.faces[0].face_id != before.faces[0].face_id


@pytest.mark.parametrize(('pause_ns', 'anew'), [(NS_PER_S, False), (5 * NS_PER_S, True)])
def test_after_a_pause_a_face_keeps_its_id_and_is_measured_anew(
    finder, landmarker_path, pictures, pause_ns, anew
):
    alone = FaceFinder(FaceLandmarker(FaceNetworks(landmarker_path)), FaceTracker(seed=1))
    (as_alone,) = alone.find(pictures[5], START_NS).faces
    (before,) = finder.find(pictures[0], START_NS, line='one').faces
    (after,) = finder.find(pictures[5], START_NS + pause_ns, line='one').faces
    assert after.face_id == before.face_id
    assert np.array_equal(after.landmarks, as_alone.landmarks) == anew
    assert np.array_equal(after.blendshapes, as_alone.blendshapes) == anew


def test_late_and_lone_images_change_nothing_of_the_others(finder, pictures):
    """Four images show what is usual; behind them one image is late, one stands alone."""
    clean = [START_NS + i * FRAME_NS for i in range(8)]
    wrong = {4: -2 * FRAME_NS, 6: 3600 * NS_PER_S}
    ids, left_out = [], []
    for i, stamp_ns in enumerate(clean):
        if i in wrong:
            left_out.append(finder.find(pictures[0], stamp_ns + wrong[i]))
        ids += [face.face_id for face in finder.find(pictures[i % 6], stamp_ns).faces]
    assert len(ids) == len(clean)
    assert len(set(ids)) == 1
    assert [sighting.step for sighting in left_out] == [Step.LATE, Step.STRAY]
    assert not any(sighting.faces for sighting in left_out)


def test_a_time_line_that_the_caller_names_is_followed(finder, pictures):
    stamps_ns = [START_NS, START_NS + 1, START_NS + 1, START_NS, START_NS + 2]
    found = [
        finder.find(pictures[i], stamp_ns, line=line)
        for i, (stamp_ns, line) in enumerate(zip(stamps_ns, 'aaabb'))
    ]
    steps = [Step.FIRST, Step.FORWARD, Step.REPEATED, Step.BACK, Step.FORWARD]
    assert [sighting.step for sighting in found] == steps
    ids = [[face.face_id for face in sighting.faces] for sighting in found]
    assert ids[0] == ids[1] != ids[3] == ids[4]
    assert ids[2] == []


def test_frames_closer_than_a_millisecond_are_kept_apart(finder, pictures):
    for i, picture in enumerate(pictures):
        assert len(finder.find(picture, START_NS + i * 100_000).faces) == 1


def test_a_clip_without_a_face_shows_none(media):
    features, _ = clip_features(media('no_face.mp4'))
    assert not any(features)


@pytest.mark.parametrize('name, change', [('face_noface.mov', 73), ('noface_face.mov', 97)])
def test_a_face_is_seen_while_it_is_there(media, name, change):
    """The clips change between face and no face about frame 73 and 97."""
    features, _ = clip_features(media(name))
    seen = [values is not None for values in features]
    first, second = seen[: change - 10], seen[change + 10 :]
    if name.startswith('noface'):
        first, second = second, first
    assert sum(first) / len(first) > 0.9
    assert sum(second) / len(second) < 0.1


# Ids that stay the same.


WIDTH, HEIGHT = 640, 480
MEAN = np.random.default_rng(3).normal(size=(478, 3)).astype(np.float32)


def landmarks(person=0, smile=0.0):
    """Points of a made-up person; a smile moves a third of them."""
    own = np.random.default_rng([5, person]).normal(size=MEAN.shape)
    points = MEAN + 0.05 * own.astype(np.float32)
    points[100:250, 1] += smile
    return points / np.array([WIDTH, HEIGHT, WIDTH], np.float32)


def face(x, y=0.5, size=0.2, **of):
    box = Box(x - size / 2, y - size / 2, x + size / 2, y + size / 2)
    return LandmarkedFace(box, lambda: np.zeros(52), landmarks(**of))


def matrices():
    """Costs of up to 6 faces and 6 tracks; few whole numbers, so that many are alike."""
    cost = st.integers(0, 5).map(float) | st.floats(0, 1e6)
    sides = st.tuples(st.integers(1, 6), st.integers(1, 6))
    return sides.flatmap(
        lambda side: st.lists(
            st.lists(cost, min_size=side[1], max_size=side[1]), min_size=side[0], max_size=side[0]
        )
    )


@given(matrices())
def test_faces_are_assigned_at_the_cost_that_scipy_finds(costs):
    columns = assigned(costs)
    pairs = [(row, column) for row, column in enumerate(columns) if column is not None]
    assert len({column for _, column in pairs}) == len(pairs) == min(len(costs), len(costs[0]))
    least = np.array(costs)[linear_sum_assignment(costs)].sum()
    assert sum(costs[row][column] for row, column in pairs) == pytest.approx(least)


def track(tracker, faces, stamp_ns):
    return tracker.track(faces, WIDTH, HEIGHT, stamp_ns)


def test_a_face_that_moves_keeps_its_id():
    tracker = FaceTracker(seed=1)
    ids = {track(tracker, [face(0.2 + i * 0.05)], i * FRAME_NS)[0] for i in range(12)}
    assert len(ids) == 1


def test_two_faces_keep_theirs_when_their_order_changes():
    tracker = FaceTracker(seed=1)
    left, right = track(tracker, [face(0.2), face(0.8)], 0)
    assert track(tracker, [face(0.79), face(0.22)], FRAME_NS) == [right, left]


def test_a_face_far_away_is_another_face():
    tracker = FaceTracker(seed=1)
    first = track(tracker, [face(0.1)], 0)
    assert track(tracker, [face(0.9)], FRAME_NS) != first


def test_an_absence_is_bridged_up_to_its_limit():
    tracker = FaceTracker(max_absence_s=1.0, seed=1)
    first = track(tracker, [face(0.5)], 0)
    assert track(tracker, [], NS_PER_S // 2) == []
    assert track(tracker, [face(0.5)], NS_PER_S) == first
    for tenths in range(11, 22):
        assert track(tracker, [], tenths * NS_PER_S // 10) == []
    assert track(tracker, [face(0.5)], 22 * NS_PER_S // 10) != first


@pytest.mark.parametrize('period_s', [1.8, 2.5, 9.0])
def test_silence_of_the_camera_is_no_absence(period_s):
    """A face that is in every image is never away; one missed image tells little."""
    tracker, period_ns = FaceTracker(max_absence_s=1.0, seed=1), round(period_s * NS_PER_S)
    seen = [1, 1, 1, 0, 1, 1, 0, 0, 1]
    ids = [track(tracker, [face(0.5)] * there, i * period_ns) for i, there in enumerate(seen)]
    first, second = ids[0], ids[-1]
    assert ids == [first, first, first, [], first, first, [], [], second]
    assert first != second


def test_a_newcomer_beside_a_known_face_gets_an_id_of_its_own():
    tracker = FaceTracker(seed=1)
    (known,) = track(tracker, [face(0.5)], 0)
    ids = track(tracker, [face(0.75), face(0.52)], 1)
    assert ids[1] == known
    assert ids[0] != known


def test_a_face_is_expected_where_its_way_leads():
    """It walks on out of sight for a second; where it was last seen its double appears."""
    tracker = FaceTracker(seed=1)
    for i in range(15):
        (first,) = track(tracker, [face(0.2 + 0.01 * i)], i * FRAME_NS)
    double, walked = track(tracker, [face(0.34), face(0.2 + 0.01 * 43)], 43 * FRAME_NS)
    assert walked == first
    assert double != first


@pytest.mark.parametrize('hidden', [0, 3, 12])
def test_two_who_cross_keep_their_ids_though_one_is_hidden(hidden):
    tracker = FaceTracker(seed=1)
    seen = []
    for i in range(41):
        faces = [face(0.3 + 0.01 * i, person=1), face(0.7 - 0.01 * i, person=2)]
        seen.append(track(tracker, faces[1:] if abs(i - 20) <= hidden else faces, i * FRAME_NS))
    assert len(seen[0]) == 2
    assert seen[-1] == seen[0]
    assert {seen[20][-1]} == {seen[0][1]}


def test_who_was_followed_onto_the_one_behind_gets_the_own_id_back():
    """The one in front is followed, slides onto the one behind; then both are seen again."""
    tracker = FaceTracker(seed=1)
    stamps_ns = [i * NS_PER_S // 15 for i in range(20)]
    places = [(0.3 + 0.02 * i, 0.7 - 0.02 * i) for i in range(20)]
    both = [[face(x, person=1), face(y, person=2)] for x, y in places]
    first = track(tracker, both[0], stamps_ns[0])
    for faces, stamp_ns in zip(both[1:10], stamps_ns[1:10]):
        assert track(tracker, faces, stamp_ns) == first
    for (x, _), stamp_ns in zip(places[10:16], stamps_ns[10:16]):
        assert track(tracker, [face(x + 0.02, person=2)], stamp_ns) == first[1:]
    # From 0.62 back to 0.38 is a longer way than a face seen all the time may jump.
    for faces, stamp_ns in zip(both[16:], stamps_ns[16:]):
        assert track(tracker, faces, stamp_ns) == first


@pytest.mark.parametrize('smile', [0.0, 0.3])
def test_who_turns_back_out_of_sight_is_known_by_shape(smile):
    """Both stop where they meet and go back: their ways alone would swap them."""
    tracker = FaceTracker(seed=1)
    places = [*range(15), *range(13, -1, -1)]
    for i, place in enumerate(places):
        faces = [
            face(0.35 + 0.01 * place, person=1, smile=smile * i / len(places)),
            face(0.65 - 0.01 * place, person=2),
        ]
        if i == 0:
            first = track(tracker, faces, 0)
        elif place < 12:
            last = track(tracker, faces, i * FRAME_NS)
    assert last == first


def test_ids_are_five_letters_and_a_seed_repeats_them():
    drawn = [track(FaceTracker(seed=7), [face(0.2), face(0.8)], 0) for _ in range(2)]
    assert drawn[0] == drawn[1]
    assert all(re.fullmatch('[a-z]{5}', face_id) for face_id in drawn[0])
    assert track(FaceTracker(), [face(0.5)], 0) != track(FaceTracker(), [face(0.5)], 0)


def test_a_reset_gives_new_ids():
    tracker = FaceTracker(seed=1)
    first = track(tracker, [face(0.5)], 0)
    tracker.reset()
    assert track(tracker, [face(0.5)], 1) != first


# Who is there, by stamps alone.


def see(presence, ids, time_s, starts_over=False):
    seen = presence.see(ids, round(time_s * NS_PER_S), starts_over)
    return ''.join(seen.listed), ''.join(seen.lost)


def test_a_missed_image_is_no_absence_and_a_long_one_is_a_loss_reported_once():
    presence = FacePresence(1.0)
    assert see(presence, 'ab', 0.0) == ('ab', '')
    assert see(presence, 'b', 0.1) == ('ba', '')
    assert see(presence, 'b', LISTED_S) == ('ba', '')
    assert see(presence, 'b', LISTED_S + 0.01) == ('b', '')
    assert see(presence, 'b', 1.0) == ('b', '')
    assert see(presence, 'b', 1.1) == ('b', 'a')
    assert see(presence, 'b', 1.2) == ('b', '')


def test_a_face_that_returns_in_time_is_not_lost():
    presence = FacePresence(1.0)
    see(presence, 'a', 0.0)
    assert see(presence, '', 0.9) == ('', '')
    assert see(presence, 'a', 0.95) == ('a', '')
    assert see(presence, '', 1.9) == ('', '')


def test_without_absence_a_face_is_gone_with_the_image():
    presence = FacePresence(0.0)
    see(presence, 'a', 0.0)
    assert see(presence, '', 0.01) == ('', 'a')


@pytest.mark.parametrize('time_s', [10.2, 9.9])
def test_on_a_new_time_line_those_of_the_old_are_lost(time_s):
    presence = FacePresence(60.0)
    see(presence, 'ab', 10.0)
    assert see(presence, 'c', time_s, starts_over=True) == ('c', 'ab')


def test_silence_of_the_camera_makes_nobody_absent():
    presence = FacePresence(1.0)
    assert see(presence, 'a', 0.0) == ('a', '')
    assert see(presence, '', 5.0) == ('', '')
    assert see(presence, 'a', 10.0) == ('a', '')
    assert see(presence, '', 15.0) == ('', '')
    assert see(presence, '', 15.1) == ('', 'a')


@given(st.lists(st.tuples(st.sets(st.sampled_from('abcd')), st.floats(0, 2)), max_size=20))
def test_whoever_came_is_listed_or_lost_or_may_return(steps):
    presence, time_s, there = FacePresence(1.0), 0.0, set()
    for ids, way_s in steps:
        time_s += way_s
        listed, lost = see(presence, sorted(ids), time_s)
        there |= ids
        assert ids <= set(listed) <= there
        assert set(lost) <= there - set(listed)
        there -= set(lost)
