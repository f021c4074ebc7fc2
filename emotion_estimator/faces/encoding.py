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
Head pose, geometry and appearance of a face: what the blendshapes do not tell, in few numbers.

MediaPipe's blendshapes leave cheekSquint, cheekPuff and noseSneer near 0 whatever the face does;
the mesh moves and the skin wrinkles all the same. Landmarks laid on a template go through one
layer of units to a few numbers, the aligned face's pixels through a small network. Template,
weights and network are learned offline and kept in one versioned file; the version stands in
every name, so that a model never reads the values of another encoding.
"""

from __future__ import annotations

import hashlib
import io
import math
import zipfile
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emotion_estimator.faces.appearance import (
    VISIBILITY_LOGITS,
    VISIBLE_NAMES,
    AppearanceNetwork,
    FaceVisibility,
    crop_face,
)
from emotion_estimator.faces.geometry import (
    LANDMARKS,
    MESH,
    POSE_NAMES,
    align,
    head_angles,
    in_face_units,
)
from emotion_estimator.faces.image_decoding import Rgb
from emotion_estimator.files import MOST_BYTES, FileError, read_file

SCHEMA = 3
NETWORK = 'appearance_network'
"""Name of the LiteRT file's bytes in an encoding's file."""


class FaceEncodingError(ValueError):
    """An encoding that cannot be used; the message says which and why."""


@dataclass(frozen=True)
class Projection:
    """
    A few numbers that stand for many: one layer of rectified units, then directions in them.

    :param mean: of the values, shape [D].
    :param hidden: shape [D, H].
    :param bias: of the units, shape [H].
    :param directions: shape [H, K].
    :param offset: of the answers, shape [K].
    """

    mean: NDArray[np.float32]
    hidden: NDArray[np.float32]
    bias: NDArray[np.float32]
    directions: NDArray[np.float32]
    offset: NDArray[np.float32]

    def __call__(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """
        Project.

        :param values: shape [N, D].
        :returns: shape [N, K].
        """
        units = np.maximum((values - self.mean) @ self.hidden + self.bias, 0)
        return np.asarray(units @ self.directions + self.offset, np.float32)


@dataclass(frozen=True)
class FaceEncoding:
    """
    What turns a face's landmarks and pixels into a few numbers.

    :param version: stands in the names, such as 'v3'.
    :param template: the mean face in face units, shape [478, 3], see `in_face_units`.
    :param geometry: of the aligned landmarks, flattened.
    :param appearance: of the crop.
    :param visibility: see `FaceVisibility`; None where no file of it lies beside the encoding's.
    """

    version: str
    template: NDArray[np.float32]
    geometry: Projection
    appearance: AppearanceNetwork
    visibility: AppearanceNetwork | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the values that `encode` returns, in their order."""
        return (
            *POSE_NAMES,
            *self._numbered('geometry', self.geometry.directions.shape[1]),
            *self._numbered('appearance', self.appearance.count),
        )

    def _numbered(self, group: str, count: int) -> tuple[str, ...]:
        return tuple(f'{group}.{self.version}.{number:02d}' for number in range(count))

    def crop(self, image: Rgb, landmarks: NDArray[np.float32]) -> NDArray[np.uint8]:
        """
        Cut out one face.

        :param image: that the face was found in.
        :param landmarks: shape [478, 3], see `LandmarkedFace`.
        :returns: grey, shape [CROP_PX, CROP_PX], see `crop_face`.
        """
        height, width = image.shape[:2]
        outline = landmarks[:, :2] * np.array([width, height], np.float32)
        return crop_face(image, outline, self.template)

    def encode(
        self, image: Rgb, landmarks: NDArray[np.float32], crop: NDArray[np.uint8] | None = None
    ) -> NDArray[np.float32]:
        """
        Encode one face.

        :param image: that the face was found in.
        :param landmarks: shape [478, 3], see `LandmarkedFace`.
        :param crop: of `crop`, where it is at hand.
        :returns: a value for each of `names`, without unit except the pose in radians.
        """
        height, width = image.shape[:2]
        points, _ = in_face_units(landmarks, width, height)
        crop = self.crop(image, landmarks) if crop is None else crop
        encoded: NDArray[np.float32] = self.encode_many(points[None], crop[None])[0]
        return encoded

    def encode_many(
        self, points: NDArray[np.float32], crops: NDArray[np.uint8]
    ) -> NDArray[np.float32]:
        """
        Encode faces whose landmarks and crops are at hand.

        :param points: in face units, shape [N, 478, 3].
        :param crops: grey, shape [N, CROP_PX, CROP_PX], see `crop_face`.
        :returns: shape [N, names].
        """
        aligned, rotations = align(points, self.template)
        return np.concatenate(
            [
                head_angles(rotations).astype(np.float32),
                self.geometry(aligned.reshape(len(points), -1)),
                self.appearance(crops),
            ],
            axis=1,
        )


