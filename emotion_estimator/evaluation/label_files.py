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

"""Where the labels of recordings come from: a table, one beside each, folder names, a topic."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

from emotion_estimator.evaluation import label_topics
from emotion_estimator.evaluation.alignment import common_vocabulary
from emotion_estimator.evaluation.label_readers import (
    LEAST_ABSOLUTE_S,
    NoTableError,
    Row,
    Table,
    Time,
    joined,
    read_table,
)
from emotion_estimator.evaluation.labels import (
    ANY_FACE,
    EXPRESSIONS,
    Given,
    LabelError,
    Labels,
    Recorded,
    Segment,
    known_name,
    place,
    reaches,
)
from emotion_estimator.replay.bag_reader import SUFFIXES, storage_files, unpacked_name
from emotion_estimator.replay.files import PICTURE_SUFFIXES
from emotion_estimator.replay.recordings import plain_path
from emotion_estimator.replay.videos import VIDEO_SUFFIXES
from emotion_estimator.stamps import NS_PER_S


@dataclass(frozen=True)
class LabelSource:
    """
    Where labels come from; by default from the table beside each recording, if there is one.

    :param table: one table for all recordings.
    :param topic: topic of the bags, see `label_messages`; empty takes none.
    :param from_folders: whether folders named after expressions label what they hold.
    :param time: what the seconds of tables count from; by itself it takes those of a recording
        for absolute when the earliest is from 1973 on.
    :param label_map: name of the label map in whose classes is judged; None chooses by itself.
    """

    table: Path | None = None
    topic: str = ''
    from_folders: bool = False
    time: Time = Time.AUTOMATIC
    label_map: str | None = None


def check_labels(
    source: LabelSource, paths: Mapping[str, Path], model: Sequence[str]
) -> tuple[str, ...]:
    """
    Look at labels before the recordings are, which may take hours.

    :param source: where they come from.
    :param paths: of the recordings, by name.
    :returns: sentences: what is wrong with some of them.
    :raises LabelError: when none can be used, or the sources or the label map cannot.
    """
    _only_one(source)
    common_vocabulary(model, (), source.label_map)
    if source.table is not None:
        table = read_table(source.table, model)
        lost = _named(table, tuple(paths))[1]
        if len(lost) == len(table.rows) > 0:
            raise LabelError(lost[0])
        return table.losses()
    if source.from_folders:
        found = [labels_of_folder(path, 0, 0, model) for path in paths.values()]
        if not any(labels.segments for labels in found):
            raise LabelError(found[0].problems[0])
        return ()
    problems: list[str] = []
    for path in paths.values():
        try:
            if source.topic:
                label_topics.check_topic(path, source.topic)
            elif beside := _table_beside(path):
                problems += read_table(beside, model).losses()
        except LabelError as error:
            problems.append(str(error))
    if source.topic and len(problems) == len(paths):
        raise LabelError(problems[0])
    return tuple(problems)


def find_labels(
    source: LabelSource,
    recordings: Mapping[str, Recorded],
    own_names: Collection[str] = (),
    unread: Collection[str] = (),
) -> dict[str, Labels]:
    """
    Find the labels of recordings.

    :param source: where they come from.
    :param recordings: by name; those without images are left out.
    :param own_names: names that count beside those of `vocabulary`, such as a model's classes.
    :param unread: names of those without images; nobody misses their labels.
    :returns: labels by recording; recordings without any are left out, unless what was named
        lacks them.
    :raises LabelError: when sources are several, or the table that was named cannot be read.
    """
    _only_one(source)
    if source.table is not None:
        table = read_table(source.table, own_names)
        return labels_of_table(table, recordings, source.time, unread)
    found = {}
    for name, one in recordings.items():
        if source.topic:
            found[name] = label_topics.labels_of_topic(name, one, source.topic, own_names)
        elif source.from_folders:
            found[name] = labels_of_folder(one.path, one.first_ns, one.last_ns, own_names)
        elif beside := _table_beside(one.path):
            found[name] = _beside(beside, name, one, source.time, own_names)
    return found


def _only_one(source: LabelSource) -> None:
    if (source.table is not None) + bool(source.topic) + source.from_folders > 1:
        raise LabelError('Labels come from a topic, a table or folder names, not from several.')


def places_beside(path: Path) -> list[Path]:
    """
    Name the tables that belong to a recording, of which the first that is there counts.

    :param path: such as 'walk.mcap' or the folder 'walk'.
    :returns: 'walk.csv' beside it, and beside a bag's only file in it; they need not exist.
    """
    if not path.is_dir():
        return [path.parent / f'{Path(unpacked_name(path.name)).stem}.csv']
    plain = plain_path(path)
    found = [plain.parent / f'{plain.name}.csv']
    with suppress(OSError):  # said where the recording is opened
        files = storage_files(path)
        found += places_beside(files[0]) if len(files) == 1 else []
    return found


def _table_beside(path: Path) -> Path | None:
    return next(filter(os.path.isfile, places_beside(path)), None)


def _beside(
    table: Path, name: str, one: Recorded, time: Time, own_names: Collection[str]
) -> Labels:
    """Read a table that nobody named: what is wrong with it costs its recording alone."""
    try:
        read = read_table(table, own_names)
    except LabelError as error:
        meant = not isinstance(error, NoTableError) or error.meant
        return Labels((), (str(error),), 0, (str(error),) if meant else ())
    return labels_of_table(read, {name: one}, time)[name]


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
    for name in reversed(plain_path(path).parts):
        label = known_name(name, own_names)
        if label is not None:
            return Labels((Segment(first_ns, last_ns + 1, ANY_FACE, label),), (), 1)
    why = (
        f'{path}: no folder above it is named after an expression, such as '
        f'{", ".join(EXPRESSIONS)}; it has no label.'
    )
    return Labels((), (why,), 0, (why,))


# Labels of a table, put into the time of their recordings.


def labels_of_table(
    table: Table,
    recordings: Mapping[str, Recorded],
    time: Time = Time.AUTOMATIC,
    unread: Collection[str] = (),
) -> dict[str, Labels]:
    """
    Give each recording its labels.

    Without a recording's name a label is of the one recording.

    :param recordings: by name, at least one.
    :param time: what the table's seconds count from.
    :param unread: names of further recordings, whose labels are left out.
    :returns: labels by recording; one without rows gets a sentence.
    """
    if not recordings:
        return {}
    of_recording, lost = _named(table, (*recordings, *unread))
    found = {
        name: _of_rows(of_recording[name], table.path.name, name, one, time)
        for name, one in recordings.items()
    }
    # What concerns no recording, or all, is said once.
    first, labels = next(iter(found.items()))
    found[first] = replace(
        labels,
        problems=(*table.problems, *lost, *labels.problems),
        given=labels.given + len(table.problems) + len(lost),
        losses=(*table.losses(), *lost[:1], *labels.losses),
    )
    return found


def _of_rows(rows: Sequence[Row], table: str, name: str, one: Recorded, time: Time) -> Labels:
    if not rows:
        return Labels((), (f'{table} holds no label of {name}.',))
    absolute = time is Time.ABSOLUTE
    if time is Time.AUTOMATIC:
        absolute = min(row.start for row in rows) >= LEAST_ABSOLUTE_S
    labels = _placed(rows, one, absolute)
    inside = [reaches(_segment(row, one, absolute), *one.span_ns) for row in rows]
    # Of a part that was asked for it is enough that some labels lie in it.
    fit = all(inside) or (one.part and any(inside))
    reason = '' if fit else _likely_reason(rows, one, absolute)
    if reason and reason in (_finer_unit(rows, one), _image_numbers(rows, one)):
        # Those that lie inside do so by chance.
        labels = Labels((), (), len(rows), (f'{len(rows)} of {len(rows)} labels do not fit.',))
    lost = [' '.join([*labels.losses, reason]).rstrip()] if labels.losses else []
    losses, hints = (
        tuple(f'{table}, {name}: {one}' for one in said) for said in (lost, labels.hints)
    )
    return replace(labels, losses=losses, hints=hints)


def _named(table: Table, names: Sequence[str]) -> tuple[dict[str, list[Row]], list[str]]:
    """Sort rows by the recordings that they name; those that name none give a sentence each."""
    of_recording: dict[str, list[Row]] = {name: [] for name in names}
    lost = []
    for row in table.rows:
        name = _name_meant(row.recording, names)
        if name is None:
            said = f'the recording {row.recording!r}' if row.recording else 'no recording'
            lost.append(
                f'{row.where} names {said}, but there are {", ".join(names)}; it was left out.'
            )
        else:
            of_recording[name].append(row)
    return of_recording, lost


def _name_meant(written: str, names: Sequence[str]) -> str | None:
    """Find the recording of a name, also written as a path, without suffix or in another case."""
    if written in names or not written:
        return written or (names[0] if len(names) == 1 else None)
    own = [name.casefold() for name in names]
    asked = written.replace('\\', '/').casefold()
    for whole in (True, False):
        meant, *held = (one if whole else one.rpartition('/')[2] for one in (asked, *own))
        same = [one == meant for one in held]
        alike = [one in _forms(meant) or meant in _forms(one) for one in held]
        for fit in (same, alike):
            if sum(fit) == 1:
                return names[fit.index(True)]
    return None


def _forms(name: str) -> set[str]:
    """Give a file's name as it is unpacked, and without its suffix; a date has none."""
    stem, _, suffix = (unpacked := unpacked_name(name)).rpartition('.')
    known = f'.{suffix}' in (*SUFFIXES, *PICTURE_SUFFIXES, *VIDEO_SUFFIXES)
    return {unpacked, stem} if known else {unpacked}


