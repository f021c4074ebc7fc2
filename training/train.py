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

"""`python -m training.train`: train, calibrate and export the model that ships."""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '2')

import numpy as np

from emotion_estimator.assets import sha256_of
from emotion_estimator.blendshapes import NAMES
from emotion_estimator.emotion.emotion_model import SCHEMA, EmotionModel
from training import network
from training.calibration import fit_temperature
from training.export import to_litert, write_model
from training.fer_data import LABELS, DataError, Split, read_stills
from training.fitting import trained_network
from training.settings import MODEL_NAME, MODEL_VERSION, MODELS, Settings, content_key
from training.still_protocols import still_probabilities, still_scores
from training.window_resampling import RATE_HZ, WINDOW_S, constant_windows

DATA = (
    'FER2013 (web photographs, training split, duplicates of test photographs left out) as '
    'MediaPipe blendshapes, labelled by FER2013 and by the FER+ votes (MIT). All sequences are '
    'composed of still photographs and of jitter, blinks and mouth movements taken from real '
    'clips; no labelled video was used. PublicTest chose epoch, settings and temperature.'
)
DESCRIPTION = (
    'Seven basic expressions from the 52 blendshapes over two seconds. Estimates the expression '
    'shown, not the emotion felt.'
)


def train(settings: Settings, folder: Path) -> EmotionModel:
    """
    Train a model and write its folder.

    :param settings: the run's settings.
    :param folder: the model folder.
    :returns: the model as the runtime loads it.
    :raises DataError: when data is missing.
    """
    model = trained_network(settings)
    public = read_stills(Split.PUBLIC)
    judged = public.select(public.readable[:, 0] & (public.majority() >= 0))
    logits = model.predict(constant_windows(judged.blends), batch_size=1024, verbose=0)
    facts: dict[str, Any] = {
        'schema': SCHEMA,
        'version': MODEL_VERSION,
        'labels': LABELS,
        'features': NAMES,
        'rate_hz': RATE_HZ,
        'window_s': WINDOW_S,
        'normalisation': network.DESCRIPTION,
        'temperature': fit_temperature(logits.astype(np.float64), judged.majority()),
        'data': DATA,
        'licence': 'Apache-2.0',
        'description': DESCRIPTION,
    }
    content = to_litert(model)
    exported = write_model(folder, content, facts)
    scores = still_scores(still_probabilities(exported, public), public)
    training = {'key': content_key(settings), 'settings': dataclasses.asdict(settings)}
    facts['metrics'] = {'public': scores, 'training': training}
    return write_model(folder, content, facts)


def main(arguments: list[str] | None = None) -> int:
    """
    Run the command.

    :param arguments: of the command line; None takes the process's own.
    :returns: exit status.
    """
    parser = argparse.ArgumentParser(prog='training.train', description=__doc__)
    parser.add_argument('--output', type=Path, default=MODELS / MODEL_NAME, help='model folder')
    parser.add_argument('--seed', type=int, default=Settings.seed)
    options = parser.parse_args(arguments)
    settings = Settings(seed=options.seed)
    try:
        model = train(settings, options.output)
    except DataError as error:
        print(error, file=sys.stderr)
        return 1
    network_path = options.output / model.metadata.network
    print(
        f'{network_path} ({network_path.stat().st_size} bytes, sha256 {sha256_of(network_path)})'
    )
    print(f'temperature {model.metadata.temperature}')
    for name, value in model.metadata.metrics['public'].items():
        print(f'PublicTest {name}: {value}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
