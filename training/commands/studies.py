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

"""Studies of the models: seeds, groups of features, far faces, repeats, thresholds, errors."""

from __future__ import annotations

if __name__ == '__main__':  # before the imports, so that Ctrl-C ends them quietly
    from emotion_estimator import commands

    raise SystemExit(commands.run('training.commands.studies'))

import argparse
import dataclasses
import json
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from emotion_estimator.blendshapes import NAMES
from emotion_estimator.commands import place
from emotion_estimator.emotion.decision import DEFAULT_CLASS_PRIOR
from emotion_estimator.emotion.model import EmotionModel
from emotion_estimator.evaluation.classification_metrics import (
    Confusion,
    confusion,
    recalls,
    risk_coverage,
)
from emotion_estimator.files import find_model, write_whole
from training import sources
from training.commands import command, terminal
from training.commands.evaluate import tracks_of
from training.commands.train import train
from training.datasets.pictures import LABELS, NEUTRAL, DataError, PeoplesPictures, Pictures, Split
from training.export import write_metadata
from training.extraction.views import FRAMED, X4_PAD25, ViewedPictures
from training.fitting import read_material
from training.protocols.other_people import find_held_faces, held_probabilities, truth_of
from training.protocols.stills import (
    f7_scores,
    label_probabilities,
    p7_scores,
    still_probabilities,
)
from training.scoring import frame_classifiers, seven_class_scores
from training.seed_report.figures import class_table, draw_confusion, error_sheet
from training.settings import MODELS, Phase
from training.still_features import (
    read_faces_twice,
    read_far_stills,
    read_stills,
    rows_to_learn_from,
    stand_in_a_test_split,
)
from training.stills import POSITIVE_NEGATIVE, Stills, truth_for
from training.windows import STEPS

TRAININGS = 3
SPREAD = (
    'f7_accuracy_readable',
    'p7_accuracy_readable',
    'p7_ece',
    's_accuracy',
    's_accuracy_hysteresis',
    's_false_switches_per_s_hysteresis',
)


def seeds(options: argparse.Namespace) -> None:
    """Train a model with three seeds and print how much its metrics differ."""
    spread: dict[str, list[float]] = {name: [] for name in SPREAD}
    material = read_material()
    # Each training's networks have seeds of their own.
    firsts = [1 + number * MODELS[options.model].members for number in range(TRAININGS)]
    for seed in firsts:
        settings = dataclasses.replace(MODELS[options.model], seed=seed)
        with tempfile.TemporaryDirectory() as folder:
            model = train(options.model, settings, material, Path(folder, options.model))
        tracks = tracks_of(material.public, model.metadata.features)
        scored = seven_class_scores(model, material.public, tracks)[0]
        for name in SPREAD:
            spread[name].append(scored[name]['value'])
    table = Table('score', *(f'seed {seed}' for seed in firsts), title='PublicTest')
    for name, values in spread.items():
        table.add_row(name, *(f'{value:.4f}' for value in values))
    terminal().print(table)
    if options.record:
        folder_of = sources.MODELS / options.model
        metadata = EmotionModel(folder_of).metadata
        metrics = {**metadata.metrics, 'spread': {'public': spread}}
        write_metadata(folder_of, dataclasses.replace(metadata, metrics=metrics))


GROUPS: tuple[tuple[str, ...], ...] = (
    (),
    ('head',),
    ('geometry',),
    ('appearance',),
    ('geometry', 'appearance'),
    ('head', 'geometry', 'appearance'),
)
PHASES = (Phase(15, 4, 512), Phase(4, STEPS, 256))
"""Half of the model's own: the rows compare with each other, in half the time."""

ABLATION = ('p7_accuracy_readable', 'f7_accuracy_readable', 's_accuracy_hysteresis')


