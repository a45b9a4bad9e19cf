// A true box and an answer: intersection, union, their ratio, and what a shift costs.
import { facts, slider } from "./js/controls.js";
import { make, set } from "./js/dom.js";
import { draggable, grip, place, steerable } from "./js/hands.js";
import { hero } from "./js/hero.js";
import { clamp } from "./js/math.js";
import { plane } from "./js/plane.js";
import { show } from "./js/text.js";

const area = ([x1, y1, x2, y2]) => (x2 - x1) * (y2 - y1);

/** The box that two boxes share; without area where they are apart. */
function shared(a, b) {
  const [x1, y1] = [Math.max(a[0], b[0]), Math.max(a[1], b[1])];
  return [x1, y1, Math.max(x1, Math.min(a[2], b[2])), Math.max(y1, Math.min(a[3], b[3]))];
}

/** The IoU of a box with itself, moved by so many pixels to the right, and as far to the right and down. */
export function shifted([x1, y1, x2, y2], d) {
  const [w, h] = [x2 - x1, y2 - y1];
  const [right, diagonal] = [Math.max(0, w - d) * h, Math.max(0, w - d) * Math.max(0, h - d)];
  return [right / (2 * w * h - right), diagonal / (2 * w * h - diagonal)];
}

/** The same numbers as IouDragger: areas in square pixels, their ratio, and the two after a shift. */
export function numbers({ truth, answer, shift }) {
  const intersection = area(shared(truth, answer));
  const union = area(truth) + area(answer) - intersection;
  const [right, diagonal] = shifted(truth, shift);
  return { intersection, union, iou: intersection / union, right, diagonal };
}

/** A box moved by whole pixels, as far as the picture goes. */
export function moved([x1, y1, x2, y2], dx, dy, side) {
  const x = clamp(Math.round(x1 + dx), 0, side - (x2 - x1));
  const y = clamp(Math.round(y1 + dy), 0, side - (y2 - y1));
  return [x, y, x + x2 - x1, y + y2 - y1];
}

/** A box whose corner (0 or 2, 1 or 3) goes to a whole pixel; it stays at least one pixel wide and high. */
export function resized(box, [i, j], [x, y], side) {
  const next = [...box];
  const along = (k, value) => {
    next[k] = k < 2 ? clamp(Math.round(value), 0, box[k + 2] - 1) : clamp(Math.round(value), box[k - 2] + 1, side);
  };
  along(i, x);
  along(j, y);
  return next;
}

const LOOKS = { truth: "blue", answer: "orange" };
const CORNERS = [
  [0, 1, "upper left corner"],
  [2, 3, "lower right corner"],
  [2, 1],
  [0, 3],
];

/** Lies on [x, y], w × h, of a plane. */
function lay(area_, node, [x1, y1, x2, y2]) {
  set(node, { x: area_.px(x1), y: area_.py(y1), width: (x2 - x1) * area_.kx, height: (y2 - y1) * area_.kx });
}

/** The union as one bar: what both share first, so that its end is the IoU. */
function ledger(parent, { HIT, STRICT }) {
  const svg = make(parent, "svg", {
    viewBox: "0 0 400 58",
    role: "img",
    "aria-label": "the IoU as a share of the union",
  });
  const parts = ["both", "truth", "answer"].map((name) =>
    make(svg, "rect", { class: `part ${name}`, y: 4, height: 24 }),
  );
  for (const value of [0, HIT, STRICT, 1]) {
    const x = 14 + 372 * value;
    make(svg, "path", { class: "axis strong", d: `M${x} ${value % 1 ? 0 : 4}V36` });
    make(svg, "text", { class: "quiet", x, y: 52, "text-anchor": "middle" }, show(value, value % 1 ? 2 : 0));
  }
  return (lengths) => {
    let x = 14;
    parts.forEach((part, k) => {
      set(part, { x, width: 372 * lengths[k] });
      x += 372 * lengths[k];
    });
  };
}

/** Colors and what they mean. */
function legend(parent, names) {
  const line = make(parent, "p", { class: "note" });
  for (const [name, text] of Object.entries(names)) {
    const entry = make(line, "span", { class: "entry" }, text);
    entry.prepend(make(entry, "span", { class: `chip ${name}`, "aria-hidden": "true" }));
  }
}

