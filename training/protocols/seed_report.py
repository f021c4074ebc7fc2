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

"""Protocol R: the seed report's own test photographs, three classes."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emotion_estimator.assets import ASSETS_VARIABLE
from emotion_estimator.evaluation import classification_metrics as metrics
from emotion_estimator.evaluation.bootstrap import Interval, bootstrap
from emotion_estimator.evaluation.classification_metrics import Confusion, confusion
from training.datasets.labels import DataError, assets_folder
from training.stills import HAPPY_UNKNOWN_SAD

REPORT_LABELS = HAPPY_UNKNOWN_SAD.names
UNKNOWN = REPORT_LABELS.index('unknown')
NO_PHOTOGRAPH = -1

REPORT_FIGURES: dict[str, float] = {
    'r_accuracy': 0.7199,
    'r_macro_f1': 0.6298,
    'r_cross_entropy': 0.6235,
}
"""What the seed report states in its chapter 6, under the names of `ReportScores.metrics`."""

_FILE_ROWS = 1647
_LEFT_OUT = 1
"""The seed report's metrics leave out the first row of its test file."""

_COLUMNS = ('report_row', 'fer2013_row', 'report_label')


@dataclass(frozen=True)
class ReportRows:
    """
    The rows that the seed report's metrics count, in its order.

    :param photographs: row in fer2013.npz, shape [1646]; -1 where the seed report's blendshapes
        match no photograph. A photograph can occur twice.
    :param labels: index into `REPORT_LABELS`, shape [1646].
    """

    photographs: NDArray[np.int64]
    labels: NDArray[np.int64]

    @property
    def matched(self) -> NDArray[np.bool_]:
        """Whether a row's photograph is known, shape [1646]."""
        return np.asarray(self.photographs != NO_PHOTOGRAPH)

    @property
    def shares(self) -> NDArray[np.float64]:
        """Share of each class among the rows, shape [3]."""
        return np.bincount(self.labels, minlength=len(REPORT_LABELS)) / len(self.labels)


@dataclass(frozen=True)
class ReportScores:
    """
    Scores of one method at one operating point: all of the same probabilities.

    :param accuracy: share of the rows answered rightly.
    :param macro_f1: mean over the three classes of F1.
    :param cross_entropy: in nats.
    :param recalls: of each of `REPORT_LABELS`.
    :param confusion: which classes are taken for which.
    """

    accuracy: Interval
    macro_f1: Interval
    cross_entropy: Interval
    recalls: tuple[Interval, ...]
    confusion: Confusion

    def metrics(self, suffix: str = '') -> dict[str, dict[str, float]]:
        """
        Write the scores the way a model folder's metrics do.

        :param suffix: behind each name, such as '_prior' for scores with the rows' own shares.
        :returns: by name.
        """
        found = {
            'r_accuracy': self.accuracy,
            'r_macro_f1': self.macro_f1,
            'r_cross_entropy': self.cross_entropy,
            **{f'r_recall_{name}': one for name, one in zip(REPORT_LABELS, self.recalls)},
        }
        return {f'{name}{suffix}': score.rounded() for name, score in found.items()}


def read_matched_rows(path: Path | None = None) -> ReportRows:
    """
    Read which photographs the seed report was tested on.

    :param path: the table; None takes it from the assets folder.
    :returns: all rows but the first, which the seed report's metrics leave out.
    :raises DataError: naming the file and line, when it is missing, cut or damaged.
    """
    path = path or assets_folder() / 'report' / 'report_test_rows.csv'
    try:
        text = path.read_text(encoding='utf-8')
    except FileNotFoundError:
        raise DataError(
            f'{path} does not exist; name the folder that holds report/{path.name} with '
            f'{ASSETS_VARIABLE}.'
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f'{path} cannot be read as a table: {error}') from error
    lines = csv.DictReader(text.splitlines())
    missing = [name for name in _COLUMNS if name not in (lines.fieldnames or ())]
    if missing:
        raise DataError(f'{path} lacks the column {", ".join(missing)} in its first line.')
    rows = [_checked(path, index, line) for index, line in enumerate(lines)]
    if len(rows) != _FILE_ROWS:
        raise DataError(
            f'{path} holds {len(rows)} rows, not the {_FILE_ROWS} of the seed report; '
            'copy it again.'
        )
    table = np.array(rows[_LEFT_OUT:], np.int64)
    return ReportRows(photographs=table[:, 0], labels=table[:, 1])


