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
The networks of MediaPipe's Face Landmarker, through LiteRT: detector, landmarks, blendshapes.

What MediaPipe's graphs compute round them is computed here in the same way; graphs and
calculators are named as in MediaPipe's sources (mediapipe/tasks/cc/vision, Apache-2.0).
"""

from __future__ import annotations

import io
import math
import threading
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from emotion_estimator.faces.image_decoding import Rgb
from emotion_estimator.files import MOST_BYTES, FileError, check_shapes, read_file

LANDMARKS = 478
_DETECTOR, _LANDMARKS, _BLENDSHAPES = (
    'face_detector.tflite',
    'face_landmarks_detector.tflite',
    'face_blendshapes.tflite',
)
_DETECTOR_PX, _CROP_PX = 128, 256
_ANCHORS = 896
REGION_SCALE = 1.5
"""A region's size as a multiple of the face's: RectTransformationCalculator's in both graphs."""
_SUPPRESSION = 0.5  # min_suppression_threshold of FaceDetectorGraphOptions
_LARGEST_PX = 1e6  # no landmark of a face lies further away
_LOGIT_LIMIT = 100.0  # score_clipping_thresh of TensorsToDetectionsCalculator
_RIGHT_EYE, _LEFT_EYE = 33, 263  # outer corners: FaceLandmarksDetectorGraph's rotation vector

# Of the landmarks those that the blendshape network reads: kLandmarksSubsetIdxs of
# face_blendshapes_graph.cc.
# fmt: off
_OF_BLENDSHAPES = np.array([
    0, 1, 4, 5, 6, 7, 8, 10, 13, 14, 17, 21, 33, 37, 39, 40, 46, 52, 53, 54, 55, 58, 61, 63, 65,
    66, 67, 70, 78, 80, 81, 82, 84, 87, 88, 91, 93, 95, 103, 105, 107, 109, 127, 132, 133, 136,
    144, 145, 146, 148, 149, 150, 152, 153, 154, 155, 157, 158, 159, 160, 161, 162, 163, 168, 172,
    173, 176, 178, 181, 185, 191, 195, 197, 234, 246, 249, 251, 263, 267, 269, 270, 276, 282, 283,
    284, 285, 288, 291, 293, 295, 296, 297, 300, 308, 310, 311, 312, 314, 317, 318, 321, 323, 324,
    332, 334, 336, 338, 356, 361, 362, 365, 373, 374, 375, 377, 378, 379, 380, 381, 382, 384, 385,
    386, 387, 388, 389, 390, 397, 398, 400, 402, 405, 409, 415, 454, 466, 468, 469, 470, 471, 472,
    473, 474, 475, 476, 477,
])
# fmt: on


@dataclass(frozen=True)
class Region:
    """
    A turned rectangle of an image, in pixels.

    :param x: column of its middle.
    :param y: row of its middle.
    :param width: along the line of the eyes.
    :param height: across it.
    :param roll_rad: by which the line of the eyes is turned, clockwise as the image is seen.
    """

    x: float
    y: float
    width: float
    height: float
    roll_rad: float

    def overlap(self, other: Region) -> float:
        """
        Tell how much two regions share, as though both were upright (AssociationCalculator).

        :param other: the other one.
        :returns: intersection over union, in [0, 1].
        """
        return _overlap(self._corners(), other._corners())

    def resized(self, across: float, down: float) -> Region:
        """
        Tell where the region is in another resolution of the same picture.

        :param across: the new width as a multiple of the old one.
        :param down: the new height as a multiple of the old one.
        :returns: the region.
        """
        return Region(
            self.x * across, self.y * down, self.width * across, self.height * down, self.roll_rad
        )

    def _corners(self) -> tuple[float, float, float, float]:
        x, y = self.width / 2, self.height / 2
        return self.x - x, self.y - y, self.x + x, self.y + y

    def from_crop(self, size_px: int) -> NDArray[np.float64]:
        """
        Map a square crop of the region back to the image.

        :param size_px: side of the crop in pixels; its corners are those of the region.
        :returns: affine map of shape [2, 3], crop to image.
        """
        cos, sin = math.cos(self.roll_rad), math.sin(self.roll_rad)
        right = cos * self.width, sin * self.width
        down = -sin * self.height, cos * self.height
        return np.array(
            [
                [r / size_px, d / size_px, middle - (r + d) / 2]
                for r, d, middle in zip(right, down, (self.x, self.y))
            ]
        )


