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

"""A robot with the live view, and a clip for its camera."""

import cv2
import pytest
from helpers.faces import NEUTRAL, frames
from helpers.live_nodes import STEP_NS, LiveNodes, Robot, is_own

from emotion_estimator.estimator import ExpressionEstimator
from emotion_estimator.parameters import read_parameters
from emotion_estimator.stamps import NS_PER_S


@pytest.fixture(scope='module')
def robot(landmarker_path, browser, tmp_path_factory):
    started = Robot(LiveNodes(), landmarker_path, tmp_path_factory.mktemp('recordings'))
    yield started
    started.close()


@pytest.fixture(scope='module')
def clip(media):
    """Give a clip's images, a tenth of a second apart, and what the estimator says of each."""
    pictures, rate_hz = frames(media(NEUTRAL))
    small = [cv2.resize(bgr, (480, 270)) for bgr in pictures[:: round(rate_hz / 10)]][:40]
    with ExpressionEstimator.of_parameters(read_parameters()) as estimator:
        answers = []
        for number, bgr in enumerate(small):
            rgb = cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
            (face,) = estimator.estimate(rgb, (number + 1) * STEP_NS / NS_PER_S)
            answers.append((face.expression, face.confidence))
    return small, answers


@pytest.fixture
def page(browser, robot):
    opened = robot.view.open(browser, robot.live)
    robot.watched()
    yield opened
    assert opened.errors == []
    outside = [url for url in opened.requested if not is_own(url, robot.view.address)]
    assert outside == []
    opened.close()
