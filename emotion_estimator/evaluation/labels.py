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

"""Labels: names of expressions and their coarser classes, and the segments that show them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice, pairwise
from pathlib import Path

from emotion_estimator.colours import ALIASES
from emotion_estimator.stamps import NS_PER_S

# A stretch of time in which a face is said to show one expression.


ANY_FACE = ''


class LabelError(ValueError):
    """Labels that cannot be used; the message says where, what is wrong and what to do."""


@dataclass(frozen=True, order=True)
class Segment:
    """
    One labelled stretch of a recording.

    :param start_ns: stamp from which on the label holds, in nanoseconds.
    :param end_ns: stamp from which on it holds no more.
    :param face: the face's id; '' for any face.
    :param label: the expression shown.
    """

    start_ns: int
    end_ns: int
    face: str
    label: str

    @property
    def duration_ns(self) -> int:
        """How long the label holds, in nanoseconds."""
        return self.end_ns - self.start_ns


@dataclass(frozen=True)
class Labels:
    """
    What labels say of one recording.

    :param segments: ascending by time; those of one face do not overlap.
    :param problems: sentences: what was left out or cut, and what is not labelled, and where.
    :param given: how many labels there were.
    :param losses: sentences: how many labels are lost, and the likely reason; nothing where that
        is as it should be.
    :param hints: sentences: what was used, and yet is worth knowing.
    """

    segments: tuple[Segment, ...]
    problems: tuple[str, ...]
    given: int = 0
    losses: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()


@dataclass(frozen=True)
class Recorded:
    """
    What labels need to know of a recording.

    :param path: its file or folder.
    :param first_ns: stamp of the first image that was looked at, in nanoseconds.
    :param last_ns: stamp of the last one.
    :param zero_ns: stamp of the recording's own first image, from which relative times count.
    :param part: whether a part of it was asked for, so that labels may lie outside.
    :param images: how many were looked at.
    """

    path: Path
    first_ns: int
    last_ns: int
    zero_ns: int
    part: bool = False
    images: int = 0

    @property
    def span_ns(self) -> tuple[int, int]:
        """Stamps of the first and the last image."""
        return self.first_ns, self.last_ns


# Labels as they were given, made into segments of one recording; tells what does not fit.


SHORTEST_GAP_S = 0.05
"""Times given to a tenth of a second leave gaps that mean nothing, in seconds."""
MOST_REPORTED = 10
"""So many faults of a kind are told one by one; overlaps and gaps, of each face so many."""


@dataclass(frozen=True)
class Given:
    """
    A segment and where it was read.

    :param where: such as 'labels.csv, line 3'.
    :param segment: what stands there.
    """

    where: str
    segment: Segment


def place(
    given: Iterable[Given],
    first_ns: int,
    last_ns: int,
    zero_ns: int | None = None,
    whole: bool = True,
) -> Labels:
    """
    Cut labels to a recording, and leave out what is labelled twice.

    :param given: in any order.
    :param first_ns: stamp of the first image in nanoseconds.
    :param last_ns: stamp of the last image; a label may end after it.
    :param zero_ns: from which the seconds in sentences count; None takes the first image.
    :param whole: whether labels that reach beyond the images are told of.
    :returns: the segments, and what was cut, left out or is not labelled.
    """
    zero_ns = first_ns if zero_ns is None else zero_ns
    images = (
        f'the recording, whose images go from {_seconds(first_ns - zero_ns)} to '
        f'{_seconds(last_ns - zero_ns)} s'
    )
    in_order = sorted(given, key=lambda each: each.segment)
    inside = [one for one in in_order if reaches(one.segment, first_ns, last_ns)]
    outside = [one for one in in_order if not reaches(one.segment, first_ns, last_ns)]
    beyond = [one for one in inside if whole and _goes_beyond(one.segment, first_ns, last_ns)]
    problems = _misplaced(outside, beyond, images, zero_ns)
    by_face: dict[str, list[Given]] = {}
    for one in inside:
        by_face.setdefault(one.segment.face, []).append(
            Given(one.where, cut(one.segment, first_ns, last_ns))
        )
    segments: list[Segment] = []
    denied = contested_ns = 0
    for face in sorted(by_face):
        kept, denied_ns = _without_overlaps(by_face[face], zero_ns, problems)
        if denied_ns:
            contested_ns += denied_ns
            denied += sum(not _counts(one.segment, kept) for one in by_face[face])
        segments += kept
        _tell_gaps(by_face[face], zero_ns, problems)
    losses = {
        f'lie outside {images}.': len(outside),
        'are denied by others of the same time, so that none of them counts.': denied,
    }
    hints = {
        f'{len(beyond)} of {len(in_order)} labels reach beyond {images}; they were cut.': beyond,
        f'{_seconds(contested_ns)} s are labelled with several expressions at once; they are not '
        'judged.': contested_ns and not denied,
    }
    return Labels(
        tuple(sorted(segments)),
        tuple(problems),
        len(in_order),
        tuple(
            f'{count} of {len(in_order)} labels {why}' for why, count in losses.items() if count
        ),
        tuple(hint for hint, holds in hints.items() if holds),
    )


def _misplaced(
    outside: Sequence[Given], beyond: Sequence[Given], images: str, zero_ns: int
) -> list[str]:
    lie_outside = (
        f'{one.where}: {_span(one.segment, zero_ns)} lies outside {images}; it was left out.'
        for one in outside
    )
    reach_beyond = (
        f'{one.where}: {_span(one.segment, zero_ns)} reaches beyond {images}; it was cut there.'
        for one in beyond
    )
    return [
        *_first(lie_outside, len(outside), 'labels lie outside the recording.'),
        *_first(reach_beyond, len(beyond), 'labels reach beyond the recording.'),
    ]


def _first(sentences: Iterator[str], count: int, more: str) -> list[str]:
    """Take the first of many sentences, and say how many more there would be."""
    said = list(islice(sentences, MOST_REPORTED))
    return [*said, f'{count - len(said)} more {more}'] if count > len(said) else said


def _counts(segment: Segment, kept: Sequence[Segment]) -> bool:
    """Tell whether some of a label's time is left."""
    return any(
        one.label == segment.label
        and one.start_ns < segment.end_ns
        and one.end_ns > segment.start_ns
        for one in kept
    )


