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

"""The seed report's steps on FER2013, in its order, into out/report."""

from __future__ import annotations

if __name__ == '__main__':  # before the imports, so that Ctrl-C ends them quietly
    from emotion_estimator import commands

    raise SystemExit(commands.run('training.commands.seed_report'))

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from emotion_estimator.blendshapes import NAMES
from emotion_estimator.files import write_whole
from training import sources
from training.commands import command, seed, terminal
from training.datasets.pictures import (
    LABELS,
    NO_LABEL,
    DataError,
    LabelledPictures,
    Pictures,
    Split,
    class_counts,
)
from training.extraction.views import NATIVE, X4_PAD25, View
from training.seed_report.blendshapes import (
    FLIPPED,
    draw_blendshapes,
    draw_information,
    draw_scatter,
    flip_agreement,
    flip_table,
    measure_relevance,
    names_where,
    relevance_table,
)
from training.seed_report.counts import (
    balance_counts,
    balance_table,
    balanced_rows,
    class_count_table,
    count_unreadable,
    readability_table,
    unreadable_sheet,
)
from training.seed_report.dataset import (
    BlendshapesDataset,
    write_class_files,
    write_dataset,
    write_test_index,
)
from training.seed_report.figures import LAYOUT, augmentation_sheet
from training.still_features import read_faces, read_faces_twice
from training.stills import HAPPY_UNKNOWN_SAD

QUICK = 1000
"""Photographs that are looked at to try the command."""

FLIP_SAMPLE = 1000
"""Photographs that are mirrored to see what swapping misses."""


@command
def main(arguments: list[str] | None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        '--quick', action='store_true', help=f'only {QUICK} photographs, to try it'
    )
    parser.add_argument(
        '--view',
        choices=(NATIVE.name, X4_PAD25.name),
        default=X4_PAD25.name,
        help='whose blendshapes are written as files: as the seed report prepares photographs, or '
        'as the training does',
    )
    parser.add_argument('--seed', type=seed, default=1, help='of the samples')
    options = parser.parse_args(arguments)
    start = time.monotonic()
    console = terminal()
    run(options.quick, options.view, options.seed, console)
    console.print(f'{time.monotonic() - start:.0f} s')
    return 0


def run(quick: bool, dataset_view: str, seed: int, console: Console) -> dict[str, Any]:
    """
    Take all steps.

    :param quick: whether only a sample of the photographs is looked at.
    :param dataset_view: the view whose blendshapes are written, of the two that are looked at.
    :returns: what was found, by step; it stands in `report.json` beside the files.
    :raises DataError: when photographs are missing.
    :raises AssetError: when MediaPipe's model cannot be had.
    """
    folder = sources.OUT / 'report' / ('quick' if quick else 'all')
    photographs = sources.read_photographs()
    pictures = photographs.pictures
    rows = np.arange(len(photographs))
    if quick:
        rows = np.sort(np.random.default_rng(seed).permutation(rows)[:QUICK])
    found: dict[str, Any] = {
        'photographs': len(rows),
        'class_counts': count_classes(photographs.select(rows), console),
    }
    native, enlarged, again = (
        look(photographs, rows, view, twice)
        for view, twice in ((NATIVE, False), (X4_PAD25, False), (X4_PAD25, True))
    )
    for each in (native, enlarged):
        labels = each.labels[each.training & each.readable & (each.labels != NO_LABEL)]
        if np.bincount(labels, minlength=1).max() < 2:
            raise DataError(
                'No two faces of one expression are found in the photographs of '
                f'{photographs.name}, split training, view {each.name}; nothing can be reported.'
            )
    seen = {each.name: each for each in (native, enlarged, again)}
    found['balanced'] = choose_balanced(native, console)
    found['unreadable'] = {
        name: count_readable(pictures, each, console, folder) for name, each in seen.items()
    }
    found['relevance'] = find_relevant(native, console, folder)
    augmentation_sheet(pictures, rows[enlarged.readable][: LAYOUT.rows], folder / 'augmented.png')
    found['flip'] = compare_flips(photographs, enlarged, console, seed)
    found['files'] = write_datasets(pictures, seen[dataset_view], console, folder)
    found['dataset_view'] = dataset_view
    write_whole(folder / 'report.json', (json.dumps(found, indent=1) + '\n').encode())
    console.print(f'Written: {folder / "report.json"}', soft_wrap=True)
    return found


