// A recurrent network of letters that runs in the page. The functions above render() know nothing of it.
import { columns } from "./js/bars.js";
import { button, facts, field, slider, wholeSlider } from "./js/controls.js";
import { make } from "./js/dom.js";
import { hero } from "./js/hero.js";
import { argmax, softmax, total } from "./js/math.js";
import { uniform } from "./js/random.js";
import { show } from "./js/text.js";
import { floats, taker } from "./js/weights.js";

/** The weights as fold() in word_writer.py names them: table (27, H), U (H, H), V (27, H), c (27). */
export function unfold(text, H, { SIGNS }) {
  const take = taker(floats(text));
  const n = SIGNS.length;
  return { H, table: take(n * H), U: take(H * H), V: take(n * H), c: take(n) };
}

/** The state after one more sign; `h` is null before the first. */
function step({ H, table, U }, h, sign) {
  return Float64Array.from({ length: H }, (_, i) => {
    let sum = table[sign * H + i];
    if (h) for (let j = 0; j < H; j += 1) sum += U[i * H + j] * h[j];
    return Math.tanh(sum);
  });
}

const read = (network, start, { SIGNS }) =>
  [...start].reduce((h, letter) => step(network, h, SIGNS.indexOf(letter)), step(network, null, 0));

function probabilities({ H, V, c }, h, temperature) {
  return softmax(
    Array.from(c, (bias, k) => {
      let sum = bias;
      for (let j = 0; j < H; j += 1) sum += V[k * H + j] * h[j];
      return sum / temperature;
    }),
  );
}

/** The same words as write() in word_writer.py. */
export function write(network, start, temperature, seed, constants) {
  const { SIGNS, WORDS, MAX_LETTERS } = constants;
  const first = read(network, start, constants);
  return Array.from({ length: WORDS }, (_, i) => {
    let word = start;
    let h = first;
    for (let k = start.length; k < MAX_LETTERS; k += 1) {
      const u = uniform(seed, i * MAX_LETTERS + k);
      let sum = 0;
      let sign = probabilities(network, h, temperature).findIndex((p) => (sum += p) > u);
      if (sign < 0) sign = SIGNS.length - 1;
      if (sign === 0) break;
      word += SIGNS[sign];
      h = step(network, h, sign);
    }
    return word;
  });
}

/** What comes next, the surest sign, its probability and the entropy in bits; and the words. */
export function numbers(network, { start, temperature, seed }, constants) {
  const p = probabilities(network, read(network, start, constants), temperature);
  const next = argmax(p);
  const entropy = -total(p.map((value) => (value > 0 ? value * Math.log2(value) : 0)));
  const words = write(network, start, temperature, Math.floor(seed), constants);
  return { p, next, probability: p[next], entropy, words };
}

function render({ model, el }) {
  const view = hero(model, el, "Word writer");
  const { SIGNS, WORDS, start: lengths, temperature: temperatures, seed: seeds } = view.constants;
  const KEYS = ["start", "temperature", "seed"];
  const network = unfold(view.get("weights"), view.get("hidden"), view.constants);

  const left = view.panel();
  const showStart = field(left, "begins with", "how the words begin", lengths, (start) => view.change({ start }));
  const showTemperature = slider(left, "temperature", "temperature", [...temperatures, 0.05], (temperature) =>
    view.change({ temperature }),
  );
  const showSeed = wholeSlider(left, "draw", "which random draw", seeds, (seed) => view.change({ seed }));
  const fact = facts(left, { next: "surest next sign", probability: "its probability", entropy: "entropy in bits" });
  const chart = make(left, "svg", {
    viewBox: "0 0 420 190",
    role: "img",
    "aria-label": "probability of each next sign",
  });
  const showBars = columns(chart, [...SIGNS], {
    keys: Array.from(SIGNS, (_, k) => `p${k}`),
    looks: (k) => (k ? "one" : "zero"),
    width: 420,
    base: 166,
    foot: 184,
    reach: 146,
    thick: 0.76,
  });
  make(chart, "path", { class: "axis", d: "M5 20H415", "stroke-dasharray": "3 4" });
  const scale = make(chart, "text", { class: "quiet", x: 5, y: 14 });
  make(left, "p", { class: "note" }, "· is the end of the word.");

  const right = view.panel("words it writes");
  const list = make(right, "ol", { class: "words" });
  const lines = Array.from({ length: WORDS }, () => make(list, "li"));
  const again = make(right, "p", { class: "again" });
  button(again, "Write others", () => view.change({ seed: (view.get("seed") + 1) % (seeds[1] + 1) }));

  return view.start(() => {
    const state = view.state(KEYS);
    const { start, temperature, seed } = state;
    const { p, next: best, probability, entropy, words } = numbers(network, state, view.constants);
    showStart(start);
    showTemperature(temperature);
    showSeed(seed);
    const top = Math.max(probability, 0.25);
    scale.textContent = `probability ${show(top)}`;
    showBars(p, top);
    lines.forEach((line, i) => {
      line.replaceChildren();
      make(line, "span", { class: "beginning" }, start);
      make(line, "span", {}, words[i].slice(start.length));
    });
    fact("next", best, best ? SIGNS[best] : "end");
    fact("probability", probability, show(probability));
    fact("entropy", entropy, show(entropy, 1));
    view.say(`${words.slice(0, 4).join(", ")}; surest next: ${best ? SIGNS[best] : "the end"}`);
  }, KEYS);
}
export default { render };
