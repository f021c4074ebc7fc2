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

"""A model folder is used when it fits, and refused with a sentence when it does not."""

import hashlib
import json
import shutil
import struct
from operator import itemgetter

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from hypothesis import given
from hypothesis import strategies as st

from emotion_estimator import blendshapes
from emotion_estimator.emotion.decision import ClassPrior, PriorError, with_prior
from emotion_estimator.emotion.estimation import TemporalBuffer
from emotion_estimator.emotion.model import EmotionModel, ModelError, read_metadata, softmax
from emotion_estimator.files import AssetError, find_model
from emotion_estimator.stamps import NS_PER_S


@pytest.fixture
def folder(request, tmp_path):
    name = getattr(request, 'param', 'basic7')
    return shutil.copytree(find_model(name), tmp_path / name)


def change(folder, **fields):
    path = folder / 'metadata.json'
    stated = {**json.loads(path.read_text()), **fields}
    path.write_text(json.dumps({n: value for n, value in stated.items() if value is not ...}))


def exchange_network(folder, content):
    """Put another network into a model, and its checksum into the metadata."""
    (folder / read_metadata(folder).network).write_bytes(content)
    change(folder, network_sha256=hashlib.sha256(content).hexdigest())


def test_the_default_model_speaks_the_vocabulary_of_rep155(basic7):
    rep155 = {'neutral', 'angry', 'sad', 'happy', 'surprised', 'disgusted', 'scared'}
    assert set(basic7.metadata.labels) == rep155 and len(basic7.metadata.labels) == len(rep155)
    assert set(blendshapes.NAMES) <= set(basic7.metadata.features)
    assert basic7.metadata.licence
    assert basic7.metadata.data


def test_probabilities_are_positive_and_sum_to_one(basic7):
    metadata = basic7.metadata
    window = np.zeros((metadata.steps, len(metadata.features) + 1), np.float32)
    found = basic7.probabilities(window)
    assert found.shape == (len(metadata.labels),)
    assert (found > 0).all()
    assert found.sum() == pytest.approx(1)


def test_the_trainings_prior_asks_how_people_voted_and_others_the_corrected_votes(folder):
    model = EmotionModel(folder)
    names = model.metadata.further_labels
    change(folder, further_labels=[name.replace('votes.', 'others.') for name in names])
    window = np.zeros((model.metadata.steps, len(model.metadata.features) + 1), np.float32)
    corrected = EmotionModel(folder).probabilities(window)
    votes = model.further(window, 'votes')
    assert np.abs(votes - corrected).max() > 0.01
    for prior in (None, model.metadata.prior('training')):
        np.testing.assert_array_equal(model.probabilities(window, prior), votes)
    for prior in map(model.metadata.prior, ('model', 'uniform')):
        found = model.probabilities(window, prior)
        np.testing.assert_array_equal(found, prior.applied(corrected))


def test_a_missing_folder_names_the_models_that_are_there():
    with pytest.raises(AssetError, match=r'Models that ship: .*basic7'):
        find_model('basic8')


@pytest.mark.parametrize(
    'fields, sentence',
    [
        ({'schema': 99}, 'schema is 99'),
        ({'labels': ...}, 'lacks labels'),
        ({'labels': []}, 'labels must be a list of names'),
        ({'labels': ['happy', 'happy']}, 'labels holds a name twice'),
        ({'rate_hz': 0}, 'rate_hz must be a number above 0'),
        ({'temperature': 'warm'}, 'temperature must be a number above 0'),
        ({'window_s': float('nan')}, 'window_s must be a number above 0'),
        ({'network': '../network.tflite'}, 'must be a file name'),
        ({'network': 'other.tflite'}, 'other.tflite is missing'),
        ({'labels': ['happy', 'sad'], 'class_shares': ...}, 'have votes for each of the labels'),
        ({'class_shares': [1.0]}, 'class_shares must be 7 numbers above 0'),
        ({'class_shares': [1e-320] * 6 + [1], 'temperature': 1}, 'must be 7 numbers above 0'),
        ({'class_shares': ['a'] * 7}, 'class_shares must be 7 numbers above 0'),
        ({'class_shares': [0.5] * 7}, 'class_shares must sum to 1, not to 3.5'),
        ({'class_prior': 'even'}, "class_prior must be 'model', 'uniform', 'training' or shares"),
        ({'class_prior': 3}, "class_prior must be 'model'"),
        ({'class_prior': 'uniform', 'class_shares': ...}, 'does not state its class_shares'),
        ({'further_labels': ['a', 'a']}, 'further_labels holds a name twice'),
        ({'further_labels': ['fer2013.sad']}, 'asks for'),
        ({'further_labels': ['votes.sad']}, 'further_labels must have votes for each of the'),
        ({'window_s': 1.0}, 'asks for'),
        ({'window_s': 1e9}, 'window_s must be at most 60'),
        ({'rate_hz': 10**400}, 'rate_hz must be at most 1000'),
        ({'temperature': 1e-310}, 'temperature must be a number above 0'),
        ({'features': [str(number) for number in range(5000)]}, 'features holds 5000 names'),
    ],
)
def test_metadata_that_does_not_fit_is_reported(folder, fields, sentence):
    change(folder, **fields)
    with pytest.raises(ModelError, match=sentence):
        EmotionModel(folder)


