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

"""Real clips as the runtime sees them: every feature of the face, frame by frame."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from emotion_estimator.assets import FACE_LANDMARKER, find_asset
from emotion_estimator.faces.face_encoding import FaceEncoding, read_encoding
from emotion_estimator.faces.face_landmarker import FaceLandmarker
from emotion_estimator.files import sha256_of, write_whole
from training import sources
from training.code_digest import code_of
from training.datasets.labels import DataError, assets_folder

TRAINING_CLIPS: tuple[str, ...] = (
    'WolfgangLanger_Pexels.mp4',
    'face_noface.mov',
    'noface_face.mov',
    'single_face.mp4',
)
EVALUATION_CLIPS: tuple[str, ...] = (
    'face_reid.mp4',
    'head-pose-face-detection-female-and-male.gif',
)
"""Other people than those of `TRAINING_CLIPS`, so that no score is taken on a known jitter."""

DEFAULT_RATE_HZ = 30.0
_MAX_FACES = 2


def clip_files(clips: tuple[str, ...]) -> list[Path]:
    """
    Name clips' files.

    :param clips: file names.
    :returns: paths; they need not exist.
    """
    return [assets_folder() / 'media' / 'clips' / name for name in clips]


def read_series(clips: tuple[str, ...], encoding: Path) -> list[tuple[NDArray[np.float32], float]]:
    """
    Follow the faces of clips, or take what is kept of them.

    :param clips: file names.
    :param encoding: the face encoding's file.
    :returns: for each face of each clip the features of the frames in which it is seen, shape
        [frames, F], and the frames per second.
    :raises DataError: when a clip is missing or cannot be read.
    """
    found = []
    for path in clip_files(clips):
        if not path.is_file():
            raise DataError(f'{path} does not exist; it shows how real faces move.')
        key = hashlib.sha256((sha256_of(path) + sha256_of(encoding)).encode())
        key.update(code_of(Path(__file__)))
        kept = sources.OUT / 'clips' / f'{key.hexdigest()[:16]}.npz'
        if not kept.is_file():
            rate_hz, faces = _follow(path, read_encoding(encoding))
            content = io.BytesIO()
            np.savez(content, rate_hz=rate_hz, **{f'face{i}': f for i, f in enumerate(faces)})
            write_whole(kept, content.getvalue())
        with np.load(kept, allow_pickle=False) as file:
            rate_hz = float(file['rate_hz'])
            found.extend((file[name], rate_hz) for name in file.files if name != 'rate_hz')
    return found


def _follow(path: Path, encoding: FaceEncoding) -> tuple[float, list[NDArray[np.float32]]]:
    """Follow up to two faces, told apart by which half of the image they are in."""
    video = cv2.VideoCapture(str(path))
    landmarker = FaceLandmarker(find_asset(FACE_LANDMARKER), max_faces=_MAX_FACES)
    faces: dict[bool, list[NDArray[np.float32]]] = {}
    try:
        rate_hz = video.get(cv2.CAP_PROP_FPS) or DEFAULT_RATE_HZ
        frame = 0
        while (read := video.read())[0]:
            image = np.asarray(cv2.cvtColor(read[1], cv2.COLOR_BGR2RGB), np.uint8)
            frame += 1
            seen = landmarker.find(image, round(frame * 1000 / rate_hz))
            for face in seen:
                right = len(seen) > 1 and face.box.x_min + face.box.x_max > 1
                values = np.concatenate([face.blendshapes, encoding.encode(image, face.landmarks)])
                faces.setdefault(right, []).append(values)
    finally:
        video.release()
        landmarker.close()
    if frame == 0:
        raise DataError(f'{path} is no video that OpenCV reads.')
    long_enough = [np.array(f, np.float32) for f in faces.values() if len(f) > rate_hz]
    return rate_hz, long_enough
