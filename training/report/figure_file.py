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

"""Writes a figure as a picture file."""

from __future__ import annotations

import io
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from emotion_estimator.files import write_whole

DPI = 100
"""Pixels per inch of every picture, so that a figure's size in inches tells its pixels."""


def write_figure(figure: Figure, path: Path) -> None:
    """
    Write a figure as a PNG, whole or not at all.

    :param figure: the figure, made without pyplot.
    :param path: the file; its folder is made.
    """
    FigureCanvasAgg(figure)
    png = io.BytesIO()
    figure.savefig(png, format='png', dpi=DPI)
    write_whole(path, png.getvalue())
