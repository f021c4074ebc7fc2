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

"""What the documentation links, names and tells to run is there."""

import re
from pathlib import Path

import pytest

from emotion_estimator.commands import COMMANDS

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted(
    [
        *(ROOT / name for name in ('README.md', 'CONTRIBUTING.md', 'MODEL_CARD.md')),
        *(ROOT / name for name in ('config/README.md', 'training/README.md')),
        *(ROOT / 'doc').glob('*.md'),
    ]
)
MOST_LINES = {'README.md': 180}
LINK = re.compile(r'\[[^\]]*\]\(([^)\s]+)\)')
# A path with a folder in it, or a Python file; `datasets/clips` without an ending is none.
NAMED_PATH = re.compile(r'(?<![\w/.*>~-])((?:[\w.-]+/)*[\w.-]+\.(?:py|ya?ml|xml|md|rviz))\b')
# Where a page's paths begin; those of other repositories and of what is made are no paths of ours.
FOLDERS = ('', 'emotion_estimator', 'emotion_estimator/faces', 'emotion_estimator/emotion')
FOLDERS += (
    'emotion_estimator/replay',
    'emotion_estimator/evaluation',
    'training',
    'doc',
    'launch',
)
PATHS_OF = ('README.md', 'CONTRIBUTING.md', 'training/README.md', 'doc/')
# The questions of a newcomer: what the file that answers each must hold.
QUESTIONS = {
    'what decides `unknown`': "UNKNOWN = 'unknown'",
    'what decodes nv12': "'nv12': _Layout(",
    'what places `gaze_<id>`': 'def frames_of(',
    'what computes false switches': 'def switches(',
    'what chooses the camera topic of a bag': 'def _camera_connection(',
    'what reads a damaged bag': 'class RecoveredFile',
}


def name_of(path):
    return str(path.relative_to(ROOT))


def slug(heading):
    """Make a heading's anchor, as code hosts do."""
    words = re.sub(r'[^\w\- ]', '', heading.strip().lower())
    return words.replace(' ', '-')


def anchors(path):
    text = re.sub(r'```.*?```', '', path.read_text(encoding='utf-8'), flags=re.DOTALL)
    return {slug(heading) for heading in re.findall(r'^#+ (.*)', text, re.MULTILINE)}


@pytest.mark.parametrize('page', PAGES, ids=name_of)
def test_links_lead_to_files_and_headings_that_exist(page):
    broken = []
    for link in LINK.findall(page.read_text(encoding='utf-8')):
        target, _, anchor = link.partition('#')
        if '://' in target:
            continue
        path = (page.parent / target) if target else page
        if not path.exists() or (anchor and anchor not in anchors(path)):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize('page', PAGES, ids=name_of)
def test_python_modules_and_make_targets_exist(page):
    text = page.read_text(encoding='utf-8')
    makefile = (ROOT / 'Makefile').read_text(encoding='utf-8')
    targets = set(re.findall(r'^([a-z-]+):.*##', makefile, re.MULTILINE))
    # In code: fenced, indented, or between backticks.
    code = '\n'.join(re.findall(r'```[^`]*```|`[^`]+`|^    \S.*$', text, re.MULTILINE))
    modules = set(re.findall(r'python -m\s+([\w.]+)', code)) - {'pytest'}
    missing = [m for m in modules if not (ROOT / m.replace('.', '/')).with_suffix('.py').is_file()]
    asked = set(re.findall(r'\bmake ([a-z][a-z-]*)', code))
    assert (missing, sorted(asked - targets)) == ([], [])


@pytest.mark.parametrize('page', PAGES, ids=name_of)
def test_commands_of_the_package_exist(page):
    scripts = re.findall(r"^ +'(\w+)',$", (ROOT / 'setup.py').read_text(encoding='utf-8'), re.M)
    asked = re.findall(r'ros2 run emotion_estimator (\w+)', page.read_text(encoding='utf-8'))
    assert set(scripts) == set(COMMANDS)
    assert set(asked) <= set(scripts)


@pytest.mark.parametrize(
    'page', [page for page in PAGES if name_of(page).startswith(PATHS_OF)], ids=name_of
)
def test_paths_named_in_the_text_exist(page):
    named = set(NAMED_PATH.findall(page.read_text(encoding='utf-8')))
    lost = [
        name
        for name in sorted(named)
        if not any((ROOT / folder / name).exists() for folder in FOLDERS)
    ]
    assert lost == []


@pytest.mark.parametrize('page', MOST_LINES)
def test_the_first_page_stays_short(page):
    text = (ROOT / page).read_text(encoding='utf-8')
    assert len(text.splitlines()) <= MOST_LINES[page]


def test_a_newcomer_s_questions_lead_to_the_right_files():
    text = (ROOT / 'doc/architecture.md').read_text(encoding='utf-8')
    for question, evidence in QUESTIONS.items():
        path = re.search(rf'^\| {re.escape(question)} \| `([^`]+)` \|$', text, re.MULTILINE)
        assert path, question
        assert evidence in (ROOT / path[1]).read_text(encoding='utf-8'), question


def test_every_room_has_a_floor():
    text = (ROOT / 'doc/architecture.md').read_text(encoding='utf-8')
    floors = '\n'.join(re.findall(r'^\| \d \|.*$', text, re.MULTILINE))
    rooms = (ROOT / 'emotion_estimator').iterdir()
    names = [
        f'{room.name}/' if room.is_dir() else room.name
        for room in rooms
        if room.suffix == '.py' or (room / '__init__.py').is_file()
    ]
    assert [name for name in names if name != '__init__.py' and f'`{name}`' not in floors] == []


def test_the_readme_s_example_names_what_the_package_has():
    readme = (ROOT / 'README.md').read_text(encoding='utf-8')
    example = re.search(r'```python\n(.*?)```', readme, re.DOTALL)[1]
    compile(example, 'README.md', 'exec')
    from emotion_estimator import ExpressionEstimator, FaceExpression

    assert set(re.findall(r'\bestimator\.(\w+)\(', example)) <= set(dir(ExpressionEstimator))
    assert set(re.findall(r'\bface\.(\w+)', example)) <= set(dir(FaceExpression))
