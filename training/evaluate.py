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

"""`python -m training.evaluate`: every figure of the model that ships, baselines beside it."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import sys
import time
from pathlib import Path

os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '2')

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from emotion_estimator.assets import write_whole
from emotion_estimator.emotion.decision import Decider
from emotion_estimator.emotion.emotion_model import EmotionModel, ModelError, softmax
from training.clip_dynamics import EVALUATION_CLIPS, read_dynamics
from training.export import write_metadata
from training.fer_data import DataError, Split, Stills, read_stills
from training.sequence_protocol import Track, buffer_windows, compose_tracks, track_scores
from training.settings import MODEL_NAME, MODELS, OUT, Settings
from training.still_protocols import still_probabilities, still_scores
from training.time_ablation import retimed
from training.window_resampling import constant_windows

TRACKS = 200
TRACK_SEED = 7
HYSTERESIS = 1.5
"""Default of the emotion node."""

Scores = dict[str, dict[str, float]]


def model_scores(model: EmotionModel, stills: Stills, tracks: list[Track]) -> Scores:
    """
    Score a model that ships, through the runtime's own buffer, network and decision.

    :param model: the model.
    :param stills: all photographs of a split.
    :param tracks: sequences composed of them.
    :returns: the scores of the highest probability as `lstm`, and those of the decision with
        hysteresis on the sequences as `lstm_hysteresis`.
    """
    probabilities = [_track_probabilities(model, track) for track in tracks]
    labels = model.metadata.labels
    return {
        'lstm': {
            **still_scores(still_probabilities(model, stills), stills),
            **track_scores(tracks, [rows.argmax(axis=1) for rows in probabilities]),
            **network_latency(model),
        },
        'lstm_hysteresis': track_scores(
            tracks, [_decided(labels, rows) for rows in probabilities]
        ),
    }


def network_latency(model: EmotionModel, calls: int = 2000) -> dict[str, float]:
    """
    Time the network with its softmax, on one thread.

    :param model: the model.
    :param calls: how often it is called.
    :returns: median and best time in milliseconds; the best is that of an idle machine.
    """
    window = constant_windows(np.full((1, len(model.metadata.features)), 0.3, np.float32))[0]
    times_ms = []
    for _ in range(calls):
        start = time.perf_counter()
        model.probabilities(window)
        times_ms.append(1000 * (time.perf_counter() - start))
    return {
        'network_ms_p50': round(float(np.median(times_ms)), 4),
        'network_ms_best': round(min(times_ms), 4),
    }


def frame_scores(stills: Stills, tracks: list[Track]) -> Scores:
    """
    Score the baselines that see single frames: on sequences, the raw argmax per frame.

    :param stills: all photographs of a split.
    :param tracks: sequences composed of them.
    :returns: scores by baseline.
    """
    from training.baselines import frame_classifiers

    readable = stills.select(stills.readable[:, 0])
    found = {}
    for name, classify in frame_classifiers().items():
        answers = [classify(track.blends).argmax(axis=1) for track in tracks]
        found[name] = {
            **still_scores(classify(readable.blends), stills),
            **track_scores(tracks, answers),
        }
    return found


def timeless_scores(settings: Settings, stills: Stills, tracks: list[Track]) -> Scores:
    """
    Train (once) and score the same network without time.

    :param settings: those of the model that ships.
    :param stills: all photographs of a split.
    :param tracks: sequences composed of them.
    :returns: scores of `lstm_shuffled_time` and `lstm_mean_pooled`.
    """
    from training.fitting import trained_network

    rng = np.random.default_rng(TRACK_SEED)
    held = constant_windows(stills.blends[stills.readable[:, 0]])
    found = {}
    for name, kind in (('lstm_shuffled_time', 'shuffled'), ('lstm_mean_pooled', 'pooled')):
        network = trained_network(dataclasses.replace(settings, time=kind))
        answers = []
        for track in tracks:
            seen = retimed(buffer_windows(track), kind, rng)
            answers.append(network.predict(seen, batch_size=1024, verbose=0).argmax(axis=1))
        logits = network.predict(retimed(held, kind, rng), batch_size=1024, verbose=0)
        found[name] = {
            **still_scores(softmax(logits.astype(np.float64)), stills),
            **track_scores(tracks, answers),
        }
    return found


def _track_probabilities(model: EmotionModel, track: Track) -> NDArray[np.float64]:
    return np.array([model.probabilities(window) for window in buffer_windows(track)])


def _decided(labels: tuple[str, ...], probabilities: NDArray[np.float64]) -> NDArray[np.int64]:
    decider = Decider(labels, hysteresis=HYSTERESIS)
    return np.array([labels.index(decider.decide(row).label) for row in probabilities])


def print_table(title: str, found: Scores) -> None:
    """
    Print scores, a row each, a column for each method.

    :param title: of the table.
    :param found: scores by method.
    """
    table = Table(title=title)
    table.add_column('score')
    for method in found:
        table.add_column(method.replace('_', ' '), justify='right')
    for name in found['lstm']:
        table.add_row(
            name, *(f'{scores[name]:.4g}' if name in scores else '-' for scores in found.values())
        )
    Console(width=None if sys.stdout.isatty() else 150).print(table)


def main(arguments: list[str] | None = None) -> int:
    """
    Run the command.

    :param arguments: of the command line; None takes the process's own.
    :returns: exit status.
    """
    parser = argparse.ArgumentParser(prog='training.evaluate', description=__doc__)
    parser.add_argument(
        '--split',
        choices=('public', 'private'),
        default='public',
        help='public for every choice; private once per release',
    )
    parser.add_argument('--model', type=Path, default=MODELS / MODEL_NAME, help='model folder')
    parser.add_argument('--no-baselines', action='store_true', help='the model alone')
    parser.add_argument(
        '--record', action='store_true', help="write the model's scores into its metadata.json"
    )
    options = parser.parse_args(arguments)
    try:
        model = EmotionModel(options.model)
        stills = read_stills(Split[options.split.upper()])
        tracks = compose_tracks(stills, read_dynamics(EVALUATION_CLIPS), TRACKS, TRACK_SEED)
        found = model_scores(model, stills, tracks)
        if not options.no_baselines:
            found.update(frame_scores(stills, tracks))
            found.update(timeless_scores(Settings(), stills, tracks))
    except (DataError, ModelError) as error:
        print(error, file=sys.stderr)
        return 1
    print_table(f'FER2013 {options.split.capitalize()}Test, {len(stills)} photographs', found)
    path = OUT / 'evaluate.json'
    known = json.loads(path.read_text()) if path.is_file() else {}
    known[options.split] = found
    write_whole(path, json.dumps(known, indent=2).encode())
    print(f'Written to {path}')
    if options.record:
        metrics = {**model.metadata.metrics, options.split: found['lstm']}
        write_metadata(options.model, dataclasses.replace(model.metadata, metrics=metrics))
    return 0


if __name__ == '__main__':
    sys.exit(main())
