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

"""The examples that people copy: each is run, the launch file where launch is installed."""

import ast
import importlib
import importlib.util
import re
import sys

import pytest
from helpers.live_nodes import START_NS
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile
from rosgraph_msgs.msg import Clock
from std_msgs.msg import Header, String
from vision_msgs.msg import Classification, ObjectHypothesis

from emotion_estimator.cameras import find_camera
from emotion_estimator.files import find_shared_file
from emotion_estimator.messages import ROS
from emotion_estimator.stamps import NS_PER_S

LATEST = QoSProfile(depth=10, durability=DurabilityPolicy.TRANSIENT_LOCAL)
LAUNCH_FILE = 'examples/realsense.launch.py'


def imported(name):
    path = find_shared_file(name)
    spec = importlib.util.spec_from_file_location(re.sub(r'\W', '_', path.stem), path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Reacting:
    """The example's node by simulated time, what it is told and what it does."""

    def __init__(self, live):
        class Watched(imported('examples/react.py').React):
            taken = 0

            def on_emotion(self, message):
                super().on_emotion(message)
                self.taken += 1

        self.live = live
        self.node = Watched(
            context=live.context, parameter_overrides=[Parameter('use_sim_time', value=True)]
        )
        live.executor.add_node(self.node)
        self.emotions = live.publisher(Classification, '/emotion')
        self.clock = live.publisher(Clock, '/clock')
        self.reactions = live.listen(String, '/reaction', LATEST)
        live.until(lambda: self.emotions.get_subscription_count() == 1, 'the node')
        live.until(lambda: self.clock.get_subscription_count() == 1, "the node's clock")
        live.until(lambda: self.node.publisher.get_subscription_count() == 1, 'the listener')
        self.time_ns = START_NS
        self.advance(0.1)

    def advance(self, duration_s):
        """Let time pass."""
        self.time_ns += round(duration_s * NS_PER_S)
        self.clock.publish(Clock(clock=ROS.time(self.time_ns)))
        self.live.until(
            lambda: self.node.get_clock().now().nanoseconds == self.time_ns, 'the time'
        )

    def show(self, score, expression='happy', face='face_abc', age_s=0.0):
        """Publish a face's emotion and wait until the node has looked at it."""
        stamp_ns = self.time_ns - round(age_s * NS_PER_S)
        scores = {expression: score, 'neutral': 1 - score}
        taken = self.node.taken
        self.emotions.publish(
            Classification(
                header=Header(stamp=ROS.time(stamp_ns), frame_id=face),
                results=[ObjectHypothesis(class_id=n, score=s) for n, s in scores.items()],
            )
        )
        self.live.until(lambda: self.node.taken > taken, 'the emotion')

    def done(self, *reactions):
        """Wait until the robot has done so much, and see that it was this."""
        self.live.until(lambda: len(self.reactions) >= len(reactions), f'{reactions}')
        assert [message.data for message in self.reactions] == list(reactions)


@pytest.fixture
def reacting(live):
    started = Reacting(live)
    yield started
    live.executor.remove_node(started.node)
    started.node.destroy_node()


def test_a_reaction_begins_at_a_high_score_and_ends_at_a_low_one(reacting):
    for score in (0.5, 0.69, 0.71, 0.5, 0.41, 0.69):
        reacting.show(score)
        reacting.advance(0.1)
    reacting.done('smile')
    for score in (0.39, 0.5, 0.69):
        reacting.show(score)
        reacting.advance(0.1)
    reacting.done('smile', '')
    reacting.show(0.9)
    reacting.done('smile', '', 'smile')


def test_a_reaction_ends_a_second_after_the_last_image_of_the_face(reacting):
    reacting.show(0.9)
    reacting.advance(0.6)
    reacting.show(0.9, age_s=0.3)
    reacting.advance(0.6)
    reacting.done('smile')
    reacting.advance(0.2)
    reacting.done('smile', '')


def test_a_reaction_ends_where_time_steps_back_as_where_a_bag_begins_again(reacting):
    reacting.show(0.9)
    reacting.done('smile')
    reacting.advance(-60.0)
    reacting.advance(0.3)
    reacting.done('smile', '')
    reacting.show(0.9, face='face_new')
    reacting.done('smile', '', 'smile')


def test_an_emotion_of_an_image_that_is_old_makes_the_robot_do_nothing(reacting):
    reacting.show(0.9, age_s=1.1)
    reacting.show(0.9, 'scared', age_s=0.9)
    reacting.done('slow down')


def test_while_the_robot_reacts_to_one_person_another_one_changes_nothing(reacting):
    reacting.show(0.9)
    reacting.show(0.9, 'scared', face='face_other')
    reacting.show(0.1)
    reacting.show(0.9, 'scared', face='face_other')
    reacting.done('smile', '', 'slow down')


def test_the_readme_names_each_example_and_its_code_is_python():
    text = find_shared_file('examples/README.md').read_text(encoding='utf-8')
    files = find_shared_file('examples').glob('*.py')
    assert [path.name for path in files if f'`{path.name}`' not in text] == []
    blocks = re.findall(r'```python\n(.*?)```', text, re.DOTALL)
    assert len(blocks) == 2
    for block in blocks:
        compile(block, 'examples/README.md', 'exec')


# The launch file: what it hands on, read from it; all of it, where launch is installed.


def constant(name, of):
    """Read a constant of a launch file without importing it."""
    tree = ast.parse(find_shared_file(of).read_text(encoding='utf-8'))
    (value,) = (
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and node.targets[0].id == name
    )
    return value


def test_the_example_s_launch_file_hands_on_arguments_that_exist():
    arguments = constant('ARGUMENTS', 'launch/emotion_estimator.launch.py')
    known = {argument.elts[0].value for argument in arguments.elts}
    handed = ast.literal_eval(constant('ESTIMATOR', LAUNCH_FILE))
    assert set(handed) <= known
    camera = ast.literal_eval(constant('CAMERA', LAUNCH_FILE))
    published = '/{camera_namespace}/{camera_name}/color/image_raw'.format(**camera)
    assert find_camera(handed['camera']).image == published
    assert find_shared_file(ast.literal_eval(constant('PROFILE', LAUNCH_FILE))).is_file()


def started(entity, context):
    """Walk through what a launch file describes, in order; gives the nodes, and starts none."""
    from launch_ros.actions import Node

    if isinstance(entity, Node):
        yield entity
        return
    for inner in entity.visit(context) or ():
        yield from started(inner, context)


def test_the_example_s_launch_file_starts_the_camera_and_both_nodes(tmp_path, monkeypatch):
    for name in ('launch.actions', 'launch_ros'):
        pytest.importorskip(name, reason='launch is in no package registry; ROS has it.')
    launch = importlib.import_module('launch')
    # What stands for the camera's package declares the arguments of its real launch file.
    share = tmp_path / 'share' / 'realsense2_camera'
    (share / 'launch').mkdir(parents=True)
    camera = ast.literal_eval(constant('CAMERA', LAUNCH_FILE))
    (share / 'launch' / 'rs_launch.py').write_text(
        'from launch import LaunchDescription\n'
        'from launch.actions import DeclareLaunchArgument\n'
        'from launch.substitutions import LaunchConfiguration\n'
        'from launch_ros.actions import Node\n'
        'def generate_launch_description():\n'
        f'    names = {[*camera, "log_level", "output"]}\n'
        '    return LaunchDescription([\n'
        "        *(DeclareLaunchArgument(name, default_value='') for name in names),\n"
        "        Node(package='realsense2_camera', executable='realsense2_camera_node',\n"
        "             name=LaunchConfiguration('camera_name'))])\n"
    )
    index = tmp_path / 'share' / 'ament_index' / 'resource_index' / 'packages'
    index.mkdir(parents=True)
    (index / 'realsense2_camera').touch()
    own = tmp_path / 'share' / 'emotion_estimator'
    own.symlink_to(find_shared_file('package.xml').parent)
    (index / 'emotion_estimator').touch()
    monkeypatch.setenv('AMENT_PREFIX_PATH', str(tmp_path))
    monkeypatch.setattr(sys, 'argv', ['ros2', 'launch', 'realsense.launch.py'])
    context = launch.LaunchContext()
    description = imported(LAUNCH_FILE).generate_launch_description()
    nodes = list(started(description, context))
    assert [node.node_executable for node in nodes] == [
        'realsense2_camera_node',
        'emotion_estimator',
    ]
    profile = {name for name in context.environment if name.endswith('DEFAULT_PROFILES_FILE')}
    assert context.environment[profile.pop()].endswith('config/fastdds_large_images.xml')
