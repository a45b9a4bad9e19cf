// Type a name: an LSTM runs in the page, and every gate of every unit shows at every letter.
import { rows as barRows } from "./js/bars.js";
import { facts, field } from "./js/controls.js";
import { make, reveal, set } from "./js/dom.js";
import { draggable, grip, pointer, steerable } from "./js/hands.js";
import { hero } from "./js/hero.js";
import { argmax, clamp, sigmoid, softmax } from "./js/math.js";
import { show, signed } from "./js/text.js";

const dot = (row, x) => row.reduce((sum, w, k) => sum + w * x[k], 0);

/** The same numbers as gates() in gate_viewer.py: key → letters → units. */
export function gates({ embedding, W, U, b, V, a }, name) {
  const H = U[0].length;
  const rows = { f: [], i: [], o: [], g: [], c: [], h: [], p: [] };
  let c = Array(H).fill(0);
  let h = Array(H).fill(0);
  for (const letter of name) {
    const x = embedding[letter.charCodeAt(0) - 96];
    const z = W.map((row, k) => dot(row, x) + dot(U[k], h) + b[k]);
    const i = z.slice(0, H).map(sigmoid);
    const f = z.slice(H, 2 * H).map(sigmoid);
    const g = z.slice(2 * H, 3 * H).map(Math.tanh);
    const o = z.slice(3 * H).map(sigmoid);
    c = c.map((old, k) => f[k] * old + i[k] * g[k]);
    h = o.map((gate, k) => gate * Math.tanh(c[k]));
    const scores = V.map((row, k) => dot(row, h) + a[k]);
    const p = softmax(scores);
    for (const [key, value] of Object.entries({ f, i, o, g, c, h, p })) rows[key].push(value);
  }
  return rows;
}

/** The maps at all letters, and of one letter and unit: its place, its numbers, the classes' probabilities there. */
export function numbers(weights, { name, letter, unit }, { MAPS }) {
  const values = gates(weights, name);
  const t = Math.min(Math.floor(letter), Math.max(name.length - 1, 0));
  const k = Math.min(Math.floor(unit), weights.U[0].length - 1);
  const here = Object.keys(MAPS).map((key) => [key, name ? values[key][t][k] : 0]);
  return { values, t, k, here: Object.fromEntries(here), p: name ? values.p[t] : weights.a.map(() => 0) };
}

function color(value, size, signs) {
  const share = Math.round(100 * Math.min(Math.abs(value) / size, 1));
  const hue = signs && value < 0 ? "orange" : "blue";
  return `fill: color-mix(in srgb, var(--dll-${hue}) ${share}%, transparent)`;
}

/** One map: letters run right, units run down. Returns the function that paints it. */
function heatmap(panel, [title, size, signs], H, MAX_LETTERS, select) {
  make(panel, "h4", {}, title);
  const [left, cell, row] = [22, 16.5, Math.max(168 / H, 8)];
  const height = H * row;
  const svg = make(panel, "svg", {
    viewBox: `0 0 ${left + MAX_LETTERS * cell + 2} ${height + 22}`,
    role: "group",
    "aria-label": title,
    class: "heatmap",
  });
  make(
    svg,
    "text",
    { class: "quiet", transform: `translate(12 ${height / 2}) rotate(-90)`, "text-anchor": "middle" },
    "unit",
  );
  const paper = make(svg, "rect", { class: "frame catch", x: left, y: 1, width: MAX_LETTERS * cell, height });
  const cells = make(svg, "g", { class: "cells" });
  const cursor = make(svg, "rect", { class: "cursor", width: cell, height: row });
  const area = {
    at: (event) => {
      const [x, y] = pointer(svg, event);
      return [Math.floor((x - left) / cell), Math.floor((y - 1) / row)];
    },
  };
  draggable(paper, area, (p) => {
    select(p);
    return select;
  });
  return {
    svg,
    area,
    at: ([t, k]) => [left + (t + 0.5) * cell, 1 + (k + 0.5) * row],
    paint: (name, values, [t, k]) => {
      cells.replaceChildren();
      values.forEach((units, column) => {
        units.forEach((value, unit) => {
          make(cells, "rect", {
            x: left + column * cell,
            y: 1 + unit * row,
            width: cell - 0.5,
            height: row - 0.5,
            style: color(value, size, signs),
          });
        });
        make(cells, "text", { x: left + (column + 0.5) * cell, y: height + 17, "text-anchor": "middle" }, name[column]);
      });
      set(cursor, { x: left + t * cell, y: 1 + k * row });
      reveal(cursor, name);
    },
  };
}