def ablation(_: argparse.Namespace) -> None:
    """Train basic7 with the blendshapes and each choice of further groups of features."""
    found: dict[str, dict[str, float]] = {}
    material = read_material()
    for groups in GROUPS:
        settings = dataclasses.replace(MODELS['basic7'], groups=groups, phases=PHASES)
        with tempfile.TemporaryDirectory() as folder:
            model = train('basic7', settings, material, Path(folder, 'basic7'))
        tracks = tracks_of(material.public, model.metadata.features)
        scored = seven_class_scores(model, material.public, tracks)[0]
        name = ' + '.join(('blendshapes', *groups))
        found[name] = {column: scored[column]['value'] for column in ABLATION}
    table = Table('features', *ABLATION, title='PublicTest')
    for name, scores in found.items():
        table.add_row(name, *(f'{scores[column]:.4f}' for column in ABLATION))
    terminal().print(table)
    write_whole(sources.OUT / 'feature_ablation.json', json.dumps(found, indent=2).encode())


SEVEN_CLASS_MODELS = ('basic7', 'basic7_blendshapes')
FAR = (
    'coverage',
    'p7_accuracy_readable',
    'p7_ece',
    'p7_recall_happy',
    'p7_recall_neutral',
    'f7_accuracy_readable',
)


def still_scores(model: EmotionModel, stills: Stills) -> dict[str, float]:
    """
    Score a model on stills held constant.

    :param model: of the seven classes.
    :param stills: all photographs of a split, all features.
    :returns: `FAR`, see `f7_scores` and `p7_scores`.
    """
    by_label = f7_scores(label_probabilities(model, stills), stills)
    scores = {**by_label, **p7_scores(still_probabilities(model, stills), stills)}
    return {column: scores[column]['value'] for column in FAR}


def far_faces(_: argparse.Namespace) -> None:
    """Score the models that ship on PublicTest as it is, and as though its faces were far away."""
    found: dict[str, dict[str, float]] = {}
    looks = {'as it is': read_stills(Split.PUBLIC), 'far': read_far_stills(Split.PUBLIC)}
    for name in SEVEN_CLASS_MODELS:
        model = EmotionModel(sources.MODELS / name)
        for seen, stills in looks.items():
            found[f'{name}, {seen}'] = still_scores(model, stills)
    table = Table('model, faces', *FAR, title='PublicTest')
    for name, scores in found.items():
        table.add_row(name, *(f'{scores[column]:.4f}' for column in FAR))
    terminal(140).print(table)
    write_whole(sources.OUT / 'far_faces.json', json.dumps(found, indent=2).encode())


def repeated(_: argparse.Namespace) -> None:
    """
    Teach boosting FER2013's labels with and without photographs that stand in a test split too.

    FER2013's training split holds photographs that stand pixel for pixel in its test splits.
    Training leaves them out; metrics of others that keep them cannot be compared with ours.
    """
    method = 'gradient_boosting'
    columns = 'public readable', 'public all', 'private readable', 'private all'
    table = Table('from', 'of', *columns, title=f'{method} on blendshapes, F7 accuracy')
    tests = [read_stills(split).only(NAMES) for split in (Split.PUBLIC, Split.PRIVATE)]
    repeated = stand_in_a_test_split()
    whole = read_stills(Split.TRAINING).only(NAMES)
    rows = rows_to_learn_from(whole)
    # Of FER2013 alone; what else is learned from stands behind.
    learned = whole.select(rows[rows < len(repeated)])
    whole = whole.select(np.arange(len(repeated)))
    for name, stills in (
        ('all readable', whole.select(whole.readable[:, 0])),
        ('without repeated', whole.select(whole.readable[:, 0] & ~repeated)),
        ('nor doubtful', learned),
    ):
        classify = frame_classifiers(stills.values, stills.labels)[method]
        cells = []
        for test in tests:
            scores = f7_scores(classify(test.values[test.readable[:, 0]]), test)
            cells += [scores[f'f7_accuracy_{kind}']['value'] for kind in ('readable', 'all')]
        table.add_row(name, str(len(stills)), *(f'{cell:.3f}' for cell in cells))
    terminal().print(table)


THRESHOLDS = (0.0, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6)