function render({ model, el }) {
  const view = hero(model, el, "IoU dragger");
  const { SIDE, HIT, shift: limits } = view.constants;

  const ticks = [0, 16, 32, 48, 64];
  const sheet = plane(view.panel("two boxes"), "two boxes on a grid of pixels", [0, SIDE], [SIDE, 0], {
    ticks: [ticks, ticks],
    names: ["x in pixels", "y in pixels"],
  });
  const lines = Array.from({ length: 7 }, (_, k) => 8 * (k + 1));
  const { px, py } = sheet;
  const mesh = lines.map((k) => `M${px(k)} ${py(0)}V${py(SIDE)}M${px(0)} ${py(k)}H${px(SIDE)}`);
  make(sheet.ground, "path", { class: "axis", d: mesh.join("") });
  const ghost = make(sheet.ground, "rect", { class: "ghost" });
  const both = make(sheet.ground, "rect", { class: "both" });
  const pulled = Object.keys(LOOKS).map((name) => {
    const body = grip(sheet.front, `${name}: drag it, or move it with the arrow keys`);
    body.classList.add("body", `accent-${LOOKS[name]}`);
    return [
      name,
      { body, rect: make(body, "rect", { class: name }), label: make(body, "text", { class: "halo" }, name) },
    ];
  });

  const right = view.panel("what they share");
  const fact = facts(right, { intersection: "intersection", union: "union", iou: "IoU" });
  const showLedger = ledger(right, view.constants);
  legend(right, { both: "both", truth: "truth alone", answer: "answer alone" });
  make(right, "h4", {}, "what a shift costs");
  const showShift = slider(right, "shift", "pixels by which the true box is moved", [...limits, 1], (shift) =>
    view.change({ shift }),
  );
  legend(right, { right: "to the right", diagonal: "to the right and down" });
  const chart = plane(right, "IoU of the true box with itself, against the shift", limits, [0, 1], {
    height: 200,
    ticks: [
      [0, 4, 8, 12, 16],
      [0, HIT, 1],
    ],
    names: ["pixels moved", "IoU"],
  });
  make(chart.ground, "path", {
    class: "axis strong",
    d: chart.path([
      [limits[0], HIT],
      [limits[1], HIT],
    ]),
  });
  const costs = ["right", "diagonal"].map((name) => ({
    curve: make(chart.data, "path", { class: `curve ${name}` }),
    dot: make(chart.front, "circle", { class: `dot ${name}`, r: 5 }),
  }));
  const factShift = facts(right, { right: "moved right", diagonal: "right and down" });

  // hands
  for (const [name, parts] of pulled) {
    const box = () => view.get(name);
    const put = (next) => view.change({ [name]: next });
    draggable(parts.body, sheet, ([x, y]) => {
      const before = box();
      return (p) => put(moved(before, p[0] - x, p[1] - y, SIDE));
    });
    const by = (dx, dy) => put(moved(box(), dx, dy, SIDE));
    steerable(parts.body, 1, (dx, dy) => by(dx, -dy), {
      Home: () => by(-SIDE, 0),
      End: () => by(SIDE, 0),
      PageUp: () => by(0, -SIDE),
      PageDown: () => by(0, SIDE),
    });
  }
  // above both bodies, so that a box that lies upon another does not hide its corners
  const corners = pulled.flatMap(([name]) =>
    CORNERS.map(([i, j, words]) => {
      const node = words
        ? grip(sheet.front, `${words} of ${name}: drag it, or use the arrow keys`)
        : make(sheet.front, "g", { class: "handle", "aria-hidden": "true" });
      node.classList.add(`accent-${LOOKS[name]}`);
      make(node, "circle", { class: "hit", r: 13 });
      make(node, "circle", { class: "ring", r: 11 });
      make(node, "circle", { class: "knob", r: 5.5 });
      const go = (x, y) => view.change({ [name]: resized(view.get(name), [i, j], [x, y], SIDE) });
      const at = () => [view.get(name)[i], view.get(name)[j]];
      draggable(node, sheet, () => (p) => go(...p));
      steerable(node, 1, (dx, dy) => go(at()[0] + dx, at()[1] - dy), {
        Home: () => go(0, at()[1]),
        End: () => go(SIDE, at()[1]),
        PageUp: () => go(at()[0], 0),
        PageDown: () => go(at()[0], SIDE),
      });
      return [node, name, i, j];
    }),
  );

  return view.start(() => {
    const state = view.state(["truth", "answer", "shift"]);
    const { truth, answer, shift } = state;
    const shown = numbers(state);
    for (const [name, { body, rect, label }] of pulled) {
      const [x1, y1, x2, y2] = state[name];
      const [width, height] = [(x2 - x1) * sheet.kx, (y2 - y1) * sheet.kx];
      const size = `${show(x2 - x1, 0)} × ${show(y2 - y1, 0)}`;
      place(body, px(x1), py(y1), [0, SIDE, x1], `x ${show(x1, 0)}, y ${show(y1, 0)}, ${size} pixels`);
      set(rect, { width, height });
      if (name === "truth") set(label, { x: 9, y: 20 });
      else set(label, { x: width - 9, y: height - 11, "text-anchor": "end" });
    }
    for (const [node, name, i, j] of corners) {
      const [x, y] = [state[name][i], state[name][j]];
      place(node, px(x), py(y), [0, SIDE, x], `x ${show(x, 0)}, y ${show(y, 0)}`);
    }
    lay(sheet, both, shared(truth, answer));
    lay(
      sheet,
      ghost,
      truth.map((value) => value + shift),
    );
    showLedger([shown.iou, ...[truth, answer].map((box) => (area(box) - shown.intersection) / shown.union)]);
    for (const key of ["intersection", "union"]) fact(key, shown[key], `${show(shown[key], 0)} px²`);
    fact("iou", shown.iou, show(shown.iou));
    showShift(shift, { text: `${show(shift, 0)} px` });
    const steps = Array.from({ length: 65 }, (_, k) => limits[0] + ((limits[1] - limits[0]) * k) / 64);
    costs.forEach(({ curve, dot }, k) => {
      set(curve, { d: chart.path(steps.map((d) => [d, shifted(truth, d)[k]])) });
      set(dot, { cx: chart.px(shift), cy: chart.py(shifted(truth, shift)[k]) });
    });
    factShift("right", shown.right, show(shown.right));
    factShift("diagonal", shown.diagonal, show(shown.diagonal));
    view.say(`IoU ${show(shown.iou)}: ${show(shown.intersection, 0)} of ${show(shown.union, 0)} square pixels`);
  }, ["truth", "answer", "shift"]);
}
export default { render };
