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

"""Labels become segments of a recording; what does not fit is told with its place."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emotion_estimator.evaluation.label_files import Recorded, find_labels, labels_of_folder
from emotion_estimator.evaluation.label_readers import Time, labels_of_messages, read_table
from emotion_estimator.evaluation.labels import (
    HAPPY_UNKNOWN_SAD,
    Given,
    LabelError,
    Segment,
    common_vocabulary,
    known_name,
    place,
)

S = 1_000_000_000
START = 1_700_000_000 * S
SPANS = {'walk': (START, START + 10 * S)}
SEVEN = ('angry', 'disgusted', 'scared', 'happy', 'sad', 'surprised', 'neutral')


@pytest.fixture
def table(tmp_path):
    def write(*rows, head='start_s,end_s,face,emotion'):
        path = tmp_path / 'labels.csv'
        path.write_text('\n'.join([head, *rows]) + '\n', encoding='utf-8')
        return path

    return write


def seconds(segments):
    return [
        ((one.start_ns - START) / S, (one.end_ns - START) / S, one.face, one.label)
        for one in segments
    ]


def test_seconds_count_from_the_first_image(table):
    found = read_table(table('0,2.5,,happy', '2.5,9,abc,Anger'), SPANS)['walk']
    assert seconds(found.segments) == [(0, 2.5, '', 'happy'), (2.5, 9, 'abc', 'angry')]
    assert found.problems == ()


def test_seconds_since_1970_are_known_by_their_size(table):
    path = table('1700000001.5,1700000002.000000001,,fear')
    (segment,) = read_table(path, SPANS)['walk'].segments
    assert segment == Segment(START + 3 * S // 2, START + 2 * S + 1, '', 'scared')
    assert read_table(path, SPANS, Time.RELATIVE)['walk'].segments == ()


def test_columns_may_stand_in_any_order_and_face_be_left_away(table):
    path = table('sad,1,2', head='\ufeffemotion, start_s ,end_s')
    assert seconds(read_table(path, SPANS)['walk'].segments) == [(1, 2, '', 'sad')]


@pytest.mark.parametrize(
    ('row', 'told'),
    [
        ('1,2,,bored', "line 2: 'bored' is no expression"),
        ('1,2,,', "line 2: '' is no expression"),
        ('x,2,,sad', "line 2: start_s must be seconds from 0 on, not 'x'"),
        ('1,nan,,sad', "line 2: end_s must be seconds from 0 on, not 'nan'"),
        ('1,1e99,,sad', 'line 2: end_s must be seconds'),
        ('-1,2,,sad', 'line 2: start_s must be seconds from 0 on'),
        ('3,2,,sad', r'line 2 ends \(2 s\) before it has begun'),
        ('1,2,sad', 'line 2 has not as many fields'),
        ('1,2,,sad,9', 'line 2 has not as many fields'),
        ('12,14,,sad', 'line 2: 12.00 to 14.00 s lies outside the recording'),
    ],
)
def test_a_row_that_does_not_fit_is_left_out_with_its_line(table, row, told):
    found = read_table(table(row, '4,5,,happy'), SPANS)['walk']
    assert seconds(found.segments) == [(4, 5, '', 'happy')]
    assert any(re.search(told, problem) for problem in found.problems)


def test_the_line_is_that_of_the_file_even_after_a_quoted_line_break(table):
    path = table('0,1,"a\nb",happy', '1,2,,bored')
    assert 'line 4' in read_table(path, SPANS)['walk'].problems[0]


def test_time_labelled_twice_differently_is_left_out(table):
    found = read_table(table('0,4,,happy', '3,6,,sad'), SPANS)['walk']
    assert seconds(found.segments) == [(0, 3, '', 'happy'), (4, 6, '', 'sad')]
    assert found.problems == (
        'labels.csv, line 3: 3.00 to 4.00 s is labelled sad here and happy in labels.csv, '
        'line 2; this time was left out.',
    )


def test_a_label_inside_another_splits_it_and_other_faces_do_not_count(table):
    found = read_table(table('0,9,a,happy', '3,4,a,sad', '2,8,b,sad'), SPANS)['walk']
    assert seconds(found.segments) == [
        (0, 3, 'a', 'happy'),
        (2, 8, 'b', 'sad'),
        (4, 9, 'a', 'happy'),
    ]


def test_gaps_are_told(table):
    found = read_table(table('0,1,,happy', '2.5,4,,sad', '4.01,6,,happy'), SPANS)['walk']
    assert found.problems == (
        'labels.csv, line 3: 1.00 to 2.50 s before it is not labelled; it is not judged.',
    )


def test_a_label_beyond_the_end_is_cut_there(table):
    found = read_table(table('8,15,,happy'), SPANS)['walk']
    assert found.segments == (Segment(START + 8 * S, START + 10 * S + 1, '', 'happy'),)
    assert 'line 2: 8.00 to 15.00 s reaches beyond the recording' in found.problems[0]


def test_rows_go_to_the_recording_they_name(table):
    spans = {**SPANS, 'sit': (5 * S, 7 * S)}
    path = table(
        'walk,0,1,happy',
        'sit,0,1,sad',
        'run,0,1,sad',
        ',0,1,sad',
        head='recording,start_s,end_s,emotion',
    )
    found = read_table(path, spans)
    assert seconds(found['walk'].segments) == [(0, 1, '', 'happy')]
    assert found['sit'].segments == (Segment(5 * S, 6 * S, '', 'sad'),)
    assert [line.split(';')[0] for line in found['walk'].problems] == [
        "labels.csv, line 4 names the recording 'run', but there are walk, sit",
        'labels.csv, line 5 names no recording, but there are walk, sit',
    ]


def test_a_recording_without_rows_is_told(table):
    path = table('walk,0,1,happy', head='recording,start_s,end_s,emotion')
    found = read_table(path, {**SPANS, 'sit': (0, S)})
    assert found['sit'].problems == ('labels.csv holds no label of sit.',)


def test_a_file_that_is_no_table_is_told(table, tmp_path):
    with pytest.raises(LabelError, match='lacks the column start_s and end_s and emotion'):
        read_table(table(head='who,what'), SPANS)
    with pytest.raises(LabelError, match='lacks the column'):
        read_table(table(head=''), SPANS)
    with pytest.raises(LabelError, match=r'absent\.csv cannot be read'):
        read_table(tmp_path / 'absent.csv', SPANS)
    (tmp_path / 'binary.csv').write_bytes(b'\xff\xfe\x00start')
    with pytest.raises(LabelError, match=r'binary\.csv cannot be read'):
        read_table(tmp_path / 'binary.csv', SPANS)


def test_messages_hold_until_the_next_of_their_face():
    messages = [
        (START + 1 * S, 'a', 'happy'),
        (START + 2 * S, 'b', 'sadness'),
        (START + 3 * S, 'a', 'happy'),
        (START + 5 * S, 'a', ''),
        (START + 6 * S, 'b', 'bored'),
    ]
    found = labels_of_messages(messages, '/truth', *SPANS['walk'])
    assert seconds(found.segments) == [(1, 5, 'a', 'happy'), (2, 6, 'b', 'sad')]
    assert "/truth: 1 messages, the first at 6.00 s, name 'bored'" in found.problems[0]


def test_messages_of_one_face_are_of_any_face():
    found = labels_of_messages([(START + S, 'x', 'happy')], '/truth', *SPANS['walk'])
    assert found.segments == (Segment(START + S, START + 10 * S + 1, '', 'happy'),)
    assert labels_of_messages([], '/truth', 0, S).segments == ()


def test_the_nearest_folder_that_is_an_expression_is_the_label():
    found = labels_of_folder(Path('/data/sad/Happiness/day1/walk.mcap'), 5, 9)
    assert found.segments == (Segment(5, 10, '', 'happy'),)
    found = labels_of_folder(Path('/data/day1/walk.mcap'), 5, 9)
    assert found.segments == ()
    assert 'no folder above it is named after an expression' in found.problems[0]


@pytest.fixture
def recorded(tmp_path):
    (tmp_path / 'sad' / 'v1.5').mkdir(parents=True)
    (tmp_path / 'walk.mcap').touch()
    return {
        'walk.mcap': Recorded(tmp_path / 'walk.mcap', 0, 9 * S),
        'v1.5': Recorded(tmp_path / 'sad' / 'v1.5', 0, 9 * S),
    }


def test_a_table_beside_a_recording_is_its_own(recorded, tmp_path):
    (tmp_path / 'walk.csv').write_text('start_s,end_s,emotion\n1,2,sad\n')
    assert list(find_labels(recorded)) == ['walk.mcap']
    (tmp_path / 'sad' / 'v1.5.csv').write_text('start,end\n')
    found = find_labels(recorded)
    assert found['walk.mcap'].segments == (Segment(S, 2 * S, '', 'sad'),)
    assert found['v1.5'].segments == ()
    assert 'lacks the column' in found['v1.5'].problems[0]


def test_a_table_that_was_named_is_of_all_recordings(recorded, tmp_path):
    path = tmp_path / 'all.csv'
    path.write_text('recording,start_s,end_s,emotion\nv1.5,1,2,sad\n')
    found = find_labels(recorded, path)
    assert found['v1.5'].segments == (Segment(S, 2 * S, '', 'sad'),)
    assert found['walk.mcap'].problems == ('all.csv holds no label of walk.mcap.',)
    with pytest.raises(LabelError, match='not from both'):
        find_labels(recorded, path, from_folders=True)
    with pytest.raises(LabelError, match='cannot be read'):
        find_labels(recorded, tmp_path / 'absent.csv')


def test_folders_label_what_they_hold(recorded):
    found = find_labels(recorded, from_folders=True)
    assert [one.label for one in found['v1.5'].segments] == ['sad']
    assert found['walk.mcap'].segments == ()


def test_names_of_other_data_sets_and_of_the_models_own_classes():
    assert [known_name(name) for name in (' Fear ', 'SURPRISE', 'joy', 'positive', 'none')] == [
        'scared',
        'surprised',
        'happy',
        'positive',
        'unknown',
    ]
    assert known_name('bored') is None
    assert known_name('Bored', ('Bored',)) == 'Bored'


def test_seven_classes_are_judged_in_three_where_the_labels_are_three():
    found = common_vocabulary(SEVEN, {'happy', 'unknown'})
    assert found.names == ('happy', 'unknown', 'sad')
    assert found.of_model['angry'] == 'unknown'
    assert common_vocabulary(SEVEN, {'happy', 'sad'}).names == SEVEN
    found = common_vocabulary(SEVEN, {'negative'})
    assert found.names == ('positive', 'negative')
    assert found.of_model['neutral'] == 'positive'


def test_labels_of_seven_classes_are_mapped_for_a_model_of_three():
    found = common_vocabulary(HAPPY_UNKNOWN_SAD.names, {'angry', 'happy'})
    assert found.of_truth == {'angry': 'unknown', 'happy': 'happy'}


def test_unknown_beside_the_seven_is_not_judged():
    found = common_vocabulary(SEVEN, {'unknown', 'angry'})
    assert found.names == SEVEN
    assert found.of_truth == {'angry': 'angry'}


def test_a_wanted_map_must_exist_and_fit():
    found = common_vocabulary(SEVEN, {'angry'}, 'happy_unknown_sad')
    assert found.of_truth == {'angry': 'unknown'}
    with pytest.raises(LabelError, match="no label map 'x'"):
        common_vocabulary(SEVEN, set(), 'x')
    with pytest.raises(LabelError, match='no place for all'):
        common_vocabulary(('bored',), set(), 'positive_negative')


@given(
    st.lists(
        st.tuples(
            st.integers(-5, 25), st.integers(1, 9), st.sampled_from('ab'), st.sampled_from('xy')
        ),
        max_size=12,
    )
)
def test_placed_segments_never_overlap_and_hold_only_what_was_said(rows):
    said = [Segment(start, start + length, face, label) for start, length, face, label in rows]
    placed = place([Given(f'line {i}', one) for i, one in enumerate(said)], 0, 20)
    for face in 'ab':
        own = [one for one in placed.segments if one.face == face]
        for instant in range(-5, 35):
            claims = {
                one.label
                for one in said
                if one.face == face and one.start_ns <= instant < one.end_ns
            }
            held = [one.label for one in own if one.start_ns <= instant < one.end_ns]
            expected = list(claims) if len(claims) == 1 and 0 <= instant <= 20 else []
            assert held == expected
