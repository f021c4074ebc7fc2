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

import { colourOf, ordered } from "./colours.js";

const SVG = "http://www.w3.org/2000/svg";
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

function draw(tag, attributes, parent) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
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
    for (const label of ordered(Object.keys(scores))) {
      if (this.rows.has(label)) continue;
      const row = make("div", "view-bar", this.bars);
      make("span", "view-bar-name", row, label);
      const track = make("span", "view-bar-track", row);
      this.rows.set(label, { row, fill: make("span", "view-bar-fill", track), value: make("span", "view-bar-value", row) });
    }
    const most = Math.max(...Object.values(scores));
    for (const [label, { row, fill, value }] of this.rows) {
      const score = scores[label] || 0;
      // Moved in from the left, which costs no layout as another width would.
      fill.style.transform = `translateX(${(100 * Math.min(score, 1) - 100).toFixed(1)}%)`;
      fill.style.background = colourOf(label);
      write(value, String(Math.round(100 * score)));
      row.classList.toggle("view-bar-best", score === most);
    }
  }
}

class Dial {
  constructor(place, title) {
    this.root = make("figure", "view-dial", place);
    this.svg = draw("svg", { viewBox: "-50 -50 100 100", "aria-hidden": "true" }, this.root);
    draw("circle", { r: 46, class: "view-dial-edge" }, this.svg);
    draw("path", { d: "M-46 0H46M0-46V46", class: "view-dial-cross" }, this.svg);
    make("figcaption", "", this.root, title);
    this.value = make("div", "view-dial-value", this.root);
  }
}

const onDial = (degrees) => (40 * Math.max(-FULL_DEG, Math.min(FULL_DEG, degrees))) / FULL_DEG;
const signed = (degrees) => `${degrees > 0 ? "+" : ""}${Math.round(degrees)}°`;

class HeadDial extends Dial {
  constructor(place) {
    super(place, "head");
    this.face = draw("g", {}, this.svg);
    draw("ellipse", { rx: 20, ry: 26, class: "view-head" }, this.face);
    this.nose = draw("g", {}, this.face);
    draw("circle", { cx: -8, cy: -6, r: 2.6, class: "view-head-part" }, this.nose);
    draw("circle", { cx: 8, cy: -6, r: 2.6, class: "view-head-part" }, this.nose);
    draw("path", { d: "M0-3V6M-6 13H6", class: "view-head-line" }, this.nose);
  }

  show(head) {
    this.root.classList.toggle("view-none", !head);
    if (!head) return;
    const [roll, pitch, yaw] = head; // the person's left is the picture's right
    this.face.setAttribute("transform", `translate(${onDial(yaw) / 3} ${onDial(pitch) / 3}) rotate(${-roll})`);
    this.nose.setAttribute("transform", `translate(${onDial(yaw) / 3} ${onDial(pitch) / 3})`);
    write(this.value, `yaw ${signed(yaw)} pitch ${signed(pitch)} roll ${signed(roll)}`);
  }
}

class GazeDial extends Dial {
  constructor(place) {
    super(place, "gaze");
    draw("circle", { r: (40 * 12) / FULL_DEG, class: "view-gaze-middle" }, this.svg);
    this.line = draw("line", { x1: 0, y1: 0, class: "view-gaze-line" }, this.svg);
    this.point = draw("circle", { r: 6, class: "view-gaze-point" }, this.svg);
  }

  show(gaze) {
    this.root.classList.toggle("view-none", !gaze);
    if (!gaze) return;
    const [x, y] = gaze.map(onDial);
    this.line.setAttribute("x2", x);
    this.line.setAttribute("y2", y);
    this.point.setAttribute("cx", x);
    this.point.setAttribute("cy", y);
    write(this.value, `${Math.abs(Math.round(gaze[0]))}° ${gaze[0] < 0 ? "left" : "right"} ${Math.abs(Math.round(gaze[1]))}° ${gaze[1] < 0 ? "up" : "down"}`);
  }
}

class Circumplex extends Dial {
  constructor(place) {
    super(place, "valence, arousal");
    for (const [text, x, y] of [["active", 0, -36], ["calm", 0, 42], ["−", -40, -3], ["+", 40, -3]]) {
      draw("text", { x, y, class: "view-dial-text" }, this.svg).textContent = text;
    }
    this.tail = draw("polyline", { class: "view-tail" }, this.svg);
    this.point = draw("circle", { r: 6, class: "view-affect" }, this.svg);
  }

  show(person, past, time) {
    const way = [];
    for (const moment of past) {
      if (time - moment.t > TAIL_S) continue;
      const same = moment.people.find((other) => other.id === person.id);
      if (same) way.push(same.affect);
    }
    this.tail.setAttribute("points", way.map(([valence, arousal]) => `${44 * valence},${-44 * arousal}`).join(" "));
    const [valence, arousal] = person.affect;
    this.point.setAttribute("cx", 44 * valence);
    this.point.setAttribute("cy", -44 * arousal);
    write(this.value, `${valence.toFixed(2)}, ${arousal.toFixed(2)}`);
  }
}
