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

"""How the package's commands end."""

import os
import subprocess
import sys

import pytest


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
