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

"""MediaPipe's own Face Landmarker, which `landmarker.FaceLandmarker` is held to."""

from __future__ import annotations

import ctypes
import io
import math
import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from weakref import WeakSet

import mediapipe as mp
import numpy as np
from mediapipe.tasks.python import BaseOptions, vision
from mediapipe.tasks.python.vision import face_landmarker as module
from mediapipe.tasks.python.vision.face_landmarker import Blendshapes
from numpy.typing import NDArray

from emotion_estimator import blendshapes
from emotion_estimator.faces.image_decoding import Rgb
from emotion_estimator.faces.landmarker import LandmarkedFace, box_of
from emotion_estimator.faces.networks import region_of
from emotion_estimator.files import MOST_BYTES, FileError, read_file

# Keeps threads that take turns on one core, and others off it.


@contextmanager
def new_threads_on_one_core() -> Iterator[int | None]:
    """
    Let threads that start within the block keep to the last core; no other thread is bound.

    Threads inherit the affinity of the thread that starts them. MediaPipe's graph passes each
    frame from one thread to the next; on different cores each of them waits to be woken on a
    core that the interpreter or the middleware may be using. The last core that this process may
    use is taken, so `taskset` chooses it. Where the system knows no affinity nothing happens.

    :returns: yields the core's number, or None where there is no choice.
    """
    if not hasattr(os, 'sched_setaffinity'):
        yield None
        return
    allowed = os.sched_getaffinity(0)
    core = max(_cores())
    os.sched_setaffinity(0, {core})
    try:
        yield core
    finally:
        os.sched_setaffinity(0, allowed)


def keep_off_last_core() -> None:
    """
    Let the calling thread run on any core but the one that `new_threads_on_one_core` takes.

    Where there is no other core, or the system knows no affinity, nothing happens.
    """
    if not hasattr(os, 'sched_setaffinity'):
        return
    cores = _cores()
    if len(cores) > 1:
        os.sched_setaffinity(0, cores - {max(cores)})


def _cores() -> set[int]:
    """Tell which cores the process may use: its first thread is never kept off one."""
    return os.sched_getaffinity(os.getpid())


# MediaPipe Face Landmarker's answer as arrays.
#
# MediaPipe's own Python makes an object of each of the 478 landmarks of each face, under the
# interpreter's lock: 1.4 ms a frame during which no other thread of the process runs. Its C
# structures hold the same numbers side by side. They are read in place where this MediaPipe has
# them; otherwise its public result is read.


@dataclass(frozen=True)
class FaceArrays:
    """
    One face of one image.

    :param landmarks: shape [478, 3]: x and y as fractions of the image's width and height, z in
        the scale of x, smaller is nearer.
    :param scores: shape [52], the blendshapes in MediaPipe's order, each in [0, 1].
    """

    landmarks: NDArray[np.float32]
    scores: NDArray[np.float32]


def has_structures(landmarker: vision.FaceLandmarker) -> bool:
    """
    Tell whether this MediaPipe has the C structures that `detect_through_structures` reads.

    :returns: whether it has.
    """
    library = getattr(landmarker, '_lib', None)
    return (
        hasattr(module, 'MpFaceLandmarkerResultC')
        and hasattr(landmarker, '_handle')
        and hasattr(library, 'MpFaceLandmarkerDetectForVideo')
        and hasattr(library, 'MpFaceLandmarkerDetectImage')
        and hasattr(library, 'MpFaceLandmarkerCloseResult')
    )


