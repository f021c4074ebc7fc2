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

"""The seed report's rule keeps what its words say; swapped and mirrored shapes are compared."""

from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from emotion_estimator.blendshapes import INDEX, MIRROR, NAMES
from emotion_estimator.evaluation import classification_metrics as metrics
from emotion_estimator.evaluation.classification_metrics import (
    confusion,
    reliability_bins,
    risk_coverage_curve,
)
from training.datasets.pictures import LABELS
from training.extraction.views import X4_PAD25, flipped
from training.seed_report import blendshapes, figures
from training.seed_report.blendshapes import (
    FLIPPED,
    Relevance,
    flip_agreement,
    flip_table,
    images_above,
    information,
    measure_relevance,
    names_where,
    relevance_table,
)
from training.seed_report.figures import (
    REPORT_CONFUSION,
    class_table,
    draw_confusion,
    draw_reliability,
)


def made_relevance() -> Relevance:
    """Make one in which the rule keeps three shapes and overlooks cheekPuff."""
    images, sad = np.zeros(52, np.int64), np.zeros(52)
    images[[INDEX['jawOpen'], INDEX['mouthPucker'], INDEX['mouthSmileLeft']]] = 101
    images[INDEX['cheekPuff']] = 100
    sad[INDEX['jawOpen']], sad[INDEX['mouthPucker']], sad[INDEX['mouthSmileLeft']] = 0.1, 0.2, 0.4
    sad[INDEX['cheekPuff']], sad[INDEX['jawForward']] = 0.3, 0.15
    return Relevance(images, np.linspace(0, 1, 52), sad)


def test_a_shape_is_kept_that_passes_the_threshold_in_more_than_a_hundred_photographs():
    blends = np.zeros((150, 52), np.float32)
    blends[:101, INDEX['jawOpen']] = 0.41
    blends[:100, INDEX['cheekPuff']] = 1.0
    blends[:, INDEX['mouthPucker']] = 0.39
    relevance = Relevance(images_above(blends), np.zeros(52), np.zeros(52))
    assert names_where(relevance.kept) == ('jawOpen',)
    assert relevance.images[INDEX['cheekPuff']] == 100


def test_a_dropped_shape_is_overlooked_that_tells_more_than_half_of_the_kept():
    relevance = made_relevance()
    assert names_where(relevance.kept) == ('jawOpen', 'mouthPucker', 'mouthSmileLeft')
    assert names_where(relevance.overlooked) == ('cheekPuff',)


def test_everything_is_overlooked_where_nothing_is_kept():
    assert Relevance(np.zeros(52, np.int64), np.zeros(52), np.zeros(52)).overlooked.all()


def test_the_table_begins_with_what_tells_most_of_sad():
    text = io.StringIO()
    Console(file=text, width=120).print(relevance_table(made_relevance()))
    lines = [line.split('│')[1:-1] for line in text.getvalue().splitlines() if '│' in line]
    found = [[cell.strip() for cell in line] for line in lines[:3]]
    assert found[0] == ['mouthSmileLeft', '101', f'{44 / 51:.3f}', '0.400', 'keeps']
    assert found[1][0::4] == ['cheekPuff', 'drops, though it tells sad']
    assert found[2][0::4] == ['mouthPucker', 'keeps']
    assert len(lines) == 52


@pytest.fixture
def drawn(monkeypatch):
    """Keep plots as figures instead of files."""
    kept = []
    for module in (blendshapes, figures):
        monkeypatch.setattr(module, 'write_figure', lambda figure, _: kept.append(figure))
    return kept


def test_the_scatter_plots_show_the_first_two_thousand_of_all_shapes(tmp_path, drawn):
    blends = np.random.default_rng(0).random((2100, 52), np.float32)
    blendshapes.draw_scatter(blends, tmp_path / 'x.png')
    drawn = [axis for axis in drawn[0].axes if axis.collections]
    assert [axis.get_title() for axis in drawn] == [f'{i} {name}' for i, name in enumerate(NAMES)]
    points = drawn[7].collections[0].get_offsets()
    np.testing.assert_allclose(points[:, 1], blends[:2000, 7])


