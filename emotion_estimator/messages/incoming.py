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

"""Reads what arrives: stamps, ids, a face's features by name, images."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from emotion_estimator.faces.rep155 import FACE_FRAME_PREFIX
from emotion_estimator.stamps import NS_PER_S

if TYPE_CHECKING:
    from builtin_interfaces.msg import Time
    from sensor_msgs.msg import CompressedImage, Image
    from vision_msgs.msg import Classification

    from emotion_estimator.faces.image_decoding import ImageDecoder, Rgb

_FACE_ID = re.compile(r'[A-Za-z][A-Za-z0-9_]*\Z')
# A topic has at most 247 letters; the longest of a face is its expression.
_MOST_OF_ID = 247 - len('/humans/faces//expression')
MOST_FACES = 100
"""Faces beyond so many at once are refused: no robot meets them, and each costs topics."""
_MOST_FEATURES = 1000


class MessageError(ValueError):
    """A message that cannot be used; the message says which field is wrong."""


@dataclass(frozen=True)
class NamedFeatures:
    """
    One face's named features in one image.

    :param face_id: the face.
    :param stamp_ns: the image's stamp in nanoseconds.
    :param values: value by name.
    """

    face_id: str
    stamp_ns: int
    values: dict[str, float]


def nanoseconds(stamp: Time) -> int:
    """
    Turn a message's stamp into nanoseconds.

    :param stamp: the stamp.
    :returns: nanoseconds; 0 when the publisher did not fill it in.
    """
    return int(stamp.sec) * NS_PER_S + int(stamp.nanosec)


def is_face_id(text: str) -> bool:
    """
    Tell whether a text can stand in the topics of a face.

    :param text: the text.
    :returns: whether it is as `FACE_ID_RULE` says.
    """
    return len(text) <= _MOST_OF_ID and _FACE_ID.match(text) is not None


FACE_ID_RULE = (
    f'a face id starts with a letter, holds letters, digits and _ only (REP-155), {_MOST_OF_ID} '
    'at most'
)


def shortened(text: str, most: int = 500) -> str:
    """
    Bound a text that may hold what a stranger sent.

    :param text: the text.
    :param most: how many letters are kept.
    :returns: its beginning, without what UTF-8 cannot write.
    """
    text = text if len(text) <= most else f'{text[: most - 4]} ...'
    return text.encode('utf-8', 'replace').decode()


def listed_faces(ids: Iterable[str]) -> tuple[list[str], list[str]]:
    """
    Read a list of faces.

    :param ids: as a detector lists them.
    :returns: those that can be used, each once, and sentences on the others.
    """
    given = dict.fromkeys(ids)
    faces = [name for name in given if is_face_id(name)]
    wrong = [shortened(name, 40) for name in given if not is_face_id(name)]
    complaints = []
    if wrong:
        more = f' and {len(wrong) - 3} more' if len(wrong) > 3 else ''
        complaints.append(f'ids: {FACE_ID_RULE}, unlike {wrong[:3]}{more}.')
    if len(faces) > MOST_FACES:
        complaints.append(f'ids: {len(faces)} faces; the first {MOST_FACES} are looked at.')
    return faces[:MOST_FACES], complaints


def face_features(message: Classification) -> NamedFeatures:
    """
    Read a face's features by name.

    :param message: as `MessageBuilder.blendshapes` makes it; further names may follow.
    :returns: the features.
    :raises MessageError: when it does not name a face or carries no stamp.
    """
    frame_id = message.header.frame_id
    if not frame_id.startswith(FACE_FRAME_PREFIX) or frame_id == FACE_FRAME_PREFIX:
        raise MessageError(
            f'header.frame_id is {shortened(frame_id, 60)!r}, but names a face as '
            f'{FACE_FRAME_PREFIX}<id>.'
        )
    face_id = frame_id[len(FACE_FRAME_PREFIX) :]
    if not is_face_id(face_id):
        raise MessageError(f'header.frame_id {shortened(frame_id, 60)!r}: {FACE_ID_RULE}.')
    if len(message.results) > _MOST_FEATURES:
        raise MessageError(
            f'{len(message.results)} results: a face has {_MOST_FEATURES} features at most.'
        )
    stamp_ns = nanoseconds(message.header.stamp)
    if stamp_ns == 0:
        raise MessageError("header.stamp is zero; fill in the image's stamp.")
    return NamedFeatures(
        face_id=face_id,
        stamp_ns=stamp_ns,
        values={result.class_id: result.score for result in message.results},
    )


def rgb_of(message: Image | CompressedImage, decoder: ImageDecoder) -> Rgb:
    """
    Decode an image message; rare encodings go through cv_bridge where it is installed.

    :param message: a raw or compressed image, of rclpy or of a bag.
    :param decoder: of the stream that it belongs to.
    :returns: pixels in RGB; may alias the message.
    :raises ImageError: when it cannot be decoded.
    """
    # Imported here: who reads features alone does without OpenCV.
    from emotion_estimator.faces.image_decoding import EncodingError, ImageError

    try:
        return decoder.decode(message)
    except EncodingError as unknown:
        bridge, problem = _cv_bridge()
        if problem:
            decoder.remark(problem)
        if bridge is None:
            raise
        try:
            return bridge(message)
        except Exception as error:  # whatever is wrong in a library of another version
            raise ImageError(f'{unknown} cv_bridge cannot convert it either: {error}') from error


@cache
def _cv_bridge() -> tuple[Callable[[Any], Rgb] | None, str]:
    """Import cv_bridge once: Python keeps no record of an import that failed."""
    import numpy as np

    try:
        from cv_bridge import CvBridge
    except ModuleNotFoundError:
        return None, ''
    except Exception as error:  # built against another numpy or OpenCV it fails in many ways
        return None, (
            f'cv_bridge is installed but cannot be imported ({type(error).__name__}: {error}): it '
            'was built for another numpy or OpenCV. Images in rare encodings are refused.'
        )
    bridge = CvBridge()

    def convert(message: Any) -> Rgb:
        return np.ascontiguousarray(bridge.imgmsg_to_cv2(message, 'rgb8'), np.uint8)

    return convert, ''
