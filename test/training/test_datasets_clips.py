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

"""Clips of CK+, RAVDESS and CREMA-D as their publishers name them; how faces in clips move."""

from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emotion_estimator.blendshapes import INDEX
from training.clips import BLINK_HALF_S, RATE_HZ, extract
from training.datasets.clips import (
    SHARES,
    LabelledClip,
    read_ck_plus,
    read_crema_d,
    read_ravdess,
    split_by_actor,
)
from training.datasets.pictures import LABELS, DataError, Split
from training.network import additive, from_additive, logit


def write_video(path, greys=(0, 100, 200), rate_hz=25.0):
    path.parent.mkdir(parents=True, exist_ok=True)
    made = path.with_suffix('.mp4')
    video = cv2.VideoWriter(str(made), cv2.VideoWriter.fourcc(*'mp4v'), rate_hz, (64, 48))
    assert video.isOpened()
    for grey in greys:
        video.write(np.full((48, 64, 3), grey, np.uint8))
    video.release()
    # OpenCV looks at the content, not at the name.
    made.rename(path)
    return path


def write_sequence(folder, person, sequence, greys, emotion=None):
    pictures = folder / 'cohn-kanade-images' / person / sequence
    pictures.mkdir(parents=True)
    for number, grey in enumerate(greys, start=1):
        name = f'{person}_{sequence}_{number:08}.png'
        assert cv2.imwrite(str(pictures / name), np.full((48, 64), grey, np.uint8))
    labels = folder / 'Emotion' / person / sequence
    labels.mkdir(parents=True)
    if emotion is not None:
        (labels / f'{person}_{sequence}_{len(greys):08}_emotion.txt').write_text(emotion)


def words(clips):
    return {clip.name: LABELS[clip.label] for clip in clips}


def greys(clip):
    return [round(float(frame.mean())) for _, frame in clip.frames()]


def test_a_sequence_of_ck_plus_goes_from_neutral_to_the_apex(tmp_path):
    write_sequence(tmp_path, 'S005', '001', [10, 20, 30], '   3.0000000e+00\n')
    (clip,), complaints = read_ck_plus(tmp_path)
    assert (clip.name, LABELS[clip.label]) == ('ck_plus S005/001', 'disgusted')
    assert clip.actor == 'ck_plus S005'
    assert clip.from_neutral
    assert greys(clip) == [10, 20, 30]
    assert [time for time, _ in clip.frames()] == [0, 33333333, 66666667]
    assert complaints == ()


def test_ck_plus_numbers_are_our_words_and_contempt_is_left_out(tmp_path):
    for number in range(8):
        write_sequence(tmp_path, 'S010', f'{number:03}', [0], f'   {number}.0000000e+00\n')
    clips, complaints = read_ck_plus(tmp_path)
    assert [LABELS[clip.label] for clip in clips] == [
        'neutral', 'angry', 'disgusted', 'scared', 'happy', 'sad', 'surprised',
    ]  # fmt: skip
    assert complaints == (f'1 sequences of {tmp_path} show contempt; left out.',)


def test_sequences_of_ck_plus_without_an_expression_are_counted(tmp_path):
    write_sequence(tmp_path, 'S005', '001', [0], '5.0')
    write_sequence(tmp_path, 'S005', '002', [0])
    write_sequence(tmp_path, 'S006', '001', [0])
    clips, complaints = read_ck_plus(tmp_path)
    assert words(clips) == {'ck_plus S005/001': 'happy'}
    assert complaints == (f'2 sequences of {tmp_path} have no expression; left out.',)


@pytest.mark.parametrize('emotion', ['', '9.0', '2.5', 'nan', 'happy', 'é'])
def test_a_broken_expression_of_ck_plus_is_reported_by_file(tmp_path, emotion):
    write_sequence(tmp_path, 'S005', '001', [0], '5.0')
    write_sequence(tmp_path, 'S006', '002', [0], emotion)
    clips, (complaint,) = read_ck_plus(tmp_path)
    assert words(clips) == {'ck_plus S005/001': 'happy'}
    assert complaint.startswith(f'{tmp_path}/Emotion/S006/002/S006_002_00000001_emotion.txt')


def test_an_expression_of_ck_plus_without_pictures_is_reported(tmp_path):
    write_sequence(tmp_path, 'S005', '001', [0], '5.0')
    write_sequence(tmp_path, 'S006', '002', [], '5.0')
    clips, (complaint,) = read_ck_plus(tmp_path)
    assert words(clips) == {'ck_plus S005/001': 'happy'}
    assert f'{tmp_path}/cohn-kanade-images/S006/002 holds no pictures' in complaint


def test_ck_plus_is_found_in_a_folder_for_each_archive(tmp_path):
    write_sequence(tmp_path / 'made', 'S005', '001', [7], '7.0')
    for folder, archive in (('cohn-kanade-images', 'extended-cohn-kanade-images'),
                            ('Emotion', 'Emotion_labels')):  # fmt: skip
        (tmp_path / archive).mkdir()
        (tmp_path / 'made' / folder).rename(tmp_path / archive / folder)
    (clip,), _ = read_ck_plus(tmp_path)
    assert LABELS[clip.label] == 'surprised'
    assert greys(clip) == [7]


