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

"""Plays a recording to the nodes' own estimator, image by image, by the images' stamps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace

import cv2
import numpy as np

from emotion_estimator.emotion.estimation import EmotionEstimate
from emotion_estimator.estimator import ExpressionEstimator, FrameResult
from emotion_estimator.faces.finder import Face, TrackedFaces
from emotion_estimator.faces.geometry import POSE_NAMES
from emotion_estimator.faces.image_decoding import ImageError, Rgb
from emotion_estimator.faces.landmarker import Box
from emotion_estimator.faces.multi_face import face_picture
from emotion_estimator.parallel.prefetch import ahead
from emotion_estimator.parameters import NodeParameters
from emotion_estimator.replay.predictions import Prediction, Replay
from emotion_estimator.replay.recordings import Frame, Recording, RecordingError
from emotion_estimator.stamps import NS_PER_S, Placed, Step, TimeLine

# Which images of a recording are looked at: a part of it, at a rate.


_EARLY = 0.02
"""Share of a period by which an image may come before it is due: cameras jitter."""


@dataclass(frozen=True)
class Selection:
    """
    Which images of a recording are looked at.

    :param rate_hz: most images a second, by stamp; 0 takes all.
    :param from_s: seconds after the first image's stamp.
    :param to_s: end, seconds after the first image; None takes the recording to its end.
    """

    rate_hz: float = 0.0
    from_s: float = 0.0
    to_s: float | None = None


class RateLimiter:
    """
    Lets images pass at most at a rate, by their stamps.

    :param rate_hz: images a second; 0 lets all pass.
    """

    def __init__(self, rate_hz: float) -> None:
        self._period_ns = NS_PER_S / rate_hz if rate_hz else 0.0
        self._due_ns: float | None = None
        self._newest_ns: int | None = None

    def is_due(self, stamp_ns: int) -> bool:
        """
        Tell whether the next image is due; images go by a grid of the rate.

        :param stamp_ns: its stamp in nanoseconds.
        :returns: whether it passes.
        """
        back = self._newest_ns is not None and stamp_ns < self._newest_ns
        self._newest_ns = stamp_ns
        late_ns = 0.0 if self._due_ns is None else stamp_ns - self._due_ns
        # The grid starts over behind a gap or a step back.
        if self._due_ns is None or back or late_ns > self._period_ns:
            self._due_ns = stamp_ns + self._period_ns
            return True
        if late_ns < -_EARLY * self._period_ns:
            return False
        self._due_ns += self._period_ns
        return True


# A small picture of a face, for the report.


SIDE_PX = 96
_JPEG_QUALITY = 85  # of 100


def face_thumbnail(image: Rgb, box: Box) -> bytes:
    """
    Cut out a face.

    :param image: the pixels.
    :param box: where the face is.
    :returns: a JPEG file of `SIDE_PX` x `SIDE_PX` pixels; what lies outside the image is black.
    """
    crop = face_picture(image, box)
    if crop is None:
        crop = np.zeros((SIDE_PX, SIDE_PX, 3), np.uint8)
    small = cv2.resize(crop, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA)
    bgr = cv2.cvtColor(small, cv2.COLOR_RGB2BGR)
    _, jpeg = cv2.imencode('.jpg', bgr, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    return jpeg.tobytes()


Listener = Callable[[Frame, Rgb, FrameResult], None]
"""Called with each image that was looked at, with its pixels."""
Progress = Callable[[int], None]
"""Called with the number of images read so far."""


def replay(
    recording: Recording,
    parameters: NodeParameters,
    selection: Selection,
    listeners: tuple[Listener, ...] = (),
    progress: Progress | None = None,
) -> Replay:
    """
    Replay a recording.

    The same recording and parameters give the same answers, whatever the machine's speed. Where
    the recording is damaged, what came before stays, and a problem says so.

    :param recording: the recording, open.
    :param parameters: of both nodes.
    :param selection: which of its images.
    :param listeners: called with each image that was looked at.
    :param progress: called with how far it is.
    :returns: all that the package told.
    :raises AssetError: when a model is not there.
    :raises ValueError: when a model or a parameter cannot be used.
    """
    estimator = ExpressionEstimator.of_parameters(parameters)
    told = _Told()
    # MediaPipe needs no interpreter: reading and estimating go on in the meantime.
    decoded = ahead(_decoded(_selected(recording, selection, told, progress)))
    found = ahead(_found(estimator, decoded))
    try:
        with closing(found):
            for image in found:
                _look(estimator, image, told, listeners)
    except RecordingError as error:
        told.broken = str(error)
    finally:
        estimator.close()
    metadata = estimator.metadata
    return Replay(
        recording=recording.name,
        model=f'{metadata.name} {metadata.version}',
        labels=metadata.labels,
        settings=settings_of(parameters, selection),
        stamps_ns=tuple(sorted(set(told.stamps_ns))),
        predictions=tuple(sorted(told.predictions, key=lambda a: (a.stamp_ns, a.face_id))),
        thumbnails=told.thumbnails,
        problems=(*recording.problems, *told.problems(recording.name)),
        hints=(*recording.hints, *told.hints(recording.name)),
        first_ns=told.first_ns,
        files=told.files,
    )


def settings_of(parameters: NodeParameters, selection: Selection) -> Mapping[str, float | str]:
    """
    List what decides on the answers.

    :param parameters: of both nodes.
    :param selection: which images.
    :returns: value by name; numbers as float.
    """
    without = {'autostart', 'ros4hri', 'on_one_core', 'image_transport'}
    named = {**parameters.blendshape_node, **parameters.emotion_node}
    settings: dict[str, float | str] = {
        name: value if isinstance(value, str) else float(value)
        for name, value in sorted(named.items())
        if name not in without
    }
    settings['rate_hz'] = selection.rate_hz
    settings['from_s'] = selection.from_s
    settings['to_s'] = 'end' if selection.to_s is None else selection.to_s
    return settings


class _Told:
    """What a replay has gathered so far."""

    def __init__(self) -> None:
        self.stamps_ns: list[int] = []
        self.predictions: list[Prediction] = []
        self.thumbnails: dict[tuple[int, str], bytes] = {}
        self.shown: dict[str, str] = {}
        self.refused: Counter[str] = Counter()
        self.examples: dict[str, str] = {}
        self.broken = ''
        self.steps: Counter[Step] = Counter()
        self.step_examples: dict[Step, str] = {}
        self.first_ns: int | None = None
        self.files: dict[int, str] = {}

    def refuse(self, kind: str, example: str) -> None:
        """Count an image that cannot be used; the first of a kind is quoted in full."""
        self.refused[kind] += 1
        self.examples.setdefault(kind, example)

    def problems(self, name: str) -> tuple[str, ...]:
        """Tell in sentences what could not be read."""
        sentences = [
            f'{name}: {count} images {kind}; the first: {self.examples[kind]}'
            for kind, count in sorted(self.refused.items())
        ]
        if self.broken:
            sentences.append(f'{self.broken} Images read before that: {len(self.stamps_ns)}.')
        elif not self.stamps_ns:
            sentences.append(f'{name}: no image was looked at; check the topic, --from and --to.')
        return tuple(sentences)

    def step(self, placed: Placed[_Numbered], first_ns: int) -> None:
        """Count an image whose stamp does not follow the one before; the first is quoted."""
        number, since_s = placed.item.number, (placed.stamp_ns - first_ns) / NS_PER_S
        way_s = abs(placed.way_ns) / NS_PER_S
        way = f'{way_s:.3f} s {"behind" if placed.way_ns < 0 else "ahead of"} the newest'
        self.steps[placed.step] += 1
        self.step_examples.setdefault(
            placed.step,
            f'image {number}, {way}, at {placed.stamp_ns} ns, {since_s:.3f} s after the first',
        )

    def hints(self, name: str) -> tuple[str, ...]:
        """Tell in sentences what was odd about the stamps."""
        return tuple(
            f'{name}: {self.steps[step]} {hint}; the first: {self.step_examples[step]}.'
            for step, hint in _STEP_HINTS.items()
            if self.steps[step]
        )


_STEP_HINTS = {
    Step.LATE: 'images came late, with a stamp behind the newest one, and were left out',
    Step.STRAY: 'images had a stamp far from those around them, and were left out',
    Step.BACK: 'times the stamps went back, as when a clock is set or a recording begins again: '
    'all faces start over',
    Step.JUMP: 'times the stamps jumped ahead, as when a clock is set or a camera is switched '
    'off: all faces start over',
}


@dataclass(frozen=True)
class _Numbered:
    """An image of the recording, and its number, from 1."""

    number: int
    frame: Frame


def _placed(
    recording: Recording, told: _Told, progress: Progress | None
) -> Iterator[Placed[_Numbered]]:
    """Read the images and their places in time."""
    line: TimeLine[_Numbered] = TimeLine()
    for number, frame in enumerate(recording.frames(), start=1):
        if progress is not None:
            progress(number)
        if frame.stamp_ns == 0:
            told.refuse('have no stamp', f'number {number}; let the driver fill in header.stamp.')
            continue
        yield from line.follow(frame.stamp_ns, _Numbered(number, frame))
    yield from line.rest()


def _selected(
    recording: Recording, selection: Selection, told: _Told, progress: Progress | None
) -> Iterator[tuple[Frame, int]]:
    """Choose images; tells of each the number of its time line too."""
    pace = RateLimiter(selection.rate_hz)
    time_ns = 0  # since the first image; it goes on where the stamps begin again
    for placed in _placed(recording, told, progress):
        if told.first_ns is None:
            told.first_ns = placed.stamp_ns
        if placed.step in _STEP_HINTS:
            told.step(placed, told.first_ns)
        # Whether an image repeats another is found out when that could be decoded.
        if placed.step in (Step.LATE, Step.STRAY):
            continue
        time_ns += max(placed.way_ns, 0)
        if selection.to_s is not None and time_ns > selection.to_s * NS_PER_S:
            return
        if time_ns >= selection.from_s * NS_PER_S and pace.is_due(placed.stamp_ns):
            yield placed.item.frame, placed.line


@dataclass(frozen=True)
class _Image:
    """An image on its way; without pixels where it could not be decoded."""

    frame: Frame
    line: int
    pixels: Rgb | None
    sighting: TrackedFaces | None = None
    error: str = ''


def _decoded(frames: Iterator[tuple[Frame, int]]) -> Iterator[_Image]:
    for frame, line in frames:
        try:
            yield _Image(frame, line, frame.decode())
        except ImageError as error:
            yield _Image(frame, line, None, error=str(error))


def _found(estimator: ExpressionEstimator, images: Iterator[_Image]) -> Iterator[_Image]:
    for image in images:
        if image.pixels is None:
            yield image
        else:
            sighting = estimator.find(image.pixels, image.frame.stamp_ns, image.line)
            yield replace(image, sighting=sighting)


def _look(
    estimator: ExpressionEstimator, image: _Image, told: _Told, listeners: tuple[Listener, ...]
) -> None:
    stamp_ns = image.frame.stamp_ns
    if image.pixels is None or image.sighting is None:
        told.refuse('cannot be decoded', f'at {stamp_ns} ns: {image.error}')
        return
    if image.sighting.step is Step.REPEATED:
        told.refuse('repeat a stamp', f'{stamp_ns} ns.')
        return
    result = estimator.tell(image.sighting, stamp_ns)
    told.stamps_ns.append(stamp_ns)
    if image.frame.file:
        told.files[stamp_ns] = image.frame.file
    for face, estimate in zip(result.faces, result.estimates):
        _tell(face, estimate, image.pixels, told)
    for listener in listeners:
        listener(image.frame, image.pixels, result)


def _tell(face: Face, estimate: EmotionEstimate, image: Rgb, told: _Told) -> None:
    box = face.box
    told.predictions.append(
        Prediction(
            stamp_ns=estimate.stamp_ns,
            face_id=face.face_id,
            label=estimate.label,
            confidence=estimate.confidence,
            probabilities=estimate.probabilities,
            valence=estimate.valence,
            arousal=estimate.arousal,
            head=_head(face),
            box=(box.x_min, box.y_min, box.x_max, box.y_max),
        )
    )
    if told.shown.get(face.face_id) != estimate.label:
        told.shown[face.face_id] = estimate.label
        told.thumbnails[estimate.stamp_ns, face.face_id] = face_thumbnail(image, box)


def _head(face: Face) -> tuple[float, float, float] | None:
    if not face.feature_names:
        return None
    first = face.feature_names.index(POSE_NAMES[0])
    roll, pitch, yaw = face.features[first : first + len(POSE_NAMES)].tolist()
    return roll, pitch, yaw
