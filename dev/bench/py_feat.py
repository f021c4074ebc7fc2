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

"""Frames a second of the demonstration's clip: this package, bare MediaPipe and py-feat."""

from __future__ import annotations

import itertools
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

# It runs under py-feat's own Python too, which knows neither ROS nor this package: what only one
# of the two has is imported where it is used.


ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / '.venv' / 'py-feat' / 'bin' / 'python'
FRAMES = 240
OF_PY_FEAT = 32
RATE_HZ = 24
Rgb = NDArray[np.uint8]
Look = Callable[[Rgb], Any]
READY, UNABLE = 'ready', 'unable: '
STARTS = 'py-feat does not start, whose models come from Hugging Face alone: '


def measure_demo_clip() -> dict[str, float]:
    """
    Let the estimator and bare MediaPipe take turns at decoded frames of the clip.

    :returns: frames a second of each, and the first over the second.
    """
    from dev.bench.pictures import BareMediaPipe
    from dev.bench.speed import ROUNDS, of_rounds

    frames, ours, bare = _clip_frames(FRAMES), _estimator(), BareMediaPipe()
    for look in (ours, bare.look_at):
        _fps(look, frames[:30])
    rounds = [(_fps(ours, frames), _fps(bare.look_at, frames)) for _ in range(ROUNDS)]
    bare.close()
    return {
        'demo_clip_fps': statistics.median(our for our, _ in rounds),
        'demo_clip_bare_fps': statistics.median(other for _, other in rounds),
        **of_rounds('demo_clip_fps_ratio', (our / other for our, other in rounds)),
    }


def measure_py_feat() -> dict[str, float]:
    """
    Let the estimator and py-feat's Detectorv2 take turns at decoded frames of the clip.

    :returns: frames a second of py-feat, and the estimator's over them.
    :raises AssetError: when py-feat or its models cannot be used.
    """
    from dev.bench.speed import ROUNDS, of_rounds, open_log

    frames, ours = _clip_frames(OF_PY_FEAT), _estimator()
    rounds = []
    with tempfile.TemporaryDirectory() as folder, open_log() as log:
        path = Path(folder, 'frames.npy')
        np.save(path, np.stack(frames))
        with subprocess.Popen(
            [PYTHON, __file__, path],
            env=_clean_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        ) as child:
            assert child.stdin is not None
            try:
                _answer(child)
                for _ in range(ROUNDS):
                    our = _fps(ours, frames)
                    print(file=child.stdin, flush=True)
                    rounds.append((our, float(_answer(child))))
            finally:
                child.kill()
    return {
        'py_feat_fps': statistics.median(other for _, other in rounds),
        **of_rounds('over_py_feat_ratio', (our / other for our, other in rounds)),
    }


def find_py_feat() -> None:
    """
    Look whether py-feat is installed.

    :raises AssetError: when it is not.
    """
    from emotion_estimator.files import AssetError

    if not PYTHON.exists():
        raise AssetError(
            'py-feat is not installed: `make bench PYFEAT=1` does so; with torch it takes 6 GB.'
        )


def _clip_frames(count: int) -> list[Rgb]:
    from dev.bench.pictures import read_frames
    from emotion_estimator.assets import DEMO_CLIP

    return list(itertools.islice(read_frames(DEMO_CLIP.name), count))


def _estimator() -> Look:
    """Make what estimates the expression in one frame after the other."""
    from emotion_estimator import ExpressionEstimator

    estimator, number = ExpressionEstimator(max_faces=1), itertools.count(1)
    return lambda frame: estimator.estimate(frame, next(number) / RATE_HZ)


def _fps(look: Look, frames: list[Rgb]) -> float:
    start_s = time.perf_counter()
    for frame in frames:
        look(frame)
    return len(frames) / (time.perf_counter() - start_s)


def _clean_environment() -> dict[str, str]:
    from dev.setup_environment import FOREIGN

    return {name: value for name, value in os.environ.items() if name not in FOREIGN}


def _answer(child: subprocess.Popen[str]) -> str:
    """Wait for what py-feat's process has to say next."""
    from dev.bench.speed import LOG
    from emotion_estimator.files import AssetError

    assert child.stdout is not None
    said = child.stdout.readline().strip()
    if said.startswith(UNABLE):
        raise AssetError(said[len(UNABLE) :])
    if not said:
        raise RuntimeError(f"py-feat's process has ended; see {LOG}.")
    return said


# What runs under py-feat's own Python.


def serve(path: Path, answers: TextIO) -> None:
    """
    Look at all frames once for each line that comes in, and write how many a second it was.

    :param path: of the frames, shape [count, height, width, 3], RGB, as a file of numpy's.
    :param answers: gets `READY`, or `UNABLE` and the reason, and then the numbers.
    """
    try:
        import torch  # type: ignore[import-not-found]
        from feat.detector_v2 import Detectorv2  # type: ignore[import-not-found]

        detector = Detectorv2(device='cpu')
    except Exception as error:
        reason = ' '.join(str(error).split())
        print(f'{UNABLE}{STARTS}{type(error).__name__}: {reason}', file=answers, flush=True)
        return
    frames = torch.from_numpy(np.load(path)).permute(0, 3, 1, 2).contiguous()

    def look(some: Any) -> None:
        found = detector.detect(some, data_type='tensor', batch_size=1, progress_bar=False)
        if found['FaceScore'].isna().any():
            raise RuntimeError('py-feat does not find the face of the clip.')

    look(frames[:4])
    print(READY, file=answers, flush=True)
    for _ in sys.stdin:
        start_s = time.perf_counter()
        look(frames)
        print(len(frames) / (time.perf_counter() - start_s), file=answers, flush=True)


if __name__ == '__main__':
    # py-feat writes to stdout too: what it says goes where its errors go.
    with os.fdopen(os.dup(1), 'w') as to_parent:
        os.dup2(2, 1)
        serve(Path(sys.argv[1]), to_parent)
