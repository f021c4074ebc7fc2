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

"""Labels become segments of a recording; what does not fit is reported with its place."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emotion_estimator.evaluation.label_files import (
    LabelSource,
    check_labels,
    find_labels,
    labels_of_folder,
    labels_of_table,
)
from emotion_estimator.evaluation.label_readers import Time, read_table
from emotion_estimator.evaluation.labels import (
    EXPRESSIONS,
    Given,
    LabelError,
    Recorded,
    Segment,
    place,
)

S = 1_000_000_000
START = 1_700_000_000 * S
SPAN = START, START + 10 * S
NAMED = 'recording,start_s,end_s,emotion'
SPANS = {'walk': Recorded(Path('walk'), *SPAN, START)}


@pytest.fixture
def table(tmp_path):
    def write(*rows, head='start_s,end_s,face,emotion'):
        path = tmp_path / 'labels.csv'
        path.write_text('\n'.join([head, *rows]) + '\n', encoding='utf-8')
        return path

    return write


def labels_in(path, recordings=None, time=Time.AUTOMATIC):
    return labels_of_table(read_table(path), recordings or SPANS, time)


def seconds(segments):
    return [
        ((one.start_ns - START) / S, (one.end_ns - START) / S, one.face, one.label)
        for one in segments
    ]


def test_seconds_count_from_the_first_image(table):
    found = labels_in(table('0,2.5,,happy', '2.5,9,abc,Anger'))['walk']
    assert seconds(found.segments) == [(0, 2.5, '', 'happy'), (2.5, 9, 'abc', 'angry')]
    assert found.problems == ()


def test_seconds_since_1970_are_known_by_their_size(table):
    path = table('1700000001.5,1700000002.000000001,,fear')
    (segment,) = labels_in(path)['walk'].segments
    assert segment == Segment(START + 3 * S // 2, START + 2 * S + 1, '', 'scared')
    assert labels_in(path, time=Time.RELATIVE)['walk'].segments == ()


def test_columns_may_stand_in_any_order_and_face_be_left_away(table):
    path = table('sad,1,2', head='\ufeffemotion, start_s ,end_s')
    assert seconds(labels_in(path)['walk'].segments) == [(1, 2, '', 'sad')]


@pytest.mark.parametrize(
    ('row', 'reported'),
    [
        ('1,2,,bored', "line 2: 'bored' is no expression"),
        ('1,2,,', "line 2: '' is no expression"),
        ('x,2,,sad', "line 2: start_s must be seconds from 0 on, not 'x'"),
        ('1,nan,,sad', "line 2: end_s must be seconds from 0 on, not 'nan'"),
        ('1,1e99,,sad', 'line 2: end_s must be seconds'),
        ('-1,2,,sad', 'line 2: start_s must be seconds from 0 on'),
        ('3,2,,sad', r'line 2 ends \(2 s\) before it has begun'),
        ('3,3,,sad', r'line 2 begins and ends at 3 s; it'),
        ('1,2,sad', 'line 2 has not as many fields'),
        ('1,2,,sad,9', 'line 2 has not as many fields'),
        ('12,14,,sad', 'line 2: 12.00 to 14.00 s lies outside the recording'),
    ],
)
def test_a_row_that_does_not_fit_is_left_out_with_its_line(table, row, reported):
    found = labels_in(table(row, '4,5,,happy'))['walk']
    assert seconds(found.segments) == [(4, 5, '', 'happy')]
    assert any(re.search(reported, problem) for problem in found.problems)


ENGLISH = 'start_s,end_s,face,emotion\n0.5,2.25,,happy\n2.25,9,abc,sad\n'
GERMAN = ENGLISH.replace(',', ';').replace('.', ',').replace('\n', '\r\n')


@pytest.mark.parametrize(
    'content',
    [
        ENGLISH.encode(),
        ENGLISH.upper().encode(),
        ENGLISH.replace('start_s,end_s', ' Start (s) , end s').encode(),
        ENGLISH.replace('happy', 'Happy\N{NO-BREAK SPACE}').encode(),
        ENGLISH.replace('start_s', 'start_ms').replace('0.5', '500').replace('2.25,9', '2250,9')
        .encode(),  # each column has its own unit
        ENGLISH.replace('0.5', '0:00:00.5').replace('2.25', '00:02.25').encode(),
        ENGLISH.replace(',sad', ',sad\n,,,').encode(),
        GERMAN.encode('utf-8-sig'),
        f'sep=;\r\n{GERMAN}'.encode('utf-8-sig'),
        GERMAN.replace('emotion', 'emotion;Anmerkung').replace('happy', 'happy;früh')
        .replace('sad', 'sad;').encode('cp1252'),
        ENGLISH.replace(',', '\t').encode('utf-16'),
        ENGLISH.replace(',', '\t').encode('utf-16-le'),
        b'start_s,end_s,face,emotion\n"0,5","2,25",,happy\n"2,25",9,abc,sad\n',
        *(
            f'start_s,end_s,face,emotion\n{first},,happy\n{second},abc,sad\n'.encode()
            for first, second in (
                ('1700000000500,1700000002250', '1700000002250,1700000009000'),
                ('1700000000500000,1700000002250000', '1700000002250000,1700000009000000'),
                ('"1,700,000,000.5","1,700,000,002.25"', '1700000002.25,1700000009'),
                ('2023-11-14T22:13:20.5Z,2023-11-14 22:13:22.25',
                 '2023-11-14 23:13:22.25+01:00,2023-11-14T22:13:29Z'),
            )
        ),
    ],
)  # fmt: skip
def test_tables_are_read_as_spreadsheets_and_programs_save_them(tmp_path, content):
    (tmp_path / 'labels.csv').write_bytes(content)
    found = labels_in(tmp_path / 'labels.csv')['walk']
    face = 'ABC' if b'ABC' in content else 'abc'
    assert seconds(found.segments) == [(0.5, 2.25, '', 'happy'), (2.25, 9, face, 'sad')]
    assert found.problems == found.losses == ()


@pytest.mark.parametrize(
    'rows, said',
    [
        (['"1,234","2,345",,sad'], "line 2: start_s '1,234' may be a fraction or thousands"),
        (['1.7E+12,1.8E+12,,sad'], 'line 2: start_s must be seconds from 0 on'),
        (
            ['0,0,7,,sad', '1,x,,sad'],
            r'None of the 2 labels in .*csv can be used: .*line 2 has not',
        ),
    ],
)
def test_a_table_of_which_nothing_can_be_read_is_refused(table, rows, said):
    with pytest.raises(LabelError, match=said):
        read_table(table(*rows))


@pytest.mark.parametrize(
    'content, said',
    [
        (b'PK\3\4 and so on', 'it is a workbook; save its sheet as CSV'),
        (b'start_s\0\0\0\0', 'it is no text'),
        (b'beginn;ende;was\n0;1;happy\n', "should be `start_s,end_s,face,emotion`, not 'beginn;"),
    ],
)
def test_what_is_no_table_of_labels_is_refused(tmp_path, content, said):
    (tmp_path / 'labels.csv').write_bytes(content)
    with pytest.raises(LabelError, match=said):
        read_table(tmp_path / 'labels.csv')
    with pytest.raises(LabelError, match='it is a folder; name the table in it'):
        read_table(tmp_path)


@pytest.mark.parametrize(
    'rows, recorded, said',
    [
        (['7200,7204,,sad', '7204,7209,,happy'], {}, '2 of 2 .* 7,200 s off: another time'),
        (['1700003600,1700003605,,sad'], {}, '1 of 1 .* 3,600 s off: another time'),
        (['0,4000,,sad', '4000,10000,,happy'], {}, '2 of 2 .* not fit. They fit as millis'),
        (['0,1,,sad', '1700000001,1700000002,,sad'], {}, '1 of 2 .* Some count from 1970'),
        (['0,1,,sad', '1700000001,1700000002,,sad'], {'zero': S}, '1 of 2 .* Some count'),
        (['0,4000000000,,sad', '4000000000,9000000000,,sad'], {}, '2 of 2 .* as nanosec'),
        (['0,9,,sad', '12,240,,happy'], {}, '2 of 2 .* not fit. Do they number .* 30.1 Hz'),
        (['0,9,,sad', '17,19,,happy'], {'images': 150}, r'1 of 2 .* to 10\.00 s\.$'),
        (['0,9,,sad', '0,9,,happy'], {}, '2 of 2 labels are denied by others of the same time'),
        (['22:13:20,22:13:25,,sad'], {}, '.* They fit as times of day: write the date'),
        (['23:13:20,23:13:25,,sad'], {}, '.* They fit as times of day: write the date'),
        (['1700000001,1700000002,,sad'], {'zero': S}, '.* its images tell no date'),
        (['1700000111,1700000112,,sad'], {}, '.* They begin 101 s after its end'),
        (['1,2,,sad', '98.5,99,,sad'], {}, r'1 of 2 .* from 0\.00 to 10\.00 s\.$'),
    ],
)  # fmt: skip
def test_labels_outside_a_recording_are_counted_with_the_likely_reason(
    table, rows, recorded, said
):
    zero_ns, images = recorded.get('zero', START), recorded.get('images', 302)
    one = Recorded(Path('walk'), zero_ns, zero_ns + 10 * S, zero_ns, images=images)
    found = labels_in(table(*rows), {'walk': one})['walk']
    (loss,) = found.losses
    assert re.search(f'labels.csv, walk: {said}', loss)
    if 'not fit.' in said:  # those that lie inside do so by chance
        assert found.segments == ()


def test_labels_outside_the_part_that_was_asked_for_are_not_missed(table):
    part = Recorded(Path('walk'), START + 4 * S, START + 6 * S, START, part=True)
    found = labels_in(table('0,4,,happy', '5,6,,sad'), {'walk': part})['walk']
    assert seconds(found.segments) == [(5, 6, '', 'sad')]
    assert found.losses == ()
    found = labels_in(table('0,4,,happy'), {'walk': part})['walk']
    assert '1 of 1 labels lie outside' in found.losses[0]
    found = labels_in(table('0,5,,happy', '5,9,,sad', '9,3000,,happy'), {'walk': part})['walk']
    assert seconds(found.segments) == [(4, 5, '', 'happy'), (5, 6 + 1e-9, '', 'sad')]
    assert found.losses == found.hints == ()
    part = Recorded(Path('walk'), START + 4 * S, START + 4 * S, START, part=True, images=1)
    found = labels_in(table('0,1,,happy'), {'walk': part})['walk']
    assert '1 of 1 labels lie outside' in found.losses[0]


def test_names_of_recordings_may_lack_their_suffix_or_be_paths(table):
    recordings = {name: Recorded(Path(name), *SPAN, START) for name in ('Walk.mcap', 'sit.mcap')}
    rows = ['walk,0,1,happy', 'sit.mcap,1,2,sad', r'C:\bags\sit.mcap,2,3,sad']
    path = table(*rows, head=NAMED)
    found = labels_in(path, recordings)
    assert seconds(found['Walk.mcap'].segments) == [(0, 1, '', 'happy')]
    assert seconds(found['sit.mcap'].segments) == [(1, 2, '', 'sad'), (2, 3, '', 'sad')]


def test_labels_are_looked_at_before_the_recordings(table, tmp_path):
    paths = {'walk': tmp_path / 'walk.mcap', 'sit': tmp_path / 'sit.mcap'}
    good = table('walk,0,1,happy', 'sit,0,1,bored', head=NAMED)
    (warning,) = check_labels(LabelSource(good), paths, EXPRESSIONS)
    assert warning.startswith("1 of 2 labels cannot be read: labels.csv, line 3: 'bored'")
    with pytest.raises(LabelError, match='names no recording, but there are walk, sit'):
        check_labels(LabelSource(table('0,1,,happy')), paths, EXPRESSIONS)
    with pytest.raises(LabelError, match='lacks the column'):
        check_labels(LabelSource(table(head='who,what')), paths, EXPRESSIONS)
    with pytest.raises(LabelError, match='no folder above it is named after an expression'):
        check_labels(LabelSource(from_folders=True), {'walk': Path('/day/walk.mcap')}, EXPRESSIONS)
    with pytest.raises(LabelError, match=r'/truth of .*walk\.mcap cannot be read'):
        check_labels(LabelSource(topic='/truth'), paths, EXPRESSIONS)
    with pytest.raises(LabelError, match="no label map 'x'"):
        check_labels(LabelSource(label_map='x'), paths, EXPRESSIONS)
    (tmp_path / 'walk.csv').write_text('start_s;end_s;emotion\n0;1;bored\n')
    (warning,) = check_labels(LabelSource(), paths, EXPRESSIONS)
    assert "walk.csv, line 2: 'bored'" in warning


def test_the_line_is_that_of_the_file_even_after_a_quoted_line_break(table):
    path = table('0,1,"a\nb",happy', '1,2,,bored')
    assert 'line 4' in labels_in(path)['walk'].problems[0]


def test_time_labelled_twice_differently_is_left_out(table):
    found = labels_in(table('0,4,,happy', '3,6,,sad'))['walk']
    assert seconds(found.segments) == [(0, 3, '', 'happy'), (4, 6, '', 'sad')]
    assert found.problems == (
        'labels.csv, line 3: 3.00 to 4.00 s is labelled sad here and happy in labels.csv, '
        'line 2; this time was left out.',
    )
    said = '1.00 s are labelled with several expressions at once; they are not judged.'
    assert (found.losses, found.hints) == ((), (f'labels.csv, walk: {said}',))


def test_a_label_inside_another_splits_it_and_other_faces_do_not_count(table):
    found = labels_in(table('0,9,a,happy', '3,4,a,sad', '2,8,b,sad'))['walk']
    assert seconds(found.segments) == [
        (0, 3, 'a', 'happy'),
        (2, 8, 'b', 'sad'),
        (4, 9, 'a', 'happy'),
    ]


def test_gaps_are_reported(table):
    found = labels_in(table('0,1,,happy', '2.5,4,,sad', '4.01,6,,happy'))['walk']
    assert found.problems == (
        'labels.csv, line 3: 1.00 to 2.50 s before it is not labelled; it is not judged.',
    )


def test_a_label_beyond_the_end_is_cut_there(table):
    found = labels_in(table('8,15,,happy', '1,4,,sad'))['walk']
    assert found.segments[1:] == (Segment(START + 8 * S, START + 10 * S + 1, '', 'happy'),)
    assert 'line 2: 8.00 to 15.00 s reaches beyond the recording' in found.problems[0]
    said = '1 of 2 labels reach beyond the recording, whose images go from 0.00 to 10.00 s;'
    assert found.losses == () and found.hints[0].startswith(f'labels.csv, walk: {said}')


def test_rows_go_to_the_recording_they_name(table):
    recordings = {**SPANS, 'sit': Recorded(Path('sit'), 5 * S, 7 * S, 5 * S)}
    path = table('walk,0,1,happy', 'sit,0,1,sad', 'run,0,1,sad', ',0,1,sad', head=NAMED)
    found = labels_in(path, recordings)
    assert seconds(found['walk'].segments) == [(0, 1, '', 'happy')]
    assert found['sit'].segments == (Segment(5 * S, 6 * S, '', 'sad'),)
    assert [line.split(';')[0] for line in found['walk'].problems] == [
        "labels.csv, line 4 names the recording 'run', but there are walk, sit",
        'labels.csv, line 5 names no recording, but there are walk, sit',
    ]


def test_a_recording_without_rows_is_reported(table):
    path = table('walk,0,1,happy', head=NAMED)
    found = labels_in(path, {**SPANS, 'sit': Recorded(Path('sit'), 0, S, 0)})
    assert found['sit'].problems == ('labels.csv holds no label of sit.',)


def test_a_file_that_is_no_table_is_reported(table, tmp_path):
    with pytest.raises(LabelError, match='lacks the column start_s and end_s and emotion'):
        read_table(table(head='who,what'))
    with pytest.raises(LabelError, match='lacks the column'):
        read_table(table(head=''))
    with pytest.raises(LabelError, match=r'absent\.csv cannot be read: there is no such file'):
        read_table(tmp_path / 'absent.csv')
    (tmp_path / 'binary.csv').write_bytes(b'start\x00\x01\xff')
    with pytest.raises(LabelError, match=r'binary\.csv cannot be read'):
        read_table(tmp_path / 'binary.csv')


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


# Labels of folders, and of tables beside recordings.


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
        'walk.mcap': Recorded(tmp_path / 'walk.mcap', 0, 9 * S, 0),
        'v1.5': Recorded(tmp_path / 'sad' / 'v1.5', 0, 9 * S, 0),
    }


def test_a_table_beside_a_recording_is_its_own(recorded, tmp_path):
    (tmp_path / 'walk.csv').write_text('start_s,end_s,emotion\n1,2,sad\n')
    assert list(find_labels(LabelSource(), recorded)) == ['walk.mcap']
    (tmp_path / 'sad' / 'v1.5.csv').write_text('start,end\n')
    found = find_labels(LabelSource(), recorded)
    assert found['walk.mcap'].segments == (Segment(S, 2 * S, '', 'sad'),)
    assert found['v1.5'].segments == ()
    assert 'lacks the column' in found['v1.5'].problems[0]


def test_a_table_that_was_named_is_of_all_recordings(recorded, tmp_path):
    path = tmp_path / 'all.csv'
    path.write_text('recording,start_s,end_s,emotion\nv1.5,1,2,sad\nv1.6,2,3,sad\n')
    found = find_labels(LabelSource(path), recorded)
    assert found['v1.5'].segments == (Segment(S, 2 * S, '', 'sad'),)
    assert "line 3 names the recording 'v1.6'" in found['walk.mcap'].problems[0]
    with pytest.raises(LabelError, match='not from several'):
        find_labels(LabelSource(path, from_folders=True), recorded)
    with pytest.raises(LabelError, match='cannot be read'):
        find_labels(LabelSource(tmp_path / 'absent.csv'), recorded)


def test_folders_label_what_they_hold(recorded):
    found = find_labels(LabelSource(from_folders=True), recorded)
    assert [one.label for one in found['v1.5'].segments] == ['sad']
    assert found['walk.mcap'].segments == ()
