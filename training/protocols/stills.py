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

"""Protocols F7, P7 and R: photographs held constant over the window."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emotion_estimator.assets import ASSETS_VARIABLE
from emotion_estimator.emotion.decision import ClassPrior
from emotion_estimator.emotion.estimation import TemporalBuffer
from emotion_estimator.emotion.model import EmotionModel
from emotion_estimator.evaluation import classification_metrics as metrics
from emotion_estimator.evaluation.classification_metrics import Confusion, confusion
from emotion_estimator.evaluation.segment_statistics import Interval, bootstrap
from emotion_estimator.stamps import NS_PER_S
from training.datasets.pictures import LABELS, DataError, assets_folder
from training.stills import FER2013, HAPPY_UNKNOWN_SAD, Stills, truth_for
from training.windows import MAX_GAP_S, RATE_HZ, STEPS, WINDOW_S

Metrics = dict[str, dict[str, float]]
"""Score by name, each as value, low and high, see `Interval.rounded`."""


def still_probabilities(
    model: EmotionModel, stills: Stills, prior: str = 'training'
) -> NDArray[np.float64]:
    """
    Run the runtime's own buffer and model on each readable photograph held constant.

    :param stills: photographs with all features; unreadable ones give no row.
    :param prior: see `ClassPrior`.
    :returns: shape [readable, labels].
    """
    expected = model.metadata.prior(prior)
    return np.array([model.probabilities(window, expected) for window in _held(model, stills)])


def label_probabilities(model: EmotionModel, stills: Stills) -> NDArray[np.float64]:
    """
    Run them for the model's auxiliary head, in the vocabulary of FER2013's labels.

    :param model: a model that has one.
    :param stills: photographs with all features; unreadable ones give no row.
    :returns: shape [readable, 7].
    """
    return np.array([model.further(window, FER2013) for window in _held(model, stills)])


def _held(model: EmotionModel, stills: Stills) -> Iterator[NDArray[np.float32]]:
    """Fill the runtime's buffer with each readable photograph, held constant."""
    for values in stills.only(model.metadata.features).values[stills.readable[:, 0]]:
        buffer = TemporalBuffer(len(values), WINDOW_S, RATE_HZ, MAX_GAP_S)
        for step in range(STEPS):
            buffer.add(round(step * NS_PER_S / RATE_HZ), values)
        yield buffer.window()


def f7_scores(probabilities: NDArray[np.float64], stills: Stills) -> Metrics:
    """
    Score answers against FER2013's labels.

    :param probabilities: in the labels' vocabulary, of the readable photographs, shape
        [readable, 7].
    :param stills: all photographs of the split.
    :returns: by name; 'readable' counts readable photographs only, 'all' counts an unreadable one
        as wrong.
    """
    readable = stills.readable[:, 0]
    truth = stills.labels[readable]
    answers = probabilities.argmax(axis=1)
    right = answers == truth
    everywhere = np.zeros(len(stills), np.bool_)
    everywhere[readable] = right
    classes = len(LABELS)
    found = {
        'f7_accuracy_readable': bootstrap(np.mean, [right]),
        'f7_accuracy_all': bootstrap(np.mean, [everywhere]),
        'f7_macro_f1_readable': bootstrap(
            lambda a, t: metrics.macro_f1(a, t, classes), [answers, truth]
        ),
        'f7_cross_entropy': bootstrap(np.mean, [metrics.log_losses(probabilities, truth)]),
        'f7_ece': bootstrap(metrics.calibration_error, [probabilities, truth]),
        'coverage': bootstrap(np.mean, [readable]),
    }
    for number, name in enumerate(LABELS):
        if (truth == number).any():
            found[f'f7_recall_{name}'] = bootstrap(np.mean, [right[truth == number]])
            found[f'coverage_{name}'] = bootstrap(np.mean, [readable[stills.labels == number]])
    return {name: interval.rounded() for name, interval in found.items()}


