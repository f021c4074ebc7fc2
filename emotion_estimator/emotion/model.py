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

"""A trained model folder: metadata, checked on load, with the LiteRT network beside it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from emotion_estimator.emotion.decision import (
    DEFAULT_CLASS_PRIOR,
    VALENCE_AROUSAL,
    ClassPrior,
    PriorError,
)
from emotion_estimator.files import FileError, check_shapes, read_file, read_text

METADATA_FILE = 'metadata.json'
SCHEMA = 1
_LEAST = 0.000001  # what is divided by less overflows
_MOST = {'rate_hz': 1000.0, 'window_s': 60.0, 'temperature': 1000.0}
_MOST_NAMES = 1000
_SHARES_OFF = 0.01  # of their sum from 1: they are rounded
# Far beyond any trained network's: some of LiteRT's kernels (XNNPACK in 1.0) make the largest
# float32 of what is no number.
_LARGEST_LOGIT = 1e6

VOTES = 'votes'
"""
Vocabulary of the further labels that tell what people called the training's photographs.

Where a model has them, its labels are learned from votes that were corrected.
"""


class ModelError(ValueError):
    """A model folder that cannot be used; the message says what is wrong and what to do."""


@dataclass(frozen=True)
class ModelMetadata:
    """What a model folder states of itself in metadata.json; see the fields' comments."""

    schema: int  # version of this list of fields
    name: str  # the folder's name, e.g. basic7
    version: str  # of the model, not of the package
    labels: tuple[str, ...]  # classes in the order of the network's outputs
    features: tuple[str, ...]  # names in the order of the network's inputs
    rate_hz: float  # steps per second of the window
    window_s: float  # length of the window
    network: str  # file name of the LiteRT network in the folder
    network_sha256: str
    normalisation: str  # how the network treats its inputs, in words
    temperature: float  # logits are divided by it before the softmax
    data: str  # what it was trained on
    licence: str
    metrics: dict[str, Any] = field(default_factory=dict)
    description: str = ''
    further_labels: tuple[str, ...] = ()  # of outputs behind those of labels, each behind the
    # vocabulary that it is in, such as fer2013.happy; see `further`
    class_shares: tuple[float, ...] = ()  # of each label in the training: what is expected of a
    # face before it is looked at; empty where that is not known
    class_prior: str = 'training'  # which prior it ships with, see `ClassPrior`

    @property
    def steps(self) -> int:
        """Number of steps in the window."""
        return max(1, round(self.window_s * self.rate_hz))

    @property
    def coordinates(self) -> NDArray[np.float64]:
        """Valence and arousal of each label, shape [labels, 2], see `VALENCE_AROUSAL`."""
        return np.array([VALENCE_AROUSAL.get(label, (0.0, 0.0)) for label in self.labels])

    def outputs_in(self, vocabulary: str) -> list[int]:
        """
        Find the network's outputs for the further labels of one vocabulary.

        :returns: their indices, in order; empty where the model has none of it.
        """
        names = enumerate(self.further_labels, len(self.labels))
        return [index for index, name in names if name.startswith(f'{vocabulary}.')]

    def prior(self, stated: object) -> ClassPrior:
        """
        Read a prior of its classes.

        :param stated: as the parameter `class_prior` states it; 'model' is `self.class_prior`.
        :raises PriorError: when it does not fit the model.
        """
        named = self.class_prior if stated == DEFAULT_CLASS_PRIOR else str(stated)
        return ClassPrior(named, self.labels, self.class_shares, self.temperature)


