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

"""How real faces move while their expression stays: jitter, blinks, speech, from real clips."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.signal import find_peaks

from emotion_estimator.blendshapes import INDEX, NAMES
from training.fer_data import DataError, assets_folder

TRAINING_CLIPS: tuple[str, ...] = (
    'WolfgangLanger_Pexels',
    'face_noface',
    'noface_face',
    'single_face',
)
EVALUATION_CLIPS: tuple[str, ...] = (
    'face_reid',
    'head-pose-face-detection-female',
    'head-pose-face-detection-female-and-male',
    'head-pose-face-detection-male',
)
"""Other people than those of `TRAINING_CLIPS`, so that no score is taken on a known jitter."""

RATE_HZ = 60.0
EPSILON = 1e-4
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
    Movements as offsets of the blendshapes' logits, at `RATE_HZ`.

    :param jitter: fast residual of all shapes, shape [n, 52].
    :param speech: residual of mouth and jaw up to a second long, shape [n, 52], 0 elsewhere.
    :param blinks: one blink each, shape [blinks, steps, 52], 0 except at the eyes.
    """

    jitter: NDArray[np.float32]
    speech: NDArray[np.float32]
    blinks: NDArray[np.float32]


def logit(shares: NDArray[np.float32]) -> NDArray[np.float32]:
    """
    Compute log-odds, bounded by `EPSILON`.

    :param shares: values in [0, 1].
    :returns: log(x / (1 - x)), within +-9.2.
    """
    clipped = np.clip(shares, EPSILON, 1 - EPSILON)
    return np.asarray(np.log(clipped / (1 - clipped)), np.float32)


def sigmoid(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """
    Invert `logit`.

    :param logits: any values.
    :returns: values in [0, 1].
    """
    return np.asarray(1 / (1 + np.exp(-logits)), np.float32)


def clip_folder() -> Path:
    """
    Name the folder of the clips' blendshape series.

    :returns: the folder; it need not exist.
    """
    return assets_folder() / 'blendshapes' / 'clips'


def read_dynamics(clips: tuple[str, ...]) -> Dynamics:
    """
    Take the movements out of clips' series.

    :param clips: names of clips.
    :returns: their movements, one clip behind the other.
    :raises DataError: when a clip is missing.
    """
    parts = [extract(*_read_clip(clip_folder() / f'{name}.npz')) for name in clips]
    return Dynamics(
        jitter=np.concatenate([part.jitter for part in parts]),
        speech=np.concatenate([part.speech for part in parts]),
        blinks=np.concatenate([part.blinks for part in parts]),
    )


def extract(series: NDArray[np.float32], fps: float) -> Dynamics:
    """
    Split one face's series into its movements.

    :param series: blendshapes of consecutive frames, shape [frames, 52].
    :param fps: frames per second.
    :returns: the movements; a series without a blink has blinks of shape [0, steps, 52].
    """
    wanted_s = np.arange(0, (len(series) - 1) / fps, 1 / RATE_HZ)
    known_s = np.arange(len(series)) / fps
    fine = np.stack([np.interp(wanted_s, known_s, shape) for shape in series.T], axis=1)
    logits = logit(fine.astype(np.float32))
    half = round(BLINK_HALF_S * RATE_HZ)
    peaks, _ = find_peaks(
        fine[:, _BLINK].mean(axis=1),
        prominence=BLINK_PROMINENCE,
        width=(None, 2 * half),
        rel_height=0.5,
    )
    blinks = [_blink(logits, peak, half) for peak in peaks if half <= peak < len(fine) - half]
    speech = np.zeros_like(logits)
    speech[:, _MOUTH] = _without_trend(logits, SPEECH_WINDOW_S)[:, _MOUTH]
    return Dynamics(
        jitter=_without_trend(logits, JITTER_WINDOW_S),
        speech=speech,
        blinks=np.array(blinks, np.float32).reshape(-1, 2 * half + 1, len(NAMES)),
    )


def _blink(logits: NDArray[np.float32], peak: int, half: int) -> NDArray[np.float32]:
    """Cut one blink out: what the eyes do above the line from its start to its end."""
    piece = logits[peak - half : peak + half + 1]
    rise = np.linspace(0, 1, len(piece), dtype=np.float32)[:, None]
    blink = np.zeros_like(piece)
    blink[:, _EYES] = (piece - (1 - rise) * piece[0] - rise * piece[-1])[:, _EYES]
    return blink


def _without_trend(logits: NDArray[np.float32], window_s: float) -> NDArray[np.float32]:
    """Subtract the moving average."""
    width = round(window_s * RATE_HZ) | 1
    padded = np.pad(logits, ((width // 2, width // 2), (0, 0)), mode='edge').astype(np.float64)
    sums = np.cumsum(np.vstack([np.zeros((1, padded.shape[1])), padded]), axis=0)
    return np.asarray(logits - (sums[width:] - sums[:-width]) / width, np.float32)


def _read_clip(path: Path) -> tuple[NDArray[np.float32], float]:
    if not path.is_file():
        raise DataError(f'{path} does not exist; it holds the blendshapes of a real clip.')
    with np.load(path, allow_pickle=False) as file:
        return file['blends'][file['ok']].astype(np.float32), float(file['fps'])
