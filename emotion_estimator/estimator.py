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

"""Both halves of the nodes in a row: an image in, faces with their expressions out."""

from __future__ import annotations

from dataclasses import dataclass

from emotion_estimator.emotion.estimation import EmotionEstimate, assemble_estimation
from emotion_estimator.emotion.model import ModelMetadata
from emotion_estimator.faces.finder import Face, Sighting, build_finder, find_finder_files
from emotion_estimator.faces.image_decoding import Rgb
from emotion_estimator.files import find_model
from emotion_estimator.parameters import NodeParameters
from emotion_estimator.stamps import Step


@dataclass(frozen=True)
class Seen:
    """
    What was seen in one image.

    :param step: how its stamp followed the one before.
    :param faces: the faces in it.
    :param estimates: of each of the faces, in the same order.
    """

    step: Step
    faces: tuple[Face, ...]
    estimates: tuple[EmotionEstimate, ...]


class Pipeline:
    """
    Does with the images of one recording what both nodes do with those of a camera.

    Time is the stamps' alone: a face unseen for `face_timeout_s` ends by them.

    :param parameters: of both nodes.
    :raises AssetError: when a model is not there.
    :raises ValueError: when a model or a parameter cannot be used.
    """

    def __init__(self, parameters: NodeParameters) -> None:
        emotion = parameters.emotion_node
        # Before the finder, whose graphs would have to be closed were the model wrong.
        folder = find_model(str(emotion['model']))
        self.metadata: ModelMetadata
        self._estimation, self.metadata = assemble_estimation(emotion, folder)
        faces = parameters.blendshape_node
        self._finder = build_finder(faces, find_finder_files(faces))

    def find(self, image: Rgb, stamp_ns: int) -> Sighting:
        """
        Find the faces of the next image.

        :param image: the pixels.
        :param stamp_ns: its stamp in nanoseconds, above 0.
        :returns: the faces; none where the stamp repeats the one before.
        """
        return self._finder.find(image, stamp_ns)

    def estimate(self, sighting: Sighting, stamp_ns: int) -> Seen:
        """
        Estimate the expressions of the faces in the next image; any thread may, one at a time.

        :param sighting: as `find` returned it.
        :param stamp_ns: the image's stamp.
        :returns: what was seen.
        """
        self._estimation.end_lost_faces(stamp_ns)
        told = []
        for face in sighting.faces:
            estimate = self._estimation.estimate(face.face_id, stamp_ns, face.named_values())
            if estimate is not None:
                told.append((face, estimate))
        return Seen(sighting.step, tuple(f for f, _ in told), tuple(e for _, e in told))

    def close(self) -> None:
        """Release MediaPipe's graphs."""
        self._finder.close()
