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

"""Labels from a topic of the recording: each holds until the face's next one."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from emotion_estimator.evaluation.labels.placing import Given, place
from emotion_estimator.evaluation.labels.segment import ANY_FACE, Labels, Segment
from emotion_estimator.evaluation.labels.vocabulary import EXPRESSIONS, known_name


def labels_of_messages(
    messages: Iterable[tuple[int, str, str]],
    topic: str,
    first_ns: int,
    last_ns: int,
    own_names: Collection[str] = (),
) -> Labels:
    """
    Make segments of labels by stamp.

    A label holds until the next message of its face, or the recording's end; an empty one ends
    it. Where only one face is ever labelled the labels are of any face: its id need not be the
    one that the package gives.

    :param messages: stamp in nanoseconds, face id and label, in any order.
    :param topic: where they were heard.
    :param first_ns: stamp of the recording's first image in nanoseconds.
    :param last_ns: stamp of its last image.
    :param own_names: names that count beside those of `vocabulary`.
    :returns: the segments, and which messages could not be used.
    """
    problems: list[str] = []
    of_face: dict[str, list[tuple[int, str]]] = {}
    unknown_names: dict[str, tuple[int, int]] = {}
    for stamp_ns, face, name in sorted(messages):
        label = known_name(name, own_names) if name.strip() else ''
        if label is None:
            count, earliest_ns = unknown_names.get(name, (0, stamp_ns))
            unknown_names[name] = count + 1, earliest_ns
            label = ''
        of_face.setdefault(face, []).append((stamp_ns, label))
    for name, (count, stamp_ns) in unknown_names.items():
        problems.append(
            f'{topic}: {count} messages, the first at {(stamp_ns - first_ns) / 1e9:.2f} s, name '
            f'{name!r}, which is no expression that is known, such as {", ".join(EXPRESSIONS)}; '
            'their time was left out.'
        )
    given: list[Given] = []
    for face, heard in of_face.items():
        name = face if len(of_face) > 1 else ANY_FACE
        for segment in _held(heard, name, max(last_ns + 1, heard[-1][0] + 1)):
            where = f'{topic}, message at {(segment.start_ns - first_ns) / 1e9:.2f} s'
            given.append(Given(where, segment))
    placed = place(given, first_ns, last_ns)
    return Labels(placed.segments, (*problems, *placed.problems))


def _held(heard: list[tuple[int, str]], face: str, end_ns: int) -> Iterable[Segment]:
    """Join equal labels that follow each other."""
    start_ns, shown = heard[0]
    for stamp_ns, label in [*heard[1:], (end_ns, '')]:
        if label != shown or stamp_ns == end_ns:
            if shown and stamp_ns > start_ns:
                yield Segment(start_ns, stamp_ns, face, shown)
            start_ns, shown = stamp_ns, label
