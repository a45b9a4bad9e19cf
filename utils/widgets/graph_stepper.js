// A graph that the engine recorded: one step computes a value or passes a gradient back.
import { button, buttons, slider } from "./js/controls.js";
import { make, set } from "./js/dom.js";
import { hero } from "./js/hero.js";
import { clamp, sigmoid, softplus } from "./js/math.js";
import { show } from "./js/text.js";

const [DX, DY] = [168, 96]; // from node to node
const [BOX_W, BOX_H] = [112, 74];

/** Each operation: operands → [value, local derivative to each operand]. */
const UNARY = {
  "-": (a) => [-a, [-1]],
  exp: (a) => [Math.exp(a), [Math.exp(a)]],
  log: (a) => [Math.log(a), [1 / a]],
  sqrt: (a) => [Math.sqrt(a), [1 / (2 * Math.sqrt(a))]],
  abs: (a) => [Math.abs(a), [Math.sign(a)]],
  relu: (a) => [Math.max(a, 0), [a > 0 ? 1 : 0]],
  tanh: (a) => [Math.tanh(a), [1 - Math.tanh(a) ** 2]],
  sigmoid: (a) => [sigmoid(a), [sigmoid(a) * (1 - sigmoid(a))]],
  softplus: (a) => [softplus(a), [sigmoid(a)]],
};
const BINARY = {
  "+": (a, b) => [a + b, [1, 1]],
  "-": (a, b) => [a - b, [1, -1]],
  "×": (a, b) => [a * b, [b, a]],
  "/": (a, b) => [a / b, [1 / b, -a / b ** 2]],
  maximum: (a, b) => [Math.max(a, b), a === b ? [0.5, 0.5] : a > b ? [1, 0] : [0, 1]],
};
const power = (n) => (a) => [a ** n, [n ? n * a ** (n - 1) : 0]];

function rule(op, count) {
  if (op.startsWith("^")) return power(Number(op.slice(1)));
  return (count === 1 ? UNARY : BINARY)[op];
}

/**
 * What is known after `step` steps; the same numbers as replay() in graph_stepper.py at the end.
 * `shares` are the gradients that the node `active` has just passed to its operands.
 */
export function walk(graph, inputs, step) {
  const values = [];
  const locals = [];
  let used = 0;
  graph.forEach(([, op, parents, constant], i) => {
    if (op === "input") values.push(inputs[used++]);
    else if (op === "constant") values.push(constant);
    else [values[i], locals[i]] = rule(op, parents.length)(...parents.map((p) => values[p]));
  });
  const operations = graph.flatMap(([, , parents], i) => (parents.length ? [i] : []));
  const m = operations.length;
  const known = graph.map(([, , parents], i) => !parents.length || operations.indexOf(i) < step);
  const waits = graph.map((_, i) =>
    graph.reduce((sum, [, , parents]) => sum + parents.filter((p) => p === i).length, 0),
  );
  const gradients = graph.map(() => null);
  if (step > m) gradients[graph.length - 1] = 1;
  let shares = [];
  const passed = operations.toReversed().slice(0, Math.max(0, step - m - 1));
  for (const i of passed) {
    const parents = graph[i][2];
    shares = locals[i].map((d) => d * gradients[i]);
    parents.forEach((p, k) => {
      waits[p] -= 1;
      if (graph[p][1] !== "constant") gradients[p] = (gradients[p] ?? 0) + shares[k];
    });
  }
  const forward = step <= m;
  const active = forward ? operations[step - 1] : (passed[passed.length - 1] ?? graph.length - 1);
  return { values, locals, known, gradients, shares, waits, active, forward, m, last: 2 * m + 1 };
}

const SUPERSCRIPT = { "-": "⁻", ".": "·", ...Object.fromEntries(Array.from("⁰¹²³⁴⁵⁶⁷⁸⁹", (c, i) => [i, c])) };

/** An operation written with its operands: a × b, relu(d), σ(z). */
export function written(op, names) {
  if (op.startsWith("^")) return names[0] + Array.from(op.slice(1), (c) => SUPERSCRIPT[c]).join("");
  if (names.length === 2 && op !== "maximum") return `${names[0]} ${op === "-" ? "−" : op} ${names[1]}`;
  const shown = { "-": "−", sigmoid: "σ" }[op] ?? op;
  return `${shown}(${names.join(", ")})`;
}
const bracket = (value) => (value < 0 ? `(${show(value)})` : show(value));

/** The present step in a sentence. */
export function explain(graph, state, step) {
  const { values, locals, gradients, shares, active, forward, m } = state;
  if (step === 0) return "Only the inputs are known.";
  const [name, op, parents] = graph[active];
  if (forward) {
    const numbers = written(
      op,
      parents.map((p) => bracket(values[p])),
    );
    return `Forward: ${name} = ${written(
      op,
      parents.map((p) => graph[p][0]),
    )} = ${numbers} = ${show(values[active])}`;
  }
  if (step === m + 1) return `Backward starts: ∂${name}/∂${name} = 1.`;
  const parts = parents.map((p, k) =>
    graph[p][1] === "constant"
      ? ""
      : `to ${graph[p][0]}: ${bracket(gradients[active])} × ${bracket(locals[active][k])} = ${show(shares[k])}`,
  );
  return `Backward: ${name} passes upstream × local derivative ${parts.filter(Boolean).join("; ")}`;
}

