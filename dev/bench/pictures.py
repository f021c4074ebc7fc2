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

"""Pictures to measure on: photographs, clips, faces cut out of them for scenes, cameras' bags."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache, wraps
from pathlib import Path

import cv2
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from rosbags.rosbag2 import StoragePlugin, Writer

from emotion_estimator.assets import (
    ASSETS_VARIABLE,
    FACE_LANDMARKER,
    find_asset,
    find_media,
)
from emotion_estimator.commands import UNWRITTEN
from emotion_estimator.emotion.decision import DEFAULT_CLASS_PRIOR, DEFAULT_MIN_CONFIDENCE, Trust
from emotion_estimator.emotion.estimation import EmotionEstimate, EmotionEstimation
from emotion_estimator.emotion.model import EmotionModel, ModelError
from emotion_estimator.faces.finder import (
    Face,
    FaceFinder,
    FinderFiles,
    build_finder,
    find_finder_files,
)
from emotion_estimator.faces.image_decoding import Rgb, open_video, rgb_of_bgr
from emotion_estimator.faces.landmarker import Box, FaceLandmarker
from emotion_estimator.faces.networks import FaceNetworks
from emotion_estimator.files import AssetError, OutputError, WholeFile
from emotion_estimator.messages import HEADER, TIME, standard_types
from emotion_estimator.parameters import read_parameters
from emotion_estimator.replay.bag import COMPRESSED, RAW
from emotion_estimator.stamps import NS_PER_S

SIZE = (640, 480)
LANDSCAPE = 'free-mountain-vector-01.jpg'
_REACH = np.array([0.8, 0.85])  # half axes of a cut-out ellipse as multiples of the box's sides
_SOFT = 0.08  # width of its soft edge, in half axes


@dataclass(frozen=True)
class Photograph:
    """
    A photograph of one face.

    :param name: of the file, such as 'london_001_smiling'.
    :param box: where MediaPipe sees the face.
    :param landmarks: shape [478, 3], see `LandmarkedFace`.
    """

    name: str
    picture: Rgb
    box: Box
    landmarks: NDArray[np.float32]


@dataclass(frozen=True)
class CutOut:
    """
    A head without its surroundings.

    :param pixels: shape [height, width, 3].
    :param share: how much of each pixel is the head's, in [0, 1], shape [height, width, 1].
    :param face_px: width and height of the face in it.
    """

    pixels: NDArray[np.float32]
    share: NDArray[np.float32]
    face_px: tuple[float, float]


def read_picture(name: str) -> Rgb:
    """
    Read a picture.

    :param name: file name, see `find_media`.
    :raises AssetError: when it cannot be had.
    :raises ValueError: when it is no picture.
    """
    path = find_media(name)
    bgr = cv2.imread(str(path))
    if bgr is None:
        raise ValueError(f'{path} cannot be read as a picture.')
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)


def read_frames(name: str) -> Iterator[Rgb]:
    """
    Read a clip.

    :param name: file name, see `find_media`.
    :raises AssetError: when it cannot be had.
    :raises ValueError: when it is no clip.
    """
    path = find_media(name)
    capture = open_video(path)
    read, bgr = capture.read()
    if not read:
        raise ValueError(f'{path} cannot be read as a clip.')
    while read:
        yield rgb_of_bgr(np.asarray(bgr, np.uint8))
        read, bgr = capture.read()


def landscape() -> Rgb:
    """Read the picture that shows no face."""
    return np.asarray(cv2.resize(read_picture(LANDSCAPE), SIZE), np.uint8)


def photograph_paths(expression: str) -> list[Path]:
    """
    Find the photographs of one expression; they are in no package index.

    :param expression: 'smiling' or 'neutral'.
    :returns: one of each person.
    :raises AssetError: when there are none.
    """
    folder = os.environ.get(ASSETS_VARIABLE)
    paths = sorted(Path(folder, 'media', 'faces').glob(f'*_{expression}.jpg')) if folder else []
    if not paths:
        raise AssetError(
            f'Photographs of {expression} faces (the London set) are in no package index: put '
            f'them as media/faces/<name>_{expression}.jpg into the folder that '
            f'{ASSETS_VARIABLE} names ({folder or "not set"}).'
        )
    return paths


@cache
def photographs(expression: str) -> tuple[Photograph, ...]:
    """
    Read the photographs of one expression.

    :param expression: 'smiling' or 'neutral'.
    :returns: one of each person.
    :raises AssetError: when there are none.
    """
    paths = photograph_paths(expression)
    landmarker = FaceLandmarker(FaceNetworks(find_asset(FACE_LANDMARKER)), stills=True)
    found = []
    for path in paths:
        picture = np.asarray(
            cv2.cvtColor(np.asarray(cv2.imread(str(path)), np.uint8), cv2.COLOR_BGR2RGB), np.uint8
        )
        (face,) = landmarker.find(picture)
        found.append(Photograph(path.stem, picture, face.box, face.landmarks))
    landmarker.close()
    return tuple(found)


def cut_out(photograph: Photograph, width_px: float) -> CutOut:
    """
    Cut a head out along an ellipse with a soft edge.

    :param width_px: width that its face shall have, in pixels.
    :returns: the head, its face's centre in the middle.
    """
    height, width = photograph.picture.shape[:2]
    box = photograph.box
    face = np.array([(box.x_max - box.x_min) * width, (box.y_max - box.y_min) * height])
    centre = np.array([(box.x_min + box.x_max) / 2 * width, (box.y_min + box.y_max) / 2 * height])
    scale = width_px / face[0]
    half = np.ceil(face * scale * _REACH)
    columns, rows = (2 * half + 1).astype(int).tolist()
    shift = half - centre * scale
    matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
    # Reducing by so much would leave pixels out: first a coarser picture, then the exact cut.
    shrink = max(1, int(1 / scale))
    near = cv2.resize(
        photograph.picture, None, fx=1 / shrink, fy=1 / shrink, interpolation=cv2.INTER_AREA
    )
    matrix[:, :2] *= shrink
    pixels = cv2.warpAffine(near, matrix, (columns, rows), borderMode=cv2.BORDER_REPLICATE)
    y, x = np.mgrid[0:rows, 0:columns].astype(np.float32)
    radius = np.hypot((x - half[0]) / half[0], (y - half[1]) / half[1])
    share = np.clip((1 - radius) / _SOFT, 0, 1).astype(np.float32)
    face_width, face_height = (face * scale).tolist()
    return CutOut(pixels.astype(np.float32), share[:, :, None], (face_width, face_height))


def put(scene: Rgb, head: CutOut, x: float, y: float) -> None:
    """
    Draw a head into a scene, over what is there; whatever lies outside is left out.

    :param scene: the pixels, changed.
    :param x: column of its face's centre.
    :param y: row of its face's centre.
    """
    rows, columns = head.share.shape[:2]
    left, top = round(x - columns / 2), round(y - rows / 2)
    x_min, x_max = max(left, 0), min(left + columns, scene.shape[1])
    y_min, y_max = max(top, 0), min(top + rows, scene.shape[0])
    if x_min >= x_max or y_min >= y_max:
        return
    part = np.s_[y_min - top : y_max - top, x_min - left : x_max - left]
    below = scene[y_min:y_max, x_min:x_max]
    share = head.share[part]
    below[:] = np.rint(head.pixels[part] * share + below * (1 - share)).astype(np.uint8)


# The frames of measurements of speed, and the bare MediaPipe loop over them.


CLIP = 'single_face.mp4'  # shows a face in every frame


def rgb_frames() -> list[Rgb]:
    """
    Read the clip, resized to 640 x 480.

    :returns: its frames in RGB, forward and then backward, so that they repeat without a jump.
    :raises AssetError: when the clip cannot be had.
    """
    frames = [
        np.asarray(cv2.resize(frame, SIZE, interpolation=cv2.INTER_AREA), np.uint8)
        for frame in read_frames(CLIP)
    ]
    return frames + frames[::-1]


class BareMediaPipe:
    """MediaPipe Face Landmarker in VIDEO mode and nothing else: what the nodes are held to."""

    def __init__(self) -> None:
        import mediapipe as mp
        from mediapipe.tasks.python import BaseOptions, vision

        self._mp = mp
        self._landmarker = vision.FaceLandmarker.create_from_options(
            vision.FaceLandmarkerOptions(
                base_options=BaseOptions(model_asset_path=str(find_asset(FACE_LANDMARKER))),
                running_mode=vision.RunningMode.VIDEO,
                output_face_blendshapes=True,
            )
        )
        self._time_ms = 0

    def look_at(self, frame: Rgb) -> float:
        """
        Look at one frame.

        :param frame: RGB pixels.
        :returns: the time that it took, in seconds.
        """
        self._time_ms += 33
        start_s = time.perf_counter()
        image = self._mp.Image(image_format=self._mp.ImageFormat.SRGB, data=frame)
        self._landmarker.detect_for_video(image, self._time_ms)
        return time.perf_counter() - start_s

    def close(self) -> None:
        """Release it."""
        self._landmarker.close()


# Bags as a robot's camera records them.


START_NS = 1_700_000_000 * NS_PER_S
TOPIC = '/camera/image_raw'


def write_camera_bag(
    path: Path,
    pictures: Iterable[Rgb],
    rate_hz: float,
    jpeg_quality: int | None = None,
) -> None:
    """
    Write a rosbag2 folder with an mcap file in it, whole or not at all.

    :param path: the folder; one that is there is replaced.
    :param pictures: one a frame, all of one size.
    :param rate_hz: frames a second.
    :param jpeg_quality: of compressed images, to 100; None writes raw ones.
    """
    store = standard_types()
    types = store.types
    kind = RAW if jpeg_quality is None else COMPRESSED
    topic = TOPIC if jpeg_quality is None else f'{TOPIC}/compressed'
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        made = Path(folder, path.name)
        with Writer(made, version=8, storage_plugin=StoragePlugin.MCAP) as writer:
            connection = writer.add_connection(topic, kind, typestore=store)
            for number, picture in enumerate(pictures):
                bgr = np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), np.uint8)
                stamp_ns = START_NS + round(number * NS_PER_S / rate_hz)
                stamp = types[TIME](sec=stamp_ns // NS_PER_S, nanosec=stamp_ns % NS_PER_S)
                header = types[HEADER](stamp=stamp, frame_id='camera_optical_frame')
                if jpeg_quality is None:
                    message = types[RAW](
                        header=header,
                        height=bgr.shape[0],
                        width=bgr.shape[1],
                        encoding='bgr8',
                        is_bigendian=0,
                        step=3 * bgr.shape[1],
                        data=bgr.reshape(-1),
                    )
                else:
                    quality = [cv2.IMWRITE_JPEG_QUALITY, jpeg_quality]
                    _, jpeg = cv2.imencode('.jpg', bgr, quality)
                    data = np.asarray(jpeg, np.uint8).reshape(-1)
                    message = types[COMPRESSED](header=header, format='jpeg', data=data)
                writer.write(connection, stamp_ns, store.serialize_cdr(message, kind))
        if path.is_dir():
            shutil.rmtree(path)
        made.replace(path)


# The faces wing as the node runs it for several people.


def new_finder(max_faces: int, detection_rate_hz: float = 2.0, yunet: bool = True) -> FaceFinder:
    """
    Make a finder with the node's defaults.

    :param max_faces: see `FaceSearch`.
    :param detection_rate_hz: see the node's parameter; 0 searches for no far faces.
    :param yunet: whether YuNet is used where it is there; else MediaPipe's detector over tiles.
    :returns: the finder; its ids repeat.
    """
    asked = {'max_faces': max_faces, 'detection_rate_hz': detection_rate_hz}
    parameters = {**read_parameters().blendshape_node, **asked}
    files = _files(detection_rate_hz)
    return build_finder(parameters, files if yunet else replace(files, detector=None))


@cache
def _files(detection_rate_hz: float) -> FinderFiles:
    """Find or fetch the files, once; says what is lost where the detector is missing."""
    asked = {'detection_rate_hz': detection_rate_hz}
    return find_finder_files({**read_parameters().blendshape_node, **asked}, fetch=True)


def held_expression(
    face: Face,
    model: EmotionModel,
    min_confidence: float = DEFAULT_MIN_CONFIDENCE,
    trust: Trust | None = None,
) -> EmotionEstimate:
    """
    Estimate the expression of a face that is held for two seconds, with the model's own prior.

    :param min_confidence: see `Decider`; 0 tells the likeliest expression, never 'unknown'.
    :param trust: see `EmotionEstimation`.
    :returns: the last estimate.
    """
    prior = model.metadata.prior(DEFAULT_CLASS_PRIOR)
    estimation = EmotionEstimation(model, min_confidence, trust=trust, prior=prior)
    return estimation.estimate_held(face.named_values())


def study(main: Callable[[], None]) -> Callable[[], int]:
    """Let a command end with 1 and a sentence where pictures or a model are missing."""

    @wraps(main)
    def run() -> int:
        try:
            main()
        except (AssetError, ModelError, OutputError) as error:
            print(error, file=sys.stderr)
            return UNWRITTEN if isinstance(error, OutputError) else 1
        return 0

    return run


def write_plot(figure: Figure, path: Path) -> None:
    """Write a drawing as PNG, whole or not at all."""
    with WholeFile(path) as file:
        figure.savefig(file, format='png', dpi=110)