def region_of(points: NDArray[np.float32]) -> Region:
    """
    Tell where the same face is looked for in the next frame.

    :param points: its landmarks in pixels, shape [478, 2 or more].
    :returns: a square round them, larger by half (DetectionsToRectsCalculator,
        RectTransformationCalculator).
    """
    low, high = points[:, :2].min(axis=0), points[:, :2].max(axis=0)
    x, y = ((low + high) / 2).tolist()
    side = float(REGION_SCALE * (high - low).max())
    return Region(x, y, side, side, _roll(points[_RIGHT_EYE], points[_LEFT_EYE]))


class FaceNetworks:
    """
    The networks of one face_landmarker.task.

    Threads may share them: each that finds landmarks gets a network of its own.

    :param path: the file, see `assets.FACE_LANDMARKER`.
    :param threads: that each network may use, at least 1.
    :raises ValueError: when the file cannot be used.
    """

    def __init__(self, path: Path, threads: int = 1) -> None:
        parts = _read_task(path)
        self._detector = _Network(
            path, _DETECTOR, parts, threads,
            (1, _DETECTOR_PX, _DETECTOR_PX, 3), ((1, _ANCHORS, 16), (1, _ANCHORS, 1)),
        )  # fmt: skip

        def new_landmarks() -> tuple[_Cropper, _Network]:
            return _Cropper(_CROP_PX, cv2.BORDER_REPLICATE), _Network(
                path, _LANDMARKS, parts, threads,
                (1, _CROP_PX, _CROP_PX, 3), ((1, 1, 1, LANDMARKS * 3), (1, 1, 1, 1)),
            )  # fmt: skip

        self._new_landmarks, self._idle_landmarks = new_landmarks, [new_landmarks()]
        self._blendshapes = _Network(
            path, _BLENDSHAPES, parts, threads, (1, len(_OF_BLENDSHAPES), 2), ((52,),)
        )
        self._rating, self._detecting = threading.Lock(), threading.Lock()
        self._anchors = _anchors()
        # Black beside the image: BORDER_ZERO.
        self._whole_crop = _Cropper(_DETECTOR_PX, cv2.BORDER_CONSTANT)

    def detect(
        self, image: Rgb, min_confidence: float, most: int, middle_first: bool = False
    ) -> list[Region]:
        """
        Find faces in a whole image (FaceDetectorGraph).

        :param image: the pixels.
        :param min_confidence: least confidence of a face, in [0, 1].
        :param most: how many faces at most.
        :param middle_first: whether those nearest to the image's middle come first.
        :returns: where their landmarks are to be looked for, else the surest first.
        """
        height, width = image.shape[:2]
        side = float(max(height, width))
        whole = Region(width / 2, height / 2, side, side, 0.0)
        with self._detecting:
            values, logits = self._detector(self._whole_crop(image, whole), 2 / 255, -1.0)
        limited = np.clip(logits[0, :, 0], -_LOGIT_LIMIT, _LOGIT_LIMIT).astype(np.float64)
        scores = 1 / (1 + np.exp(-limited))
        kept = np.flatnonzero(scores >= min_confidence)
        kept = kept[np.argsort(-scores[kept], kind='stable')]
        if not len(kept):
            return []
        # Rows: middle and size of the box, then six points; all from the anchor, in pixels.
        rows = values[0, kept].reshape(len(kept), 8, 2) / _DETECTOR_PX
        anchors = self._anchors[kept]
        middle, half, points = rows[:, 0] + anchors, rows[:, 1] / 2, rows[:, 2:] + anchors[:, None]
        marks = np.concatenate([np.stack([middle - half, middle + half], axis=1), points], axis=1)
        joined = _weighted_suppression(marks, scores[kept])
        if middle_first:
            joined.sort(key=lambda marks: math.dist(marks[:2].mean(axis=0), (0.5, 0.5)))
        corner = np.array([whole.x, whole.y]) - side / 2
        regions = [_region_of_marks(marks * side + corner) for marks in joined[:most]]
        return [one for one in regions if min(one.width, one.height) > 0]

    def landmarks(self, image: Rgb, region: Region) -> tuple[NDArray[np.float32], float]:
        """
        Find the landmarks of the face in a region (SingleFaceLandmarksDetectorGraph).

        :param image: the pixels.
        :param region: where the face is.
        :returns: shape [478, 3] in pixels, z in the scale of x, smaller is nearer; and how sure it
            is that there is a face, in [0, 1]. Both 0 where the network answers with no numbers.
        """
        try:
            crop, network = self._idle_landmarks.pop()
        except IndexError:
            crop, network = self._new_landmarks()
        values, logit = network(crop(image, region), 1 / 255, 0.0)
        self._idle_landmarks.append((crop, network))
        points = values.reshape(LANDMARKS, 3)
        found = np.zeros((LANDMARKS, 3), np.float32)
        # Some of LiteRT's kernels make the largest float32 of what is no number.
        if not np.abs(points).max() < _LARGEST_PX or not np.isfinite(logit).all():
            return found, 0.0
        matrix = region.from_crop(_CROP_PX).astype(np.float32)
        found[:, :2] = points[:, :2] @ matrix[:, :2].T + matrix[:, 2]
        found[:, 2] = points[:, 2] * (region.width / _CROP_PX)
        limited = min(max(float(logit.item()), -_LOGIT_LIMIT), _LOGIT_LIMIT)
        return found, 1 / (1 + math.exp(-limited))

    def blendshapes(self, points: NDArray[np.float32]) -> NDArray[np.float32]:
        """
        Tell the blendshapes of a face (FaceBlendshapesGraph).

        :param points: its landmarks in pixels, shape [478, 3].
        :returns: shape [52] in MediaPipe's order, each in [0, 1].
        """
        with self._rating:
            (values,) = self._blendshapes(points[_OF_BLENDSHAPES, :2][None], 1.0, 0.0)
        return values