function render({ model, el }) {
  const view = hero(model, el, "Graph stepper");
  const graph = view.get("graph");
  const [columns, rows] = [4, 5].map((k) => Math.max(...graph.map((node) => node[k])) + 1);
  const stage = view.panel();
  stage.classList.add("wide");
  const svg = make(stage, "svg", {
    viewBox: `0 0 ${columns * DX} ${rows * DY}`,
    role: "group",
    tabindex: 0,
    "aria-label": "The graph; arrow keys step forward and back, Home restarts, End shows all",
    style: `max-width: ${columns * DX}px`,
  });
  const at = (node) => [(node[4] + 0.5) * DX, (node[5] + 0.5) * DY];

  const edges = graph.flatMap((node, to) =>
    node[2].map((from, k) => {
      const [[x0, y0], [x1, y1]] = [at(graph[from]), at(node)];
      const [a, b] = [x0 + BOX_W / 2, x1 - BOX_W / 2];
      const twin = node[2].indexOf(from) !== node[2].lastIndexOf(from) ? (k ? 14 : -14) : 0;
      const middle = (a + b) / 2;
      const path = make(svg, "path", {
        d: `M${a} ${y0}C${middle} ${y0 + twin} ${middle} ${y1 + twin} ${b} ${y1}`,
        fill: "none",
      });
      return { from, to, k, path, text: [middle, (y0 + y1) / 2 + twin - 6] };
    }),
  );
  const boxes = graph.map((node) => {
    const [x, y] = at(node);
    const group = make(svg, "g", { transform: `translate(${x} ${y})`, "text-anchor": "middle" });
    const box = make(group, "rect", {
      x: -BOX_W / 2,
      y: -BOX_H / 2,
      width: BOX_W,
      height: BOX_H,
      rx: 9,
      fill: "var(--dll-paper)",
    });
    const own = written(
      node[1],
      node[2].map((p) => graph[p][0]),
    );
    make(group, "text", { y: -17, "font-weight": 600 }, node[2].length ? `${node[0]} = ${own}` : node[0]);
    const constant = node[1] === "constant";
    const name = constant ? {} : { "data-name": node[0] };
    const slope = constant ? {} : { "data-name": `∂${node[0]}` };
    return {
      box,
      value: make(group, "text", { class: "value", y: 5, ...name }),
      gradient: make(group, "text", { class: "gradient", y: 27, ...slope }),
    };
  });
  const labels = edges.map(({ text: [x, y] }) =>
    make(svg, "text", { class: "halo gradient", x, y, "text-anchor": "middle" }),
  );

  const sentence = make(stage, "p", { class: "note" });
  const last = walk(graph, view.get("inputs"), 0).last;
  const go = (step) => view.change({ step: clamp(step, 0, last) });
  const moves = {
    restart: () => go(0),
    "◀ back": () => go(view.get("step") - 1),
    "step ▶": () => go(view.get("step") + 1),
    "show all": () => go(last),
  };
  const bar = buttons(stage);
  const pushed = Object.entries(moves).map(([name, act]) => button(bar, name, act, { class: "native" }));
  const counter = make(bar, "span", { class: "quiet" });
  svg.addEventListener("keydown", (event) => {
    const act = {
      ArrowRight: moves["step ▶"],
      ArrowLeft: moves["◀ back"],
      Home: moves.restart,
      End: moves["show all"],
    }[event.key];
    if (!act) return;
    act();
    event.preventDefault();
  });

  const controls = view.panel("Change the inputs");
  controls.classList.add("wide");
  const columnsOfSliders = make(controls, "div", { class: "grid" });
  const names = graph.filter((node) => node[1] === "input").map((node) => node[0]);
  const sliders = names.map((name, k) =>
    slider(columnsOfSliders, name, `input ${name}`, [...view.constants.LIMITS, 0.05], (value) =>
      view.change({ inputs: view.get("inputs").map((old, i) => (i === k ? value : old)) }),
    ),
  );

  return view.start(() => {
    const [inputs, step] = ["inputs", "step"].map(view.get);
    const state = walk(graph, inputs, step);
    const passing = !state.forward && step > state.m + 1;
    boxes.forEach(({ box, value, gradient }, i) => {
      const here = step > 0 && i === state.active;
      const accent = state.forward ? "var(--dll-blue)" : "var(--dll-orange)";
      set(box, {
        stroke: here ? accent : "var(--dll-quiet)",
        "stroke-width": here ? 3.5 : 1.5,
        "stroke-dasharray": state.known[i] ? "none" : "4 4",
      });
      const g = state.gradients[i];
      value.textContent = state.known[i] ? show(state.values[i]) : "?";
      value.dataset.value = String(state.known[i] ? state.values[i] : NaN);
      gradient.textContent = g === null ? "" : `∂ ${show(g)}${state.waits[i] ? " + …" : ""}`;
      gradient.dataset.value = String(g ?? NaN);
    });
    edges.forEach(({ to, k, path }, i) => {
      const here = step > 0 && to === state.active && (state.forward || passing);
      const back = here && passing && graph[edges[i].from][1] !== "constant";
      set(path, {
        stroke: back ? "var(--dll-orange)" : here && state.forward ? "var(--dll-blue)" : "var(--dll-quiet)",
        "stroke-width": here ? 3.5 : 1.5,
        "stroke-opacity": here ? 1 : 0.6,
      });
      labels[i].textContent = back ? `◂ ${show(state.shares[k])}` : "";
    });
    sentence.textContent = explain(graph, state, step);
    counter.textContent = `step ${step} of ${last}`;
    pushed.forEach((node, i) => set(node, { "aria-disabled": step === (i < 2 ? 0 : last) }));
    sliders.forEach((fill, k) => fill(inputs[k]));
    view.say(sentence.textContent);
  }, ["inputs", "step"]);
}
export default { render };
