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

"""From a trained Keras network to a model folder that the runtime loads."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from emotion_estimator.blendshapes import INDEX
from emotion_estimator.emotion.model import (
    METADATA_FILE,
    VOTES,
    EmotionModel,
    ModelMetadata,
    softmax,
)
from emotion_estimator.evaluation import classification_metrics as metrics
from emotion_estimator.files import write_whole
from training import facial_actions
from training.datasets.pictures import LABELS, DataError, one_hot
from training.fitting import fit_temperature
from training.settings import Settings
from training.stills import FER2013, MAPS, IndexMap, Stills
from training.windows import STEPS, constant_windows

NETWORK_FILE = 'network.tflite'
MAX_BYTES = 2_000_000
# Of logits as they are it is lost in rounding. Of the largest float32, which LiteRT 1.0 makes of
# what is no number, it is 3e8: beyond what `EmotionModel` takes for an answer.
_TRACE = 1e-30
RULED_STEPS = 8
"""Half a second: the end of a smile is seen at once, and one that trembles switches nothing."""


class ExportError(RuntimeError):
    """A network that must not ship; the message says why."""


def soften(network: keras.Model, outputs: slice, temperature: float) -> None:
    """
    Divide some of a network's answers by a temperature, inside the network.

    :param network: of `network.build`; changed in place.
    :param outputs: those that are divided.
    :param temperature: above 0.
    """
    layer = network.get_layer('logits')
    factor = np.ones(layer.units, np.float32)
    factor[outputs] /= temperature
    layer.set_weights([part * factor for part in layer.get_weights()])


def to_litert(
    networks: Sequence[keras.Model],
    sums: IndexMap | None = None,
    rule: facial_actions.Rule | None = None,
) -> bytes:
    """
    Convert networks of `network.build` into one that gives the mean of their logits, batch of one.

    The LSTM is written out step by step, with the inputs' part of all steps in one product:
    that needs nothing but dense products and element-wise operations, which LiteRT runs
    fastest, and no operation outside its builtin ones. Large weights are kept in eight bits, in
    which LiteRT then also computes: less than half the time, a third of the bytes.

    :param networks: trained, for the same features and answers.
    :param sums: coarser classes in which the last answers are given alone: the logarithms of the
        sums of their probabilities, up to a constant; None gives all answers as they are.
    :param rule: what it says is done to the first answer, as far as it holds in all of the
        window's last `RULED_STEPS` steps, each observed; None does nothing.
    :returns: the LiteRT file's bytes.
    :raises ExportError: when it is too large or needs other than builtin operations.
    """
    columns = networks[0].input_shape[-1]
    members = [_weights(network) for network in networks]

    @tf.function(
        input_signature=[tf.TensorSpec((1, STEPS, columns), tf.float32, 'window')],
        autograph=False,
    )
    def logits(window: tf.Tensor) -> tf.Tensor:
        last = _over_time(members, [_per_step(member, window) for member in members])
        each = [tf.matmul(h, w) + b for h, (w, b) in zip(last, (m.logits for m in members))]
        answers = tf.add_n(each) / len(members)
        outputs = answers if rule is None else _ruled(answers, _shown(window, rule), rule)
        if sums is not None:
            outputs = _log_sums(outputs[:, -len(sums.of) :], sums)
        # LiteRT's exponential makes 0 of a logit that is no number: this brings it back.
        return outputs + _TRACE * tf.reduce_sum(answers, axis=1, keepdims=True)

    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [logits.get_concrete_function()], logits
    )
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    try:
        content = bytes(converter.convert())
    except Exception as error:
        raise ExportError(f'The network cannot be converted to builtin operations: {error}') from (
            error
        )
    if len(content) > MAX_BYTES:
        raise ExportError(
            f'The network has {len(content)} bytes, more than {MAX_BYTES}; make it narrower.'
        )
    return content


class _Weights(NamedTuple):
    normalise: keras.Layer
    per_step: list[list[NDArray[np.float32]]]
    lstm: list[NDArray[np.float32]]
    logits: list[NDArray[np.float32]]


def _weights(network: keras.Model) -> _Weights:
    return _Weights(
        network.get_layer('normalisation'),
        [layer.get_weights() for layer in network.layers if layer.name.startswith('per_step')],
        network.get_layer('over_time').get_weights(),
        network.get_layer('logits').get_weights(),
    )


def _per_step(member: _Weights, window: tf.Tensor) -> tf.Tensor:
    values = member.normalise(window)[0]
    for weights, bias in member.per_step:
        values = tf.nn.relu(tf.matmul(values, weights) + bias)
    return values


def _log_sums(answers: tf.Tensor, sums: IndexMap) -> tf.Tensor:
    likely = tf.exp(answers - tf.reduce_max(answers, axis=1, keepdims=True))
    members = tf.constant(sums.probabilities(np.eye(len(sums.of), dtype=np.float32)))
    return tf.math.log(tf.maximum(tf.matmul(likely, members), metrics.LEAST_PROBABILITY))


def _shown(window: tf.Tensor, rule: facial_actions.Rule) -> tf.Tensor:
    """Compute `Rule.share`, the least over the last steps; 0 where one was not observed."""
    last = window[0, -RULED_STEPS:]

    def each(action: facial_actions.Action) -> tf.Tensor:
        columns = [last[:, INDEX[name]] for name in action.shapes]
        value = tf.add_n(columns) / len(columns)
        return tf.clip_by_value((value - action.least) / (action.full - action.least), 0.0, 1.0)

    share = tf.constant(rule.weight)
    for action in rule.actions:
        share *= each(action)
    for action in rule.against:
        share *= 1.0 - each(action)
    return tf.reduce_min(share * last[:, -1])


def _ruled(answers: tf.Tensor, share: tf.Tensor, rule: facial_actions.Rule) -> tf.Tensor:
    """Do to the first answer what `facial_actions.corrected` does to votes by one rule."""
    gives, gains = np.zeros((2, len(LABELS)), np.float32)
    gives[[LABELS.index(name) for name in rule.takes_from]] = 1
    gains[LABELS.index(rule.expression)] = 1
    first = answers[:, : len(LABELS)]
    likely = tf.exp(first - tf.reduce_max(first, axis=1, keepdims=True))
    moved = share * likely * gives
    likely += tf.reduce_sum(moved, axis=1, keepdims=True) * gains - moved
    ruled = tf.math.log(tf.maximum(likely, metrics.LEAST_PROBABILITY))
    return tf.concat([ruled, answers[:, len(LABELS) :]], axis=1)


def _over_time(members: Sequence[_Weights], values: Sequence[tf.Tensor]) -> list[tf.Tensor]:
    """
    Compute Keras's LSTMs, each over its values of shape [STEPS, inputs].

    They stand in rows, so that they share all operations but the products: on a robot an
    operation costs more than its few numbers.

    :returns: what each gives after the last step, shape [1, units].
    """
    kernels, recurrent, biases = zip(*(member.lstm for member in members))
    entering = [tf.matmul(of, w) + bias for of, w, bias in zip(values, kernels, biases)]
    carried = [tf.constant(weights) for weights in recurrent]
    hidden = memory = None
    for total in tf.unstack(tf.stack(entering, axis=1)):  # [members, 4 * units]
        if hidden is not None:
            each = zip(tf.split(hidden, len(members)), carried)
            total += tf.concat([tf.matmul(row, weights) for row, weights in each], axis=0)
        entry, forget, candidate, output = tf.split(total, 4, axis=1)
        fresh = tf.sigmoid(entry) * tf.tanh(candidate)
        memory = fresh if memory is None else tf.sigmoid(forget) * memory + fresh
        hidden = tf.sigmoid(output) * tf.tanh(memory)
    rows: list[tf.Tensor] = tf.split(hidden, len(members))
    return rows


def write_model(folder: Path, content: bytes, facts: dict[str, Any]) -> EmotionModel:
    """
    Write a model folder, network first, and load it the way the runtime does.

    :param folder: the model folder; its name is the model's.
    :param content: the LiteRT file's bytes.
    :param facts: the fields of `ModelMetadata` apart from name, network and checksum.
    :raises ModelError: when the runtime refuses it.
    """
    metadata = ModelMetadata(
        name=folder.name,
        network=NETWORK_FILE,
        network_sha256=hashlib.sha256(content).hexdigest(),
        **facts,
    )
    write_whole(folder / NETWORK_FILE, content)
    write_metadata(folder, metadata)
    return EmotionModel(folder)


def write_metadata(folder: Path, metadata: ModelMetadata) -> None:
    """Write a model folder's metadata.json."""
    text = json.dumps(dataclasses.asdict(metadata), indent=2) + '\n'
    write_whole(folder / METADATA_FILE, text.encode())


