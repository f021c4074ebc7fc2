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

"""Fixtures: assets on this machine, and real ROS nodes on a domain of their own."""

import importlib
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

# Before rclpy is imported anywhere: tests neither hear nor disturb other machines.
os.environ.setdefault('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
os.environ.setdefault('ROS_LOG_DIR', str(Path('out/log').resolve()))

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from helpers.faces import media_path
from helpers.live_nodes import LiveNodes
from hypothesis import settings

from emotion_estimator.assets import FACE_LANDMARKER, find_asset
from emotion_estimator.emotion.model import EmotionModel
from emotion_estimator.faces.detection import find_yunet
from emotion_estimator.files import AssetError, find_model

if importlib.util.find_spec('keras') is None:
    # They train: `make test-training` runs them in the training's environment, which alone has
    # Keras, Dask and scikit-learn. They are no part of what a robot runs, so they do not skip.
    collect_ignore = ['training']

# A busy machine is no failure; the same examples in every run.
settings.load_profile('ci')


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Mark what needs YuNet, which no package index holds: `pytest -m assets` runs it alone."""
    for item in items:
        if 'detector_path' in item.fixturenames:
            item.add_marker('assets')


@pytest.fixture
def live():
    """Real nodes on a domain of their own, taken down after the test."""
    nodes = LiveNodes()
    yield nodes
    nodes.close()


@pytest.fixture
def start_process(live):
    """Start an executable of the package on the test's domain; kills what is left."""
    processes = []

    def run(module, *arguments):
        process = subprocess.Popen(
            [sys.executable, '-m', f'emotion_estimator.{module}', '--ros-args', *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, 'ROS_DOMAIN_ID': str(live.domain_id)},
        )
        processes.append(process)
        return process

    yield run
    for process in processes:
        process.kill()
        process.wait()


@pytest.fixture(scope='session')
def landmarker_path():
    """MediaPipe's model; nothing works without it, so that it must be had."""
    return find_asset(FACE_LANDMARKER)


@pytest.fixture(scope='session')
def mediapipe_engine():
    """Import what drives MediaPipe itself, to compare with it; a robot does without."""
    pytest.importorskip('mediapipe', reason='mediapipe is not installed here.')
    return importlib.import_module('emotion_estimator.faces.mediapipe_landmarker')


@pytest.fixture(params=['litert', 'mediapipe'])
def engine(request):
    """Each engine that this environment has."""
    if request.param == 'mediapipe':
        request.getfixturevalue('mediapipe_engine')
    return request.param


@pytest.fixture
def named_publishers():
    """Skip where rclpy does not say which publisher sent a message."""
    if os.environ.get('ROS_DISTRO') in ('humble', 'jazzy'):
        pytest.skip("Jazzy's rclpy does not say which publisher sent a message.")


@pytest.fixture(scope='session')
def detector_path():
    """YuNet's model, which is in no package index, where OpenCV can read it."""
    try:
        return find_yunet()
    except AssetError as error:
        pytest.skip(str(error))


@pytest.fixture(scope='session')
def basic7():
    """Load the default model that ships."""
    return EmotionModel(find_model('basic7'))


@pytest.fixture(scope='session')
def basic7_blendshapes():
    """Load the model that needs no more than blendshapes, such as those made up for tests."""
    return EmotionModel(find_model('basic7_blendshapes'))


@pytest.fixture(scope='session')
def media():
    """Find a clip or picture by name, see `media_path`."""
    return media_path


@pytest.fixture(scope='module')
def browser(tmp_path_factory):
    """Give a browser without a window; skips where there is none."""
    # dev.browser imports it late, for those who only ask where the browser is.
    pytest.importorskip('websockets', reason='The browser is spoken to by websockets.')
    dev_browser = pytest.importorskip('dev.browser')
    program = dev_browser.find_chromium()
    if program is None:
        pytest.skip(f'There is none of {", ".join(dev_browser.NAMES)} on this machine.')
    with dev_browser.Browser(program, tmp_path_factory.mktemp('browser')) as running:
        yield running


@pytest.fixture
def quantised(monkeypatch):
    """Let every network give whole numbers, as one does that was exported so."""
    details = Interpreter.get_output_details
    monkeypatch.setattr(
        Interpreter,
        'get_output_details',
        lambda network: [{**detail, 'dtype': np.int8} for detail in details(network)],
    )
