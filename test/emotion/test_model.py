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

import numpy as np
import pytest

from emotion_estimator import blendshapes
from emotion_estimator.emotion.model import EmotionModel, ModelError, read_metadata
from emotion_estimator.files import AssetError, find_model


@pytest.fixture
def folder(tmp_path):
    return shutil.copytree(find_model('basic7'), tmp_path / 'basic7')


def change(folder, **fields):
    path = folder / 'metadata.json'
    metadata = json.loads(path.read_text())
    for name, value in fields.items():
        if value is ...:
            del metadata[name]
        else:
            metadata[name] = value
    path.write_text(json.dumps(metadata))


def test_the_default_model_speaks_the_vocabulary_of_rep155(basic7):
    assert sorted(basic7.metadata.labels) == sorted(
        ['neutral', 'angry', 'sad', 'happy', 'surprised', 'disgusted', 'scared']
    )
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


def test_a_missing_folder_names_the_models_that_are_there():
    with pytest.raises(AssetError, match=r'Models there: .*basic7'):
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
        ({'labels': ['happy', 'sad']}, 'asks for'),
        ({'further_labels': ['a', 'a']}, 'further_labels holds a name twice'),
        ({'further_labels': ['fer2013.sad']}, 'asks for'),
        ({'window_s': 1.0}, 'asks for'),
    ],
)
def test_metadata_that_does_not_fit_is_told(folder, fields, sentence):
    change(folder, **fields)
    with pytest.raises(ModelError, match=sentence):
        EmotionModel(folder)


def test_files_that_are_missing_or_damaged_are_told(folder):
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
    with pytest.raises(ModelError, match='does not exist'):
        read_metadata(folder)


def test_a_network_that_is_none_is_told(folder):
    garbage = b'no flatbuffer at all' * 50
    network = json.loads((folder / 'metadata.json').read_text())['network']
    (folder / network).write_bytes(garbage)
    change(folder, network_sha256=hashlib.sha256(garbage).hexdigest())
    with pytest.raises(ModelError, match='LiteRT cannot load'):
        EmotionModel(folder)
