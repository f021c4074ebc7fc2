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

"""What is read from files: bags, tables, models, parameters; damaged, with what must hold."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st
from rosbags.rosbag1 import Writer as Ros1Writer
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from dev.fuzz.engine import Made, Target
from dev.fuzz.messages import check_pixels, damaged
from emotion_estimator.assets import FACE_LANDMARKER, find_asset
from emotion_estimator.emotion.model import METADATA_FILE, EmotionModel, ModelError
from emotion_estimator.evaluation.label_files import labels_of_table
from emotion_estimator.evaluation.label_readers import read_table
from emotion_estimator.evaluation.labels import LabelError, Recorded
from emotion_estimator.faces.encoding import FaceEncodingError, read_encoding
from emotion_estimator.faces.image_decoding import ImageError
from emotion_estimator.faces.landmarker import FaceLandmarker
from emotion_estimator.faces.networks import FaceNetworks
from emotion_estimator.files import (
    DEFAULT_ENCODING,
    find_encoding,
    find_model,
    find_shared_file,
)
from emotion_estimator.parameters import DEFAULTS, ParameterError, read_parameters
from emotion_estimator.replay.files import open_recording
from emotion_estimator.replay.recordings import RecordingError
from emotion_estimator.stamps import NS_PER_S


def _file(name: str, content: bytes) -> Path:
    """Write a file into the process's own folder, which is the current one."""
    path = Path(name)
    path.write_bytes(content)
    return path


def _bags() -> Made:
    folder = Path('whole')
    folder.mkdir()
    originals = {
        suffix: path.read_bytes() for path in _small_bags(folder) if (suffix := path.suffix)
    }
    cases: st.SearchStrategy[tuple[str, bytes]] = st.one_of(
        [st.tuples(st.just(suffix), damaged([data])) for suffix, data in originals.items()]
    )

    def check(case: tuple[str, bytes]) -> None:
        suffix, data = case
        try:
            recording = open_recording(_file(f'bag{suffix}', data))
        except RecordingError:
            return
        try:
            for frame in recording.frames():
                try:
                    check_pixels(frame.decode())
                except ImageError:
                    continue
            list(recording.calibrations())
        except RecordingError:
            return
        finally:
            recording.close()

    return cases, check


def _small_bags(folder: Path) -> list[Path]:
    """Write a few small images into a bag of each kind."""
    paths = []
    pixels = np.arange(8 * 8 * 3, dtype=np.uint8)
    kinds = ((StoragePlugin.MCAP, '.mcap'), (StoragePlugin.SQLITE3, '.db3'), (None, '.bag'))
    for storage, suffix in kinds:
        store = get_typestore(Stores.ROS2_HUMBLE if storage else Stores.ROS1_NOETIC)
        types, kind = store.types, 'sensor_msgs/msg/Image'
        path = folder / suffix.removeprefix('.')
        writer: Any = (
            Writer(path, version=8, storage_plugin=storage)
            if storage
            else Ros1Writer(path.with_suffix('.bag'))
        )
        with writer:
            connection = writer.add_connection('/camera/image_raw', kind, typestore=store)
            for second in range(1, 7):
                more = {} if storage else {'seq': second}
                stamp = types['builtin_interfaces/msg/Time'](sec=second, nanosec=0)
                header = types['std_msgs/msg/Header'](stamp=stamp, frame_id='camera', **more)
                image = types[kind](header, 8, 8, 'bgr8', 0, 24, pixels)
                raw = (
                    store.serialize_cdr(image, kind)
                    if storage
                    else store.serialize_ros1(image, kind)
                )
                writer.write(connection, second * NS_PER_S, raw)
        held = path if storage else folder
        paths += list(held.glob(f'*{suffix}'))
    return paths


