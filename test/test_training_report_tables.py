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

"""The report's counts of section 3 and its choice of section 4.1 stand beside what there is."""

from __future__ import annotations

import io

import numpy as np
from rich.console import Console

from training.datasets.labels import LABELS, NO_LABEL
from training.report import class_balancing
from training.report.balance_table import balance_counts, balance_table
from training.report.class_count_table import REPORT_COUNTS, class_count_table

HAPPY, SAD, ANGRY = (LABELS.index(name) for name in ('happy', 'sad', 'angry'))


def cells(table):
    """Give the cells of each line, in order."""
    text = io.StringIO()
    Console(file=text, width=160).print(table)
    lines = [line for line in text.getvalue().splitlines() if line.startswith('│')]
    return [[cell.strip() for cell in line.split('│')[1:-1]] for line in lines]


def test_the_report_counts_all_of_fer2013():
    report = np.array(list(REPORT_COUNTS.values()))
    assert report.sum(axis=0).tolist() == [28709, 3589, 3589]
    assert sum(REPORT_COUNTS['sad']) == 6077


def test_counts_stand_beside_the_report_s():
    counts = np.array([REPORT_COUNTS[name] for name in LABELS])
    counts[SAD] -= [30, 0, 4]
    table = class_count_table(counts)
    found = {line[0]: line[1:] for line in cells(table)}
    assert found['sad'] == ['6043', '6077', '4800', '4830', '653', '653', '590', '594']
    assert found['all'][:2] == ['35853', '35887']
    assert list(found)[:2] == ['happy', 'sad']
    assert '2 of 21' in str(table.caption)


def test_the_choice_is_counted_before_and_after_faces_are_sought(monkeypatch):
    monkeypatch.setitem(class_balancing.MOST_OF_CLASS, 'happy', 3)
    labels = np.array([HAPPY] * 5 + [SAD, SAD, ANGRY, NO_LABEL])
    chosen = class_balancing.balanced_rows(labels, seed=None)
    readable = np.array([1, 0, 1, 1, 1, 0, 1, 1, 1], bool)
    counts = balance_counts(labels, chosen, readable)
    assert counts[HAPPY].tolist() == [5, 3, 2]
    assert counts[SAD].tolist() == [2, 2, 1]
    assert counts[ANGRY].tolist() == [1, 1, 1]
    assert counts.sum(axis=0).tolist() == [8, 6, 4]


def test_the_table_adds_up_the_report_s_three_classes():
    counts = np.arange(21).reshape(7, 3)
    found = cells(balance_table(counts))
    assert found[SAD] == ['sad', 'sad', '12', '4000', '13', '14']
    unknown = counts[[i for i in range(7) if i not in (HAPPY, SAD)]].sum(axis=0)
    assert found[8] == ['', 'unknown', str(unknown[0]), '', str(unknown[1]), str(unknown[2])]
    assert found[10] == ['', 'all', '63', '', '70', '77']
