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

"""Every metric of the models that ship, baselines beside them."""

from __future__ import annotations

if __name__ == '__main__':  # before the imports, so that Ctrl-C ends them quietly
    from emotion_estimator import commands

    raise SystemExit(commands.run('training.commands.evaluate'))

import argparse
import dataclasses
import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from emotion_estimator.blendshapes import NAMES
from emotion_estimator.commands import place
from emotion_estimator.emotion.decision import (
    DEFAULT_CLASS_PRIOR,
    DEFAULT_HYSTERESIS,
    DEFAULT_MIN_CONFIDENCE,
)
from emotion_estimator.emotion.model import EmotionModel, read_metadata, softmax
from emotion_estimator.evaluation.classification_metrics import confusion
from emotion_estimator.faces.encoding import read_encoding
from emotion_estimator.files import AssetError, sha256_of, write_whole
from training import sources
from training.clips import EVALUATION_CLIPS, TRAINING_CLIPS, read_dynamics, read_series
from training.commands import command, terminal
from training.datasets.pictures import LABELS, DataError, Split
from training.export import write_metadata
from training.protocols.other_people import Peer, decide, find_held_faces, scores, surest
from training.protocols.sequences import Track, clip_scores, compose_tracks, in_classes
from training.protocols.stills import (
    REPORT_METRICS,
    Metrics,
    ReportRows,
    read_matched_rows,
    still_probabilities,
)
from training.scoring import (
    FrameClassifier,
    WindowClassifier,
    network_latency,
    report_metrics,
    sequence_scores,
    seven_class_scores,
)
from training.seed_report.figures import draw_confusion, draw_reliability
from training.settings import MODELS
from training.still_features import encoding_path, read_stills
from training.stills import HAPPY_UNKNOWN_SAD, Stills, truth_for
from training.windows import constant_windows

TRACKS = 200
TRACK_SEED = 7
BASIC = 'basic7'
BLENDSHAPES = f'{BASIC}_blendshapes'
OF_BLENDSHAPES = '_of_blendshapes'
"""Ends the names of baselines that see the features of `basic7_blendshapes`, not all."""
THREE = 'happy_unknown_sad'
BASELINES = ('all', 'frames', 'none')


def tracks_of(stills: Stills, features: tuple[str, ...]) -> list[Track]:
    """
    Compose protocol S's sequences.

    :param stills: all photographs of a split, all features.
    :param features: what a method sees.
    :returns: the same sequences for every choice of features.
    """
    dynamics = read_dynamics(EVALUATION_CLIPS, encoding_path(), features)
    return compose_tracks(stills.only(features), dynamics, TRACKS, TRACK_SEED)


def evaluate(split: Split, baselines: str, draw: bool) -> dict[str, dict[str, Metrics]]:
    """
    Score everything on one split; on PrivateTest the seed report's rows too, which stand in it.

    :param baselines: which are scored, too, of `BASELINES`; 'frames' leaves out the networks
        without time, whose training takes as long as two models'.
    :param draw: whether confusion and reliability are drawn into doc/.
    :returns: scores by protocol group ('public', 'private', 'report') and method.
    :raises DataError: when data is missing.
    """
    stills = read_stills(split)
    scored: dict[str, Metrics] = {}
    found = {split.name.lower(): scored}
    for name in (BASIC, BLENDSHAPES):
        model = EmotionModel(sources.MODELS / name)
        tracks = tracks_of(stills, model.metadata.features)
        scored[name], probabilities = seven_class_scores(model, stills, tracks)
        if draw:
            _draw(model, probabilities, stills)
    three = EmotionModel(sources.MODELS / THREE)
    answers = still_probabilities(three, stills)
    of_three = in_classes(tracks_of(stills, three.metadata.features), HAPPY_UNKNOWN_SAD)
    scored[THREE] = {**sequence_scores(three, of_three), **network_latency(three)}
    features = EmotionModel(sources.MODELS / BASIC).metadata.features
    report = _rows_of_report(stills) if split is Split.PRIVATE else None
    if report is not None:
        stated = np.array(three.metadata.class_shares), three.metadata.temperature
        found['report'] = {THREE: report_metrics(answers, stills, report, *stated)}
        found['report']['the_report'] = {
            name: dict.fromkeys(('value', 'low', 'high'), value)
            for name, value in REPORT_METRICS.items()
        }
    if draw:
        _draw(three, answers, stills)
    found['clips'] = _clips()
    try:
        found.update(score_other_people(None, baselines))
    except DataError as error:
        print(f'Protocol X is left out: {error}')
    if baselines != 'none':
        from training.fitting import read_material
        from training.scoring import frame_scores, report_baselines, timeless_scores

        material = read_material()
        for end, seen in _seen().items():
            of_frames = frame_scores(material, stills, tracks_of(stills, seen), seen)
            scored.update({name + end: metrics for name, metrics in of_frames.items()})
        if baselines == 'all':
            tracks = tracks_of(stills, features)
            scored.update(timeless_scores(MODELS[BASIC], material, stills, tracks))
        if report is not None:
            found['report'].update(report_baselines(material, stills, report, features))
    return found


