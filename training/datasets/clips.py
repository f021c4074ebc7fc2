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
Labelled clips: those of CK+, RAVDESS and CREMA-D, and splits that part no person's clips.

A clip is a video file or a folder of frames. Each reader takes a data set's folder and gives the
clips by name, with a sentence for what it left out.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from emotion_estimator.faces.image_decoding import ImageError, open_video, rgb_of_bgr
from emotion_estimator.stamps import NS_PER_S
from training.datasets.pictures import LABELS, NO_LABEL, DataError, FilePictures, Split

FALLBACK_HZ = 30.0
FRAME_SUFFIXES = frozenset({'.png', '.jpg', '.jpeg', '.bmp', '.tif', '.tiff'})


@dataclass(frozen=True)
class LabelledClip:
    """
    One recorded expression of one person.

    :param name: what a person finds it by.
    :param source: a video file, or a folder whose pictures, by name, are the frames.
    :param label: index into `LABELS`.
    :param actor: the person; all clips of one person belong into one split.
    :param rate_hz: frames per second of a folder, and of a video that does not tell its own.
    :param from_neutral: whether it begins neutral and ends at the apex, as CK+ does.
    """

    name: str
    source: Path
    label: int
    actor: str
    rate_hz: float = FALLBACK_HZ
    from_neutral: bool = False

    def frames(self) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """
        Read the frames one after the other.

        :returns: yields a frame's time in nanoseconds from 0 on, and RGB [height, width, 3].
        :raises DataError: when the source holds no frame that can be read.
        """
        return self._of_folder() if self.source.is_dir() else self._of_video()

    def _of_folder(self) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        named = self.source.glob('[!.]*')
        files = FilePictures(sorted(p for p in named if p.suffix.lower() in FRAME_SUFFIXES))
        if not len(files):
            raise DataError(f'The folder {self.source} holds no frames.')
        for index in range(len(files)):
            yield round(index * NS_PER_S / self.rate_hz), files.read(index)

    def _of_video(self) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        rate_hz, frames = read_video(self.source, self.rate_hz)
        for index, frame in enumerate(frames):
            yield round(index * NS_PER_S / rate_hz), frame


def read_video(
    path: Path, fallback_hz: float = FALLBACK_HZ
) -> tuple[float, Iterator[NDArray[np.uint8]]]:
    """
    Open a video file.

    :param fallback_hz: frames per second where the file does not tell.
    :returns: frames per second, and the frames, RGB [height, width, 3]; reading them raises
        DataError where there is none, or one is too large.
    """
    video = open_video(path)

    def frames() -> Iterator[NDArray[np.uint8]]:
        count = 0
        try:
            while (read := video.read())[0]:
                count += 1
                yield rgb_of_bgr(np.asarray(read[1], np.uint8))
        except ImageError as error:
            raise DataError(f'{path}, frame {count}: {error}') from error
        finally:
            video.release()
        if not count:
            raise DataError(f'{path} is missing or no video that OpenCV reads.')

    return video.get(cv2.CAP_PROP_FPS) or fallback_hz, frames()


SHARES: dict[Split, float] = {Split.TRAINING: 0.7, Split.PUBLIC: 0.15, Split.PRIVATE: 0.15}


def split_by_actor(
    clips: Sequence[LabelledClip], shares: Mapping[Split, float] = SHARES, seed: int = 0
) -> dict[Split, tuple[LabelledClip, ...]]:
    """
    Share out clips so that all clips of one actor are in one split.

    The actors come in a random order, and each goes to the split that lacks most clips. So no
    split gets more than its share by as much as the clips of one actor, and none stays empty.

    :param clips: the clips; their order does not count for who goes where.
    :param shares: wanted share of the clips of each split, each above 0, summing to 1.
    :param seed: the same seed gives the same splits.
    :returns: the clips of each split, in their order.
    :raises ValueError: when the shares are not above 0 or do not sum to 1.
    :raises DataError: when there are fewer actors than splits.
    """
    if min(shares.values(), default=0) <= 0 or not math.isclose(sum(shares.values()), 1):
        raise ValueError(f'The shares {dict(shares)} must be above 0 and sum to 1.')
    counts = Counter(clip.actor for clip in clips)
    if len(counts) < len(shares):
        raise DataError(
            f'{len(counts)} actors are too few for {len(shares)} splits that share no actor; '
            'add clips of other people or ask for fewer splits.'
        )
    lacking = {split: share * len(clips) for split, share in shares.items()}
    empty = list(shares)
    found: dict[str, Split] = {}
    for actor in np.random.default_rng(seed).permutation(sorted(counts)).tolist():
        # Every split gets an actor before any gets a second one.
        split = empty.pop() if empty else max(lacking, key=lambda each: lacking[each])
        found[actor] = split
        lacking[split] -= counts[actor]
    return {split: tuple(clip for clip in clips if found[clip.actor] == split) for split in shares}


