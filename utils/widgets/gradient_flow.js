// A gradient on its way back through a deep network. The functions above render() know nothing of the page.
import { ACTIVATIONS } from "./js/activations.js";
import { choice, facts, wholeSlider } from "./js/controls.js";
import { make, set } from "./js/dom.js";
import { hero } from "./js/hero.js";
import { clamp, norm } from "./js/math.js";
import { plane } from "./js/plane.js";
import { uniform } from "./js/random.js";

const drawn = new Map();

/** All standard normal numbers of one draw, by Box and Muller: normals() in gradient_flow.py. */
function normals(seed, count) {
  if (!drawn.has(seed)) {
    const all = new Float64Array(count);
    for (let n = 0; n < count; n += 2) {
      const radius = Math.sqrt(-2 * Math.log(uniform(seed, n)));
      const angle = 2 * Math.PI * uniform(seed, n + 1);
      all[n] = radius * Math.cos(angle);
      all[n + 1] = radius * Math.sin(angle);
    }
    drawn.clear();
    drawn.set(seed, all);
  }
  return drawn.get(seed);
}

const add = (a, b) => a.map((value, i) => value + b[i]);

/** h Wᵀ, or with `back` g W, times std; h and g have rows of WIDTH, W is (WIDTH, WIDTH). */
function product(h, W, WIDTH, std, back = false) {
  const [stepOut, stepIn] = back ? [1, WIDTH] : [WIDTH, 1];
  const z = new Float64Array(h.length);
  for (let n = 0; n < h.length; n += WIDTH) {
    for (let j = 0; j < WIDTH; j += 1) {
      let sum = 0;
      for (let k = 0; k < WIDTH; k += 1) sum += h[n + k] * W[j * stepOut + k * stepIn];
      z[n + j] = std * sum;
    }
  }
  return z;
}

/** The groups of indices that are normalized together: columns of a batch, or rows of a layer. */
function groups(normalization, { BATCH, WIDTH }) {
  if (normalization === "none") return [];
  const [count, size] = normalization === "batch" ? [WIDTH, BATCH] : [BATCH, WIDTH];
  const [start, step] = normalization === "batch" ? [1, WIDTH] : [WIDTH, 1];
  return Array.from({ length: count }, (_, a) => Array.from({ length: size }, (__, b) => a * start + b * step));
}

/** Mean 0 and variance 1 in each group, in place; returns 1/σ of each group. */
function standardize(z, together, EPS) {
  return together.map((group) => {
    const mean = group.reduce((sum, i) => sum + z[i], 0) / group.length;
    for (const i of group) z[i] -= mean;
    const scale = 1 / Math.sqrt(group.reduce((sum, i) => sum + z[i] * z[i], 0) / group.length + EPS);
    for (const i of group) z[i] *= scale;
    return scale;
  });
}

/** The gradient behind standardize(), in place; x is its result. */
function standardizeBack(g, x, scales, together) {
  together.forEach((group, k) => {
    const shift = group.reduce((sum, i) => sum + g[i], 0) / group.length;
    const stretch = group.reduce((sum, i) => sum + g[i] * x[i], 0) / group.length;
    for (const i of group) g[i] = (g[i] - shift - x[i] * stretch) * scales[k];
  });
}

/** The same numbers as flow() in gradient_flow.py. */
export function flow({ depth, activation, initialization, normalization, skip, seed }, constants) {
  const { BATCH, WIDTH, MAX_DEPTH, EPS, INITIALIZATIONS } = constants;
  const CELLS = BATCH * WIDTH;
  const all = normals(Math.floor(seed), 2 * CELLS + MAX_DEPTH * WIDTH * WIDTH);
  const together = groups(normalization, constants);
  const [f, slope] = ACTIVATIONS[activation];
  const std = INITIALIZATIONS[initialization];
  const layers = [];
  let h = all.slice(0, CELLS);
  const sizes = [norm(h) / Math.sqrt(CELLS)];
  for (let l = 0; l < Math.floor(depth); l += 1) {
    const start = 2 * CELLS + l * WIDTH * WIDTH;
    const W = all.subarray(start, start + WIDTH * WIDTH);
    const z = product(h, W, WIDTH, std);
    const scales = standardize(z, together, EPS);
    layers.push({ W, z, scales });
    const y = z.map((value) => f(value));
    h = skip === "yes" ? add(h, y) : y;
    sizes.push(norm(h) / Math.sqrt(CELLS));
  }
  let g = all.slice(CELLS, 2 * CELLS);
  const gradients = [norm(g)];
  for (const { W, z, scales } of layers.toReversed()) {
    const delta = g.map((value, i) => value * slope(z[i]));
    standardizeBack(delta, z, scales, together);
    const below = product(delta, W, WIDTH, std, true);
    g = skip === "yes" ? add(g, below) : below;
    gradients.unshift(norm(g));
  }
  return { gradients, sizes };
}

/** The flow, what is left of the gradient at the first layer, in all and a layer, and its fate. */
export function numbers(state, constants) {
  const { gradients, sizes } = flow(state, constants);
  const depth = gradients.length - 1;
  const ratio = gradients[0] / gradients[depth];
  const [low, high] = constants.HEALTHY;
  const fate = ratio > high ? "explodes" : ratio < low ? "vanishes" : "arrives";
  return { gradients, sizes, ratio, factor: ratio ** (1 / depth), size: sizes[depth], fate };
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
  const showDepth = wholeSlider(right, "depth L", "depth", view.constants.depth, (depth) => view.change({ depth }));
  const choices = { activation: "activation", initialization: "Var w", normalization: "normalization", skip: "skip" };
  const showChoice = Object.fromEntries(
    Object.entries(choices).map(([key, label]) => [
      key,
      choice(right, label, view.constants[key], (value) => view.change({ [key]: value })),
    ]),
  );
  const showSeed = wholeSlider(right, "draw", "which random draw", view.constants.seed, (seed) =>
    view.change({ seed }),
  );
  const note = make(right, "p", { class: "note" });

  return view.start(() => {
    const state = view.state(KEYS);
    const { gradients, ratio, factor, size, fate } = numbers(state, view.constants);
    const healthy = view.constants.HEALTHY.map(Math.log10);
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
        fill: clamp(log, ...healthy) === log ? "var(--dll-blue)" : "var(--dll-orange)",
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

    fact("ratio", ratio, power(ratio));
    fact("factor", factor, power(factor));
    fact("size", size, power(size));
    showDepth(depth, { spoken: `${depth} layers` });
    for (const [key, showOne] of Object.entries(showChoice)) showOne(state[key]);
    showSeed(state.seed);
    note.textContent = {
      explodes: "The gradient explodes on its way to the first layer.",
      vanishes: "The gradient vanishes on its way to the first layer.",
      arrives: "The gradient arrives at the first layer about as large as it started.",
    }[fate];
    view.say(`${depth} layers: the gradient ${fate}; first over last layer: ${power(ratio)}`);
  }, KEYS);
}
export default { render };
