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

"""The public door: images as arrays in, faces with the expression that each shows out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from numbers import Real
from typing import Any, cast

import numpy as np

from emotion_estimator.blendshapes import NAMES
from emotion_estimator.emotion.estimation import EmotionEstimate, build_estimation
from emotion_estimator.faces.finder import Face, TrackedFaces, build_finder, find_finder_files
from emotion_estimator.faces.geometry import check_size
from emotion_estimator.faces.image_decoding import Rgb
from emotion_estimator.faces.landmarker import Box
from emotion_estimator.files import find_model
from emotion_estimator.parameters import NodeParameters, Value, read_parameters
from emotion_estimator.stamps import NS_PER_S, Step

_LATEST_S = 9.2e9  # stamps are 64 bits of nanoseconds, with room for a window before them
_OF_NODES_ALONE = (
    'allow_remote_paths',
    'autostart',
    'cropped_height',
    'cropped_width',
    'field_of_view_deg',
    'image_transport',
    'max_rate_hz',
    'ros4hri',
    'ros4hri_input',
)
"""Parameters of how the nodes start, and of what they read and publish."""
_PICTURE_LOOKS = 2  # the second is at the place that the landmarks of the first tell


@dataclass(frozen=True)
class FrameResult:
    """
    What one image shows.

    :param step: how its stamp followed the one before.
    :param faces: the faces in it.
    :param estimates: of each of the faces, in the same order.
    """

    step: Step
    faces: tuple[Face, ...]
    estimates: tuple[EmotionEstimate, ...]


@dataclass(frozen=True, eq=False)  # arrays have no truth value
class FaceExpression:
    """
    One face in one image, and the expression that it shows.

    :param face: the face: box, 52 blendshapes, 478 landmarks, further features.
    :param estimate: the expression.
    """

    face: Face
    estimate: EmotionEstimate

    @property
    def face_id(self) -> str:
        """Stays the same while the face is followed."""
        return self.face.face_id

    @property
    def expression(self) -> str:
        """The expression decided on, such as 'happy', or 'unknown'."""
        return self.estimate.label

    @property
    def confidence(self) -> float:
        """Score of `expression`, in [0, 1]."""
        return self.estimate.confidence

    @property
    def scores(self) -> dict[str, float]:
        """Every expression and 'unknown' with its score, highest first, summing to 1."""
        return dict(self.estimate.scores)

    @property
    def valence(self) -> float:
        """From unpleasant to pleasant, in [-1, 1]."""
        return self.estimate.valence

    @property
    def arousal(self) -> float:
        """From calm to excited, in [-1, 1]."""
        return self.estimate.arousal

    @property
    def box(self) -> Box:
        """Where the face is, as fractions of the image's width and height."""
        return self.face.box

    @property
    def blendshapes(self) -> dict[str, float]:
        """The 52 blendshapes by ARKit name, each in [0, 1]."""
        return dict(zip(NAMES, self.face.blendshapes.tolist()))