class EmotionModel:
    """
    A trained network that turns a window of features into class probabilities.

    :param folder: folder with metadata.json and the network that it names.
    :raises ModelError: when a file is missing, damaged or does not fit the metadata.
    """

    def __init__(self, folder: Path) -> None:
        self.metadata = read_metadata(folder)
        path = folder / self.metadata.network
        try:
            content = read_file(path)
        except FileError as error:
            raise ModelError(
                f'The network {path} is missing or cannot be read ({error}); restore it, or train '
                'the model again with `make train`.'
            ) from error
        if hashlib.sha256(content).hexdigest() != self.metadata.network_sha256:
            raise ModelError(
                f'The network {path} ({len(content)} bytes) is not the one that '
                f'{METADATA_FILE} names (its sha256 differs): it is truncated or was exchanged; '
                'copy the model folder again.'
            )
        try:
            self._interpreter = Interpreter(model_content=content, num_threads=1)
            check_shapes(part['shape'] for part in self._interpreter.get_tensor_details())
            self._interpreter.allocate_tensors()
            self._interpreter.invoke()  # some damage shows in use alone
        except (ValueError, RuntimeError) as error:
            raise ModelError(f'LiteRT cannot load the network {path}: {error}') from error
        self._votes = self.metadata.outputs_in(VOTES)
        self._check_shapes(path)
        self._logits(np.zeros((self.metadata.steps, len(self.metadata.features) + 1), np.float32))

    def _check_shapes(self, path: Path) -> None:
        inputs = self._interpreter.get_input_details()
        outputs = self._interpreter.get_output_details()
        expected_input = [1, self.metadata.steps, len(self.metadata.features) + 1]
        outputs_of_it = len(self.metadata.labels) + len(self.metadata.further_labels)
        expected_output = [1, outputs_of_it]
        found_input = [list(map(int, detail['shape'])) for detail in inputs]
        found_output = [list(map(int, detail['shape'])) for detail in outputs]
        if found_input != [expected_input] or found_output != [expected_output]:
            raise ModelError(
                f'The network {path} takes {found_input} and returns {found_output}, but '
                f'{METADATA_FILE} asks for [{expected_input}] (steps, features and one column '
                f'for validity) and [{expected_output}] (labels and further labels); export the '
                'model again.'
            )
        kinds = {detail['dtype'] for detail in (*inputs, *outputs)} - {np.float32}
        if kinds:
            raise ModelError(
                f'The network {path} takes or returns {kinds.pop().__name__}, not float32; '
                'export the model again without quantised inputs and outputs.'
            )
        self._input = int(inputs[0]['index'])
        self._output = int(outputs[0]['index'])

    def probabilities(
        self, window: NDArray[np.float32], prior: ClassPrior | None = None
    ) -> NDArray[np.float64]:
        """
        Estimate the class probabilities at the window's end.

        With the training's prior it is asked what most people would call the face, where the
        model was taught that too (`VOTES`): the votes as they are go with their shares as they
        are. Any other prior exchanges the shares of its labels.

        :param window: shape [steps, features + 1] as `TemporalBuffer.window` returns it.
        :param prior: of the classes; None is the training's.
        :returns: shape [labels], above 0 unless the prior rules a class out, summing to 1.
        :raises ModelError: when the network answers with what is no number.
        """
        logits = self._logits(window)
        as_trained = prior is None or prior.as_trained
        if as_trained and self._votes:
            return softmax(logits[self._votes])
        found = softmax(logits[: len(self.metadata.labels)] / self.metadata.temperature)
        return found if prior is None else prior.applied(found)

    def further(self, window: NDArray[np.float32], vocabulary: str) -> NDArray[np.float64]:
        """
        Estimate what further labels ask: the same expressions in another vocabulary.

        :param window: as `probabilities` takes it.
        :param vocabulary: that in front of their names.
        :returns: shape [further labels of it], above 0, summing to 1; empty where there are none.
        """
        logits = self._logits(window)[self.metadata.outputs_in(vocabulary)]
        return softmax(logits) if len(logits) else logits

    def _logits(self, window: NDArray[np.float32]) -> NDArray[np.float64]:
        self._interpreter.set_tensor(self._input, window[None])
        self._interpreter.invoke()
        logits: NDArray[np.float32] = self._interpreter.get_tensor(self._output)[0]
        if not (np.abs(logits) < _LARGEST_LOGIT).all():
            raise ModelError(
                f'The network of model {self.metadata.name} answers with what is no number: it is '
                'damaged; copy the model folder again.'
            )
        return logits.astype(np.float64)


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """
    Turn logits into probabilities along the last axis.

    :param logits: any shape [..., classes].
    :returns: the same shape, summing to 1 along the last axis.
    """
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def read_metadata(folder: Path) -> ModelMetadata:
    """
    Read a model folder's metadata.json with every check.

    :param folder: the model folder.
    :raises ModelError: naming the file, the field and what was expected.
    """
    path = folder / METADATA_FILE
    try:
        raw = json.loads(read_text(path))
    except FileError as error:
        raise ModelError(
            f'{path} cannot be read ({error}): a model is a folder with {METADATA_FILE} and a '
            'network; check the name or path given as `model`.'
        ) from error
    except (ValueError, RecursionError) as error:
        raise ModelError(f'{path} cannot be read as JSON: {error}') from error
    if not isinstance(raw, dict):
        raise ModelError(f'{path} must hold a JSON object, not a {type(raw).__name__}.')
    if raw.get('schema') != SCHEMA:
        raise ModelError(
            f'{path}: schema is {_shown(raw.get("schema"))}, but this package reads schema '
            f'{SCHEMA}; use a model made for this version.'
        )
    known = {item.name for item in fields(ModelMetadata)}
    optional = {'metrics', 'description', 'further_labels', 'class_shares', 'class_prior'}
    missing = sorted(known - optional - raw.keys())
    if missing:
        raise ModelError(f'{path} lacks {", ".join(missing)}; export the model again.')
    values = {name: value for name, value in raw.items() if name in known}
    for name in ('labels', 'features'):
        values[name] = _distinct_names(path, name, raw[name])
    if raw.get('further_labels'):
        values['further_labels'] = _distinct_names(path, 'further_labels', raw['further_labels'])
    else:
        values['further_labels'] = ()
    votes = [f'{VOTES}.{label}' for label in values['labels']]
    told = [name for name in values['further_labels'] if name.startswith(f'{VOTES}.')]
    if told and told != votes:
        raise ModelError(
            f'{path}: further_labels must have {VOTES} for each of the labels in their order, '
            f'{", ".join(votes)}, or none, not {_shown(", ".join(told))}.'
        )
    values['class_shares'] = _shares(path, raw.get('class_shares') or [], len(values['labels']))
    for name in ('rate_hz', 'window_s', 'temperature'):
        values[name] = _positive(path, name, raw[name])
    for name in ('name', 'version', 'network', 'network_sha256', 'normalisation', 'licence'):
        if not isinstance(raw[name], str) or not raw[name]:
            raise ModelError(f'{path}: {name} must be a non-empty text, not {_shown(raw[name])}.')
    if Path(raw['network']).name != raw['network']:
        raise ModelError(
            f'{path}: network must be a file name, not the path {_shown(raw["network"])}.'
        )
    metadata = ModelMetadata(**values)
    try:
        metadata.prior(metadata.class_prior)
    except PriorError as error:
        raise ModelError(f'{path}: {error}') from error
    return metadata


