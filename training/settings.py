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

"""Every choice of a training run in one place, and the key that stands for them."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path

from emotion_estimator.assets import sha256_of
from training.clip_dynamics import EVALUATION_CLIPS, TRAINING_CLIPS, clip_folder
from training.fer_data import data_files
from training.network import Architecture
from training.sequence_composer import Composition
from training.window_resampling import STEPS

MODEL_NAME = 'basic7'
MODEL_VERSION = '1.0.0'
REPOSITORY = Path(__file__).resolve().parents[1]
MODELS = REPOSITORY / 'resource' / 'models'
OUT = REPOSITORY / 'out'

_SOURCES = (
    'fer_data.py',
    'clip_dynamics.py',
    'window_resampling.py',
    'time_course.py',
    'sequence_composer.py',
    'time_ablation.py',
    'network.py',
    'fitting.py',
)


@dataclass(frozen=True)
class Phase:
    """
    Part of a training run; short windows first teach faces, long ones then teach time.

    :param epochs: number of epochs.
    :param steps: how many of the windows' last steps the network sees, in [1, STEPS].
    :param batch: windows in a batch.
    """

    epochs: int
    steps: int
    batch: int


@dataclass(frozen=True)
class Settings:
    """
    What one network is trained with; the defaults are those of the model that ships.

    :param seed: of everything random.
    :param phases: what is trained on, one after the other.
    :param batches_per_epoch: batches between two validations.
    :param learning_rate: AdamW's, at the start of its cosine decay to 0.
    :param weight_decay: AdamW's.
    :param time: 'kept', or for the baselines 'shuffled' or 'pooled'; see `time_ablation`.
    :param architecture: sizes of the network.
    :param composition: how windows are composed.
    """

    seed: int = 1
    phases: tuple[Phase, ...] = (Phase(40, 4, 512), Phase(8, STEPS, 256))
    batches_per_epoch: int = 100
    learning_rate: float = 2e-3
    weight_decay: float = 1e-3
    time: str = 'kept'
    architecture: Architecture = field(default_factory=Architecture)
    composition: Composition = field(default_factory=Composition)

    @property
    def epochs(self) -> tuple[Phase, ...]:
        """The phase of each epoch."""
        return tuple(phase for phase in self.phases for _ in range(phase.epochs))


def content_key(settings: Settings) -> str:
    """
    Name a training run by all that decides its outcome: settings, data and sources.

    :param settings: the run's settings.
    :returns: 16 hexadecimal digits.
    """
    digest = hashlib.sha256(json.dumps(dataclasses.asdict(settings)).encode())
    clips = [clip_folder() / f'{name}.npz' for name in TRAINING_CLIPS + EVALUATION_CLIPS]
    sources = [Path(__file__).parent / name for name in _SOURCES]
    for path in (*data_files(), *clips, *sources):
        digest.update(sha256_of(path).encode() if path.is_file() else b'absent')
    return digest.hexdigest()[:16]