@dataclass(frozen=True)
class ExportedAnswers:
    """
    A network that is ready for the runtime, with what its outputs mean.

    :param network: the LiteRT file's bytes.
    :param labels: see `ModelMetadata`.
    :param further_labels: see `ModelMetadata`.
    :param temperature: see `ModelMetadata`.
    :param teachers: whom it learned from, in words.
    """

    network: bytes
    labels: tuple[str, ...]
    further_labels: tuple[str, ...]
    temperature: float
    teachers: str


def class_shares(settings: Settings, training: Stills) -> dict[str, float]:
    """
    Tell how much of what a model learns shows each of its classes, as its folder states it.

    :param training: what it learns from.
    :raises DataError: when nothing shows one of them, which no model can tell then.
    """
    classes = MAPS[settings.summed_in or settings.targets.classes]
    if settings.summed_in is None:
        found = settings.targets.shares(training).mean(axis=0)
    else:
        found = classes.probabilities(one_hot(training.labels)).mean(axis=0)
    shares = {label: round(share, 4) for label, share in zip(classes.names, found.tolist())}
    if missing := [label for label, share in shares.items() if not share]:
        raise DataError(
            f'None of the {len(training)} photographs that are learned from shows '
            f'{", ".join(missing)}, so that no model can tell it: add such photographs.'
        )
    return shares


