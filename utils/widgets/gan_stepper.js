// Two players on a line. Every move is computed here; the game is played again from its start
// whenever a setting changes, and goes on from where it is when a move is added.
import { button, buttons, choice, facts, slider } from "./js/controls.js";
import { make, set } from "./js/dom.js";
import { hero } from "./js/hero.js";
import { clamp, mean, normalPdf, sigmoid, softplus } from "./js/math.js";
import { arrow, plane } from "./js/plane.js";
import { player } from "./js/play.js";
import { show } from "./js/text.js";

/** Logit f(x), its slope in x, and its gradient in θ = (w, b, v, c). */
function score(theta, x) {
  const HIDDEN = (theta.length - 1) / 3;
  let f = theta[3 * HIDDEN];
  let slope = 0;
  const gradient = new Float64Array(3 * HIDDEN + 1);
  for (let j = 0; j < HIDDEN; j += 1) {
    const [w, b, v] = [theta[j], theta[HIDDEN + j], theta[2 * HIDDEN + j]];
    const h = Math.tanh(w * x + b);
    const bend = v * (1 - h * h);
    f += v * h;
    slope += bend * w;
    gradient[j] = bend * x;
    gradient[HIDDEN + j] = bend;
    gradient[2 * HIDDEN + j] = h;
  }
  gradient[3 * HIDDEN] = 1;
  return { f, slope, gradient };
}

const generated = (game, z) => z.map((value) => game.mean + Math.exp(game.logSigma) * value);

function moveDiscriminator(game, { real, z }, { RATE_D, BETA1, BETA2, EPS }) {
  const gradient = new Float64Array(game.theta.length);
  const add = (points, weigh) => {
    for (const x of points) {
      const { f, gradient: df } = score(game.theta, x);
      const weight = weigh(f) / points.length;
      df.forEach((value, i) => {
        gradient[i] += weight * value;
      });
    }
  };
  add(real, (f) => -sigmoid(-f));
  add(generated(game, z), (f) => sigmoid(f));
  const t = game.t + 1;
  const m = game.m.map((value, i) => BETA1 * value + (1 - BETA1) * gradient[i]);
  const v = game.v.map((value, i) => BETA2 * value + (1 - BETA2) * gradient[i] ** 2);
  const theta = game.theta.map(
    (value, i) => value - (RATE_D * (m[i] / (1 - BETA1 ** t))) / (Math.sqrt(v[i] / (1 - BETA2 ** t)) + EPS),
  );
  return { ...game, theta, m, v, t };
}

/** Where the discriminator sends each generated point. */
function pulls(game, { z, saturating }) {
  return generated(game, z).map((x) => {
    const { f, slope } = score(game.theta, x);
    return sigmoid(saturating ? f : -f) * slope;
  });
}

function moveGenerator(game, settings) {
  const { z, rate } = settings;
  const pull = pulls(game, settings);
  return {
    ...game,
    mean: game.mean + rate * mean(pull),
    logSigma: game.logSigma + rate * mean(pull.map((value, i) => value * Math.exp(game.logSigma) * z[i])),
  };
}

export function begin({ THETA, FIRST }) {
  const theta = Float64Array.from(THETA);
  const zeros = () => new Float64Array(theta.length);
  return { theta, m: zeros(), v: zeros(), t: 0, mean: FIRST[0], logSigma: FIRST[1] };
}

export const advance = (game, moves, settings, constants) =>
  [...moves].reduce(
    (now, move) => (move === "D" ? moveDiscriminator(now, settings, constants) : moveGenerator(now, settings)),
    game,
  );

/** What the players see and descend: the real examples, the latents z, the generator's loss and step. */
export const rules = ({ target, loss, rate }, { BATCHES, Z, loss: losses }) => ({
  real: BATCHES[target],
  z: Z,
  saturating: losses.indexOf(loss) === 1,
  rate,
});

const density = (x, [means, sigma]) =>
  means.reduce((sum, m) => sum + normalPdf((x - m) / sigma), 0) / (means.length * sigma);

/** p, q, D and D* on the fine grid. */
export function curves(game, target, { LOW, HIGH, CELL }) {
  return Array.from({ length: Math.round((HIGH - LOW) / CELL) }, (_, i) => {
    const x = LOW + CELL * (i + 0.5);
    const p = density(x, target);
    const q = density(x, [[game.mean], Math.exp(game.logSigma)]);
    return { x, p, q, D: sigmoid(score(game.theta, x).f), best: p + q > 0 ? p / (p + q) : 0.5 };
  });
}

/** The same numbers as GanStepper.numbers. */
export function numbers(game, target, settings, constants) {
  const { CELL, SEEN, WIDE, FINE } = constants;
  const { real, z } = settings;
  let [js, gap] = [0, 0];
  for (const { p, q, D, best } of curves(game, target, constants)) {
    const mid = (p + q) / 2;
    if (p > 0) js += (p * Math.log(p / mid) * CELL) / 2;
    if (mid >= SEEN) gap = Math.max(gap, Math.abs(D - best));
  }
  const spread = Math.exp(game.logSigma);
  for (let i = 0; i < Math.round((2 * WIDE) / FINE); i += 1) {
    // q in its own z: it may be narrow or far away
    const at = -WIDE + FINE * (i + 0.5);
    const q = normalPdf(at) / spread;
    js += (normalPdf(at) * Math.log((2 * q) / (density(game.mean + spread * at, target) + q)) * FINE) / 2;
  }
  const loss = (points, sign) => mean(points.map((x) => softplus(sign * score(game.theta, x).f)));
  return {
    mean: game.mean,
    spread,
    value: -loss(real, -1) - loss(generated(game, z), 1),
    js,
    gap,
    pull: mean(pulls(game, settings).map(Math.abs)),
  };
}

