// One neuron on points of the plane: z = w·x + b, output f(z), class 1 where z > 0.
import { ACTIVATIONS } from "./js/activations.js";
import { choice, facts, slider } from "./js/controls.js";
import { make, reveal, set, uid } from "./js/dom.js";
import { draggable, handle, place, steerable } from "./js/hands.js";
import { hero } from "./js/hero.js";
import { clamp, round } from "./js/math.js";
import { arrow, drawLine, marker, plane, straight } from "./js/plane.js";
import { show, signed } from "./js/text.js";

/** The same numbers as neuron() in neuron_playground.py. */
export function numbers({ points, labels, w, b }) {
  const wrong = points.map(([x1, x2], i) => (w[0] * x1 + w[1] * x2 + b > 0 ? 1 : 0) !== labels[i]);
  const mistakes = wrong.filter(Boolean).length;
  return { wrong, mistakes, accuracy: (points.length - mistakes) / points.length };
}

/**
 * The output over the plane, which changes along w only: places between −reach·n and reach·n, from 0 to 1, and
 * the share of `span` there. Two places stand side by side at z = 0, where the step function jumps.
 */
export function shades({ w, b, activation }, { VIEW, ALPHA, SPANS }) {
  const f = ACTIVATIONS[activation][0];
  const span = SPANS[activation];
  const reach = VIEW * Math.SQRT2;
  const norm = Math.hypot(...w);
  const n = norm ? [w[0] / norm, w[1] / norm] : [1, 0];
  const zero = norm ? clamp(-b / norm / reach, -1, 1) : 1;
  const along = Array.from({ length: 50 }, (_, i) => (2 * i) / 49 - 1);
  along.push(zero - 1e-6, zero + 1e-6);
  const stops = along
    .toSorted((p, q) => p - q)
    .map((at) => [(at + 1) / 2, clamp(f(norm * at * reach + b, ALPHA) / span, -1, 1)]);
  return { span, ends: [-1, 1].map((sign) => n.map((value) => sign * reach * value)), stops };
}

/** A gradient along w; returns a function that shows shades. */
function shader(area) {
  const gradient = make(area.svg, "linearGradient", { id: uid("output"), gradientUnits: "userSpaceOnUse" });
  const nodes = Array.from({ length: 52 }, () => make(gradient, "stop"));
  const field = make(area.ground, "rect", { ...area.box, fill: `url(#${gradient.id})` });
  return ({ span, ends: [from, to], stops }) => {
    set(gradient, { x1: area.px(from[0]), y1: area.py(from[1]), x2: area.px(to[0]), y2: area.py(to[1]) });
    stops.forEach(([offset, share], i) => {
      set(nodes[i], {
        offset,
        "stop-color": `var(--dll-${share < 0 ? "orange" : "blue"})`,
        "stop-opacity": 0.4 * Math.abs(share),
      });
    });
    field.dataset.span = span;
    return span;
  };
}

/** The meaning of the shades: a bar from −span to span. */
function legend(parent) {
  const svg = make(parent, "svg", { viewBox: "0 0 400 40", "aria-hidden": "true" });
  const gradient = make(svg, "linearGradient", { id: uid("bar") });
  for (const [offset, color, opacity] of [
    [0, "orange", 0.4],
    [0.5, "orange", 0],
    [0.5, "blue", 0],
    [1, "blue", 0.4],
  ]) {
    make(gradient, "stop", { offset, "stop-color": `var(--dll-${color})`, "stop-opacity": opacity });
  }
  make(svg, "text", { x: 50, y: 19 }, "output f(z)");
  make(svg, "rect", { x: 150, y: 7, width: 220, height: 14, style: `fill: url(#${gradient.id})`, class: "frame" });
  const ticks = [150, 260, 370].map((x) => make(svg, "text", { x, y: 37, "text-anchor": "middle", class: "quiet" }));
  return (span) =>
    [-span, 0, span].forEach((value, i) => {
      ticks[i].textContent = (span > 1 && value ? (value < 0 ? "≤ " : "≥ ") : "") + show(value, 0);
    });
}

