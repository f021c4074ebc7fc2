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

"""The live view's settings in a real browser, beside real nodes: what they show and change."""

import pytest
from helpers.live_view import text
from rclpy.parameter import Parameter

pytest.importorskip('nicegui', reason='The live view needs NiceGUI.')


def test_a_slider_shows_and_changes_the_parameter_of_the_running_node(robot, page):
    def of_node():
        return robot.emotion_node.parameters['min_confidence']

    robot.emotion_node.set_parameters([Parameter('min_confidence', value=0.25)])
    page.press('#view-settings')
    control = '.view-control:has(#view-min_confidence)'
    robot.live.until(lambda: '0.25' in text(page, control), 'the value that was set elsewhere')
    page.press('#view-min_confidence', 'ArrowRight')
    robot.live.until(lambda: of_node() != 0.25, 'the change')
    # The middle of 0 to 0.6, and a step further where the slider takes the key.
    assert of_node() == pytest.approx(0.3, abs=0.02)
    robot.live.until(lambda: f'{of_node():g}' in text(page, control), 'the new value')
    robot.emotion_node.set_parameters([Parameter('min_confidence', value=0.5)])


PRIOR_FIELD = 'document.getElementById("view-class_prior-field").value'


def test_a_parameter_of_words_is_shown_as_the_running_node_has_it(robot, page):
    page.press('#view-settings')
    for words in ('uniform', 'model'):
        robot.emotion_node.set_parameters([Parameter('class_prior', value=words)])
        robot.live.until(lambda w=words: text(page, '#view-class_prior') == w, words)
        robot.live.until(lambda w=words: page.run(PRIOR_FIELD) == w, f'{words} in the field')


SHARES = 'neutral=.6,happy=.2,sad=.04,surprised=.04,angry=.04,scared=.04,disgusted=.04'


def test_a_parameter_of_words_is_set_from_its_field_by_the_button_and_by_enter(robot, page):
    def prior():
        return robot.emotion_node.parameters['class_prior']

    robot.emotion_node.set_parameters([Parameter('class_prior', value='model')])
    page.press('#view-settings')
    robot.live.until(lambda: text(page, '#view-class_prior') == 'model', 'the value')
    page.write('#view-class_prior-field', SHARES)
    page.press('#view-class_prior-set')
    robot.live.until(lambda: prior() == SHARES, 'the shares')
    robot.live.until(lambda: text(page, '#view-class_prior') == SHARES, 'the shares on the page')
    page.write('#view-class_prior-field', 'training')
    page.press('#view-class_prior-field', 'Enter')
    robot.live.until(lambda: prior() == 'training', 'training')
    robot.live.until(lambda: text(page, '#view-class_prior') == 'training', 'it on the page')
    robot.emotion_node.set_parameters([Parameter('class_prior', value='model')])


@pytest.mark.parametrize(
    ('nonsense', 'said'),
    [
        ('sunshine', "class_prior must be 'model', 'uniform', 'training' or shares"),
        ('happy=1', 'class_prior lacks a share of'),
        ('<b>happy</b>=1', "class_prior: '<b>happy</b>' is none of the classes"),
        ('', "class_prior must be 'model'"),
    ],
)
def test_words_that_the_node_refuses_are_answered_by_its_reason_and_change_nothing(
    robot, page, nonsense, said
):
    robot.emotion_node.set_parameters([Parameter('class_prior', value='uniform')])
    page.press('#view-settings')
    robot.live.until(lambda: text(page, '#view-class_prior') == 'uniform', 'the value')
    page.write('#view-class_prior-field', nonsense)
    page.press('#view-class_prior-set')
    notices = '[...document.querySelectorAll(".q-notification")].map((it) => it.innerText).join()'
    robot.live.until(lambda: said in page.run(notices), 'the reason')
    assert robot.emotion_node.parameters['class_prior'] == 'uniform'
    assert text(page, '#view-class_prior') == 'uniform'
    # It stays in the field, to be mended.
    assert page.run(PRIOR_FIELD) == nonsense
    robot.emotion_node.set_parameters([Parameter('class_prior', value='model')])
