// One recurrent neuron unrolled in time. unroll() knows nothing of the page.
import { button, buttons, facts, slider, wholeSlider } from "./js/controls.js";
import { make, reveal, set } from "./js/dom.js";
import { draggable, handle, place, pointer, steerable } from "./js/hands.js";
import { hero } from "./js/hero.js";
import { clamp, total } from "./js/math.js";
import { arrow } from "./js/plane.js";
import { show } from "./js/text.js";

/** The same numbers as unroll() in rnn_stepper.py. */
export function unroll({ inputs, w, u, b }) {
  const states = [];
  inputs.forEach((x, t) => states.push(Math.tanh(w * x + u * (t ? states[t - 1] : 0) + b)));
  const slopes = states.map((h) => 1 - h * h);
  const gradients = Array(inputs.length).fill(1);
  for (let t = inputs.length - 2; t >= 0; t -= 1) gradients[t] = gradients[t + 1] * slopes[t + 1] * u;
  const shares = gradients.map((g, t) => g * slopes[t] * (t ? states[t - 1] : 0));
  return { states, gradients, shares };
}

/** What is known after `step` steps, NaN elsewhere; the slope is ∂L/∂u as far as the steps back have summed it. */
export function numbers(given) {
  const { states, gradients, shares } = unroll(given);
  const steps = states.length;
  const step = Math.floor(given.step);
  const isBack = (t) => t >= 2 * steps - step;
  return {
    states: states.map((h, t) => (t < step ? h : NaN)),
    gradients: gradients.map((g, t) => (isBack(t) ? g : NaN)),
    slope: total(shares.filter((_, t) => isBack(t))),
  };
}

const SUB = "₀₁₂₃₄₅₆";
const column = (t) => 70 + 105 * t;
const [GRADIENT, STATE, INPUT, REACH] = [40, 120, 235, 35]; // heights, and half the way of an input

