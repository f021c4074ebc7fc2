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
Prints how large the project is, and how many files an image and a bag pass through.

A file is on the way where a function of it runs: for an image between its arrival at
blendshape_node and the emotion that emotion_node publishes of it; for a bag between the command
line of `replay` and the report, without the rooms that its images pass through like a camera's.
"""

from __future__ import annotations

import argparse
import ast
import io
import statistics
import sys
import tempfile
import threading
import time
import tokenize
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[1]
WARM_UP = 5
IMAGES = 30
LIMITS = {
    'Python files': ('<=', 220),
    'lines': ('<=', 36_000),
    'median lines of code a file': ('>=', 90),
    'files on the way of an image': ('<=', 22),
    'files on the way of a bag': ('<=', 22),
}
_NO_CODE = {
    *(tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT),
    tokenize.ENDMARKER,
}


def python_files() -> list[Path]:
    """List the project's Python files."""
    folders = ('emotion_estimator', 'examples', 'launch', 'training', 'test', 'dev')
    found = [path for folder in folders for path in (ROOT / folder).rglob('*.py')]
    return sorted([*found, ROOT / 'setup.py'])


def lines_of_code(path: Path) -> int:
    """
    Count a file's lines that are neither blank nor comment nor docstring.

    :param path: a Python file.
    """
    text = path.read_text(encoding='utf-8')
    texts = [
        node
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    ]
    docstrings = {
        line for node in texts for line in range(node.lineno, (node.end_lineno or 0) + 1)
    }
    code = {
        line
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
        if token.type not in _NO_CODE
        for line in range(token.start[0], token.end[0] + 1)
    }
    return len(code - docstrings)


@contextmanager
def files_passed() -> Iterator[set[str]]:
    """
    Collect the files of the package of which a function runs, in whatever thread.

    :returns: yields the paths below the package, as they are met.
    """
    package = str(ROOT / 'emotion_estimator') + '/'
    passed: set[str] = set()

    def note(frame: FrameType, event: str, _: Any) -> None:
        name = frame.f_code.co_filename
        if event == 'call' and name.startswith(package):
            passed.add(name.removeprefix(package))

    threading.setprofile(note)
    sys.setprofile(note)
    try:
        yield passed
    finally:
        threading.setprofile(None)
        sys.setprofile(None)


def way_of_an_image() -> set[str]:
    """
    Send images to both nodes in this process.

    :returns: the files that they pass through.
    """
    import rclpy
    from rclpy.executors import SingleThreadedExecutor

    from dev.bench.pictures import rgb_frames
    from dev.bench.speed import DOMAINS, LOST_S, Feeder
    from emotion_estimator.extras.node_processes import claim_domain
    from emotion_estimator.nodes.blendshape_node import BlendshapeNode
    from emotion_estimator.nodes.emotion_node import EmotionNode

    frames = rgb_frames()
    # Nodes of others on this machine are not heard there.
    domain_id, claim = claim_domain(DOMAINS)
    rclpy.init(domain_id=domain_id)
    executor = SingleThreadedExecutor()
    nodes = [BlendshapeNode(), EmotionNode()]
    feeder = Feeder(frames)
    for node in nodes:
        executor.add_node(node)
    with files_passed() as passed:
        # The threads are made here; what configuring runs is forgotten.
        while not feeder.connected():
            executor.spin_once(timeout_sec=0.1)
            feeder.spin(0.0)
        for images in (WARM_UP, WARM_UP + IMAGES):
            # What only the first images run, such as loading a network, is forgotten too.
            passed.clear()
            sent_s = 0.0
            while len(feeder.heard) < images:
                # On a busy machine an image may be lost.
                if not feeder.in_flight() or time.monotonic() - sent_s > LOST_S:
                    feeder.send()
                    sent_s = time.monotonic()
                executor.spin_once(timeout_sec=0.05)
                feeder.spin(0.0)
            # What runs once a second, such as diagnostics, is on no image's way.
            for timer in (timer for node in nodes for timer in node.timers):
                timer.cancel()
    for node in nodes:
        node.close()
        node.destroy_node()
    feeder.close()
    rclpy.try_shutdown()
    claim.close()
    return passed


def way_of_a_bag() -> set[str]:
    """
    Replay a labelled bag and write its report.

    :returns: the files that it passes through.
    """
    from dev.bench.pictures import rgb_frames, write_camera_bag
    from emotion_estimator.evaluation import cli
    from emotion_estimator.replay.jobs import run_job

    with tempfile.TemporaryDirectory() as name:
        bag = Path(name, 'bag')
        write_camera_bag(bag, rgb_frames()[:IMAGES], 30.0)
        bag.with_suffix('.csv').write_text('start_s,end_s,face,emotion\n0,1,,neutral\n')
        arguments = [str(bag), '--output', str(Path(name, 'out'))]
        with files_passed() as passed:
            # In this process what a worker does in its own.
            for job in cli.prepare(cli.parse(arguments))[0]:
                run_job(job)
            cli.main(arguments)
    return {path for path in passed if path.startswith(('replay/', 'evaluation/'))}


def main() -> int:
    """
    Measure and print.

    :returns: exit status: 0, or 1 when a measure is beyond its limit.
    """
    argparse.ArgumentParser(prog='dev.house', description=__doc__).parse_args()
    files = python_files()
    image, bag = way_of_an_image(), way_of_a_bag()
    measured = {
        'Python files': len(files),
        'lines': sum(len(path.read_text(encoding='utf-8').splitlines()) for path in files),
        'median lines of code a file': statistics.median(map(lines_of_code, files)),
        'files on the way of an image': len(image),
        'files on the way of a bag': len(bag),
    }
    console = Console()
    console.print('An image passes through', ', '.join(sorted(image)))
    console.print('A bag passes through', ', '.join(sorted(bag)))
    table = Table('measure', 'measured', 'limit', '')
    kept = True
    for name, (sign, limit) in LIMITS.items():
        met = measured[name] <= limit if sign == '<=' else measured[name] >= limit
        kept = kept and met
        table.add_row(name, f'{measured[name]:g}', f'{sign} {limit}', 'met' if met else 'NOT MET')
    console.print(table)
    return 0 if kept else 1


if __name__ == '__main__':
    sys.exit(main())
