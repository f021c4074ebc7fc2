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

"""Files are found and written whole; start-up lines of native libraries go to a file."""

import ctypes
import hashlib
import os
import resource
import subprocess
import sys

import pytest

from emotion_estimator import files
from emotion_estimator.files import (
    LEAST_FREE_BYTES,
    AssetError,
    OutputError,
    WholeFile,
    check_output,
    find_encoding,
    find_model,
    find_shared_file,
    sha256_of,
    write_whole,
)
from emotion_estimator.native_output import (
    StartUpSieve,
    is_start_up,
    overheard,
    own_stderr_sieved,
)


def test_a_model_is_found_by_name_and_by_path(tmp_path):
    assert find_model('basic7').name == 'basic7'
    mine = tmp_path / 'mine'
    mine.mkdir()
    assert find_model(str(mine)) == mine
    for name in ('', 'basic8', '../basic7', str(tmp_path / 'nowhere')):
        with pytest.raises(AssetError, match='There is no model'):
            find_model(name)


def test_an_encoding_is_found_by_name_and_by_path(tmp_path, monkeypatch):
    package = tmp_path / 'share' / 'emotion_estimator'
    for name in ('v1.npz', 'v2.npz', 'README.md'):
        write_whole(package / 'resource' / 'face_encodings' / name, b'')
    mine = tmp_path / 'mine.npz'
    write_whole(mine, b'')
    monkeypatch.setenv('AMENT_PREFIX_PATH', str(tmp_path))
    monkeypatch.setattr(files, '__file__', str(tmp_path / 'lib' / 'emotion_estimator' / 'x.py'))
    assert find_encoding('v1') == package / 'resource' / 'face_encodings' / 'v1.npz'
    assert find_encoding(str(mine)) == mine
    for name in ('', 'v3', 'v1.npz', '../face_encodings/v1', str(tmp_path), '/nowhere.npz'):
        with pytest.raises(AssetError, match=r'There is no face encoding .*there: v1, v2\.'):
            find_encoding(name)


def test_an_installed_package_finds_its_files_through_the_ament_prefix(tmp_path, monkeypatch):
    installed = tmp_path / 'share' / 'emotion_estimator' / 'config' / 'emotion_estimator.yaml'
    write_whole(installed, b'')
    monkeypatch.setenv('AMENT_PREFIX_PATH', f'/nowhere:{tmp_path}')
    monkeypatch.setattr(files, '__file__', str(tmp_path / 'lib' / 'emotion_estimator' / 'x.py'))
    assert find_shared_file('config/emotion_estimator.yaml') == installed
    with pytest.raises(AssetError, match=r'nowhere\.yaml'):
        find_shared_file('nowhere.yaml')


def test_what_pip_installed_has_its_files_in_the_same_environment(tmp_path, monkeypatch):
    package = tmp_path / 'lib' / 'python3.12' / 'site-packages' / 'emotion_estimator'
    shared = tmp_path / 'share' / 'emotion_estimator' / 'config' / 'a.yaml'
    write_whole(shared, b'')
    monkeypatch.delenv('AMENT_PREFIX_PATH', raising=False)
    monkeypatch.setattr(files, '__file__', str(package / 'files.py'))
    assert find_shared_file('config/a.yaml') == shared


def test_a_checkout_uses_its_own_files_whatever_is_installed(tmp_path, monkeypatch):
    """Else an old build would lend its models to the code that was edited since."""
    checkout = tmp_path / 'checkout'
    for path in (checkout / 'package.xml', checkout / 'config' / 'a.yaml'):
        write_whole(path, b'')
    write_whole(tmp_path / 'share' / 'emotion_estimator' / 'config' / 'a.yaml', b'')
    monkeypatch.setenv('AMENT_PREFIX_PATH', str(tmp_path))
    monkeypatch.setattr(files, '__file__', str(checkout / 'emotion_estimator' / 'files.py'))
    assert find_shared_file('config/a.yaml') == checkout / 'config' / 'a.yaml'


