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

"""ROS image messages to RGB arrays."""

from __future__ import annotations

import numpy as np
from sensor_msgs.msg import CompressedImage, Image

from emotion_estimator.faces.image_decoding import (
    EncodingError,
    ImageError,
    Rgb,
    decode_compressed,
    decode_image,
)


def rgb_of(message: Image | CompressedImage) -> Rgb:
    """
    Decode an image message; rare encodings go through cv_bridge where it is installed.

    :param message: a raw or compressed image.
    :returns: pixels in RGB; may alias the message.
    :raises ImageError: when it cannot be decoded.
    """
    if isinstance(message, CompressedImage):
        return decode_compressed(message.data, message.format)
    try:
        return decode_image(
            message.encoding, message.height, message.width, message.step, message.data
        )
    except EncodingError as error:
        return _through_cv_bridge(message, error)


def _through_cv_bridge(message: Image, unknown: EncodingError) -> Rgb:
    try:
        from cv_bridge import CvBridge, CvBridgeError
    except (ImportError, AttributeError):
        # Built against another numpy or OpenCV it fails with either.
        raise unknown from None
    try:
        return np.ascontiguousarray(CvBridge().imgmsg_to_cv2(message, 'rgb8'), np.uint8)
    except (CvBridgeError, ValueError, TypeError) as error:
        raise ImageError(f'{unknown} cv_bridge cannot convert it either: {error}') from error