class _Cropper:
    """
    Cuts regions out (ImageToTensorCalculator with OpenCV's converter).

    MediaPipe's OpenCV looks at 32nds of a pixel; newer ones are exact, and a network that is
    shown an enlarged small face answers otherwise. So the 32nds are computed here.
    """

    def __init__(self, size_px: int, border: int) -> None:
        self._size_px, self._border = size_px, border
        self._steps = np.arange(size_px)
        # Arrays that are used again: to get new ones for each crop takes as long as to fill them.
        shape = (size_px, size_px)
        self._x, self._y = np.empty(shape, np.float32), np.empty(shape, np.float32)
        self._places, self._parts = np.empty((*shape, 2), np.int16), np.empty(shape, np.uint16)
        self._crop = np.empty((*shape, 3), np.uint8)

    def __call__(self, image: Rgb, region: Region) -> NDArray[np.uint8]:
        """Cut a region out; the crop is overwritten by the next one."""
        matrix = region.from_crop(self._size_px)
        across = matrix[:, 0, None] * self._steps
        down = matrix[:, 1, None] * self._steps + matrix[:, 2, None]
        np.add(across[0], down[0, :, None], out=self._x, dtype=np.float32)
        np.add(across[1], down[1, :, None], out=self._y, dtype=np.float32)
        cv2.convertMaps(self._x, self._y, cv2.CV_16SC2, self._places, self._parts)
        maps = self._places, self._parts
        cv2.remap(image, *maps, cv2.INTER_LINEAR, dst=self._crop, borderMode=self._border)
        return self._crop


