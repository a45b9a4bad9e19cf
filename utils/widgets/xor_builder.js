// Two step neurons and an output neuron against XOR: hⱼ = step(wⱼ·x + bⱼ), y = step(v·h + c).
import { facts, slider } from "./js/controls.js";
import { make, reveal, set, uid } from "./js/dom.js";
import { draggable, handle, place, steerable } from "./js/hands.js";
import { hero } from "./js/hero.js";
import { clamp, round } from "./js/math.js";
import { arrow, drawLine, marker, plane, straight } from "./js/plane.js";
import { show } from "./js/text.js";

const ARROW = 0.3; // an arrow is drawn this much shorter than w
const COLORS = ["green", "pink"];

const step = (z) => (z > 0 ? 1 : 0);

/** The same numbers as xor_network() in xor_builder.py, and how many corners come out right. */
export function numbers({ w, b, v, c }, { CORNERS, TARGETS }) {
  const h = CORNERS.map(([x1, x2]) => w.map((wj, j) => step(wj[0] * x1 + wj[1] * x2 + b[j])));
  const y = h.map(([h1, h2]) => step(v[0] * h1 + v[1] * h2 + c));
  return { h, y, right: y.filter((value, i) => value === TARGETS[i]).length };
}

/** The part of a convex polygon where sign·(w·x + b) > 0 (Sutherland and Hodgman 1974). */
function cut(polygon, w, b, sign) {
  const height = ([x1, x2]) => sign * (w[0] * x1 + w[1] * x2 + b);
  return polygon.flatMap((p, i) => {
    const q = polygon[(i + 1) % polygon.length];
    const [hp, hq] = [height(p), height(q)];
    const t = hp / (hp - hq);
    const crossing = hp > 0 !== hq > 0 ? [[p[0] + t * (q[0] - p[0]), p[1] + t * (q[1] - p[1])]] : [];
    return hp > 0 ? [p, ...crossing] : crossing;
  });
}

/** The part of a polygon where the step neuron (w, b) answers `on`. */
const cutOrAll = (polygon, w, b, on) => cut(polygon, w, b, on ? 1 : -1);

const square = ([low, high]) => [
  [low, low],
  [high, low],
  [high, high],
  [low, high],
];

/**
 * Polygons: where each hidden neuron is 1, where y is 1 among the inputs, and where it is among the hidden values.
 * Each of the four cells between the lines has one (h₁, h₂), and so one y.
 */
export function regions({ w, b, v, c }, { CORNERS, VIEW }) {
  const all = square(VIEW);
  return {
    halves: w.map((wj, j) => cut(all, wj, b[j], 1)),
    inputs: CORNERS.filter(([h1, h2]) => step(v[0] * h1 + v[1] * h2 + c)).map((on) =>
      on.reduce((polygon, hj, j) => cutOrAll(polygon, w[j], b[j], hj), all),
    ),
    hidden: cut(all, v, c, 1),
  };
}

/** Slanted lines, so that the region where y = 1 shows without color. */
function hatch(area) {
  const pattern = make(area.svg, "pattern", {
    id: uid("hatch"),
    width: 9,
    height: 9,
    patternUnits: "userSpaceOnUse",
    patternTransform: "rotate(45)",
  });
  make(pattern, "rect", { width: 9, height: 9, fill: "var(--dll-blue)", "fill-opacity": 0.16 });
  make(pattern, "rect", { width: 2, height: 9, fill: "var(--dll-blue)", "fill-opacity": 0.5 });
  return `url(#${pattern.id})`;
}

/** Four marked points; returns a function that rings those answered wrongly. */
function corners(area, where, TARGETS) {
  const rings = where.map((p, i) => {
    const node = make(area.front, "g", {
      transform: `translate(${area.px(p[0])} ${area.py(p[1])})`,
      "pointer-events": "none",
    });
    marker(node, TARGETS[i], 8);
    return { node, ring: make(node, "circle", { class: "mistake", r: 14 }) };
  });
  return (y, places = where) =>
    rings.forEach(({ node, ring }, i) => {
      set(node, { transform: `translate(${area.px(places[i][0])} ${area.py(places[i][1])})` });
      reveal(ring, y[i] !== TARGETS[i]);
    });
}