def models_of_another_encoding(encoding: Path) -> list[str]:
    """
    List the models that were learned with another encoding.

    :param encoding: the file of the one that is there.
    :returns: their names; without those that see blendshapes alone.
    """
    there = sha256_of(encoding)
    training = {n: read_metadata(sources.MODELS / n).metrics.get('training', {}) for n in MODELS}
    return [
        name
        for name, stated in training.items()
        if stated.get('encoding_sha256') not in (None, there)
    ]


def _seen() -> dict[str, tuple[str, ...]]:
    """List the features that baselines see, by the end of their names."""
    return {
        end: read_metadata(sources.MODELS / model).features
        for end, model in (('', BASIC), (OF_BLENDSHAPES, BLENDSHAPES))
    }


def _rows_of_report(private: Stills) -> ReportRows | None:
    """Read the seed report's rows; None, and a sentence, where they are not of these faces."""
    try:
        report = read_matched_rows()
        if report.fit(private.rows, private.labels):
            return report
        reason = "the photographs are not FER2013's, as the seed report's rows number them."
    except DataError as error:
        reason = str(error)
    print(f'Protocol R is left out: {reason}')
    return None


def score_other_people(
    folder: Path | None, baselines: str = 'none'
) -> dict[str, dict[str, Metrics]]:
    """
    Score everything on pictures of other people (protocol X).

    :param folder: of labelled pictures; None takes those of the assets folder.
    :param baselines: see `evaluate`.
    :returns: scores by group, 'x_' and the name of a set, and method.
    :raises DataError: when there are no pictures.
    """
    sets = sources.read_other_people(folder)
    peer, others = _peer(), _classifiers(baselines)
    found: dict[str, dict[str, Metrics]] = {}
    for name, pictures in sets.items():
        faces = find_held_faces(pictures.photographs.pictures)
        scored = found[f'x_{name}'] = {}
        for model in MODELS:
            labels = read_metadata(sources.MODELS / model).labels
            scored[model] = scores(decide(sources.MODELS / model, faces), pictures, labels)
        answers = {} if peer is None else peer.answers(pictures.photographs.pictures, faces)
        answers |= {method: surest(one, faces, seen) for method, (one, seen) in others.items()}
        scored |= {method: scores(one, pictures, LABELS) for method, one in answers.items()}
    return found


def _peer() -> Peer | None:
    try:
        return Peer()
    except AssetError as error:
        print(f'fer is not scored: {error}')
        return None


def _classifiers(baselines: str) -> dict[str, tuple[FrameClassifier, tuple[str, ...]]]:
    """Fit the baselines that are asked for; each classifies faces by the features beside it."""
    if baselines == 'none':
        return {}
    from training.fitting import read_material
    from training.scoring import timeless_classifiers, vote_classifiers

    material = read_material()
    found = {
        name + end: (classify, seen)
        for end, seen in _seen().items()
        for name, classify in vote_classifiers(material, seen).items()
    }
    if baselines == 'all':
        classes = len(MODELS[BASIC].targets.names)
        for name, logits_of in timeless_classifiers(MODELS[BASIC], material).items():
            found[name] = partial(_softmax_of_first, logits_of, classes), _seen()['']
    return found


def _softmax_of_first(
    logits_of: WindowClassifier, classes: int, values: NDArray[np.float32]
) -> NDArray[np.float64]:
    return softmax(logits_of(constant_windows(values))[:, :classes].astype(np.float64))


def _clips() -> dict[str, Metrics]:
    """Follow the faces of all clips with each model, at the emotion node's defaults."""
    names = (*NAMES, *read_encoding(encoding_path()).names)
    faces = read_series(TRAINING_CLIPS + EVALUATION_CLIPS, encoding_path())
    chosen = (DEFAULT_MIN_CONFIDENCE, DEFAULT_HYSTERESIS, DEFAULT_CLASS_PRIOR)
    return {
        name: clip_scores(EmotionModel(sources.MODELS / name), faces, names, *chosen)
        for name in MODELS
    }


