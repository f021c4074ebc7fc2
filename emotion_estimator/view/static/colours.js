/*
 * Copyright 2026 emotion_estimator maintainers
 *
 * Licensed under the Apache License, Version 2.0 (the "License");
 * you may not use this file except in compliance with the License.
 * You may obtain a copy of the License at
 *
 *     http://www.apache.org/licenses/LICENSE-2.0
 *
 * Unless required by applicable law or agreed to in writing, software
 * distributed under the License is distributed on an "AS IS" BASIS,
 * WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
 * See the License for the specific language governing permissions and
 * limitations under the License.
 */

/* Colours of labels, which emotion_estimator/colours.py states, and what stands out on them. */

const colours = new Map(Object.entries(window.viewColours)); // on light and on dark ground, by label

/* Takes over the colours of the model's classes, which come with what is shown of them. */
export function learn(more) {
  for (const [label, shades] of Object.entries(more)) colours.set(label, shades);
}

export const isDark = () => document.body.classList.contains("body--dark");

const INKS = ["ink", "faint", "line", "ground", "card"];
const read = {}; // by light and dark

/* What a canvas is drawn with, as view.css states it. */
export function inks() {
  const dark = isDark();
  if (!read[dark]) {
    const style = getComputedStyle(document.body);
    read[dark] = Object.fromEntries(INKS.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
  }
  return read[dark];
}

/* Labels in the order in which they are stacked; those that nobody knows come last. */
export function ordered(labels) {
  const known = Object.keys(window.viewColours);
  const place = (label) => (known.includes(label) ? known.indexOf(label) : known.length);
  return [...labels].sort((a, b) => place(a) - place(b) || a.localeCompare(b));
}

/* On a picture the colours are those of dark ground, which stand out on most. */
export function colourOf(label, dark = isDark()) {
  const [light, onDark] = colours.get(label) || colours.get("");
  return dark ? onDark : light;
}

/* Black or white, whichever is legible (luma of ITU-R BT.601). */
export function inkOn(colour) {
  const [red, green, blue] = [1, 3, 5].map((i) => parseInt(colour.slice(i, i + 2), 16));
  return 0.299 * red + 0.587 * green + 0.114 * blue > 128 ? "#000" : "#fff";
}
