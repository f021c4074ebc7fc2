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

"""Real clips: the features of their faces, and how faces move while their expression stays."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.signal import find_peaks

from emotion_estimator.assets import FACE_LANDMARKER, find_asset
from emotion_estimator.blendshapes import INDEX, NAMES
from emotion_estimator.faces.encoding import read_encoding
from emotion_estimator.faces.geometry import POSE_NAMES
from emotion_estimator.faces.landmarker import FaceLandmarker
from emotion_estimator.faces.networks import FaceNetworks
from emotion_estimator.files import sha256_of
from training import sources
from training.datasets.clips import read_video
from training.datasets.pictures import DataError, assets_folder
from training.network import SHAPES, additive

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

_MAX_FACES = 2


def clip_files(clips: tuple[str, ...]) -> list[Path]:
    """
    Name clips' files.

    :param clips: file names.
    :returns: paths; they need not exist.
    """
    return [assets_folder() / 'media' / 'clips' / name for name in clips]


def check_clips(clips: tuple[str, ...]) -> list[Path]:
    """
    Make sure that clips are there.

    :param clips: file names.
    :returns: their paths.
    :raises DataError: naming the first that is not there.
    """
    paths = clip_files(clips)
    for path in paths:
        if not path.is_file():
            raise DataError(f'{path} does not exist; it shows how real faces move.')
    return paths


def read_series(clips: tuple[str, ...], encoding: Path) -> list[tuple[NDArray[np.float32], float]]:
    """
    Follow the faces of clips, or take what is kept of them.

    :param clips: file names.
    :param encoding: the face encoding's file.
    :returns: for each face of each clip the features of the frames in which it is seen, shape
        [frames, F], and the frames per second.
    :raises DataError: when a clip is missing or cannot be read.
    """
    found: list[tuple[NDArray[np.float32], float]] = []
    for path in check_clips(clips):
        key = sources.content_key('clips', sha256_of(path), sha256_of(encoding))
        kept = sources.OUT / 'clips' / f'{key}.npz'
        sources.kept_arrays(kept, partial(_follow, path, encoding))
        with np.load(kept, allow_pickle=False) as file:
            rate_hz = float(file['rate_hz'])
            found.extend((file[name], rate_hz) for name in file.files if name != 'rate_hz')
    return found


def _follow(path: Path, encoding_path: Path) -> dict[str, Any]:
    """Follow up to two faces, parted by which half of the image they are in."""
    encoding = read_encoding(encoding_path)
    rate_hz, images = read_video(path)
    landmarker = FaceLandmarker(FaceNetworks(find_asset(FACE_LANDMARKER)), max_faces=_MAX_FACES)
    faces: dict[bool, list[NDArray[np.float32]]] = {}
    try:
        for number, image in enumerate(images, start=1):
            seen = landmarker.find(image, round(number * 1000 / rate_hz))
            for face in seen:
                right = len(seen) > 1 and face.box.x_min + face.box.x_max > 1
                values = np.concatenate([face.blendshapes, encoding.encode(image, face.landmarks)])
                faces.setdefault(right, []).append(values)
    finally:
        landmarker.close()
    followed = [np.array(f, np.float32) for f in faces.values() if len(f) > rate_hz]
    return {'rate_hz': rate_hz, **{f'face{i}': face for i, face in enumerate(followed)}}


RATE_HZ = 60.0
JITTER_WINDOW_S = 0.4
SPEECH_WINDOW_S = 1.0
BLINK_HALF_S = 0.25
BLINK_PROMINENCE = 0.15
_BLINK = (INDEX['eyeBlinkLeft'], INDEX['eyeBlinkRight'])
_EYES = [i for i, name in enumerate(NAMES) if name.startswith('eye')]
_MOUTH = [i for i, name in enumerate(NAMES) if name.startswith(('mouth', 'jaw'))]


@dataclass(frozen=True)
class Dynamics:
    """
    Movements as offsets on the scale of `network.additive`, at `RATE_HZ`.

    :param jitter: fast residual of all F features, shape [n, F].
    :param speech: residual of mouth and jaw up to a second long, and of geometry and appearance
        with them, shape [n, F]; 0 elsewhere.
    :param blinks: one blink each, shape [blinks, steps, F]; 0 except at the eyes, in geometry and
        appearance.
    """

    jitter: NDArray[np.float32]
    speech: NDArray[np.float32]
    blinks: NDArray[np.float32]


def read_dynamics(clips: tuple[str, ...], encoding: Path, features: tuple[str, ...]) -> Dynamics:
    """
    Take the movements out of clips.

    :param clips: names of clips, see `read_series`.
    :param encoding: the face encoding's file.
    :param features: names of those that are wanted, the blendshapes first.
    :returns: their movements, one face behind the other.
    :raises DataError: when a clip is missing.
    """
    parts = [extract(series, fps) for series, fps in read_series(clips, encoding)]
    known = (*NAMES, *read_encoding(encoding).names)
    columns = [known.index(name) for name in features]
    return Dynamics(
        jitter=np.concatenate([part.jitter for part in parts])[:, columns],
        speech=np.concatenate([part.speech for part in parts])[:, columns],
        blinks=np.concatenate([part.blinks for part in parts])[:, :, columns],
    )


def extract(series: NDArray[np.float32], fps: float) -> Dynamics:
    """
    Split one face's series into its movements.

    :param series: features of consecutive frames, shape [frames, F], the blendshapes first.
    :param fps: frames per second.
    :returns: the movements; a series without a blink has blinks of shape [0, steps, F].
    """
    wanted_s = np.arange(0, (len(series) - 1) / fps, 1 / RATE_HZ)
    known_s = np.arange(len(series)) / fps
    fine = np.stack([np.interp(wanted_s, known_s, shape) for shape in series.T], axis=1)
    logits = additive(fine.astype(np.float32))
    skin = list(range(SHAPES + len(POSE_NAMES), series.shape[1]))
    half = round(BLINK_HALF_S * RATE_HZ)
    peaks, _ = find_peaks(
        fine[:, _BLINK].mean(axis=1),
        prominence=BLINK_PROMINENCE,
        width=(None, 2 * half),
        rel_height=0.5,
    )
    blinks = [
        _blink(logits, peak, half, _EYES + skin)
        for peak in peaks
        if half <= peak < len(fine) - half
    ]
    speech = np.zeros_like(logits)
    moving = _MOUTH + skin
    speech[:, moving] = _without_trend(logits, SPEECH_WINDOW_S)[:, moving]
    return Dynamics(
        jitter=_without_trend(logits, JITTER_WINDOW_S),
        speech=speech,
        blinks=np.array(blinks, np.float32).reshape(-1, 2 * half + 1, series.shape[1]),
    )


def _blink(
    logits: NDArray[np.float32], peak: int, half: int, moving: list[int]
) -> NDArray[np.float32]:
    """Cut one blink out: what the eyes do above the line from its start to its end."""
    piece = logits[peak - half : peak + half + 1]
    rise = np.linspace(0, 1, len(piece), dtype=np.float32)[:, None]
    blink = np.zeros_like(piece)
    blink[:, moving] = (piece - (1 - rise) * piece[0] - rise * piece[-1])[:, moving]
    return blink


def _without_trend(logits: NDArray[np.float32], window_s: float) -> NDArray[np.float32]:
    """Subtract the moving average."""
    width = round(window_s * RATE_HZ) | 1
    padded = np.pad(logits, ((width // 2, width // 2), (0, 0)), mode='edge').astype(np.float64)
    sums = np.cumsum(np.vstack([np.zeros((1, padded.shape[1])), padded]), axis=0)
    return np.asarray(logits - (sums[width:] - sums[:-width]) / width, np.float32)