def _segment(row: Row, one: Recorded, absolute: bool) -> Segment:
    zero_ns = 0 if absolute else one.zero_ns
    start_ns, end_ns = (zero_ns + int(each * NS_PER_S) for each in (row.start, row.end))
    return Segment(start_ns, end_ns, row.face, row.label)


def _placed(rows: Sequence[Row], one: Recorded, absolute: bool) -> Labels:
    given = [Given(row.where, _segment(row, one, absolute)) for row in joined(rows)]
    if one.part:
        given = [each for each in given if reaches(each.segment, *one.span_ns)] or given
    return place(given, *one.span_ns, one.zero_ns, whole=not one.part)


_QUARTER_NS = 900 * NS_PER_S
# Whole hours first.
_QUARTERS = sorted((k for k in range(-56, 57) if k), key=lambda k: (k % 4 > 0, abs(k)))
_UNITS = (
    (1_000, 'milliseconds', 'ms'),
    (10**6, 'microseconds', 'us'),
    (10**9, 'nanoseconds', 'ns'),
)
_LEAST_SHARE = 0.1
"""Labels reach at least so far into a recording, when they are taken for finer units."""
_SHORTEST_S = 0.01
"""No label that is taken for a finer unit is shorter."""


def _finer_unit(rows: Sequence[Row], one: Recorded) -> str:
    """See whether labels fit their recording if they count finer than in seconds."""
    length_s = (one.last_ns - one.zero_ns) / NS_PER_S
    end = float(max(row.end for row in rows))
    shortest = float(min(row.end - row.start for row in rows))
    for unit, words, column in _UNITS:
        fits = _LEAST_SHARE * length_s <= end / unit <= length_s + 1
        if fits and shortest / unit >= _SHORTEST_S:
            return f'They fit as {words}: name the columns start_{column} and end_{column}.'
    return ''


