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

"""A stretch of time in which a face is said to show one expression."""

from __future__ import annotations

from dataclasses import dataclass

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
    """

    segments: tuple[Segment, ...]
    problems: tuple[str, ...]
