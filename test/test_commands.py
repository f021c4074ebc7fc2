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

"""How the package's commands end, what they need, and how large they are."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from emotion_estimator.commands import MISSING


@pytest.mark.parametrize('unbuffered', ['', '1'])
@pytest.mark.parametrize(
    ('place', 'reason'), [('/dev/full', 'No space left on device'), ('', 'Broken pipe')]
)
def test_a_command_whose_words_cannot_be_written_says_so(tmp_path, unbuffered, place, reason):
    (tmp_path / 'talking.py').write_text('def main():\n    print("word")\n    return 0\n')
    code = 'from emotion_estimator import commands; raise SystemExit(commands.run("talking"))'
    if place:
        output = os.open(place, os.O_WRONLY)
    else:
        closed, output = os.pipe()
        os.close(closed)
    paths = os.pathsep.join([str(tmp_path), os.environ.get('PYTHONPATH', '')])
    ended = subprocess.run(
        [sys.executable, '-c', code],
        stdout=output,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, 'PYTHONPATH': paths, 'PYTHONUNBUFFERED': unbuffered},
    )
    os.close(output)
    assert ended.stderr == f'The output cannot be written: {reason}.\n'
    assert ended.returncode == 2


def test_a_name_that_is_no_utf_8_is_told_all_the_same(tmp_path):
    (tmp_path / 'talking.py').write_text('def main():\n    print("n\\udcff")\n    return 0\n')
    code = 'from emotion_estimator import commands; raise SystemExit(commands.run("talking"))'
    paths = os.pathsep.join([str(tmp_path), os.environ.get('PYTHONPATH', '')])
    # As a locale such as en_US.UTF-8 has it, unlike C.UTF-8.
    strict = {**os.environ, 'PYTHONPATH': paths, 'PYTHONIOENCODING': 'utf-8:strict'}
    assert subprocess.check_output([sys.executable, '-c', code], env=strict) == b'n\\udcff\n'


@pytest.mark.parametrize(
    ('command', 'words'),
    [
        ('replay', ['bag', '-o', '']),
        ('replay', ['']),
        ('demo', ['--out', '']),
        ('fetch_assets', ['--to', '']),
        ('play', ['']),
    ],
)
def test_an_empty_path_is_not_taken_for_the_working_folder(command, words, tmp_path):
    code = f'from emotion_estimator.commands import main; raise SystemExit(main({command!r}))'
    done = subprocess.run(
        [sys.executable, '-c', code, *words], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 2
    assert "it is empty; name a place, '.' for this folder." in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ('command', 'words'),
    [
        ('replay', ['LONG', '-o', 'out']),
        ('play', ['LONG']),
        ('demo', ['--no-page', '--video', 'LONG']),
        ('demo', ['--no-page', '--log', 'LONG']),
        ('camera_node', ['--ros-args', '-p', 'video:=LONG']),
    ],
)
def test_a_name_that_the_system_does_not_take_is_refused_in_a_sentence(command, words, tmp_path):
    code = f'from emotion_estimator.commands import main; raise SystemExit(main({command!r}))'
    words = [word.replace('LONG', 'x' * 300) for word in words]
    run = [sys.executable, '-c', code, *words]
    environment = {**os.environ, 'ROS_DOMAIN_ID': '96'}
    done = subprocess.run(run, capture_output=True, text=True, cwd=tmp_path, env=environment)
    said = done.stdout + done.stderr
    assert f'{"x" * 300} cannot be used: File name too long. Name another place.' in said
    assert ('Traceback' in said, done.returncode) == (False, 2)


NODE_ALONE = """
import sys
import rclpy
from rclpy.parameter import Parameter
from emotion_estimator.nodes.{module} import {name}
rclpy.init()
node = {name}(parameter_overrides=[Parameter('autostart', value=False)])
node.trigger_configure()
heavy = ('cv2', 'mediapipe', 'matplotlib', 'scipy', 'rosbags', 'jinja2', 'plotly', 'rich', 'av')
unused = ('http', 'ssl', 'urllib.request', 'asyncio', 'multiprocessing')
print(*[name for name in (*heavy, *unused) if name in sys.modules])
"""
"""Configures a node and prints what is heavy to import."""


@pytest.mark.parametrize(
    ('module', 'name', 'needed'),
    [('emotion_node', 'EmotionNode', []), ('blendshape_node', 'BlendshapeNode', ['cv2'])],
)
def test_a_node_imports_only_what_it_uses(live, module, name, needed):
    done = subprocess.run(
        [sys.executable, '-c', NODE_ALONE.format(module=module, name=name)],
        capture_output=True,
        text=True,
        env={**os.environ, 'ROS_DOMAIN_ID': str(live.domain_id)},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == needed


LACKING = """
import importlib, sys
module, _, name = '{lacking}'.partition(':')
if name:
    delattr(importlib.import_module(module), name)
