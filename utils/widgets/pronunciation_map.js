// A word to type, and a recorded network that pronounces it in the page, letter by letter.
import { facts, field, slider } from "./js/controls.js";
import { make, set } from "./js/dom.js";
import { hero } from "./js/hero.js";
import { argmax, clamp, sigmoid, softmax } from "./js/math.js";
import { show } from "./js/text.js";
import { binary } from "./js/weights.js";

/** The recorded weights: name → { rows, cols, data }, bytes times the scale of their row. */
export function unpack(arrays, weights, scales) {
  const bytes = new Int8Array(binary(weights).buffer);
  const view = new DataView(binary(scales).buffer);
  let [used, row] = [0, 0];
  return Object.fromEntries(
    arrays.map(([name, rows, cols]) => {
      const data = new Float64Array(rows * cols);
      for (let i = 0; i < rows; i += 1, row += 1) {
        const scale = view.getFloat32(4 * row, true);
        for (let j = 0; j < cols; j += 1, used += 1) data[i * cols + j] = bytes[used] * scale;
      }
      return [name, { rows, cols, data }];
    }),
  );
}

const product = ({ rows, cols, data }, x, bias) =>
  Float64Array.from({ length: rows }, (_, i) => {
    let sum = bias.data[i];
    for (let j = 0; j < cols; j += 1) sum += data[i * cols + j] * x[j];
    return sum;
  });
const join = (...parts) => Float64Array.from(parts.flatMap((part) => Array.from(part)));

const lookUp = ({ cols, data }, k) => data.subarray(k * cols, (k + 1) * cols);

/** The same as speak() in pronunciation_map.py, for a word of letters a to z. */
export function speak(word, net, { START, END, LONGEST }, temperature = 1) {
  const linear = (name, x) => product(net[`${name}.weight`], x, net[`${name}.bias`]);
  const step = (name, x, h) => {
    const [W, U, b, d] = ["weight_ih", "weight_hh", "bias_ih", "bias_hh"].map((kind) => net[`${name}.${kind}_l0`]);
    const [says, recalls] = [product(W, x, b), product(U, h, d)];
    const n = h.length;
    return h.map((old, k) => {
      const r = sigmoid(says[k] + recalls[k]);
      const z = sigmoid(says[n + k] + recalls[n + k]);
      return (1 - z) * Math.tanh(says[2 * n + k] + r * recalls[2 * n + k]) + z * old;
    });
  };
  const read = (name, sequence) => {
    let h = new Float64Array(net[`${name}.weight_hh_l0`].cols);
    return sequence.map((x) => (h = step(name, x, h)));
  };
  const letters = Array.from(word, (letter) => lookUp(net["letters.weight"], letter.charCodeAt(0) - 96));
  const right = read("rightward", letters);
  const left = read("leftward", letters.toReversed());
  const memory = right.map((state, i) => join(state, left[left.length - 1 - i]));
  let state = linear("bridge", join(right.at(-1), left.at(-1))).map(Math.tanh);
  const keys = memory.map((m) => linear("key", m));
  const answer = { codes: [], probabilities: [], weights: [] };
  let code = START;
  while (answer.codes.length < LONGEST) {
    const y = lookUp(net["phonemes.weight"], code);
    state = step("writer", y, state);
    const query = linear("query", state);
    const scale = temperature * Math.sqrt(query.length);
    const a = softmax(keys.map((key) => key.reduce((sum, value, k) => sum + value * query[k], 0) / scale));
    const context = memory[0].map((_, k) => a.reduce((sum, weight, i) => sum + weight * memory[i][k], 0));
    const p = softmax(linear("output", join(state, context, y)));
    code = p.indexOf(Math.max(...p.slice(END)), END); // neither padding nor START
    answer.probabilities.push(p);
    if (code === END) break;
    answer.codes.push(code);
    answer.weights.push(a);
  }
  return answer;
}

/** The row in the light, −1 where there is none, how sure the network was of it, and its largest weight. */
export function numbers({ probabilities, weights }, step, { END }) {
  const row = Math.min(Math.floor(step), weights.length - 1);
  if (row < 0) return { row, probability: 0, weight: 0 };
  return { row, probability: Math.max(...probabilities[row].slice(END)), weight: Math.max(...weights[row]) };
}

