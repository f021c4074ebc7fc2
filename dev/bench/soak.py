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

"""What both nodes take: processor time; and busy for long memory, threads, files and ids."""

from __future__ import annotations

if __name__ == '__main__':  # before the imports, so that Ctrl-C ends them quietly
    from emotion_estimator import commands

    raise SystemExit(commands.run('dev.bench.soak'))

import argparse
import csv
import io
import itertools
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, fields
from pathlib import Path

import cv2
import matplotlib
import numpy as np
import rclpy
from rclpy.parameter import Parameter
from rclpy.parameter_client import AsyncParameterClient
from rich.console import Console

from dev.bench.pictures import rgb_frames
from dev.bench.speed import (
    DOMAINS,
    LOG,
    RATE_HZ,
    ROUNDS,
    WARM_UP_S,
    Feeder,
    new_node,
    of_rounds,
    send_for,
    start_nodes,
)
from emotion_estimator.commands import place
from emotion_estimator.extras.node_processes import (
    ACTIVATE,
    CLEANUP,
    CONFIGURE,
    DEACTIVATE,
    NodeProcess,
    claim_domain,
    lead,
)
from emotion_estimator.faces.image_decoding import Rgb
from emotion_estimator.files import check_files, write_whole

# Processor time of both nodes at 30 frames a second, with either engine.


ENGINES = ('litert', 'mediapipe')
ROUND_S = 5.0


def measure_processor_time(frames: list[Rgb], round_s: float = ROUND_S) -> dict[str, float]:
    """
    Send frames with one near face at 30 Hz, by turns to nodes with each of `ENGINES`.

    :param round_s: length of a turn in seconds.
    :returns: processor time of both nodes as a share of one core, `core_share_<engine>`, and
        that with LiteRT over that with MediaPipe's graph, `core_share_ratio`.
    """
    with ExitStack() as stack:
        fed = {}
        for engine in ENGINES:
            feeder = Feeder(frames, engine)
            fed[engine] = (feeder, start_nodes(stack, feeder, '-p', f'engine:={engine}')[0])
            send_for(feeder, WARM_UP_S)
        shares = [
            {engine: _core_share(*pair, round_s) for engine, pair in fed.items()}
            for _ in range(ROUNDS)
        ]
    found: dict[str, float] = {}
    for engine in ENGINES:
        found |= of_rounds(f'core_share_{engine}', (share[engine] for share in shares))
    ratios = (share['litert'] / share['mediapipe'] for share in shares)
    return found | of_rounds('core_share_ratio', ratios)


def _core_share(feeder: Feeder, processes: tuple[NodeProcess, ...], round_s: float) -> float:
    pids = [process.process.pid for process in processes]
    before_s, start_s = sum(map(processor_s, pids)), time.perf_counter()
    feeder.forget()
    send_for(feeder, round_s)
    share = (sum(map(processor_s, pids)) - before_s) / (time.perf_counter() - start_s)
    if len(feeder.heard) < 0.95 * len(feeder.sent_ns):
        raise RuntimeError(f'Of {len(feeder.sent_ns)} frames {len(feeder.heard)} gave an emotion.')
    return share


def processor_s(pid: int) -> float:
    """
    Read the time that all threads of a process have used up.

    :returns: in user and kernel, in seconds.
    """
    stat = Path(f'/proc/{pid}/stat').read_text(encoding='utf-8')
    # Behind the name, which may hold blanks, the 12th and 13th: clock ticks in user and kernel.
    user, kernel = stat.rpartition(')')[2].split()[11:13]
    return (int(user) + int(kernel)) / os.sysconf('SC_CLK_TCK')


# Both nodes kept busy for long.


NODES = ('blendshape_node', 'emotion_node')
EXIT_GREW = 1
EXIT_STOPPED = 130
MINUTE_S = 60.0
SETTLED = 5
"""Cycles until caches and pools are filled."""
MOST_GROWTH = 1.05
MAX_FACES = 4
_TOPICS_A_FACE = 8
_SCENE_S = 5


@dataclass(frozen=True)
class Sample:
    """
    What the process with both nodes held at one moment.

    :param time_s: since the start.
    :param cycle: how often the nodes were configured by then.
    :param memory_mb: resident.
    :param threads: of the process.
    :param files: open file descriptors.
    :param face_topics: topics of faces in the ROS graph.
    """

    time_s: float
    cycle: int
    memory_mb: float
    threads: int
    files: int
    face_topics: int