def test_a_folder_without_ck_plus_is_reported(tmp_path):
    with pytest.raises(DataError, match='has no folder cohn-kanade-images'):
        read_ck_plus(tmp_path)
    (tmp_path / 'cohn-kanade-images').mkdir()
    (tmp_path / 'Emotion').mkdir()
    with pytest.raises(DataError, match='holds no sequence with an expression'):
        read_ck_plus(tmp_path)


def test_a_video_of_ravdess_is_read_with_its_own_rate(tmp_path):
    name = 'Video_Speech_Actor_12/Actor_12/02-01-06-01-02-01-12.mp4'
    write_video(tmp_path / name, (0, 100, 200), rate_hz=25)
    (clip,), complaints = read_ravdess(tmp_path)
    assert (clip.name, LABELS[clip.label]) == ('ravdess 02-01-06-01-02-01-12', 'scared')
    assert clip.actor == 'ravdess 12'
    assert not clip.from_neutral
    assert [time for time, _ in clip.frames()] == [0, 40_000_000, 80_000_000]
    assert greys(clip) == pytest.approx([0, 100, 200], abs=8)
    assert complaints == ()


def test_ravdess_numbers_are_our_words_and_calm_is_left_out(tmp_path):
    for number in range(1, 9):
        (tmp_path / f'01-02-{number:02}-01-01-01-03.mp4').touch()
    clips, complaints = read_ravdess(tmp_path)
    assert [LABELS[clip.label] for clip in clips] == [
        'neutral', 'happy', 'sad', 'angry', 'scared', 'disgusted', 'surprised',
    ]  # fmt: skip
    assert complaints == (f'1 videos of {tmp_path} are acted calm; left out.',)


def test_a_take_of_ravdess_is_used_once_with_or_without_sound(tmp_path):
    for name in ('a/01-01-03-01-01-01-01', 'a/02-01-03-01-01-01-01', 'b/02-01-03-01-01-01-01',
                 'a/02-01-03-01-01-02-01', 'a/01-02-03-01-01-01-01'):  # fmt: skip
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / f'{name}.mp4').touch()
    clips, complaints = read_ravdess(tmp_path)
    assert [clip.name for clip in clips] == [
        'ravdess 01-01-03-01-01-01-01',
        'ravdess 01-02-03-01-01-01-01',
        'ravdess 02-01-03-01-01-02-01',
    ]
    assert complaints == (f'2 videos of {tmp_path} repeat another take; left out.',)


def test_a_folder_without_ravdess_is_reported(tmp_path):
    with pytest.raises(DataError, match='holds no video of RAVDESS such as Actor_12'):
        read_ravdess(tmp_path / 'nothing')


def test_a_video_of_crema_d_is_read_with_its_own_rate(tmp_path):
    write_video(tmp_path / 'VideoFlash' / '1001_DFA_ANG_XX.flv', (200, 0), rate_hz=20)
    (clip,), complaints = read_crema_d(tmp_path)
    assert (clip.name, LABELS[clip.label]) == ('crema_d 1001_DFA_ANG_XX', 'angry')
    assert clip.actor == 'crema_d 1001'
    assert [time for time, _ in clip.frames()] == [0, 50_000_000]
    assert greys(clip) == pytest.approx([200, 0], abs=8)
    assert complaints == ()


def test_crema_ds_codes_are_our_words(tmp_path):
    for code in ('ANG', 'DIS', 'FEA', 'HAP', 'NEU', 'SAD'):
        (tmp_path / f'1002_IEO_{code}_HI.mp4').touch()
    clips, complaints = read_crema_d(tmp_path)
    assert [LABELS[clip.label] for clip in clips] == [
        'angry', 'disgusted', 'scared', 'happy', 'neutral', 'sad',
    ]  # fmt: skip
    assert complaints == ()


def test_a_converted_video_of_crema_d_is_no_second_clip(tmp_path):
    for suffix in ('flv', 'mp4', 'txt'):
        (tmp_path / f'1001_DFA_ANG_XX.{suffix}').touch()
    clips, (complaint,) = read_crema_d(tmp_path)
    assert [clip.source.name for clip in clips] == ['1001_DFA_ANG_XX.flv']
    assert 'repeats 1001_DFA_ANG_XX.flv' in complaint


