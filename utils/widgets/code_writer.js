// A GPT that runs in the page and writes Python on. The functions above render() know nothing of it.
import { button, buttons, choice, facts, slider, wholeSlider } from "./js/controls.js";
import { make, reveal, set } from "./js/dom.js";
import { bytePairs, decode, encode } from "./js/byte_pairs.js";
import { gpt, reader } from "./js/gpt.js";
import { hero } from "./js/hero.js";
import { clamp, softmax, total } from "./js/math.js";
import { player } from "./js/play.js";
import { uniform } from "./js/random.js";
import { show } from "./js/text.js";
import { binary, floats } from "./js/weights.js";

const PAUSE = 40; // milliseconds from one token to the next
const AT_ONCE = 24; // tokens that are computed before the page is drawn

/** The byte pairs and the GPT that Python sent; it remembers what it has read. */
export function unpack(whole, rest, merges, { PIECE, SHAPE }) {
  const coder = bytePairs(PIECE, new Uint16Array(binary(merges).buffer));
  return { coder, ...reader(gpt(new Int8Array(binary(whole).buffer), floats(rest), SHAPE)) };
}

/**
 * Probabilities by rank, from the likeliest token to the least: `before` and `after` top-k and top-p, which leave the
 * first `left`. The same as next_probabilities() in utils/models/transformer.py.
 */
export function cut({ scores, order }, { temperature, top_k: most, top_p: share }) {
  if (!temperature) {
    const before = order.map((_, rank) => (rank ? 0 : 1));
    return { before, after: before, left: 1 };
  }
  const before = softmax(order.map((token) => scores[token] / temperature));
  const enough = share < 1 ? share * total(before.slice(0, most)) : Infinity;
  let [left, sum] = [0, 0];
  while (left < most && sum < enough) {
    sum += before[left];
    left += 1;
  }
  return { before, after: before.map((p, rank) => (rank < left ? p / sum : 0)), left };
}

/** cut() of what was cut before, unless a slider has moved: a text that grows asks for each of its places again. */
function chancesOf(known, { temperature, top_k, top_p }) {
  const key = [temperature, top_k, top_p].join();
  if (known.key !== key) Object.assign(known, { key, chances: cut(known, { temperature, top_k, top_p }) });
  return known.chances;
}

/** The rank of the token that a number between 0 and 1 draws. */
function draw({ after }, number) {
  let sum = 0;
  return after.findIndex((p) => (sum += p) > number);
}

/**
 * What the state says is written, and what comes next: the same as go_on() in code_writer.py. It stops once it has
 * read `limit` tokens that it did not know, and is then not `done`.
 */
export function numbers({ coder, follow, effort }, state, { FIRST }, limit = Infinity) {
  const { start, fixed, count, seed } = state;
  const given = encode(coder, start || FIRST);
  const end = effort() + limit;
  const [tokens, surprises] = [[], []];
  for (;;) {
    const known = follow([...given, ...tokens]);
    const chances = chancesOf(known, state);
    const rank = draw(chances, uniform(Math.floor(seed), tokens.length));
    const done = tokens.length === fixed.length + count;
    if (done || effort() >= end) {
      const entropy = -total(chances.after.map((p) => (p > 0 ? p * Math.log2(p) : 0)));
      const texts = decode(tokens.map((token) => coder.words[token]));
      return { ...chances, order: known.order, rank, entropy, tokens, texts, surprises, done };
    }
    const token = fixed[tokens.length] ?? known.order[rank];
    surprises.push((known.level - known.scores[token]) / Math.LN2);
    tokens.push(token);
  }
}

/** A token's bytes as a short text in which spaces and line ends are seen: label() in code_writer.py. */
export function label(word) {
  let text;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(Uint8Array.from(word));
  } catch {
    return word.map((byte) => `\\x${byte.toString(16).padStart(2, "0")}`).join("");
  }
  return Array.from(
    text
      .replace(/ {2,}/g, (run) => `␣×${run.length}`)
      .replaceAll(" ", "␣")
      .replaceAll("\n", "↵")
      .replaceAll("\t", "⇥"),
    (sign) => (sign < " " ? String.fromCharCode(0x2400 + sign.charCodeAt(0)) : sign),
  ).join("");
}

