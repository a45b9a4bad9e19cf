// Where 72 attention heads look in a sentence: small maps to choose from, and the chosen one.
import { button, buttons, choice } from "./js/controls.js";
import { make, reveal, set } from "./js/dom.js";
import { hero } from "./js/hero.js";
import { clamp, mean, total } from "./js/math.js";
import { address } from "./js/pixels.js";
import { check, focuser, LINE, radio } from "./js/radios.js";
import { sentence } from "./js/sentence.js";
import { show } from "./js/text.js";
import { binary } from "./js/weights.js";

const [CELL, ROOM] = [20, 340]; // of the large map: for a weight, and for all of a row

/** An answer's word pieces, and its weights by layer, head, the piece that looks, and the one looked at. */
export function unpack({ pieces, maps }, { LAYERS, HEADS, STEPS }) {
  const bytes = binary(maps);
  const T = pieces.length;
  const row = (first) => Array.from(bytes.subarray(first, first + T), (step) => step / STEPS);
  const map = (n) => pieces.map((_, i) => row((n * T + i) * T));
  const layer = (l) => Array.from({ length: HEADS }, (_, h) => map(l * HEADS + h));
  return { pieces, maps: Array.from({ length: LAYERS }, (_, l) => layer(l)) };
}

/** How much a head looks at the piece before, the next, itself, [CLS] and [SEP]: means over all word pieces. */
export function measure(looks, layer, head) {
  const seen = looks.flatMap(({ maps }) => {
    const last = maps[layer][head].length - 1;
    const words = maps[layer][head].slice(1, last);
    return words.map((weights, k) => [k, k + 2, k + 1, 0, last].map((j) => weights[j]));
  });
  return seen[0].map((_, k) => mean(seen.map((values) => values[k])));
}

/** The measures of all heads in the recorded sentences; `even` is what a head has that looks everywhere alike. */
export function survey(recorded, constants) {
  const looks = recorded.map((one) => unpack(one, constants));
  const lengths = looks.map(({ pieces }) => pieces.length);
  const layers = looks[0].maps.map((heads, l) => heads.map((_, h) => measure(looks, l, h)));
  return { layers, even: total(lengths.map((T) => (T - 2) / T)) / total(lengths.map((T) => T - 2)) };
}

/** The marks of all heads, those with the most, and the chosen head's numbers; `look` may be null. */
export function numbers({ layers }, look, state, { measure: names, TOP }) {
  const k = names.indexOf(state.measure);
  const marks = layers.map((layer) => layer.map((values) => values[k]));
  const order = marks.flatMap((layer, l) => layer.map((value, h) => [value, l, h]));
  const top = order.toSorted((a, b) => b[0] - a[0]).slice(0, TOP);
  const named = (values) => Object.fromEntries(names.map((name, n) => [name, values[n]]));
  return {
    marks,
    top: top.map(([, l, h]) => [l, h]),
    recorded: named(layers[state.layer][state.head]),
    here: look && named(measure([look], state.layer, state.head)),
  };
}

const PLANE = {
  ArrowDown: [1, 0],
  ArrowUp: [-1, 0],
  ArrowRight: [0, 1],
  ArrowLeft: [0, -1],
  Home: [0, -Infinity],
  End: [0, Infinity],
};

/** Opacity of a weight: a square root, so that small ones are seen. */
export const shade = (weight) => Math.sqrt(weight);
const color = (weight) => [0, 0, 0, Math.round(255 * shade(weight))]; // of a mask

