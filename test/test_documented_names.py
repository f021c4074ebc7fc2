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

"""Names that pages state in tables are those of the code, and none is left out."""

import ast
import inspect
import re
from xml.etree import ElementTree

import pytest

from dev.generated import ROOT
from emotion_estimator.blendshapes import NAMES
from emotion_estimator.evaluation.report import write
from emotion_estimator.nodes.blendshape_node import BlendshapeNode
from emotion_estimator.nodes.emotion_node import EmotionNode
from emotion_estimator.parameters import NODES
from emotion_estimator.replay import predictions


def section(page, *headings):
    """Give the text below headings of a page."""
    text = (ROOT / page).read_text(encoding='utf-8')
    parts = re.split(r'^#+ (.*)\n', text, flags=re.MULTILINE)
    named = dict(zip(parts[1::2], parts[2::2]))
    return '\n'.join(named[heading] for heading in headings)


def rows(text):
    """Read tables: the names in code of the first column, and the second one's text."""
    cells = [line.split('|')[1:3] for line in text.splitlines() if line.startswith('| `')]
    return [(re.findall(r'`([^`]+)`', first), second) for first, second in cells]


def names_of(text):
    return sorted(name for names, _ in rows(text) for name in names)


def launch_arguments():
    """Read the arguments from the launch file, also where launch is not installed."""
    tree = ast.parse((ROOT / 'launch/emotion_estimator.launch.py').read_text(encoding='utf-8'))
    (found,) = (
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and node.targets[0].id == 'ARGUMENTS'
    )
    return {each.elts[0].value: each.elts[1].value for each in found.elts}


def test_the_first_page_states_each_launch_argument_and_its_default():
    arguments = launch_arguments()
    text = section('README.md', 'Launch')
    assert names_of(text) == sorted(arguments)
    defaults = {spec.name: spec.default for specs in NODES.values() for spec in specs}
    for names, said in rows(text):
        for name in names:
            # What is left to the nodes is what they take by themselves.
            default = arguments[name] or str(defaults.get(name, '')).removesuffix('.0')
            default = default.lower() if default in ('True', 'False') else default
            assert not default or f'`{default}`' in said, name


def test_the_page_of_topics_states_what_both_nodes_publish():
    """The policy for SROS2 is held to the running nodes by other tests."""
    root = ElementTree.parse(ROOT / 'config/sros2_policy.xml').getroot()
    published = {
        item.text.replace('*', '<id>')
        for profile in root.iter('profile')
        if profile.get('node') in NODES
        for topics in profile.findall('topics')
        if topics.get('publish') == 'ALLOW'
        for item in topics
    }
    published -= {'parameter_events', 'rosout', '~/transition_event'}
    said = names_of(section('doc/topics.md', 'Between the two nodes', 'Out'))
    assert sorted(name.removeprefix('/') for name in said) == sorted(published)


def test_the_page_of_topics_states_which_parameters_are_live():
    text = section('doc/topics.md', 'Parameters that need more than a line')
    known = {spec.name: spec for specs in NODES.values() for spec in specs}
    assert set(names_of(text)) <= set(known)
    said = text.partition(' may change while the node runs')[0].rpartition('\n\n')[2]
    live = {name for name, spec in known.items() if spec.at_run_time}
    assert set(re.findall(r'`(\w+)`', said)) == live


def test_the_page_of_topics_states_each_key_of_the_diagnostics(live):
    both = [live.add(kind, autostart=False) for kind in (BlendshapeNode, EmotionNode)]
    given = {value.key for node in both for value in node._status().values}
    assert names_of(section('doc/topics.md', 'What `/diagnostics` holds')) == sorted(given)


@pytest.mark.parametrize(
    ('column', 'names'),
    [
        (1, [*write.FIXED, 'file']),
        (2, [name for name in predictions.table_columns(False) if name not in NAMES]),
    ],
)
def test_the_page_of_replay_states_each_column_of_its_tables(column, names):
    text = section('doc/replay.md', 'Names in tables and JSON')
    cells = [line.split('|')[column + 1] for line in text.splitlines() if line[:1] == '|']
    said = {name for cell in cells[2:] for name in re.findall(r'`([\w.]+)`', cell)}
    examples = {'probability_neutral', 'landmark.0.x', 'landmark.477.z'}
    assert said - examples - {'AU04'} == {name for name in names if not name.startswith('AU')}


def test_the_page_of_replay_states_each_name_of_its_json():
    keys = re.findall(r"^        '(\w+)':", inspect.getsource(write.metrics), re.MULTILINE)
    text = section('doc/replay.md', 'Names in tables and JSON').rpartition('|\n')[2]
    assert keys and set(keys) <= set(re.findall(r'`(\w+)`', text))


def test_the_page_of_installing_names_each_extra_of_the_package():
    setup = (ROOT / 'setup.py').read_text(encoding='utf-8')
    stated = re.search(r'extras_require=\{(.*?)\}', setup, re.DOTALL)[1]
    extras = set(re.findall(r"'(\w+)': \[", stated))
    text = section('doc/troubleshooting.md', 'Installing')
    assert set(re.findall(r'\.\[(\w+)\]', text)) == extras - {'test'}
