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

"""How many more faces a second all cores find."""

from __future__ import annotations

if __name__ == '__main__':  # before the imports, so that Ctrl-C ends them quietly
    from emotion_estimator import commands

    raise SystemExit(commands.run('training.commands.extraction_speed'))

import argparse
import json
import os
import time
from dataclasses import asdict, dataclass

from emotion_estimator.assets import ASSETS_VARIABLE, FACE_LANDMARKER, find_asset
from emotion_estimator.files import write_whole
from emotion_estimator.parallel.engine import Finished, run_all
from emotion_estimator.parallel.workers import LocalProcesses
from training import sources
from training.commands import command
from training.datasets.pictures import DataError, Pictures, Split, assets_folder
from training.extraction.face_reader import read_faces
from training.extraction.views import X4_PAD25

PHOTOGRAPHS = 1024
BLOCK = 32
"""Photographs in a task: fewer than in `still_features.BLOCK`, so that all cores end together."""

_WARM_UP = 8


@dataclass(frozen=True)
class Speed:
    """
    How fast faces were found.

    :param processes: number of processes.
    :param seconds: that all photographs took, once every process had MediaPipe loaded.
    :param photographs_per_s: photographs looked at in a second.
    :param faces_per_s: faces found in a second.
    """

    processes: int
    seconds: float
    photographs_per_s: float
    faces_per_s: float


def measure(pictures: Pictures, processes: int) -> Speed:
    """
    Look for faces again, nothing kept, and take the time.

    :param processes: on this machine, one thread each for tasks.
    :raises DataError: when a task fails.
    """
    count = len(pictures)
    blocks = [pictures.part(range(i, min(i + BLOCK, count))) for i in range(0, count, BLOCK)]
    tasks = [(block, list(range(len(block))), X4_PAD25) for block in blocks]
    warm = (pictures.part(range(_WARM_UP)), list(range(_WARM_UP)), X4_PAD25)
    with LocalProcesses(processes) as workers:
        list(run_all(read_faces, [warm] * processes, workers))
        start_s = time.monotonic()
        events = [e for e in run_all(read_faces, tasks, workers) if isinstance(e, Finished)]
        seconds = time.monotonic() - start_s
    faces = 0
    for event in events:
        if event.result is None:
            raise DataError(f'The measurement is void, since a task {event.problem}.')
        faces += int(event.result[0].readable.sum())
    return Speed(
        processes=processes,
        seconds=round(seconds, 2),
        photographs_per_s=round(count / seconds, 1),
        faces_per_s=round(faces / seconds, 1),
    )


@command
def main(arguments: list[str] | None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--photographs', type=int, default=PHOTOGRAPHS)
    options = parser.parse_args(arguments)
    if options.photographs < _WARM_UP:
        parser.error(f'--photographs is {options.photographs}; it must be at least {_WARM_UP}.')
    cores = len(os.sched_getaffinity(0))
    # The processes that do the work inherit it.
    os.environ.setdefault(ASSETS_VARIABLE, str(assets_folder()))
    find_asset(FACE_LANDMARKER)
    photographs = sources.read_photographs().split(Split.TRAINING).pictures
    if len(photographs) < _WARM_UP:
        raise DataError(
            f'The split training has {len(photographs)} photographs; {_WARM_UP} are the least.'
        )
    pictures = photographs.part(range(min(options.photographs, len(photographs))))
    one, all_cores = (measure(pictures, processes) for processes in (1, cores))
    found = {
        'photographs': len(pictures),
        'view': X4_PAD25.name,
        'cores': cores,
        'one_process': asdict(one),
        'all_cores': asdict(all_cores),
        'ratio': round(all_cores.photographs_per_s / one.photographs_per_s, 2),
    }
    for speed in (one, all_cores):
        print(
            f'processes: {speed.processes}; {len(pictures)} photographs in {speed.seconds:.1f} s, '
            f'{speed.photographs_per_s:.1f} photographs/s, {speed.faces_per_s:.1f} faces/s'
        )
    path = sources.OUT / 'extraction_scaling.json'
    write_whole(path, (json.dumps(found, indent=1) + '\n').encode())
    print(f'{found["ratio"]} times as fast on {cores} cores. Written to {path}')
    return 0