function render({ model, el }) {
  const view = hero(model, el, "Unrolled recurrent network");
  const { STEPS, inputs: limits, step: steps } = view.constants;
  const LIMIT = limits[1];
  const KEYS = ["inputs", "w", "u", "b", "step"];
  const top = view.panel();
  const svg = make(top, "svg", {
    viewBox: "0 0 660 300",
    role: "group",
    "aria-label": "the network, one column for each step of time",
  });
  const at = (event) => pointer(svg, event);
  const line = { fill: "none", "stroke-width": 2 };
  const columns = Array.from({ length: STEPS }, (_, t) => {
    const x = column(t);
    const g = make(svg, "g");
    make(g, "line", { class: "axis", x1: x, x2: x, y1: INPUT - REACH, y2: INPUT + REACH });
    make(g, "line", { class: "axis", x1: x - 10, x2: x + 10, y1: INPUT, y2: INPUT });
    make(g, "path", { ...line, stroke: "var(--dll-quiet)", d: arrow([x, INPUT - REACH - 6], [x, STATE + 24]) });
    make(g, "path", { ...line, stroke: "var(--dll-quiet)", d: arrow([x - 77, STATE], [x - 34, STATE]) });
    if (!t) make(g, "text", { class: "quiet", x: x - 62, y: STATE - 8, "text-anchor": "middle" }, "0");
    const box = make(g, "rect", {
      x: x - 32,
      y: STATE - 22,
      width: 64,
      height: 44,
      rx: 6,
      fill: "none",
      stroke: "var(--dll-quiet)",
      "stroke-width": 2,
    });
    const fill = make(g, "rect", { x: x - 30, width: 60, opacity: 0.45 });
    const state = make(g, "text", {
      class: "halo",
      x,
      y: STATE + 5,
      "text-anchor": "middle",
      "data-name": `h${t + 1}`,
    });
    make(g, "text", { class: "quiet", x: x + 36, y: STATE + 20 }, `h${SUB[t + 1]}`);
    const back = make(g, "g");
    make(back, "path", {
      ...line,
      stroke: "var(--dll-orange)",
      "stroke-dasharray": "5 4",
      d: arrow([x, STATE - 25], [x, GRADIENT + 10]),
    });
    if (t)
      make(back, "path", {
        ...line,
        stroke: "var(--dll-orange)",
        "stroke-dasharray": "5 4",
        d: arrow([x - 34, STATE - 12], [x - 71, STATE - 12]),
      });
    const gradient = make(back, "text", {
      x,
      y: GRADIENT,
      "text-anchor": "middle",
      "data-name": `g${t + 1}`,
      class: "gradient",
    });
    const label = make(g, "text", { x, y: INPUT + REACH + 24, "text-anchor": "middle" });
    const knob = handle(svg, `input x${SUB[t + 1]}`);
    const put = (value) =>
      view.change({ inputs: view.get("inputs").map((old, i) => (i === t ? clamp(value, ...limits) : old)) });
    const now = () => view.get("inputs")[t];
    draggable(knob, { at }, (from) => {
      const start = now();
      return (p) => put(Math.round(20 * (start + ((from[1] - p[1]) * LIMIT) / REACH)) / 20);
    });
    steerable(knob, 0.1, (dx, dy) => put(now() + dx + dy), { Home: () => put(limits[0]), End: () => put(LIMIT) });
    return { box, fill, state, back, gradient, label, knob };
  });

  const left = view.panel();
  const moves = { "|◀": () => steps[0], "◀": (s) => s - 1, "▶": (s) => s + 1, "▶|": () => steps[1] };
  const names = ["to the start", "one step back", "one step on", "to the end"];
  const bar = buttons(left);
  Object.entries(moves).forEach(([text, move], k) => {
    const act = () => view.change({ step: clamp(move(Math.floor(view.get("step"))), ...steps) });
    button(bar, text, act, { "aria-label": names[k] });
  });
  const showStep = wholeSlider(left, "step", "step", steps, (step) => view.change({ step }));
  const note = make(left, "p", { class: "note" });
  const right = view.panel();
  const weights = { w: "w, of the input", u: "u, of the state", b: "b, the bias" };
  const showWeight = Object.fromEntries(
    Object.entries(weights).map(([key, name]) => [
      key,
      slider(right, name, name, [...view.constants[key], 0.05], (value) => view.change({ [key]: value })),
    ]),
  );
  const fact = facts(right, { last: "last state h₆ = L", first: "∂L/∂h₁", slope: "∂L/∂u so far" });

  return view.start(() => {
    const given = view.state(KEYS);
    const { states, gradients, slope } = numbers(given);
    const step = Math.floor(given.step);
    columns.forEach(({ box, fill, state, back, gradient, label, knob }, t) => {
      const [h, g] = [states[t], gradients[t]];
      const known = !Number.isNaN(h);
      box.classList.toggle("now", step === t + 1 || step === 2 * STEPS - t);
      set(fill, {
        y: STATE - (h > 0 ? 20 * h : 0),
        height: known ? 20 * Math.abs(h) : 0,
        fill: `var(--dll-${h > 0 ? "blue" : "orange"})`,
      });
      state.textContent = known ? show(h) : "";
      state.dataset.value = String(h);
      reveal(back, !Number.isNaN(g));
      gradient.textContent = `∂ ${show(g)}`;
      gradient.dataset.value = String(g);
      const x = given.inputs[t];
      label.textContent = `x${SUB[t + 1]} = ${show(x, 1)}`;
      place(knob, column(t), INPUT - (REACH * x) / LIMIT, [...limits, x], show(x, 1));
    });
    showStep(step);
    for (const [key, showOne] of Object.entries(showWeight)) showOne(given[key]);
    const [last, first] = [states[STEPS - 1], gradients[0]];
    fact("last", last, Number.isNaN(last) ? "–" : show(last));
    fact("first", first, Number.isNaN(first) ? "–" : show(first, 3));
    fact("slope", slope, step > STEPS ? show(slope, 3) : "–");
    const t = step <= STEPS ? step : 2 * STEPS - step + 1;
    note.textContent =
      step === 0
        ? "The state before the first input is 0."
        : step <= STEPS
          ? `h${SUB[t]} = tanh(w x${SUB[t]} + u h${SUB[t - 1]} + b) = ${show(states[t - 1])}`
          : step === STEPS + 1
            ? "Back: ∂L/∂h₆ = 1, for L = h₆."
            : `∂L/∂h${SUB[t]} = ∂L/∂h${SUB[t + 1]} · (1 − h${SUB[t + 1]}²) · u = ${show(gradients[t - 1])}`;
    view.say(note.textContent);
  }, KEYS);
}
export default { render };
