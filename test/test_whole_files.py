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

"""Files are written whole or not at all, and what cannot be written is found out before."""

import hashlib
import os
import resource
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from emotion_estimator.files import (
    LEAST_FREE_BYTES,
    OutputError,
    WholeFile,
    check_files,
    check_output,
    remove_abandoned,
    sha256_of,
    write_whole,
)


def test_a_place_that_cannot_be_written_is_named_and_nothing_is_left_there(tmp_path):
    (tmp_path / 'file').write_text('no folder')
    for place in (tmp_path / 'file', tmp_path / 'file' / 'run'):
        with pytest.raises(OutputError, match='file is a file, not a folder') as caught:
            check_output(place)
        assert str(caught.value).startswith(f'{place} cannot be written: ')
    with pytest.raises(OutputError, match='cannot be written: it is a folder'):
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


def test_files_are_tried_out_before_the_work_and_left_as_they_are(tmp_path):
    good, clip = tmp_path / 'good.png', tmp_path / 'clip.mp4'
    good.write_bytes(b'good')
    clip.write_bytes(b'clip')
    os.mkfifo(tmp_path / 'pipe')
    (tmp_path / 'link').symlink_to(clip)
    long = tmp_path / 'new' / ('n' * 300)
    for path, reason in (
        (tmp_path, 'cannot be written: it is a folder'),
        (tmp_path / 'pipe', 'cannot be written: it is no regular file'),
        (good / 'a.png', f'cannot be written: {good} is a file, not a folder'),
        (long, 'cannot be written: File name too long'),
        (clip, 'would be written in the place of the video'),
        (tmp_path / 'link', 'would be written in the place of the video'),
        (tmp_path / 'new' / '..' / 'good.png', 'would be written in the place of another output'),
    ):
        with pytest.raises(OutputError) as caught:
            check_files(good, path, read={clip: 'the video'})
        assert str(caught.value).startswith(f'{path} {reason}')
    check_files(good, tmp_path / 'new' / 'a.png', read={clip: 'the video'})
    assert good.read_bytes() == b'good' and clip.read_bytes() == b'clip'
    assert sorted(p.name for p in tmp_path.iterdir()) == ['clip.mp4', 'good.png', 'link', 'pipe']


def test_no_file_takes_the_place_of_a_device_or_pipe(tmp_path):
    os.mkfifo(tmp_path / 'pipe')
    with pytest.raises(OutputError, match='it is no regular file but a pipe, socket or device'):
        write_whole(tmp_path / 'pipe', b'content')
    assert (tmp_path / 'pipe').is_fifo()


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


def test_many_may_write_the_same_file_at_once(tmp_path):
    path, contents = tmp_path / 'file', [bytes([number]) * 1000 for number in range(256)]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(partial(write_whole, path), contents))
    assert path.read_bytes() in contents
    assert [p.name for p in tmp_path.iterdir()] == ['file']


@pytest.mark.parametrize('folder', [False, True])
def test_what_a_killed_process_left_unfinished_goes_with_the_next_one(tmp_path, folder):
    path = tmp_path / 'table[1].csv'
    code = (
        'import sys; from pathlib import Path; from emotion_estimator.files import Unfinished;'
        f'made = Unfinished(Path(sys.argv[1]), {folder}); print(made.path, flush=True);'
        'sys.stdin.read()'
    )
    command = [sys.executable, '-c', code, str(path)]
    with subprocess.Popen(command, stdin=-1, stdout=subprocess.PIPE, text=True) as process:
        left = Path(process.stdout.readline().strip())
        remove_abandoned(path)
        assert left.is_dir() == folder and left.exists()
        process.kill()
    for name in ('.table[1].csv.part', '.table[1].csv.bak', '.table1.csv.12345678.part'):
        (tmp_path / name).touch()
    write_whole(path, b'whole')
    assert not left.exists()
    assert len(list(tmp_path.iterdir())) == 4