def _label_tables() -> Made:
    cell = st.one_of(
        st.sampled_from(['0', '1.5', '1,5', '-1', '9e99', 'nan', 'happy', 'Happy', 'a', '', '"']),
        st.sampled_from(['00:00:01', '1700000001.5', '1700000001500', '2023-11-14 22:13:21']),
        st.text(max_size=6),
    )
    header = st.sampled_from(
        [
            ['start_s', 'end_s', 'face', 'emotion'],
            ['Start_S', ' end_s ', 'EMOTION'],
            ['recording', 'start_s', 'end_s', 'emotion'],
            ['start_s', 'emotion'],
        ]
    )
    cases = st.tuples(
        header,
        st.lists(st.lists(cell, max_size=5), max_size=6),
        st.sampled_from([',', ';', '\t', '|']),
        st.sampled_from(['\n', '\r\n', '\r']),
        st.sampled_from(['utf-8', 'utf-8-sig', 'utf-16', 'cp1252']),
        st.binary(max_size=3),
    )
    span = (1_700_000_000 * NS_PER_S, 1_700_000_006 * NS_PER_S)
    recorded = Recorded(Path('walk'), *span, zero_ns=span[0])

    def check(case: tuple[list[str], list[list[str]], str, str, str, bytes]) -> None:
        names, rows, separator, line, encoding, tail = case
        text = line.join(separator.join(row) for row in [names, *rows])
        path = _file('labels.csv', text.encode(encoding, 'replace') + tail)
        try:
            labels = labels_of_table(read_table(path), {'walk': recorded})['walk']
        except LabelError:
            return
        for segment in labels.segments:
            assert span[0] <= segment.start_ns < segment.end_ns <= span[1] + 1, segment
            assert segment.label, segment

    return cases, check


def _encodings() -> Made:
    original = find_encoding(DEFAULT_ENCODING).read_bytes()

    def check(data: bytes) -> None:
        try:
            read_encoding(_file(f'{DEFAULT_ENCODING}.npz', data))
        except FaceEncodingError:
            return

    return damaged([original]), check


def _models() -> Made:
    folder = find_model('basic7')
    metadata = json.loads((folder / METADATA_FILE).read_text(encoding='utf-8'))
    network = (folder / metadata['network']).read_bytes()
    value = st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(max_size=8),
        st.lists(st.text(max_size=4), max_size=3),
        st.just({}),
    )
    changed = st.dictionaries(st.sampled_from(sorted(metadata)), value, max_size=2)
    text = (folder / METADATA_FILE).read_bytes()
    cases = st.tuples(
        st.one_of(st.just(network), damaged([network])), changed, st.none() | damaged([text])
    )

    def check(case: tuple[bytes, dict[str, Any], bytes | None]) -> None:
        content, fields, whole = case
        path = Path('model')
        path.mkdir(exist_ok=True)
        stated = {**metadata, 'network_sha256': hashlib.sha256(content).hexdigest(), **fields}
        (path / METADATA_FILE).write_bytes(whole or json.dumps(stated).encode())
        (path / metadata['network']).write_bytes(content)
        try:
            model = EmotionModel(path)
        except ModelError:
            return
        window = np.zeros((model.metadata.steps, len(model.metadata.features) + 1), np.float32)
        probabilities = model.probabilities(window)
        assert np.isfinite(probabilities).all(), probabilities

    return cases, check


def _landmarkers() -> Made:
    original = find_asset(FACE_LANDMARKER).read_bytes()

    def check(data: bytes) -> None:
        try:
            landmarker = FaceLandmarker(FaceNetworks(_file('face_landmarker.task', data)))
        except ValueError:
            return
        try:
            landmarker.find(np.zeros((48, 64, 3), np.uint8), 33)
        finally:
            landmarker.close()

    return damaged([original]), check


def _parameter_files() -> Made:
    shipped = find_shared_file(DEFAULTS).read_bytes()
    lines = [line for line in shipped.decode().splitlines() if ':' in line]
    value = st.one_of(st.integers(), st.floats(), st.text(max_size=6), st.booleans())

    def joined(line: str, new: object) -> bytes:
        return shipped.replace(line.encode(), f'{line.split(":")[0]}: {new}'.encode())

    cases = st.one_of(damaged([shipped]), st.builds(joined, st.sampled_from(lines), value))

    def check(data: bytes) -> None:
        try:
            read_parameters(_file('parameters.yaml', data))
        except ParameterError:
            return

    return cases, check


FILE_TARGETS: dict[str, Target] = {
    'label tables': Target(200, _label_tables),
    'parameter files': Target(60, _parameter_files),
    'bags': Target(60, _bags),
    'models': Target(40, _models),
    'encodings': Target(8, _encodings),
    'landmarkers': Target(2, _landmarkers),
}
"""By name."""