@dataclass(frozen=True)
class SeenPhotographs:
    """
    N photographs as one view shows them to MediaPipe.

    :param twice: whether those without a face got retry detection.
    :param rows: positions among all photographs of the data set, shape [N].
    :param labels: indices into `LABELS` or `NO_LABEL`, shape [N].
    :param splits: a `Split` each, shape [N].
    :param readable: whether a face was found, shape [N].
    :param blendshapes: in [0, 1], shape [N, 52]; 0 where none was found.
    """

    view: View
    twice: bool
    rows: NDArray[np.int64]
    labels: NDArray[np.int64]
    splits: NDArray[np.int64]
    readable: NDArray[np.bool_]
    blendshapes: NDArray[np.float32]

    @property
    def name(self) -> str:
        """Names the view, and whether there was retry detection."""
        return f'{self.view.name}_twice' if self.twice else self.view.name

    @property
    def training(self) -> NDArray[np.bool_]:
        """Which of them are of the training split, shape [N]."""
        return np.asarray(self.splits == Split.TRAINING)


def look(
    photographs: LabelledPictures, rows: NDArray[np.int64], view: View, twice: bool = False
) -> SeenPhotographs:
    """
    Find the faces, or take what is kept of them.

    :param photographs: all photographs of the data set.
    :param rows: which of them, ascending.
    :param twice: whether those without a face get retry detection.
    :returns: those, in the order of the rows.
    """
    splits = photographs.splits[rows]
    readable = np.zeros(len(rows), np.bool_)
    blendshapes = np.zeros((len(rows), len(NAMES)), np.float32)
    # Whole splits one by one, as the training takes them: what that found is kept in blocks.
    whole = len(rows) == len(photographs)
    parts = [np.flatnonzero(splits == split) for split in Split] if whole else [slice(None)]
    for part in parts:
        faces = (read_faces_twice if twice else read_faces)(photographs.select(rows[part]), view)
        readable[part], blendshapes[part] = faces.readable, faces.blendshapes
    return SeenPhotographs(
        view, twice, rows, photographs.labels[rows], splits, readable, blendshapes
    )


def count_classes(photographs: LabelledPictures, console: Console) -> dict[str, Any]:
    """
    Count the photographs of each class and split (section 3).

    :returns: counts by class, in the order of `Split`.
    """
    counts = class_counts(photographs)
    console.print(class_count_table(counts))
    return dict(zip(LABELS, counts.tolist()))


def choose_balanced(seen: SeenPhotographs, console: Console) -> dict[str, Any]:
    """
    Choose training photographs per class as the seed report does (section 4.1).

    :returns: by class how many there are, are chosen and have a face.
    """
    labels, readable = seen.labels[seen.training], seen.readable[seen.training]
    counts = balance_counts(labels, balanced_rows(labels), readable)
    console.print(balance_table(counts))
    return dict(zip(LABELS, counts.tolist()))


def count_readable(
    pictures: Pictures, seen: SeenPhotographs, console: Console, folder: Path
) -> dict[str, Any]:
    """
    Count the photographs without a face, and draw them (section 4.2).

    :param pictures: all photographs of the data set.
    :param folder: gets the pages.
    :returns: by class how many have no face, in the order of `Split`.
    """
    counts = count_unreadable(seen.readable, seen.labels, seen.splits)
    table = readability_table(counts)
    table.title = f'{table.title}, view {seen.name} (section 4.2)'
    console.print(table)
    path = folder / f'unreadable_{seen.name}.png'
    title = f'photographs unreadable in view {seen.name}'
    _tell(console, unreadable_sheet(pictures, seen.rows[~seen.readable], path, title))
    return dict(zip(LABELS, counts.unreadable.T.tolist()))