def thresholds(_: argparse.Namespace) -> None:
    """
    Print what a least probability and a class prior do, on PublicTest and other people's pictures.

    Of the faces found: share answered, share of the answers that are right, mean recall, recall of
    neutral faces; where there is no answer it counts as wrong in the recalls.
    """
    public = read_stills(Split.PUBLIC)
    clear = public.select(public.readable[:, 0] & (truth_for(LABELS, public) >= 0))
    others: dict[str, PeoplesPictures] = {}
    try:
        others = sources.read_other_people()
    except DataError as error:
        print(f'PublicTest stands alone: {error}')
    for name in SEVEN_CLASS_MODELS:
        model = EmotionModel(sources.MODELS / name)
        features = model.metadata.features
        sets = {'PublicTest': (clear.only(features).values, clear.majority())}
        for people, pictures in others.items():
            faces = find_held_faces(pictures.photographs.pictures)
            sets[people] = (faces.only(features), pictures.photographs.labels[faces.found])
        for prior in ('training', 'model', 'uniform'):
            classify = held_probabilities(model, prior)
            answered = {n: (classify(values), labels) for n, (values, labels) in sets.items()}
            terminal(140).print(_threshold_table(f'{name}, class_prior: {prior}', answered))


def _threshold_table(
    title: str, answered: dict[str, tuple[NDArray[np.float64], NDArray[np.int64]]]
) -> Table:
    table = Table('least probability', title=f'{title}: answered, right, mean recall, neutral')
    for people in answered:
        table.add_column(people, justify='right')
    for threshold in THRESHOLDS:
        cells = []
        for likely, labels in answered.values():
            answers = np.where(likely.max(axis=1) >= threshold, likely.argmax(axis=1), -1)
            found = recalls(answers, labels, len(LABELS))
            figures = *risk_coverage(likely, labels, threshold), np.nanmean(found), found[NEUTRAL]
            cells.append(' '.join(f'{figure:.3f}' for figure in figures))
        table.add_row(f'{threshold:g}', *cells)
    return table


def matrix_table(found: Confusion, title: str) -> Table:
    """
    Lay a confusion matrix out for a terminal.

    :returns: a line for each truth, a column for each answer.
    """
    table = Table(title=title)
    table.add_column('truth \\ answer')
    for name in found.names:
        table.add_column(name, justify='right')
    for index, (name, line) in enumerate(zip(found.names, found.counts)):
        cells = [str(count) for count in line]
        cells[index] = f'[bold]{cells[index]}[/bold]'
        table.add_row(name, *cells)
    return table


def analyse_errors(
    model: EmotionModel, stills: Stills, split: Split, console: Console, folder: Path
) -> list[Path]:
    """
    Print what is taken for what, and draw the wrong answers with their landmarks.

    Unreadable photographs, to which the robot gives no answer, and those without a truth do not
    count.

    :param stills: all photographs of the split, all features.
    :param folder: gets the pages and the drawn matrix.
    :raises DataError: when photographs are missing, or the classes are not known.
    """
    photographs = sources.read_photographs()
    # What else is learned from stands behind those of the training split.
    stills = stills.select(np.arange((photographs.splits == split).sum()))
    truth = truth_for(model.metadata.labels, stills)
    counted = stills.readable[:, 0] & (truth >= 0)
    probabilities = still_probabilities(model, stills.select(counted), DEFAULT_CLASS_PRIOR)
    rows = np.flatnonzero(photographs.splits == split)[counted]
    outlines = read_faces_twice(photographs.split(split), X4_PAD25).outlines()[counted]
    pictures = ViewedPictures(photographs.pictures, X4_PAD25)
    answered = Answered(rows, probabilities, truth[counted], outlines)
    return _draw_errors(model, answered, pictures, split.name.lower(), console, folder)


class Answered(NamedTuple):
    """N answers to pictures of a data set, see `error_sheet`."""

    rows: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    truth: NDArray[np.int64]
    landmarks: NDArray[np.float32]


