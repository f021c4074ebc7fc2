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

"""The commands of the training, each a module with a `main`."""

from __future__ import annotations

import sys

from rich.console import Console


def terminal(plain_width: int = 120) -> Console:
    """
    Make what a command prints its tables on.

    :param plain_width: columns where the output is no terminal, but a file or a pipe.
    """
    return Console(width=None if sys.stdout.isatty() else plain_width)
