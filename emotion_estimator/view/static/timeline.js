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

/* The last minute of each person: scores stacked over time, below them the expression decided on. */

import { colourOf, isDark, ordered } from "./colours.js";

const LEAST_GAP_S = 0.6; // a face unseen for longer leaves a gap
const GAP_STEPS = 3; // of a slow camera: unseen for longer than so many usual steps between its pictures
const LEAST_STEP_S = 0.15; // some two pixels: what lies closer is not told apart
const ROW_PX = 64;
const STRIP_PX = 12;
const LEFT_PX = 0;
const MOST_ROWS = 4;
const MARK_S = 15;

let shown = { from: 0, to: 0, left: 0, width: 1 };
const rows = new Map();

/* Time under a point of the page; null before anything was drawn. */
export function timeAt(place, clientX) {
  if (shown.to <= shown.from) return null;
  const box = place.getBoundingClientRect();
  const share = (clientX - box.left - LEFT_PX) / Math.max(1, box.width - LEFT_PX);
  return shown.from + Math.max(0, Math.min(1, share)) * (shown.to - shown.from);
}

export function drawTimeline(place, moments, pausedAt, historyS) {
  if (!moments.length) return;
  const to = moments[moments.length - 1].t;
  const from = to - historyS;
  shown = { from, to };
  const people = new Map();
  for (const moment of moments) {
    if (moment.t < from) continue;
    for (const person of moment.people) {
      if (!people.has(person.id)) people.set(person.id, []);
      const points = people.get(person.id);
      if (!points.length || moment.t - points[points.length - 1][0] >= LEAST_STEP_S) points.push([moment.t, person]);
    }
  }
  const ids = [...people.keys()].sort((a, b) => people.get(b).length - people.get(a).length).slice(0, MOST_ROWS).sort();
  for (const [id, row] of rows) {
    if (!ids.includes(id)) {
      row.root.remove();
      rows.delete(id);
    }
  }
  sayWhatIsNotDrawn(place, people.size - ids.length);
  markTimes(place, historyS);
  const gapS = longestGap(moments);
  for (const id of ids) {
    if (!rows.has(id)) rows.set(id, new Row(place, id));
    rows.get(id).draw(people.get(id), from, to, pausedAt, gapS);
  }
}

/* How long ago something was; the marks stay, since the last minute is always as wide as the timeline. */
function markTimes(place, historyS) {
  if (place.querySelector(".view-ago")) return;
  for (let agoS = MARK_S; agoS < historyS; agoS += MARK_S) {
    const mark = document.createElement("div");
    mark.className = "view-ago";
    mark.style.left = `${100 * (1 - agoS / historyS)}%`;
    mark.append(Object.assign(document.createElement("span"), { textContent: `${agoS} s ago` }));
    place.append(mark);
  }
}

function sayWhatIsNotDrawn(place, count) {
  const more = place.querySelector(".view-more") || place.appendChild(document.createElement("div"));
  more.className = "view-more";
  more.textContent = count ? `and ${count} more` : "";
}

function longestGap(moments) {
  const steps = moments.slice(1).map((moment, i) => moment.t - moments[i].t);
  steps.sort((a, b) => a - b);
  return Math.max(LEAST_GAP_S, GAP_STEPS * (steps[Math.floor(steps.length / 2)] || 0));
}

class Row {
  constructor(place, id) {
    this.root = document.createElement("div");
    this.root.className = "view-row";
    this.canvas = document.createElement("canvas");
    this.name = document.createElement("span");
    this.name.className = "view-row-name";
    this.name.textContent = id;
    this.root.append(this.canvas, this.name);
    place.append(this.root);
  }

  draw(points, from, to, pausedAt, gapS) {
    const ratio = window.devicePixelRatio || 1;
    const width = Math.max(100, this.root.clientWidth);
    if (this.canvas.width !== Math.round(width * ratio)) {
      this.canvas.width = Math.round(width * ratio);
      this.canvas.height = Math.round(ROW_PX * ratio);
    }
    const pen = this.canvas.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.fillStyle = isDark() ? "#1b1e23" : "#f1f3f5";
    pen.fillRect(0, 0, width, ROW_PX);
    const x = (time) => ((time - from) / (to - from)) * width;
    let start = 0;
    for (let i = 1; i <= points.length; i += 1) {
      if (i === points.length || points[i][0] - points[i - 1][0] > gapS) {
        drawPiece(pen, points.slice(start, i), x);
        start = i;
      }
    }
    if (pausedAt !== null) {
      pen.fillStyle = isDark() ? "#fff" : "#000";
      pen.fillRect(x(pausedAt) - 1, 0, 2, ROW_PX);
    }
  }
}

function drawPiece(pen, points, x) {
  const tall = ROW_PX - STRIP_PX - 2;
  const labels = new Set();
  for (const [, person] of points) Object.keys(person.scores).forEach((label) => labels.add(label));
  let below = points.map(() => 0);
  for (const label of ordered(labels)) {
    const above = points.map(([, person], i) => below[i] + (person.scores[label] || 0));
    pen.fillStyle = colourOf(label);
    pen.beginPath();
    points.forEach(([time], i) => pen.lineTo(x(time), tall * (1 - Math.min(1, above[i]))));
    for (let i = points.length - 1; i >= 0; i -= 1) pen.lineTo(x(points[i][0]), tall * (1 - Math.min(1, below[i])));
    pen.fill();
    below = above;
  }
  for (let i = 0, next = 0; i < points.length; i = next) {
    const [time, person] = points[i];
    while (next < points.length && points[next][1].label === person.label) next += 1;
    const until = next < points.length ? points[next][0] : points[next - 1][0] + 0.05;
    pen.fillStyle = colourOf(person.label);
    pen.fillRect(x(time), ROW_PX - STRIP_PX, Math.max(1, x(until) - x(time) + 0.5), STRIP_PX);
  }
}
