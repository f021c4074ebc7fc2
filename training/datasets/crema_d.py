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

"""CREMA-D's videos of actors who speak a sentence with one expression."""

from __future__ import annotations

import re
from pathlib import Path

from training.datasets.clips import LabelledClip
from training.datasets.labels import LABELS, DataError

EMOTIONS: dict[str, int] = {
    'ANG': LABELS.index('angry'),
    'DIS': LABELS.index('disgusted'),
    'FEA': LABELS.index('scared'),
    'HAP': LABELS.index('happy'),
    'NEU': LABELS.index('neutral'),
    'SAD': LABELS.index('sad'),
}
"""Codes of the emotions; nobody acts surprised. https://github.com/CheyneyComputerScience/CREMA-D"""

NAME = re.compile(r'(?P<actor>\d{4})_[A-Z]{3}_(?P<emotion>[A-Z]{3})_[A-Z]{2}')
"""Actor, sentence, emotion and level, as in 1001_DFA_ANG_XX."""

SUFFIXES = ('.flv', '.mp4', '.avi')
"""As published, and what people convert it to."""

LFS_POINTER = b'version https://git-lfs'
"""How the small text begins that stands for a file where Git LFS was not used."""


def read(path: Path) -> tuple[tuple[LabelledClip, ...], tuple[str, ...]]:
    """
    Find the videos by their names.

    :param path: the folder that holds VideoFlash, or the videos themselves.
    :returns: the clips by name, and a sentence for what was left out.
    :raises DataError: when there is no such video, or Git LFS did not fetch them.
    """
    folder = path / 'VideoFlash' if (path / 'VideoFlash').is_dir() else path
    clips: dict[str, LabelledClip] = {}
    complaints = []
    pointers = 0
    for file in sorted(each for each in folder.glob('[!.]*') if each.suffix.lower() in SUFFIXES):
        named = NAME.fullmatch(file.stem)
        if named is None or named['emotion'] not in EMOTIONS:
            complaints.append(f'{file} is not named such as 1001_DFA_ANG_XX.flv; left out.')
        elif file.stem in clips:
            complaints.append(f'{file} repeats {clips[file.stem].source.name}; left out.')
        elif _is_pointer(file):
            pointers += 1
        else:
            clips[file.stem] = LabelledClip(
                name=f'crema_d {file.stem}',
                source=file,
                label=EMOTIONS[named['emotion']],
                actor=f'crema_d {named["actor"]}',
            )
    if pointers:
        complaints.append(
            f'{pointers} videos of {folder} are only pointers of Git LFS; run git lfs pull there.'
        )
    if not clips:
        raise DataError(
            f'{path} holds no video of CREMA-D such as VideoFlash/1001_DFA_ANG_XX.flv. '
            f'{" ".join(complaints[-1:])}'.strip()
        )
    return tuple(clips.values()), tuple(complaints)


def _is_pointer(file: Path) -> bool:
    with file.open('rb') as content:
        return content.read(len(LFS_POINTER)) == LFS_POINTER