/** The 2-2-1 network with a number at every edge; returns a function that writes the numbers. */
function diagram(parent) {
  const svg = make(parent, "svg", {
    viewBox: "0 0 300 300",
    role: "img",
    "aria-label": "The network: two inputs, two hidden neurons, one output",
  });
  const nodes = { "x₁": [28, 80], "x₂": [28, 210], "h₁": [150, 80], "h₂": [150, 210], y: [258, 145] };
  const links = [
    ["x₁", "h₁", 0.5],
    ["x₂", "h₁", 0.22],
    ["x₁", "h₂", 0.22],
    ["x₂", "h₂", 0.5],
    ["h₁", "y", 0.42],
    ["h₂", "y", 0.42],
  ];
  const lines = links.map(([from, to]) =>
    make(svg, "line", { x1: nodes[from][0], y1: nodes[from][1], x2: nodes[to][0], y2: nodes[to][1] }),
  );
  const texts = links.map(([from, to, t]) =>
    make(svg, "text", {
      class: "halo",
      "text-anchor": "middle",
      x: nodes[from][0] + t * (nodes[to][0] - nodes[from][0]),
      y: nodes[from][1] + t * (nodes[to][1] - nodes[from][1]) + 4,
    }),
  );
  const colors = { "h₁": "var(--dll-green)", "h₂": "var(--dll-pink)" };
  for (const [name, [x, y]] of Object.entries(nodes)) {
    make(svg, "circle", {
      cx: x,
      cy: y,
      r: 20,
      fill: "var(--dll-paper)",
      stroke: colors[name] || "var(--dll-quiet)",
      "stroke-width": 2.5,
    });
    make(svg, "text", { class: "name", x, y: y + 5, "text-anchor": "middle" }, name);
  }
  const biases = ["h₁", "h₂", "y"].map((name, i) =>
    make(svg, "text", {
      class: "quiet",
      "text-anchor": "middle",
      x: nodes[name][0],
      y: nodes[name][1] + (i === 0 ? -30 : 40),
    }),
  );
  return (weights, constants) => {
    weights.forEach((weight, i) => {
      set(lines[i], {
        stroke: `var(--dll-${weight < 0 ? "orange" : "blue"})`,
        "stroke-width": (1 + 2.5 * Math.abs(weight)).toFixed(2),
        "stroke-dasharray": weight < 0 ? "7 7" : "none",
        "stroke-opacity": weight ? 0.75 : 0.2,
      });
      texts[i].textContent = show(weight);
    });
    constants.forEach((constant, i) => {
      biases[i].textContent = `${"bbc"[i]}${["₁", "₂", ""][i]} = ${show(constant)}`;
    });
  };
}

function table(parent, { CORNERS, TARGETS }) {
  const node = make(parent, "table");
  const head = make(make(node, "thead"), "tr");
  for (const name of ["x₁", "x₂", "h₁", "h₂", "y", "XOR", ""]) make(head, "th", { scope: "col" }, name);
  const body = make(node, "tbody");
  const rows = CORNERS.map(() => {
    const row = make(body, "tr");
    return Array.from({ length: 7 }, () => make(row, "td"));
  });
  return (h, y) =>
    rows.forEach((cells, i) => {
      const ok = y[i] === TARGETS[i];
      [...CORNERS[i], ...h[i], y[i], TARGETS[i], ok ? "✔" : "✘"].forEach((value, k) => {
        cells[k].textContent = value;
      });
      set(cells[6], { "aria-label": ok ? "right" : "wrong" });
    });
}

