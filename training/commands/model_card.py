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

"""MODEL_CARD.md out of what the model folders state."""

from __future__ import annotations

if __name__ == '__main__':  # before the imports, so that Ctrl-C ends them quietly
    from emotion_estimator import commands

    raise SystemExit(commands.run('training.commands.model_card'))

import argparse
import difflib
import re
import string
import sys
import textwrap
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from emotion_estimator.blendshapes import NAMES
from emotion_estimator.commands import place
from emotion_estimator.emotion.model import METADATA_FILE, ModelError, ModelMetadata, read_metadata
from emotion_estimator.evaluation.segment_statistics import RESAMPLES
from emotion_estimator.files import check_files, write_whole
from training.card_tables import (
    COVERAGE_PREFIX,
    SPLITS,
    X_SETS,
    CardError,
    class_bias,
    has_seven_classes,
    metric_text,
    metrics_at,
    other_methods,
    other_people,
    recall_prefix,
    seeds_spread,
    table,
)
from training.sources import REPOSITORY

TEMPLATE = REPOSITORY / 'training' / 'model_card_template.md'
DEFAULT_MODEL = 'basic7'
WIDTH = 98
FEATURE_GROUPS = {
    'head': "of the head's pose",
    'geometry': "of the landmarks' geometry",
    'appearance': "of the skin's appearance",
}


class _Filler(string.Formatter):
    """Puts texts, and at {split.score} or {split.score:.2f} a model's metrics, into a section."""

    def __init__(self, model: ModelMetadata | None = None) -> None:
        self._model = model

    def get_field(self, field_name: str, args: Any, kwargs: Any) -> tuple[Any, str]:
        """Find what a placeholder stands for."""
        split, dot, score = field_name.partition('.')
        if dot and self._model:
            where = f'{self._model.name}: metrics.{field_name}'
            return (metrics_at(self._model, split).get(score), where), field_name
        return kwargs[field_name], field_name

    def format_field(self, value: Any, format_spec: str) -> str:
        """Write a text as it is, a metric in the template's form."""
        if isinstance(value, str):
            return value
        metric, where = value
        return metric_text(metric, format_spec or '.3f', where)


def read_sections() -> dict[str, str]:
    """
    Read the template.

    :returns: its sections by name.
    """
    text = TEMPLATE.read_text(encoding='utf-8')
    _, *parts = re.split(r'^<!-- section (\w+) -->\n', text, flags=re.MULTILINE)
    return {name: section.strip() for name, section in zip(parts[::2], parts[1::2])}


def card(models: Sequence[ModelMetadata], pictures: Collection[str]) -> str:
    """
    Write the card.

    :param pictures: paths, relative to the card, of the pictures that exist.
    :returns: Markdown.
    :raises CardError: when a model's metrics are no numbers.
    """
    sections = read_sections()
    overview = [('model', 'tells', 'reads', 'right answers', 'of')]
    for model in models:
        name = f'**{model.name}**' + (' (default)' if model.name == DEFAULT_MODEL else '')
        overview.append((name, ', '.join(model.labels), _features(model), *_headline(model)))
    written = _Filler().format(
        sections['card'],
        overview=table(overview),
        resamples=f'{RESAMPLES:,}',
        models='\n\n'.join(_model_section(model, sections, pictures) for model in models),
        timeline=_picture(
            'Probabilities of each expression over the demo clip',
            'doc/demo_timeline.png',
            pictures,
        ),
        licences=', '.join(sorted({model.licence for model in models})),
    )
    return written + '\n'


def _headline(model: ModelMetadata) -> tuple[str, str]:
    if has_seven_classes(model):
        return _Filler(model).format('{private.f7_accuracy_all}'), 'all of PrivateTest (F7)'
    return _Filler(model).format('{report.r_accuracy}'), "the seed report's rows (R)"


