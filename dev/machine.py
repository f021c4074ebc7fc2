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
"""What the machine itself must have: commands, Debian packages, the right Python, uv."""

from __future__ import annotations

import ast
import ctypes
import functools
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

DEV = Path(__file__).resolve().parent
ROOT = DEV.parent

# What must be there before anything is built or imported, and the Debian package that has it.
PROGRAMS = {'cmake': 'cmake', 'g++': 'g++', 'make': 'make', 'pip3': 'python3-pip'}
LIBRARIES = {
    'libEGL.so.1': 'libegl1',
    'libGLESv2.so.2': 'libgles2',
    'libGL.so.1': 'libgl1',
    'libgthread-2.0.so.0': 'libglib2.0-0',
}

# What a child must not inherit: it belongs to another environment, a sourced ROS or this make.
FOREIGN = {
    *('_ROS_WHEELS_BOOTSTRAP_COMPLETE', 'LD_LIBRARY_PATH', 'PYTHONPATH', 'PYTHONHOME'),
    *('VIRTUAL_ENV', 'AMENT_PREFIX_PATH', 'CMAKE_PREFIX_PATH', 'COLCON_PREFIX_PATH'),
    *('MAKEFLAGS', 'MAKELEVEL', 'MFLAGS'),
}

# The settings of pip that uv does not read, and the variables by which it takes the same.
PIP_SETTINGS = {
    'index-url': 'UV_DEFAULT_INDEX',
    'extra-index-url': 'UV_INDEX',
    'trusted-host': 'UV_INSECURE_HOST',
    'cert': 'SSL_CERT_FILE',
    'proxy': 'ALL_PROXY',
}


class SetupError(Exception):
    """What is wrong and what to do about it, as a sentence."""


def run(*command: object, **variables: str) -> str:
    """Run a command in a clean environment and return its output, or raise with the end of it."""
    words = [str(word) for word in command]
    clean = {name: value for name, value in os.environ.items() if name not in FOREIGN}
    done = subprocess.run(
        words,
        cwd=str(ROOT),
        env={**clean, **variables},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        tail = '\n'.join(done.stdout.splitlines()[-40:])
        line = ' '.join(words)[:200]
        raise SetupError(f'{tail}\n`{line}` failed with {done.returncode}; see its lines above.')
    return done.stdout


def require_tools() -> None:
    """Install the programs and shared libraries that are missing, or name them."""
    missing = [package for program, package in PROGRAMS.items() if not shutil.which(program)]
    for library, package in LIBRARIES.items():
        try:
            ctypes.CDLL(library)
        except OSError:
            missing.append(package)
    if missing:
        install_debian(' '.join(missing))


def install_debian(names: str) -> None:
    """Install Debian packages where that can be done, else say what to install."""
    if os.geteuid() != 0 or not shutil.which('apt-get'):
        raise SetupError(
            f'This machine lacks {names}: run `sudo apt-get install {names}` '
            '(or what your system calls them), then the same command again.'
        )
    print(f'Installing on this system with apt-get: {names}', flush=True)
    run('apt-get', 'update', '-q')
    install = ('apt-get', 'install', '-q', '-y', '--no-install-recommends')
    run(*install, *names.split(), DEBIAN_FRONTEND='noninteractive')


@functools.lru_cache(None)
def provide_uv() -> tuple[str, dict[str, str]]:
    """Fetch the pinned uv with pip, and read what pip is told here, as variables for uv."""
    pip, lock = (sys.executable, '-m', 'pip'), DEV / 'locked-uv.txt'
    version = re.findall(r'^uv==(\S+)', lock.read_text(), re.MULTILINE)[0]
    program = ROOT / '.venv' / f'uv-{version}'
    if not program.exists():
        options = ('--no-deps', '--require-hashes', '--only-binary', ':all:', '-r', lock)
        with tempfile.TemporaryDirectory(dir=str(program.parent)) as folder:
            run(*pip, 'download', *options, '--dest', folder)
            part = Path(folder, 'uv')
            with zipfile.ZipFile(next(Path(folder).glob('*.whl'))) as wheel:
                part.write_bytes(wheel.read(f'uv-{version}.data/scripts/uv'))
            part.chmod(0o755)
            part.rename(program)
    # Like pip, take a version from any index that has it; the sums are those of the lock.
    variables = {'UV_INDEX_STRATEGY': 'unsafe-best-match', 'UV_SYSTEM_CERTS': '1'}
    for line in run(*pip, 'config', 'list').splitlines():
        setting, _, value = line.partition('=')
        variable = PIP_SETTINGS.get(setting.rpartition('.')[2])
        if variable and variable not in os.environ:
            variables.setdefault(variable, ' '.join(ast.literal_eval(value).split()))
    return str(program), variables


def uv(*arguments: object, **variables: str) -> str:
    """Run uv with pip's settings and without downloads of a Python; return its output."""
    program, settings = provide_uv()
    return run(program, *arguments, **{**settings, 'UV_PYTHON_DOWNLOADS': 'never', **variables})


def require_python(version: str) -> str:
    """Find an interpreter with its headers: of pyenv, on PATH, or the one that PYTHON names."""
    # Before PATH, where pyenv's shims may stand for a Python that doesn't run.
    pyenv = Path(os.environ.get('PYENV_ROOT') or Path.home() / '.pyenv', 'versions')
    path = os.pathsep.join([*map(str, pyenv.glob(f'{version}.*/bin')), os.environ['PATH']])
    named = os.environ.get('PYTHON') or version
    probe = 'import sysconfig as s; print(s.get_python_version(), s.get_path("include"))'
    try:
        found = uv('python', 'find', '--system', '--no-managed-python', named, PATH=path)
        python = found.splitlines()[-1]  # after warnings, of other Pythons on PATH
        actual, include = run(python, '-c', probe).split()
    except SetupError:
        actual, include = '', ''
    if actual != version:
        raise SetupError(
            f'No Python {version} was found as "{named}": install python{version}-dev, or one of '
            'pyenv, or name it with PYTHON=/its/path.'
        )
    if not Path(include, 'Python.h').is_file():
        install_debian(f'python{version}-dev')
    return python
