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

"""What arrives by message: images, blendshapes, calibrations; made up, with what must hold."""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
from builtin_interfaces.msg import Time
from hypothesis import strategies as st
from numpy.typing import NDArray
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header
from vision_msgs.msg import Classification, ObjectHypothesis

from dev.fuzz.engine import Made, Target
from emotion_estimator.blendshapes import NAMES
from emotion_estimator.emotion.decision import UNKNOWN
from emotion_estimator.emotion.estimation import FeatureError, build_estimation
from emotion_estimator.estimator import ExpressionEstimator
from emotion_estimator.faces.geometry import KnownCamera
from emotion_estimator.faces.image_decoding import ENCODINGS, ImageDecoder, ImageError
from emotion_estimator.files import (
    find_model,
)
from emotion_estimator.messages import ROS, MessageError, face_features, rgb_of
from emotion_estimator.parameters import read_parameters
from emotion_estimator.stamps import NS_PER_S

# Bytes that were right once.


def damaged(originals: list[bytes]) -> st.SearchStrategy[bytes]:
    """
    Damage bytes: some are exchanged, repeated, moved, left out, or the end is missing.

    :param originals: whole ones.
    :returns: damaged ones.
    """
    place = st.floats(0, 1)
    change = st.one_of(
        st.tuples(st.just('set'), place, st.binary(min_size=1, max_size=8)),
        st.tuples(st.just('insert'), place, st.binary(min_size=1, max_size=16)),
        st.tuples(st.just('remove'), place, st.integers(1, 64)),
        st.tuples(st.just('cut'), place, st.just(0)),
        st.tuples(st.just('repeat'), place, st.integers(1, 2000)),
        st.tuples(st.just('move'), place, st.integers(1, 2000)),
        st.tuples(st.just('flip'), place, st.integers(0, 7)),
    )
    changes = st.lists(change, min_size=1, max_size=6)
    return st.builds(_changed, st.sampled_from(originals), changes)


def _changed(original: bytes, changes: list[tuple[str, float, Any]]) -> bytes:
    data = bytearray(original)
    for kind, where, value in changes:
        at = min(int(where * len(data)), max(len(data) - 1, 0))
        if kind == 'set':
            data[at : at + len(value)] = value
        elif kind == 'insert':
            data[at:at] = value
        elif kind == 'remove':
            del data[at : at + value]
        elif kind == 'cut':
            del data[at:]
        elif kind == 'repeat':
            data[at:at] = data[at : at + value]
        elif kind == 'move':
            part = data[at : at + value]
            del data[at : at + value]
            data += part
        elif data:
            data[at] ^= 1 << value
    return bytes(data)


def check_pixels(pixels: NDArray[np.uint8]) -> None:
    """
    See that an array is a picture in RGB.

    :param pixels: what a decoder returned.
    :raises AssertionError: when it is not.
    """
    assert pixels.dtype == np.uint8, pixels.dtype
    assert pixels.ndim == 3 and pixels.shape[2] == 3 and pixels.size, pixels.shape


# Images.