_CK_NUMBERS: tuple[int, ...] = (
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

_CK_RATE_HZ = 30.0
"""The pictures do not tell their rate; they are frames of American video."""

_CK_PICTURES = ('cohn-kanade-images', 'extended-cohn-kanade-images/cohn-kanade-images')
_CK_EMOTIONS = ('Emotion', 'Emotion_labels/Emotion')
"""Where the archives' content lies, with and without a folder for each archive."""


def read_ck_plus(path: Path) -> tuple[tuple[LabelledClip, ...], tuple[str, ...]]:
    """
    Find the sequences that have an expression.

    Only 327 of the 593 sequences do, and 18 of these show contempt.

    :param path: the folder that holds cohn-kanade-images/S005/001/*.png and
        Emotion/S005/001/*_emotion.txt.
    :returns: the clips by name, and a sentence for what was left out.
    :raises DataError: when the folders are missing or no sequence has an expression.
    """
    pictures = _ck_folder(path, _CK_PICTURES)
    emotions = _ck_folder(path, _CK_EMOTIONS)
    clips, complaints = [], []
    contempt = 0
    files = sorted(emotions.glob('[!.]*/[!.]*/[!.]*_emotion.txt'))
    for file in files:
        person, sequence = file.parent.relative_to(emotions).parts
        source = pictures / person / sequence
        try:
            label = _ck_label(file)
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
                    rate_hz=_CK_RATE_HZ,
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


def _ck_folder(path: Path, names: tuple[str, ...]) -> Path:
    for name in names:
        if (path / name).is_dir():
            return path / name
    raise DataError(
        f'{path} has no folder {" or ".join(names)}; unpack the archives of CK+ into it.'
    )


def _ck_label(file: Path) -> int:
    # The publisher wrote numbers such as 3.0000000e+00.
    number = float(file.read_text('ascii'))
    if number not in range(len(_CK_NUMBERS)):
        raise ValueError(f'it holds {number:g}')
    return _CK_NUMBERS[int(number)]


_RAVDESS_EMOTIONS: dict[str, int] = {
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

_RAVDESS_NAME = re.compile(
    r'(?P<modality>0[12])-(?P<take>0[12]-(?P<emotion>0[1-8])-0[12]-0[12]-0[12]-(?P<actor>\d\d))'
)
"""
Modality (01 with sound, 02 without), channel (01 speech, 02 song), emotion, intensity, statement,
repetition and actor, as in 02-01-06-01-02-01-12.mp4.
"""


def read_ravdess(path: Path) -> tuple[tuple[LabelledClip, ...], tuple[str, ...]]:
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
        named = _RAVDESS_NAME.fullmatch(file.stem)
        if named is None:
            complaints.append(f'{file} is not named such as 02-01-06-01-02-01-12.mp4; left out.')
        elif _RAVDESS_EMOTIONS[named['emotion']] == NO_LABEL:
            calm += 1
        elif named['take'] in clips:
            repeated += 1
        else:
            clips[named['take']] = LabelledClip(
                name=f'ravdess {file.stem}',
                source=file,
                label=_RAVDESS_EMOTIONS[named['emotion']],
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


_CREMA_EMOTIONS: dict[str, int] = {
    'ANG': LABELS.index('angry'),
    'DIS': LABELS.index('disgusted'),
    'FEA': LABELS.index('scared'),
    'HAP': LABELS.index('happy'),
    'NEU': LABELS.index('neutral'),
    'SAD': LABELS.index('sad'),
}
"""Codes of the emotions; nobody acts surprised. https://github.com/CheyneyComputerScience/CREMA-D"""

_CREMA_NAME = re.compile(r'(?P<actor>\d{4})_[A-Z]{3}_(?P<emotion>[A-Z]{3})_[A-Z]{2}')
"""Actor, sentence, emotion and level, as in 1001_DFA_ANG_XX."""

_CREMA_SUFFIXES = ('.flv', '.mp4', '.avi')
"""As published, and what people convert it to."""

_LFS_POINTER = b'version https://git-lfs'
"""How the small text begins that stands for a file where Git LFS was not used."""


def read_crema_d(path: Path) -> tuple[tuple[LabelledClip, ...], tuple[str, ...]]:
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
    for file in sorted(
        each for each in folder.glob('[!.]*') if each.suffix.lower() in _CREMA_SUFFIXES
    ):
        named = _CREMA_NAME.fullmatch(file.stem)
        if named is None or named['emotion'] not in _CREMA_EMOTIONS:
            complaints.append(f'{file} is not named such as 1001_DFA_ANG_XX.flv; left out.')
        elif file.stem in clips:
            complaints.append(f'{file} repeats {clips[file.stem].source.name}; left out.')
        elif _is_pointer(file):
            pointers += 1
        else:
            clips[file.stem] = LabelledClip(
                name=f'crema_d {file.stem}',
                source=file,
                label=_CREMA_EMOTIONS[named['emotion']],
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
        return content.read(len(_LFS_POINTER)) == _LFS_POINTER
