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

/* The page's script: takes moments from the node, keeps the last minute, pauses, looks back. */

import { showCards } from "./cards.js";
import { learn } from "./colours.js";
import { showHealth } from "./health.js";
import { drawPicture, overlays } from "./picture.js";
import { drawTimeline, timeAt } from "./timeline.js";

const HISTORY_S = 60; // as state.py has it
const PICTURE_STEP_S = 0.2; // pictures kept to look back on lie so far apart
const STILL_TRUE_S = 1.5;
const CARDS_STEP_MS = 125; // nobody reads faster, and words cost more to draw than pictures
const TIMELINE_STEP_MS = 400;
const RECONNECT_MS = 1000;
const HIDDEN_LOOK_MS = 500;

const moments = []; // in the order of time: {t, people, picture: ImageBitmap or null, jpeg}
let pausedAt = null; // time that is looked at, or null while the page is live
let heldUntil = 0; // while paused, the end of the minute that is looked at
let socket = null;

const byId = (id) => document.getElementById(id);

/* Does something with what came last, but not more often than every so many milliseconds. */
function paced(stepMs, work) {
  let doneMs = -stepMs;
  let timer = null;
  let newest = [];
  const doIt = () => {
    clearTimeout(timer);
    timer = null;
    doneMs = performance.now();
    work(...newest);
  };
  return (...given) => {
    newest = given;
    const leftMs = doneMs + stepMs - performance.now();
    if (pausedAt !== null || leftMs <= 0) doIt();
    else timer ??= setTimeout(doIt, leftMs);
  };
}

const cards = paced(CARDS_STEP_MS, (moment, said, silent) => showCards(byId("view-people"), moment, said, silent));
const timeline = paced(TIMELINE_STEP_MS, (held) => drawTimeline(byId("view-timeline"), held, pausedAt, HISTORY_S));

function unpack(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const facts = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  const jpeg = buffer.byteLength > 4 + length ? new Blob([new Uint8Array(buffer, 4 + length)], { type: "image/jpeg" }) : null;
  return [facts, jpeg];
}

async function take(buffer) {
  const [facts, jpeg] = unpack(buffer);
  learn(facts.colours || {});
  if (facts.kind === "hello") {
    // After a break in the connection what the page has stays, pictures included.
    const newest = newestTime();
    const again = facts.history.length > 0 && facts.history[facts.history.length - 1].t < newest - 1;
    for (const past of facts.history) if (again || past.t > newest) keep({ ...past, jpeg: null });
  } else if (facts.kind === "health") {
    showHealth(byId("view-status"), byId("view-problems"), byId("view-health"), facts);
  } else if (facts.kind === "moment") {
    keep({ t: facts.t, people: facts.people, answered: facts.answered, jpeg });
    if (pausedAt === null) await show(moments[moments.length - 1]);
  }
}

function newestTime() {
  return moments.length ? moments[moments.length - 1].t : -1;
}

function keep(moment) {
  const newest = newestTime();
  if (moment.t === newest) moments.pop(); // shown before its answer came
  if (moment.t < newest - 1) {
    moments.length = 0; // the stamps began again: there is nothing to look back on
    hold(null);
  }
  // While paused the minute that is looked at stays; of what comes only the last minute does too.
  const first = pausedAt === null ? 0 : moments.findIndex((past) => past.t > heldUntil);
  if (first >= 0) {
    let count = 0;
    while (first + count < moments.length && moments[first + count].t < moment.t - HISTORY_S) count += 1;
    moments.splice(first, count);
  }
  thinOut();
  moments.push(moment);
}

function thinOut() {
  // The newest picture gives way where the one kept before it is too near.
  const last = moments[moments.length - 1];
  if (!last || !last.jpeg) return;
  for (let i = moments.length - 2; i >= 0 && last.t - moments[i].t < PICTURE_STEP_S; i -= 1) {
    if (moments[i].jpeg) {
      last.jpeg = null;
      return;
    }
  }
}

async function show(moment) {
  const at = moments.indexOf(moment);
  const time = pausedAt;
  const picture = moment.jpeg ? await createImageBitmap(moment.jpeg).catch(() => null) : null;
  if (time !== pausedAt) {
    if (picture) picture.close();
    return; // something else is looked at by now
  }
  drawPicture(byId("view-canvas"), picture, moment);
  if (picture) picture.close();
  // A picture that nobody looked at leaves what was said last, for a while.
  const said = moments.slice(Math.max(0, at - 90), at + 1).filter((past) => past.answered !== false);
  const last = said[said.length - 1];
  const silent = !last || Math.abs(moment.t - last.t) > STILL_TRUE_S;
  cards(silent ? { t: moment.t, people: [] } : last, said, silent);
  timeline(pausedAt === null ? moments : moments.filter((past) => past.t <= heldUntil));
}

/* Of a time that is looked back on: the moment nearest to it, with the picture nearest to that. */
function momentAt(time) {
  let best = null;
  let pictured = null;
  for (const moment of moments) {
    if (moment.t > heldUntil) break;
    if (!best || Math.abs(moment.t - time) < Math.abs(best.t - time)) best = moment;
    if (moment.jpeg && (!pictured || Math.abs(moment.t - time) < Math.abs(pictured.t - time))) pictured = moment;
  }
  // A picture goes with its own people: what is drawn into it is in step with it.
  return pictured && best && Math.abs(pictured.t - best.t) <= PICTURE_STEP_S ? pictured : best;
}

function hold(time) {
  pausedAt = time;
  document.body.classList.toggle("view-paused", time !== null);
}

function lookAt(time) {
  if (pausedAt === null && moments.length) heldUntil = moments[moments.length - 1].t;
  pausedAt = time;
  const moment = time === null ? moments[moments.length - 1] : momentAt(time);
  // It is said that the page is paused when it shows what it holds.
  Promise.resolve(moment && show(moment)).then(() => hold(pausedAt));
}

function connect() {
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  socket = new WebSocket(`${scheme}://${location.host}/moments`);
  socket.binaryType = "arraybuffer";
  const ask = () => {
    // A page that nobody sees asks for nothing, so that nothing is sent to it.
    if (document.hidden) setTimeout(ask, HIDDEN_LOOK_MS);
    else if (socket.readyState === WebSocket.OPEN) socket.send(overlays.mesh ? "next mesh" : "next");
  };
  socket.onmessage = async (event) => {
    try {
      await take(event.data);
    } finally {
      ask();
    }
  };
  socket.onclose = (event) => {
    byId("view-status").textContent = event.reason || "The node does not answer; trying again.";
    byId("view-status").dataset.level = "error";
    setTimeout(connect, RECONNECT_MS);
  };
}

function begin() {
  if (!byId("view-timeline") || !byId("view-people")) {
    setTimeout(begin, 50);
    return;
  }
  const place = byId("view-timeline");
  const seek = (event) => {
    const time = timeAt(place, event.clientX);
    if (time !== null) lookAt(time);
  };
  place.addEventListener("pointerdown", (event) => {
    place.setPointerCapture(event.pointerId);
    seek(event);
  });
  place.addEventListener("pointermove", (event) => {
    if (event.buttons) seek(event);
  });
  connect();
}

window.view = {
  pause() {
    const newest = moments[moments.length - 1];
    lookAt(pausedAt === null && newest ? newest.t : null);
  },
  overlay(name, on) {
    overlays[name] = on;
    const moment = pausedAt === null ? moments[moments.length - 1] : momentAt(pausedAt);
    if (moment) show(moment);
  },
};

begin();
