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

/* A card for each person: what it shows, how sure that is, where it looks, and what stands behind it. */

import { colourOf, inks, ordered } from "./colours.js";

const DIAL_PX = 96; // as view.css has it
const FULL_DEG = 45; // at the edge of a dial
const TAIL_S = 5; // of valence and arousal

const cards = new Map();

function make(tag, className, parent, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  if (parent) parent.append(made);
  return made;
}

/* What stands already is left alone: to write it again would have the page laid out again. */
function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function showCards(place, moment, past, silent) {
  const ids = moment.people.map((person) => person.id);
  for (const [id, card] of cards) {
    if (!ids.includes(id)) {
      card.root.remove();
      cards.delete(id);
    }
  }
  for (const person of moment.people) {
    if (!cards.has(person.id)) cards.set(person.id, new Card(place, person.id));
    cards.get(person.id).show(person, past, moment.t);
  }
  place.classList.toggle("view-several", ids.length > 1);
  let nobody = place.querySelector(".view-nobody");
  if (!nobody) nobody = make("div", "view-nobody", place);
  write(nobody, silent ? "Nothing is said of this picture." : "No face is seen.");
  nobody.hidden = ids.length > 0;
}

class Card {
  constructor(place, id) {
    this.root = make("article", "view-card", place);
    this.root.dataset.id = id;
    const head = make("div", "view-card-head", this.root);
    this.label = make("div", "view-label", head);
    this.percent = make("div", "view-percent", head);
    this.words = make("div", "view-words", this.root);
    this.looks = make("div", "view-looks", this.root);
    const body = make("div", "view-card-body", this.root);
    this.bars = make("div", "view-bars", body);
    this.rows = new Map();
    const dials = make("div", "view-dials", body);
    this.head = new HeadDial(dials);
    this.gaze = new GazeDial(dials);
    this.affect = new Circumplex(dials);
    this.units = make("div", "view-units", this.root);
    this.shownUnits = "";
    this.foot = make("div", "view-foot", this.root);
  }

  show(person, past, time) {
    const colour = colourOf(person.label);
    this.root.style.setProperty("--shown", colour);
    write(this.label, person.label || "...");
    write(this.percent, person.label && person.label !== "unknown" ? `${Math.round(100 * person.confidence)} %` : "");
    write(this.words, person.reason || person.sure);
    write(this.looks, person.looks);
    this.showBars(person.scores);
    this.head.show(person.head);
    this.gaze.show(person.gaze);
    this.affect.show(person, past, time);
    this.showUnits(person.units);
    const away = person.distance === null ? "" : ` · ${person.distance.toFixed(2)} m away`;
    write(this.foot, `${person.id}${away}`);
  }

  showUnits(units) {
    const names = units.map(([name]) => name);
    if (names.join() !== this.shownUnits) {
      this.shownUnits = names.join();
      this.units.replaceChildren(...names.map((name) => make("span", "view-unit", null, name)));
    }
    units.forEach(([, value], i) => this.units.children[i].style.setProperty("--share", `${Math.round(100 * Math.min(value, 1))}%`));
  }

  showBars(scores) {
    const labels = ordered(Object.keys(scores));
    const known = [...this.rows.keys()];
    // Another model has other classes; while nobody estimates them those of before stay.
    if (labels.length && labels.join("\n") !== known.join("\n")) {
      this.bars.replaceChildren();
      this.rows.clear();
    }
    for (const label of labels) {
      if (this.rows.has(label)) continue;
      const row = make("div", "view-bar", this.bars);
      const key = make("span", "view-bar-key", row); // also where the bar is empty
      make("span", "view-bar-name", row, label);
      const track = make("span", "view-bar-track", row);
      this.rows.set(label, { row, key, fill: make("span", "view-bar-fill", track), value: make("span", "view-bar-value", row) });
    }
    const most = Math.max(...Object.values(scores));
    for (const [label, { row, key, fill, value }] of this.rows) {
      const score = scores[label] || 0;
      // Moved in from the left, which costs no layout as another width would.
      fill.style.transform = `translateX(${(100 * Math.min(score, 1) - 100).toFixed(1)}%)`;
      key.style.background = fill.style.background = colourOf(label);
      write(value, String(Math.round(100 * score)));
      row.classList.toggle("view-bar-best", score === most);
    }
  }
}

/* Drawn on a canvas: to change parts of an SVG would have all of the card painted again. */
class Dial {
  constructor(place, title) {
    this.root = make("figure", "view-dial", place);
    this.canvas = make("canvas", "", this.root);
    this.canvas.setAttribute("aria-hidden", "true");
    make("figcaption", "", this.root, title);
    this.value = make("div", "view-dial-value", this.root);
    this.drawn = "";
  }

