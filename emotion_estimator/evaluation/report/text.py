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

"""What a run or a comparison shows, in numbers people read and a few plain sentences."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

import numpy as np

from emotion_estimator.evaluation.comparison import Comparison
from emotion_estimator.evaluation.labels import UNKNOWN
from emotion_estimator.evaluation.measures import Counted, Measure
from emotion_estimator.evaluation.runs import Summary
from emotion_estimator.evaluation.segment_statistics import Interval

# Numbers in words that people read: shares in percent, times in seconds and minutes.


NOTHING = '\u2013'
_UNITS = {'share': '%', 's': 's', '1/s': '/ s', 'nat': 'nat'}


def number(value: float, unit: str) -> str:
    """
    Write a metric without its unit.

    :param value: nan gives a dash.
    :param unit: of a `Measure`.
    :returns: such as '78' for a share of .784.
    """
    if not math.isfinite(value):
        return NOTHING
    if unit == 'share':
        percent = 100 * value
        # Near the ends and for small shares the first decimal matters.
        return (
            f'{percent:.1f}' if 0 < abs(percent) < 10 or 99 < percent < 100 else f'{percent:.0f}'
        )
    return f'{value:.2f}'


def quantity(value: float, unit: str) -> str:
    """
    Write a metric with its unit.

    :param value: nan gives a dash.
    :param unit: of a `Measure`.
    :returns: such as '78 %' or '0.52 s'.
    """
    text = number(value, unit)
    return text if text == NOTHING else f'{text} {_UNITS[unit]}'


def has_interval(found: Interval) -> bool:
    """Tell whether a metric has an interval: one from a single unit has none."""
    return math.isfinite(found.low) and math.isfinite(found.high)


def interval(found: Interval, unit: str, write: Callable[[float, str], str] = number) -> str:
    """
    Write where a metric's resamples lie.

    :param unit: of its measure.
    :param write: writes both ends; `signed` where they are of a difference.
    :returns: such as '70 to 85'; a dash where there is no interval.
    """
    if not has_interval(found):
        return NOTHING
    return f'{write(found.low, unit)} to {write(found.high, unit)}'


def signed(value: float, unit: str) -> str:
    """
    Write a difference without its unit.

    :param value: nan gives a dash.
    :param unit: of a `Measure`.
    :returns: such as '+8.5'.
    """
    written = number(value, unit)
    return f'+{written}' if value > 0 and written != NOTHING else written


def duration(seconds: float) -> str:
    """
    Write a length of time.

    :param seconds: at least 0; nan gives a dash.
    :returns: such as '48.2 s' or '3 min 20 s'.
    """
    if not math.isfinite(seconds):
        return NOTHING
    if seconds < 60:
        return f'{seconds:.1f} s'
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f'{hours} h {minutes} min' if hours else f'{minutes} min {rest} s'


def counted(count: int, one: str, several: str) -> str:
    """
    Write a number of things.

    :param count: how many.
    :param one: the word for one.
    :param several: the word for any other number.
    :returns: such as '3 recordings'.
    """
    return f'{count:,} {one if count == 1 else several}'


# Control characters, halves of surrogate pairs and what else HTML forbids.
_FORBIDDEN = re.compile(
    '[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]'
)


def printable(text: str) -> str:
    """Replace every character that HTML forbids by the one that stands for such."""
    return _FORBIDDEN.sub('\ufffd', text)


_MUCH_APART = 0.05
"""Confidence that is off by more is said to be too high or too low."""

_FEW_UNITS = 10


def title(summary: Summary) -> str:
    """Name the report."""
    if len(summary.recordings) == 1:
        return f'What {summary.model} saw in {summary.recordings[0].replay.recording}'
    return f'What {summary.model} saw in {len(summary.recordings)} recordings'


def sentences(summary: Summary) -> list[str]:
    """
    Say what matters, most important first.

    :returns: full sentences.
    """
    said = [_right(summary), _mistake(summary), _timing(summary), _confidence(summary)]
    caution = _caution(summary.counted, summary.judged_by) if summary.labelled else ''
    return [one for one in (*said, _coverage(summary), _shown(summary), caution) if one]


def _value(summary: Summary, name: str) -> float:
    found = summary.figures.get(name)
    return found.value if found else math.nan


def _right(summary: Summary) -> str:
    if not summary.labelled:
        why = 'No labels were given'
        if summary.given:
            why = f'None of the labels given ({summary.given:,}) could be used, see the warnings'
        return (
            f'{why}, so nothing here says whether an answer is right: only how '
            'often there is one, and how steady it is.'
        )
    found = summary.figures['accuracy']
    span = interval(found, 'share')
    within = f' (95 % interval {span} %)' if math.isfinite(found.low) else ''
    frames = counted(int(summary.confusion.sum()), 'labelled frame', 'labelled frames')
    return (
        f'{_share(found.value)} of {frames} got the right answer{within}, and so did '
        f'{_share(_value(summary, "segment_accuracy"))} of the labelled segments as a whole.'
    )


def _mistake(summary: Summary) -> str:
    if not summary.labelled:
        return ''
    confusion = summary.confusion.copy()
    classes = summary.vocabulary.names
    np.fill_diagonal(confusion[:, :-1], 0)
    if not confusion.any():
        return ''
    truth, answer = np.unravel_index(int(confusion.argmax()), confusion.shape)
    share = confusion[truth, answer] / summary.confusion[truth].sum()
    said = classes[answer] if answer < len(classes) else UNKNOWN
    return (
        f'The most common mistake: faces labelled {classes[truth]} were called {said}, '
        f'{_share(share)} of their frames.'
    )


def _timing(summary: Summary) -> str:
    delay_s = _value(summary, 'onset_to_stable_s')
    if not math.isfinite(delay_s):
        return ''
    switches = _value(summary, 'false_switches_per_s')
    false = ''
    if math.isfinite(switches):
        false = f' Once it should have settled it still changed {switches:.2f} times a second.'
    return (
        f'The answer is right for good {delay_s:.2f} s after a label starts for a face in view '
        f'(median); {_share(_value(summary, "settled_share"))} of the labelled segments end right.'
        f'{false}'
    )


def _confidence(summary: Summary) -> str:
    if not summary.labelled:
        return ''
    count, confidence, right = summary.bins.sum(axis=0)
    gap = float(confidence - right) / count
    how = 'fits'
    if abs(gap) > _MUCH_APART:
        how = 'is too high' if gap > 0 else 'is too low'
    return (
        f'Its confidence {how}: on average it is {_share(confidence / count)} sure of its best '
        f'guess and right in {_share(right / count)}.'
    )


def _coverage(summary: Summary) -> str:
    length_s = float(summary.counted.time.sums['image_s'].sum())
    if 'stills' in summary.settings or not length_s:
        return _of_pictures(summary)
    face = _value(summary, 'face_share')
    start = f'In {duration(length_s)} of images a face was in view {_share(face)} of the time'
    if not face:
        return f'{start}: nothing was said of anyone.'
    named = _share(_value(summary, 'answer_share_of_face_time'))
    switches = _value(summary, 'switches_per_s')
    steady = f' It changed {switches:.2f} times a second.' if math.isfinite(switches) else ''
    return (
        f'{start}; an expression was named in {named} of that, otherwise the answer was '
        f'{UNKNOWN}.{steady}'
    )


def _of_pictures(summary: Summary) -> str:
    """Count pictures that are no film, and of which no time is known."""
    replays = [one.replay for one in summary.recordings]
    count = sum(len(one.stamps_ns) for one in replays)
    if not count:
        return 'There was no image to look at.'
    seen = sum(len({answer.stamp_ns for answer in one.predictions}) for one in replays)
    faces = sum(len(one.predictions) for one in replays)
    named = sum(int(one.judged.answered.sum()) for one in summary.recordings)
    return (
        f'A face was found in {seen:,} of {counted(count, "picture", "pictures")}; an expression '
        f'was named for {named:,} of {counted(faces, "face", "faces")}.'
    )


def _shown(summary: Summary) -> str:
    """Tell the three labels shown most."""
    if summary.labelled:
        return ''
    labels = summary.recordings[0].judged.labels
    shown = np.concatenate([one.judged.shown for one in summary.recordings])
    if not len(shown):
        return ''
    shares = np.bincount(shown, minlength=len(labels)) / len(shown)
    most = [index for index in np.argsort(-shares, kind='stable')[:3] if shares[index] > 0]
    listed = [f'{labels[index]} ({_share(shares[index])})' for index in most]
    return f'Shown most: {", ".join(listed)}.'


def _caution(counts: Counted, judged_by: str) -> str:
    units = len(counts.drawn().segments.units)
    if units >= _FEW_UNITS:
        return ''
    recordings, _ = counts.draws_recordings
    one = f'labelled {"recording" if recordings else judged_by}'
    return (
        f'These metrics rest on {counted(units, one, f"{one}s")} only: '
        'take them, and their intervals, as a first impression.'
    )


def _share(value: float) -> str:
    return quantity(float(value), 'share')


def how_drawn(counts: Counted, judged_by: str) -> str:
    """
    Say what the intervals mean.

    :param counts: of a run; of two what they have in common.
    :param judged_by: see `Counted.units_drawn`.
    :returns: two sentences.
    """
    labelled, _, others = counts.units_drawn(judged_by).partition(' or ')
    drawn = 'whole recordings' if labelled == 'recordings' else labelled
    if others:
        drawn = f'labelled {labelled}, or {others} for what needs no labels,'
    return (
        f'Intervals: 95 % of what the metrics become when {drawn} are drawn again with '
        'replacement, 1,000 times. They show chance in what was recorded, not other people or '
        'rooms.'
    )


# Two runs side by side.


def comparison_sentences(found: Comparison) -> list[str]:
    """
    Say which run is better, and how sure that is.

    :returns: full sentences.
    """
    said = []
    one, other = found.figures
    difference = found.differences.get('accuracy')
    if difference is not None:
        said.append(
            f'B ({found.second.model}) is right in {_share(other["accuracy"].value)} of the '
            f'labelled frames, A ({found.first.model}) in {_share(one["accuracy"].value)}: '
            f'{_verdict_of(difference)}.'
        )
        said.append(_caution(found.common[0], found.first.judged_by))
    else:
        said.append(
            f'A is {found.first.model}, B is {found.second.model}. No label could be used, so '
            'nothing here says which is right, only where they differ and how steady they are.'
        )
    if math.isfinite(found.agreement.value):
        said.append(
            f'Both say the same in {quantity(found.agreement.value, "share")} of the answers on '
            'the same face.'
        )
    first, second = (
        each['switches_per_s'].value if 'switches_per_s' in each else math.nan
        for each in found.figures
    )
    if math.isfinite(first) and math.isfinite(second):
        said.append(f'The answer changes {first:.2f} times a second in A and {second:.2f} in B.')
    return [one for one in said if one]


def _verdict_of(difference: Interval) -> str:
    if not has_interval(difference):
        return 'too few labels to tell whether that is chance'
    points = f'{100 * difference.low:+.0f} to {100 * difference.high:+.0f} points'
    if difference.low <= 0 <= difference.high:
        return f'no clear difference (95 % interval {points})'
    return f'more than chance (95 % interval {points})'


def verdict(measure: Measure, difference: Interval) -> str:
    """
    Say whether a difference is more than chance, and for the better or worse.

    :param difference: second minus first.
    :returns: 'B better', 'A better', 'B higher', 'A higher', 'no clear difference', or a dash
        where there is no interval.
    """
    if not has_interval(difference):
        return NOTHING
    if difference.low <= 0 <= difference.high:
        return 'no clear difference'
    sign = 1 if difference.low > 0 else -1
    if measure.better == 0:
        return 'B higher' if sign > 0 else 'A higher'
    return 'B better' if sign == measure.better else 'A better'
