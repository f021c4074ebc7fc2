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

"""Baselines, scored by the same protocols as the models that ship."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from emotion_estimator.emotion.emotion_model import softmax
from training.baselines import frame_classifiers
from training.fitting import Material, trained_network
from training.label_maps import HAPPY_UNKNOWN_SAD
from training.report_protocol import ReportRows
from training.scored_models import report_figures
from training.sequence_protocol import Track, buffer_windows, track_scores
from training.settings import Settings
from training.still_protocols import Figures, f7_scores, p7_scores
from training.stills import Stills
from training.time_ablation import retimed
from training.window_resampling import constant_windows

SEED = 7


def frame_scores(
    material: Material, stills: Stills, tracks: list[Track], features: tuple[str, ...]
) -> dict[str, Figures]:
    """
    Score classifiers of single frames: on sequences, the raw argmax per frame.

    For F7 they learn FER2013's labels, for P7 and S the majority of the votes.

    :param material: what they learn from.
    :param stills: all photographs of a split, all features.
    :param tracks: sequences composed of them.
    :param features: what they and the tracks see.
    :returns: figures by baseline.
    """
    learned = material.training.only(features)
    majority = learned.majority()
    clear = majority >= 0
    by_label = frame_classifiers(learned.values, learned.labels)
    by_vote = frame_classifiers(learned.values[clear], majority[clear])
    seen = stills.only(features).values[stills.readable[:, 0]]
    found = {}
    for name, classify in by_vote.items():
        answers = [classify(track.values).argmax(axis=1) for track in tracks]
        found[name] = {
            **f7_scores(by_label[name](seen), stills),
            **p7_scores(classify(seen), stills),
            **track_scores(tracks, answers),
        }
    return found


def timeless_scores(
    settings: Settings, material: Material, stills: Stills, tracks: list[Track]
) -> dict[str, Figures]:
    """
    Train (once) and score the same network without time.

    :param settings: those of the model that ships.
    :param material: what it learns from.
    :param stills: all photographs of a split, all features.
    :param tracks: sequences composed of them.
    :returns: figures of `lstm_shuffled_time` and `lstm_mean_pooled`.
    """
    rng = np.random.default_rng(SEED)
    features = settings.features(stills.features)
    held = constant_windows(stills.only(features).values[stills.readable[:, 0]])
    found = {}
    for name, kind in (('lstm_shuffled_time', 'shuffled'), ('lstm_mean_pooled', 'pooled')):
        network = trained_network(dataclasses.replace(settings, time=kind), material)

        def logits_of(windows: NDArray[np.float32], network=network, kind=kind):
            return network.predict(retimed(windows, kind, rng), batch_size=1024, verbose=0)

        classes = len(settings.targets.names)
        by_vote, by_label = np.split(logits_of(held).astype(np.float64), [classes], axis=1)
        answers = [
            logits_of(buffer_windows(track))[:, :classes].argmax(axis=1) for track in tracks
        ]
        found[name] = {
            **f7_scores(softmax(by_label), stills),
            **p7_scores(softmax(by_vote), stills),
            **track_scores(tracks, answers),
        }
    return found


def report_baselines(
    material: Material, private: Stills, report: ReportRows, features: tuple[str, ...]
) -> dict[str, Figures]:
    """
    Score classifiers of single frames on the report's rows, learning FER2013's labels.

    :param material: what they learn from.
    :param private: all photographs of PrivateTest, all features.
    :param report: the rows.
    :param features: what they see.
    :returns: figures by baseline.
    """
    learned = material.training.only(features)
    shares = np.bincount(HAPPY_UNKNOWN_SAD.labels(learned.labels)) / len(learned)
    seen = private.only(features).values[private.readable[:, 0]]
    return {
        name: report_figures(
            HAPPY_UNKNOWN_SAD.probabilities(classify(seen)), private, report, shares
        )
        for name, classify in frame_classifiers(learned.values, learned.labels).items()
    }