def read_encoding(path: Path) -> FaceEncoding:
    """
    Read an encoding, checked.

    :param path: an .npz file as `training` writes it; its name without suffix is the version.
    :raises FaceEncodingError: when it is missing, damaged or of another schema.
    """
    try:
        schema, parts, network = _read_parts(path)
    except _UnreadableError as error:
        reason = str(error)
    # Of a damaged file zipfile, zlib, tokenize and NumPy each complain in their own way.
    except Exception:
        reason = 'it is damaged, or no .npz file'
    else:
        reason = ''
    if reason:
        raise FaceEncodingError(
            f'The face encoding {path} cannot be read ({reason}); restore it, or make it again '
            'with `make train`.'
        )
    if schema != SCHEMA:
        raise FaceEncodingError(
            f'The face encoding {path} has schema {schema}, but this package reads schema '
            f'{SCHEMA}; use one made for this version.'
        )
    _check(path, parts)
    try:
        appearance = AppearanceNetwork(network)
    except ValueError as error:
        raise FaceEncodingError(
            f'The face encoding {path}: {NETWORK} cannot be used ({error}); make it again with '
            '`make train`.'
        ) from error
    geometry = Projection(*(parts[f'geometry_{name}'] for name in _PARTS))
    return FaceEncoding(
        path.stem, parts['template'], geometry, appearance, _read_visibility(visibility_file(path))
    )


def files_that_count(path: Path | None) -> list[Path]:
    """
    List the files that decide what faces' features are.

    :param path: an encoding's file; None where there is none.
    :returns: it, and what lies beside it where that is there.
    """
    if path is None:
        return []
    return [path, *(beside for beside in [visibility_file(path)] if beside.is_file())]


def visibility_file(path: Path) -> Path:
    """
    Name the file of the network that tells what of a face is seen.

    :param path: of the encoding.
    :returns: the file beside it; it need not exist.
    """
    return path.with_name(f'{path.stem}_visibility.tflite')


def checksum_file(path: Path) -> Path:
    """
    Name the file by which damage of a network is noticed, which may still load and answer.

    :param path: of the network.
    :returns: the file beside it, as `sha256sum` writes it; it need not exist.
    """
    return path.with_name(f'{path.name}.sha256')


def checksum_line(path: Path, content: bytes) -> bytes:
    """
    Tell what stands in the `checksum_file` of a network.

    :param path: of the network.
    :param content: of that file.
    """
    return f'{hashlib.sha256(content).hexdigest()}  {path.name}\n'.encode()


def _read_visibility(path: Path) -> AppearanceNetwork | None:
    if not path.is_file():
        return None
    try:
        content, checksum = read_file(path), checksum_file(path)
        if checksum.is_file() and not read_file(checksum).startswith(checksum_line(path, content)):
            raise ValueError(f'{checksum.name} beside it is of other content')
        network = AppearanceNetwork(content)
        if network.count != VISIBILITY_LOGITS:
            raise ValueError(f'it gives {network.count} numbers, not {VISIBILITY_LOGITS}')
    except (FileError, ValueError) as error:
        raise FaceEncodingError(
            f'{path} cannot be used ({error}); restore it, make it again with `make visibility`, '
            'or remove it: plain covers alone are noticed then.'
        ) from error
    return network


class _UnreadableError(ValueError):
    """Why a file cannot be read, as part of a sentence."""


