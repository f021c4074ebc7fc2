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

"""
What the nodes say of one image, put together by its stamp, and the last minute of each person.

Messages of one image come on many topics in any order. Without ROS and without a page.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from emotion_estimator.colours import shades
from emotion_estimator.faces.geometry import PinholeCamera
from emotion_estimator.stamps import NS_PER_S, RateLimiter
from emotion_estimator.view.person import DRAWN, FaceOfImage, Limits, Shown, shown

HISTORY_S = 60.0
"""How far a page looks back, in seconds."""
HISTORY_STEP_S = 0.2
"""A page that opens is given the last minute in steps of so many seconds."""
MOST_PEOPLE = 10
"""People who are shown at once: as many as blendshape_node follows at most."""
_MOST_IMAGES = 40  # whose messages are awaited; over a second of a fast camera
_EARLY = 0.1  # share of a period: what is only looked at is shown evenly, however cameras jitter
RESTART_S = 1.0  # stamps that lie further back begin a new time line, as where a bag loops


@dataclass
class ImageResult:
    """
    What is known of one image.

    :param stamp_ns: its stamp in nanoseconds.
    :param faces: by id.
    :param listed: whether the list of its faces has come.
    :param expected: whom it names; also who was not seen in this image, but just before.
    """

    stamp_ns: int
    faces: dict[str, FaceOfImage] = field(default_factory=dict)
    listed: bool = False
    expected: frozenset[str] = frozenset()

    def face(self, face_id: str) -> FaceOfImage | None:
        """
        Give a face's place.

        :param face_id: the face.
        :returns: what is known of it; None where there are too many to show.
        """
        if face_id not in self.faces and len(self.faces) >= MOST_PEOPLE:
            return None
        return self.faces.setdefault(face_id, FaceOfImage())

    @property
    def decided(self) -> bool:
        """Whether each face that was described has its expression, and the list has come."""
        described = [face for face in self.faces.values() if face.features]
        return (self.listed or bool(described)) and all(face.scores for face in described)

    @property
    def parts(self) -> frozenset[str]:
        """Which of `PARTS` every face that was described has."""
        described = [face for face in self.faces.values() if face.features]
        return frozenset(
            name for name in PARTS if described and all(getattr(face, name) for face in described)
        )


PARTS = ('affect', 'box', 'points', 'head', 'gaze')
"""What is awaited of a face where the images before had it: not every robot publishes all."""
PATIENCE_S = 0.15
"""How long that is awaited, by the stamps of images that follow."""
LONGEST_WAIT_S = 0.5
"""How long an expression is awaited: where emotion_node is missing, faces are shown without."""


class Results:
    """Puts together what is said of each image; what a node left out is not waited for long."""

    def __init__(self) -> None:
        self._images: dict[int, ImageResult] = {}
        self._ready_ns = -1
        self._had: deque[frozenset[str]] = deque(maxlen=10)

    def image(self, stamp_ns: int) -> ImageResult:
        """
        Give an image's place.

        :param stamp_ns: its stamp in nanoseconds.
        :returns: what is known of it, to be filled in; without effect where it was ready before.
        """
        if stamp_ns <= self._ready_ns:
            return ImageResult(stamp_ns)
        image = self._images.get(stamp_ns)
        if image is None:
            image = self._images[stamp_ns] = ImageResult(stamp_ns)
            if len(self._images) > _MOST_IMAGES:
                del self._images[min(self._images)]
        return image

    def begin_again(self) -> None:
        """Forget all images, as where a bag loops: older stamps count from now on."""
        self._images.clear()
        self._ready_ns = -1

    def take_ready(self, patient: bool = True) -> ImageResult | None:
        """
        Take the newest image of which all is known; those before it are forgotten.

        :param patient: whether to wait for what other images had; else the decision is enough.
        :returns: the image, or None while there is none.
        """
        newest_ns = max(self._images, default=0)
        ready = [
            ns
            for ns, image in self._images.items()
            if self._is_ready(image, newest_ns) or (image.decided and not patient)
        ]
        if not ready:
            return None
        self._ready_ns = max(ready)
        taken = self._images[self._ready_ns]
        self._images = {ns: image for ns, image in self._images.items() if ns > self._ready_ns}
        if taken.faces:
            self._had.append(taken.parts)
        return taken

    def expect(self, part: str, on: bool) -> None:
        """
        Wait for a part as if images before had had it, or no more.

        :param part: one of `PARTS`, which begins or ends to be listened to.
        :param on: whether it begins.
        """
        before = [parts - {part} for parts in self._had]
        self._had.clear()
        self._had.extend([*before, frozenset({part})] if on else before)

    def _is_ready(self, image: ImageResult, newest_ns: int) -> bool:
        waited_s = (newest_ns - image.stamp_ns) / NS_PER_S
        if not image.decided:
            return waited_s > LONGEST_WAIT_S
        # The list may be taken before what came with it on other topics.
        known = {name for name, face in image.faces.items() if face.features or face.scores}
        if not image.expected <= known and waited_s <= PATIENCE_S:
            return False
        awaited = frozenset[str]().union(*self._had)
        return not image.faces or awaited <= image.parts or waited_s > PATIENCE_S


class Pace:
    """
    Chooses images by their stamps, so that no more a second are shown.

    :param rate_hz: at most so many a second.
    """

    def __init__(self, rate_hz: float) -> None:
        self._rate_hz = rate_hz
        self._limiter = RateLimiter(rate_hz, _EARLY)
        self._newest_ns = 0
        self._chosen: deque[int] = deque(maxlen=_MOST_IMAGES)

    @property
    def rate_hz(self) -> float:
        """At most so many a second; may be changed."""
        return self._rate_hz

    @rate_hz.setter
    def rate_hz(self, rate_hz: float) -> None:
        if rate_hz != self._rate_hz:
            self._rate_hz, self._limiter = rate_hz, RateLimiter(rate_hz, _EARLY)

    def begin_again(self) -> None:
        """Forget what was chosen: older stamps count from now on."""
        self._chosen.clear()
        self._newest_ns = 0

    def chooses(self, stamp_ns: int) -> bool:
        """
        Tell whether an image is shown; the answer stays the same for each message of it.

        :param stamp_ns: its stamp in nanoseconds.
        :returns: whether it is, or was, due.
        """
        if stamp_ns in self._chosen:
            return True
        # It was asked before, or a newer one came first.
        if stamp_ns <= self._newest_ns:
            return False
        self._newest_ns = stamp_ns
        if not self._limiter.is_due(stamp_ns):
            return False
        self._chosen.append(stamp_ns)
        return True


# What is shown of a person.


def colours_of(people: Iterable[Shown]) -> dict[str, list[str]]:
    """
    Give the classes of the model that answers their colours.

    :param people: as `People.show` has them, of one time or of many.
    :returns: by class, on light and on dark ground.
    """
    found = shades(name for person in people for name in person['scores'])
    return {label: [one.light, one.dark] for label, one in found.items()}


class People:
    """Says what is shown of each person, and keeps the last minute of it."""

    def __init__(self) -> None:
        self.limits = Limits()
        """Of emotion_node; may be replaced."""
        self._since_ns: dict[str, int] = {}
        self._last_ns: dict[str, int] = {}
        self._newest_ns = -1
        self._lock = threading.Lock()
        self._history: deque[Shown] = deque()
        self._to_keep = RateLimiter(1 / HISTORY_STEP_S, _EARLY)

    def show(
        self, image: ImageResult, camera: PinholeCamera | None = None, rotate: int = 0
    ) -> list[Shown]:
        """
        Say what is shown of an image's people.

        :param image: the image, ready.
        :param camera: took it; without it no axes are drawn.
        :param rotate: degrees clockwise by which the picture is turned before it is shown.
        :returns: for each person what a page shows, ready for JSON.
        """
        self._follow(image)
        people = [
            shown(face_id, face, self._seen_s(face_id), self.limits, camera, rotate)
            for face_id, face in sorted(image.faces.items())
            if face.scores or face.features
        ]
        with self._lock:
            self._keep(image.stamp_ns, people)
        return people

    def history(self) -> list[Shown]:
        """
        Tell the last minute; may be called from any thread.

        :returns: moments in the order of time: `t` in seconds and `people` as `show` has them,
            but for what is drawn into the picture.
        """
        with self._lock:
            return list(self._history)

    def _seen_s(self, face_id: str) -> float:
        return (self._last_ns[face_id] - self._since_ns[face_id]) / NS_PER_S

    def _follow(self, image: ImageResult) -> None:
        if self._newest_ns - image.stamp_ns > RESTART_S * NS_PER_S:
            self._since_ns.clear()
            self._last_ns.clear()
            with self._lock:
                self._history.clear()
        self._newest_ns = image.stamp_ns
        for face_id in image.faces:
            gap_ns = image.stamp_ns - self._last_ns.get(face_id, -(10**18))
            if gap_ns > RESTART_S * NS_PER_S:
                self._since_ns[face_id] = image.stamp_ns
            self._last_ns[face_id] = image.stamp_ns
        for face_id, last_ns in list(self._last_ns.items()):
            if image.stamp_ns - last_ns > HISTORY_S * NS_PER_S:
                del self._last_ns[face_id], self._since_ns[face_id]

    def _keep(self, stamp_ns: int, people: list[Shown]) -> None:
        if not self._to_keep.is_due(stamp_ns):
            return
        time_s = stamp_ns / NS_PER_S
        kept = [{k: v for k, v in person.items() if k not in DRAWN} for person in people]
        self._history.append({'t': time_s, 'people': kept})
        while time_s - self._history[0]['t'] > HISTORY_S:
            self._history.popleft()