def _draw(model: EmotionModel, probabilities: np.ndarray, stills: Stills) -> None:
    """Draw what is taken for what, and whether probabilities mean what they say, into doc/."""
    labels = model.metadata.labels
    truth = truth_for(labels, stills)[stills.readable[:, 0]]
    clear = truth >= 0
    folder = sources.REPOSITORY / 'doc'
    name = model.metadata.name
    table = confusion(probabilities[clear].argmax(axis=1), truth[clear], labels)
    draw_confusion(table, folder / f'confusion_{name}.png', f'{name}, PrivateTest')
    path = folder / f'reliability_{name}.png'
    draw_reliability(probabilities[clear], truth[clear], path, f'{name}, PrivateTest')


def print_tables(found: dict[str, dict[str, Metrics]]) -> None:
    """
    Print scores, a row each, a column for each method, intervals below the values.

    :param found: see `evaluate`.
    """
    for group, methods in found.items():
        table = Table(title=f'{group}: value, 95 % interval', show_lines=False)
        # Many methods leave little room: a score is told by its whole name.
        table.add_column('score', no_wrap=True)
        for method in methods:
            table.add_column(method.replace('_', ' '), justify='right', overflow='fold')
        names = dict.fromkeys(name for scores in methods.values() for name in scores)
        for name in names:
            cells = [_cell(scores.get(name)) for scores in methods.values()]
            table.add_row(name, *cells)
        terminal(190).print(table)


def _cell(metric: dict[str, float] | None) -> str:
    if metric is None:
        return '-'
    value, low, high = (f'{metric[key]:.4g}' for key in ('value', 'low', 'high'))
    return value if low == high else f'{value} [{low}, {high}]'


def known_scores(path: Path) -> dict[str, Any]:
    """
    Read what earlier calls found; a file that is damaged is named, and nothing taken from it.

    :param path: JSON of `evaluate`'s groups.
    """
    if not path.is_file():
        return {}
    try:
        return dict(json.loads(path.read_bytes()))
    except (TypeError, ValueError):
        print(f'{path} is damaged, and is written anew: earlier scores in it are lost.')
        return {}


def record(found: dict[str, dict[str, Metrics]]) -> None:
    """
    Write metrics into the metadata of the models that ship.

    :param found: see `evaluate`.
    """
    for name in MODELS:
        folder = sources.MODELS / name
        metadata = EmotionModel(folder).metadata
        metrics = dict(metadata.metrics)
        for group, methods in found.items():
            if name in methods:
                metrics[group] = methods[name]
                # The other methods of these groups answer in seven classes.
                if group != 'clips' and (name == THREE) == (group == 'report'):
                    before = metrics.get('baselines', {})
                    known = others_beside(name, {**before.get(group, {}), **methods})
                    metrics['baselines'] = {**before, group: known}
        write_metadata(folder, dataclasses.replace(metadata, metrics=metrics))


def others_beside(name: str, methods: dict[str, Metrics]) -> dict[str, Metrics]:
    """
    Choose the methods that stand beside a model: those that see what it sees, and other models.

    :param name: the model's.
    :param methods: scores by method, see `evaluate`.
    :returns: those of the other methods, by name.
    """
    of_basic = {
        one.removesuffix(OF_BLENDSHAPES) for one in methods if one.endswith(OF_BLENDSHAPES)
    }
    of_basic |= {one for one in methods if one.startswith('lstm_')}
    if name != BLENDSHAPES:
        left_out = {name, THREE, *(f'{one}{OF_BLENDSHAPES}' for one in of_basic)}
    else:
        left_out = {name, THREE, *of_basic}
    kept = {one: metrics for one, metrics in methods.items() if one not in left_out}
    return {one.removesuffix(OF_BLENDSHAPES): metrics for one, metrics in kept.items()}


@command
def main(arguments: list[str] | None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        '--split',
        choices=('public', 'private'),
        default='public',
        help='public for every choice; private once per release',
    )
    parser.add_argument(
        '--baselines', choices=BASELINES, default='all', help='what is scored beside the models'
    )
    parser.add_argument(
        '--record', action='store_true', help="write the scores into the models' metadata.json"
    )
    parser.add_argument(
        '--x',
        type=place,
        metavar='FOLDER',
        help='protocol X alone, on a folder of labelled pictures',
    )
    options = parser.parse_args(arguments)
    split = Split[options.split.upper()]
    draw = options.record and split is Split.PRIVATE
    for name in models_of_another_encoding(encoding_path()):
        print(
            f'{name} was learned with another {encoding_path().name} than the one that is there; '
            '`make train-cached` learns it with this one.'
        )
    if options.x:
        found = score_other_people(options.x, options.baselines)
    else:
        found = evaluate(split, options.baselines, draw)
    print_tables(found)
    path = Path(sources.OUT / 'evaluate.json')
    write_whole(path, json.dumps({**known_scores(path), **found}, indent=2).encode())
    print(f'Written to {path}')
    if options.record:
        record(found)
    return 0
