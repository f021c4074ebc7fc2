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

"""Tables of the model card, figure by figure."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emotion_estimator.emotion.emotion_model import SCHEMA, ModelMetadata
from training.card_tables import (
    CardError,
    class_bias,
    figure_text,
    other_methods,
    seeds_spread,
    table,
)
from training.datasets.labels import LABELS


def with_metrics(**metrics):
    return ModelMetadata(
        schema=SCHEMA,
        name='basic7',
        version='1',
        labels=LABELS,
        features=('jawOpen',),
        rate_hz=15.0,
        window_s=2.0,
        network='network.tflite',
        network_sha256='ab' * 32,
        normalisation='none',
        temperature=1.0,
        data='none',
        licence='Apache-2.0',
        metrics=metrics,
    )


def line_of(text, start):
    (found,) = [line for line in text.splitlines() if line.startswith(f'| {start} |')]
    return [cell.strip() for cell in found.split('|')[2:-1]]


@pytest.mark.parametrize(
    ('figure', 'form', 'text'),
    [
        ({'value': 0.57812, 'low': 0.56, 'high': 0.59449}, '.3f', '.578 [.560, .594]'),
        ({'value': 366.7, 'low': 300, 'high': 400}, '.0f', '367 [300, 400]'),
        ({'value': 1.1415}, '.3f', '1.141'),
        ({'value': 0.5, 'low': 0.4}, '.2f', '.50'),
        ({'value': 0.5, 'low': float('nan'), 'high': 0.6}, '.2f', '.50'),
        (0, '.0f', '0'),
        (1.0, '.3f', '1.000'),
        (None, '.3f', 'not measured'),
        (float('nan'), '.3f', 'not measured'),
        ({}, '.3f', 'not measured'),
    ],
)
def test_a_figure_is_written_with_its_interval(figure, form, text):
    assert figure_text(figure, form, 'here') == text


@given(st.floats(0, 1))
def test_a_share_is_rounded_and_not_changed(share):
    text = figure_text(share, '.3f', 'here')
    assert re.fullmatch(r'\.\d{3}|1\.000', text)
    assert float(text) == pytest.approx(share, abs=5.0001e-4)


def test_a_table_has_its_rule_below_the_headings():
    assert table([('a', 'b'), ('1', '2')]) == '| a | b |\n|---|---|\n| 1 | 2 |'


def test_other_methods_stand_beside_the_model():
    found = other_methods(
        with_metrics(
            private={'f7_accuracy_readable': 0.58, 's_accuracy': 0.6},
            baselines={
                'private': {
                    'constant': {'f7_accuracy_readable': 0.25},
                    'lstm_shuffled_time': {'s_accuracy': {'value': 0.5, 'low': 0.4, 'high': 0.6}},
                }
            },
        )
    )
    assert found.splitlines() == [
        '| PrivateTest | F7 accuracy | S accuracy |',
        '|---|---|---|',
        '| **basic7** | .580 | .600 |',
        '| constant | .250 | not measured |',
        '| lstm shuffled time | not measured | .500 [.400, .600] |',
    ]


def test_the_spread_over_seeds():
    found = seeds_spread(
        with_metrics(spread={'public': {'f7_accuracy_readable': [0.5, 0.7, 0.6]}})
    )
    assert line_of(found, 'F7 accuracy') == ['PublicTest', '3', '.500', '.600', '.700']


@pytest.mark.parametrize('values', [[], 0.5, [0.5, 'x'], [0.5, None]])
def test_a_spread_that_is_no_list_of_numbers_is_told(values):
    with pytest.raises(CardError, match=r'basic7: metrics\.spread\.public\.s_accuracy'):
        seeds_spread(with_metrics(spread={'public': {'s_accuracy': values}}))


def test_the_classes_that_are_missed_most_are_named():
    values = [0.4, 0.1, {'value': 0.15, 'low': 0.1, 'high': 0.2}, 0.9, 0.5, 0.7, 0.6]
    scores = {f'f7_recall_{label}': value for label, value in zip(LABELS, values)}
    found = class_bias(with_metrics(private={**scores, 'coverage_happy': 0.97}))
    lines = [line for line in found.splitlines() if line.startswith('|')]
    order = ['happy', 'surprised', 'neutral', 'sad', 'angry', 'scared', 'disgusted']
    assert [line.split(' ')[1] for line in lines[2:]] == order
    assert line_of(found, 'happy') == ['.90', 'not measured', '.97']
    assert line_of(found, 'scared')[0] == '.15 [.10, .20]'
    assert 'Most missed: disgusted, scared; ' in found
    del scores['f7_recall_sad']
    assert 'Most missed' not in class_bias(with_metrics(private=scores))
