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


"""Bags as a robot's camera records them, for the demonstration and the benchmark."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from rosbags.rosbag2 import StoragePlugin, Writer

from emotion_estimator.messages.outgoing import HEADER, TIME, standard_types
from emotion_estimator.replay.bag import COMPRESSED, RAW
from emotion_estimator.stamps import NS_PER_S

START_NS = 1_700_000_000 * NS_PER_S
TOPIC = '/camera/image_raw'


def write_camera_bag(
    path: Path,
    pictures: Iterable[NDArray[np.uint8]],
    rate_hz: float,
    jpeg_quality: int | None = None,
) -> None:
    """
    Write a rosbag2 folder with an mcap file in it, whole or not at all.

    :param path: the folder; one that is there is replaced.
    :param pictures: BGR, one a frame.
    :param rate_hz: frames a second.
    :param jpeg_quality: of compressed images, to 100; None writes raw ones.
    """
    store = standard_types()
    types = store.types
    kind = RAW if jpeg_quality is None else COMPRESSED
    topic = TOPIC if jpeg_quality is None else f'{TOPIC}/compressed'
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        made = Path(folder, path.name)
        with Writer(made, version=8, storage_plugin=StoragePlugin.MCAP) as writer:
            connection = writer.add_connection(topic, kind, typestore=store)
            for number, bgr in enumerate(pictures):
                stamp_ns = START_NS + round(number * NS_PER_S / rate_hz)
                stamp = types[TIME](sec=stamp_ns // NS_PER_S, nanosec=stamp_ns % NS_PER_S)
                header = types[HEADER](stamp=stamp, frame_id='camera_optical_frame')
                if jpeg_quality is None:
                    message = types[RAW](
                        header=header,
                        height=bgr.shape[0],
                        width=bgr.shape[1],
                        encoding='bgr8',
                        is_bigendian=0,
                        step=3 * bgr.shape[1],
                        data=bgr.reshape(-1),
                    )
                else:
                    quality = [cv2.IMWRITE_JPEG_QUALITY, jpeg_quality]
                    _, jpeg = cv2.imencode('.jpg', bgr, quality)
                    data = np.asarray(jpeg, np.uint8).reshape(-1)
                    message = types[COMPRESSED](header=header, format='jpeg', data=data)
                writer.write(connection, stamp_ns, store.serialize_cdr(message, kind))
        if path.is_dir():
            shutil.rmtree(path)
        made.replace(path)