def detect_through_structures(
    landmarker: vision.FaceLandmarker, image: mp.Image, time_ms: int | None
) -> list[FaceArrays]:
    """
    Find the faces of the next frame, or of a still, without an object for each landmark.

    :param landmarker: see `has_structures`.
    :param time_ms: in VIDEO mode its time in milliseconds, above that of the frame before; None
        in IMAGE mode.
    """
    result = module.MpFaceLandmarkerResultC()
    library, handle, pixels = landmarker._lib, landmarker._handle, image._image_ptr
    if time_ms is None:
        library.MpFaceLandmarkerDetectImage(handle, pixels, None, ctypes.byref(result))
    else:
        library.MpFaceLandmarkerDetectForVideo(handle, pixels, None, time_ms, ctypes.byref(result))
    try:
        return [
            FaceArrays(
                landmarks=_columns(
                    result.face_landmarks[i].landmarks,
                    result.face_landmarks[i].landmarks_count,
                    ('x', 'y', 'z'),
                ),
                scores=_columns(
                    result.face_blendshapes[i].categories,
                    result.face_blendshapes[i].categories_count,
                    ('score',),
                )[:, 0],
            )
            for i in range(result.face_landmarks_count)
        ]
    finally:
        landmarker._lib.MpFaceLandmarkerCloseResult(ctypes.byref(result))


def detect_through_objects(
    landmarker: vision.FaceLandmarker, image: mp.Image, time_ms: int | None
) -> list[FaceArrays]:
    """
    Find the faces of the next frame, or of a still, through MediaPipe's public result.

    :param landmarker: in VIDEO or IMAGE mode.
    :param time_ms: see `detect_through_structures`.
    """
    result = (
        landmarker.detect(image)
        if time_ms is None
        else landmarker.detect_for_video(image, time_ms)
    )
    return [
        FaceArrays(
            landmarks=np.array([(point.x, point.y, point.z) for point in points], np.float32),
            scores=np.array([shape.score for shape in shapes], np.float32),
        )
        for points, shapes in zip(result.face_landmarks, result.face_blendshapes)
    ]


