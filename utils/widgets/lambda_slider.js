// Six networks, from L1 alone to the GAN alone: their paintings of the same outlines, and what was measured.
import { columns } from "./js/bars.js";
import { facts, slider } from "./js/controls.js";
import { make, set } from "./js/dom.js";
import { hero } from "./js/hero.js";
import { mean } from "./js/math.js";
import { show } from "./js/text.js";

/** The mean over the seeds of each measure of one setting. */
export function numbers(measured, setting) {
  return Object.fromEntries(Object.entries(measured[setting]).map(([key, values]) => [key, mean(values)]));
}

/** Of one measure: the mean and the seeds' values of each setting, and the largest of all. */
export function chart(measured, key) {
  const seeds = Object.values(measured).map((each) => each[key]);
  return { means: seeds.map(mean), seeds, top: Math.max(...seeds.flat()) };
}

const [WIDTH, BASE, REACH] = [260, 108, 96];

/** How a measure is written. */
const written = (key, value) => (key === "kind" ? `${show(100 * value, 0)} %` : show(value, key === "color" ? 3 : 2));

/** A column for each setting, a dot for each seed; returns a function that marks a column. */
function bars(parent, measured, key, name, lambdas) {
  const { means, seeds, top } = chart(measured, key);
  const svg = make(parent, "svg", { viewBox: `0 0 ${WIDTH} 140`, role: "img" });
  const keys = Object.keys(measured).map((setting) => `${key} ${setting}`);
  const place = { keys, width: WIDTH, base: BASE, foot: 124, reach: REACH, thick: 0.7 };
  columns(svg, lambdas, place)(means, top);
  const rects = [...svg.querySelectorAll("rect")];
  rects.forEach((rect, k) => {
    const middle = Number(rect.getAttribute("x")) + Number(rect.getAttribute("width")) / 2;
    for (const value of seeds[k])
      make(svg, "circle", { class: "seed", cx: middle, cy: BASE - (REACH * value) / top, r: 3.5 });
  });
  make(svg, "text", { class: "quiet", x: WIDTH / 2, y: 139, "text-anchor": "middle" }, "λ");
  return (chosen) => {
    rects.forEach((rect, k) => rect.classList.toggle("chosen", k === chosen));
    const spoken = seeds[chosen].map((value) => written(key, value)).join(", ");
    set(svg, { "aria-label": `${name} of the six settings; of the chosen one, seed by seed: ${spoken}` });
  };
}

function render({ model, el }) {
  const view = hero(model, el, "Lambda slider");
  const { GLYPHS, LAMBDAS, MEASURES, CREDIT, setting: names } = view.constants;
  const [measured, pictures, errors] = ["measured", "pictures", "glyph_errors"].map(view.get);
  const top = view.panel();
  const move = slider(top, "λ", "λ, the weight of L1", [0, names.length - 1, 1], (k) =>
    view.change({ setting: names[k] }),
  );
  const wall = make(top, "div", { class: "wall" });
  const cards = GLYPHS.map((glyph, i) => {
    const card = make(wall, "div", { class: "card" });
    const picture = (kind) => make(card, "img", { class: `pixels ${kind}`, alt: `${glyph}, ${kind}` });
    set(picture("outline"), { src: pictures.outline[i] });
    const painting = picture("painting");
    set(picture("truth"), { src: pictures.truth[i] });
    const words = make(card, "p", { class: "said" });
    make(words, "span", {}, glyph);
    return { painting, error: make(words, "output", { "data-name": glyph }) };
  });
  make(
    top,
    "p",
    { class: "note" },
    `Top: outline. Middle: painting of the network of seed 0. Bottom: truth. Number: color error of this painting. ${CREDIT}.`,
  );
  const lambdas = names.map((name) => LAMBDAS[name][0]);
  const charts = Object.entries(MEASURES).map(([key, name]) => {
    const panel = view.panel();
    const fact = facts(panel, { [key]: name });
    const mark = bars(panel, measured, key, name, lambdas);
    return (k, value) => {
      fact(key, value, written(key, value));
      mark(k);
    };
  });
  make(
    view.panel(),
    "p",
    { class: "note" },
    "Over all 200 held-out glyphs: bars and big numbers are means over the seeds, dots the seeds. Errors and distances: less is better.",
  );

  return view.start(() => {
    const setting = view.get("setting");
    const k = names.indexOf(setting);
    const now = numbers(measured, setting);
    const [lam, name] = LAMBDAS[setting];
    move(k, { text: name, spoken: name === setting ? name : `λ = ${lam}, ${name}` });
    cards.forEach(({ painting, error }, i) => {
      set(painting, { src: pictures[setting][i] });
      error.textContent = show(errors[setting][i]);
      error.dataset.value = String(errors[setting][i]);
    });
    Object.keys(MEASURES).forEach((key, i) => charts[i](k, now[key]));
    const spoken = Object.entries(MEASURES).map(([key, words]) => `${words} ${written(key, now[key])}`);
    view.say(`${name}: ${spoken.join(", ")}`);
  }, ["setting"]);
}
export default { render };