def _model_section(
    model: ModelMetadata, sections: dict[str, str], pictures: Collection[str]
) -> str:
    filler, name, run = _Filler(model), model.name, metrics_at(model, 'training')
    seed = metrics_at(model, 'training', 'settings').get('seed', 'not stated')
    data = textwrap.fill(f'**Data and training.** {model.data}', WIDTH)
    return filler.format(
        sections['model'],
        name=name,
        version=model.version,
        description=textwrap.fill(model.description, WIDTH),
        labels=', '.join(model.labels),
        features=_features(model),
        window=f'{model.window_s:g} s at {model.rate_hz:g} Hz',
        normalisation=model.normalisation,
        temperature=f'{model.temperature:g}',
        class_shares=', '.join(
            f'{label} {share:.3g}' for label, share in zip(model.labels, model.class_shares)
        )
        or 'not stated',
        class_prior=model.class_prior,
        network=model.network,
        sha256=model.network_sha256,
        run=f'key {run.get("key", "not stated")}, seed {seed}',
        licence=model.licence,
        data=data,
        still_metrics=filler.format(sections['seven' if has_seven_classes(model) else 'three']),
        other_people=other_people(model),
        other_methods=other_methods(model),
        spread=seeds_spread(model),
        bias=class_bias(model),
        confusion=_picture(
            f'Confusion of {name}: truth by row, answer by column',
            f'doc/confusion_{name}.png',
            pictures,
        ),
        reliability=_picture(
            f'Reliability of {name}: share of right answers by probability',
            f'doc/reliability_{name}.png',
            pictures,
        ),
    )


def _features(model: ModelMetadata) -> str:
    groups = Counter(
        'blendshapes' if name in NAMES else name.partition('.')[0] for name in model.features
    )
    return ', '.join(f'{count} {FEATURE_GROUPS.get(g, g)}' for g, count in groups.items())


def _picture(said: str, path: str, pictures: Collection[str]) -> str:
    return f'![{said}]({path})' if path in pictures else f'{said}: not drawn ({path}).'


def not_shown(model: ModelMetadata) -> list[str]:
    """
    Find metrics by whose name the card shows nothing, such as misspelt ones.

    :returns: their places, such as 'basic7: metrics.private.f7_acuracy'.
    """
    parsed = [string.Formatter().parse(section) for section in read_sections().values()]
    shown = {field.partition('.')[2] for fields in parsed for _, field, _, _ in fields if field}
    for start in (recall_prefix(model)[0], COVERAGE_PREFIX):
        shown |= {start + label for label in model.labels}
    known = {*SPLITS, *X_SETS, 'baselines', 'spread', 'training'}
    unknown = [name for name in model.metrics if name not in known]
    unknown += [
        f'{split}.{score}'
        for split in SPLITS
        for score in metrics_at(model, split)
        if score not in shown
    ]
    return [f'{model.name}: metrics.{name}' for name in unknown]


def find_models(folder: Path) -> list[Path]:
    """
    List the model folders, the default first.

    :param folder: that holds them.
    :returns: those with a metadata.json, otherwise by name.
    """
    found = [path.parent for path in folder.glob('*/metadata.json')]
    return sorted(found, key=lambda path: (path.name != DEFAULT_MODEL, path.name))


def main(arguments: list[str] | None = None) -> int:
    """
    Run the command.

    :param arguments: of the command line; None takes the process's own.
    :returns: 0 when the card is written or, with --check, as it should be; else 1.
    :raises OutputError: when it cannot be written, or would replace a model's metadata.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('models', type=place, nargs='*', help='model folders; all that ship')
    parser.add_argument('--to', type=place, default=REPOSITORY / 'MODEL_CARD.md', help='the card')
    parser.add_argument('--check', action='store_true', help='write nothing; 1 if it is stale')
    options = parser.parse_args(arguments)
    folders = options.models or find_models(REPOSITORY / 'resource' / 'models')
    pictures = {f'doc/{path.name}' for path in (REPOSITORY / 'doc').glob('*.png')}
    try:
        models = [read_metadata(folder) for folder in folders]
        text = card(models, pictures)
        unshown = [place for model in models for place in not_shown(model)]
    except (CardError, ModelError) as error:
        print(error, file=sys.stderr)
        return 1
    if unshown:
        print(f'The card has no place for {", ".join(unshown)}.', file=sys.stderr)
    if not options.check:
        metadata = {folder / METADATA_FILE: f'the metadata of {folder}' for folder in folders}
        check_files(options.to, read=metadata)
        write_whole(options.to, text.encode())
        return 0
    there = options.to.read_text(encoding='utf-8') if options.to.is_file() else ''
    if there != text:
        lines = difflib.unified_diff(
            there.splitlines(), text.splitlines(), str(options.to), 'metadata', n=0, lineterm=''
        )
        print(*list(lines)[:20], sep='\n', file=sys.stderr)
        print(f'{options.to} is not what the models state: `make model-card`.', file=sys.stderr)
    return int(there != text)