function start({ model, el }) {
  const view = hero(model, el, "Pronunciation map");
  const { FIRST, LONGEST, EXAMPLES, word: lengths, temperature: temperatures } = view.constants;
  const net = unpack(view.get("arrays"), view.get("weights"), view.get("scales"));
  const sound = (code) => EXAMPLES[code - FIRST];

  const left = view.panel();
  const showWord = field(left, "word", "a word of letters a to z", lengths, (word) => view.change({ word, step: 0 }));
  const said = make(left, "p", { class: "formula", "aria-label": "phonemes" });
  const fact = facts(left, { probability: "probability", weight: "largest weight" });
  const showTemperature = slider(
    left,
    "temperature",
    "temperature of the attention",
    [...temperatures, 1],
    (temperature) => {
      view.change({ temperature });
    },
  );
  const note = make(left, "p", { class: "note" });

  const right = view.panel("where it looked");
  const svg = make(right, "svg", { role: "radiogroup", "aria-label": "phonemes, one a row: arrow keys choose" });
  const go = (step) => {
    view.change({ step: clamp(step, 0, Math.max(rows.length - 1, 0)) });
    cancelAnimationFrame(wait);
    wait = requestAnimationFrame(() => requestAnimationFrame(() => rows[view.get("step")]?.focus()));
  };
  let [rows, drawn, answer, wait] = [[], "", null, 0];

  /** The map of a new word: letters above, a row of cells for each phoneme. */
  function build(word) {
    const [side, gap, head] = [Math.min(30, 300 / word.length), 112, 26];
    svg.replaceChildren();
    set(svg, { viewBox: `0 0 ${gap + side * word.length + 4} ${head + 26 * Math.max(answer.codes.length, 1) + 4}` });
    Array.from(word).forEach((letter, i) => {
      make(svg, "text", { x: gap + side * (i + 0.5), y: 18, "text-anchor": "middle" }, letter);
    });
    rows = answer.codes.map((code, t) => {
      const [phoneme, example] = sound(code);
      const row = make(svg, "g", {
        role: "radio",
        tabindex: -1,
        "data-row": t,
        class: "phoneme",
        "aria-label": `${phoneme} as in ${example}, looking at ${word[argmax(answer.weights[t])]}`,
      });
      make(row, "rect", {
        class: "frame catch",
        x: 1,
        y: head + 26 * t + 1,
        width: gap + side * word.length + 2,
        height: 24,
        rx: 4,
      });
      make(row, "text", { class: "sound", x: 8, y: head + 26 * t + 18 }, phoneme);
      make(row, "text", { class: "quiet", x: 40, y: head + 26 * t + 18 }, example);
      answer.weights[t].forEach((weight, i) => {
        make(row, "rect", {
          x: gap + side * i + 1,
          y: head + 26 * t + 3,
          width: side - 2,
          height: 20,
          class: "weight",
          "fill-opacity": weight.toFixed(4),
        });
      });
      row.addEventListener("click", () => go(t));
      row.addEventListener("keydown", (event) => {
        const by = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1, Home: -LONGEST, End: LONGEST }[event.key];
        if (!by) return;
        event.preventDefault();
        go(view.get("step") + by);
      });
      return row;
    });
  }

  return view.start(() => {
    const word = view.get("word");
    const temperature = view.get("temperature");
    if (drawn !== `${word} ${temperature}`) {
      drawn = `${word} ${temperature}`;
      answer = speak(word, net, view.constants, temperature);
      build(word);
    }
    showWord(word);
    showTemperature(temperature);
    const { row: now, probability, weight: largest } = numbers(answer, view.get("step"), view.constants);
    rows.forEach((row, t) => set(row, { "aria-checked": t === now, tabindex: t === now ? 0 : -1 }));
    const names = answer.codes.map((code) => sound(code)[0]);
    said.textContent = names.join(" ") || "(silence)";
    const a = now < 0 ? [] : answer.weights[now];
    fact("probability", probability, show(probability));
    fact("weight", largest, show(largest));
    note.textContent =
      now < 0
        ? "The network says nothing at all."
        : `${names[now]} as in “${sound(answer.codes[now])[1]}”: ` +
          `it looks at ${Array.from(word)
            .map((letter, i) => [letter, a[i]])
            .filter(([, weight]) => weight >= 0.05)
            .map(([letter, weight]) => `${letter} (${show(weight)})`)
            .join(", ")}.`;
    view.say(`${word}: ${names.join(" ")}`);
  }, ["word", "step", "temperature"]);
}
export default { render: start };