def sample_process(pid: int) -> tuple[float, int, int]:
    """
    Look at a process.

    :returns: resident memory in MB, threads, open file descriptors.
    """
    status = Path(f'/proc/{pid}/status').read_text(encoding='utf-8')
    values = dict(line.split(':', 1) for line in status.splitlines())
    files = len(list(Path(f'/proc/{pid}/fd').iterdir()))
    return int(values['VmRSS'].split()[0]) / 1024, int(values['Threads']), files


def faults_of(samples: Sequence[Sample], settled: int = SETTLED) -> list[str]:
    """
    Tell what grew: the last samples of the cycles are compared, where the nodes do the same.

    :param samples: in order; at least one cycle behind the settled ones.
    :param settled: cycles that are left out at the start.
    :returns: a sentence for each fault.
    """
    last = {one.cycle: one for one in samples}
    later = [one for cycle, one in sorted(last.items()) if cycle > settled]
    if not later:
        return [f'{len(last)} cycles are too few; the first {settled} are left out.']
    faults = []
    first = last.get(settled, later[0])
    most_mb = max(one.memory_mb for one in later)
    if most_mb > MOST_GROWTH * first.memory_mb:
        faults.append(
            f'Memory grew from {first.memory_mb:.0f} to {most_mb:.0f} MB, by more than '
            f'{MOST_GROWTH - 1:.0%}.'
        )
    for name in ('threads', 'files'):
        counts = sorted({int(getattr(one, name)) for one in later})
        if len(counts) > 1:
            faults.append(f'The number of {name} changed: {", ".join(map(str, counts))}.')
    most = max(one.face_topics for one in samples)
    if most > MAX_FACES * _TOPICS_A_FACE:
        faults.append(f'{most} topics of faces at once, though at most {MAX_FACES} are followed.')
    return faults


def scenes() -> list[Rgb]:
    """
    Make some seconds of a camera's images: a face, nobody, two faces, a far and a moving one.

    :returns: frames in RGB, 640 x 480, with the same scene for some seconds each.
    """
    faces = rgb_frames()
    count = round(_SCENE_S * RATE_HZ)
    nobody = np.full_like(faces[0], 90)
    made: list[Rgb] = []
    for kind in ('one', 'nobody', 'two', 'far', 'moving'):
        for number in range(0, count, 3):
            face = faces[number % len(faces)]
            half = np.asarray(cv2.resize(face, (320, 240)), np.uint8)
            frame = face if kind == 'one' else nobody.copy()
            if kind == 'two':
                frame[120:360, :320], frame[120:360, 320:] = half, half[:, ::-1]
            elif kind == 'far':
                frame[180:300, 240:400] = cv2.resize(face, (160, 120))
            elif kind == 'moving':
                left = 4 * (number % 80)
                frame[120:360, left : left + 320] = half
            # Each is sent three times: 25 s of frames are 700 MB otherwise.
            made += [frame] * 3
    return made


def soak(cycles: int, cycle_s: float, console: Console) -> Iterator[Sample]:
    """
    Feed both nodes in one process; at each cycle's start they are cleaned up and configured.

    :param cycles: how many.
    :param cycle_s: length of each in seconds.
    :param console: gets how far it is.
    :returns: yields a sample a second.
    :raises RuntimeError: when a node ends, or does not follow a transition.
    """
    with ExitStack() as stack:
        many = ('-p', f'blendshape_node:max_faces:={MAX_FACES}')
        process = stack.enter_context(new_node('both_nodes', *many))
        feeder = Feeder(scenes())
        stack.callback(feeder.close)
        clients = {name: AsyncParameterClient(feeder.node, name) for name in NODES}
        start_s = time.monotonic()
        for cycle in range(1, cycles + 1):
            if cycle > 1:
                for transition in (DEACTIVATE, CLEANUP, CONFIGURE, ACTIVATE):
                    for name in NODES:
                        if not lead(feeder.node, feeder.executor, name, transition):
                            raise RuntimeError(f'{name} did not follow transition {transition}.')
            feeder.forget()
            for second in itertools.count():
                send_for(feeder, 1.0)
                if not process.running():
                    raise RuntimeError(f'The nodes ended by themselves; see {LOG}.')
                _change(clients['emotion_node'], second)
                yield _sample(feeder, process, time.monotonic() - start_s, cycle)
                if time.monotonic() - start_s > cycle * cycle_s:
                    break
            console.print(
                f'cycle {cycle} of {cycles}: {len(feeder.sent_ns)} images, '
                f'{len(feeder.heard)} emotions',
                highlight=False,
            )