def find_relevant(seen: SeenPhotographs, console: Console, folder: Path) -> dict[str, Any]:
    """
    Find which blendshapes matter, by the seed report's rule and by what they tell (section 4.3).

    :param seen: the photographs; the training split's with a face and a label count.
    :param folder: gets the plots.
    :returns: the rule's choice and what each blendshape tells.
    """
    used = seen.training & seen.readable & (seen.labels != NO_LABEL)
    blends, labels = seen.blendshapes[used], seen.labels[used]
    relevance = measure_relevance(blends, labels)
    console.print(relevance_table(relevance))
    draw_scatter(blends, folder / 'scatter.png')
    draw_information(relevance, folder / 'information.png')
    happy = int(np.argmax(labels == LABELS.index('happy')))
    title = f'photograph {seen.rows[used][happy]}, {LABELS[labels[happy]]}'
    draw_blendshapes(blends[happy], folder / 'blendshapes.png', title)
    _tell(console, [folder / f'{n}.png' for n in ('scatter', 'information', 'blendshapes')])
    return {
        'photographs': len(labels),
        'kept': names_where(relevance.kept),
        'overlooked': names_where(relevance.overlooked),
        'images': dict(zip(NAMES, relevance.images.tolist())),
        'about_label_nats': dict(zip(NAMES, relevance.about_label.round(4).tolist())),
        'about_sad_nats': dict(zip(NAMES, relevance.about_sad.round(4).tolist())),
    }


def write_datasets(
    pictures: Pictures, seen: SeenPhotographs, console: Console, folder: Path
) -> dict[str, Any]:
    """
    Write the blendshapes: whole, by class, the balanced choice, the test index (4.4, 4.6 to 4.8).

    :param pictures: all photographs of the data set.
    :param seen: those to write; the ones with a face are.
    :param folder: gets the files.
    :returns: number of photographs by file.
    """
    used = seen.readable
    dataset = BlendshapesDataset(
        seen.rows[used], seen.splits[used], seen.labels[used], seen.blendshapes[used]
    )
    whole = folder / 'blendshapes.csv'
    write_dataset(dataset, whole)
    training = np.flatnonzero(seen.training)
    chosen = training[balanced_rows(seen.labels[training])]
    chosen = chosen[used[chosen]]
    balanced = BlendshapesDataset(
        seen.rows[chosen],
        seen.splits[chosen],
        HAPPY_UNKNOWN_SAD.labels(seen.labels[chosen]),
        seen.blendshapes[chosen],
        HAPPY_UNKNOWN_SAD.names,
    )
    three = folder / 'balanced_training.csv'
    write_dataset(balanced, three, with_one_hot=True)
    classes = write_class_files(dataset, folder / 'classes')
    index = folder / 'test_index.csv'
    write_test_index(dataset, pictures, index)
    _tell(console, [whole, three, *classes, index])
    tested = int((dataset.splits == Split.PRIVATE).sum())
    return {whole.name: len(dataset), three.name: len(balanced), index.name: tested}


def compare_flips(
    photographs: LabelledPictures, seen: SeenPhotographs, console: Console, seed: int
) -> dict[str, Any]:
    """
    Compare swapped blendshapes with those of mirrored photographs (section 4.5).

    :param photographs: all photographs of the data set.
    :param seen: as `X4_PAD25` shows them.
    :returns: how far they agree, by blendshape.
    """
    readable = np.flatnonzero(seen.readable)
    sample = _drawn(readable, FLIP_SAMPLE, seed)
    mirrored = look(photographs, seen.rows[sample], FLIPPED)
    both = mirrored.readable
    agreement = flip_agreement(seen.blendshapes[sample][both], mirrored.blendshapes[both])
    console.print(flip_table(agreement))
    lost = int((~both).sum())
    console.print(f'In {lost} of {len(sample)} mirror images no face was found.')
    return {
        'photographs': agreement.photographs,
        'without_a_face_mirrored': lost,
        'blendshapes': agreement.as_dict(),
    }


def _drawn(rows: NDArray[np.int64], count: int, seed: int) -> NDArray[np.int64]:
    """Draw rows without repetition, ascending; all when there are fewer."""
    return np.sort(np.random.default_rng(seed).permutation(rows)[:count])


def _tell(console: Console, paths: Sequence[Path]) -> None:
    if paths:
        names = ', '.join(path.name for path in paths[1:4])
        rest = f', {names}{" ..." if len(paths) > 4 else ""}' if names else ''
        console.print(f'Written: {paths[0]}{rest} ({len(paths)} files)', soft_wrap=True)
