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

"""Sources of assets for tests: servers on loopback that behave badly, and small wheels."""

import base64
import hashlib
import os
import socket
import threading
import zipfile
from contextlib import contextmanager

HEADER = b'HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n'


class Server:
    """
    A server on loopback that treats each connection in one way.

    :param behave: takes the server and the connection, which is closed afterwards.
    """

    def __init__(self, behave):
        self._behave = behave
        self._listening = socket.create_server(('127.0.0.1', 0))
        self.url = f'http://127.0.0.1:{self._listening.getsockname()[1]}'
        self.asked = threading.Semaphore(0)
        self.count = 0
        self.closing = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            self.count += 1
            self.asked.release()
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        with connection:
            try:
                self._behave(self, connection)
            except OSError:  # the other side has given up
                return

    def close(self):
        """Listen no more, and let go whoever waits."""
        self.closing.set()
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()


def silent(server, connection):
    """Accept, and say nothing."""
    server.closing.wait()


def sending(content, length=None):
    """Send a content, of which another length may be promised."""

    def behave(server, connection):
        connection.recv(1 << 16)
        connection.sendall(HEADER % (len(content) if length is None else length) + content)

    return behave


def dripping(server, connection):
    """Send a byte every tenth of a second."""
    connection.recv(1 << 16)
    connection.sendall(HEADER % 1_000_000)
    while not server.closing.wait(0.1):
        connection.sendall(b'x')


def trickling(content, piece, step_s):
    """Send a content at an even pace, a piece each step; it never stops and is never fast."""

    def behave(server, connection):
        connection.recv(1 << 16)
        connection.sendall(HEADER % len(content))
        for begin in range(0, len(content), piece):
            connection.sendall(content[begin : begin + piece])
            if server.closing.wait(step_s):
                return

    return behave


@contextmanager
def serving(behave):
    """Run a server."""
    server = Server(behave)
    try:
        yield server
    finally:
        server.close()


def patience():
    """Tell how much longer than usual things may take: as often as each core has work to do."""
    return max(1.0, os.getloadavg()[0] / os.cpu_count())


def closed_url():
    """Name an address on loopback at which nobody listens."""
    with socket.create_server(('127.0.0.1', 0)) as once:
        return f'http://127.0.0.1:{once.getsockname()[1]}'


def write_wheel(folder, members, name='made'):
    """Write a wheel of version 1.0 that pip takes; returns its path."""
    info = f'{name}-1.0.dist-info'
    contents = {
        **members,
        f'{info}/METADATA': f'Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n'.encode(),
        f'{info}/WHEEL': b'Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n',
    }
    lines = [
        f'{path},sha256={digest_of(content)},{len(content)}' for path, content in contents.items()
    ]
    contents[f'{info}/RECORD'] = '\n'.join([*lines, f'{info}/RECORD,,']).encode()
    path = folder / f'{name}-1.0-py3-none-any.whl'
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, 'w') as archive:
        for inside, content in contents.items():
            archive.writestr(inside, content)
    return path


def digest_of(content):
    """Compute a checksum as RECORD has it."""
    digest = hashlib.sha256(content).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b'=').decode()


def isolate(monkeypatch, folder):
    """Let assets be sought, kept and fetched below a folder and nowhere else."""
    for variable in environment(folder, closed_url()).items():
        monkeypatch.setenv(*variable)
    for name in ('PIP_FIND_LINKS', 'PIP_EXTRA_INDEX_URL', 'PIP_NO_INDEX', *PROXIES):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr('tempfile.tempdir', str(folder / 'tmp'))


PROXIES = ('HTTP_PROXY', 'HTTPS_PROXY', 'ALL_PROXY', 'http_proxy', 'https_proxy', 'all_proxy')


def environment(folder, index_url):
    """Set what names places of assets; nothing of the user's pip configuration counts."""
    (folder / 'tmp').mkdir(exist_ok=True)
    return {
        'EMOTION_ESTIMATOR_ASSETS': str(folder / 'assets'),
        'XDG_CACHE_HOME': str(folder / 'cache'),
        'TMPDIR': str(folder / 'tmp'),
        'PIP_CONFIG_FILE': '/dev/null',
        'PIP_INDEX_URL': f'{index_url}/simple',
        'NO_PROXY': '',
        'no_proxy': '',
    }