def _change(client: AsyncParameterClient, second: int) -> None:
    """Change what may change at run time; the answer comes while images are sent."""
    if client.services_are_ready():
        values = {'min_confidence': 0.3 + 0.01 * (second % 20), 'hysteresis': 1 + second % 3}
        client.set_parameters([Parameter(name, value=float(v)) for name, v in values.items()])


def _sample(feeder: Feeder, process: NodeProcess, time_s: float, cycle: int) -> Sample:
    memory_mb, threads, files = sample_process(process.process.pid)
    topics = feeder.node.get_topic_names_and_types()
    of_faces = [
        name for name, _ in topics if name.startswith('/humans/faces/') and name.count('/') > 3
    ]
    return Sample(time_s, cycle, memory_mb, threads, files, len(of_faces))


def draw(samples: Sequence[Sample], path: Path) -> None:
    """
    Draw what the nodes held over time.

    :param samples: in order.
    :param path: of the PNG file.
    """
    matplotlib.use('Agg')
    from matplotlib import pyplot as plt

    minutes = [one.time_s / MINUTE_S for one in samples]
    curves = (('memory_mb', 'MB resident'), ('threads', 'threads'), ('files', 'open files'),
              ('face_topics', 'topics of faces'))  # fmt: skip
    figure, axes = plt.subplots(len(curves), sharex=True, figsize=(9, 8), layout='constrained')
    for axis, (name, label) in zip(axes, curves):
        axis.plot(minutes, [getattr(one, name) for one in samples], linewidth=1)
        axis.set_ylabel(label)
        axis.set_ylim(bottom=0)
        axis.grid(alpha=0.3)
    axes[-1].set_xlabel('minutes')
    axes[0].set_title('Both nodes in one process, configured again and again')
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=120)
    plt.close(figure)
    write_whole(path, buffer.getvalue())


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Soak the nodes.

    :param arguments: command line; None takes that of the process.
    :returns: exit status: 0; 1 when something grew or a node ended; 130 after Ctrl-C.
    :raises OutputError: when its files cannot be written.
    """
    parser = argparse.ArgumentParser(prog='python -m dev.bench.soak', description=__doc__)
    parser.add_argument('--minutes', type=int, default=60)
    parser.add_argument(
        '--cycle-s',
        type=float,
        default=MINUTE_S,
        help='seconds from one configuring to the next; default 60',
    )
    parser.add_argument('--out', type=place, default=Path('out/soak'), help='for .csv and .png')
    options = parser.parse_args(arguments)
    if not 1 <= options.cycle_s < float('inf'):
        parser.error(f'--cycle-s must be a number of at least 1, not {options.cycle_s:g}.')
    cycles = round(options.minutes * MINUTE_S / options.cycle_s)
    if cycles < 2:
        parser.error(
            f'--minutes {options.minutes} is too short for two cycles of {options.cycle_s:g} s; '
            'give more, or a shorter --cycle-s.'
        )
    if not options.out.name:
        parser.error('--out must name a file, without its ending.')
    written = [options.out.with_name(options.out.name + ending) for ending in ('.csv', '.png')]
    check_files(*written)
    console = Console()
    samples: list[Sample] = []
    stopped, faults = False, []
    domain_id, claim = claim_domain(DOMAINS)
    os.environ['ROS_DOMAIN_ID'] = str(domain_id)
    rclpy.init(args=[], signal_handler_options=rclpy.signals.SignalHandlerOptions.NO)
    try:
        for sample in soak(cycles, options.cycle_s, console):
            samples.append(sample)
    except KeyboardInterrupt:
        stopped = True
    except RuntimeError as error:
        faults.append(str(error))
    finally:
        rclpy.try_shutdown()
        claim.close()
    faults += faults_of(samples, min(SETTLED, cycles - 1))
    table = io.StringIO()
    writer = csv.writer(table)
    writer.writerow([field.name for field in fields(Sample)])
    writer.writerows([f'{getattr(one, field.name):.10g}' for field in fields(Sample)]
                     for one in samples)  # fmt: skip
    write_whole(written[0], table.getvalue().encode())
    if samples:
        draw(samples, written[1])
    for fault in faults:
        console.print(fault, style='red', markup=False)
    console.print('Written:', ', '.join(map(str, written[: 1 + bool(samples)])), highlight=False)
    if stopped:
        return EXIT_STOPPED
    return EXIT_GREW if faults else 0