class _Network:
    """One LiteRT network with one input, of which the first outputs count."""

    def __init__(
        self,
        path: Path,
        name: str,
        parts: dict[str, bytes],
        threads: int,
        taken: tuple[int, ...],
        returned: tuple[tuple[int, ...], ...],
    ) -> None:
        try:
            self._interpreter = Interpreter(model_content=parts[name], num_threads=threads)
            check_shapes(part['shape'] for part in self._interpreter.get_tensor_details())
            self._interpreter.allocate_tensors()
            self._interpreter.invoke()  # some damage shows in use alone
        except (ValueError, RuntimeError) as error:
            raise ValueError(f'{path}: LiteRT cannot load {name} in it: {error}') from error
        inputs = self._interpreter.get_input_details()
        outputs = self._interpreter.get_output_details()[: len(returned)]
        found = [tuple(map(int, detail['shape'])) for detail in (*inputs, *outputs)]
        kinds = {detail['dtype'] for detail in (*inputs, *outputs)}
        if found != [taken, *returned] or kinds != {np.float32}:
            raise ValueError(
                f'{path}: {name} in it takes and returns arrays of {found}, not of '
                f'{[taken, *returned]}; use the published face_landmarker.task.'
            )
        self._input = self._interpreter.tensor(inputs[0]['index'])
        self._outputs = [self._interpreter.tensor(detail['index']) for detail in outputs]

    def __call__(
        self, values: NDArray[np.uint8] | NDArray[np.float32], scale: float, offset: float
    ) -> list[NDArray[np.float32]]:
        """Run it on scaled values."""
        # Straight into the network's own memory: no copy, no second pass.
        tensor = self._input()
        np.multiply(values, np.float32(scale), out=tensor, dtype=np.float32)
        if offset:
            tensor += np.float32(offset)
        del tensor  # LiteRT does not run while somebody looks into its memory
        self._interpreter.invoke()
        return [np.array(output()) for output in self._outputs]


def _read_task(path: Path) -> dict[str, bytes]:
    """Read the networks out of a .task file, a zip."""
    names = (_DETECTOR, _LANDMARKS, _BLENDSHAPES)
    try:
        with zipfile.ZipFile(io.BytesIO(read_file(path))) as archive:
            sizes = {part.filename: part.file_size for part in archive.infolist()}
            missing = [name for name in names if name not in sizes]
            if missing:
                raise FileError(f'it lacks {", ".join(missing)}')
            if sum(sizes[name] for name in names) > MOST_BYTES:
                raise FileError(f'it would unpack to more than {MOST_BYTES >> 20} MB')
            return {name: archive.read(name) for name in names}
    except FileError as error:
        reason = str(error)
    # Of a damaged archive zipfile, zlib and struct each complain in their own way.
    except Exception:
        reason = 'it is damaged, or no .task file'
    raise ValueError(f'{path} cannot be used: {reason}; use the published face_landmarker.task.')


def _anchors() -> NDArray[np.float32]:
    """Give the middle of each anchor as fractions of the input (SsdAnchorsCalculator)."""
    # Layers of the same stride share their grid: 2 anchors a cell of 8 pixels, 6 one of 16.
    grids = []
    for stride, count in ((8, 2), (16, 6)):
        cells = _DETECTOR_PX // stride
        y, x = np.mgrid[:cells, :cells]
        middles = (np.stack([x, y], axis=-1).reshape(-1, 2) + 0.5) / cells
        grids.append(np.repeat(middles, count, axis=0))
    return np.concatenate(grids).astype(np.float32)


def _weighted_suppression(
    marks: NDArray[np.floating], scores: NDArray[np.floating]
) -> list[NDArray[np.float64]]:
    """
    Join the detections of one face by their mean, weighted by score.

    :param marks: corners of the box and points, shape [N, 8, 2], the surest first.
    :param scores: shape [N].
    :returns: one such array of shape [8, 2] a face (NonMaxSuppressionCalculator, WEIGHTED).
    """
    joined = []
    left = list(range(len(marks)))
    while left:
        first = tuple(marks[left[0], :2].ravel().tolist())
        same = [
            n for n in left if _overlap(tuple(marks[n, :2].ravel().tolist()), first) > _SUPPRESSION
        ] or left[:1]
        joined.append(np.average(marks[same].astype(np.float64), axis=0, weights=scores[same]))
        left = [n for n in left if n not in same]
    return joined


def _region_of_marks(marks: NDArray[np.float64]) -> Region:
    """Tell where the landmarks of a detected face are looked for; not square, as MediaPipe."""
    (x, y), (width, height) = (marks[0] + marks[1]) / 2, REGION_SCALE * (marks[1] - marks[0])
    return Region(float(x), float(y), float(width), float(height), _roll(marks[2], marks[3]))


def _roll(right_eye: NDArray[np.floating], left_eye: NDArray[np.floating]) -> float:
    """Tell the angle of the line of the eyes, in [-pi, pi)."""
    return math.atan2(float(left_eye[1] - right_eye[1]), float(left_eye[0] - right_eye[0]))


def _overlap(one: Sequence[float], other: Sequence[float]) -> float:
    """Compute intersection over union of two boxes: left, top, right, bottom."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    both = width * height
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return both / (areas - both)