def _goes_beyond(segment: Segment, first_ns: int, last_ns: int) -> bool:
    # An end that is rounded up to the second is no reason to complain.
    return segment.start_ns < first_ns or segment.end_ns > last_ns + NS_PER_S


def cut(segment: Segment, first_ns: int, last_ns: int) -> Segment:
    """Cut a label to the time from the first image to the last, whose own stamp is inside."""
    start_ns, end_ns = max(segment.start_ns, first_ns), min(segment.end_ns, last_ns + 1)
    return replace(segment, start_ns=start_ns, end_ns=end_ns)


def reaches(segment: Segment, first_ns: int, last_ns: int) -> bool:
    """Tell whether a label holds at a time from the first image to the last."""
    return segment.end_ns > first_ns and segment.start_ns <= last_ns


def _without_overlaps(
    given: Sequence[Given], zero_ns: int, problems: list[str]
) -> tuple[list[Segment], int]:
    """Keep of one face what one label, or equal ones, claim; tell how long others deny it."""
    starts_ns = [one.segment.start_ns for one in given]
    # Each label overlaps those behind it, up to this place: they begin before it ends.
    last = [bisect_left(starts_ns, one.segment.end_ns) for one in given]
    count = sum(end - index - 1 for index, end in enumerate(last))
    overlaps = (
        _overlap(one, other, zero_ns)
        for index, one in enumerate(given)
        for other in islice(given, index + 1, last[index])
    )
    problems += _first(overlaps, count, 'pairs of labels overlap.')
    edges = sorted({t for one in given for t in (one.segment.start_ns, one.segment.end_ns)})
    kept: list[Segment] = []
    denied_ns = 0
    claims: list[Given] = []
    waiting = list(reversed(given))
    before: set[str] = set()
    for start_ns, end_ns in pairwise(edges):
        while waiting and waiting[-1].segment.start_ns <= start_ns:
            claims.append(waiting.pop())
        claims = [one for one in claims if one.segment.end_ns > start_ns]
        labels = {one.segment.label for one in claims}
        if len(labels) == 1:
            (label,) = labels
            wheres = {one.where for one in claims}
            if (
                kept
                and kept[-1].end_ns == start_ns
                and kept[-1].label == label
                and before & wheres
            ):
                kept[-1] = Segment(kept[-1].start_ns, end_ns, kept[-1].face, label)
            else:
                kept.append(Segment(start_ns, end_ns, given[0].segment.face, label))
            before = wheres
        else:
            before = set()
            denied_ns += (end_ns - start_ns) * (len(labels) > 1)
    return kept, denied_ns


