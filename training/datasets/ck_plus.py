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

"""CK+'s sequences of pictures, from the neutral face to the apex of one expression."""

from __future__ import annotations

from pathlib import Path

from training.datasets.clips import LabelledClip
from training.datasets.labels import LABELS, NO_LABEL, DataError

NUMBERS: tuple[int, ...] = (
    LABELS.index('neutral'),
    LABELS.index('angry'),
    NO_LABEL,
    LABELS.index('disgusted'),
    LABELS.index('scared'),
    LABELS.index('happy'),
    LABELS.index('sad'),
    LABELS.index('surprised'),
)
"""
CK+'s numbers of the expressions as labels; 2 is contempt.

Its read-me of 2010, and Lucey et al., The Extended Cohn-Kanade Dataset (CK+), CVPR Workshops 2010.
"""

RATE_HZ = 30.0
"""The pictures do not tell their rate; they are frames of American video."""

PICTURES = ('cohn-kanade-images', 'extended-cohn-kanade-images/cohn-kanade-images')
EMOTIONS = ('Emotion', 'Emotion_labels/Emotion')
"""Where the archives' content lies, with and without a folder for each archive."""


def read(path: Path) -> tuple[tuple[LabelledClip, ...], tuple[str, ...]]:
    """
    Find the sequences that have an expression.

    Only 327 of the 593 sequences do, and 18 of these show contempt.

    :param path: the folder that holds cohn-kanade-images/S005/001/*.png and
        Emotion/S005/001/*_emotion.txt.
    :returns: the clips by name, and a sentence for what was left out.
    :raises DataError: when the folders are missing or no sequence has an expression.
    """
    pictures = _folder(path, PICTURES)
    emotions = _folder(path, EMOTIONS)
    clips, complaints = [], []
    contempt = 0
    files = sorted(emotions.glob('[!.]*/[!.]*/[!.]*_emotion.txt'))
    for file in files:
        person, sequence = file.parent.relative_to(emotions).parts
        source = pictures / person / sequence
        try:
            label = _label(file)
        except (OSError, ValueError) as error:
            complaints.append(f'{file} is no number from 0 to 7 ({error}); left out.')
            continue
        if label == NO_LABEL:
            contempt += 1
        elif not any(source.glob('[!.]*.png')):
            complaints.append(f'{file}: {source} holds no pictures; left out.')
        else:
            clips.append(
                LabelledClip(
                    name=f'ck_plus {person}/{sequence}',
                    source=source,
                    label=label,
                    actor=f'ck_plus {person}',
                    rate_hz=RATE_HZ,
                    from_neutral=True,
                )
            )
    unlabelled = sum(map(Path.is_dir, pictures.glob('[!.]*/[!.]*'))) - len(files)
    if unlabelled > 0:
        complaints.append(f'{unlabelled} sequences of {path} have no expression; left out.')
    if contempt:
        complaints.append(f'{contempt} sequences of {path} show contempt; left out.')
    if not clips:
        raise DataError(
            f'{path} holds no sequence with an expression. {" ".join(complaints[:1])}'.strip()
        )
    return tuple(clips), tuple(complaints)


def _folder(path: Path, names: tuple[str, ...]) -> Path:
    for name in names:
        if (path / name).is_dir():
            return path / name
    raise DataError(
        f'{path} has no folder {" or ".join(names)}; unpack the archives of CK+ into it.'
    )


def _label(file: Path) -> int:
    # The publisher wrote numbers such as 3.0000000e+00.
    number = float(file.read_text('ascii'))
    if number not in range(len(NUMBERS)):
        raise ValueError(f'it holds {number:g}')
    return NUMBERS[int(number)]
