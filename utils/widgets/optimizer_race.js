// Several optimizers on one loss surface. The functions above render() know nothing of the page.
import { button, buttons, choice, slider, wholeSlider } from "./js/controls.js";
import { make, reveal } from "./js/dom.js";
import { draggable, handle, place, steerable } from "./js/hands.js";
import { hero } from "./js/hero.js";
import { clamp, mean, round, sigmoid, softplus } from "./js/math.js";
import { plane } from "./js/plane.js";
import { address } from "./js/pixels.js";
import { player } from "./js/play.js";
import { show } from "./js/text.js";

const LOOKS = {
  descent: "var(--dll-blue)",
  momentum: "var(--dll-orange)",
  Nesterov: "var(--dll-green)",
  AdaGrad: "var(--dll-pink)",
  RMSProp: "var(--dll-gray)",
  Adam: "var(--dll-olive)",
};

/** The same numbers as loss() in optimizer_race.py. */
export function loss(surface, [w1, w2], { POINTS, TARGETS, DECAY, LOWEST_ON_DIGITS }) {
  if (surface === "ravine") return (w1 * w1 + 25 * w2 * w2) / 2;
  if (surface === "Rosenbrock") {
    const valley = w2 - w1 * w1;
    return ((1 - w1) * (1 - w1)) / 100 + valley * valley;
  }
  if (surface === "saddle") return (w1 * w1) / 2 + ((w2 * w2 - 1) * (w2 * w2 - 1)) / 4;
  const logistic = mean(POINTS.map(([x1, x2], i) => softplus(-TARGETS[i] * (w1 * x1 + w2 * x2))));
  return logistic + (DECAY * (w1 * w1 + w2 * w2)) / 2 - LOWEST_ON_DIGITS;
}

/** The same numbers as gradient() in optimizer_race.py; `examples` is a list of indices. */
function gradient(surface, [w1, w2], { POINTS, TARGETS, TILTS, DECAY }, examples) {
  if (surface === "digits") {
    const slopes = (examples ?? POINTS.map((_, i) => i)).map((i) => {
      const [[x1, x2], t] = [POINTS[i], TARGETS[i]];
      const slope = -t * sigmoid(-t * (w1 * x1 + w2 * x2));
      return [slope * x1, slope * x2];
    });
    return [w1, w2].map((w, axis) => mean(slopes.map((slope) => slope[axis])) + DECAY * w);
  }
  const valley = w2 - w1 * w1;
  const g = {
    ravine: [w1, 25 * w2],
    Rosenbrock: [(-2 * (1 - w1)) / 100 - 4 * w1 * valley, 2 * valley],
    saddle: [w1, w2 * (w2 * w2 - 1)],
  }[surface];
  return examples ? g.map((value, axis) => value + mean(examples.map((i) => TILTS[i][axis]))) : g;
}

/** Numbers from 0 to count − 1, the same ones each time: draws() in optimizer_race.py. */
function drawer(count, { MULTIPLIER, MODULUS }) {
  let state = 1;
  return () => {
    state = (state * MULTIPLIER) % MODULUS;
    return Math.floor((state * count) / MODULUS);
  };
}

/** One coordinate's step d of each optimizer, w ← w − d; `s` is what it remembers, t counts from 1, k is its own. */
const RULES = {
  descent: (g, s, t, a) => a * g,
  momentum: (g, s, t, a, mu) => a * (s.v = mu * s.v + g),
  Nesterov: (g, s, t, a, mu) => {
    s.v = mu * s.v + g;
    return a * (g + mu * s.v);
  },
  AdaGrad: (g, s, t, a, mu, k) => {
    s.r += g * g;
    return (a * g) / (Math.sqrt(s.r) + k.eps);
  },
  RMSProp: (g, s, t, a, mu, k) => {
    s.v = k.alpha * s.v + (1 - k.alpha) * (g * g);
    return (a * g) / (Math.sqrt(s.v) + k.eps);
  },
  Adam: (g, s, t, a, mu, { betas: [b1, b2], eps }) => {
    s.m = b1 * s.m + (1 - b1) * g;
    s.v = b2 * s.v + (1 - b2) * (g * g);
    const [m, v] = [s.m / (1 - b1 ** t), s.v / (1 - b2 ** t)];
    return (a * m) / (Math.sqrt(v) + eps);
  },
};

