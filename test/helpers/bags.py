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

"""Bags as robots record them, made for tests."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from rosbags.rosbag1 import Writer as Ros1Writer
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from emotion_estimator.evaluation.labels import Segment
from emotion_estimator.replay.files import open_recording
from emotion_estimator.replay.predictions import Prediction, Replay
from emotion_estimator.replay.recordings import RecordingError
from emotion_estimator.stamps import NS_PER_S

START_NS = 1_700_000_000 * NS_PER_S
RATE_HZ = 25
RAW = 'sensor_msgs/msg/Image'
COMPRESSED = 'sensor_msgs/msg/CompressedImage'
CAMERA_INFO = 'sensor_msgs/msg/CameraInfo'
ROS2 = get_typestore(Stores.ROS2_HUMBLE)
ROS1 = get_typestore(Stores.ROS1_NOETIC)


def stamps(count, rate_hz=RATE_HZ):
    """Give the stamps of a camera."""
    return [START_NS + round(i * NS_PER_S / rate_hz) for i in range(count)]


def header(store, stamp_ns, frame_id='camera'):
    """Make a header; ROS 1 counts too."""
    time = store.types['builtin_interfaces/msg/Time']
    stamp = time(sec=stamp_ns // NS_PER_S, nanosec=stamp_ns % NS_PER_S)
    more = {'seq': 0} if store is ROS1 else {}
    return store.types['std_msgs/msg/Header'](stamp=stamp, frame_id=frame_id, **more)


def raw_image(store, bgr, stamp_ns, **fields):
    """Make a bgr8 image; fields replace those of the right message."""
    height, width, _ = bgr.shape
    right = {
        'header': header(store, stamp_ns),
        'height': height,
        'width': width,
        'encoding': 'bgr8',
        'is_bigendian': 0,
        'step': 3 * width,
        'data': bgr.reshape(-1),
    }
    return store.types[RAW](**{**right, **fields})


def png_image(store, bgr, stamp_ns):
    """Make a compressed image without loss."""
    data = np.frombuffer(cv2.imencode('.png', bgr)[1].tobytes(), np.uint8)
    return store.types[COMPRESSED](header=header(store, stamp_ns), format='png', data=data)


def camera_info(store, stamp_ns, width, height, focal):
    """Make the calibration of a camera whose axis is in the middle; ROS 1 has capitals."""
    region = store.types['sensor_msgs/msg/RegionOfInterest']
    arrays = {
        'd': np.zeros(0),
        'k': np.array([focal, 0, width / 2, 0, focal, height / 2, 0, 0, 1.0]),
        'r': np.eye(3).ravel(),
        'p': np.zeros(12),
    }
    if store is ROS1:
        arrays = {name.upper(): values for name, values in arrays.items()}
    return store.types[CAMERA_INFO](
        header=header(store, stamp_ns),
        height=height,
        width=width,
        distortion_model='plumb_bob',
        binning_x=0,
        binning_y=0,
        roi=region(x_offset=0, y_offset=0, height=0, width=0, do_rectify=False),
        **arrays,
    )


def text(store, words):
    """Make a message of another kind than images."""
    return store.types['std_msgs/msg/String'](data=words)


def write_bag(path, messages, storage='mcap', packed=''):
    """
    Write a rosbag2 folder; packed by zstd are each 'message', chunk ('storage') or 'file'.

    Messages are (topic, nanoseconds, message) of `ROS2`.
    """
    writer = Writer(path, version=8, storage_plugin=StoragePlugin[storage.upper()])
    if packed:
        writer.set_compression(CompressionMode[packed.upper()], CompressionFormat.ZSTD)
    _write(writer, messages, ROS2, ROS2.serialize_cdr)
    return path


def write_ros1_bag(path, messages):
    """Write a ROS 1 bag; messages are of `ROS1`."""
    _write(Ros1Writer(path), messages, ROS1, ROS1.serialize_ros1)
    return path


def _write(writer, messages, store, serialize):
    connections = {}
    with writer:
        for topic, recorded_ns, message in messages:
            on = topic, message.__msgtype__
            if on not in connections:
                connections[on] = writer.add_connection(*on, typestore=store)
            writer.write(connections[on], recorded_ns, serialize(message, message.__msgtype__))


def camera_images(pictures, topic='/camera/image_raw', image=raw_image, store=ROS2):
    """Make one camera's messages, as `write_bag` and `write_ros1_bag` take them."""
    times = stamps(len(pictures))
    return [(topic, ns, image(store, bgr, ns)) for bgr, ns in zip(pictures, times)]