def export_answers(
    networks: Sequence[keras.Model], settings: Settings, training: Stills, public: Stills
) -> ExportedAnswers:
    """
    Choose networks' outputs, fit their temperatures on PublicTest and convert them into one.

    :param networks: trained; their weights may be changed.
    :param training: what it learned from.
    :param public: PublicTest, all photographs, with the network's features.
    """
    readable = public.select(public.readable[:, 0])
    windows = constant_windows(readable.values)
    each = [network.predict(windows, batch_size=1024, verbose=0) for network in networks]
    logits = np.mean(each, axis=0)
    asked = settings.targets
    first, further = np.split(logits.astype(np.float64), [len(asked.names)], axis=1)
    if settings.summed_in is not None:
        label = further[:, -len(LABELS) :]
        return _summed(networks, MAPS[settings.summed_in], label, training, readable)
    truth = asked.validation_labels(readable)
    clear = truth >= 0
    answered = {VOTES: truth, FER2013: readable.labels}
    for start in range(0, len(asked.further_names), len(LABELS)):
        vocabulary = asked.further_names[start].split('.')[0]
        answers = further[clear, start : start + len(LABELS)]
        temperature = fit_temperature(answers, answered[vocabulary][clear])
        behind = start + len(asked.names)
        for network in networks:
            soften(network, slice(behind, behind + len(LABELS)), temperature)
    votes = _VOTERS
    rule = facial_actions.IN_FULL if asked.correction and asked.names == LABELS else None
    if rule is not None:
        likely = facial_actions.corrected(softmax(first), readable.values, rules=(rule,))
        first = np.log(np.maximum(likely, metrics.LEAST_PROBABILITY))
    if asked.correction:
        votes += ', corrected by the facial actions shown'
    weight = asked.label_weight
    teachers = f"FER2013's labels, weight {weight:g}, and {votes}" if weight else votes
    return ExportedAnswers(
        network=to_litert(networks, rule=rule),
        labels=asked.names,
        further_labels=asked.further_names,
        temperature=fit_temperature(first[clear], truth[clear]),
        teachers=teachers if training.votes.any() else _LABELS_ALONE,
    )


_VOTERS = 'the votes of ten people each, FER+ (MIT)'
_LABELS_ALONE = 'one label each'


def _summed(
    networks: Sequence[keras.Model],
    label_map: IndexMap,
    second: NDArray[np.float64],
    training: Stills,
    readable: Stills,
) -> ExportedAnswers:
    """Export the second answer, FER2013's label, in coarser classes."""
    sums = np.log(np.maximum(label_map.probabilities(softmax(second)), metrics.LEAST_PROBABILITY))
    labels = label_map.labels(readable.labels)
    return ExportedAnswers(
        network=to_litert(networks, label_map),
        labels=label_map.names,
        further_labels=(),
        temperature=fit_temperature(sums, labels),
        teachers=(
            "FER2013's labels in seven classes, whose probabilities are summed, and beside them "
            f'{_VOTERS}'
        )
        if training.votes.any()
        else f'{_LABELS_ALONE} of seven classes, whose probabilities are summed',
    )
