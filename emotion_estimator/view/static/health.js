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

/* How the robot fares: what is wrong in words, and rates in and out. */

const COLUMNS = [["in", "in/s"], ["out", "out/s"], ["latency", "ms"], ["skipped", "skipped"], ["lost", "lost"]];

function cell(row, tag, text, className) {
  const made = document.createElement(tag);
  made.textContent = text;
  if (className) made.className = className;
  row.append(made);
}

function written(name, value) {
  if (value === null || value === undefined) return "–";
  // A longer way from stamp to answer is another clock's.
  if (name === "latency") return value < 10 ? String(Math.round(1000 * value)) : "–";
  return name === "in" || name === "out" ? value.toFixed(1) : String(value);
}

const shown = {}; // what stands on the page, as text

/* Does something where this part is another than what stands there. */
function whenNew(name, part, work) {
  const text = JSON.stringify(part);
  if (shown[name] === text) return;
  shown[name] = text;
  work(part);
}

export function showHealth(status, problems, place, health) {
  if (status.textContent !== health.summary) status.textContent = health.summary;
  status.dataset.level = health.level;
  whenNew("problems", health.problems, (sentences) => {
    problems.replaceChildren(
      ...sentences.map((sentence) => {
        const line = document.createElement("p");
        line.textContent = sentence;
        return line;
      }),
    );
  });
  whenNew("robot", [health.camera, health.nodes], () => showRobot(place, health));
}

function showRobot(place, health) {
  const table = document.createElement("table");
  const head = table.createTHead().insertRow();
  cell(head, "th", "");
  for (const [, title] of COLUMNS) cell(head, "th", title);
  const body = table.createTBody();
  for (const node of health.nodes) {
    const row = body.insertRow();
    cell(row, "th", node.there ? node.name : `${node.name}: not there`, node.there ? "" : "view-missing");
    for (const [name] of COLUMNS) cell(row, "td", written(name, node[name]));
  }
  const camera = document.createElement("p");
  const from = health.camera.publisher ? `from ${health.camera.publisher}` : "which nobody publishes";
  camera.textContent = health.camera.topic ? `Pictures: ${health.camera.topic} ${from}, ${health.camera.rate} a second` : "";
  place.replaceChildren(camera, table);
}