else:
    sys.modules[module] = None
from emotion_estimator import commands
sys.argv = ['{command}', *(['nowhere.bag', '-o', 'nowhere'] if '{command}' == 'replay' else [])]
sys.exit(commands.main('{command}'))
"""


@pytest.mark.parametrize(
    ('command', 'lacking', 'how'),
    [
        ('blendshape_node', 'ai_edge_litert', "pip install 'numpy<2' ai-edge-litert"),
        ('emotion_node', 'ai_edge_litert', "pip install 'numpy<2' ai-edge-litert"),
        ('blendshape_node', 'cv2', 'apt install python3-opencv'),
        ('blendshape_node', 'rclpy', "source ROS's setup.bash"),
        ('emotion_node', 'hri_msgs', "source ROS's setup.bash"),
        ('replay', 'rich', 'apt install python3-rich'),
        ('replay', 'rosbags', "pip install 'numpy<2' 'rosbags>=0.11.7'"),
        # Ubuntu 22.04's; what one has who installed it some years ago.
        ('replay', 'rich.progress:MofNCompleteColumn', "pip install 'rich>=12.3'"),
        (
            'replay',
            'rosbags.interfaces:MessageDefinitionFormat',
            "pip install 'numpy<2' 'rosbags>=",
        ),
    ],
)
def test_a_command_that_lacks_a_package_or_has_an_old_one_says_so_in_a_sentence(
    tmp_path, command, lacking, how
):
    code = LACKING.format(command=command, lacking=lacking)
    done = subprocess.run(
        [sys.executable, '-c', code],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=60,
    )
    assert done.returncode == MISSING
    package, _, old = lacking.partition(':')
    what = f'another {package.partition(".")[0]} than' if old else f'{package}, which is not'
    assert done.stderr.startswith(f'This command needs {what}')
    assert how in done.stderr and done.stderr.count('\n') == 1
    assert 'Traceback' not in done.stderr


def megabytes(process, names=''):
    """Sum the proportional set size of a process's mappings whose lines hold a text."""
    sizes, counts = [], False
    for line in Path(f'/proc/{process.pid}/smaps').read_text().splitlines():
        if re.match('[0-9a-f]+-[0-9a-f]+ ', line):
            counts = names in line
        elif counts and line.startswith('Pss:'):
            sizes.append(int(line.split()[1]) / 1024)
    return sum(sizes)


@pytest.mark.parametrize(
    ('module', 'topic', 'most_mb', 'most_shared_mb'),
    [
        ('emotion_node', '/blendshapes', 80, 5),
        ('blendshape_node', '/image', 180, 40),
    ],
)
def test_a_node_stays_small(live, module, topic, most_mb, most_shared_mb):
    """Its segment of shared memory is that for images only where it may send some."""
    process = subprocess.Popen(
        [sys.executable, '-m', f'emotion_estimator.nodes.{module}'],
        env={**os.environ, 'ROS_DOMAIN_ID': str(live.domain_id)},
    )
    try:
        live.until(lambda: live.tester.count_subscribers(topic), 'its input', timeout_s=60)
        sizes_mb = megabytes(process), megabytes(process, '/dev/shm/fast')
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)
    print(f'{module}: {sizes_mb[0]:.0f} MB, of which {sizes_mb[1]:.0f} MB are shared')
    # OpenCV 4.6, which only Jazzy is tried with, takes some more.
    assert sizes_mb[0] < most_mb + 10 * (os.environ.get('ROS_DISTRO') == 'jazzy')
    assert 0 < sizes_mb[1] < most_shared_mb
