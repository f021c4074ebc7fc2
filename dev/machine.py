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
"""What the machine itself must have: commands, Debian packages, the right Python."""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import subprocess
from pathlib import Path

DEV = Path(__file__).resolve().parent
ROOT = DEV.parent
PYTHONS = {'kilted': '3.11', 'jazzy': '3.12'}

# What must be there before anything is built or imported, and the Debian package that has it.
PROGRAMS = {'cmake': 'cmake', 'g++': 'g++', 'make': 'make'}
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


class SetupError(Exception):
    """What is wrong and what to do about it, as a sentence."""


def run(*command: object, **variables: str) -> str:
    """
    Run a command in a clean environment, its output kept for when it fails.

    :param command: the program and its arguments.
    :param variables: further environment variables.
    :returns: what it printed.
    :raises SetupError: when it fails, with the end of its output.
    """
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


def write(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + '.part')
    temporary.write_text(text)
    temporary.replace(path)


def check_distro(distro: str) -> None:
    """Refuse a ROS distribution that has no wheels."""
    if distro not in PYTHONS:
        raise SetupError(
            f"ROS_DISTRO is '{distro}', which has no wheels: on a machine with ROS use colcon "
            f'itself, elsewhere give `ROS_DISTRO={"` or `ROS_DISTRO=".join(PYTHONS)}`.'
        )


def require_tools() -> None:
    """Install the programs and shared libraries that are missing, or name them."""
    missing = [package for program, package in PROGRAMS.items() if not shutil.which(program)]
    for library, package in LIBRARIES.items():
        try:
            ctypes.CDLL(library)
        except OSError:
            missing.append(package)
    install_debian(missing)


def require_python(distro: str) -> str:
    """
    Find the interpreter of a distribution, with its headers and `venv`.

    :param distro: a key of PYTHONS.
    :returns: its path, outside of any virtual environment.
    :raises SetupError: when there is none.
    """
    python = find_python(PYTHONS[distro])
    probe = 'import ensurepip, sysconfig; print(sysconfig.get_path("include"))'
    try:
        complete = Path(run(python, '-c', probe).strip(), 'Python.h').is_file()
    except SetupError:
        complete = False
    if not complete:
        install_debian([f'python{PYTHONS[distro]}-{part}' for part in ('dev', 'venv')])
    return python


def find_python(version: str) -> str:
    """
    Find an interpreter that really runs: pyenv's shims may stand for one that doesn't.

    :param version: such as '3.11'.
    :returns: its path, outside of any virtual environment.
    :raises SetupError: when no candidate is of that version.
    """
    candidates = [os.environ.get('PYTHON', ''), f'python{version}', f'/usr/bin/python{version}']
    if shutil.which('pyenv'):
        folder = Path(run('pyenv', 'root').strip(), 'versions')
        found = [path for path in folder.iterdir() if re.fullmatch(rf'{version}\.\d+', path.name)]
        found.sort(key=lambda path: int(path.name.rpartition('.')[2]), reverse=True)
        candidates += [f'{path}/bin/python' for path in found]
    probe = 'import sys; print(sys.base_prefix, "%d.%d" % sys.version_info[:2], sep="\\n")'
    for candidate in filter(None, candidates):
        try:
            prefix, actual = run(candidate, '-c', probe).splitlines()
        except (OSError, SetupError, ValueError):
            continue
        if actual == version:
            return f'{prefix}/bin/python{version}'
    raise SetupError(
        f'No Python {version} was found, which the ROS wheels need: install python{version}-dev '
        f'and python{version}-venv, or one of pyenv, or name it with PYTHON=/its/path.'
    )


def install_debian(packages: list[str]) -> None:
    """Install Debian packages where that can be done, else say what to install."""
    if not packages:
        return
    names = ' '.join(packages)
    if os.geteuid() != 0 or not shutil.which('apt-get'):
        raise SetupError(
            f'This machine lacks {names}: run `sudo apt-get install {names}` '
            '(or what your system calls them), then the same command again.'
        )
    run('apt-get', 'update', '-q')
    install = ('apt-get', 'install', '-q', '-y', '--no-install-recommends')
    run(*install, *packages, DEBIAN_FRONTEND='noninteractive')
