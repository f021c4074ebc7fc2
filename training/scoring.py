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

"""Scores models that ship, through the runtime's own code, and the baselines they must beat."""

from __future__ import annotations

import dataclasses
import pickle
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from emotion_estimator.emotion.decision import (
    DEFAULT_CLASS_PRIOR,
    DEFAULT_HYSTERESIS,
    DEFAULT_MIN_CONFIDENCE,
    Decider,
)
from emotion_estimator.emotion.model import EmotionModel, softmax
from emotion_estimator.evaluation.segment_statistics import bootstrap
from emotion_estimator.files import write_whole
from emotion_estimator.stamps import NS_PER_S
from training import sources
from training.datasets.pictures import LABELS
from training.fitting import Material, trained_network
from training.network import additive
from training.protocols.sequences import Track, buffer_windows, track_scores
from training.protocols.stills import (
    Metrics,
    ReportRows,
    f7_scores,
    label_probabilities,
    p7_scores,
    report_scores,
    still_probabilities,
    sure_scores,
)
from training.settings import Settings
from training.stills import HAPPY_UNKNOWN_SAD, Stills, truth_for
from training.windows import constant_windows, retimed

AS_TRAINED = (
    'p7_accuracy_readable',
    'p7_cross_entropy_to_votes',
    'p7_ece',
    's_accuracy_hysteresis',
    's_onset_to_stable_ms_hysteresis',
    's_false_switches_per_s_hysteresis',
)


def seven_class_scores(
    model: EmotionModel, stills: Stills, tracks: list[Track]
) -> tuple[Metrics, NDArray[np.float64]]:
    """
    Score a model of the seven classes on F7, P7 and S.

    :param stills: all photographs of a split, all features.
    :param tracks: sequences composed of them, with the model's features.
    :returns: the metrics with the class prior that ships; those of S with the decision's
        hysteresis end in '_hysteresis', some of P7 and S with the training's prior in
        '_as_trained'; and the probabilities of the readable photographs.
    """
    probabilities = still_probabilities(model, stills, DEFAULT_CLASS_PRIOR)
    as_trained = p7_scores(still_probabilities(model, stills), stills)
    as_trained |= sequence_scores(model, tracks, 'training')
    by_label = label_probabilities(model, stills)
    return {
        **f7_scores(by_label, stills),
        **p7_scores(probabilities, stills),
        **{f'{name}_as_trained': as_trained[name] for name in AS_TRAINED},
        **sure_scores(probabilities, stills, DEFAULT_MIN_CONFIDENCE),
        **sequence_scores(model, tracks),
        **network_latency(model),
    }, probabilities


def sequence_scores(
    model: EmotionModel, tracks: list[Track], prior: str = DEFAULT_CLASS_PRIOR
) -> Metrics:
    """
    Score a model on protocol S.

    :param tracks: sequences with the model's features, their truth in its classes.
    :param prior: see `ClassPrior`.
    :returns: the metrics; those with the decision's hysteresis end in '_hysteresis'.
    """
    over_time = [track_probabilities(model, track, prior) for track in tracks]
    labels = model.metadata.labels
    raw = track_scores(tracks, [rows.argmax(axis=1) for rows in over_time])
    decided = track_scores(
        tracks, [decisions(labels, rows, t.stamps_ns) for t, rows in zip(tracks, over_time)]
    )
    return {**raw, **{f'{name}_hysteresis': figure for name, figure in decided.items()}}


def report_metrics(
    probabilities: NDArray[np.float64],
    stills: Stills,
    report: ReportRows,
    training_shares: NDArray[np.float64],
    temperature: float = 1.0,
) -> Metrics:
    """
    Score answers in the seed report's three classes on its rows (protocol R).

    :param probabilities: of the readable photographs, shape [readable, 3].
    :param stills: all photographs of PrivateTest.
    :param training_shares: class shares of the training.
    :param temperature: by which the method divides its logits.
    :returns: by name; with the rows' own shares as prior those that end in '_prior'.
    """
    readable_rows = stills.rows[stills.readable[:, 0]]
    place = {int(row): position for position, row in enumerate(readable_rows)}
    found = np.array([int(row) in place for row in report.photographs])
    chosen = probabilities[[place[int(row)] for row in report.photographs[found]]]
    as_trained = report_scores(chosen, found, report, training_shares)
    of_rows = report_scores(chosen, found, report, training_shares, True, temperature)
    return {
        **as_trained.metrics(),
        **of_rows.metrics('_prior'),
        'coverage': bootstrap(np.mean, [found]).rounded(),
    }


