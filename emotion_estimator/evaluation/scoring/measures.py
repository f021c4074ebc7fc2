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

"""Which figures there are, what they mean and from which sums they are computed."""

from __future__ import annotations

from dataclasses import dataclass

from emotion_estimator.evaluation.metrics import sums
from emotion_estimator.evaluation.metrics.intervals import Score
from emotion_estimator.evaluation.metrics.sums import ratio


@dataclass(frozen=True)
class Measure:
    """
    One figure.

    :param name: in metrics.json.
    :param title: in the report.
    :param meaning: in a sentence without a full stop.
    :param unit: 'share', 's', '1/s' or 'nat'.
    :param better: 1 where more is better, -1 where less is, 0 where neither.
    :param tallies: names of the sums that it is computed from.
    :param score: computes it.
    """

    name: str
    title: str
    meaning: str
    unit: str
    better: int
    tallies: tuple[str, ...]
    score: Score


DELAYS = 'delays'
LABELLED = (
    Measure(
        'accuracy',
        'Right, by frame',
        'share of the labelled frames with a face whose answer is right; unknown counts as wrong '
        'unless it is the label',
        'share',
        1,
        ('confusion',),
        sums.accuracy,
    ),
    Measure(
        'accuracy_of_answers',
        'Right when it answers',
        'the same among the frames where an expression was named',
        'share',
        1,
        ('confusion',),
        sums.accuracy_of_answers,
    ),
    Measure(
        'segment_accuracy',
        'Right, by segment',
        'share of the labelled segments in which the right answer was shown most of the time',
        'share',
        1,
        ('right_pieces', 'pieces'),
        ratio,
    ),
    Measure(
        'macro_f1',
        'Macro-F1',
        'mean over the labelled expressions of F1, so that rare ones count as much as common ones',
        'share',
        1,
        ('confusion',),
        sums.macro_f1,
    ),
    Measure(
        'cross_entropy',
        'Cross-entropy',
        'mean surprise at the label, given the probabilities before decision',
        'nat',
        -1,
        ('losses', 'frames'),
        ratio,
    ),
    Measure(
        'calibration_error',
        'Calibration error',
        'mean distance between confidence and share of right answers, 15 bins (ECE)',
        'share',
        -1,
        ('bins',),
        sums.calibration_error,
    ),
    Measure(
        'onset_to_stable_s',
        'Onset to stable right answer',
        'median time from the start of a labelled segment until the answer is right to its end',
        's',
        -1,
        (DELAYS,),
        sums.median_of_counts,
    ),
    Measure(
        'settled_share',
        'Onsets that settle',
        'share of the labelled segments at whose end the answer is right',
        'share',
        1,
        ('settled', 'pieces'),
        ratio,
    ),
    Measure(
        'false_switches_per_s',
        'False switches',
        'changes of the answer from one second after the start of a labelled segment on',
        '1/s',
        -1,
        ('switches', 'constant_s'),
        ratio,
    ),
)
UNLABELLED = (
    Measure(
        'face_share',
        'Time with a face',
        'share of the time in which at least one face was found',
        'share',
        0,
        ('face_s', 'image_s'),
        ratio,
    ),
    Measure(
        'answer_share',
        'Time with an answer',
        'share of the time in which an expression was named, not unknown, for at least one face',
        'share',
        0,
        ('named_s', 'image_s'),
        ratio,
    ),
    Measure(
        'answer_share_of_face_time',
        'Answered when there is a face',
        'the same as a share of the time with a face',
        'share',
        0,
        ('named_s', 'face_s'),
        ratio,
    ),
    Measure(
        'switches_per_s',
        'Switches',
        'changes of the answer per second of a face in view, unknown being an answer',
        '1/s',
        0,
        ('all_switches', 'followed_s'),
        ratio,
    ),
)
MEASURES = (*LABELLED, *UNLABELLED)
