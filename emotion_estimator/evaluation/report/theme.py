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

"""A colour for each expression, on light and on dark ground."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from emotion_estimator.evaluation.label_classes import UNKNOWN


@dataclass(frozen=True)
class Ink:
    """
    Colours of one label, as CSS writes them.

    :param light: on light ground.
    :param dark: on dark ground.
    :param text_light: of text upon it, on light ground.
    :param text_dark: likewise, on dark ground.
    """

    light: str
    dark: str
    text_light: str = '#16191d'
    text_dark: str = '#0e1116'


# Paul Tol's "muted" scheme, made for colour-blind readers; lifted where the ground is dark.
_KNOWN = {
    'happy': Ink('#DDCC77', '#DDCC77'),
    'surprised': Ink('#44AA99', '#4DBBA8'),
    'scared': Ink('#AA4499', '#C96BB9', '#ffffff'),
    'angry': Ink('#882255', '#D1507F', '#ffffff'),
    'sad': Ink('#332288', '#7C6CE0', '#ffffff'),
    'disgusted': Ink('#117733', '#45A867', '#ffffff'),
    'neutral': Ink('#88CCEE', '#7DB9D8'),
    'positive': Ink('#DDCC77', '#DDCC77'),
    'negative': Ink('#332288', '#7C6CE0', '#ffffff'),
    UNKNOWN: Ink('#D5D8DC', '#4A515C', '#16191d', '#E6E8EB'),
}
_OTHERS = (
    Ink('#CC6677', '#DD7788'),
    Ink('#999933', '#B5B54A'),
    Ink('#E69F00', '#E69F00'),
    Ink('#0072B2', '#4A9FD8', '#ffffff'),
    Ink('#777777', '#999999', '#ffffff'),
)


class Palette:
    """
    CSS classes of labels; names of labels never reach the style sheet.

    :param labels: all labels of a page, in the order of its legend.
    """

    def __init__(self, labels: Sequence[str]) -> None:
        self.labels = tuple(dict.fromkeys(labels))
        others = [label for label in self.labels if label not in _KNOWN]
        self._inks = {
            label: _KNOWN.get(label) or _OTHERS[others.index(label) % len(_OTHERS)]
            for label in self.labels
        }

    def fill(self, label: str) -> str:
        """Name the class that fills with a label's colour."""
        return f'k{self.labels.index(label)}'

    def text(self, label: str) -> str:
        """Name the class of text upon that colour."""
        return f'kt{self.labels.index(label)}'

    def css(self) -> str:
        """
        Write the rules.

        :returns: a style sheet for both grounds.
        """
        light, dark = [], []
        for label, ink in self._inks.items():
            for name, on_light, on_dark in (
                (self.fill(label), ink.light, ink.dark),
                (self.text(label), ink.text_light, ink.text_dark),
            ):
                light.append(f'.{name}{{fill:{on_light};background:{on_light}}}')
                dark.append(f'.{name}{{fill:{on_dark};background:{on_dark}}}')
        return '\n'.join(light) + '\n@media (prefers-color-scheme:dark){' + ''.join(dark) + '}'


# How a report looks, on light and on dark ground; and what happens under the pointer.


