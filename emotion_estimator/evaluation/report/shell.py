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

"""The page round a report's content: head, style, script, and what it may load: nothing."""

from __future__ import annotations

from collections.abc import Sequence

from emotion_estimator.evaluation.report.markup import Child, document, element
from emotion_estimator.evaluation.report.palette import Palette
from emotion_estimator.evaluation.report.style import CSS, SCRIPT
from emotion_estimator.evaluation.scoring.summary import Summary

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"


def palette_of(summaries: Sequence[Summary]) -> Palette:
    """
    Give every label of some runs a colour.

    :param summaries: at least one.
    :returns: the palette, the classes of the models first.
    """
    labels: list[str] = []
    for summary in summaries:
        for one in summary.recordings:
            labels += [*one.judged.labels, *(segment.label for segment in one.judged.segments)]
    return Palette(labels)


def whole_page(title: str, palette: Palette, content: Sequence[Child]) -> bytes:
    """
    Put content onto a page that loads nothing from anywhere.

    :param title: headline.
    :param palette: whose rules the style sheet needs.
    :param content: elements below the headline.
    :returns: HTML in UTF-8.
    """
    head = element(
        'head',
        element('meta', charset='utf-8'),
        element('meta', http_equiv='Content-Security-Policy', content=POLICY),
        element('meta', name='viewport', content='width=device-width, initial-scale=1'),
        element('title', title),
        element('style', CSS + palette.css()),
    )
    body = element('body', element('main', element('h1', title), *content))
    body.append(element('script', SCRIPT))
    return document(element('html', head, body, lang='en'))
