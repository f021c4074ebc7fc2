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

"""Estimate the expression that a face shows, frame by frame, on a social robot."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from emotion_estimator.estimator import ExpressionEstimator, FaceExpression

__all__ = ['ExpressionEstimator', 'FaceExpression']


def __getattr__(name: str) -> Any:
    """Import the estimator when it is first asked for: nodes do without most that it imports."""
    if name in __all__:
        from emotion_estimator import estimator

        return getattr(estimator, name)
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
