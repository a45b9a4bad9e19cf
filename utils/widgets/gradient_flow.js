// A gradient on its way back through a deep network. The functions above render() know nothing of the page.
import { ACTIVATIONS } from "./js/activations.js";
import { choice, facts, wholeSlider } from "./js/controls.js";
import { make, set } from "./js/dom.js";
import { hero } from "./js/hero.js";
import { norm } from "./js/math.js";
import { plane } from "./js/plane.js";
import { uniform } from "./js/random.js";

const [BATCH, WIDTH, MIN_DEPTH, MAX_DEPTH] = [32, 64, 2, 50];
const CELLS = BATCH * WIDTH;
const STD = {
  "N(0, 1)": 1,
  "N(0, 0.01²)": 0.01,
  "1/(3D), PyTorch's": Math.sqrt(1 / (3 * WIDTH)),
  "1/D, Xavier": Math.sqrt(1 / WIDTH),
  "2/D, He": Math.sqrt(2 / WIDTH),
};
const drawn = new Map();

/** All standard normal numbers of one draw, by Box and Muller: normals() in gradient_flow.py. */
function normals(seed) {
  if (!drawn.has(seed)) {
    const numbers = new Float64Array(2 * CELLS + MAX_DEPTH * WIDTH * WIDTH);
    for (let n = 0; n < numbers.length; n += 2) {
      const radius = Math.sqrt(-2 * Math.log(uniform(seed, n)));
      const angle = 2 * Math.PI * uniform(seed, n + 1);
      numbers[n] = radius * Math.cos(angle);
      numbers[n + 1] = radius * Math.sin(angle);
    }
    drawn.clear();
    drawn.set(seed, numbers);
  }
  return drawn.get(seed);
}

const add = (a, b) => a.map((value, i) => value + b[i]);

/** h Wᵀ, or with `back` g W, times std; h and g are (BATCH, WIDTH), W is (WIDTH, WIDTH). */
function product(h, W, std, back = false) {
  const [stepOut, stepIn] = back ? [1, WIDTH] : [WIDTH, 1];
  const z = new Float64Array(CELLS);
  for (let n = 0; n < CELLS; n += WIDTH) {
    for (let j = 0; j < WIDTH; j += 1) {
      let sum = 0;
      for (let k = 0; k < WIDTH; k += 1) sum += h[n + k] * W[j * stepOut + k * stepIn];
      z[n + j] = std * sum;
    }
  }
  return z;
}

/** The groups of indices that are normalized together: columns of a batch, or rows of a layer. */
function groups(normalization) {
  if (normalization === "none") return [];
  const [count, size] = normalization === "batch" ? [WIDTH, BATCH] : [BATCH, WIDTH];
  const [start, step] = normalization === "batch" ? [1, WIDTH] : [WIDTH, 1];
  return Array.from({ length: count }, (_, a) => Array.from({ length: size }, (__, b) => a * start + b * step));
}

/** Mean 0 and variance 1 in each group, in place; returns 1/σ of each group. */
function standardize(z, normalization) {
  return groups(normalization).map((group) => {
    const mean = group.reduce((sum, i) => sum + z[i], 0) / group.length;
    for (const i of group) z[i] -= mean;
    const scale = 1 / Math.sqrt(group.reduce((sum, i) => sum + z[i] * z[i], 0) / group.length + 1e-5);
    for (const i of group) z[i] *= scale;
    return scale;
  });
}

/** The gradient behind standardize(), in place; x is its result. */
function standardizeBack(g, x, scales, normalization) {
  groups(normalization).forEach((group, k) => {
    const shift = group.reduce((sum, i) => sum + g[i], 0) / group.length;
    const stretch = group.reduce((sum, i) => sum + g[i] * x[i], 0) / group.length;
    for (const i of group) g[i] = (g[i] - shift - x[i] * stretch) * scales[k];
  });
}

/** The same numbers as flow() in gradient_flow.py. */
export function flow({ depth, activation, initialization, normalization, skip, seed }) {
  const numbers = normals(Math.floor(seed));
  const [f, slope] = ACTIVATIONS[activation];
  const std = STD[initialization];
  const layers = [];
  let h = numbers.slice(0, CELLS);
  const sizes = [norm(h) / Math.sqrt(CELLS)];
  for (let l = 0; l < Math.floor(depth); l += 1) {
    const start = 2 * CELLS + l * WIDTH * WIDTH;
    const W = numbers.subarray(start, start + WIDTH * WIDTH);
    const z = product(h, W, std);
    const scales = standardize(z, normalization);
    layers.push({ W, z, scales });
    const y = z.map((value) => f(value));
    h = skip === "yes" ? add(h, y) : y;
    sizes.push(norm(h) / Math.sqrt(CELLS));
  }
  let g = numbers.slice(CELLS, 2 * CELLS);
  const gradients = [norm(g)];
  for (const { W, z, scales } of layers.toReversed()) {
    const delta = g.map((value, i) => value * slope(z[i]));
    standardizeBack(delta, z, scales, normalization);
    const below = product(delta, W, std, true);
    g = skip === "yes" ? add(g, below) : below;
    gradients.unshift(norm(g));
  }
  return { gradients, sizes };
}

const SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹";
const superscript = (n) => (n < 0 ? "⁻" : "") + [...String(Math.abs(n))].map((d) => SUPERSCRIPTS[d]).join("");

/** A positive number in words of powers: 0.42, 12, 3·10⁻¹⁹. */
function power(value) {
  if (value >= 0.01 && value < 1000) return String(Number(value.toPrecision(2)));
  const [digits, exponent] = value.toExponential(0).split("e");
  return `${digits}·10${superscript(Number(exponent))}`;
}

function render({ model, el }) {
  const view = hero(model, el, "Gradient flow");
  const KEYS = ["depth", "activation", "initialization", "normalization", "skip", "seed"];
  const left = view.panel();
  const chart = plane(left, "Gradient at each layer, compared with the last", [0, 1], [0, 1], {
    height: 330,
    names: ["layer l", ""],
  });
  const { box } = chart;
  make(chart.front, "text", { class: "halo", x: box.x + 8, y: box.y + 18 }, "gradient at layer l / at the last");
  const one = make(chart.data, "line", { class: "axis strong", x1: box.x, x2: box.x + box.width });
  const bars = make(chart.data, "g");
  const labels = make(chart.svg, "g");

  const right = view.panel();
  const fact = facts(right, { ratio: "first / last layer", factor: "factor a layer", size: "size of h at the top" });
  const showDepth = wholeSlider(right, "depth L", "depth", [MIN_DEPTH, MAX_DEPTH], (depth) => view.change({ depth }));
  const choices = {
    activation: ["activation", ["sigmoid", "tanh", "ReLU"]],
    initialization: ["Var w", Object.keys(STD)],
    normalization: ["normalization", ["none", "batch", "layer"]],
    skip: ["skip", ["no", "yes"]],
  };
  const showChoice = Object.fromEntries(
    Object.entries(choices).map(([key, [label, options]]) => [
      key,
      choice(right, label, options, (value) => view.change({ [key]: value })),
    ]),
  );
  const showSeed = wholeSlider(right, "draw", "which random draw", [0, 99], (seed) => view.change({ seed }));
  const note = make(right, "p", { class: "note" });

  return view.start(() => {
    const state = Object.fromEntries(KEYS.map((key) => [key, view.get(key)]));
    const { gradients, sizes } = flow(state);
    const depth = gradients.length - 1;
    const logs = gradients.map((value) => Math.log10(value / gradients[depth]));
    const low = Math.min(-3, Math.floor(Math.min(...logs)) - 1);
    const high = Math.max(3, Math.ceil(Math.max(...logs)) + 1);
    const y = (log) => box.y + (box.height * (high - log)) / (high - low);
    const step = box.width / (depth + 1);
    set(one, { y1: y(0), y2: y(0) });
    bars.replaceChildren();
    logs.forEach((log, l) => {
      make(bars, "rect", {
        x: (box.x + (l + 0.1) * step).toFixed(2),
        width: (0.8 * step).toFixed(2),
        y: (Math.min(y(log), y(0)) - 0.75).toFixed(2),
        height: (Math.abs(y(log) - y(0)) + 1.5).toFixed(2),
        fill: Math.abs(log) <= 1 ? "var(--dll-blue)" : "var(--dll-orange)",
      });
    });
    labels.replaceChildren();
    const every = Math.ceil((high - low) / 6);
    for (let p = Math.ceil(low / every) * every; p <= high; p += every) {
      make(labels, "text", { class: "quiet", x: box.x - 6, y: y(p) + 4, "text-anchor": "end" }, `10${superscript(p)}`);
    }
    const apart = Math.ceil(depth / 6 / 5) * 5 || 1;
    for (let l = 0; l <= depth; l += depth <= 10 ? 1 : apart) {
      make(
        labels,
        "text",
        { class: "quiet", x: box.x + (l + 0.5) * step, y: box.y + box.height + 17, "text-anchor": "middle" },
        l,
      );
    }

    const ratio = gradients[0] / gradients[depth];
    fact("ratio", ratio, power(ratio));
    fact("factor", ratio ** (1 / depth), power(ratio ** (1 / depth)));
    fact("size", sizes[depth], power(sizes[depth]));
    showDepth(depth, { spoken: `${depth} layers` });
    for (const [key, showOne] of Object.entries(showChoice)) showOne(state[key]);
    showSeed(state.seed);
    const fate = ratio > 10 ? "explodes" : ratio < 0.1 ? "vanishes" : "arrives";
    note.textContent = {
      explodes: "The gradient explodes on its way to the first layer.",
      vanishes: "The gradient vanishes on its way to the first layer.",
      arrives: "The gradient arrives at the first layer about as large as it started.",
    }[fate];
    view.say(`${depth} layers: the gradient ${fate}; first over last layer: ${power(ratio)}`);
  }, KEYS);
}
export default { render };