def _distinct_names(path: Path, name: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(isinstance(v, str) for v in value):
        raise ModelError(f'{path}: {name} must be a list of names, not {_shown(value)}.')
    if len(value) > _MOST_NAMES:
        raise ModelError(f'{path}: {name} holds {len(value)} names; at most {_MOST_NAMES} may be.')
    if len(set(value)) != len(value):
        raise ModelError(f'{path}: {name} holds a name twice.')
    return tuple(value)


def _shares(path: Path, value: Any, labels: int) -> tuple[float, ...]:
    if not value:
        return ()
    numbers = isinstance(value, list) and all(type(v) in (int, float) for v in value)
    if not numbers or len(value) != labels or not all(_LEAST < v <= 1 for v in value):
        raise ModelError(
            f'{path}: class_shares must be {labels} numbers above {_LEAST:f} and at most 1, one '
            f'for each label, not {_shown(value)}.'
        )
    if abs(sum(value) - 1) > _SHARES_OFF:
        raise ModelError(f'{path}: class_shares must sum to 1, not to {sum(value):g}.')
    return tuple(map(float, value))


def _positive(path: Path, name: str, value: Any) -> float:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not value > _LEAST:
        raise ModelError(f'{path}: {name} must be a number above {_LEAST:f}, not {_shown(value)}.')
    if value > _MOST[name]:
        raise ModelError(f'{path}: {name} must be at most {_MOST[name]:g}, not {_shown(value)}.')
    return float(value)


def _shown(value: Any) -> str:
    """Write a value that may be anything into a sentence."""
    return repr(value)[:100]