class ExpressionEstimator:
    """
    Finds faces in images and estimates the expression that each shows.

    Does with arrays what both nodes do with a camera's topic. Time is the stamps' alone. One
    object serves one camera; use it from one thread, or each of `find` and `tell` from one.

    :param model: name of a model that ships, or path of a model folder.
    :param max_faces: most faces that are followed at once, 1 to 10.
    :param parameters: other parameters of the nodes by name, see doc/parameters.md; those that
        would do nothing here, such as `max_rate_hz`, are refused.
    :raises AssetError: when a model is not there and cannot be fetched.
    :raises ValueError: when a model or a parameter cannot be used.
    """

    def __init__(self, model: str = 'basic7', max_faces: int = 4, **parameters: Value) -> None:
        for name in _OF_NODES_ALONE:
            if name in parameters:
                raise ValueError(
                    f'{name} is a parameter of the nodes alone and does nothing here; leave it '
                    'out.'
                )
        given = {'model': model, 'max_faces': max_faces, 'face_id_seed': -1, **parameters}
        self._prepare(read_parameters().changed(given), fetch=True)

    @classmethod
    def of_parameters(cls, parameters: NodeParameters) -> ExpressionEstimator:
        """
        Make an estimator that does what nodes with these parameters do.

        :param parameters: of both nodes; assets are sought on this machine alone.
        :returns: the estimator.
        :raises AssetError: when a model is not there.
        :raises ValueError: when a model or a parameter cannot be used.
        """
        made = cls.__new__(cls)
        made._prepare(parameters, fetch=False)
        return made

    def _prepare(self, parameters: NodeParameters, fetch: bool) -> None:
        emotion, faces = parameters.emotion_node, parameters.blendshape_node
        # Before the finder, whose graphs would have to be closed were the model wrong.
        folder = find_model(str(emotion['model']))
        self._estimation, self.metadata = build_estimation(emotion, folder)
        self._picture_estimation, _ = build_estimation(emotion, folder)
        self._finder = build_finder(faces, find_finder_files(faces, fetch))
        lacking = {*self.metadata.features}.difference(NAMES, self._finder.feature_names)
        if lacking:
            self._finder.close()
            raise ValueError(
                f'encoding {faces["encoding"]!r} does not give {len(lacking)} of the features '
                f'that model {self.metadata.name} needs, such as {min(lacking)}: take the '
                'encoding that it was trained with, or a model that does without.'
            )
        self._closed = False

    def estimate(self, rgb: Rgb, stamp_s: float) -> list[FaceExpression]:
        """
        Estimate the expressions in the next image of a stream.

        :param rgb: the pixels in RGB, uint8, shape [height, width, 3].
        :param stamp_s: the image's time in seconds, from whatever start; above that of the image
            before.
        :returns: the faces; none where the stamp repeats, comes late or stands alone (`TimeLine`).
        :raises ValueError: when the array is no such image, or the stamp no time in seconds.
        """
        given: Any = stamp_s
        if isinstance(given, np.generic):
            # Narrow numbers would overflow; to NumPy durations are numbers, whatever their unit.
            given = None if isinstance(given, np.timedelta64) else given.item()
        if not (isinstance(cast(object, given), Real) and abs(given) < _LATEST_S):
            raise ValueError(
                f'stamp_s must be a time in seconds, of at most {_LATEST_S:g} to either side, not '
                f'{stamp_s!r}.'
            )
        stamp_ns = round(given * NS_PER_S)
        result = self.tell(self.find(rgb, stamp_ns), stamp_ns)
        return [FaceExpression(*pair) for pair in zip(result.faces, result.estimates)]

    def estimate_picture(self, rgb: Rgb) -> list[FaceExpression]:
        """
        Estimate the expressions in one picture, as though it were held for the model's window.

        Faces of a stream are not followed across it, and what came before changes nothing.

        :param rgb: see `estimate`.
        :returns: the faces.
        :raises ValueError: when the array is no such image.
        """
        faces = map(_without_image, self.find_in_picture(rgb))
        return [FaceExpression(face, self._held(face)) for face in faces]

    def find_in_picture(self, rgb: Rgb) -> tuple[Face, ...]:
        """
        Find the faces of one picture: the first half of `estimate_picture`.

        :param rgb: see `estimate`. What is computed of a face later looks at its pixels too.
        :returns: the faces.
        :raises ValueError: when the array is no such image.
        """
        picture = _checked(rgb)
        line = object()  # It continues neither a stream nor another picture.
        for look in range(_PICTURE_LOOKS):
            sighting = self.find(picture, look * NS_PER_S // 30, line)
        return sighting.faces

    def find(self, image: Rgb, stamp_ns: int, line: object = None) -> TrackedFaces:
        """
        Find the faces of the next image: the first half of `estimate`.

        :param image: see `estimate`. `tell` looks at its pixels too: leave them till then.
        :param stamp_ns: its stamp in nanoseconds.
        :param line: see `FaceFinder.find`.
        :returns: the faces; none where `step.left_out`.
        :raises ValueError: when the array is no such image.
        :raises RuntimeError: when it was closed, or, with `engine='mediapipe'`, in a process that
            was forked since.
        """
        if self._closed:
            raise RuntimeError('This estimator was closed: make another.')
        return self._finder.find(_checked(image), int(stamp_ns), line)

    def tell(self, sighting: TrackedFaces, stamp_ns: int) -> FrameResult:
        """
        Estimate the expressions of the faces found: the second half of `estimate`.

        :param sighting: as `find` returned it.
        :param stamp_ns: the image's stamp.
        :returns: the faces with their expressions.
        """
        stamp_ns = int(stamp_ns)  # differences of NumPy's unsigned numbers would wrap round
        if sighting.step.left_out:
            return FrameResult(sighting.step, (), ())
        self._estimation.end_lost_faces(stamp_ns)
        estimated = []
        for face in sighting.faces:
            estimate = self._estimation.estimate(face.face_id, stamp_ns, face.named_values())
            if estimate is not None:
                estimated.append((_without_image(face), estimate))
        return FrameResult(
            sighting.step, tuple(f for f, _ in estimated), tuple(e for _, e in estimated)
        )

    def close(self) -> None:
        """Release MediaPipe's graphs; no image is looked at any more."""
        self._closed = True
        self._finder.close()

    def __enter__(self) -> ExpressionEstimator:
        """Return the estimator."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def _held(self, face: Face) -> EmotionEstimate:
        """Estimate the expression of a face that does not move."""
        estimate = self._picture_estimation.estimate_held(face.named_values())
        return replace(estimate, face_id=face.face_id)


def _without_image(face: Face) -> Face:
    """Compute all that is computed from a face's image: who keeps results keeps no images."""
    return replace(
        face,
        compute_blendshapes=partial(np.asarray, face.blendshapes),
        encode=partial(np.asarray, face.features),
    )


def _checked(rgb: Rgb) -> Rgb:
    is_array = isinstance(cast(object, rgb), np.ndarray)
    rows_of_rgb = is_array and rgb.ndim == 3 and rgb.shape[2] == 3 and rgb.size > 0
    if not (rows_of_rgb and rgb.dtype == np.uint8):
        given = f'{rgb.dtype}, shape {list(rgb.shape)}' if is_array else type(rgb).__name__
        raise ValueError(
            f'An image is an array of uint8, shape [height, width, 3], in RGB, not {given}.'
        )
    check_size(rgb.shape[1], rgb.shape[0])
    return np.ascontiguousarray(rgb)