def test_the_bars_of_one_photograph_are_its_blendshapes_by_name(tmp_path, drawn):
    blends = np.linspace(0, 1, 52, dtype=np.float32)
    blendshapes.draw_blendshapes(blends, tmp_path / 'x.png', 'row 3')
    (axis,) = drawn[0].axes
    assert tuple(label.get_text() for label in axis.get_yticklabels()) == NAMES
    np.testing.assert_allclose([bar.get_width() for bar in axis.patches], blends)


def test_the_bars_of_information_are_coloured_by_the_rule(tmp_path, drawn):
    blendshapes.draw_information(made_relevance(), tmp_path / 'x.png')
    axis = drawn[0].axes[0]
    names = [label.get_text() for label in axis.get_yticklabels()]
    assert names[:2] == ['mouthSmileLeft', 'cheekPuff']
    kept, dropped = (bar.get_facecolor() for bar in axis.patches[:2])
    assert kept[1] > kept[0], 'green'
    assert dropped[0] > dropped[1], 'red'
    weights = [label.get_fontweight() for label in axis.get_yticklabels()]
    assert weights.count('bold') == 1
    assert weights[1] == 'bold'


# Mutual information tells a shape that knows the class from one that does not.


SAD = LABELS.index('sad')


def test_a_shape_that_tells_the_class_has_its_entropy_and_another_nothing():
    rng = np.random.default_rng(0)
    labels = np.arange(1000) % 2
    noise = rng.random(1000)
    # Millionths of a shape's range: what the seed report's threshold cannot see.
    tiny = 1e-6 * (labels + 0.1 * noise)
    found = information(np.column_stack([tiny, rng.random(1000)]).astype(np.float32), labels)
    assert found[0] == pytest.approx(np.log(2), abs=0.03)
    assert found[1] < 0.03


def test_the_estimate_is_the_same_each_time():
    blends = np.random.default_rng(1).random((200, 3)).astype(np.float32)
    labels = np.arange(200) % 3
    np.testing.assert_array_equal(information(blends, labels), information(blends, labels))


def test_a_small_shape_that_tells_sad_is_overlooked_by_the_rule():
    rng = np.random.default_rng(2)
    labels = np.arange(350) % 7
    blends = np.zeros((350, 52), np.float32)
    blends[:, INDEX['jawOpen']] = 0.41 + 0.5 * rng.random(350)
    blends[:, INDEX['mouthFrownLeft']] = 0.01 * (labels == SAD) + 0.001 * rng.random(350)
    relevance = measure_relevance(blends, labels)
    assert names_where(relevance.kept) == ('jawOpen',)
    assert 'mouthFrownLeft' in names_where(relevance.overlooked)
    assert relevance.about_sad.argmax() == INDEX['mouthFrownLeft']


RNG = np.random.default_rng(1)
STRAIGHT = RNG.uniform(0, 1, (50, len(NAMES))).astype(np.float32)
MIRRORED = STRAIGHT[:, list(MIRROR)]
LEFT, RIGHT = INDEX['mouthSmileLeft'], INDEX['mouthSmileRight']


def test_a_symmetric_finder_agrees_wholly():
    found = flip_agreement(STRAIGHT, MIRRORED)
    assert found.photographs == 50
    assert found.median.max() == found.high.max() == 0
    assert found.correlation == pytest.approx(np.ones(len(NAMES)))


def test_unswapped_blendshapes_do_not_agree():
    found = flip_agreement(STRAIGHT, STRAIGHT)
    assert found.median[LEFT] > 0.1
    assert found.median[INDEX['jawOpen']] == 0


def test_differences_are_those_of_the_shape_that_the_mirror_image_shows():
    other = MIRRORED.copy()
    other[:, LEFT] = STRAIGHT[:, RIGHT] + np.linspace(0, 1, 50)
    found = flip_agreement(STRAIGHT, other)
    assert found.median[LEFT] == pytest.approx(0.5)
    assert found.high[LEFT] == pytest.approx(0.95)
    assert found.median[RIGHT] == 0


