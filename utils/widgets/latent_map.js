// A plane of two-number codes; the decoder runs in the page. What stands above render() knows
// nothing of the page.
import { choice, facts } from "./js/controls.js";
import { make, reveal } from "./js/dom.js";
import { draggable, handle, place, steerable } from "./js/hands.js";
import { hero } from "./js/hero.js";
import { clamp, round, sigmoid, total } from "./js/math.js";
import { address, paint, screen } from "./js/pixels.js";
import { plane } from "./js/plane.js";
import { show } from "./js/text.js";
import { halves, taker } from "./js/weights.js";

const LOOKS = ["var(--dll-blue)", "var(--dll-orange)", "var(--dll-green)", "var(--dll-pink)", "var(--dll-gray)"];

/** The layers [{ w, b }, …] from base64 of 16-bit numbers, low byte first. */
export function unpack(sizes, text) {
  const take = taker(halves(text));
  return sizes.slice(1).map((outputs, i) => ({ w: take(outputs * sizes[i]), b: take(outputs) }));
}

/** The same pixels as decode() in latent_map.py. */
export function decode(layers, z) {
  return layers.reduce((a, { w, b }, depth) => {
    const last = depth === layers.length - 1;
    return Float64Array.from(b, (bias, k) => {
      let sum = bias;
      for (let i = 0; i < a.length; i += 1) sum += w[k * a.length + i] * a[i];
      return last ? sigmoid(sum) : Math.max(sum, 0);
    });
  }, Float64Array.from(z));
}

/** Label of the nearest code. */
export function nearest(codes, labels, [x, y]) {
  const distances = codes.map(([a, b]) => (a - x) ** 2 + (b - y) ** 2);
  return labels[distances.indexOf(Math.min(...distances))];
}

/** What stands beside the plane: the digit at this place, its ink, the label of the nearest code. */
export function numbers(layers, codes, labels, position) {
  const pixels = decode(layers, position);
  return { pixels, z1: position[0], z2: position[1], nearest: nearest(codes, labels, position), ink: total(pixels) };
}

/** The digits at the centers of all cells, as one picture. */
function tiles(layers, { VIEW, CELLS, SIDE }) {
  const at = (k) => -VIEW + (2 * VIEW * (k + 0.5)) / CELLS;
  const digits = Array.from({ length: CELLS * CELLS }, (_, k) =>
    decode(layers, [at(k % CELLS), -at(Math.floor(k / CELLS))]),
  );
  return address(digits, SIDE, { cols: CELLS });
}

function render({ model, el }) {
  const view = hero(model, el, "Latent map");
  const { VIEW, SIDE, SHOWN, ground: GROUNDS } = view.constants;
  const layers = unpack(view.get("sizes"), view.get("weights"));
  const [codes, labels] = [view.get("codes"), view.get("labels")];

  const left = view.panel("the plane of codes");
  const ticks = [-3, -2, -1, 0, 1, 2, 3];
  const map = plane(left, "Plane of codes: every place is a digit", [-VIEW, VIEW], [-VIEW, VIEW], {
    ticks: [ticks, ticks],
    names: ["z₁", "z₂"],
  });
  const picture = make(map.ground, "image", {
    ...map.box,
    preserveAspectRatio: "none",
    href: tiles(layers, view.constants),
  });
  const cloud = make(map.ground, "g", { "aria-hidden": "true" });
  const area = make(map.data, "rect", { ...map.box, class: "pad", fill: "transparent" });
  const knob = handle(map.front, "code z: drag it over the plane, or use the arrow keys");
  knob.classList.add("accent-orange");
  const move = (x, y) => view.change({ position: [x, y].map((value) => round(clamp(value, -VIEW, VIEW))) });
  for (const node of [area, knob]) {
    draggable(node, map, (p) => {
      if (node === area) move(...p);
      return (q) => move(...q);
    });
  }
  const [x, y] = [0, 1].map((axis) => () => view.get("position")[axis]);
  steerable(knob, 0.05, (dx, dy) => move(x() + dx, y() + dy), {
    Home: () => move(-VIEW, y()),
    End: () => move(VIEW, y()),
    PageUp: () => move(x(), VIEW),
    PageDown: () => move(x(), -VIEW),
  });
  const inside = (code) => Math.max(...code.map(Math.abs)) < VIEW - 0.1;
  const seen = codes
    .map((code, i) => [code, labels[i]])
    .slice(0, SHOWN)
    .filter(([code]) => inside(code));
  let drawn = "";
  const drawGround = (ground) => {
    if (ground === drawn) return;
    drawn = ground;
    const isMap = ground === GROUNDS[0];
    reveal(picture, isMap);
    cloud.replaceChildren();
    for (const [[a, b], label] of isMap ? [] : seen) {
      const look = { class: "code", "text-anchor": "middle", style: `fill: ${LOOKS[label % LOOKS.length]}` };
      make(cloud, "text", { ...look, x: map.px(a), y: map.py(b) + 4 }, label);
    }
  };
  const showGround = choice(left, "show", GROUNDS, (ground) => view.change({ ground }));

  const right = view.panel("the digit at this place");
  const canvas = screen(right, "decoded digit");
  const fact = facts(right, { z1: "z₁", z2: "z₂", nearest: "nearest test digit", ink: "ink" });

  return view.start(() => {
    const position = view.get("position");
    const { pixels, nearest: label, ink } = numbers(layers, codes, labels, position);
    drawGround(view.get("ground"));
    paint(canvas, [pixels], SIDE);
    place(
      knob,
      map.px(position[0]),
      map.py(position[1]),
      [-VIEW, VIEW, position[0]],
      `z₁ = ${show(position[0])}, z₂ = ${show(position[1])}`,
    );
    showGround(view.get("ground"));
    fact("z1", position[0], show(position[0]));
    fact("z2", position[1], show(position[1]));
    fact("nearest", label, String(label));
    fact("ink", ink, show(ink, 0));
    view.say(`z = ${show(position[0])}, ${show(position[1])}; the nearest test digit is a ${label}`);
  }, ["position", "ground"]);
}
export default { render };
