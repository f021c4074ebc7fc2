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

"""Trains one network, which goes on where it was broken off, and fits its temperature."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from emotion_estimator.emotion.model import softmax
from emotion_estimator.files import write_whole
from emotion_estimator.parallel.engine import ahead
from training import network, sources
from training.clips import EVALUATION_CLIPS, TRAINING_CLIPS, read_dynamics
from training.datasets.pictures import LABELS, DataError, Split
from training.network import save_whole
from training.settings import Settings, run_key
from training.still_features import encoding_path, read_stills, read_training_stills
from training.stills import Stills
from training.windows import SequenceComposer, constant_windows, retimed

Batch = tuple[NDArray[np.float32], NDArray[np.float32]]

VALIDATION_WINDOWS = 4096
_AHEAD = 4


@dataclass(frozen=True)
class Material:
    """
    What networks learn from.

    :param training: photographs to learn from, all features.
    :param public: PublicTest, which chooses the epoch, all photographs and features.
    :param encoding: the face encoding's file, for the clips.
    """

    training: Stills
    public: Stills
    encoding: Path


def read_material() -> Material:
    """
    Read what networks learn from.

    :raises DataError: when data is missing.
    """
    training = read_training_stills(read_stills(Split.TRAINING))
    return Material(training, read_stills(Split.PUBLIC), encoding_path())


def trained_network(settings: Settings, material: Material) -> keras.Model:
    """
    Train a network, or go on with or take what an earlier run of the same content left.

    :returns: the network of the epoch with the least loss on PublicTest's composed windows.
    :raises DataError: when a clip is missing, or the network that is kept is damaged.
    """
    features = settings.features(material.training.features)
    stills, public = material.training.only(features), material.public.only(features)
    folder = sources.OUT / 'training' / run_key(settings, stills, public)
    best = folder / 'best.keras'
    model, history = network.broken_off(folder, settings.batches_per_epoch)
    if len(history) < len(settings.epochs):
        keras.utils.set_random_seed(settings.seed)
        model = _compiled(settings, stills) if model is None else model
        composer = SequenceComposer(
            stills,
            settings.targets.taught(stills),
            read_dynamics(TRAINING_CLIPS, material.encoding, features),
            settings.composition,
        )
        validation, still_windows, still_labels = _validation(settings, public, material.encoding)
        for epoch in range(len(history), len(settings.epochs)):
            start = time.monotonic()
            for batch in ahead(_batches(composer, settings, epoch), _AHEAD):
                trained = float(model.train_on_batch(*batch))  # mean over the epoch so far
            loss = float(model.evaluate(*validation, batch_size=1024, verbose=0))
            logits = model.predict(still_windows, batch_size=1024, verbose=0)
            labelled = still_labels >= 0
            logits = logits[:, : len(settings.targets.names)]
            accuracy = float((logits.argmax(axis=1) == still_labels)[labelled].mean())
            history.append(
                {
                    'loss': trained,
                    'public_loss': loss,
                    'public_still_accuracy': accuracy,
                    'random': network.random_states(model),
                }
            )
            if loss <= min(entry['public_loss'] for entry in history):
                save_whole(model, best)
            # In this order: see `network.broken_off`.
            write_whole(folder / network.HISTORY, json.dumps(history, indent=1).encode())
            save_whole(model, folder / network.LAST)
            print(
                f'[{folder.name} {settings.time}] epoch {epoch + 1}/{len(settings.epochs)}: '
                f'loss {trained:.4f}, PublicTest windows {loss:.4f}, '
                f'PublicTest stills {accuracy:.4f} right, {time.monotonic() - start:.0f} s',
                flush=True,
            )
    try:
        return keras.models.load_model(best)
    # Of a damaged file each library complains in its own way.
    except Exception as error:
        raise DataError(f'{best} is damaged ({error}); remove {folder} to train again.') from error


def _compiled(settings: Settings, stills: Stills) -> keras.Model:
    asked = settings.targets
    model = network.build(
        settings.architecture,
        *network.statistics(stills.values),
        len(asked.names) + len(asked.further_names),
        [i for i, name in enumerate(stills.features) if name.startswith('appearance.')],
    )
    rate = keras.optimizers.schedules.CosineDecay(
        settings.learning_rate, len(settings.epochs) * settings.batches_per_epoch
    )
    model.compile(
        keras.optimizers.AdamW(rate, weight_decay=settings.weight_decay, global_clipnorm=1.0),
        network.AnswersLoss(
            [len(asked.names)] + [len(LABELS)] * (len(asked.weights) - 1),
            list(asked.weights),
            settings.architecture.label_smoothing,
        ),
        jit_compile=False,  # XLA takes five times as long for an LSTM on a CPU
    )
    return model


def _validation(
    settings: Settings, public: Stills, encoding: Path
) -> tuple[Batch, NDArray[np.float32], NDArray[np.int64]]:
    """Compose PublicTest windows, the same in every epoch, and hold its stills constant."""
    stills = public.select(public.readable[:, 0])
    dynamics = read_dynamics(EVALUATION_CLIPS, encoding, stills.features)
    composer = SequenceComposer(
        stills, settings.targets.taught(stills), dynamics, settings.composition
    )
    rng = np.random.default_rng(settings.seed)
    windows, targets = composer.windows(VALIDATION_WINDOWS, rng)
    return (
        (retimed(windows, settings.time, rng), targets),
        constant_windows(stills.values),
        settings.targets.validation_labels(stills),
    )


def _batches(composer: SequenceComposer, settings: Settings, epoch: int) -> Iterator[Batch]:
    """Compose an epoch's batches; every epoch has its own seed."""
    rng = np.random.default_rng([settings.seed, epoch])
    phase = settings.epochs[epoch]
    for _ in range(settings.batches_per_epoch):
        windows, targets = composer.windows(phase.batch, rng, phase.steps)
        yield retimed(windows, settings.time, rng), targets


BOUNDS = (0.2, 5.0)


def fit_temperature(logits: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    """
    Find the temperature with the least cross-entropy.

    :param logits: shape [N, classes].
    :param labels: the right classes, shape [N].
    :returns: the temperature, within `BOUNDS`, to three decimals.
    """

    def cross_entropy(log_temperature: float) -> float:
        chances = softmax(logits / np.exp(log_temperature))
        right = chances[np.arange(len(labels)), labels]
        return float(-np.log(np.maximum(right, 1e-12)).mean())

    found = minimize_scalar(cross_entropy, bounds=np.log(BOUNDS), method='bounded')
    return round(float(np.exp(found.x)), 3)
