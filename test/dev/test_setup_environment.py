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

"""What decides whether an environment is made anew, paths with spaces, and what make is given."""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

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


# How make takes what it is given, and hands it on.


ROOT = Path(__file__).resolve().parents[2]
needs_make = pytest.mark.skipif(shutil.which('make') is None, reason='needs make')


def made(*arguments, **variables):
    """Print what make would do, as though `make test` had not called it: that says more."""
    alone = {name: value for name, value in os.environ.items() if 'MAKE' not in name}
    command = ['make', '-n', *arguments]
    return subprocess.run(
        command, cwd=ROOT, env={**alone, **variables}, capture_output=True, text=True, check=True
    ).stdout


@needs_make
@pytest.mark.parametrize(
    ('target', 'name', 'with_it'),
    [
        ('setup', 'OLDEST', 'jazzy-oldest'),
        ('assets', 'DEMO', '--demo'),
        ('bench', 'QUICK', '--quick'),
        ('bench', 'PYFEAT', 'py-feat'),
        ('visibility', 'TABLE', '--visibility table'),
        ('evaluate', 'RECORD', '--record'),
        ('seeds', 'RECORD', '--record'),
        ('lock', 'UPGRADE', '--upgrade'),
    ],
)
def test_make_takes_0_and_empty_for_no(target, name, with_it):
    told = {value: with_it in made(target, f'{name}={value}') for value in ('1', '0', '', ' ')}
    assert told == {'1': True, '0': False, '': False, ' ': False}


@needs_make
def test_make_hands_a_path_with_an_apostrophe_on_as_it_is():
    given = ['VIDEO=it\'s "me" & you.mp4', "MODEL=it's"]
    printed = made('demo', *given)
    command = printed[printed.index('--video') :]
    words = subprocess.run(
        ['sh', '-c', f'printf "%s\\n" {command}'],
        env={**os.environ, **dict(one.split('=', 1) for one in given)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    assert words == ['--video', 'it\'s "me" & you.mp4', '--model', "it's"]


@needs_make
@pytest.mark.parametrize(
    ('target', 'options'),
    [
        ('assets', {'TO': '--to "$TO"'}),
        ('demo', {'VIDEO': '--video "$VIDEO"', 'MODEL': '--model "$MODEL"'}),
        ('view', {'VIDEO': '--video "$VIDEO"', 'MODEL': '--model "$MODEL"'}),
        ('view', {'HOST': '--host "$HOST"', 'PORT': '--port "$PORT"'}),
        ('evaluate', {'X': '--baselines none'}),
        ('evaluate', {'X': '--x "$X"'}),
        ('tune', {'MODEL': '--model "$MODEL"'}),
        ('errors', {'X': '--x "$X"', 'MODEL': '--model "$MODEL"'}),
    ],
)
def test_make_takes_no_option_from_a_variable_that_others_set(target, options):
    """Such as HOST, which tcsh and conda set to the machine's name or kind."""
    typed = made(target, *(f'{name}=1' for name in options))
    assert [option for option in options.values() if option not in typed] == []
    assert made(target, **dict.fromkeys(options, '1')) == made(target)


@needs_make
@pytest.mark.parametrize('given', ['OLDEST', 'DEMO'])
def test_make_takes_from_the_environment_what_is_its_own(given):
    assert made('assets', **{given: '1'}) == made('assets', f'{given}=1') != made('assets')
