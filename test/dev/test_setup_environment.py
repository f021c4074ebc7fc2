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

"""What decides whether an environment is made anew, and paths with spaces."""

import sys
import sysconfig

import pytest

from dev import setup_environment


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """Make checkouts with a lock, and take the last one for this."""

    def make(name):
        root = tmp_path / name
        (root / 'dev').mkdir(parents=True)
        (root / 'dev' / 'locked-docs.txt').write_text('Sphinx==9.0.4\n')
        monkeypatch.setattr(setup_environment, 'ROOT', root)
        monkeypatch.setattr(setup_environment, 'DEV', root / 'dev')
        return root

    return make


def test_an_environment_that_a_second_checkout_links_to_is_one_environment(checkout):
    # Else each of them removes it, which the other uses, and makes it anew with its own path.
    first = checkout('first')
    (first / '.venv').mkdir()
    made = setup_environment.Environment('docs')
    (checkout('second') / '.venv').symlink_to(first / '.venv')
    linked = setup_environment.Environment('docs')
    assert linked.prefix == made.prefix == first / '.venv' / 'docs'
    assert linked.key == made.key


def test_a_path_with_spaces_is_put_whole_into_cmake_s_files(checkout):
    root = checkout('a robot')
    made = setup_environment.Environment('docs')
    (root / 'numpy.py').write_text(f'def get_include():\n    return {str(root)!r}\n')
    (made.prefix / 'bin').mkdir(parents=True)
    first = f"import sys; sys.path.insert(0, '{root}'); exec(sys.argv[1])"
    made.python.write_text(f'#!/bin/sh\nexec "{sys.executable}" -c "{first}" "$2"\n')
    made.python.chmod(0o755)
    written = made.prefix / 'share' / 'rcl' / 'cmake' / 'rcl.cmake'
    written.parent.mkdir(parents=True)
    built = '/opt/python/cp311-cp311'
    written.write_text(
        f'"{built}/include/python3.11;{built}/lib/python3.11/site-packages/numpy/core/include"'
    )
    made.fix_cmake()
    assert written.read_text() == f'"{sysconfig.get_path("include")};{root}"'


def test_an_environment_whose_python_has_gone_is_made_anew(checkout, monkeypatch):
    made = []

    def install(self):
        made.append(self.name)
        self.python.parent.mkdir(parents=True, exist_ok=True)
        self.python.symlink_to(sys.executable)

    (checkout('robot') / 'dev' / 'requirements-docs.txt').touch()
    monkeypatch.setattr(setup_environment.Environment, 'install', install)
    for _ in range(2):
        setup_environment.Environment('docs').make()
    assert made == ['docs']
    python = setup_environment.Environment('docs').python
    python.unlink()
    setup_environment.Environment('docs').make()
    assert made == ['docs', 'docs']


def test_where_ros_generates_no_messages_a_sentence_says_where_to_move(checkout, monkeypatch):
    root = checkout('häuschen')
    monkeypatch.setattr(setup_environment, 'CACHE', root / 'cache')
    made = setup_environment.Environment('docs')
    made.python = sys.executable
    with pytest.raises(setup_environment.SetupError, match=f'{root}.*: move this checkout'):
        made.interfaces('')


# colcon with its own command line; it builds one file, and installs it as ament_cmake does.
COLCON = """
import shutil, sys
from pathlib import Path
from colcon_core.command import main
from colcon_core.verb.build import BuildVerb

def build(self, *, context):
    args = context.args
    built, installed = (Path(base) / 'made.py' for base in (args.build_base, args.install_base))
    for path in (built, installed):
        path.parent.mkdir(parents=True)
    built.write_text('made = True')
    installed.symlink_to(built) if args.symlink_install else shutil.copy(built, installed)

BuildVerb.main = build
sys.exit(main())
"""


def test_messages_in_the_cache_are_no_links_whatever_the_user_s_colcon_does(
    checkout, tmp_path, monkeypatch
):
    root = checkout('robot')
    monkeypatch.setattr(setup_environment, 'CACHE', root / 'cache')
    (tmp_path / 'defaults.yaml').write_text('build:\n  symlink-install: true\n')
    monkeypatch.setenv('COLCON_HOME', str(tmp_path))
    monkeypatch.delenv('COLCON_DEFAULTS_FILE', raising=False)
    made = setup_environment.Environment('docs')
    made.python = sys.executable
    colcon = made.prefix / 'bin' / 'colcon'
    colcon.parent.mkdir(parents=True)
    (root / 'colcon.py').write_text(COLCON)
    colcon.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{root / "colcon.py"}" "$@"\n')
    colcon.chmod(0o755)
    for _ in range(2):  # generated, then from the cache
        made.interfaces('')
        message = made.prefix / 'interfaces' / 'install' / 'made.py'
        assert message.read_text() == 'made = True'
        assert not message.is_symlink()


def test_ctrl_c_ends_it_with_a_sentence(checkout, monkeypatch, capsys):
    def interrupted(self):
        raise KeyboardInterrupt

    checkout('robot')
    monkeypatch.setattr(setup_environment.Environment, 'make', interrupted)
    monkeypatch.setattr(sys, 'argv', ['setup_environment.py', 'docs'])
    assert setup_environment.main() == 130
    assert capsys.readouterr().err == 'Stopped; the same command goes on at this stage.\n'
