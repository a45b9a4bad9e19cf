// A recurrent network of letters that runs in the page. The functions above render() know nothing of it.
import { button, facts, slider } from "./js/controls.js";
import { make, set } from "./js/dom.js";
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
  view.panels.style.setProperty("--dll-panel", "300px");
  const network = unfold(view.get("weights"), view.get("hidden"));

  const left = view.panel();
  const row = make(left, "label", { class: "row" });
  make(row, "span", {}, "begins with");
  const input = make(row, "input", {
    type: "text",
    maxlength: MAX_START,
    spellcheck: "false",
    autocomplete: "off",
    autocapitalize: "off",
    "aria-label": "how the words begin",
    style:
      "background: transparent; border: 1px solid var(--dll-quiet); border-radius: 4px; color: inherit; " +
      "font: inherit; grid-column: 2 / 4; min-width: 0; padding: 3px 8px",
  });
  input.addEventListener("keydown", (event) => event.stopPropagation());
  input.addEventListener("input", () => {
    view.change({
      start: input.value
        .toLowerCase()
        .replace(/[^a-z]/g, "")
        .slice(0, MAX_START),
    });
  });
  const showTemperature = slider(left, "temperature", "temperature", [0.1, 2, 0.05], (temperature) =>
    view.change({ temperature }),
  );
  const showSeed = slider(left, "draw", "which random draw", [0, 99, 1], (seed) => view.change({ seed }));
  const [seedInput, seedText] = left.lastChild.querySelectorAll("input, output");
  const fact = facts(left, { next: "surest next sign", probability: "its probability", entropy: "entropy in bits" });
  left.querySelector(".facts").style.marginTop = "12px";
  const chart = set(
    make(left, "svg", { viewBox: "0 0 420 190", role: "img", "aria-label": "probability of each next sign" }),
    {},
  );
  const wide = 410 / SIGNS.length;
  const bars = [...SIGNS].map((sign, k) => {
    make(chart, "text", { x: 5 + wide * (k + 0.5), y: 184, "text-anchor": "middle" }, sign);
    return make(chart, "rect", {
      class: k ? "one" : "zero",
      x: 5 + wide * (k + 0.12),
      width: 0.76 * wide,
      "data-name": `p${k}`,
    });
  });
  make(chart, "path", { class: "axis", d: "M5 166H415" });
  make(chart, "path", { class: "axis", d: "M5 20H415", "stroke-dasharray": "3 4" });
  const scale = make(chart, "text", { class: "quiet", x: 5, y: 14 });
  make(left, "p", { class: "note" }, "· is the end of the word.");

  const right = view.panel("words it writes");
  const list = make(right, "ol", {
    style: "columns: 2; font-size: 16px; line-height: 2; list-style: none; margin: 0; padding: 0",
  });
  const lines = Array.from({ length: WORDS }, () => make(list, "li", { style: "margin: 0" }));
  const again = make(right, "p", { style: "margin: 12px 0 0" });
  button(again, "Write others", () => view.change({ seed: (view.get("seed") + 1) % 100 }));

  return view.start(() => {
    const [start, temperature, seed] = ["start", "temperature", "seed"].map((key) => view.get(key));
    const p = probabilities(network, read(network, start), temperature);
    const best = argmax(p);
    const words = write(network, start, temperature, Math.floor(seed));
    if (input.value !== start) input.value = start; // only a … z are taken
    showTemperature(temperature);
    showSeed(seed);
    seedText.textContent = String(Math.floor(seed));
    seedInput.setAttribute("aria-valuetext", seedText.textContent);
    const top = Math.max(p[best], 0.25);
    scale.textContent = `probability ${show(top)}`;
    bars.forEach((bar, k) => {
      set(bar, { y: 166 - (146 * p[k]) / top, height: (146 * p[k]) / top });
      bar.dataset.value = String(p[k]);
    });
    lines.forEach((line, i) => {
      line.replaceChildren();
      make(line, "span", { style: "color: var(--dll-quiet)" }, start);
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