/** The same for who hears it. */
const spoken = (word) =>
  label(word)
    .replace(/␣×(\d+)/g, " $1 spaces ")
    .replaceAll("␣", " space ")
    .replaceAll("↵", " new line ")
    .trim();

const percent = (p) => (p > 0 && p < 0.005 ? "< 1 %" : `${Math.round(100 * p)} %`);

/** A name, a bar and a percentage in a node; returns a function that shows a token's probability before and after. */
function bar(node) {
  const name = make(node, "span", { class: "token" });
  const share = make(make(node, "span", { class: "track" }), "span", { class: "share" });
  const text = make(node, "span", { class: "percent" });
  return (word, before, after, isNext) => {
    const isCut = before > 0 && !after;
    node.classList.toggle("cut", isCut);
    node.classList.toggle("comes", isNext);
    name.textContent = word;
    text.textContent = isCut ? "cut" : percent(after);
    share.style.setProperty("--dll-share", `${(100 * (after || before)).toFixed(2)}%`);
    node.dataset.value = after;
    return text.textContent;
  };
}

function render({ model, el }) {
  const view = hero(model, el, "Code writer");
  const { constants } = view;
  const { BEGINNINGS, SHAPE, TOP_K, LONGEST, BARS, TINT } = constants;
  const most = constants.count[1];
  const KEYS = ["start", "fixed", "count", "temperature", "top_k", "top_p", "seed"];
  const writer = unpack(view.get("whole"), view.get("rest"), view.get("merges"), constants);
  let now = { tokens: [] };

  // the text: a field without ground, and behind it the same letters, unseen, on the tints of their tokens
  const left = view.panel();
  const own = Object.keys(BEGINNINGS).find((name) => !BEGINNINGS[name]);
  const showBeginning = choice(left, "begin with", Object.keys(BEGINNINGS), (name) => {
    play(false);
    view.change({ start: BEGINNINGS[name], fixed: [], ...(name === own ? { count: 0 } : {}) });
    if (name === own) field.focus();
  });
  const sheet = make(left, "div", { class: "sheet" });
  const ground = make(sheet, "div", { class: "ground", "aria-hidden": "true" });
  const field = make(sheet, "textarea", {
    "aria-label": "Python code: the network writes on at its end",
    spellcheck: "false",
    autocomplete: "off",
    autocapitalize: "off",
    maxlength: LONGEST,
  });
  field.addEventListener("keydown", (event) => event.stopPropagation());
  field.addEventListener("input", () => {
    play(false);
    // the cut may have halved a character
    const bytes = new TextEncoder().encode(field.value.slice(-LONGEST));
    view.change({ start: new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes), fixed: [], count: 0 });
  });

  const row = buttons(left);
  const length = () => view.get("fixed").length + view.get("count");
  const oneMore = () => {
    if (length() < most && now.done) view.change({ count: view.get("count") + 1 });
    return length() < most;
  };
  const play = player(view, row, PAUSE, oneMore, { texts: ["Write", "Pause"] });
  const stopping = (act) => () => {
    play(false);
    act();
  };
  const next = button(row, "One token", stopping(oneMore));
  const back = button(
    row,
    "Back",
    stopping(() => {
      const [fixed, count] = [view.get("fixed"), view.get("count")];
      view.change(count ? { count: count - 1 } : { fixed: fixed.slice(0, -1) });
    }),
  );
  const erase = button(
    row,
    "Erase",
    stopping(() => view.change({ fixed: [], count: 0 })),
    { "aria-label": "Erase what is written" },
  );
  const legend = make(left, "p", { class: "note legend" });
  make(legend, "span", {}, "written: expected");
  make(legend, "span", { class: "tints" });
  make(legend, "span", {}, "surprising to the network itself");
  make(
    left,
    "p",
    { class: "note" },
    "Type anything: it writes on from there. A slider writes all that is written anew, with the same draws.",
  );

  // what comes next
  const right = view.panel("next token");
  const fact = facts(right, { left: `left of ${SHAPE.vocabulary}`, entropy: "entropy in bits" });
  const list = make(right, "div", {
    class: "bars",
    role: "group",
    "aria-label": "likeliest tokens: arrow keys move, Enter chooses",
  });
  const choose = (rank) => {
    if (length() >= most) return;
    play(false);
    view.change({ fixed: [...now.tokens, now.order[rank]], count: 0 });
  };
  let focus = 0; // the bar that the Tab key reaches
  const nodes = Array.from({ length: BARS }, (_, rank) =>
    button(list, "", () => choose(rank), { class: "bar", "data-name": `p${rank}` }),
  );
  const showBars = nodes.map(bar);
  const light = (rank) => {
    focus = rank;
    nodes.forEach((node, k) => set(node, { tabindex: k === focus ? 0 : -1 }));
  };
  light(0);
  list.addEventListener("focusin", (event) => light(nodes.indexOf(event.target)));
  list.addEventListener("keydown", (event) => {
    const by = { ArrowDown: 1, ArrowUp: -1, Home: -BARS, End: BARS }[event.key];
    if (!by) return;
    event.preventDefault();
    nodes[clamp(focus + by, 0, BARS - 1)].focus();
  });
  const showOthers = bar(make(list, "div", { class: "bar others", "data-name": "others" }));
  make(right, "p", { class: "note" }, "Click a bar to choose. Framed: what the draw takes. Gray: cut off.");

  const showTemperature = slider(right, "temperature", "temperature", [...constants.temperature, 0.05], (temperature) =>
    view.change({ temperature }),
  );
  const showK = wholeSlider(right, "top-k", "top-k", [0, TOP_K.length - 1], (k) => view.change({ top_k: TOP_K[k] }));
  const showP = slider(right, "top-p", "top-p", [...constants.top_p, 0.01], (p) => view.change({ top_p: p }));
  const showSeed = wholeSlider(right, "draw", "which random draw", constants.seed, (seed) => view.change({ seed }));

  /** The field and its ground; where its end was in sight, it stays in sight. */
  function write(start, { texts, surprises }) {
    const text = (start + texts.join("")).replace(/\r\n?/g, "\n");
    const follows = field.value !== text && sheet.scrollTop + sheet.clientHeight > sheet.scrollHeight - 40;
    if (field.value !== text) field.value = text; // else the caret would jump
    ground.replaceChildren(start);
    texts.forEach((part, k) => {
      const share = clamp((surprises[k] - TINT[0]) / (TINT[1] - TINT[0]), 0, 1);
      const node = make(ground, "span", { "data-name": `bits${k}`, "data-value": surprises[k] }, part);
      node.style.setProperty("--dll-share", `${Math.round(100 * share)}%`);
      node.style.setProperty("--dll-strength", `${Math.round(14 + 48 * Math.abs(share - 0.5))}%`);
    });
    ground.append("\u200b"); // a last line that is empty has its height, too
    if (follows) sheet.scrollTop = sheet.scrollHeight;
  }

  return view.start(() => {
    const state = view.state(KEYS);
    now = numbers(writer, state, constants, AT_ONCE);
    const { before, after, left: count, order, rank, entropy, tokens } = now;
    write(state.start, now);
    fact("left", count, String(count));
    fact("entropy", entropy, show(entropy));
    nodes.forEach((node, k) => {
      const word = writer.coder.words[order[k]];
      const chance = showBars[k](label(word), before[k], after[k], k === rank);
      const words = [spoken(word), chance, ...(k === rank ? ["drawn next"] : [])];
      set(node, { "aria-label": words.join(", ") });
    });
    const rest = (values) => total(values.slice(BARS));
    showOthers(`${order.length - BARS} others`, rest(before), rest(after), rank >= BARS);

    const name = Object.keys(BEGINNINGS).find((one) => BEGINNINGS[one] === state.start);
    showBeginning(name ?? own);
    showTemperature(state.temperature);
    const k = TOP_K.findIndex((value) => value >= state.top_k);
    showK(k, { text: state.top_k === SHAPE.vocabulary ? "all" : String(state.top_k) });
    showP(state.top_p);
    showSeed(state.seed);
    const isFull = length() >= most;
    next.disabled = isFull;
    for (const node of nodes) node.disabled = isFull;
    for (const node of [back, erase]) node.disabled = !length();
    reveal(legend, tokens.length > 0);
    const last = tokens.length ? `“${spoken(writer.coder.words[tokens.at(-1)])}” written` : "nothing written";
    view.say(`${last}; likeliest next ${nodes[0].getAttribute("aria-label")}`);
    if (!now.done) view.change({}); // goes on with the next frame
  }, KEYS);
}
export default { render };