function render({ model, el }) {
  const view = hero(model, el, "Head browser");
  const KEYS = ["text", "layer", "head", "piece", "measure"];
  const { constants } = view;
  const { LAYERS, HEADS, TOP, MOST, measure: names } = constants;
  const recorded = view.get("recorded");
  const all = survey(recorded, constants);

  const asked = sentence(view, view.panel(), MOST);

  // ------------------------------------------------------------ all heads
  const left = view.panel(`${LAYERS} layers of ${HEADS} heads`);
  const mark = choice(left, "mark by weight on", names, (name) => view.change({ measure: name }));
  const grid = make(left, "div", { class: "heads", role: "radiogroup", "aria-label": "heads: arrow keys choose" });
  make(grid, "span");
  for (let head = 0; head < HEADS; head += 1) make(grid, "span", { "aria-hidden": true }, String(head));
  const focus = focuser(view);
  const go = (layer, head) => {
    const to = { layer: clamp(layer, 0, LAYERS - 1), head: clamp(head, 0, HEADS - 1) };
    view.change(to);
    focus(() => tiles[to.layer][to.head].node);
  };
  const tiles = Array.from({ length: LAYERS }, (_, layer) => {
    make(grid, "span", { "aria-hidden": true }, String(layer));
    return Array.from({ length: HEADS }, (_unused, head) => {
      const node = make(grid, "div", { role: "radio", class: "tile" });
      const map = make(node, "div", { class: "map" });
      const bar = make(make(node, "div", { class: "track" }), "div", { class: "bar" });
      radio(
        node,
        () => go(layer, head),
        PLANE,
        ([down, right]) => go(layer + down, head + right),
      );
      return { node, map, bar };
    });
  });
  const legend = make(left, "p", { class: "note" });
  const line = buttons(left, { "aria-label": "layer and head of those with the most", role: "group" });
  make(line, "span", {}, "Most:");
  const top = Array.from({ length: TOP }, (_, k) => button(line, "", () => go(...now.top[k])));

  // ------------------------------------------------------------ the chosen one
  const right = view.panel();
  const title = make(right, "h4");
  const svg = make(right, "svg", {
    role: "radiogroup",
    "aria-label": "word pieces that look, one a row: arrow keys choose",
  });
  const told = make(right, "p", { class: "note told" });
  const table = make(right, "table");
  const head = make(make(table, "thead"), "tr");
  for (const text of ["mean weight on", "here", "recorded"]) make(head, "th", { scope: "col" }, text);
  const body = make(table, "tbody");
  const cells = names.map((name) => {
    const tr = make(body, "tr");
    make(tr, "th", { scope: "row" }, name);
    return ["here", "recorded"].map((key) => make(tr, "td", { "data-name": `${key} ${name}` }));
  });

  let [rows, look, drawn, painted, now] = [[], null, null, "", null];
  const step = (piece) => {
    const to = clamp(piece, 0, rows.length - 1);
    view.change({ piece: to });
    focus(() => rows[to]?.node);
  };

  /** The large map of a new sentence, still without weights. */
  function build({ pieces }) {
    const T = pieces.length;
    const side = Math.min(CELL, ROOM / T);
    const font = Math.min(13, side + 1);
    const size = `font-size: ${font}px`;
    const label = 16 + 0.62 * font * Math.max(...pieces.map((piece) => piece.length));
    svg.replaceChildren();
    set(svg, { viewBox: `0 0 ${label + side * T + 2} ${label + side * T + 2}` });
    pieces.forEach((piece, j) => {
      const at = `translate(${label + side * (j + 0.5) + 4} ${label - 6}) rotate(-90)`;
      make(svg, "text", { transform: at, style: size }, piece);
    });
    rows = pieces.map((piece, i) => {
      const y = label + side * i;
      const node = make(svg, "g", { role: "radio", class: "piece" });
      make(node, "rect", { class: "frame catch", x: 1, y, width: label + side * T, height: side, rx: 3 });
      make(node, "text", { x: label - 6, y: y + side / 2 + 4.5, "text-anchor": "end", style: size }, piece);
      const weights = pieces.map((_, j) =>
        make(node, "rect", { class: "weight", x: label + side * j + 1, y: y + 1, width: side - 2, height: side - 2 }),
      );
      radio(
        node,
        () => step(i),
        LINE,
        (by) => step(i + by),
      );
      return { node, weights };
    });
  }

  /** The small maps of a new sentence: masks, so that the theme gives the color. */
  function sketch() {
    tiles.forEach((layer, l) =>
      layer.forEach(({ map }, h) => {
        const picture = address([look.maps[l][h].flat()], look.pieces.length, { color });
        set(map, { style: `mask-image: url(${picture})` });
      }),
    );
  }

  return view.start(() => {
    const state = view.state(KEYS);
    const answer = asked();
    if (answer && answer !== drawn) {
      drawn = answer;
      look = unpack(answer, constants);
      build(look);
      sketch();
      painted = "";
    }
    grid.classList.toggle("unanswered", !answer); // measures stay: they are of the recorded sentences
    for (const node of [svg, told]) reveal(node, answer);
    now = numbers(all, answer && look, state, constants);
    mark(state.measure);
    tiles.forEach((layer, l) =>
      layer.forEach(({ node, bar }, h) => {
        const value = now.marks[l][h];
        check(node, l === state.layer && h === state.head);
        set(node, { "aria-label": `layer ${l}, head ${h}: ${show(value)} on ${state.measure}` });
        set(bar, { style: `width: ${(100 * value).toFixed(2)}%`, "data-name": `mark ${l} ${h}`, "data-value": value });
      }),
    );
    legend.textContent =
      "Maps: rows look at columns; the stronger, the more, by the square root of the weight. Bars: mean weight on " +
      `${state.measure} in ${recorded.length} recorded sentences, ${show(all.even)} if a head looked everywhere alike.`;
    now.top.forEach(([l, h], k) => {
      const value = show(now.marks[l][h]);
      set(top[k], { "aria-label": `layer ${l}, head ${h}: ${value}` }).textContent = `${l}, ${h}: ${value}`;
    });

    title.textContent = `Layer ${state.layer}, head ${state.head}`;
    const at = Math.min(state.piece, rows.length - 1);
    if (look && painted !== `${state.layer} ${state.head}`) {
      painted = `${state.layer} ${state.head}`;
      rows.forEach(({ weights }, i) => {
        const values = look.maps[state.layer][state.head][i];
        weights.forEach((rect, j) => set(rect, { "fill-opacity": shade(values[j]).toFixed(4) }));
      });
    }
    rows.forEach(({ node }, i) => {
      const values = look.maps[state.layer][state.head][i];
      const most = look.pieces[values.indexOf(Math.max(...values))];
      check(node, i === at);
      set(node, { "aria-label": `${look.pieces[i]}, looking most at ${most}` });
    });
    names.forEach((name, k) => {
      for (const [n, key] of ["here", "recorded"].entries()) {
        const value = now[key]?.[name] ?? 0;
        cells[k][n].textContent = now[key] ? show(value) : "–";
        cells[k][n].dataset.value = String(value);
      }
    });
    if (!answer) return;
    const looking = look.maps[state.layer][state.head][at];
    const where = look.pieces
      .map((piece, j) => [looking[j], piece])
      .toSorted((a, b) => b[0] - a[0])
      .filter(([weight]) => weight >= 0.05)
      .map(([weight, piece]) => `“${piece}” (${show(weight)})`);
    told.textContent = `“${look.pieces[at]}” looks at ${where.join(", ") || "everything a little"}.`;
    view.say(`Layer ${state.layer}, head ${state.head}: ${told.textContent}`);
  }, [...KEYS, "recorded", "answer", "why"]);
}
export default { render };