def _read_parts(path: Path) -> tuple[int, dict[str, NDArray[np.float32]], bytes]:
    """Read the schema and, where it is this package's, arrays and network."""
    try:
        content = read_file(path)
    except FileError as error:
        raise _UnreadableError(str(error)) from error
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        # As the archive states it: no more than that is ever unpacked.
        unpacked = sum(part.file_size for part in archive.infolist())
        if unpacked > MOST_BYTES:
            raise _UnreadableError(
                f'it would unpack to {unpacked >> 20:,} MB; at most {MOST_BYTES >> 20} are read'
            )
        schema = _array(archive, 'schema')
        if schema.size != 1:
            raise _UnreadableError('schema is no number')
        if int(schema.item()) != SCHEMA:
            return int(schema.item()), {}, b''
        # By columns: a product with one face then reads the weights in their order.
        parts = {n: np.asarray(_array(archive, n), np.float32, order='F') for n in _SHAPES}
        return SCHEMA, parts, np.asarray(_array(archive, NETWORK), np.uint8).tobytes()


def _array(archive: zipfile.ZipFile, name: str) -> NDArray[Any]:
    """Read an array whose header promises what its bytes hold."""
    if f'{name}.npy' not in archive.namelist():
        raise _UnreadableError(f'it lacks {name}')
    file = io.BytesIO(archive.read(f'{name}.npy'))
    version = np.lib.format.read_magic(file)
    read_header = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }[version]
    shape, by_columns, dtype = read_header(file)
    if dtype.hasobject:
        raise _UnreadableError(f'{name} holds Python objects, not numbers')
    raw = file.read()
    if min(shape, default=0) < 0 or math.prod(shape) * dtype.itemsize != len(raw):
        raise _UnreadableError(f'{name} has {len(raw)} bytes, which do not fit its shape')
    return np.frombuffer(raw, dtype).reshape(shape, order='F' if by_columns else 'C')


def _check(path: Path, parts: dict[str, NDArray[np.float32]]) -> None:
    for name, expected in _SHAPES.items():
        shape = parts[name].shape
        if len(shape) != len(expected) or any(e not in (s, None) for e, s in zip(expected, shape)):
            wanted = ', '.join('any' if length is None else str(length) for length in expected)
            raise FaceEncodingError(
                f'The face encoding {path}: {name} has shape {list(shape)}, not [{wanted}]; '
                'make it again with `make train`.'
            )
        if not np.isfinite(parts[name]).all():
            raise FaceEncodingError(
                f'The face encoding {path}: {name} holds what is no finite number; make it again '
                'with `make train`.'
            )
    hidden, bias, directions, offset = (parts[f'geometry_{name}'] for name in _PARTS[1:])
    if not hidden.shape[1] == len(bias) == len(directions) or len(offset) != len(directions[0]):
        raise FaceEncodingError(
            f'The face encoding {path}: the sizes of geometry do not fit each other; make it '
            'again with `make train`.'
        )
    size = float((parts['template'][:MESH] ** 2).sum(axis=1).mean())
    if not 0.5 < size < 2:
        raise FaceEncodingError(
            f'The face encoding {path}: template has mean square distance {size:.3g}, but 1 in '
            'face units; make it again with `make train`.'
        )


_PARTS: tuple[str, ...] = tuple(field.name for field in fields(Projection))

_SHAPES: dict[str, tuple[int | None, ...]] = {
    'template': (LANDMARKS, 3),
    'geometry_mean': (LANDMARKS * 3,),
    'geometry_hidden': (LANDMARKS * 3, None),
    'geometry_bias': (None,),
    'geometry_directions': (None, None),
    'geometry_offset': (None,),
}


class FaceFeatures:
    """
    Computes the features that follow a face's blendshapes.

    :param encoding: the face encoding, whose template also tells what is visible; None gives no
        features.
    """

    def __init__(self, encoding: FaceEncoding | None) -> None:
        self._encoding = encoding
        self.names: tuple[str, ...] = ()
        if encoding is not None:
            self._visibility = FaceVisibility(encoding.template, encoding.visibility)
            self.names = (*encoding.names, *VISIBLE_NAMES)

    def of(self, image: Rgb, landmarks: NDArray[np.float32]) -> NDArray[np.float32]:
        """
        Compute one face's features.

        :param image: that the face was found in.
        :param landmarks: shape [478, 3], see `LandmarkedFace`.
        :returns: a value for each of `names`.
        """
        if self._encoding is None:
            return np.zeros(0, np.float32)
        crop = self._encoding.crop(image, landmarks)
        encoded = self._encoding.encode(image, landmarks, crop)
        return np.concatenate([encoded, self._visibility.of(crop)])