def network_latency(model: EmotionModel, calls: int = 2000) -> Metrics:
    """
    Time the network with its softmax, on one thread.

    :param calls: how often it is called.
    :returns: median in milliseconds, with the best and the 95th percentile as its bounds.
    """
    values = np.full((1, len(model.metadata.features)), 0.3, np.float32)
    window = constant_windows(values)[0]
    times_ms = []
    for _ in range(calls):
        start = time.perf_counter()
        model.probabilities(window)
        times_ms.append(1000 * (time.perf_counter() - start))
    low, middle, high = np.percentile(times_ms, [0, 50, 95])
    return {
        'network_ms_p50': {
            'value': round(float(middle), 4),
            'low': round(float(low), 4),
            'high': round(float(high), 4),
        }
    }


def track_probabilities(
    model: EmotionModel, track: Track, prior: str = DEFAULT_CLASS_PRIOR
) -> NDArray[np.float64]:
    """
    Run a model over a sequence.

    :param prior: see `ClassPrior`.
    :returns: at each frame, shape [frames, labels].
    """
    expected = model.metadata.prior(prior)
    return np.array([model.probabilities(window, expected) for window in buffer_windows(track)])


def decisions(
    labels: tuple[str, ...], probabilities: NDArray[np.float64], stamps_ns: NDArray[np.int64]
) -> NDArray[np.int64]:
    """
    Decide frame by frame as the emotion node does, without 'unknown'.

    :param labels: of the model.
    :param probabilities: shape [frames, labels].
    :param stamps_ns: of the frames, shape [frames].
    :returns: index into the labels, shape [frames].
    """
    decider = Decider(labels, hysteresis=DEFAULT_HYSTERESIS)
    gaps_s = np.diff(stamps_ns, prepend=stamps_ns[0]) / NS_PER_S
    decided = (decider.decide(row, gap_s=gap_s) for row, gap_s in zip(probabilities, gaps_s))
    return np.array([labels.index(decision.label) for decision in decided])


Frames = NDArray[np.float32]
FrameClassifier = Callable[[Frames], NDArray[np.float64]]
"""From features [N, F] to probabilities of `LABELS`, [N, 7]; 0 of a class that was not learned."""

SEED = 1


def frame_classifiers(values: Frames, labels: NDArray[np.int64]) -> dict[str, FrameClassifier]:
    """
    Fit the baselines, or take what was fitted before.

    :param values: features of the training photographs, shape [N, F], the blendshapes first.
    :param labels: indices into `LABELS`, shape [N].
    :returns: by name: constant, logistic regression, gradient boosting, dense network.
    """
    key = sources.content_key('baselines', values, labels)
    kept = sources.OUT / 'training' / f'baselines-{key}.pickle'
    try:
        estimators = pickle.loads(kept.read_bytes())
    # There is none, or it is damaged, of which pickle complains in many ways.
    except Exception:
        estimators = {name: make(values, labels) for name, make in _MAKERS.items()}
        write_whole(kept, pickle.dumps(estimators))
    return {name: partial(_probabilities, estimator) for name, estimator in estimators.items()}


def _probabilities(estimator: Any, values: Frames) -> NDArray[np.float64]:
    found = np.zeros((len(values), len(LABELS)))
    found[:, estimator.classes_] = estimator.predict_proba(values)
    return found


class Constant:
    """
    Answers with the training shares, whatever it sees.

    :param values: not looked at.
    :param labels: the training labels.
    """

    def __init__(self, values: Frames, labels: NDArray[np.int64]) -> None:
        self.classes_, counts = np.unique(labels, return_counts=True)
        self._shares = counts / len(labels)

    def predict_proba(self, values: Frames) -> NDArray[np.float64]:
        """
        Answer.

        :param values: shape [N, F].
        :returns: of `classes_`, shape [N, classes].
        """
        return np.tile(self._shares, (len(values), 1))


def _logistic(values: Frames, labels: NDArray[np.int64]) -> object:
    model = LogisticRegression(C=0.1, max_iter=500)
    return make_pipeline(FunctionTransformer(additive), StandardScaler(), model).fit(
        values, labels
    )


def _boosting(values: Frames, labels: NDArray[np.int64]) -> object:
    return HistGradientBoostingClassifier(
        learning_rate=0.1, max_iter=120, l2_regularization=1.0, random_state=SEED
    ).fit(values, labels)


def _dense(values: Frames, labels: NDArray[np.int64]) -> object:
    counts = np.unique(labels, return_counts=True)[1]
    # To stop early it holds out a tenth, with each class in either part.
    stops = bool(counts.min() > 1 and len(labels) >= 10 * len(counts))
    model = MLPClassifier(
        (128, 64), alpha=1e-2, early_stopping=stops, n_iter_no_change=8, random_state=SEED
    )
    return make_pipeline(FunctionTransformer(additive), StandardScaler(), model).fit(
        values, labels
    )