def _checked(path: Path, index: int, line: dict[str, str]) -> tuple[int, int]:
    try:
        number, photograph, label = (int(line[name]) for name in _COLUMNS)
    except (TypeError, ValueError):
        number, photograph, label = -1, 0, -1
    if number != index or photograph < NO_PHOTOGRAPH or not 0 <= label < len(REPORT_LABELS):
        raise DataError(
            f'{path}, line {index + 2}: expected report_row {index}, a fer2013_row from '
            f'{NO_PHOTOGRAPH} on and a report_label from 0 to {len(REPORT_LABELS) - 1}, not '
            f'{[line.get(name) for name in _COLUMNS]}.'
        )
    return photograph, label


def with_prior(
    probabilities: NDArray[np.float64],
    training_shares: NDArray[np.float64],
    shares: NDArray[np.float64],
) -> NDArray[np.float64]:
    """
    Move probabilities to class shares other than those of the training.

    M. Saerens, P. Latinne, C. Decaestecker, "Adjusting the outputs of a classifier to new a
    priori probabilities: a simple procedure", Neural Computation 14 (2002), 21-41: each class
    times the ratio of its shares, then to a sum of 1.

    :param probabilities: shape [N, classes], rows summing to 1.
    :param training_shares: of the classes among the targets of the training, shape [classes],
        all above 0.
    :param shares: of the classes where the classifier is used, shape [classes].
    :returns: shape [N, classes], rows summing to 1.
    :raises ValueError: when the training lacked a class.
    """
    if not (training_shares > 0).all():
        raise ValueError(
            f'Each class needs a share above 0 in the training, but they are {training_shares}.'
        )
    moved = probabilities * (shares / training_shares)
    return np.asarray(moved / moved.sum(axis=1, keepdims=True))


def report_scores(
    probabilities: NDArray[np.float64],
    found: NDArray[np.bool_],
    report: ReportRows,
    training_shares: NDArray[np.float64],
    prior_of_rows: bool = False,
) -> ReportScores:
    """
    Score the answers for all of the seed report's rows.

    A row without a match or without a face that can be read counts as answered 'unknown', with
    the shares of the training as its probabilities.

    :param probabilities: of the rows that were found, shape [M, 3], in `REPORT_LABELS`' order.
    :param found: whether a row's photograph could be read, shape [1646], M of them true.
    :param training_shares: of the classes among the targets of the training, shape [3].
    :param prior_of_rows: whether the method knows the rows' own class shares (`with_prior`);
        that is said wherever the scores are.
    :raises ValueError: when the numbers of rows do not fit, or a row without a photograph is
        said to be found.
    """
    if found.shape != report.labels.shape or len(probabilities) != found.sum():
        raise ValueError(
            f'{len(probabilities)} rows of probabilities and {found.sum()} of {len(found)} rows '
            f'found do not fit the {len(report.labels)} rows of the seed report.'
        )
    if (found & ~report.matched).any():
        raise ValueError('A row of the seed report without a photograph cannot have been found.')
    classes = len(REPORT_LABELS)
    whole = np.tile(np.asarray(training_shares, np.float64), (len(found), 1))
    whole[found] = probabilities
    if prior_of_rows:
        whole = with_prior(whole, training_shares, report.shares)
    answers, labels = np.where(found, whole.argmax(axis=1), UNKNOWN), report.labels
    return ReportScores(
        accuracy=bootstrap(np.mean, [answers == labels]),
        macro_f1=bootstrap(lambda a, t: metrics.macro_f1(a, t, classes), [answers, labels]),
        cross_entropy=bootstrap(np.mean, [metrics.log_losses(whole, labels)]),
        recalls=tuple(_recall(answers, labels, one) for one in range(classes)),
        confusion=confusion(answers, labels, REPORT_LABELS),
    )


def _recall(answers: NDArray[np.int64], labels: NDArray[np.int64], one: int) -> Interval:
    classes = len(REPORT_LABELS)
    return bootstrap(lambda a, t: float(metrics.recalls(a, t, classes)[one]), [answers, labels])