def _raw_images() -> Made:
    names = st.one_of(
        st.sampled_from([*ENCODINGS, 'mono16', 'bgr16', 'bayer_rggb16', '32FC1', '16UC1', '']),
        st.text(max_size=12),
    )
    size = st.one_of(st.integers(0, 40), st.sampled_from([1, 2, 32_767, 65_536, 2**31, 2**32 - 1]))
    image = st.fixed_dictionaries(
        {
            'encoding': names,
            'height': size,
            'width': size,
            'is_bigendian': st.integers(0, 255),
            'pixel_bytes': st.integers(1, 8),
            'padding': st.one_of(st.just(0), st.integers(-9, 40), st.integers(0, 2**32 - 1)),
            'rows_missing': st.integers(-2, 3),
            'bytes_missing': st.integers(-3, 3),
            'fill': st.binary(min_size=1, max_size=16),
        }
    )

    def check(case: dict[str, Any]) -> None:
        row = case['width'] * case['pixel_bytes'] + case['padding']
        step = min(max(row, 0), 2**32 - 1)
        rows = max(case['height'] - case['rows_missing'], 0)
        size = min(max(step * rows - case['bytes_missing'], 0), 200_000)
        data = (case['fill'] * (size // len(case['fill']) + 1))[:size]
        fields = {name: case[name] for name in ('encoding', 'height', 'width', 'is_bigendian')}
        try:
            pixels = rgb_of(Image(step=step, data=data, **fields), ImageDecoder())
        except ImageError:
            return
        check_pixels(pixels)
        assert pixels.shape[:2] == (case['height'], case['width']), pixels.shape

    return image, check


def _compressed_images() -> Made:
    noise = np.random.default_rng(0).integers(0, 256, (40, 56, 3), np.uint8)
    small = np.asarray(cv2.GaussianBlur(noise, (0, 0), 3), np.uint8)
    kinds: list[tuple[str, NDArray[Any], list[int]]] = [
        ('.jpg', small, []),
        ('.jpg', small[..., 0], []),
        ('.jpg', small, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1]),
        ('.png', small, []),
        ('.png', small[..., 0], []),
        ('.png', small.astype(np.uint16) * 257, []),
        ('.png', cv2.cvtColor(small, cv2.COLOR_BGR2BGRA), []),
        ('.webp', small, []),
        ('.bmp', small, []),
        ('.tiff', small, []),
    ]
    whole = [cv2.imencode(kind, pixels, options)[1].tobytes() for kind, pixels, options in kinds]
    cases = st.tuples(
        st.one_of(damaged(whole), st.binary(max_size=64)),
        st.sampled_from(['jpeg', 'png', 'rgb8; jpeg compressed bgr8', '16UC1; compressedDepth']),
    )

    def check(case: tuple[bytes, str]) -> None:
        data, stated = case
        try:
            check_pixels(rgb_of(CompressedImage(data=data, format=stated), ImageDecoder()))
        except ImageError:
            return

    return cases, check


def _pictures_of_nobody() -> Made:
    cases = st.fixed_dictionaries(
        {
            'seed': st.integers(0, 2**32 - 1),
            'height': st.integers(16, 240),
            'width': st.integers(16, 320),
            'kind': st.sampled_from(['noise', 'smooth', 'stripes', 'plain', 'shapes']),
        }
    )
    estimator = ExpressionEstimator()
    stamp_s = iter(range(1, 2**62))

    def check(case: dict[str, Any]) -> str | None:
        # Half a second apart: each is searched.
        found = estimator.estimate(_scene(**case), next(stamp_s) / 2)
        shown = [face.expression for face in found]
        assert set(shown) <= {UNKNOWN}, f'{shown} where there is no face'
        return 'a face, but no expression' if found else None

    return cases, check


def _scene(seed: int, height: int, width: int, kind: str) -> NDArray[np.uint8]:
    rng = np.random.default_rng(seed)
    noise = rng.integers(0, 256, (height, width, 3), np.uint8)
    if kind == 'plain':
        noise[:] = noise[0, 0]
    elif kind == 'smooth':
        smooth = cv2.GaussianBlur(noise, (0, 0), float(rng.uniform(2, 20)))
        stretched = cv2.normalize(smooth, np.empty_like(smooth), 0, 255, cv2.NORM_MINMAX)
        noise = np.asarray(stretched, np.uint8)
    elif kind == 'stripes':
        columns = np.arange(width) * float(rng.uniform(0.05, 2))
        noise[:] = (127 + 127 * np.sin(columns))[None, :, None].astype(np.uint8)
    elif kind == 'shapes':
        noise[:] = 200
        for _ in range(int(rng.integers(1, 9))):
            at = (int(rng.integers(width)), int(rng.integers(height)))
            colour = rng.integers(0, 256, 3).tolist()
            cv2.circle(noise, at, int(rng.integers(2, 60)), colour, -1)
    return noise


# Messages.


def _blendshapes() -> Made:
    parameters = read_parameters().emotion_node
    estimation, metadata = build_estimation(parameters, find_model(str(parameters['model'])))
    known = list(dict.fromkeys([*NAMES, *metadata.features]))
    number = st.one_of(st.floats(0, 1), st.floats(), st.sampled_from([1e30, -5.0, math.nan]))
    cases = st.fixed_dictionaries(
        {
            'frame_id': st.one_of(st.sampled_from(['face_abc', 'face_b', '']), st.text()),
            'sec': st.one_of(st.integers(1, 30), st.integers(-(2**31), 2**31 - 1)),
            'nanosec': st.integers(0, 2**32 - 1),
            'base': st.floats(0, 1),
            'changed': st.dictionaries(st.sampled_from(known), number, max_size=4),
            'missing': st.sets(st.sampled_from(known), max_size=1),
            'further': st.dictionaries(st.text(max_size=8), number, max_size=2),
        }
    )
    labels = {*metadata.labels, UNKNOWN}

    def check(case: dict[str, Any]) -> None:
        values = dict.fromkeys(known, case['base']) | case['changed'] | case['further']
        message = Classification(
            header=Header(stamp=Time(sec=case['sec'], nanosec=case['nanosec'] % NS_PER_S)),
            results=[
                ObjectHypothesis(class_id=name, score=value)
                for name, value in values.items()
                if name not in case['missing']
            ],
        )
        # Text that is no UTF-8 never gets here: ROS refuses it.
        message.header.frame_id = case['frame_id'].encode('utf-8', 'ignore').decode()
        try:
            face = face_features(message)
            estimate = estimation.estimate(face.face_id, face.stamp_ns, face.values)
        except (MessageError, FeatureError):
            return
        if estimate is None:
            return
        assert math.isclose(sum(score for _, score in estimate.scores), 1, abs_tol=1e-6)
        assert {name for name, _ in estimate.scores} == labels and estimate.label in labels
        assert 0 <= estimate.confidence <= 1
        assert abs(estimate.valence) <= 1 and abs(estimate.arousal) <= 1
        for name in (n for n in metadata.features if n in values):
            assert not abs(values[name]) > 1e3, f'{name} = {values[name]} was believed'
        ROS.emotion(estimate, message.header)

    return cases, check


def _calibrations() -> Made:
    number = st.one_of(st.floats(), st.floats(1, 4000), st.sampled_from([1e-300, 1e308, 0.0]))
    size = st.one_of(st.integers(0, 4000), st.integers(0, 2**32 - 1))
    cases = st.tuples(st.lists(number, min_size=8, max_size=10), size, size)

    def check(case: tuple[list[float], int, int]) -> None:
        known = KnownCamera(math.radians(60), lambda reason: None)
        known.calibrate(*case)
        ray = known.camera(640, 480).ray(100, 50)
        assert np.isfinite(ray).all() and np.abs(ray).max() < 1e3, ray

    return cases, check


MESSAGE_TARGETS: dict[str, Target] = {
    'raw images': Target(600, _raw_images),
    'compressed images': Target(500, _compressed_images),
    'blendshapes': Target(400, _blendshapes),
    'calibrations': Target(200, _calibrations),
    'pictures of nobody': Target(20, _pictures_of_nobody),
}
"""By name."""
