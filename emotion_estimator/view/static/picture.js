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

/* Draws a picture and, over it, what was found in that very picture. */

import { colourOf, inkOn } from "./colours.js";

export const overlays = { picture: true, box: true, label: true, mesh: false, gaze: true, axes: false };

const AXIS_COLOURS = ["#e62828", "#28c828", "#3c5aff"]; // forward, left, up, as RViz has them
const GAZE_COLOUR = "#ff3df2";
// Lines of REP-155's 70 landmarks: first, last, whether the line is closed.
const LINES = [
  [0, 16, false], [17, 21, false], [22, 26, false], [27, 30, false], [31, 35, false],
  [36, 41, true], [42, 47, true], [48, 59, true], [60, 67, true],
];
const EMPTY = [640, 360];

export function drawPicture(canvas, picture, moment) {
  const [width, height] = picture ? [picture.width, picture.height] : [canvas.width || EMPTY[0], canvas.height || EMPTY[1]];
  if (picture && (canvas.width !== width || canvas.height !== height)) {
    canvas.width = width;
    canvas.height = height;
  }
  const pen = canvas.getContext("2d", { alpha: false });
  if (picture && overlays.picture) {
    pen.drawImage(picture, 0, 0);
  } else {
    pen.fillStyle = "#22262c";
    pen.fillRect(0, 0, width, height);
  }
  const unit = Math.max(width / 640, 0.7);
  for (const person of moment.people) {
    if (overlays.mesh && person.points) drawMesh(pen, person.points, width, height, unit);
    if (overlays.box && person.box) drawBox(pen, person, width, height, unit);
    if (person.axes) drawAxes(pen, person.axes, width, height, unit);
  }
  // Text last, so that no face hides whose it is.
  const taken = []; // by names: left, top, right and lower edge
  for (const person of moment.people) drawName(pen, person, width, height, unit, taken);
}

function drawMesh(pen, points, width, height, unit) {
  pen.strokeStyle = "rgba(255, 255, 255, 0.75)";
  pen.fillStyle = "rgba(255, 255, 255, 0.9)";
  pen.lineWidth = unit;
  for (const [first, last, closed] of LINES) {
    pen.beginPath();
    for (let i = first; i <= last && i < points.length; i += 1) pen.lineTo(points[i][0] * width, points[i][1] * height);
    if (closed) pen.closePath();
    pen.stroke();
  }
  for (const [x, y] of points) {
    pen.beginPath();
    pen.arc(x * width, y * height, 1.3 * unit, 0, 2 * Math.PI);
    pen.fill();
  }
}

function drawBox(pen, person, width, height, unit) {
  const [left, top, right, bottom] = person.box;
  pen.strokeStyle = colourOf(person.label, true);
  pen.lineWidth = 2.5 * unit;
  pen.beginPath();
  pen.roundRect(left * width, top * height, (right - left) * width, (bottom - top) * height, 6 * unit);
  pen.stroke();
}

function drawAxes(pen, axes, width, height, unit) {
  const [origin, ...tips] = axes.map(([x, y]) => [x * width, y * height]);
  if (overlays.axes) tips.slice(0, 3).forEach((tip, i) => drawArrow(pen, origin, tip, AXIS_COLOURS[i], 2.5 * unit, 0));
  if (overlays.gaze && tips.length > 3) drawArrow(pen, origin, tips[3], GAZE_COLOUR, 4 * unit, 11 * unit);
}

function drawArrow(pen, from, to, colour, lineWidth, head) {
  const way = Math.hypot(to[0] - from[0], to[1] - from[1]);
  pen.strokeStyle = pen.fillStyle = colour;
  pen.lineWidth = lineWidth;
  pen.lineCap = "round";
  pen.beginPath();
  pen.moveTo(...from);
  pen.lineTo(...to);
  pen.stroke();
  if (!head) return;
  // Who looks into the camera has an arrow that is seen from its tip.
  const angle = Math.atan2(to[1] - from[1], to[0] - from[0]);
  pen.beginPath();
  if (way < head) pen.arc(...to, head / 2, 0, 2 * Math.PI);
  else {
    pen.moveTo(to[0] + head * Math.cos(angle), to[1] + head * Math.sin(angle));
    pen.lineTo(to[0] + head * Math.cos(angle + 2.2), to[1] + head * Math.sin(angle + 2.2));
    pen.lineTo(to[0] + head * Math.cos(angle - 2.2), to[1] + head * Math.sin(angle - 2.2));
  }
  pen.fill();
}

/*
 * Where a name that stands above its face, or below it, hides no other one: further away from the face,
 * or on the other side where the picture ends. As in drawing.py.
 */
function freeTop(taken, left, top, wide, tall, height, below) {
  const hidden = (at) => taken.filter(([l, t, r, b]) => l < left + wide && r > left && t < at + tall && b > at);
  const inside = (at) => at >= 0 && at + tall <= height;
  for (const down of [below, !below]) {
    let at = top;
    for (let found = hidden(at); inside(at) && found.length; found = hidden(at)) {
      at = down ? Math.max(...found.map((one) => one[3])) : Math.min(...found.map((one) => one[1])) - tall;
    }
    if (inside(at)) return at;
  }
  return top;
}

function drawName(pen, person, width, height, unit, taken) {
  if (!person.box) return;
  const words = [];
  // What is unknown is not the surer the greater its score; its reason says more.
  const more = person.label === "unknown" ? person.reason : `${Math.round(100 * person.confidence)} %`;
  if (overlays.label && person.label) words.push([`${person.label} ${more}`, 18]);
  if (overlays.box) words.push([person.id, 12]);
  if (!words.length) return;
  const gap = 5 * unit;
  const lines = words.map(([text, size]) => {
    const font = `600 ${size * unit}px system-ui, sans-serif`;
    pen.font = font;
    return { text, font, tall: size * unit * 1.25, wide: pen.measureText(text).width };
  });
  const wide = Math.max(...lines.map((line) => line.wide)) + 2 * gap;
  const tall = lines.reduce((sum, line) => sum + line.tall, 0) + gap;
  const left = Math.min(Math.max(person.box[0] * width, 0), Math.max(width - wide, 0));
  // Above the face, or below it where the picture's edge would push it onto the eyes.
  let top = person.box[1] * height - tall - 3 * unit;
  const below = top < 0;
  if (below) top = Math.min(person.box[3] * height + 3 * unit, height - tall);
  top = freeTop(taken, left, top, wide, tall, height, below);
  taken.push([left, top, left + wide, top + tall]);
  const ground = colourOf(person.label, true);
  pen.fillStyle = ground;
  pen.beginPath();
  pen.roundRect(left, top, wide, tall, 5 * unit);
  pen.fill();
  pen.fillStyle = inkOn(ground);
  let y = top + gap / 2;
  for (const line of lines) {
    pen.font = line.font;
    pen.textBaseline = "top";
    pen.fillText(line.text, left + gap, y + 0.12 * line.tall);
    y += line.tall;
  }
}