def camera_bag(path, pictures, topic='/camera/image_raw', **options):
    """Write a rosbag2 folder with one camera's raw images."""
    return write_bag(path, camera_images(pictures, topic), **options)


def blank_bag(path, count=2, **options):
    """Write a rosbag2 folder with small images of one grey, on which nobody is."""
    return camera_bag(path, [np.full((32, 32, 3), 90, np.uint8)] * count, **options)


# What recordings hold, as they are opened and read.


def noise(count, size=(24, 32)):
    """Make pictures that no two are alike of."""
    random = np.random.default_rng(1)
    return [random.integers(0, 256, (*size, 3), np.uint8) for _ in range(count)]


def read(path, **options):
    """Read a recording to its end: stamp and pixels of each image."""
    return reported(path, **options)[0]


def reported(path, **options):
    """Read a recording to its end: images, problems, hints."""
    recording = open_recording(path, **options)
    images = [(frame.stamp_ns, frame.decode()) for frame in recording.frames()]
    recording.close()
    return images, recording.problems, recording.hints


def problem(path, **options):
    """Give the sentence with which a recording is refused."""
    with pytest.raises(RecordingError) as caught:
        read(path, **options)
    return str(caught.value)


def assert_same(frames, pictures):
    """Compare what was read with what went in."""
    assert [stamp_ns for stamp_ns, _ in frames] == stamps(len(pictures))
    for (_, rgb), bgr in zip(frames, pictures):
        np.testing.assert_array_equal(rgb, bgr[..., ::-1])


# Replays made up of what a face is said to show, as plain as `happy happy unknown`.


LABELS = ('happy', 'sad', 'neutral')
REPLAY_RATE_HZ = 10
STEP_NS = 1_000_000_000 // REPLAY_RATE_HZ


def answer(stamp_ns, label, face_id='abc', sure=0.8, best=None, head=(0.0, 0.1, 0.2)):
    """One answer; the probabilities name `best`, or what is shown, with `sure`."""
    best = best or (label if label in LABELS else LABELS[0])
    rest = (1 - sure) / (len(LABELS) - 1)
    return Prediction(
        stamp_ns=stamp_ns,
        face_id=face_id,
        label=label,
        confidence=sure,
        probabilities=tuple(sure if name == best else rest for name in LABELS),
        valence=0.1,
        arousal=0.2,
        head=head,
        box=(0.2, 0.1, 0.6, 0.7),
    )


def replay(*shown, name='walk', faces=None, sure=0.8, thumbnails=None, problems=(), **changes):
    """
    One recording at 10 images a second.

    :param shown: labels of each face frame by frame, separated by spaces; '-' is no face.
    """
    faces = faces or ['abc', 'def', 'ghi'][: len(shown)]
    frames = [line.split() for line in shown]
    stamps_ns = tuple(START_NS + i * STEP_NS for i in range(max(map(len, frames), default=0)))
    answers = sorted(
        (
            answer(stamp_ns, label, face_id, sure)
            for face_id, labels in zip(faces, frames)
            for stamp_ns, label in zip(stamps_ns, labels)
            if label != '-'
        ),
        key=lambda one: (one.stamp_ns, one.face_id),
    )
    values = {
        'recording': name,
        'model': 'made 1.0.0',
        'labels': LABELS,
        'settings': {'model': 'made', 'min_confidence': 0.5, 'hysteresis': 1.5},
        'stamps_ns': stamps_ns,
        'predictions': tuple(answers),
        'thumbnails': thumbnails or {},
        'problems': tuple(problems),
    }
    return Replay(**{**values, **changes})


def segment(start, end, label, face=''):
    """Label the frames of a made-up replay from `start` up to `end`, without it."""
    return Segment(START_NS + start * STEP_NS, START_NS + end * STEP_NS, face, label)
