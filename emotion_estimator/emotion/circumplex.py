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
Valence and arousal of the basic expressions.

Coordinates are the mean pleasure and arousal ratings of the emotion terms happy, surprised,
fearful, angry, sad and disgusted of J. A. Russell and A. Mehrabian, "Evidence for a
three-factor theory of emotions", Journal of Research in Personality 11 (1977), 273-294, as
they are reproduced in public software; neutral is the origin by convention.
"""

from __future__ import annotations

VALENCE_AROUSAL: dict[str, tuple[float, float]] = {
    'neutral': (0.0, 0.0),
    'happy': (0.81, 0.51),
    'surprised': (0.40, 0.67),
    'scared': (-0.64, 0.60),
    'angry': (-0.51, 0.59),
    'sad': (-0.63, -0.27),
    'disgusted': (-0.60, 0.35),
}
"""Label to (valence, arousal), each in [-1, 1]; a label without an entry counts as neutral."""
