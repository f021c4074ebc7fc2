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
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, replace

import cv2
import numpy as np

from emotion_estimator.emotion.estimation import EmotionEstimate
from emotion_estimator.estimator import ExpressionEstimator, FrameResult
from emotion_estimator.faces.appearance import UprightWatch
from emotion_estimator.faces.finder import (
    Face,
    TrackedFaces,
    build_face_counter,
    find_finder_files,
)
from emotion_estimator.faces.geometry import POSE_NAMES
from emotion_estimator.faces.image_decoding import ImageError, Rgb
from emotion_estimator.faces.multi_face import FaceCounter, face_picture
from emotion_estimator.parallel.engine import ahead
from emotion_estimator.parallel.workers import available_cores
from emotion_estimator.parameters import NodeParameters
from emotion_estimator.replay.files import Pictures
from emotion_estimator.replay.predictions import Prediction, Replay, settings_of
from emotion_estimator.replay.recordings import (
    Frame,
    ImageOrder,
    Recording,
    RecordingError,
    Selection,
)
from emotion_estimator.stamps import NS_PER_S, Step

# A small picture of a face, for the report.


SIDE_PX = 96
_JPEG_QUALITY = 85  # of 100


def face_thumbnail(image: Rgb, face: Face) -> bytes:
    """
    Cut out a face, upright.

    :param face: in it.
    :returns: a JPEG file of `SIDE_PX` x `SIDE_PX` pixels; what lies outside the image is black.
    """
    crop = face_picture(image, face.box, rotate=face.rotate)
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
    :returns: all that the package gathered.
    :raises AssetError: when a model is not there.
    :raises ValueError: when a model or a parameter cannot be used.
    """
    # OpenCV's threads wait in a busy loop: for these pictures that takes more than it saves.
    cv2.setNumThreads(int(parameters.blendshape_node['threads']))
    estimator = ExpressionEstimator.of_parameters(parameters)
    gathered = _Gathered()
    order = ImageOrder(gathered.refuse, progress)
    pictures = isinstance(recording, Pictures)
    if isinstance(recording, Pictures):
        recording.are_a_film = not selection.stills
    if selection.stills or (pictures and recording.image_count == 1):
        found = _beforehand(_decoded(order.photographs(recording, selection)))
    else:
        # As the node would leave out: a recording has what its camera sent.
        rates_hz = selection.rate_hz, float(parameters.blendshape_node['max_rate_hz'])
        paced = replace(selection, rate_hz=min(filter(None, rates_hz), default=0.0))
        decoded = _beforehand(_decoded(order.selected(recording, paced)))
        found = _beforehand(_found(estimator, decoded))
    further = _FurtherFaces(parameters)
    try:
        with closing(found), closing(further):
            for image in found:
                result = _look(estimator, image, gathered, listeners)
                if result is not None and image.pixels is not None:
                    further.look(image.pixels, image.frame.stamp_ns, result.faces)
    except RecordingError as error:
        gathered.broken = str(error)
    finally:
        estimator.close()
    metadata = estimator.metadata
    stamps_ns = tuple(sorted(set(gathered.stamps_ns)))
    return Replay(
        recording=recording.name,
        model=f'{metadata.name} {metadata.version}',
        labels=metadata.labels,
        settings=settings_of(parameters, selection),
        stamps_ns=stamps_ns,
        predictions=tuple(sorted(gathered.predictions, key=lambda a: (a.stamp_ns, a.face_id))),
        thumbnails=gathered.thumbnails,
        problems=(*recording.problems, *gathered.problems(recording.name)),
        hints=(
            *recording.hints,
            *order.hints(recording.name, parameters),
            *further.hints(recording.name, order.first_ns or 0),
            *(f'{recording.name}: {hint}' for hint in gathered.upright.hints()),
            *(gathered.sizes_hint(recording.name) if pictures and not selection.stills else ()),
        ),
        first_ns=order.first_ns,
        files=gathered.files,
        again=len(gathered.stamps_ns) - len(stamps_ns),
    )


class _Gathered:
    """What a replay has gathered so far."""

    def __init__(self) -> None:
        self.stamps_ns: list[int] = []
        self.predictions: list[Prediction] = []
        self.thumbnails: dict[tuple[int, str], bytes] = {}
        self.shown: dict[str, str] = {}
        self.refused: Counter[str] = Counter()
        self.examples: dict[str, str] = {}
        self.broken = ''
        self.files: dict[int, str] = {}
        self.sizes: set[tuple[int, ...]] = set()
        self.upright = UprightWatch()

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

    def sizes_hint(self, name: str) -> tuple[str, ...]:
        """Tell that pictures differ as those of a film do not."""
        hint = (
            f'{name}: its pictures have {len(self.sizes)} sizes; if they are no film, --stills '
            'gives each an answer of its own.'
        )
        return (hint,) if len(self.sizes) > 1 else ()


@dataclass(frozen=True)
class _Image:
    """An image on its way; without pixels where it could not be decoded."""

    frame: Frame
    line: object
    pixels: Rgb | None
    sighting: TrackedFaces | None = None
    error: str = ''


_Images = Generator[_Image, None, None]


def _beforehand(images: _Images) -> _Images:
    """
    Make images in a thread of their own, where there is a core for it: else they only take turns.

    The networks need no interpreter: reading and estimating go on in the meantime.
    """
    return ahead(images) if len(available_cores()) > 1 else images


def _decoded(frames: Iterator[tuple[Frame, object]]) -> _Images:
    for frame, line in frames:
        try:
            yield _Image(frame, line, frame.decode())
        except ImageError as error:
            yield _Image(frame, line, None, error=str(error))


def _found(estimator: ExpressionEstimator, images: _Images) -> _Images:
    for image in images:
        if image.pixels is None:
            yield image
        else:
            sighting = estimator.find(image.pixels, image.frame.stamp_ns, image.line)
            yield replace(image, sighting=sighting)


def _look(
    estimator: ExpressionEstimator,
    image: _Image,
    gathered: _Gathered,
    listeners: tuple[Listener, ...],
) -> FrameResult | None:
    """Estimate what an image shows, and note it; returns nothing where it cannot be used."""
    stamp_ns = image.frame.stamp_ns
    if image.pixels is None:
        gathered.refuse('cannot be decoded', f'at {stamp_ns} ns: {image.error}')
        return None
    if image.sighting is None:
        found = estimator.estimate_picture(image.pixels)
        estimates = (replace(one.estimate, stamp_ns=stamp_ns) for one in found)
        result = FrameResult(Step.FIRST, tuple(one.face for one in found), tuple(estimates))
    elif image.sighting.step is Step.REPEATED:
        gathered.refuse('repeat a stamp', f'{stamp_ns} ns.')
        return None
    else:
        result = estimator.tell(image.sighting, stamp_ns)
    gathered.stamps_ns.append(stamp_ns)
    gathered.sizes.add(image.pixels.shape)
    if image.frame.file:
        gathered.files[stamp_ns] = image.frame.file
    for face, estimate in zip(result.faces, result.estimates):
        _gather(face, estimate, image.pixels, gathered)
    for listener in listeners:
        listener(image.frame, image.pixels, result)
    return result


class _FurtherFaces:
    """
    Notices, once a second of stamps, people beside the `max_faces` that are followed.

    :param parameters: of both nodes.
    """

    def __init__(self, parameters: NodeParameters) -> None:
        self._parameters = parameters.blendshape_node
        self._counter: FaceCounter | None = None
        self._looked_ns: int | None = None
        self._most, self._first_ns = 0, 0

    def look(self, image: Rgb, stamp_ns: int, faces: tuple[Face, ...]) -> None:
        """Look at an image in which these faces are followed."""
        if len(faces) < int(self._parameters['max_faces']):
            return
        if self._looked_ns is not None and abs(stamp_ns - self._looked_ns) < NS_PER_S:
            return
        self._looked_ns = stamp_ns
        if self._counter is None:
            files = find_finder_files(self._parameters, warn=lambda _: None)
            self._counter = build_face_counter(self._parameters, files)
        count = self._counter.beside(image, [face.box for face in faces])
        if count and not self._most:
            self._first_ns = stamp_ns
        self._most = max(self._most, count)

    def hints(self, name: str, first_ns: int) -> tuple[str, ...]:
        """Tell in a sentence that there were some."""
        since_s = (self._first_ns - first_ns) / NS_PER_S
        hint = (
            f'{name}: further faces were left out, up to {self._most} in an image, first at '
            f'{since_s:.2f} s: max_faces is {self._parameters["max_faces"]}; give --max-faces.'
        )
        return (hint,) if self._most else ()

    def close(self) -> None:
        """Release MediaPipe's graph."""
        if self._counter is not None:
            self._counter.close()


def _gather(face: Face, estimate: EmotionEstimate, image: Rgb, gathered: _Gathered) -> None:
    box = face.box
    gathered.upright.see(face.named_values())
    gathered.predictions.append(
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
    if gathered.shown.get(face.face_id) != estimate.label:
        gathered.shown[face.face_id] = estimate.label
        gathered.thumbnails[estimate.stamp_ns, face.face_id] = face_thumbnail(image, face)


def _head(face: Face) -> tuple[float, float, float] | None:
    if not face.feature_names:
        return None
    first = face.feature_names.index(POSE_NAMES[0])
    roll, pitch, yaw = face.features[first : first + len(POSE_NAMES)].tolist()
    return roll, pitch, yaw