function render({ model, el }) {
  const view = hero(model, el, "GAN stepper");
  const KEYS = ["moves", "target", "loss", "rate"];
  const { LOW, HIGH, MAX_MOVES, TARGETS, Z: z } = view.constants;
  const left = view.panel("densities: real, generated");
  const top = plane(left, "densities of real and generated points", [LOW, HIGH], [-0.25, 1.25], {
    height: 260,
    ticks: [
      [-4, -2, 0, 2, 4],
      [0, 0.5, 1],
    ],
    names: ["x", "density"],
  });
  const p = make(top.data, "path", { class: "curve", stroke: "var(--dll-blue)" });
  const q = make(top.data, "path", { class: "curve", stroke: "var(--dll-orange)", "stroke-dasharray": "7 4" });
  make(top.data, "path", {
    class: "axis",
    d: top.path([
      [LOW, 0],
      [HIGH, 0],
    ]),
  });
  const arrows = make(top.data, "path", { class: "curve pulls", stroke: "var(--dll-orange)" });
  make(
    left,
    "p",
    { class: "note" },
    "Blue: p, real. Orange, dashed: q, generated. Arrows: where D sends the generated points.",
  );

  const right = view.panel("the discriminator and the best one");
  const low = plane(right, "output of the discriminator", [LOW, HIGH], [0, 1], {
    height: 260,
    ticks: [
      [-4, -2, 0, 2, 4],
      [0, 0.5, 1],
    ],
    names: ["x", "probability “real”"],
  });
  const best = make(low.data, "path", { class: "curve", stroke: "var(--dll-quiet)", "stroke-dasharray": "2 4" });
  const D = make(low.data, "path", { class: "curve", stroke: "var(--dll-green)" });
  make(right, "p", { class: "note" }, "Green: D. Gray, dotted: D* = p/(p + q).");

  const wide = set(view.panel(), { class: "panel wide" });
  const fact = facts(wide, {
    moved: "moves D / G",
    value: "value V",
    js: "JS(p, q)",
    gap: "largest |D − D*|",
    pull: "mean pull on a point",
    mean: "μ",
    spread: "σ",
  });
  const row = buttons(wide);
  const add = (text) => view.change({ moves: (view.get("moves") + text).slice(0, MAX_MOVES) });
  button(row, "D moves", () => add("D"));
  button(row, "D moves 20 times", () => add("D".repeat(20)));
  button(row, "G moves", () => add("G"));
  button(row, "a round: 5 D, 1 G", () => add("DDDDDG"));
  const play = player(view, row, 80, () => {
    const goesOn = view.get("moves").length < MAX_MOVES;
    if (goesOn) add("DDDDDG");
    return goesOn;
  });
  button(row, "Start again", () => {
    play(false);
    view.change({ moves: "" });
  });
  const target = choice(wide, "real data", view.constants.target, (name) => view.change({ target: name }));
  const loss = choice(wide, "G descends", view.constants.loss, (name) => view.change({ loss: name }));
  const rate = slider(wide, "step of G", "step size of the generator", [...view.constants.rate, 0.01], (value) =>
    view.change({ rate: value }),
  );

  let kept = { key: "", moves: "", game: begin(view.constants) };
  function current(settings, key) {
    const moves = view.get("moves");
    if (kept.key !== key || !moves.startsWith(kept.moves)) kept = { key, moves: "", game: begin(view.constants) };
    kept = { key, moves, game: advance(kept.game, moves.slice(kept.moves.length), settings, view.constants) };
    return kept.game;
  }

  return view.start(() => {
    const state = view.state(KEYS);
    const { target: name, loss: lossName, rate: step, moves } = state;
    const settings = rules(state, view.constants);
    const game = current(settings, JSON.stringify([name, lossName, step]));
    const lines = curves(game, TARGETS[name], view.constants);
    const draw = (node, area, key) => node.setAttribute("d", area.path(lines.map((at) => [at.x, at[key]])));
    draw(p, top, "p");
    draw(q, top, "q");
    draw(best, low, "best");
    draw(D, low, "D");
    const pull = pulls(game, settings);
    arrows.setAttribute(
      "d",
      generated(game, z)
        .map((x, i) =>
          i % 5 === 2 ? arrow([top.px(x), top.py(-0.12)], [top.px(x + clamp(pull[i], -2, 2)), top.py(-0.12)]) : "",
        )
        .join(""),
    );
    const n = numbers(game, TARGETS[name], settings, view.constants);
    const count = [...moves].filter((move) => move === "D").length;
    fact("moved", moves.length, `${count} / ${moves.length - count}`);
    for (const key of ["value", "js", "gap", "mean", "spread"]) fact(key, n[key], show(n[key]));
    fact("pull", n.pull, show(n.pull, 4));
    target(name);
    loss(lossName);
    rate(step);
    view.say(
      `${count} moves of D, ${moves.length - count} of G: Jensen–Shannon divergence ${show(n.js)}, μ ${show(n.mean)}, σ ${show(n.spread)}`,
    );
  }, KEYS);
}
export default { render };