function render({ model, el }) {
  const view = hero(model, el, "Gate viewer");
  const { MAPS, name: lengths } = view.constants;
  const MAX_LETTERS = lengths[1];
  const weights = view.get("weights");
  const classes = view.get("class_names");
  const H = weights.U[0].length;

  const left = view.panel();
  const showName = field(
    left,
    "name",
    "name, letters a to z",
    lengths,
    (name) => view.change({ name, letter: Math.max(name.length - 1, 0) }),
    { asTyped: true },
  );
  const chart = make(left, "svg", {
    class: "chart",
    viewBox: `0 0 300 ${26 * classes.length}`,
    role: "img",
    "aria-label": "probability of each language",
  });
  const showBars = barRows(chart, classes, { keys: classes.map((label) => `p_${label}`) });

  const middle = set(view.panel(), { class: "panel double" });
  const fact = facts(middle, {
    f: "forget σ(f)",
    i: "input σ(i)",
    o: "output σ(o)",
    g: "candidate",
    c: "cell state",
    h: "output h",
  });
  const first = make(middle, "p", { class: "formula" });
  const note = make(middle, "p", { class: "note" });

  const select = ([t, k]) =>
    view.change({ letter: clamp(t, 0, Math.max(view.get("name").length - 1, 0)), unit: clamp(k, 0, H - 1) });
  const maps = Object.fromEntries(
    Object.entries(MAPS).map(([key, look]) => [key, heatmap(view.panel(), look, H, MAX_LETTERS, select)]),
  );
  const knob = grip(maps.f.svg, "letter and unit");
  make(knob, "circle", { class: "hit", r: 9 });
  make(knob, "circle", { class: "ring", r: 8 });
  draggable(knob, maps.f.area, () => select);
  const KEYS = ["name", "letter", "unit"];
  const state = () => view.state(KEYS);
  const place = () => {
    const { t, k } = numbers(weights, state(), view.constants);
    return [t, k];
  };
  const to = (t, k) => select([t, k]);
  steerable(knob, 1, (dx, dy) => to(place()[0] + dx, place()[1] - dy), {
    Home: () => to(0, place()[1]),
    End: () => to(MAX_LETTERS, place()[1]),
    PageUp: () => to(place()[0], 0),
    PageDown: () => to(place()[0], H),
  });

  return view.start(() => {
    const name = view.get("name");
    const { values, t, k, here, p } = numbers(weights, state(), view.constants);
    showName(name);
    for (const [key, map] of Object.entries(maps)) map.paint(name, values[key], [t, k]);
    const [x, y] = maps.f.at([t, k]);
    set(knob, {
      transform: `translate(${x} ${y})`,
      "aria-valuemin": 1,
      "aria-valuemax": Math.max(name.length, 1),
      "aria-valuenow": t + 1,
      "aria-valuetext": name ? `letter ${t + 1}, ${name[t]}; unit ${k + 1}` : "no name",
    });
    showBars(p, name);
    for (const [key, value] of Object.entries(here)) fact(key, value, name ? show(value) : "–");
    const best = argmax(p);
    if (name) {
      const before = t ? values.c[t - 1][k] : 0;
      const { f, i, g, c } = here;
      first.textContent = `c = σ(f) · c before + σ(i) · tanh(g) = ${show(f)} · ${show(before)}${signed(i * g).replace(show(Math.abs(i * g)), `${show(i)} · ${show(Math.abs(g))}`)} = ${show(c)}`;
      note.textContent = `After “${name.slice(0, t + 1)}” the network says ${classes[best]}. The numbers are those of unit ${k + 1} at the letter “${name[t]}”. Blue: positive. Orange: negative.`;
      view.say(
        `after ${name.slice(0, t + 1)}: ${classes[best]}, ${Math.round(100 * p[best])} percent; unit ${k + 1}: forget gate ${show(f)}, input gate ${show(i)}, cell state ${show(c)}`,
      );
    } else {
      first.textContent = "";
      note.textContent = "Type a name.";
      view.say("no name");
    }
  }, KEYS);
}
export default { render };