/** The same paths as race() in optimizer_race.py: name → [[w₁, w₂], …], one more than `steps`. */
export function race({ surface, start, step_size, momentum, batch }, constants, steps = constants.STEPS) {
  const { POINTS, LOST, OPTIMIZERS, racers } = constants;
  const draw = drawer(POINTS.length, constants);
  const size = batch === "all" ? 0 : Number(batch);
  const examples = Array.from({ length: steps }, () => (size ? Array.from({ length: size }, draw) : undefined));
  return Object.fromEntries(
    racers.map((name) => {
      const memory = [0, 1].map(() => ({ m: 0, v: 0, r: 0 }));
      const path = [[...start]];
      for (let t = 1; t <= steps; t += 1) {
        const w = path[t - 1];
        if (Math.max(...w.map(Math.abs)) > LOST) path.push(w);
        else {
          const g = gradient(surface, w, constants, examples[t - 1]);
          const by = (axis) => RULES[name](g[axis], memory[axis], t, step_size, momentum, OPTIMIZERS[name]);
          path.push(w.map((value, axis) => value - by(axis)));
        }
      }
      return [name, path];
    }),
  );
}

/** The way of each racer up to a step, its height above the lowest point all along, and at the end. */
export function numbers(state, constants) {
  const step = Math.floor(state.step);
  return Object.fromEntries(
    Object.entries(race(state, constants, step)).map(([name, path]) => {
      const heights = path.map((w) => loss(state.surface, w, constants));
      return [name, { path, heights, now: heights[step] }];
    }),
  );
}

/** Bands of equal height as a picture: gray, so that it serves on white and on black. */
function terrain(surface, constants, size = 160) {
  const { VIEW } = constants;
  const at = (k) => -VIEW + (2 * VIEW * (k + 0.5)) / size;
  const heights = Array.from({ length: size * size }, (_, k) =>
    loss(surface, [at(k % size), at(size - 1 - Math.floor(k / size))], constants),
  );
  const top = Math.max(...heights);
  const color = (height) => {
    const band = Math.floor(16 * (Math.max(height, 0) / top) ** 0.25);
    return [122, 122, 122, 9 * band + (band % 2 ? 14 : 0)];
  };
  return address([heights], size, { color });
}

const dash = (name) => (name === "Adam" ? "6 4" : "none");