def test_a_scaled_shape_correlates_although_it_differs():
    found = flip_agreement(STRAIGHT, MIRRORED / 2)
    assert found.correlation == pytest.approx(np.ones(len(NAMES)))
    assert found.median.min() > 0.1


def test_a_constant_shape_has_no_correlation():
    constant = MIRRORED.copy()
    constant[:, LEFT] = 0.25
    found = flip_agreement(STRAIGHT, constant)
    assert np.isnan(found.correlation[LEFT])
    assert found.as_dict()['mouthSmileLeft']['correlation'] is None
    assert found.as_dict()['mouthSmileRight'] == {
        'median_absolute_difference': 0.0,
        'p95_absolute_difference': 0.0,
        'correlation': 1.0,
    }


def test_the_table_begins_with_what_differs_most():
    other = MIRRORED.copy()
    other[:, LEFT] = 0
    text = io.StringIO()
    Console(file=text, width=120).print(flip_table(flip_agreement(STRAIGHT, other)))
    lines = [line.split()[1:] for line in text.getvalue().splitlines() if line.startswith('│')]
    assert lines[0][0] == 'mouthSmileLeft'
    assert lines[0][-2] == '-'
    assert lines[1][-2] == '1.000'
    assert len(lines) == len(NAMES)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1), st.integers(8, 60), st.integers(8, 60))
def test_the_flipped_view_is_the_mirror_image_of_the_prepared_picture(seed, height, width):
    picture = np.random.default_rng(seed).integers(0, 256, (height, width), np.uint8)
    assert np.array_equal(FLIPPED.picture(picture), flipped(X4_PAD25.picture(picture)))


# Confusions are counted and scored as by hand.


CLASS_NAMES = ('happy', 'unknown', 'sad')
TRUTH = np.array([0, 0, 0, 1, 1, 2, 2, -1])
ANSWERS = np.array([0, 0, 1, 1, -1, 0, 2, 1])
FOUND = confusion(ANSWERS, TRUTH, CLASS_NAMES)


def test_truth_is_a_line_and_the_answer_a_column():
    assert FOUND.counts.tolist() == [[2, 1, 0], [0, 1, 0], [1, 0, 1]]
    assert FOUND.unanswered.tolist() == [0, 1, 0]


def test_no_answer_counts_as_wrong():
    np.testing.assert_allclose(FOUND.precision, [2 / 3, 1 / 2, 1])
    np.testing.assert_allclose(FOUND.recall, [2 / 3, 1 / 2, 1 / 2])
    np.testing.assert_allclose(FOUND.f1, [2 / 3, 1 / 2, 2 / 3])
    assert FOUND.accuracy == pytest.approx(4 / 7)


def test_what_was_never_answered_has_no_precision():
    found = confusion(np.array([0, 0]), np.array([0, 1]), CLASS_NAMES)
    np.testing.assert_array_equal(found.precision, [0.5, np.nan, np.nan])
    np.testing.assert_array_equal(found.recall, [1, 0, np.nan])
    assert found.means == pytest.approx((0.5 / 3, 1 / 3, (2 / 3) / 3))


def test_the_reports_matrix_has_the_reports_scores():
    assert REPORT_CONFUSION.support.tolist() == [291, 1110, 245]
    assert REPORT_CONFUSION.accuracy == pytest.approx(0.7199, abs=5e-5)
    assert REPORT_CONFUSION.means[2] == pytest.approx(0.6298, abs=5e-5)


def test_the_table_has_a_line_for_each_class_and_their_mean():
    text = io.StringIO()
    Console(file=text, width=100).print(class_table(FOUND, 'scores'))
    lines = [line.split() for line in text.getvalue().splitlines() if '│' in line]
    cells = [[word for word in line if word != '│'] for line in lines]
    assert cells == [
        ['happy', '3', '0.667', '0.667', '0.667'],
        ['unknown', '2', '0.500', '0.500', '0.500'],
        ['sad', '2', '1.000', '0.500', '0.667'],
        ['mean', '7', '0.722', '0.556', '0.611'],
    ]
    assert 'accuracy 0.5714' in text.getvalue()


