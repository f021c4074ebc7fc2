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

"""From photographs to the face encoding and the models that ship."""

from __future__ import annotations

if __name__ == '__main__':  # before the imports, so that Ctrl-C ends them quietly
    from emotion_estimator import commands

    raise SystemExit(commands.run('training.commands.train'))

import argparse
import dataclasses
import time
from pathlib import Path
from typing import Any

from emotion_estimator.commands import place
from emotion_estimator.emotion.model import SCHEMA, EmotionModel
from emotion_estimator.files import sha256_of
from training import network, sources
from training.clips import EVALUATION_CLIPS, TRAINING_CLIPS, check_clips
from training.commands import command, seed, terminal
from training.datasets.pictures import assets_folder
from training.encoding.visibility import fit_shipped_visibility
from training.export import class_shares, export_answers, write_model
from training.fitting import Material, read_material, trained_network
from training.settings import MODELS, VERSIONS, Settings, class_prior, run_key
from training.still_features import OTHERS_TIMES, faceless, fit_shipped_encoding
from training.windows import RATE_HZ, WINDOW_S

DATA = (
    'FER2013 (web photographs) as MediaPipe blendshapes{groups}, labelled by {teachers}{others}. '
    'Left out of training: unreadable photographs, those that stand pixel for pixel in a test '
    'split or bear two labels, and those in which half of ten people or more saw none of the '
    'seven expressions. All sequences are composed of still photographs and of jitter, blinks and '
    'mouth movements taken from real clips; no labelled video was used. PublicTest chose epoch '
    'and temperatures; it and the pictures of protocol X chose the settings.'
)
OTHERS = (
    '; and, {times} times each, {count} photographs of the facial_expressions collection (web '
    "photographs, Apache-2.0) with students' labels"
)
DESCRIPTION = (
    '{classes} from {features} features of a face over two seconds. Estimates the expression '
    'shown, not the emotion felt.'
)


def train(name: str, settings: Settings, material: Material, folder: Path) -> EmotionModel:
    """
    Train a model and write its folder.

    :returns: the model as the runtime loads it.
    :raises DataError: when data is missing, or none of it shows one of the classes.
    """
    shares = class_shares(settings, material.training)
    networks = [
        trained_network(settings.member(number), material) for number in range(settings.members)
    ]
    features = settings.features(material.training.features)
    public = material.public.only(features)
    exported = export_answers(networks, settings, material.training, public)
    training: dict[str, Any] = {
        'key': run_key(settings, material.training.only(features), public),
        'settings': dataclasses.asdict(settings),
        'encoding_sha256': sha256_of(material.encoding) if settings.groups else None,
    }
    photographs, of_fer2013 = sources.read_to_learn_from()
    count = len(photographs) - of_fer2013
    others = OTHERS.format(count=count, times=OTHERS_TIMES)
    groups = ''.join(f', {group}' for group in settings.groups)
    facts: dict[str, Any] = {
        'schema': SCHEMA,
        'version': VERSIONS[name],
        'labels': exported.labels,
        'further_labels': exported.further_labels,
        'class_prior': class_prior(name, exported.labels, list(shares.values())),
        'class_shares': list(shares.values()),
        'features': features,
        'rate_hz': RATE_HZ,
        'window_s': WINDOW_S,
        'normalisation': network.DESCRIPTION,
        'temperature': exported.temperature,
        'data': DATA.format(
            groups=groups,
            teachers=exported.teachers,
            others=others if count else '',
        ),
        'licence': 'Apache-2.0',
        'description': DESCRIPTION.format(
            classes=', '.join(exported.labels), features=len(features)
        ),
        'metrics': {'training': training},
    }
    return write_model(folder, exported.network, facts)


@command
def main(arguments: list[str] | None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--models', nargs='*', choices=MODELS, default=list(MODELS))
    parser.add_argument(
        '--output',
        type=place,
        default=sources.MODELS,
        help="the models' folder; the face encoding, unless kept, replaces the one that ships",
    )
    parser.add_argument('--seed', type=seed, default=Settings.seed)
    parser.add_argument(
        '--keep-encoding', action='store_true', help='do not fit the face encoding again'
    )
    parser.add_argument(
        '--visibility',
        choices=('learn', 'table'),
        help='instead of all that: learn the network that notices covered faces, or only print '
        'what the one that ships says',
    )
    options = parser.parse_args(arguments)
    if options.visibility:
        terminal(130).print(fit_shipped_visibility(learn=options.visibility == 'learn'))
        return 0
    start = time.monotonic()
    photographs, of_fer2013 = sources.read_to_learn_from()
    print(f'{len(photographs)} photographs to learn from, {of_fer2013} of them of FER2013.')
    if len(photographs) == of_fer2013:
        print(
            f'{sources.TRAINED_ON} of {assets_folder() / "ood"} is missing, so that other models '
            'come out than those that ship; training/README.md says what it brings.'
        )
    if not photographs.votes.any():
        print('Nobody voted on them, so that labels alone teach; FERPLUS= of `make` names votes.')
    for name in options.models:  # before hours of work whose end would replace what ships
        class_shares(MODELS[name], faceless(photographs))
    check_clips(TRAINING_CLIPS + EVALUATION_CLIPS)
    if not options.keep_encoding:
        path = fit_shipped_encoding()
        print(f'{path.name}: {path.stat().st_size} bytes, {time.monotonic() - start:.0f} s')
    material = read_material()
    for name in options.models:
        settings = dataclasses.replace(MODELS[name], seed=options.seed)
        model = train(name, settings, material, options.output / name)
        size = (options.output / name / model.metadata.network).stat().st_size
        print(
            f'{name}: {size} bytes, temperature {model.metadata.temperature}, '
            f'{time.monotonic() - start:.0f} s since the start',
            flush=True,
        )
    return 0
