// A walk through the latent space of a small recorded generator, which runs here.
import { choice, facts, slider } from "./js/controls.js";
import { make, set } from "./js/dom.js";
import { hero } from "./js/hero.js";
import { clamp, mean, norm } from "./js/math.js";
import { paint, screen } from "./js/pixels.js";
import { show } from "./js/text.js";
import { halves, taker } from "./js/weights.js";

/** Weights and biases of the three layers, in the order of pack() in latent_walk.py. */
export function unpack(text, shapes) {
  const take = taker(halves(text));
  return shapes.map((shape, i) => ({ shape, w: take(shape.reduce((a, b) => a * b)), b: take(shape[i ? 1 : 0]) }));
}

/** Each pixel stamps the 4 × 4 kernel on a map of twice the side; (channels, side, side) both. */
function stamp(x, side, { shape: [channels, filters], w, b }) {
  const wide = 2 * side;
  const out = new Float64Array(filters * wide * wide);
  for (let f = 0; f < filters; f += 1) {
    out.fill(b[f], f * wide * wide, (f + 1) * wide * wide);
    for (let c = 0; c < channels; c += 1)
      for (let i = 0; i < side; i += 1)
        for (let j = 0; j < side; j += 1) {
          const value = x[(c * side + i) * side + j];
          if (value === 0) continue;
          for (let m = 0; m < 4; m += 1) {
            const row = 2 * i + m - 1;
            if (row < 0 || row >= wide) continue;
            for (let n = 0; n < 4; n += 1) {
              const column = 2 * j + n - 1;
              if (column >= 0 && column < wide)
                out[(f * wide + row) * wide + column] += value * w[((c * filters + f) * 4 + m) * 4 + n];
            }
          }
        }
  }
  return out;
}

const relu = (values) => values.map((value) => Math.max(value, 0));

/** The image of a latent, 28 × 28 in [0, 1], row by row; as apply_folded in gans.py. */
export function generate([dense, first, last], z) {
  const h = Float64Array.from(dense.b, (bias, k) =>
    z.reduce((sum, value, i) => sum + dense.w[k * z.length + i] * value, bias),
  );
  const image = stamp(relu(stamp(relu(h), 7, first)), 14, last);
  return image.map((value) => (Math.tanh(value) + 1) / 2);
}

/** The same point as between() in latent_walk.py. */
export function between(a, b, t, path) {
  if (path === "straight") return a.map((value, i) => (1 - t) * value + t * b[i]);
  const [la, lb] = [norm(a), norm(b)];
  const [u, v] = [a.map((value) => value / la), b.map((value) => value / lb)];
  const angle = Math.acos(
    clamp(
      u.reduce((sum, value, i) => sum + value * v[i], 0),
      -1,
      1,
    ),
  );
  const scale = (1 - t) * la + t * lb;
  if (angle < 1e-6) return u.map((value) => scale * value);
  const [p, q] = [Math.sin((1 - t) * angle) / Math.sin(angle), Math.sin(t * angle) / Math.sin(angle)];
  return u.map((value, i) => scale * (p * value + q * v[i]));
}

/** Where a walk is, the picture there, its mean gray and the length of the latent. */
export function numbers(network, anchors, { start, end, t, path }) {
  const z = between(anchors[Number(start)], anchors[Number(end)], t, path);
  const image = generate(network, z);
  return { image, ink: mean(image), length: norm(z) };
}

function render({ model, el }) {
  const view = hero(model, el, "Latent walk");
  const KEYS = ["start", "end", "t", "path"];
  const network = unpack(view.get("weights"), view.get("shapes"));
  const anchors = view.get("anchors");
  const { SIDE, SHOWN, start: starts, end: ends, path: paths, t: shares } = view.constants;
  const left = view.panel("here");
  const big = screen(left, "the generated picture");
  const right = view.panel();
  const fact = facts(right, { length: "length of z", ink: "mean gray" });
  const start = choice(right, "from", starts, (name) => view.change({ start: name }));
  const end = choice(right, "to", ends, (name) => view.change({ end: name }));
  const path = choice(right, "path", paths, (name) => view.change({ path: name }));
  const way = slider(right, "way", "share of the way", [...shares, 0.01], (value) => view.change({ t: value }));
  make(
    right,
    "p",
    { class: "note" },
    "Both ends are latents that the judge of digits is sure of. Everything between comes from the generator, in this page.",
  );
  const wide = set(view.panel("the whole walk"), { class: "panel wide" });
  const strip = screen(wide, `${SHOWN} pictures from start to end`);

  let walked = "";
  return view.start(() => {
    const state = view.state(KEYS);
    const { start: from, end: to, path: name, t } = state;
    const at = (share) => numbers(network, anchors, { ...state, t: share });
    const { image, ink, length } = at(t);
    paint(big, [image], SIDE);
    const walk = [from, to, name].join();
    if (walk !== walked)
      paint(
        strip,
        Array.from({ length: SHOWN }, (_, k) => at(k / (SHOWN - 1)).image),
        SIDE,
        { gap: 1 },
      );
    walked = walk;
    fact("length", length, show(length));
    fact("ink", ink, show(ink, 3));
    start(from);
    end(to);
    path(name);
    way(t);
    view.say(`${show(100 * t, 0)} percent of the way from ${from} to ${to}, ${name}, length of z ${show(length)}`);
  }, KEYS);
}
export default { render };