def _draw_errors(
    model: EmotionModel,
    answered: Answered,
    pictures: Pictures,
    place: str,
    console: Console,
    folder: Path,
) -> list[Path]:
    name, labels = model.metadata.name, model.metadata.labels
    _, probabilities, truth, _ = answered
    where = f'{name}, {place}'.encode(errors='replace').decode()  # a folder's name may be no UTF-8
    found = confusion(probabilities.argmax(axis=1), truth, labels)
    console.print(matrix_table(found, f'{where}: {len(truth)} photographs'))
    console.print(class_table(found, where))
    if labels == LABELS:
        coarse = POSITIVE_NEGATIVE.probabilities(probabilities).argmax(axis=1)
        two = confusion(coarse, POSITIVE_NEGATIVE.labels(truth), POSITIVE_NEGATIVE.names)
        console.print(matrix_table(two, f'{where}: positive or negative (section 7)'))
        console.print(class_table(two, f'{where}: positive or negative'))
    sheet, matrix = (folder / f'{name}_{place}{end}.png' for end in ('', '_confusion'))
    draw_confusion(found, matrix, where)
    return [matrix, *error_sheet(pictures, *answered, sheet, labels)]


def errors(options: argparse.Namespace) -> None:
    """Print which photographs a model answers wrongly, and draw them."""
    split = Split[options.split.upper()]
    console, folder = terminal(), sources.OUT / 'errors'
    model = EmotionModel(find_model(options.model))
    if options.x:
        sets = sources.read_other_people(options.x).items()
        pages = {one[0]: analyse_other_people(model, *one, console, folder) for one in sets}
    else:
        pages = {split.name: analyse_errors(model, read_stills(split), split, console, folder)}
    for written in filter(None, pages.values()):
        console.print(f'Written: {written[0]} and {len(written) - 1} pages', soft_wrap=True)
    if unseen := [name for name, written in pages.items() if not written]:
        raise DataError(f'No face is found in any picture of {", ".join(unseen)}.')


def analyse_other_people(
    model: EmotionModel, name: str, pictures: PeoplesPictures, console: Console, folder: Path
) -> list[Path]:
    """Print and draw the same of other people's faces, as a robot sees them; without any, []."""
    faces = find_held_faces(pictures.photographs.pictures)
    if not faces.found.any():
        return []
    seen = ViewedPictures(pictures.photographs.pictures, FRAMED)
    rows = np.flatnonzero(faces.found)
    truth = truth_of(pictures.photographs.labels[rows], model.metadata.labels)
    probabilities = held_probabilities(model)(faces.only(model.metadata.features))
    corners = faces.boxes[rows][:, [[0, 1], [2, 1], [0, 3], [2, 3]]]
    answered = Answered(rows, probabilities, truth, corners)
    return _draw_errors(model, answered, seen, name, console, folder)


STUDIES = {
    'seeds': seeds,
    'ablation': ablation,
    'far-faces': far_faces,
    'repeated': repeated,
    'thresholds': thresholds,
    'errors': errors,
}


@command
def main(arguments: list[str] | None) -> int:
    """Run a study."""
    parser = argparse.ArgumentParser(description=__doc__)
    studies = parser.add_subparsers(dest='study', required=True)
    for name, study in STUDIES.items():
        doc = (study.__doc__ or '').strip().splitlines()[0]
        command = studies.add_parser(name, help=doc, description=doc)
        if study is seeds:
            command.add_argument('--model', choices=SEVEN_CLASS_MODELS, default='basic7')
            command.add_argument('--record', action='store_true', help='write into metadata.json')
        elif study is errors:
            command.add_argument('--model', default='basic7', help='name or path of its folder')
            command.add_argument(
                '--split', choices=[split.name.lower() for split in Split], default='public'
            )
            command.add_argument(
                '--x', type=place, metavar='FOLDER', help='of labelled pictures, not of a split'
            )
    options = parser.parse_args(arguments)
    STUDIES[options.study](options)
    return 0
