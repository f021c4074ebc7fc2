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

"""RAVDESS's videos of actors who speak or sing with one expression."""

from __future__ import annotations

import re
from pathlib import Path

from training.datasets.clips import LabelledClip
from training.datasets.labels import LABELS, NO_LABEL, DataError

EMOTIONS: dict[str, int] = {
    '01': LABELS.index('neutral'),
    '02': NO_LABEL,
    '03': LABELS.index('happy'),
    '04': LABELS.index('sad'),
    '05': LABELS.index('angry'),
    '06': LABELS.index('scared'),
    '07': LABELS.index('disgusted'),
    '08': LABELS.index('surprised'),
}
"""RAVDESS's numbers of the emotions as labels; 02 is calm. https://zenodo.org/record/1188976"""

NAME = re.compile(
    r'(?P<modality>0[12])-(?P<take>0[12]-(?P<emotion>0[1-8])-0[12]-0[12]-0[12]-(?P<actor>\d\d))'
)
"""
Modality (01 with sound, 02 without), channel (01 speech, 02 song), emotion, intensity, statement,
repetition and actor, as in 02-01-06-01-02-01-12.mp4.
"""


def read(path: Path) -> tuple[tuple[LabelledClip, ...], tuple[str, ...]]:
    """
    Find the videos by their names.

    Each take is published with and without sound; the pictures are the same, so one of the two
    is used. Calm is left out: it is none of the seven classes, and 'may be perceived as having a
    mild positive valence' (Livingstone, Russo 2018, https://doi.org/10.1371/journal.pone.0196391).

    :param path: the folder with the unpacked archives, at any depth, such as
        Video_Speech_Actor_01/Actor_01/01-01-06-01-02-01-01.mp4.
    :returns: the clips by name, and a sentence for what was left out.
    :raises DataError: when there is no such video.
    """
    clips: dict[str, LabelledClip] = {}
    complaints = []
    repeated = calm = 0
    for file in sorted(path.rglob('[!.]*.mp4'), key=lambda each: (each.name, each)):
        named = NAME.fullmatch(file.stem)
        if named is None:
            complaints.append(f'{file} is not named such as 02-01-06-01-02-01-12.mp4; left out.')
        elif EMOTIONS[named['emotion']] == NO_LABEL:
            calm += 1
        elif named['take'] in clips:
            repeated += 1
        else:
            clips[named['take']] = LabelledClip(
                name=f'ravdess {file.stem}',
                source=file,
                label=EMOTIONS[named['emotion']],
                actor=f'ravdess {named["actor"]}',
            )
    if calm:
        complaints.append(f'{calm} videos of {path} are acted calm; left out.')
    if repeated:
        complaints.append(f'{repeated} videos of {path} repeat another take; left out.')
    if not clips:
        raise DataError(
            f'{path} holds no video of RAVDESS such as Actor_12/02-01-06-01-02-01-12.mp4. '
            f'{" ".join(complaints[:1])}'.strip()
        )
    return tuple(clips.values()), tuple(complaints)