function render({ model, el }) {
  const view = hero(model, el, "Neuron playground");
  const { VIEW, w: rangeW, b: rangeB, activation: functions } = view.constants;
  const [one, zero] = [view.get("class_names")[1], view.get("class_names")[0]];
  const left = view.panel();
  const area = plane(left, "Points, boundary and weight vector", [-VIEW, VIEW], [-VIEW, VIEW], {
    ticks: [
      [-3, -2, -1, 0, 1, 2, 3],
      [-3, -2, -1, 0, 1, 2, 3],
    ],
    names: view.get("feature_names").map((name, i) => `${["x₁", "x₂"][i]} · ${name}`),
  });
  const shade = shader(area);
  const setLegend = legend(left);
  make(area.ground, "path", {
    class: "axis",
    d:
      area.path([
        [-VIEW, 0],
        [VIEW, 0],
      ]) +
      area.path([
        [0, -VIEW],
        [0, VIEW],
      ]),
  });
  const cloud = make(area.data, "g");
  const boundary = make(area.data, "line", { class: "boundary" });
  const grip = make(area.data, "line", { class: "grip" });
  const shaft = make(area.front, "path", { class: "curve", stroke: "var(--dll-green)" });
  const bias = handle(area.front, "bias b: drag the boundary, or use the arrow keys", "diamond");
  const tip = handle(area.front, "weights w: left and right change w₁, up and down change w₂");
  tip.classList.add("accent-green");
  const names = [bias, tip].map((node, i) => make(node, "text", { class: "halo", x: 14, y: -10 }, "bw"[i]));

  const right = view.panel();
  const fact = facts(right, { accuracy: "accuracy", mistakes: "mistakes" });
  const formula = make(right, "p", { class: "formula" });
  const setW = (w) => view.change({ w: w.map((value) => round(clamp(value, ...rangeW))) });
  const setB = (b) => view.change({ b: round(clamp(b, ...rangeB)) });
  const showActivation = choice(right, "activation f", functions, (activation) => view.change({ activation }));
  const showW1 = slider(right, "w₁", "weight w₁", [...rangeW, 0.05], (value) => setW([value, view.get("w")[1]]));
  const showW2 = slider(right, "w₂", "weight w₂", [...rangeW, 0.05], (value) => setW([view.get("w")[0], value]));
  const showB = slider(right, "b", "bias b", [...rangeB, 0.05], setB);
  const note = make(right, "p", { class: "note" });

  draggable(tip, area, (start) => {
    const w = view.get("w");
    return (p) => setW([w[0] + p[0] - start[0], w[1] + p[1] - start[1]]);
  });
  steerable(tip, 0.05, (dx, dy) => setW([view.get("w")[0] + dx, view.get("w")[1] + dy]), {
    Home: () => setW([rangeW[0], view.get("w")[1]]),
    End: () => setW([rangeW[1], view.get("w")[1]]),
    PageDown: () => setW([view.get("w")[0], rangeW[0]]),
    PageUp: () => setW([view.get("w")[0], rangeW[1]]),
  });
  const shift = (start) => {
    const [w, b] = [view.get("w"), view.get("b")];
    return (p) => setB(b - w[0] * (p[0] - start[0]) - w[1] * (p[1] - start[1]));
  };
  draggable(bias, area, shift);
  draggable(grip, area, shift);
  steerable(bias, 0.05, (dx, dy) => setB(view.get("b") + dx + dy), {
    Home: () => setB(rangeB[0]),
    End: () => setB(rangeB[1]),
  });

  let rings = [];
  function drawPoints() {
    cloud.replaceChildren();
    rings = view.get("points").map(([x1, x2], i) => {
      const spot = make(cloud, "g", { transform: `translate(${area.px(x1)} ${area.py(x2)})` });
      marker(spot, view.get("labels")[i], 5);
      return make(spot, "circle", { class: "mistake", r: 9 });
    });
  }
  drawPoints();

  return view.start(() => {
    const [w, b, activation] = [view.get("w"), view.get("b"), view.get("activation")];
    const given = { points: view.get("points"), labels: view.get("labels") };
    const { wrong, mistakes, accuracy } = numbers({ ...given, w, b });
    setLegend(shade(shades({ w, b, activation }, view.constants)));
    wrong.forEach((is, i) => reveal(rings[i], is));
    const line = straight(w, b, [0, 0]);
    drawLine(area, [boundary, grip], line);
    const [fx, fy] = line ? line.foot : [0, 0];
    const inside = Math.max(Math.abs(fx), Math.abs(fy)) / VIEW;
    const shrink = inside > 1 ? 1 / inside : 1; // a boundary out of sight leaves its knob at the edge
    place(bias, area.px(fx * shrink), area.py(fy * shrink), [...rangeB, b], `b = ${show(b)}`);
    reveal(bias, line);
    set(shaft, { d: arrow([area.px(0), area.py(0)], [area.px(w[0]), area.py(w[1])]) });
    place(tip, area.px(w[0]), area.py(w[1]), [...rangeW, w[0]], `w₁ = ${show(w[0])}, w₂ = ${show(w[1])}`);
    set(names[0], { x: w[0] > 0 ? -24 : 14 });
    showActivation(activation);
    showW1(w[0]);
    showW2(w[1]);
    showB(b);
    fact("accuracy", accuracy, `${show(100 * accuracy, 0)} %`);
    fact("mistakes", mistakes, `${mistakes} of ${wrong.length}`);
    formula.textContent = `z = ${show(w[0])} x₁${signed(w[1])} x₂${signed(b)}`;
    const rule = `Blue circles are “${one}”, orange squares “${zero}”; the neuron says “${one}” where z > 0. Rings mark mistakes.`;
    note.textContent = line
      ? rule
      : `w = (0, 0): there is no boundary, every point gets the same answer. Drag the tip of w.`;
    view.say(`${mistakes} mistakes of ${wrong.length}, accuracy ${show(100 * accuracy, 0)} percent`);
  }, ["w", "b", "activation"]);
}
export default { render };