def p7_scores(probabilities: NDArray[np.float64], stills: Stills) -> Metrics:
    """
    Score answers against the majority of FER+'s votes.

    :param probabilities: of the readable photographs, shape [readable, 7].
    :param stills: all photographs of the split.
    :returns: by name; only photographs with a majority for one of the classes count.
    :raises DataError: when there is none, see `truth_for`.
    """
    readable = stills.readable[:, 0]
    majority = truth_for(LABELS, stills)
    clear = majority[readable] >= 0
    truth, rated = majority[readable][clear], probabilities[clear]
    right = rated.argmax(axis=1) == truth
    everywhere = np.zeros(len(stills), np.bool_)
    everywhere[np.flatnonzero(readable)[clear]] = right
    shares = stills.vote_shares()[readable][clear]
    found = {
        'p7_accuracy_readable': bootstrap(np.mean, [right]),
        'p7_accuracy_all': bootstrap(np.mean, [everywhere[majority >= 0]]),
        'p7_macro_f1_readable': bootstrap(
            lambda a, t: metrics.macro_f1(a, t, len(LABELS)), [rated.argmax(axis=1), truth]
        ),
        'p7_cross_entropy': bootstrap(np.mean, [metrics.log_losses(rated, truth)]),
        'p7_cross_entropy_to_votes': bootstrap(np.mean, [metrics.log_losses(rated, shares)]),
        'p7_ece': bootstrap(metrics.calibration_error, [rated, truth]),
    }
    for number, name in enumerate(LABELS):
        if (truth == number).any():
            found[f'p7_recall_{name}'] = bootstrap(np.mean, [right[truth == number]])
    return {name: interval.rounded() for name, interval in found.items()}


def sure_scores(
    probabilities: NDArray[np.float64], stills: Stills, min_confidence: float
) -> Metrics:
    """
    Score only the answers that reach a probability, against the majority of the votes.

    :param probabilities: of the readable photographs, shape [readable, 7].
    :param stills: all photographs of the split.
    :param min_confidence: that probability.
    :returns: by name.
    """
    majority = stills.majority()[stills.readable[:, 0]]
    clear = majority >= 0
    answered = (probabilities.max(axis=1) >= min_confidence)[clear]
    right = (probabilities.argmax(axis=1) == majority)[clear]
    return {
        'min_confidence': dict.fromkeys(('value', 'low', 'high'), min_confidence),
        'sure_coverage': bootstrap(np.mean, [answered]).rounded(),
        'sure_accuracy': bootstrap(np.mean, [right[answered]]).rounded(),
    }


# Protocol R: the seed report's own test photographs, three classes.


REPORT_LABELS = HAPPY_UNKNOWN_SAD.names
UNKNOWN = REPORT_LABELS.index('unknown')
NO_PHOTOGRAPH = -1

REPORT_METRICS: dict[str, float] = {
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

    def fit(self, photographs: NDArray[np.int64], labels: NDArray[np.int64]) -> bool:
        """
        Tell whether photographs are those that the rows name: each must bear its row's label.

        :param photographs: their rows in FER2013.
        :param labels: index into `LABELS`.
        """
        borne = dict(zip(photographs.tolist(), HAPPY_UNKNOWN_SAD.labels(labels).tolist()))
        rows = zip(self.photographs[self.matched].tolist(), self.labels[self.matched].tolist())
        return all(borne.get(photograph) == label for photograph, label in rows)

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


def report_scores(
    probabilities: NDArray[np.float64],
    found: NDArray[np.bool_],
    report: ReportRows,
    training_shares: NDArray[np.float64],
    prior_of_rows: bool = False,
    temperature: float = 1.0,
) -> ReportScores:
    """
    Score the answers for all of the seed report's rows.

    A row without a match or without a face that can be read counts as answered 'unknown', with
    the shares of the training as its probabilities.

    :param probabilities: of the rows that were found, shape [M, 3], in `REPORT_LABELS`' order.
    :param found: whether a row's photograph could be read, shape [1646], M of them true.
    :param training_shares: of the classes among the targets of the training, shape [3].
    :param prior_of_rows: whether the method knows the rows' own class shares (`ClassPrior`);
        that is said wherever the scores are.
    :param temperature: by which the method divides its logits.
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
        rows = ','.join(f'{one}={share}' for one, share in zip(REPORT_LABELS, report.shares))
        shares = tuple(map(float, training_shares))
        whole = ClassPrior(rows, REPORT_LABELS, shares, temperature).applied(whole)
        whole[~found] = report.shares
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