  /* Draws where something else is drawn than what stands there; 50 units lead from the middle to an edge. */
  draw(...given) {
    const ink = inks();
    const ratio = window.devicePixelRatio || 1;
    const drawn = JSON.stringify([given, ink, ratio]);
    if (drawn === this.drawn) return;
    this.drawn = drawn;
    const size = Math.round(DIAL_PX * ratio);
    this.canvas.width = this.canvas.height = size; // which clears it
    const pen = this.canvas.getContext("2d");
    pen.setTransform(size / 100, 0, 0, size / 100, size / 2, size / 2);
    disc(pen, 0, 0, 46, ink.ground, ink.line, 1);
    line(pen, [[-46, 0], [46, 0]], ink.line, 1);
    line(pen, [[0, -46], [0, 46]], ink.line, 1);
    this.drawValues(pen, ink, ...given);
  }
}

function disc(pen, x, y, radius, fill, edge, width, tall = radius) {
  pen.beginPath();
  pen.ellipse(x, y, radius, tall, 0, 0, 2 * Math.PI);
  if (fill) {
    pen.fillStyle = fill;
    pen.fill();
  }
  if (edge) {
    pen.strokeStyle = edge;
    pen.lineWidth = width;
    pen.stroke();
  }
}

function line(pen, points, colour, width) {
  pen.strokeStyle = colour;
  pen.lineWidth = width;
  pen.lineCap = pen.lineJoin = "round";
  pen.beginPath();
  for (const point of points) pen.lineTo(...point);
  pen.stroke();
}

const GAZE_COLOUR = "#d81bc8";
const onDial = (degrees) => (40 * Math.max(-FULL_DEG, Math.min(FULL_DEG, degrees))) / FULL_DEG;
const signed = (degrees) => `${degrees > 0 ? "+" : ""}${Math.round(degrees)}°`;

class HeadDial extends Dial {
  constructor(place) {
    super(place, "head");
  }

  show(head) {
    this.root.classList.toggle("view-none", !head);
    const [roll, pitch, yaw] = (head || [0, 0, 0]).map(Math.round); // the person's left is the picture's right
    this.draw(roll, pitch, yaw);
    write(this.value, head ? `yaw ${signed(yaw)} pitch ${signed(pitch)} roll ${signed(roll)}` : "");
  }

  drawValues(pen, ink, roll, pitch, yaw) {
    const [x, y] = [onDial(yaw) / 3, onDial(pitch) / 3];
    pen.translate(x, y);
    pen.rotate((-roll * Math.PI) / 180);
    disc(pen, 0, 0, 20, ink.card, ink.ink, 2, 26);
    pen.translate(x, y);
    for (const eye of [-8, 8]) disc(pen, eye, -6, 2.6, ink.ink);
    line(pen, [[0, -3], [0, 6]], ink.ink, 2);
    line(pen, [[-6, 13], [6, 13]], ink.ink, 2);
  }
}

class GazeDial extends Dial {
  constructor(place) {
    super(place, "gaze");
  }

  show(gaze) {
    this.root.classList.toggle("view-none", !gaze);
    const [aside, below] = (gaze || [0, 0]).map(Math.round);
    this.draw(aside, below);
    const words = `${Math.abs(aside)}° ${aside < 0 ? "left" : "right"} ${Math.abs(below)}° ${below < 0 ? "up" : "down"}`;
    write(this.value, gaze ? words : "");
  }

  drawValues(pen, ink, aside, below) {
    const point = [onDial(aside), onDial(below)];
    pen.setLineDash([3, 3]);
    disc(pen, 0, 0, (40 * 12) / FULL_DEG, null, ink.faint, 1);
    pen.setLineDash([]);
    line(pen, [[0, 0], point], GAZE_COLOUR, 3);
    disc(pen, ...point, 6, GAZE_COLOUR);
  }
}

class Circumplex extends Dial {
  constructor(place) {
    super(place, "valence, arousal");
  }

  show(person, past, time) {
    const way = [];
    for (const moment of past) {
      if (time - moment.t > TAIL_S) continue;
      const same = moment.people.find((other) => other.id === person.id);
      if (same) way.push(same.affect);
    }
    const [valence, arousal] = person.affect;
    this.draw(colourOf(person.label), [...way, person.affect].map(([x, y]) => [Math.round(44 * x), Math.round(-44 * y)]));
    write(this.value, `${valence.toFixed(2)}, ${arousal.toFixed(2)}`);
  }

  drawValues(pen, ink, colour, way) {
    pen.fillStyle = ink.faint;
    pen.font = "10px system-ui, sans-serif";
    pen.textAlign = "center";
    for (const [text, x, y] of [["active", 0, -36], ["calm", 0, 42], ["−", -40, -3], ["+", 40, -3]]) pen.fillText(text, x, y);
    pen.globalAlpha = 0.6;
    line(pen, way, ink.faint, 2);
    pen.globalAlpha = 1;
    disc(pen, ...way[way.length - 1], 6, colour, ink.ink, 1.5);
  }
}