def test_files_that_are_missing_or_damaged_are_reported(folder):
    network = folder / json.loads((folder / 'metadata.json').read_text())['network']
    content = network.read_bytes()
    network.write_bytes(content[: len(content) // 2])
    with pytest.raises(ModelError, match='truncated or was exchanged'):
        EmotionModel(folder)
    (folder / 'metadata.json').write_text('{"schema": 1,')
    with pytest.raises(ModelError, match='cannot be read as JSON'):
        read_metadata(folder)
    (folder / 'metadata.json').write_text('[]')
    with pytest.raises(ModelError, match='must hold a JSON object'):
        read_metadata(folder)
    (folder / 'metadata.json').unlink()
    with pytest.raises(ModelError, match='No such file'):
        read_metadata(folder)


@pytest.mark.parametrize(
    'text', ['[' * 100_000, '{"schema": ' + '1' * 10_000 + '}', '\udcff', '\0']
)
def test_metadata_that_no_parser_takes_is_reported(folder, text):
    (folder / 'metadata.json').write_bytes(text.encode('utf-8', 'surrogateescape'))
    with pytest.raises(ModelError, match='cannot be read'):
        read_metadata(folder)


def test_a_network_that_is_none_is_reported(folder):
    exchange_network(folder, b'no flatbuffer at all' * 50)
    with pytest.raises(ModelError, match='LiteRT cannot load'):
        EmotionModel(folder)


def test_a_network_whose_few_bytes_ask_for_vast_tensors_is_reported(folder):
    metadata = read_metadata(folder)
    content = bytearray((folder / metadata.network).read_bytes())
    # A vector of three: the input's shape.
    shape = content.index(struct.pack('<4i', 3, 1, metadata.steps, len(metadata.features) + 1))
    struct.pack_into('<i', content, shape + 8, 2_000_000_000)
    exchange_network(folder, content)
    with pytest.raises(ModelError, match=r'its tensors hold [\d,]{15} numbers'):
        EmotionModel(folder)


@pytest.mark.parametrize('folder', ['basic7', 'happy_unknown_sad'], indirect=True)
def test_a_network_that_answers_with_no_number_is_reported(folder):
    content = (folder / read_metadata(folder).network).read_bytes()
    network = Interpreter(model_content=content)
    network.allocate_tensors()
    # The last layer's biases; what has no name is no part of the file, and holds anything.
    for detail in filter(itemgetter('name'), network.get_tensor_details()):
        if detail['shape'].tolist() in ([14], [21]) and detail['dtype'] == np.float32:
            damaged = network.get_tensor(detail['index'])
            biases = damaged.tobytes()
            damaged[0 if folder.name == 'basic7' else -1] = np.nan
            content = content.replace(biases, damaged.tobytes())
    exchange_network(folder, content)
    with pytest.raises(ModelError, match='answers with what is no number'):
        EmotionModel(folder)


def test_a_network_of_quantised_numbers_is_reported(folder, quantised):
    with pytest.raises(ModelError, match='returns int8, not float32'):
        EmotionModel(folder)


# Resampling by stamp.


START_NS = 1_700_000_000 * NS_PER_S


def buffer_of(times_s, values=None, *, rate_hz=10.0, window_s=1.0, max_gap_s=0.25):
    buffer = TemporalBuffer(1, window_s, rate_hz, max_gap_s)
    for i, time_s in enumerate(times_s):
        value = times_s[i] if values is None else values[i]
        buffer.add(START_NS + round(time_s * NS_PER_S), np.array([value], np.float32))
    return buffer


def test_an_empty_buffer_gives_a_window_of_nothing():
    window = TemporalBuffer(3, 2.0, 15.0, 0.25).window()
    assert window.shape == (30, 4)
    assert not window.any()


def test_one_sample_fills_the_last_step_alone():
    window = buffer_of([0.0], [7.0]).window()
    assert window[-1].tolist() == [7.0, 1.0]
    assert not window[:-1].any()


def test_values_between_samples_are_interpolated():
    window = buffer_of([0.0, 0.2, 0.4], [0.0, 2.0, 4.0]).window()
    np.testing.assert_allclose(window[-5:, 0], [0, 1, 2, 3, 4], atol=1e-6)
    assert window[-5:, 1].tolist() == [1] * 5
    assert not window[:-5].any()


def test_a_long_gap_is_not_invented():
    window = buffer_of([0.0, 0.1, 0.5, 0.6], [1, 1, 1, 1]).window()
    #         time  -0.3 ... 0.0 0.1 | 0.2 0.3 0.4 | 0.5 0.6
    assert window[:, 1].tolist() == [0, 0, 0, 1, 1, 0, 0, 0, 1, 1]
    assert window[5:8, 0].tolist() == [0, 0, 0]


@pytest.mark.parametrize('fps', [10, 15, 24, 30, 60])
def test_the_same_movement_gives_the_same_window_at_any_frame_rate(fps):
    times_s = np.arange(0, 3 + 1e-9, 1 / fps)
    wave = TemporalBuffer(1, 2.0, 15.0, 0.25)
    for time_s in times_s:
        value = np.array([np.sin(2 * np.pi * 0.5 * time_s)], np.float32)
        wave.add(START_NS + round(time_s * NS_PER_S), value)
    expected = np.sin(2 * np.pi * 0.5 * (times_s[-1] + np.arange(-29, 1) / 15))
    np.testing.assert_allclose(wave.window()[:, 0], expected, atol=0.015)


@given(st.lists(st.integers(1_000_000, 400_000_000), min_size=1, max_size=400))
def test_any_frame_times_give_interpolated_values_only_where_frames_were(steps_ns):
    """A feature equal to its own time must come out as the time of each observed step."""
    buffer = TemporalBuffer(1, 2.0, 15.0, 0.25)
    stamps_ns = np.cumsum(steps_ns)
    for stamp_ns in stamps_ns:
        buffer.add(int(stamp_ns), np.array([stamp_ns / NS_PER_S], np.float32))
    window = buffer.window()
    grid_s = stamps_ns[-1] / NS_PER_S + np.arange(-29, 1) / 15
    observed = window[:, 1] == 1
    np.testing.assert_allclose(window[observed, 0], grid_s[observed], rtol=1e-6, atol=1e-5)
    assert observed[-1]
    for time_s, seen in zip(grid_s, observed):
        after = np.searchsorted(stamps_ns, round(time_s * NS_PER_S))
        inside = after > 0 and stamps_ns[after] - stamps_ns[after - 1] <= 0.25 * NS_PER_S
        near = np.abs(stamps_ns - time_s * NS_PER_S).min() < 2
        assert near or seen == inside


def test_memory_does_not_grow_with_time():
    buffer = TemporalBuffer(1, 2.0, 15.0, 0.25)
    for i in range(10_000):
        buffer.add(START_NS + i * NS_PER_S // 30, np.zeros(1, np.float32))
    assert len(buffer) <= 240
    assert buffer.window()[:, 1].all()


@pytest.mark.parametrize('field', ['feature_count', 'window_s', 'rate_hz', 'max_gap_s'])
def test_lengths_that_are_not_positive_are_refused_by_name(field):
    arguments = {'feature_count': 1, 'window_s': 1.0, 'rate_hz': 10.0, 'max_gap_s': 0.25}
    with pytest.raises(ValueError, match=field):
        TemporalBuffer(**{**arguments, field: 0})


# Which class is expected how often.


MOODS = ('happy', 'sad', 'neutral')
SEEN = (0.25, 0.25, 0.5)
chances = st.lists(st.floats(1e-6, 1), min_size=3, max_size=3).map(lambda v: np.array(v) / sum(v))


@pytest.mark.parametrize(
    'prior, expected',
    [
        # Weights 4, 4, 2.
        ('uniform', [0.2 / 0.75, 0.3 / 0.75, 0.25 / 0.75]),
        # Weights 2, 0, 1: shares need not sum to 1.
        ('happy=2,sad=0,neutral=2', [0.4 / 0.9, 0, 0.5 / 0.9]),
        (' neutral = .5, happy=.25 ,sad=.25', [0.2, 0.3, 0.5]),
        ('training', [0.2, 0.3, 0.5]),
    ],
)
def test_a_prior_is_bayes_by_hand(prior, expected):
    found = ClassPrior(prior, MOODS, SEEN).applied(np.array([0.2, 0.3, 0.5]))
    np.testing.assert_allclose(found, expected)


@given(chances, chances, chances, st.floats(0.2, 5))
def test_a_prior_counts_before_the_temperature(seen_at_1, seen, wanted, temperature):
    stated = ','.join(f'{name}={share!r}' for name, share in zip(MOODS, wanted.tolist()))
    prior = ClassPrior(stated, MOODS, tuple(seen.tolist()), temperature)
    found = prior.applied(softmax(np.log(seen_at_1) / temperature))
    by_hand = softmax(np.log(seen_at_1 * wanted / seen) / temperature)
    np.testing.assert_allclose(found, by_hand, rtol=1e-6, atol=1e-12)


def test_a_temperature_that_leaves_a_class_no_share_is_refused():
    with pytest.raises(PriorError, match=r'temperature of 0\.0005 .* leave a class nothing'):
        ClassPrior('uniform', MOODS, SEEN, 0.0005)


@given(chances, chances, chances)
def test_probabilities_sum_to_1_whatever_is_expected(probabilities, seen, wanted):
    stated = ','.join(f'{name}={share!r}' for name, share in zip(MOODS, wanted.tolist()))
    for prior in ('uniform', stated):
        found = ClassPrior(prior, MOODS, tuple(seen.tolist())).applied(probabilities)
        assert found.sum() == pytest.approx(1)
        assert (found >= 0).all()


@given(chances, chances)
def test_the_trainings_prior_changes_nothing(probabilities, seen):
    shares = tuple(seen.tolist())
    stated = ','.join(f'{name}={share!r}' for name, share in zip(MOODS, shares))
    assert ClassPrior('training', MOODS, shares).applied(probabilities) is probabilities
    found = ClassPrior(stated, MOODS, shares).applied(probabilities)
    np.testing.assert_allclose(found, probabilities, rtol=1e-9)


def test_what_is_ruled_out_leaves_the_prior_where_nothing_else_is_left():
    prior = ClassPrior('happy=1,sad=1,neutral=0', MOODS, SEEN)
    np.testing.assert_allclose(prior.applied(np.array([0.0, 0.0, 1.0])), [0.5, 0.5, 0])


@pytest.mark.parametrize(
    'prior, sentence',
    [
        ('unifrom', 'must be .model., .uniform., .training. or shares'),
        ('', 'must be .model.'),
        ('happy=x,sad=1,neutral=1', 'must be .model.'),
        (f'happy=1,sad=1,neutral=1{" " * 3000},a=1', "'a' is none of .* happy, sad, neutral"),
        ('happy=1,sad=1', 'lacks a share of neutral'),
        ('happy=-1,sad=1,neutral=1', 'the share of happy must be 0 or more, not -1'),
        ('happy=nan,sad=1,neutral=1', 'the share of happy must be 0 or more, not nan'),
        ('happy=inf,sad=1,neutral=1', 'the share of happy must be 0 or more, not inf'),
        ('happy=1,happy=1,sad=1,neutral=1', 'names happy twice'),
        ('happy=0,sad=0,neutral=0', 'needs a share above 0'),
    ],
)
def test_a_prior_that_does_not_fit_is_refused_with_a_sentence(prior, sentence):
    with pytest.raises(PriorError, match=sentence):
        ClassPrior(prior, MOODS, SEEN)


def test_shares_are_moved_by_hand():
    shown = np.array([[0.2, 0.5, 0.3]])
    found = with_prior(shown, np.array([0.25, 0.5, 0.25]), np.array([0.25, 0.25, 0.5]))
    # Weights 1, 1/2, 2: .2, .25, .6.
    np.testing.assert_allclose(found, [[0.2 / 1.05, 0.25 / 1.05, 0.6 / 1.05]])


def test_the_prior_of_a_class_that_the_training_lacked_is_refused():
    with pytest.raises(ValueError, match='above 0'):
        with_prior(np.eye(3), np.array([0.5, 0.5, 0]), np.full(3, 1 / 3))


@given(chances, chances, chances)
def test_a_prior_is_taken_back_by_its_reverse(shown, training, new):
    moved = with_prior(shown[None], training, new)
    assert moved.sum() == pytest.approx(1)
    np.testing.assert_allclose(with_prior(moved, new, training)[0], shown, rtol=1e-9)


@given(chances, chances)
def test_who_knows_nothing_but_the_training_answers_with_the_new_shares(training, new):
    np.testing.assert_allclose(with_prior(training[None], training, new)[0], new, rtol=1e-9)


def test_a_model_that_does_not_say_what_it_saw_takes_the_trainings_prior_alone(folder):
    change(folder, class_shares=..., class_prior=...)
    metadata = read_metadata(folder)
    assert metadata.class_shares == () and metadata.class_prior == 'training'
    probabilities = np.full(7, 1 / 7)
    for stated in ('model', 'training'):
        assert metadata.prior(stated).applied(probabilities) is probabilities
    with pytest.raises(PriorError, match=r"does not state its class_shares.*set it to 'training'"):
        metadata.prior('uniform')


def test_a_model_ships_with_a_prior_of_its_own(folder):
    change(folder, class_prior='uniform')
    metadata = read_metadata(folder)
    seen = np.array(metadata.class_shares)
    seen = seen ** (1 / metadata.temperature)  # as the model answers to what says nothing
    found = metadata.prior('model').applied(seen / seen.sum())
    np.testing.assert_allclose(found, np.full(7, 1 / 7))