CSS = """
:root{color-scheme:light dark;--ground:#ffffff;--card:#f5f6f8;--line:#d9dde3;--text:#16191d;
--soft:#59626f;--accent:#1f6f9f;--bad:#c2374b;--chart:#fbfcfd;
--sans:system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
@media (prefers-color-scheme:dark){:root{--ground:#0e1116;--card:#171b22;--line:#2c333d;
--text:#e6e8eb;--soft:#9aa4b2;--accent:#5fb0dd;--bad:#f0697c;--chart:#12161c}}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--text);
font:16px/1.5 var(--sans)}
main{max-width:1120px;margin:0 auto;padding:28px 20px 60px}
h1{font-size:1.75rem;line-height:1.2;margin:0 0 .7rem;overflow-wrap:anywhere}
h2{font-size:1.2rem;margin:2.4rem 0 .6rem}
h3{font-size:1rem;margin:1.1rem 0 .3rem;font-weight:600;overflow-wrap:anywhere}
p{margin:.35rem 0;max-width:76ch}
p.lead{font-size:1.04rem}p.lead:first-of-type{font-size:1.25rem;line-height:1.4;max-width:62ch}
.soft,figcaption{color:var(--soft);font-size:.9rem}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(165px,1fr));gap:12px;
margin:1.3rem 0}
.tile{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:12px 14px}
.tile b{display:block;font-size:1.7rem;line-height:1.2;font-variant-numeric:tabular-nums}
.tile span{display:block;font-size:.86rem;color:var(--soft)}
.legend{display:flex;flex-wrap:wrap;gap:4px 16px;margin:.5rem 0;font-size:.88rem}
.legend i{display:inline-block;width:13px;height:13px;border-radius:3px;margin-right:6px;
vertical-align:-1px;border:1px solid var(--line)}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(400px,100%),1fr));
gap:30px 40px;
align-items:start}
figure{margin:0;min-width:0}figure.wide{grid-column:1/-1}
figure h3{margin:0 0 .4rem}
svg{display:block;width:100%;height:auto;overflow:visible}
.scroll{overflow-x:auto}
.timeline{min-width:720px;touch-action:pan-x pan-y}
svg text{font:12px var(--sans);fill:var(--text)}
svg text.row,svg text.tick{fill:var(--soft)}svg text.row{font-size:12.5px}
svg text.cell{font-size:13px}svg text.strong{fill:var(--ground);font-weight:600}
svg text.key{font-weight:600}
.ground{fill:var(--chart);stroke:var(--line);stroke-width:1}
.axis,.grid{stroke:var(--line);fill:none;stroke-width:1}
.area{stroke:var(--ground);stroke-width:.5}
.line{fill:none;stroke-width:1.6;stroke-linejoin:round}
.line.found{stroke:var(--accent);stroke-width:2.2}
.ideal{stroke:var(--soft);stroke-width:1.2;stroke-dasharray:5 4;fill:none}
.hit{fill:var(--accent)}.miss,.wrong{fill:var(--bad)}
.point{fill:var(--accent);stroke:var(--ground);stroke-width:1.5}
.line.roll{stroke:#8d96a3}.line.pitch{stroke:#cf8a1e}.line.yaw{stroke:var(--accent)}
svg text.key.roll{fill:#8d96a3}svg text.key.pitch{fill:#cf8a1e}svg text.key.yaw{fill:var(--accent)}
.cursor{stroke:var(--text);stroke-width:1;pointer-events:none}
table{border-collapse:collapse;width:100%;font-size:.92rem}
th,td{text-align:left;padding:6px 12px 6px 0;vertical-align:top;
border-bottom:1px solid var(--line)}
thead th{color:var(--soft);font-weight:500;font-size:.84rem;vertical-align:bottom}
tbody th{font-weight:500;overflow-wrap:anywhere;min-width:11ch}
td.number{white-space:nowrap;font-variant-numeric:tabular-nums}
td small{display:block;color:var(--soft)}
tr.face th{padding-left:18px;font-weight:400}tr.face{color:var(--soft)}
td.meaning{color:var(--soft);font-size:.86rem;max-width:46ch}
svg.bar{width:120px;min-width:120px;margin-top:4px}
.better{color:var(--accent)}.worse{color:var(--bad)}
ul.problems{padding-left:1.1rem;margin:.3rem 0}
ul.problems li{margin:.2rem 0;overflow-wrap:anywhere}
details{border-top:1px solid var(--line);padding:.5rem 0}
summary{cursor:pointer;font-weight:600;overflow-wrap:anywhere}
.tip{position:fixed;pointer-events:none;background:var(--card);border:1px solid var(--line);
border-radius:8px;padding:7px 10px;font-size:.84rem;box-shadow:0 3px 14px #0004;white-space:pre;
font-variant-numeric:tabular-nums;z-index:2;display:none}
@media print{.tip{display:none!important}details{break-inside:avoid}}
"""

SCRIPT = """
'use strict';
const tip = document.body.appendChild(document.createElement('div'));
tip.className = 'tip';
function at(list, time) { return list.find(([start, end]) => start <= time && time < end); }
for (const values of document.querySelectorAll('script.values')) {
  const svg = values.parentElement.querySelector('svg.timeline');
  const cursor = svg.querySelector('.cursor');
  const known = JSON.parse(values.textContent);
  const [left, right, length, width] = known.scale;
  function hide() { tip.style.display = 'none'; cursor.setAttribute('visibility', 'hidden'); }
  svg.addEventListener('pointerleave', hide);
  svg.addEventListener('pointermove', event => {
    const box = svg.getBoundingClientRect();
    const x = (event.clientX - box.left) / box.width * width;
    const time = (x - left) / (right - left) * length;
    if (time < 0 || time > length) { hide(); return; }
    cursor.setAttribute('transform', `translate(${x} 0)`);
    cursor.setAttribute('visibility', 'visible');
    const lines = [`${time.toFixed(2)} s`];
    const shown = at(known.shown, time), truth = at(known.truth, time);
    lines.push(shown ? `shown  ${known.names[shown[2]]}` : 'no answer');
    if (truth) lines.push(`label  ${known.names[truth[2]]}`);
    let best = -1, apart = known.gap;
    known.at.forEach((t, i) => {
      if (Math.abs(t - time) <= apart) { apart = Math.abs(t - time); best = i; }
    });
    if (best >= 0 && shown) {
      known.p[best].map((p, i) => [p, known.classes[i]]).sort((a, b) => b[0] - a[0]).slice(0, 4)
        .forEach(([p, name]) => lines.push(`${String(p).padStart(3)} %  ${name}`));
    }
    tip.textContent = lines.join('\\n');
    tip.style.display = 'block';
    const over = event.clientX + 16 + tip.offsetWidth > innerWidth;
    tip.style.left = `${over ? event.clientX - 12 - tip.offsetWidth : event.clientX + 16}px`;
    tip.style.top = `${Math.max(4, event.clientY - tip.offsetHeight - 10)}px`;
  });
}
"""
