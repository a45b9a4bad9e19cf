// A recurrent network of letters that runs in the page. The functions above render() know nothing of it.
import { columns } from "./js/bars.js";
import { button, facts, field, slider, wholeSlider } from "./js/controls.js";
import { make } from "./js/dom.js";
import { hero } from "./js/hero.js";
import { argmax, softmax } from "./js/math.js";
import { uniform } from "./js/random.js";
import { show } from "./js/text.js";
import { floats } from "./js/weights.js";

const SIGNS = "·abcdefghijklmnopqrstuvwxyz";
const [WORDS, MAX_LETTERS, MAX_START] = [12, 14, 8];

/** The weights as fold() in word_writer.py names them: table (27, H), U (H, H), V (27, H), c (27). */
export function unfold(text, H) {
  const numbers = floats(text);
  let used = 0;
  const take = (count) => numbers.subarray(used, (used += count));
  return { H, table: take(SIGNS.length * H), U: take(H * H), V: take(SIGNS.length * H), c: take(SIGNS.length) };
}

/** The state after one more sign; `h` is null before the first. */
function step({ H, table, U }, h, sign) {
  return Float64Array.from({ length: H }, (_, i) => {
    let sum = table[sign * H + i];
    if (h) for (let j = 0; j < H; j += 1) sum += U[i * H + j] * h[j];
    return Math.tanh(sum);
  });
}

export const read = (network, start) =>
  [...start].reduce((h, letter) => step(network, h, SIGNS.indexOf(letter)), step(network, null, 0));

export function probabilities({ H, V, c }, h, temperature) {
  return softmax(
    Array.from(SIGNS, (_, k) => {
      let sum = c[k];
      for (let j = 0; j < H; j += 1) sum += V[k * H + j] * h[j];
      return sum / temperature;
    }),
  );
}

/** The same words as write() in word_writer.py. */
export function write(network, start, temperature, seed) {
  const first = read(network, start);
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

function render({ model, el }) {
  const view = hero(model, el, "Word writer");
  const network = unfold(view.get("weights"), view.get("hidden"));

  const left = view.panel();
  const showStart = field(left, "begins with", "how the words begin", [0, MAX_START], (start) =>
    view.change({ start }),
  );
  const showTemperature = slider(left, "temperature", "temperature", [0.1, 2, 0.05], (temperature) =>
    view.change({ temperature }),
  );
  const showSeed = wholeSlider(left, "draw", "which random draw", [0, 99], (seed) => view.change({ seed }));
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
  button(again, "Write others", () => view.change({ seed: (view.get("seed") + 1) % 100 }));

  return view.start(() => {
    const [start, temperature, seed] = ["start", "temperature", "seed"].map((key) => view.get(key));
    const p = probabilities(network, read(network, start), temperature);
    const best = argmax(p);
    const words = write(network, start, temperature, Math.floor(seed));
    showStart(start);
    showTemperature(temperature);
    showSeed(seed);
    const top = Math.max(p[best], 0.25);
    scale.textContent = `probability ${show(top)}`;
    showBars(p, top);
    lines.forEach((line, i) => {
      line.replaceChildren();
      make(line, "span", { class: "beginning" }, start);
      make(line, "span", {}, words[i].slice(start.length));
    });
    fact("next", best, best ? SIGNS[best] : "end");
    fact("probability", p[best], show(p[best]));
    const entropy = -p.reduce((sum, value) => sum + (value > 0 ? value * Math.log2(value) : 0), 0);
    fact("entropy", entropy, show(entropy, 1));
    view.say(`${words.slice(0, 4).join(", ")}; surest next: ${best ? SIGNS[best] : "the end"}`);
  }, ["start", "temperature", "seed"]);
}
export default { render };