def test_a_place_that_cannot_be_written_is_named_and_nothing_is_left_there(tmp_path):
    (tmp_path / 'file').write_text('no folder')
    for place in (tmp_path / 'file', tmp_path / 'file' / 'run'):
        with pytest.raises(OutputError, match='file is a file, not a folder') as caught:
            check_output(place)
        assert str(caught.value).startswith(f'{place} cannot be written: ')
    with pytest.raises(OutputError, match='cannot be written: Is a directory'):
        write_whole(tmp_path, b'content')
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (LEAST_FREE_BYTES // 2, limit[1]))
    try:
        with pytest.raises(OutputError, match='out/run cannot be written: File too large'):
            check_output(tmp_path / 'out' / 'run')
        with pytest.raises(OutputError, match=r'a\.bin cannot be written: File too large'):
            write_whole(tmp_path / 'made' / 'a.bin', bytes(LEAST_FREE_BYTES))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert [path.name for path in tmp_path.iterdir()] == ['file']
    check_output(tmp_path / 'out' / 'run')
    assert [path.name for path in tmp_path.iterdir()] == ['file']


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / 'file'
    write_whole(path, b'first')
    with pytest.raises(TypeError):
        write_whole(path, 'no bytes')
    assert path.read_bytes() == b'first'
    assert [p.name for p in tmp_path.iterdir()] == ['file']
    assert sha256_of(path) == hashlib.sha256(b'first').hexdigest()


def test_a_file_that_grows_stands_under_its_name_when_it_is_finished(tmp_path):
    path = tmp_path / 'new' / 'table.csv'
    whole = WholeFile(path, text=True)
    whole.file.write('Gr\u00fc\u00dfe\r\n')
    assert not path.exists()
    whole.finish()
    whole.close()
    assert path.read_bytes() == b'Gr\xc3\xbc\xc3\x9fe\r\n'
    assert path.stat().st_mode & 0o777 == 0o644
    dropped = WholeFile(tmp_path / 'dropped' / 'table.csv', text=True)
    dropped.file.write('half of it')
    dropped.close()
    assert [p.name for p in tmp_path.iterdir()] == ['new']
    assert [p.name for p in path.parent.iterdir()] == ['table.csv']


# Start-up lines of native libraries are kept in a file; everything else is still read.


START_UP = (
    b'INFO: Created TensorFlow Lite XNNPACK delegate for CPU.\n',
    b'[ WARN:0@4.613] global net_impl_backend.cpp:345 setPreferableTarget Targets are not '
    b'supported by the new graph engine for now\n',
    b'WARNING: Logging before InitGoogle() is written to STDERR\n',
    b'W0000 00:00:1795966955.218556   15443 face_landmarker_graph.cc:181] Sets '
    b'FaceBlendshapesGraph acceleration to xnnpack by default.\n',
    b'W0000 00:00:1795966955.243022   15447 inference_feedback_manager.cc:121] Feedback manager '
    b'requires a model with a single signature inference.\n',
    b'I0000 00:00:1795966955.243022   15447 gl_context_egl.cc:85] Initialized EGL 1.5\n',
)
WORTH_READING = (
    b'Traceback (most recent call last):\n',
    b'E0000 00:00:1795966955.218556   15443 face_landmarker_graph.cc:181] Cannot open it.\n',
    b'F0000 00:00:1795966955.218556   15443 calculator_graph.cc:9] Check failed: x\n',
    b'W0000 00:00:1795966955.218556   15443 other.cc:1] An unknown warning.\n',
    b'[ERROR:0@1.0] global x.cpp:1 setPreferableTarget failed\n',
    b'[ WARN:0@1.0] global cap.cpp:1 open cannot open the camera\n',
    b'[WARN] [1795966977.049] [blendshape_node]: Nothing arrived on /image for 2 s.\n',
    b'[ERROR] [1795966977.049] [emotion_node]: There is no model.\n',
    b'INFO: something else\n',
    b'\n',
)


@pytest.mark.parametrize('line', START_UP)
def test_a_known_start_up_line_is_reported(line):
    assert is_start_up(line)


@pytest.mark.parametrize('line', WORTH_READING)
def test_errors_and_unknown_lines_are_no_start_up_lines(line):
    assert not is_start_up(line)


def test_a_process_s_lines_are_parted_in_their_order_and_none_is_lost(tmp_path):
    passed = []
    content = b''.join(a + b for a, b in zip(START_UP, WORTH_READING)) + b'no end'
    code = f'import os; [os.write(2, bytes([b])) for b in {content!r}]'
    log = tmp_path / 'new' / 'nodes.log'
    with StartUpSieve(log, passed.append) as sieve:
        subprocess.run([sys.executable, '-c', code], stderr=sieve, check=True)
    assert log.read_bytes() == b''.join(START_UP)
    assert passed == [*WORTH_READING[: len(START_UP)], b'no end']


def test_what_was_logged_before_is_kept(tmp_path):
    log = tmp_path / 'log'
    for line in START_UP[:2]:
        with StartUpSieve(log, lambda line: None) as sieve:
            os.write(sieve.fileno(), line)
    assert log.read_bytes() == START_UP[0] + START_UP[1]


def test_a_process_that_lives_on_holds_no_sieve_up(tmp_path):
    passed = []
    with StartUpSieve(tmp_path / 'log', passed.append) as sieve:
        code = 'import os, sys; os.write(2, b"here"); sys.stdout.write("."); sys.stdout.flush(); '
        process = subprocess.Popen(
            [sys.executable, '-c', code + 'sys.stdin.read()'],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=sieve,
        )
        assert process.stdout.read(1) == b'.'
    assert passed == [b'here']
    process.communicate()


def test_the_process_s_own_native_lines_are_sieved_and_its_stderr_comes_back(tmp_path, capfd):
    log = tmp_path / 'log'
    with own_stderr_sieved(log):
        os.write(2, START_UP[0] + WORTH_READING[0])
        os.system('echo from a child >&2')
    os.write(2, START_UP[1])
    assert log.read_bytes() == START_UP[0]
    said = capfd.readouterr().err.encode()
    assert said == WORTH_READING[0] + b'from a child\n' + START_UP[1]


def test_an_error_inside_leaves_stderr_as_it_was(tmp_path, capfd):
    with pytest.raises(ValueError, match='wrong'), own_stderr_sieved(tmp_path / 'log'):
        os.write(2, b'before\n')
        raise ValueError('wrong')
    os.write(2, b'after\n')
    assert capfd.readouterr().err == 'before\nafter\n'


def test_what_decoders_say_is_heard_and_what_others_say_is_passed_on(capfd):
    library = ctypes.CDLL(None)
    stderr = ctypes.c_void_p.in_dll(library, 'stderr')

    def say():
        for line in (b'Corrupt JPEG data: bad Huffman code\n', b'a robot speaks\n'):
            library.fputs(line, stderr)
        return 3

    assert overheard(say) == (3, 'Corrupt JPEG data: bad Huffman code\n')
    assert overheard(lambda: 4) == (4, '')
    library.fputs(b'all is as before\n', stderr)
    assert capfd.readouterr().err == 'a robot speaks\nall is as before\n'


def test_after_a_call_that_fails_stderr_is_as_before(capfd):
    with pytest.raises(ZeroDivisionError):
        overheard(lambda: 1 // 0)
    ctypes.CDLL(None).fputs(b'heard\n', ctypes.c_void_p.in_dll(ctypes.CDLL(None), 'stderr'))
    assert capfd.readouterr().err == 'heard\n'