def _columns(first: Any, count: int, names: tuple[str, ...]) -> NDArray[np.float32]:
    """Copy some float fields out of an array of C structures; shape [count, names]."""
    structure = type(first.contents)
    words = ctypes.sizeof(structure) // ctypes.sizeof(ctypes.c_float)
    address = ctypes.addressof(first.contents)
    floats = (ctypes.c_float * (words * count)).from_address(address)
    table: NDArray[np.float32] = np.ctypeslib.as_array(floats).reshape(count, words)
    offsets = [getattr(structure, name).offset // ctypes.sizeof(ctypes.c_float) for name in names]
    return table[:, offsets]


class MediaPipeLandmarker:
    """
    Finds faces and their blendshapes, following them from frame to frame.

    :param model_path: face_landmarker.task, see `assets.FACE_LANDMARKER`.
    :param max_faces: most faces to find, at least 1.
    :param min_detection_confidence: of the face detector, in [0, 1].
    :param min_presence_confidence: of the landmarks, in [0, 1].
    :param min_tracking_confidence: overlap above which two faces are one, in [0, 1].
    :param on_one_core: whether MediaPipe's threads keep together, see `new_threads_on_one_core`.
    :param stills: each image is a photograph of its own (IMAGE mode) rather than the next frame
        of a camera (VIDEO mode); then `find` takes no time.
    :param close_up: makes no difference: MediaPipe gives the surest faces, wherever they are.
    :raises ValueError: when the model file cannot be used.
    """

    def __init__(
        self,
        model_path: Path,
        max_faces: int = 1,
        min_detection_confidence: float = 0.5,
        min_presence_confidence: float = 0.5,
        min_tracking_confidence: float = 0.5,
        on_one_core: bool = False,
        stills: bool = False,
        close_up: bool = False,
    ) -> None:
        _check_task(model_path)
        options = vision.FaceLandmarkerOptions(
            base_options=BaseOptions(model_asset_path=str(model_path)),
            running_mode=vision.RunningMode.IMAGE if stills else vision.RunningMode.VIDEO,
            num_faces=max_faces,
            min_face_detection_confidence=min_detection_confidence,
            min_face_presence_confidence=min_presence_confidence,
            min_tracking_confidence=min_tracking_confidence,
            output_face_blendshapes=True,
        )
        _check_names()
        try:
            with new_threads_on_one_core() if on_one_core else nullcontext():
                self._landmarker = vision.FaceLandmarker.create_from_options(options)
        except (ValueError, RuntimeError, OSError) as error:
            raise ValueError(f'MediaPipe cannot use {model_path}: {str(error).strip()}') from error
        self._detect = (
            detect_through_structures
            if has_structures(self._landmarker)
            else detect_through_objects
        )
        self._is_forked = False
        _LANDMARKERS.add(self)

    def find(self, image: Rgb, time_ms: int | None = None) -> list[LandmarkedFace]:
        """
        Find the faces of the next frame.

        :param time_ms: its time in milliseconds, above that of the frame before; None for stills.
        :returns: the faces, in MediaPipe's order.
        :raises RuntimeError: in a process that was forked since, which has none of the threads.
        """
        if self._is_forked:
            raise RuntimeError(
                'engine: mediapipe does not go on in a forked process: make another estimator '
                'there, or take engine: litert.'
            )
        frame = mp.Image(image_format=mp.ImageFormat.SRGB, data=image)
        height, width = image.shape[:2]
        return [
            LandmarkedFace(
                box_of(face.landmarks),
                partial(np.asarray, face.scores),
                _with_z_like_x(face.landmarks, width, height),
            )
            for face in self._detect(self._landmarker, frame, time_ms)
        ]

    def close(self) -> None:
        """Release MediaPipe's graph."""
        self._landmarker.close()

    def leave_to_parent(self) -> None:
        """Let go of the graph, for whose threads a forked process would wait forever."""
        self._is_forked = True
        self._landmarker._handle = None


_LANDMARKERS: WeakSet[MediaPipeLandmarker] = WeakSet()


def _leave_all_to_parent() -> None:
    for landmarker in _LANDMARKERS:
        landmarker.leave_to_parent()


if hasattr(os, 'register_at_fork'):
    os.register_at_fork(after_in_child=_leave_all_to_parent)


def _with_z_like_x(landmarks: NDArray[np.float32], width: int, height: int) -> NDArray[np.float32]:
    """
    Bring z to the scale of x, also of a tilted head in an image that is not square.

    MediaPipe scales z as a step from eye to eye, in shares of the width and of the height
    (LandmarkProjectionCalculator). It takes the tilt of the frame before, which hardly differs.

    :param landmarks: as MediaPipe tells them, shape [478, 3].
    :returns: the same shape.
    """
    roll = region_of(landmarks * np.array([width, height, 1], np.float32)).roll_rad
    z_scale = math.hypot(math.cos(roll), math.sin(roll) * width / height)
    return landmarks * np.array([1, 1, 1 / z_scale], np.float32)


def _check_task(path: Path) -> None:
    """Refuse what MediaPipe would wait for or fill the memory with."""
    try:
        with zipfile.ZipFile(io.BytesIO(read_file(path))) as archive:
            unpacked = sum(part.file_size for part in archive.infolist())
    except FileError as error:
        raise ValueError(f'MediaPipe cannot use {path}: {error}.') from error
    except (zipfile.BadZipFile, ValueError, NotImplementedError, UnicodeDecodeError) as error:
        raise ValueError(f'MediaPipe cannot use {path}: it is no .task file.') from error
    if unpacked > MOST_BYTES:
        raise ValueError(f'MediaPipe cannot use {path}: it would unpack to {unpacked >> 20:,} MB.')


def _check_names() -> None:
    """Compare MediaPipe's own list of blendshapes with this package's."""
    theirs = [shape.name.replace('_', '').lower() for shape in Blendshapes]
    ours = [name.strip('_').lower() for name in blendshapes.NAMES]
    if theirs != ours:
        raise ValueError(
            'This MediaPipe names or orders its blendshapes otherwise than expected '
            f'({sorted(set(theirs) ^ set(ours))}); take mediapipe==1.2.2.'
        )
