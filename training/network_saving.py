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

"""Saves a Keras network whole or not at all."""

from __future__ import annotations

from pathlib import Path

import keras


def save_whole(network: keras.Model, path: Path) -> None:
    """
    Save a network under another name, then rename it.

    :param network: with its optimizer, so that training can go on.
    :param path: a .keras file; its folder is made where it is missing.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f'unfinished-{path.name}')
    network.save(temporary)
    temporary.replace(path)