function render({ model, el }) {
  const view = hero(model, el, "Optimizer race");
  const { VIEW, STEPS, STARTS, racers: RACERS, surface: surfaces, batch: batches } = view.constants;
  const [LOW, HIGH] = view.constants.HEIGHTS;
  const [sizes, momenta] = [view.constants.step_size, view.constants.momentum];
  const KEYS = ["surface", "start", "step_size", "momentum", "batch", "racers", "step"];
  const left = view.panel();
  const ticks = [-2, -1, 0, 1, 2];
  const map = plane(
    left,
    "The loss surface from above, with the path of each optimizer",
    [-VIEW, VIEW],
    [-VIEW, VIEW],
    { ticks: [ticks, ticks], names: ["w₁", "w₂"] },
  );
  const ground = make(map.ground, "image", { ...map.box, preserveAspectRatio: "none" });
  const right = view.panel();
  const chart = plane(right, "Loss of each optimizer against the step", [0, 1.04 * STEPS], [LOW, HIGH], {
    height: 250,
    ticks: [[0, 50, 100, 150, 200], []],
    names: ["step", ""],
  });
  for (const power of [-8, -6, -4, -2, 0, 2]) {
    const label = make(
      chart.svg,
      "text",
      { class: "quiet", x: 39, y: chart.py(power) + 4, "text-anchor": "end" },
      "10",
    );
    make(label, "tspan", { dy: -5, "font-size": 10 }, show(power, 0));
  }
  make(chart.front, "text", { class: "halo", x: 386, y: 30, "text-anchor": "end" }, "loss above the lowest");
  const now = make(chart.data, "path", { class: "axis strong" });

  const racers = Object.fromEntries(
    RACERS.map((name) => {
      const line = { class: "curve", stroke: LOOKS[name], "stroke-dasharray": dash(name) };
      const path = make(map.data, "path", line);
      const curve = make(chart.data, "path", line);
      const head = make(map.data, "g");
      make(head, "circle", { class: "mark", r: 8, fill: LOOKS[name] });
      make(head, "text", { class: "number", y: 4, "text-anchor": "middle" });
      return [name, { path, curve, head }];
    }),
  );
  const knob = handle(map.front, "start: drag it, or use the arrow keys", "diamond");
  const setStart = (w1, w2) => view.change({ start: [w1, w2].map((w) => round(clamp(w, -VIEW, VIEW))) });
  draggable(knob, map, (from) => {
    const start = view.get("start");
    return (p) => setStart(start[0] + p[0] - from[0], start[1] + p[1] - from[1]);
  });
  steerable(knob, 0.05, (dx, dy) => setStart(view.get("start")[0] + dx, view.get("start")[1] + dy), {
    Home: () => setStart(-VIEW, view.get("start")[1]),
    End: () => setStart(VIEW, view.get("start")[1]),
    PageDown: () => setStart(view.get("start")[0], -VIEW),
    PageUp: () => setStart(view.get("start")[0], VIEW),
  });

  // play, pause, step, reset
  const row = buttons(left);
  const setStep = (step) => view.change({ step: clamp(step, 0, STEPS) });
  const play = player(
    view,
    row,
    50,
    () => {
      setStep(view.get("step") + 1);
      return view.get("step") < STEPS;
    },
    {
      begin: () => view.get("step") >= STEPS && setStep(0),
      texts: ["▶ Play", "❚❚ Pause"],
      labels: ["play the race", "pause the race"],
    },
  );
  const jumps = { Step: ["one step further", () => view.get("step") + 1], Reset: ["back to the start", () => 0] };
  for (const [text, [label, next]] of Object.entries(jumps)) {
    const act = () => {
      play(false);
      setStep(next());
    };
    button(row, text, act, { "aria-label": label });
  }
  const showStep = wholeSlider(left, "step", "step", [0, STEPS], (step) => {
    play(false);
    setStep(step);
  });

  // who takes part; each button also shows the loss
  const table = make(right, "div", { class: "racers", role: "group", "aria-label": "who takes part" });
  for (const [i, name] of RACERS.entries()) {
    const node = button(table, "", () => {
      const others = view.get("racers").filter((other) => other !== name);
      const together = others.length === view.get("racers").length ? [...others, name] : others;
      if (together.length) view.change({ racers: RACERS.filter((other) => together.includes(other)) });
    });
    make(node, "span", { class: "badge", style: `background: ${LOOKS[name]}` }, i + 1);
    make(node, "span", {}, ` ${name}`);
    make(node, "br");
    racers[name].button = node;
    racers[name].height = make(node, "span", { "data-name": name });
  }
  const showSurface = choice(right, "surface", surfaces, (surface) => view.change({ surface, start: STARTS[surface] }));
  const showSize = slider(right, "step size α", "step size, logarithmic", [...sizes.map(Math.log10), 0.05], (power) =>
    view.change({ step_size: Number((10 ** power).toPrecision(2)) }),
  );
  const showMomentum = slider(right, "momentum μ", "momentum", [...momenta, 0.01], (momentum) =>
    view.change({ momentum }),
  );
  const showBatch = choice(right, `batch of ${view.constants.POINTS.length}`, batches, (batch) =>
    view.change({ batch }),
  );
  const note = make(right, "p", { class: "note" });

  let drawn = "";
  return view.start(() => {
    const state = view.state(KEYS);
    const step = Math.floor(state.step);
    if (drawn !== state.surface) {
      drawn = state.surface;
      ground.setAttribute("href", terrain(drawn, view.constants));
    }
    const all = numbers(state, view.constants);
    for (const [name, { path, curve, head, button: node, height }] of Object.entries(racers)) {
      const takesPart = state.racers.includes(name);
      for (const part of [path, curve, head]) reveal(part, takesPart);
      node.setAttribute("aria-pressed", takesPart);
      const { path: walked, heights, now: last } = all[name];
      path.setAttribute("d", map.path(walked));
      curve.setAttribute(
        "d",
        chart.path(heights.map((value, t) => [t, clamp(Math.log10(Math.max(value, 1e-9)), LOW, HIGH + 1)])),
      );
      const [w1, w2] = walked[step];
      const isSeen = takesPart && Math.max(Math.abs(w1), Math.abs(w2)) <= VIEW;
      head.lastChild.textContent = isSeen ? RACERS.indexOf(name) + 1 : "";
      head.setAttribute("transform", `translate(${map.px(w1).toFixed(2)} ${map.py(w2).toFixed(2)})`);
      height.dataset.value = String(last);
      height.textContent = last > 1e4 ? "diverged" : last.toPrecision(2).replace("-", "−");
      node.setAttribute("aria-label", `${name}, loss ${height.textContent}, ${takesPart ? "takes part" : "left out"}`);
    }
    now.setAttribute(
      "d",
      chart.path([
        [step, LOW],
        [step, HIGH],
      ]),
    );
    place(
      knob,
      map.px(state.start[0]),
      map.py(state.start[1]),
      [-VIEW, VIEW, state.start[0]],
      `w₁ = ${show(state.start[0])}, w₂ = ${show(state.start[1])}`,
    );
    showStep(step);
    showSurface(state.surface);
    showSize(Math.log10(state.step_size), { text: String(Number(state.step_size.toPrecision(3))) });
    showMomentum(state.momentum);
    showBatch(state.batch);
    note.textContent = {
      ravine: "A bowl 25 times as steep across as along; the lowest point is (0, 0).",
      Rosenbrock: "A curved valley, almost flat along its floor; the lowest point is (1, 1).",
      saddle: "Flat at (0, 0), which is no minimum; the lowest points are (0, −1) and (0, 1).",
      digits: "Two weights of a neuron that tells 0 from 1: logistic loss on 50 digits plus weight decay.",
    }[state.surface];
    view.say(`step ${step}: ${state.racers.map((name) => `${name} ${racers[name].height.textContent}`).join(", ")}`);
  }, KEYS);
}
export default { render };