@pytest.mark.parametrize(
    'read, right, wrong',
    [
        (read_ravdess, '01-01-03-01-01-01-01.mp4', '03-01-03-01-01-01-01.mp4'),
        (read_ravdess, '01-01-03-01-01-01-01.mp4', '01-01-09-01-01-01-01.mp4'),
        (read_ravdess, '01-01-03-01-01-01-01.mp4', '01-01-03-01-01-01.mp4'),
        (read_ravdess, '01-01-03-01-01-01-01.mp4', 'holiday.mp4'),
        (read_crema_d, '1001_DFA_ANG_XX.flv', '1001_DFA_BOR_XX.flv'),
        (read_crema_d, '1001_DFA_ANG_XX.flv', '101_DFA_ANG_XX.flv'),
        (read_crema_d, '1001_DFA_ANG_XX.flv', '1001_DFA_ANG.flv'),
        (read_crema_d, '1001_DFA_ANG_XX.flv', 'holiday.flv'),
    ],
)
def test_a_video_that_is_not_named_like_its_collection_is_reported(tmp_path, read, right, wrong):
    (tmp_path / right).touch()
    (tmp_path / wrong).touch()
    clips, (complaint,) = read(tmp_path)
    assert len(clips) == 1
    assert complaint.startswith(str(tmp_path / wrong))


def test_pointers_of_git_lfs_are_no_videos(tmp_path):
    pointer = 'version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 265922\n'
    (tmp_path / '1001_DFA_ANG_XX.flv').write_text(pointer)
    with pytest.raises(DataError, match=r'1 videos of .* run git lfs pull'):
        read_crema_d(tmp_path)
    (tmp_path / '1001_DFA_HAP_XX.flv').touch()
    clips, (complaint,) = read_crema_d(tmp_path)
    assert words(clips) == {'crema_d 1001_DFA_HAP_XX': 'happy'}
    assert 'git lfs pull' in complaint


def test_a_folder_without_crema_d_is_reported(tmp_path):
    with pytest.raises(DataError, match='holds no video of CREMA-D such as VideoFlash'):
        read_crema_d(tmp_path)


# Clips are split so that no person stands in two splits.


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


def test_too_few_actors_are_reported():
    with pytest.raises(DataError, match='2 actors are too few for 3 splits'):
        split_by_actor(clips_of([50, 50]))


@pytest.mark.parametrize(
    'shares', [{}, {Split.TRAINING: 0.5, Split.PUBLIC: 0.4}, {Split.TRAINING: 1, Split.PUBLIC: 0}]
)
def test_shares_that_are_none_are_refused(shares):
    with pytest.raises(ValueError, match='must be above 0 and sum to 1'):
        split_by_actor(clips_of([1] * 5), shares)


# Jitter, speech and blinks are parted in a series made for it.


FPS = 30.0


def still_series(seconds=3.0):
    return np.full((round(seconds * FPS), 52), 0.3, np.float32)


def test_log_odds_are_bounded_and_other_features_stay():
    shares = np.zeros((1, 54), np.float32)
    shares[0, :5] = [0.0, 0.001, 0.5, 0.9, 1.0]
    shares[0, 52:] = [-3.0, 7.0]
    found = additive(shares)
    np.testing.assert_allclose(found[0, [0, 2, 4, 52, 53]], [-9.21, 0, 9.21, -3, 7], atol=0.01)
    np.testing.assert_allclose(from_additive(found), shares, atol=1.1e-4)


def test_a_face_that_does_not_move_has_no_dynamics():
    found = extract(still_series(), FPS)
    assert len(found.blinks) == 0
    assert np.abs(found.jitter).max() < 1e-5
    assert np.abs(found.speech).max() < 1e-5


def test_a_slow_smile_is_no_jitter():
    series = still_series(6.0)
    series[:, INDEX['mouthSmileLeft']] = np.linspace(0.3, 0.6, len(series))
    assert np.abs(extract(series, FPS).jitter).max() < 0.1


def test_a_blink_is_found_and_only_the_eyes_move():
    series = still_series()
    eyes = [INDEX['eyeBlinkLeft'], INDEX['eyeBlinkRight']]
    series[45:48, eyes] = [[0.6, 0.6], [0.9, 0.9], [0.6, 0.6]]
    blinks = extract(series, FPS).blinks
    assert blinks.shape == (1, 2 * round(BLINK_HALF_S * RATE_HZ) + 1, 52)
    expected = logit(np.float32(0.9)) - logit(np.float32(0.3))
    assert blinks[0, :, eyes[0]].max() == pytest.approx(expected, abs=1e-3)
    assert np.abs(np.delete(blinks[0], eyes, axis=1)).max() < 1e-5


def test_speech_is_in_mouth_and_jaw_alone():
    series = still_series()
    series[:, INDEX['jawOpen']] += 0.2 * np.sin(np.arange(len(series)))
    series[:, INDEX['browInnerUp']] += 0.2 * np.sin(np.arange(len(series)))
    speech = extract(series, FPS).speech
    assert np.abs(speech[:, INDEX['jawOpen']]).max() > 0.5
    assert np.abs(speech[:, INDEX['browInnerUp']]).max() == 0


def test_geometry_and_appearance_move_with_a_blink_and_the_head_does_not():
    series = np.hstack([still_series(), np.zeros((90, 5), np.float32)])
    series[44:49, [INDEX['eyeBlinkLeft'], INDEX['eyeBlinkRight']]] = 0.9
    series[44:49, 52:] = 2.0  # three of the head, two of the skin
    blink = extract(series, FPS).blinks[0]
    assert np.abs(blink[:, 52:55]).max() == 0
    assert blink[:, 55:].max() > 1.5