function render({ model, el }) {
  const view = hero(model, el, "XOR builder");
  const { CORNERS, TARGETS, VIEW, w: rangeW, b: rangeB, v: rangeV, c: rangeC } = view.constants;
  const KEYS = ["w", "b", "v", "c"];
  const options = {
    width: 300,
    height: 300,
    ticks: [
      [0, 1],
      [0, 1],
    ],
  };
  const inputs = plane(view.panel("What goes in"), "Input space with two lines", VIEW, VIEW, {
    ...options,
    names: ["x₁", "x₂"],
  });
  const writeDiagram = diagram(view.panel("The network"));
  const hidden = plane(view.panel("What the output neuron sees"), "Hidden space with one line", VIEW, VIEW, {
    ...options,
    names: ["h₁", "h₂"],
  });

  const result = view.panel();
  result.classList.add("wide");
  const fact = facts(result, { right: "right" });
  const fill = table(result, view.constants);
  make(
    result,
    "p",
    { class: "note" },
    "A neuron is 1 where its weighted sum is above 0: on the side its arrow points to. Striped: where y is 1. Rings mark mistakes.",
  );

  const fills = [inputs, hidden].map((area) => ({ fill: hatch(area), "pointer-events": "none" }));
  const halves = COLORS.map((color) =>
    make(inputs.ground, "path", { fill: `var(--dll-${color})`, "fill-opacity": 0.1 }),
  );
  const regionPaths = [inputs, hidden].map((area, i) => make(area.ground, "path", fills[i]));
  const verdicts = make(hidden.data, "line", { class: "boundary" });

  const setNeuron = (j, wj, bj) => {
    const w = view.get("w").map((row) => [...row]);
    const b = [...view.get("b")];
    w[j] = wj.map((value) => round(clamp(value, ...rangeW)));
    b[j] = round(clamp(bj, ...rangeB));
    view.change({ w, b });
  };
  const lineOf = (j) => straight(view.get("w")[j], view.get("b")[j], [0.5, 0.5]);
  const footOf = (j) => (lineOf(j)?.foot ?? [0.5, 0.5]).map((value) => clamp(value, ...VIEW));

  /** Turn neuron j about the foot of its arrow. */
  const turn = (j, foot, wj) => {
    const [w1, w2] = wj.map((value) => clamp(value, ...rangeW));
    setNeuron(j, [w1, w2], lineOf(j) ? -w1 * foot[0] - w2 * foot[1] : view.get("b")[j]);
  };
  const neurons = COLORS.map((color, j) => {
    const stroke = `var(--dll-${color})`;
    const sub = "₁₂"[j];
    const line = make(inputs.data, "line", { stroke, "stroke-width": 3, "stroke-dasharray": j ? "9 5" : "none" });
    const grip = make(inputs.data, "line", { class: "grip" });
    const shaft = make(inputs.front, "path", { class: "curve", stroke });
    const knob = handle(inputs.front, `bias of h${sub}: drag the line, or use the arrow keys`, "diamond");
    const tip = handle(inputs.front, `weights of h${sub}: left and right change the first, up and down the second`);
    for (const node of [knob, tip]) node.classList.add(`accent-${color}`);
    make(tip, "text", { class: "halo", x: 11, y: -9 }, `h${sub}`);
    const shift = (start) => {
      const [wj, bj] = [view.get("w")[j], view.get("b")[j]];
      return (p) => setNeuron(j, wj, bj - wj[0] * (p[0] - start[0]) - wj[1] * (p[1] - start[1]));
    };
    const moveTo = (change) => setNeuron(j, view.get("w")[j], change(view.get("b")[j]));
    const turnTo = (change) => turn(j, footOf(j), change(view.get("w")[j]));
    draggable(grip, inputs, shift);
    draggable(knob, inputs, shift);
    steerable(knob, 0.05, (dx, dy) => moveTo((bj) => bj + dx + dy), {
      Home: () => moveTo(() => rangeB[0]),
      End: () => moveTo(() => rangeB[1]),
    });
    draggable(tip, inputs, (start) => {
      const [wj, foot] = [view.get("w")[j], footOf(j)];
      return (p) => turn(j, foot, [wj[0] + (p[0] - start[0]) / ARROW, wj[1] + (p[1] - start[1]) / ARROW]);
    });
    steerable(tip, 0.05, (dx, dy) => turnTo(([w1, w2]) => [w1 + dx, w2 + dy]), {
      Home: () => turnTo(([, w2]) => [rangeW[0], w2]),
      End: () => turnTo(([, w2]) => [rangeW[1], w2]),
      PageDown: () => turnTo(([w1]) => [w1, rangeW[0]]),
      PageUp: () => turnTo(([w1]) => [w1, rangeW[1]]),
    });
    return { line, grip, shaft, knob, tip };
  });
  const ringInputs = corners(inputs, CORNERS, TARGETS);
  const ringHidden = corners(hidden, CORNERS, TARGETS);

  const sliders = COLORS.map((color, j) => {
    const sub = "₁₂"[j];
    const panel = view.panel(`Hidden neuron h${sub}`);
    panel.classList.add(`accent-${color}`);
    const weight = (k) => (value) =>
      setNeuron(
        j,
        view.get("w")[j].map((old, i) => (i === k ? value : old)),
        view.get("b")[j],
      );
    return [
      slider(panel, `w${sub}₁`, `weight from x₁ to h${sub}`, [...rangeW, 0.05], weight(0)),
      slider(panel, `w${sub}₂`, `weight from x₂ to h${sub}`, [...rangeW, 0.05], weight(1)),
      slider(panel, `b${sub}`, `bias of h${sub}`, [...rangeB, 0.05], (value) => setNeuron(j, view.get("w")[j], value)),
    ];
  });
  const output = view.panel("Output neuron y");
  const setV = (k) => (value) => view.change({ v: view.get("v").map((old, i) => (i === k ? value : old)) });
  const showV = [0, 1].map((k) =>
    slider(output, `v${"₁₂"[k]}`, `weight from h${"₁₂"[k]} to y`, [...rangeV, 0.05], setV(k)),
  );
  const showC = slider(output, "c", "bias of y", [...rangeC, 0.05], (c) => view.change({ c }));

  return view.start(() => {
    const state = view.state(KEYS);
    const { w, b, v, c } = state;
    const { h, y, right } = numbers(state, view.constants);
    const where = regions(state, view.constants);
    neurons.forEach(({ line, grip, shaft, knob, tip }, j) => {
      drawLine(inputs, [line, grip], lineOf(j));
      halves[j].setAttribute("d", inputs.path(where.halves[j]));
      const foot = footOf(j);
      const end = foot.map((value, k) => value + ARROW * w[j][k]);
      const [from, to] = [foot, end].map((p) => [inputs.px(p[0]), inputs.py(p[1])]);
      shaft.setAttribute("d", arrow(from, to));
      place(knob, ...from, [...rangeB, b[j]], `b = ${show(b[j])}`);
      reveal(knob, lineOf(j));
      place(tip, ...to, [...rangeW, w[j][0]], `w = (${show(w[j][0])}, ${show(w[j][1])})`);
    });
    regionPaths[0].setAttribute("d", where.inputs.map(inputs.path).join(""));
    regionPaths[1].setAttribute("d", hidden.path(where.hidden));
    drawLine(hidden, [verdicts], straight(v, c, [0.5, 0.5]));
    ringInputs(y);
    // inputs that share a corner of the hidden space stand side by side
    ringHidden(
      y,
      h.map((p, i) => {
        const same = h.flatMap((q, k) => (q[0] === p[0] && q[1] === p[1] ? [k] : []));
        return [p[0] + 0.2 * (same.indexOf(i) - (same.length - 1) / 2), p[1]];
      }),
    );
    writeDiagram([w[0][0], w[0][1], w[1][0], w[1][1], ...v], [...b, c]);
    sliders.forEach((three, j) => [...w[j], b[j]].forEach((value, k) => three[k](value)));
    v.forEach((value, k) => showV[k](value));
    showC(c);
    fill(h, y);
    fact("right", right, `${right} of 4${right === 4 ? " ✔" : ""}`);
    view.say(`${right} of 4 right`);
  }, KEYS);
}
export default { render };
