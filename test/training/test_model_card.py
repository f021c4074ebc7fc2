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

"""The model card says what the metadata say; the models that ship are what these state."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emotion_estimator.blendshapes import NAMES
from emotion_estimator.emotion.model import SCHEMA, EmotionModel, ModelMetadata
from emotion_estimator.faces.encoding import read_encoding
from emotion_estimator.files import DEFAULT_ENCODING, OutputError, find_model
from training.card_tables import (
    CardError,
    class_bias,
    metric_text,
    other_methods,
    other_people,
    seeds_spread,
    table,
)
from training.commands.model_card import card, find_models, main, not_shown
from training.datasets.pictures import LABELS
from training.stills import HAPPY_UNKNOWN_SAD
from training.windows import RATE_HZ, WINDOW_S, constant_windows

MODEL = ModelMetadata(
    schema=SCHEMA,
    name='basic7',
    version='9.8.7',
    labels=LABELS,
    features=(*NAMES, 'head.pitch', 'head.yaw', 'geometry.pc_1'),
    rate_hz=15.0,
    window_s=2.0,
    network='network.tflite',
    network_sha256='ab' * 32,
    normalisation='as made up',
    temperature=1.25,
    data='Made for a test.',
    licence='Apache-2.0',
    description='Seven classes, of nothing.',
)
REPORT_MODEL = dataclasses.replace(
    MODEL,
    name='happy_unknown_sad',
    labels=('happy', 'unknown', 'sad'),
    features=NAMES,
    licence='MIT',
)


def with_metrics(model=MODEL, **metrics):
    return dataclasses.replace(model, metrics=metrics)


def line_of(text, start):
    (found,) = [line for line in text.splitlines() if line.startswith(f'| {start} |')]
    return [cell.strip() for cell in found.split('|')[2:-1]]


@pytest.mark.parametrize(
    'metric', ['high', True, [0.5], {'value': '0.5'}, {'value': 1, 'low': []}]
)
def test_what_is_no_figure_is_reported_with_its_place(metric):
    with pytest.raises(CardError, match=r'^basic7: metrics\.private\.f7_ece must be a number'):
        card([with_metrics(private={'f7_ece': metric})], ())


@pytest.mark.parametrize(
    ('metrics', 'place'),
    [
        ({'private': [1]}, 'metrics.private'),
        ({'baselines': {'private': {'constant': 0.2}}}, 'metrics.baselines.private.constant'),
        ({'baselines': {'private': 0.2}}, 'metrics.baselines.private'),
        ({'spread': {'public': 3}}, 'metrics.spread.public'),
    ],
)
def test_a_value_where_a_table_belongs_is_reported_with_its_place(metrics, place):
    with pytest.raises(CardError, match=f'basic7: {place} must be a table'):
        card([with_metrics(**metrics)], ())


def test_figures_stand_in_their_column():
    text = card(
        [
            with_metrics(
                private={
                    'f7_ece': {'value': 0.031, 'low': 0.03, 'high': 0.05},
                    's_onset_to_stable_ms_hysteresis': 401.2,
                },
                public={'f7_ece': 0.09},
            )
        ],
        (),
    )
    ece = next(line for line in text.splitlines() if line.startswith('| ECE |'))
    assert ece == '| ECE | .031 [.030, .050] | .090 |'
    onset = line_of(text, 'those: time from onset to stable right label, median, ms')
    assert onset == ['not measured', '401']


def test_without_metrics_no_figure_is_invented():
    text = card([MODEL, REPORT_MODEL], ())
    for line in text[text.index('### Figures of') :].splitlines():
        cells = line.strip('|').split('|')
        if line.startswith('|') and 'not measured' in line:
            assert not any(re.search(r'\d', cell) for cell in cells[1:])
    shown = text[text.index('### Figures of basic7') : text.index('## On a real clip')]
    assert not re.search(r'\| *(\d|\.\d)[\d.]* *(\[|\|)', shown)
    assert shown.count('\nNot measured.\n') == 6  # people, other methods, seeds; of two models


def test_a_model_is_described_by_its_metadata():
    text = card([with_metrics(training={'key': 'abc', 'settings': {'seed': 3}})], ())
    assert line_of(text, 'tells') == [', '.join(LABELS)]
    assert line_of(text, 'reads') == [
        "52 blendshapes, 2 of the head's pose, 1 of the landmarks' geometry, over 2 s at 15 Hz"
    ]
    assert line_of(text, 'training run') == ['key abc, seed 3']
    assert line_of(text, 'probabilities') == ['softmax of the logits divided by 1.25']
    assert '## basic7 9.8.7\n\nSeven classes, of nothing.' in text
    assert '**Data and training.** Made for a test.' in text


def test_a_model_gets_the_protocols_of_its_classes():
    seven, three = card([MODEL], ()), card([REPORT_MODEL], ())
    assert "| F7, FER2013's labels |" in seven and '| P7 ' in seven
    assert "| R, the seed report's rows |" not in seven
    assert "| R, the seed report's rows |" in three and "| F7, FER2013's labels |" not in three
    assert 'Weights: Apache-2.0, MIT.' in card([MODEL, REPORT_MODEL], ())


def test_the_report_rows_stand_with_and_without_the_prior():
    scores = {'r_accuracy': 0.7, 'r_accuracy_prior': {'value': 0.75, 'low': 0.73, 'high': 0.77}}
    text = card([with_metrics(REPORT_MODEL, report=scores)], ())
    assert line_of(text, 'accuracy') == ['.700', '.750 [.730, .770]']
    assert line_of(text, '**happy_unknown_sad**')[2:] == ['.700', "the seed report's rows (R)"]


def test_pictures_that_are_not_drawn_are_not_linked():
    path = 'doc/confusion_basic7.png'
    assert f']({path})' in card([MODEL], [path])
    assert f']({path})' not in card([MODEL], ())


def test_figures_without_a_place_are_named():
    model = with_metrics(
        private={'f7_acuracy': 1, 'f7_ece': 1, 'f7_recall_sad': 1, 'coverage_sad': 1},
        public={'s_accuracy': 1},
        secret={},
    )
    assert not_shown(model) == ['basic7: metrics.secret', 'basic7: metrics.private.f7_acuracy']


def write_model(folder, model):
    folder.mkdir(parents=True)
    (folder / 'metadata.json').write_text(json.dumps(dataclasses.asdict(model)))
    return str(folder)


def test_the_default_model_comes_first(tmp_path):
    for name in ('zebra', 'basic7', 'ant'):
        write_model(tmp_path / name, MODEL)
    (tmp_path / 'empty').mkdir()
    assert [path.name for path in find_models(tmp_path)] == ['basic7', 'ant', 'zebra']


def test_a_stale_card_is_found(tmp_path, capsys):
    folder = write_model(tmp_path / 'basic7', with_metrics(public={'f7_ece': 0.1}))
    path = tmp_path / 'CARD.md'
    arguments = [folder, '--to', str(path)]
    assert main([*arguments, '--check']) == 1
    assert not path.exists()
    assert main(arguments) == 0
    assert main([*arguments, '--check']) == 0
    capsys.readouterr()
    path.write_text(path.read_text().replace('.100', '.900'))
    assert main([*arguments, '--check']) == 1
    said = capsys.readouterr().err
    assert '-| ECE | not measured | .900 |' in said
    assert '+| ECE | not measured | .100 |' in said
    assert f'{path} is not what the models state' in said


def test_a_model_that_cannot_be_read_leaves_the_card(tmp_path, capsys):
    folder = write_model(tmp_path / 'basic7', with_metrics(public=3))
    path = tmp_path / 'CARD.md'
    path.write_text('as it was')
    assert main([folder, '--to', str(path)]) == 1
    assert main([str(tmp_path / 'none'), '--to', str(path)]) == 1
    assert path.read_text() == 'as it was'
    said = capsys.readouterr().err
    assert 'metrics.public must be a table' in said
    assert 'a model is a folder with metadata.json' in said


def test_the_card_is_what_the_models_state():
    assert main(['--check']) == 0


# Tables of the model card, metric by metric.


def with_tables(**metrics):
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


@pytest.mark.parametrize(
    ('metric', 'form', 'text'),
    [
        ({'value': 0.57812, 'low': 0.56, 'high': 0.59449}, '.3f', '.578 [.560, .594]'),
        ({'value': 366.7, 'low': 300, 'high': 400}, '.0f', '367 [300, 400]'),
        ({'value': 1.1415}, '.3f', '1.141'),
        ({'value': 0.5, 'low': 0.4}, '.2f', '.50'),
        ({'value': 0.5, 'low': float('nan'), 'high': 0.6}, '.2f', '.50'),
        ({'value': 0.3, 'low': 0.3, 'high': 0.3}, '.2f', '.30'),
        (0, '.0f', '0'),
        (1.0, '.3f', '1.000'),
        (None, '.3f', 'not measured'),
        (float('nan'), '.3f', 'not measured'),
        ({}, '.3f', 'not measured'),
    ],
)
def test_a_figure_is_written_with_its_interval(metric, form, text):
    assert metric_text(metric, form, 'here') == text


@given(st.floats(0, 1))
def test_a_share_is_rounded_and_not_changed(share):
    text = metric_text(share, '.3f', 'here')
    assert re.fullmatch(r'\.\d{3}|1\.000', text)
    assert float(text) == pytest.approx(share, abs=5.0001e-4)


def test_a_table_has_its_rule_below_the_headings():
    assert table([('a', 'b'), ('1', '2')]) == '| a | b |\n|---|---|\n| 1 | 2 |'


def test_other_methods_stand_beside_the_model():
    found = other_methods(
        with_tables(
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


def test_a_card_replaces_no_model_s_metadata(tmp_path):
    folder = tmp_path / 'basic7'
    shutil.copytree(find_model('basic7'), folder)
    before = (folder / 'metadata.json').read_bytes()
    with pytest.raises(OutputError, match=r'in the place of the metadata of .*basic7; name'):
        main([str(folder), '--to', str(folder / 'metadata.json')])
    assert (folder / 'metadata.json').read_bytes() == before


def test_other_peoples_pictures_have_a_column_for_each_set():
    club = {'value': 0.5, 'low': 0.25, 'high': 0.75}
    found = other_people(
        with_tables(
            x_london={'x_balanced': 0.9, 'x_recall_happy_male': club},
            x_web={'x_balanced': 0.4, 'x_covered': 0.05},
        )
    )
    assert found.splitlines() == [
        '| protocol X | London | web |',
        '|---|---|---|',
        '| balanced accuracy | .90 | .40 |',
        '| recall happy male | .50 [.25, .75] |  |',
        '| unknown, as something is covered |  | .05 |',
    ]
    assert other_people(with_tables()) == 'Not measured.'


def test_the_spread_over_seeds():
    found = seeds_spread(with_tables(spread={'public': {'f7_accuracy_readable': [0.5, 0.7, 0.6]}}))
    assert line_of(found, 'F7 accuracy') == ['PublicTest', '3', '.500', '.600', '.700']


@pytest.mark.parametrize('values', [[], 0.5, [0.5, 'x'], [0.5, None]])
def test_a_spread_that_is_no_list_of_numbers_is_reported(values):
    with pytest.raises(CardError, match=r'basic7: metrics\.spread\.public\.s_accuracy'):
        seeds_spread(with_tables(spread={'public': {'s_accuracy': values}}))


def test_the_classes_that_are_missed_most_are_named():
    values = [0.4, 0.1, {'value': 0.15, 'low': 0.1, 'high': 0.2}, 0.9, 0.5, 0.7, 0.6]
    scores = {f'f7_recall_{label}': value for label, value in zip(LABELS, values)}
    found = class_bias(with_tables(private={**scores, 'coverage_happy': 0.97}))
    lines = [line for line in found.splitlines() if line.startswith('|')]
    order = ['happy', 'surprised', 'neutral', 'sad', 'angry', 'scared', 'disgusted']
    assert [line.split(' ')[1] for line in lines[2:]] == order
    assert line_of(found, 'happy') == ['.90', 'not measured', '.97']
    assert line_of(found, 'scared')[0] == '.15 [.10, .20]'
    assert 'Most missed: disgusted, scared; ' in found
    del scores['f7_recall_sad']
    assert 'Most missed' not in class_bias(with_tables(private=scores))


# The models that ship: what they state is what they are, and what was measured.


RESOURCE = Path(__file__).resolve().parents[2] / 'resource'
CLASSES = {
    'basic7': LABELS,
    'basic7_blendshapes': LABELS,
    'happy_unknown_sad': HAPPY_UNKNOWN_SAD.names,
}


@pytest.fixture(params=CLASSES)
def model(request):
    return EmotionModel(RESOURCE / 'models' / request.param)


def test_it_states_what_the_training_uses(model):
    metadata = model.metadata
    assert metadata.labels == CLASSES[metadata.name]
    assert (metadata.rate_hz, metadata.window_s) == (RATE_HZ, WINDOW_S)
    assert metadata.licence == 'Apache-2.0'
    assert 'composed' in metadata.data and 'FER2013' in metadata.data


def test_its_features_are_those_that_faces_are_published_with(model):
    encoding = read_encoding(RESOURCE / 'face_encodings' / f'{DEFAULT_ENCODING}.npz')
    published = (*NAMES, *encoding.names)
    alone = model.metadata.name.endswith('_blendshapes')
    assert model.metadata.features == (NAMES if alone else published)
    assert len(encoding.names) <= 47


def test_it_is_small(model):
    network = RESOURCE / 'models' / model.metadata.name / model.metadata.network
    assert network.stat().st_size < 2_000_000


def test_a_broad_smile_is_happy(model):
    face = np.zeros(len(model.metadata.features), np.float32)
    face[: len(NAMES)] = 0.02
    for name in ('mouthSmile', 'eyeSquint', 'mouthUpperUp'):
        face[[NAMES.index(f'{name}Left'), NAMES.index(f'{name}Right')]] = 0.8
    chances = model.probabilities(constant_windows(face[None])[0])
    assert model.metadata.labels[int(chances.argmax())] == 'happy'
    assert chances.sum() == pytest.approx(1)
