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
from dataclasses import dataclass, field

from emotion_estimator.blendshapes import INDEX
from emotion_estimator.files import sha256_of
from training.clips import EVALUATION_CLIPS, TRAINING_CLIPS, clip_files
from training.network import Architecture
from training.sources import content_key
from training.stills import Stills, Targets
from training.windows import STEPS, Composition

VERSIONS = {'basic7': '5.3.0', 'basic7_blendshapes': '5.2.0', 'happy_unknown_sad': '5.2.0'}
"""What the models' folders state; one is raised with each change of what the model answers."""


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
    What one network is trained with; the defaults are those of `basic7`.

    :param groups: which features it sees: 'head', 'geometry' and 'appearance' beside the
        blendshapes, which it always does.
    :param targets: what it is asked.
    :param phases: what is trained on, one after the other.
    :param batches_per_epoch: batches between two validations.
    :param learning_rate: AdamW's, at the start of its cosine decay to 0.
    :param weight_decay: AdamW's.
    :param time: 'kept', or for the baselines 'shuffled' or 'pooled'; see `windows.retimed`.
    :param architecture: sizes of the network.
    :param members: so many networks are trained, of seeds one after the other, and their logits
        averaged. Decides nothing of a single training.
    :param always_see: so many of them, the last ones, have no window whose appearance is left out.
        Decides nothing of a single training.
    :param summed_in: a name of `MAPS`: the exported model tells the auxiliary head's answer in
        these coarser classes alone; None: the first answer, with the second as further labels.
        Decides nothing of the training.
    """

    groups: tuple[str, ...] = ('head', 'geometry', 'appearance')
    targets: Targets = field(
        default_factory=lambda: Targets(correction=2.0, votes_weight=1.0, second_weight=0.5)
    )
    seed: int = 1
    phases: tuple[Phase, ...] = (Phase(30, 4, 512), Phase(8, STEPS, 256))
    batches_per_epoch: int = 100
    learning_rate: float = 2e-3
    weight_decay: float = 1e-3
    time: str = 'kept'
    architecture: Architecture = field(default_factory=Architecture)
    composition: Composition = field(default_factory=Composition)
    members: int = 1
    always_see: int = 0
    summed_in: str | None = None

    def member(self, number: int) -> Settings:
        """
        Choose what one of the networks is trained with.

        :param number: which, in [0, members).
        """
        architecture = self.architecture
        if number >= self.members - self.always_see:
            architecture = dataclasses.replace(architecture, unseen=0.0)
        return dataclasses.replace(self, seed=self.seed + number, architecture=architecture)

    @property
    def epochs(self) -> tuple[Phase, ...]:
        """The phase of each epoch."""
        return tuple(phase for phase in self.phases for _ in range(phase.epochs))

    def features(self, known: tuple[str, ...]) -> tuple[str, ...]:
        """
        Choose the features that the network sees.

        :param known: names of all features, the blendshapes first.
        :returns: names in the same order.
        """
        return tuple(name for name in known if name in INDEX or name.split('.')[0] in self.groups)


MODELS: dict[str, Settings] = {
    'basic7': Settings(members=4, always_see=2, composition=Composition(lead_s=0.3)),
    'basic7_blendshapes': Settings(
        groups=(), targets=Targets(correction=2.0, votes_weight=1.0, second_weight=0.15)
    ),
    'happy_unknown_sad': Settings(
        targets=Targets(second_weight=1.0),
        architecture=Architecture(unseen=0.0),
        members=4,
        summed_in='happy_unknown_sad',
    ),
}
"""
The models that ship, by the names of their folders.

`basic7` is asked for .3 s ahead, so that it tells a change earlier. The last answers as FER2013's
labels have it: what `basic7` does for other people's pictures, leaving out the appearance and
correcting votes, costs there.
"""


PRIOR_POWERS = {'basic7': (0.05, 0.1), 'basic7_blendshapes': (0.25, 0.25)}
"""
The prior that a model's folder states, as a power of the training's class shares, and one of its
share of the disgusted: 0 is uniform, 1 the training's, which models that are not named state.
Decides nothing of the training.

`make thresholds` prints what it does beside uniform shares and the training's; others were trials,
see training/README.md.
"""


def class_prior(name: str, labels: tuple[str, ...], shares: list[float]) -> str:
    """
    State a model's prior as its folder does, see `ClassPrior`.

    :param name: of the model.
    :param shares: of its labels in the training.
    """
    if name not in PRIOR_POWERS:
        return 'training'
    power, of_disgusted = PRIOR_POWERS[name]
    raised = [
        share ** (of_disgusted if label == 'disgusted' else power)
        for label, share in zip(labels, shares)
    ]
    return ','.join(f'{label}={share / sum(raised):.3f}' for label, share in zip(labels, raised))


def run_key(settings: Settings, training: Stills, public: Stills) -> str:
    """
    Name a training run by all that decides its outcome, see `content_key`.

    :param training: what is learned from, with the features that the network sees.
    :param public: what chooses the epoch, with the same features.
    """
    clips = clip_files(TRAINING_CLIPS + EVALUATION_CLIPS)
    return content_key(
        'training',
        dataclasses.replace(settings, members=1, always_see=0, summed_in=None),
        *(
            part
            for stills in (training, public)
            for part in (stills.views, stills.readable, settings.targets.taught(stills))
        ),
        [sha256_of(path) if path.is_file() else 'absent' for path in clips],
    )