def test_each_field_states_its_share_and_count(tmp_path, drawn):
    draw_confusion(FOUND, tmp_path / 'x.png', 'trial')
    axis = drawn[0].axes[0]
    assert [text.get_text() for text in axis.texts[:4]] == [
        '0.67\n2',
        '0.33\n1',
        '0.00\n0',
        '0.00\n0',
    ]
    columns = [label.get_text() for label in axis.get_xticklabels()]
    assert columns == ['happy', 'unknown', 'sad', 'no answer']
    assert axis.texts[7].get_text() == '0.50\n1'


def test_the_picture_is_a_png(tmp_path):
    draw_confusion(REPORT_CONFUSION, tmp_path / 'made' / 'x.png', 'report')
    image = cv2.imread(str(tmp_path / 'made' / 'x.png'))
    # Without a column for no answers: (3 + 3 x .85) x (2.2 + 3 x .75) inches of 100 pixels.
    assert image.shape == (445, 555, 3)


# Bins and curves agree with the scores and with what is counted by hand.


CHANCES = np.array([[0.9, 0.1], [0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [1.0, 0.0]])
RATED_TRUTH = np.array([0, 1, 1, 1, 0])
RATED_ANSWERS = st.lists(
    st.tuples(st.integers(0, 100), st.integers(0, 1)), min_size=1, max_size=40
)


def answers_of(pairs):
    shares, truth = np.array(pairs).T
    return np.column_stack([shares / 100, 1 - shares / 100]), truth


def test_bins_hold_the_mean_confidence_and_the_share_of_right_answers():
    bins = reliability_bins(CHANCES, RATED_TRUTH, bins=10)
    assert bins.counts.tolist() == [0, 0, 0, 0, 0, 0, 1, 0, 1, 3]
    np.testing.assert_allclose(bins.confidence[[6, 8, 9]], [0.6, 0.8, 2.8 / 3])
    np.testing.assert_allclose(bins.accuracy[[6, 8, 9]], [0, 1, 2 / 3])
    assert np.isnan(bins.accuracy[0])
    assert np.isnan(bins.confidence[0])


@given(RATED_ANSWERS)
def test_the_bins_make_up_the_calibration_error(pairs):
    probabilities, truth = answers_of(pairs)
    bins = reliability_bins(probabilities, truth)
    gaps = np.nan_to_num(np.abs(bins.confidence - bins.accuracy))
    error = metrics.calibration_error(probabilities, truth)
    assert (bins.counts * gaps).sum() / len(truth) == pytest.approx(error)


def test_equally_sure_answers_are_given_together():
    curve = risk_coverage_curve(CHANCES, RATED_TRUTH)
    np.testing.assert_allclose(curve.coverage, [0.2, 0.6, 0.8, 1.0])
    np.testing.assert_allclose(curve.risk, [0, 1 / 3, 1 / 4, 2 / 5])
    assert curve.area == pytest.approx(0.4 / 3 + 0.2 / 4 + 0.2 * 2 / 5)


@given(RATED_ANSWERS)
def test_the_curve_passes_through_the_score_of_every_threshold(pairs):
    probabilities, truth = answers_of(pairs)
    curve = risk_coverage_curve(probabilities, truth)
    thresholds = np.unique(probabilities.max(axis=1))[::-1]
    expected = [metrics.risk_coverage(probabilities, truth, each) for each in thresholds]
    np.testing.assert_allclose(np.column_stack([curve.coverage, 1 - curve.risk]), expected)


def test_the_diagram_states_the_error_and_the_counts(tmp_path, drawn):
    draw_reliability(CHANCES, RATED_TRUTH, tmp_path / 'x.png', 'trial')
    error = metrics.calibration_error(CHANCES, RATED_TRUTH)
    title = drawn[0].get_suptitle()
    assert title == f'trial\nECE {error:.3f} over 15 bins, 5 photographs'
    above, below = drawn[0].axes
    heights = [bar.get_height() for bar in below.patches]
    assert heights == [0] * 9 + [1, 0, 0, 1, 2, 1]
    assert above.patches[12].get_height() == 1
