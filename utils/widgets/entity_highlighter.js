// A sentence whose names of persons, places and others are marked, and what is probable for each word.
import { rows } from "./js/bars.js";
import { facts } from "./js/controls.js";
import { make, reveal, set } from "./js/dom.js";
import { hero } from "./js/hero.js";
import { argmax, clamp } from "./js/math.js";
import { check, focuser, LINE, radio } from "./js/radios.js";
import { sentence } from "./js/sentence.js";
import { show } from "./js/text.js";

/** The entities in a sentence's tags: kind, first word, and the word behind the last; as in metrics.py. */
export function entities(tags) {
  const found = [];
  let [kind, first] = ["", 0];
  [...tags, "O"].forEach((tag, i) => {
    const [place, now = ""] = tag.split("-");
    if (kind && (now !== kind || place === "B")) {
      found.push([kind, first, i]);
      kind = "";
    }
    if (now && !kind) [kind, first] = [now, i];
  });
  return found;
}

/** Tags, entities with text and probability, and the numbers of the chosen word. */
export function numbers({ text, words, probabilities }, word, { TAGS }) {
  const letters = Array.from(text); // Python counts characters, JavaScript halves of some
  const tags = probabilities.map((p) => TAGS[argmax(p)]);
  const found = entities(tags).map(([kind, first, end]) => {
    const best = probabilities.slice(first, end).map((p) => Math.max(...p));
    const name = letters.slice(words[first][0], words[end - 1][1]).join("");
    return { kind, text: name, first, end, probability: best.reduce((product, p) => product * p, 1) };
  });
  const at = Math.min(word, tags.length - 1);
  return {
    tags,
    found,
    at,
    count: found.length,
    probability: Math.max(...probabilities[at]),
    entity: found.find(({ first, end }) => first <= at && at < end)?.probability ?? 0,
  };
}

/** The text in parts, in order: each a blank, or a word by its number. */
export function parts({ text, words }) {
  const letters = Array.from(text);
  return words.flatMap(([start, end], i) => {
    const before = i ? words[i - 1][1] : 0;
    const gap = letters.slice(before, start).join("");
    const word = { word: i, text: letters.slice(start, end).join("") };
    return gap ? [{ word: -1, text: gap }, word] : [word];
  });
}

function render({ model, el }) {
  const view = hero(model, el, "Entity highlighter");
  const KEYS = ["text", "word", "pieces"];
  const { constants } = view;
  const { TAGS, KINDS, MOST } = constants;

  const top = view.panel();
  const asked = sentence(view, top, MOST);
  const line = make(top, "p", { class: "line", role: "radiogroup", "aria-label": "words: arrow keys choose" });
  const remark = make(top, "p", { class: "note remark" });
  const pieces = make(top, "button", { type: "button", role: "switch", class: "switch" }, "");
  pieces.addEventListener("click", () => view.change({ pieces: !view.get("pieces") }));

  const left = view.panel();
  const title = make(left, "h4");
  const svg = make(left, "svg", { viewBox: `0 0 300 ${26 * TAGS.length + 4}`, role: "img" });
  const bars = rows(svg, TAGS, { keys: TAGS });
  const right = view.panel();
  const fact = facts(right, { count: "names found", probability: "this word’s tag", entity: "its whole name" });
  const told = make(right, "p", { class: "note told" });
  const key = make(right, "ul", { class: "kinds" });
  for (const [kind, [name, color]] of Object.entries(KINDS)) {
    const item = make(key, "li", { class: `accent-${color}` });
    make(item, "span", { class: "kind" }, kind);
    item.append(` ${name}`);
  }
  make(
    right,
    "p",
    { class: "note" },
    "B- begins a name, I- goes on with it, O is outside. The tag of a word is read at its first piece. A name’s probability is the product of its words’.",
  );

  let [words, drawn] = [[], ""];
  const focus = focuser(view);
  const go = (word) => {
    const to = clamp(word, 0, words.length - 1);
    view.change({ word: to });
    focus(() => words[to]);
  };

  const tell = (tag) => (tag === "O" ? "no name" : KINDS[tag.slice(2)][0]);

  /** A word to choose, its pieces beneath it. */
  function write(parent, text, i, answer, now, hasPieces) {
    const node = make(parent, "span", { role: "radio", class: "word", "data-word": i });
    make(node, "span", {}, text);
    set(node, { "aria-label": `${text}: ${tell(now.tags[i])}` });
    if (hasPieces) {
      const below = make(node, "span", { class: "pieces" });
      answer.pieces[i].forEach((piece, k) => make(below, k ? "span" : "b", {}, piece));
      set(node, { "aria-label": `${text}: ${tell(now.tags[i])}, read as ${answer.pieces[i].join(" ")}` });
    }
    radio(
      node,
      () => go(i),
      LINE,
      (by) => go(i + by),
    );
    return node;
  }

  /** The sentence anew, a frame around every name. */
  function build(answer, now, hasPieces) {
    line.replaceChildren();
    line.classList.toggle("open", hasPieces);
    words = [];
    let frame = null;
    for (const { word, text } of parts(answer)) {
      const name = word < 0 ? null : now.found.find(({ first }) => first === word);
      if (name) {
        frame = make(line, "span", { class: `entity accent-${KINDS[name.kind][1]}`, "data-kind": name.kind });
        frame.end = name.end;
      }
      const isLast = frame && word === frame.end - 1;
      const place = isLast ? make(frame, "span", { class: "last" }) : (frame ?? line);
      if (word < 0) place.append(text);
      else words.push(write(place, text, word, answer, now, hasPieces));
      if (isLast) {
        make(place, "span", { class: "kind", "aria-hidden": true }, frame.dataset.kind);
        frame = null;
      }
    }
  }

  return view.start(() => {
    const { text, word, pieces: hasPieces } = view.state(KEYS);
    const answer = asked();
    pieces.textContent = `${hasPieces ? "☑" : "☐"} show the word pieces that the encoder reads`;
    pieces.setAttribute("aria-checked", hasPieces);
    for (const node of [remark, pieces, left, right]) reveal(node, answer);
    if (!answer) {
      drawn = "";
      words = [];
      line.textContent = text;
      return;
    }
    const now = numbers(answer, word, constants);
    if (drawn !== `${text} ${hasPieces}`) {
      drawn = `${text} ${hasPieces}`;
      build(answer, now, hasPieces);
    }
    words.forEach((node, i) => check(node, i === now.at));
    const chosen = words[now.at].firstChild.textContent;
    const tag = now.tags[now.at];
    remark.textContent = answer.remark;
    title.textContent = `“${chosen}”: probability of each tag`;
    bars(answer.probabilities[now.at], true);
    set(svg, { "aria-label": `most probable ${tag}, ${show(now.probability)}` });
    fact("count", now.count, String(now.count));
    fact("probability", now.probability, show(now.probability));
    fact("entity", now.entity, now.entity ? show(now.entity) : "–");
    told.textContent = `“${chosen}” is tagged ${tag}: ${tell(tag)}.`;
    const names = now.found.map((name) => `${name.text}, ${KINDS[name.kind][0]}`);
    view.say(`${names.join("; ") || "No name found"}. ${told.textContent} ${answer.remark}`);
  }, [...KEYS, "recorded", "answer", "why"]);
}
export default { render };