_MAKERS: dict[str, Callable[[Frames, NDArray[np.int64]], object]] = {
    'constant': Constant,
    'logistic_regression': _logistic,
    'gradient_boosting': _boosting,
    'dense_network': _dense,
}

SHUFFLE_SEED = 7


def vote_classifiers(material: Material, features: tuple[str, ...]) -> dict[str, FrameClassifier]:
    """
    Fit the baselines to the majority of the votes, see `frame_classifiers`.

    :param features: what they see.
    """
    learned = material.training.only(features)
    majority = truth_for(LABELS, learned)
    clear = majority >= 0
    return frame_classifiers(learned.values[clear], majority[clear])


def frame_scores(
    material: Material, stills: Stills, tracks: list[Track], features: tuple[str, ...]
) -> dict[str, Metrics]:
    """
    Score classifiers of single frames: on sequences, the raw argmax per frame.

    For F7 they learn FER2013's labels, for P7 and S the majority of the votes.

    :param stills: all photographs of a split, all features.
    :param tracks: sequences composed of them.
    :param features: what they and the tracks see.
    :returns: metrics by baseline.
    """
    learned = material.training.only(features)
    by_label = frame_classifiers(learned.values, learned.labels)
    seen = stills.only(features).values[stills.readable[:, 0]]
    found = {}
    for name, classify in vote_classifiers(material, features).items():
        answers = [classify(track.values).argmax(axis=1) for track in tracks]
        found[name] = {
            **f7_scores(by_label[name](seen), stills),
            **p7_scores(classify(seen), stills),
            **track_scores(tracks, answers),
        }
    return found


WindowClassifier = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""From windows [N, STEPS, F + 1] to the logits of all outputs, shape [N, outputs]."""


def timeless_classifiers(settings: Settings, material: Material) -> dict[str, WindowClassifier]:
    """
    Train (once) the same network without time.

    :param settings: those of the model that ships.
    :returns: `lstm_shuffled_time` and `lstm_mean_pooled`.
    """
    rng = np.random.default_rng(SHUFFLE_SEED)
    found: dict[str, WindowClassifier] = {}
    for name, kind in (('lstm_shuffled_time', 'shuffled'), ('lstm_mean_pooled', 'pooled')):
        network = trained_network(dataclasses.replace(settings, time=kind), material)

        def logits_of(
            windows: NDArray[np.float32], network: Any = network, kind: str = kind
        ) -> NDArray[np.float32]:
            logits = network.predict(retimed(windows, kind, rng), batch_size=1024, verbose=0)
            return np.asarray(logits, np.float32)

        found[name] = logits_of
    return found


def timeless_scores(
    settings: Settings, material: Material, stills: Stills, tracks: list[Track]
) -> dict[str, Metrics]:
    """
    Score the networks of `timeless_classifiers`.

    :param stills: all photographs of a split, all features.
    :param tracks: sequences composed of them.
    :returns: metrics by name.
    """
    features = settings.features(stills.features)
    held = constant_windows(stills.only(features).values[stills.readable[:, 0]])
    found = {}
    for name, logits_of in timeless_classifiers(settings, material).items():
        # The last two answers: the votes as they are, FER2013's label.
        by_vote, by_label = np.split(logits_of(held).astype(np.float64), 3, axis=1)[1:]
        over_time = [np.split(logits_of(buffer_windows(track)), 3, axis=1) for track in tracks]
        answers = [votes.argmax(axis=1) for _, votes, _ in over_time]
        found[name] = {
            **f7_scores(softmax(by_label), stills),
            **p7_scores(softmax(by_vote), stills),
            **track_scores(tracks, answers),
        }
    return found


def report_baselines(
    material: Material, private: Stills, report: ReportRows, features: tuple[str, ...]
) -> dict[str, Metrics]:
    """
    Score classifiers of single frames on the seed report's rows, learning FER2013's labels.

    :param private: all photographs of PrivateTest, all features.
    :param features: what they see.
    :returns: metrics by baseline.
    """
    learned = material.training.only(features)
    shares = np.bincount(HAPPY_UNKNOWN_SAD.labels(learned.labels)) / len(learned)
    seen = private.only(features).values[private.readable[:, 0]]
    return {
        name: report_metrics(
            HAPPY_UNKNOWN_SAD.probabilities(classify(seen)), private, report, shares
        )
        for name, classify in frame_classifiers(learned.values, learned.labels).items()
    }
