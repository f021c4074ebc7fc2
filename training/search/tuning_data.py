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

"""Composed windows that a search trains on, made once and kept."""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emotion_estimator.files import write_whole
from training import sources
from training.clip_dynamics import read_dynamics
from training.clip_series import EVALUATION_CLIPS, TRAINING_CLIPS
from training.code_digest import code_of
from training.fitting import Material
from training.sequence_composer import SequenceComposer
from training.settings import Settings, content_key
from training.stills import Stills

_AT_ONCE = 512
"""Windows composed at once, to save memory."""

Windows = tuple[NDArray[np.float32], NDArray[np.float32]]


@dataclass(frozen=True)
class TuningSizes:
    """
    How much a search trains on; its seed is that of the model's settings.

    :param training: windows to train on.
    :param validation: windows to choose by, of PublicTest's photographs and of other clips.
    :param steps: how many of the windows' last steps are seen, in [1, STEPS].
    """

    training: int = 20_000
    validation: int = 4096
    steps: int = 8


def tuning_data(settings: Settings, material: Material, sizes: TuningSizes) -> Path:
    """
    Compose a search's windows, or take what an earlier call of the same content left.

    :param settings: of the model: features, targets, composition, seed.
    :param material: what is learned from.
    :param sizes: how much is composed.
    :returns: the file, see `search_data.read_data`.
    :raises DataError: when a clip is missing.
    """
    features = settings.features(material.training.features)
    training = material.training.only(features)
    public = material.public.only(features)
    public = public.select(public.readable[:, 0])
    key = hashlib.sha256(content_key(settings, training, public).encode())
    key.update(json.dumps(asdict(sizes)).encode())
    key.update(code_of(Path(__file__)))
    kept = sources.OUT / 'search' / f'{key.hexdigest()[:16]}.npz'
    if not kept.is_file():
        parts = (
            (training, TRAINING_CLIPS, sizes.training),
            (public, EVALUATION_CLIPS, sizes.validation),
        )
        composed = [
            _composed(settings, stills, clips, material.encoding, (count, sizes.steps, number))
            for number, (stills, clips, count) in enumerate(parts)
        ]
        content = io.BytesIO()
        np.savez(
            content,
            train_windows=composed[0][0],
            train_targets=composed[0][1],
            validation_windows=composed[1][0],
            validation_targets=composed[1][1],
        )
        write_whole(kept, content.getvalue())
    return kept


def _composed(
    settings: Settings,
    stills: Stills,
    clips: tuple[str, ...],
    encoding: Path,
    wanted: tuple[int, int, int],
) -> Windows:
    """Compose `wanted` windows: their number, their steps, and the number of the seed."""
    count, steps, number = wanted
    composer = SequenceComposer(
        stills,
        settings.targets.shares(stills),
        read_dynamics(clips, encoding, stills.features),
        settings.composition,
    )
    rng = np.random.default_rng([settings.seed, number])
    parts = [
        composer.windows(min(_AT_ONCE, count - start), rng, steps)
        for start in range(0, count, _AT_ONCE)
    ]
    windows, targets = (np.concatenate(each) for each in zip(*parts))
    return windows, targets