def _overlap(one: Given, other: Given, zero_ns: int) -> str:
    end_ns = min(one.segment.end_ns, other.segment.end_ns)
    both = Segment(other.segment.start_ns, end_ns, one.segment.face, '')
    same = one.segment.label == other.segment.label
    return (
        f'{other.where}: {_span(both, zero_ns)} is labelled {other.segment.label} here '
        f'and {one.segment.label} in {one.where}; '
        + ('it counts once.' if same else 'this time was left out.')
    )


def _tell_gaps(given: Sequence[Given], zero_ns: int, problems: list[str]) -> None:
    gaps = []
    end_ns = given[0].segment.end_ns
    for one in given[1:]:
        if one.segment.start_ns - end_ns > SHORTEST_GAP_S * NS_PER_S:
            gaps.append(
                (one.where, replace(one.segment, start_ns=end_ns, end_ns=one.segment.start_ns))
            )
        end_ns = max(end_ns, one.segment.end_ns)
    sentences = (
        f'{where}: {_span(gap, zero_ns)} before it is not labelled; it is not judged.'
        for where, gap in gaps
    )
    problems += _first(sentences, len(gaps), 'times are not labelled.')


def _span(segment: Segment, zero_ns: int) -> str:
    face = f' of face {segment.face}' if segment.face else ''
    start, end = _seconds(segment.start_ns - zero_ns), _seconds(segment.end_ns - zero_ns)
    return f'{start} to {end} s{face}'


def _seconds(ns: int) -> str:
    return f'{ns / NS_PER_S:.2f}'


UNKNOWN = 'unknown'
EXPRESSIONS = ('angry', 'disgusted', 'scared', 'happy', 'sad', 'surprised', 'neutral')
"""The seven basic expressions as hri_msgs/Expression names them, in FER2013's numbering."""


@dataclass(frozen=True)
class LabelMap:
    """
    Coarser classes made of expressions.

    :param name: what the map is asked for by.
    :param names: the coarser classes.
    :param of: coarser class by expression.
    """

    name: str
    names: tuple[str, ...]
    of: Mapping[str, str]

    def __call__(self, label: str) -> str | None:
        """Give the class that a label belongs to; None for one without a place."""
        return label if label in self.names else self.of.get(label)

    def maps(self, labels: Collection[str]) -> bool:
        """Whether every label has a class."""
        return all(self(label) is not None for label in labels)


def _made_of(name: str, **members: tuple[str, ...]) -> LabelMap:
    return LabelMap(
        name, tuple(members), {label: one for one, labels in members.items() for label in labels}
    )


HAPPY_UNKNOWN_SAD = _made_of(
    'happy_unknown_sad',
    happy=('happy',),
    unknown=('angry', 'disgusted', 'scared', 'surprised', 'neutral'),
    sad=('sad',),
)
POSITIVE_NEGATIVE = _made_of(
    'positive_negative',
    positive=('happy', 'surprised', 'neutral'),
    negative=('angry', 'disgusted', 'scared', 'sad'),
)
LABEL_MAPS = (HAPPY_UNKNOWN_SAD, POSITIVE_NEGATIVE)
"""The maps there are; the training uses the same."""


def known_name(name: str, own: Collection[str] = ()) -> str | None:
    """
    Read an expression's name, whatever its case and whichever data set's word for it.

    :param name: as it is written; spaces round it do not count.
    :param own: further names that count, such as the classes of a user's own model.
    :returns: the name that this project uses; None for one that it does not know.
    """
    plain = name.strip()
    for known in (plain, *sorted(own)):
        if known in own and plain.casefold() == known.casefold():
            return known
    plain = ALIASES.get(plain.casefold(), plain.casefold())
    coarse = {one for each in LABEL_MAPS for one in each.names}
    return plain if plain in coarse or plain in EXPRESSIONS or plain in own else None