def _image_numbers(rows: Sequence[Row], one: Recorded) -> str:
    """See whether labels fit their recording if they number its images."""
    end, length_s = max(row.end for row in rows), (one.last_ns - one.first_ns) / NS_PER_S
    whole = all(each == int(each) for row in rows for each in (row.start, row.end))
    # Seconds that lie a little behind the end are seconds all the same.
    least = max(_LEAST_SHARE * one.images, 2 * length_s)
    if not whole or not length_s or not least <= end <= one.images:
        return ''
    rate_hz = (one.images - 1) / length_s
    return f'Do they number images? Divide them by the rate, {rate_hz:.4g} Hz.'


def _likely_reason(rows: Sequence[Row], one: Recorded, absolute: bool) -> str:
    """Guess why labels lie outside their recording; returns a sentence or nothing."""
    times = [(int(row.start * NS_PER_S), int(row.end * NS_PER_S)) for row in rows]
    begin_ns, end_ns = min(start for start, _ in times), max(end for _, end in times)
    day_ns = 86_400 * NS_PER_S
    knows_day = one.zero_ns >= LEAST_ABSOLUTE_S * NS_PER_S

    def fits(zero_ns: int) -> bool:
        early_ns, late_ns = one.first_ns - NS_PER_S, one.last_ns + NS_PER_S
        return early_ns <= zero_ns + begin_ns and zero_ns + end_ns <= late_ns

    if absolute and fits(one.zero_ns):
        return 'They fit as seconds from the first image: leave --label-times away.'
    if not absolute and knows_day and fits(0):
        return 'They fit as times since 1970: leave --label-times away.'
    if absolute and not knows_day:
        return 'They count from 1970, but its images tell no date: count from the first image.'
    zero_ns = 0 if absolute else one.zero_ns
    midnight_ns = one.zero_ns - one.zero_ns % day_ns
    of_day = 'They fit as times of day: write the date too, as in 2024-05-31 14:00:00.'
    may_be_of_day = knows_day and not absolute
    if may_be_of_day and fits(midnight_ns):
        return of_day
    for quarters in _QUARTERS:
        if fits(zero_ns - quarters * _QUARTER_NS):
            return f'They are {abs(quarters) * 900:,} s off: another time zone?'
    for days, quarters in product((0, -1, 1), _QUARTERS):
        if may_be_of_day and fits(midnight_ns + days * day_ns - quarters * _QUARTER_NS):
            return of_day
    finer = '' if absolute else _finer_unit(rows, one)
    if finer:
        return finer
    if begin_ns < LEAST_ABSOLUTE_S * NS_PER_S <= end_ns:
        return 'Some count from 1970, others do not: write all of them in one way.'
    off_ns = zero_ns + begin_ns - one.last_ns
    if off_ns > 0:
        return f'They begin {off_ns / NS_PER_S:,.0f} s after its end: of another recording?'
    numbers = '' if absolute else _image_numbers(rows, one)
    if numbers:
        return numbers
    off_ns = one.first_ns - zero_ns - end_ns
    if off_ns > 0:
        return f'They end {off_ns / NS_PER_S:,.0f} s before its start: of another recording?'
    return ''
