// Paper to draw on, and a U-Net that runs in the page and paints what is drawn.
import { button, buttons, choice, facts } from "./js/controls.js";
import { make, reveal, set } from "./js/dom.js";
import { draggable, grip, place, pointer, steerable } from "./js/hands.js";
import { hero } from "./js/hero.js";
import { ink } from "./js/ink.js";
import { clamp, total } from "./js/math.js";
import { paint, screen } from "./js/pixels.js";
import { show } from "./js/text.js";
import { forward, network } from "./js/unet.js";
import { binary } from "./js/weights.js";

/** The painter, from base64 of float16 numbers: a function that paints a sketch. It remembers the last two. */
export function unpack(text, { PLAN, SIZE }) {
  const net = network(PLAN, text, SIZE);
  let known = [];
  return (sketch) => {
    const old = known.find(([other]) => other.every((value, k) => value === sketch[k]));
    const one = old ?? [sketch, forward(net, sketch)];
    known = [one, ...known.filter((other) => other !== one)].slice(0, 2);
    return one[1];
  };
}

/** The true colors of the starts by name, 0 … 255, from base64 of bytes. */
export function cut(text, { start: names, SIZE }) {
  const bytes = binary(text);
  const count = 3 * SIZE * SIZE;
  const made = Array.from({ length: bytes.length / count }, (_, k) => bytes.subarray(k * count, (k + 1) * count));
  return Object.fromEntries(made.map((picture, k) => [names[k], picture]));
}

/**
 * The same numbers as compose() in sketch_pad.py, pixel by pixel: the outline from −1 to 1, 1 where there is a dab,
 * its red, green and blue from −1 to 1.
 */
export function compose(truths, { start, marks }, { SIZE, LINES, COLORS, RADIUS, DARK, LIGHT }) {
  const outline = new Float64Array(SIZE * SIZE).fill(1);
  const truth = truths[start];
  if (truth)
    for (let i = 0; i < outline.length; i += 1)
      outline[i] = clamp((Math.max(...truth.subarray(3 * i, 3 * i + 3)) - DARK) / (LIGHT - DARK), 0, 1);
  const sketch = new Float64Array(5 * SIZE * SIZE);
  for (const [tool, points] of marks) {
    if (tool in LINES) {
      const line = points.map((p) => p.map((value) => value - 0.5));
      ink([line], SIZE, LINES[tool]).forEach((covered, i) => {
        if (tool === "line") outline[i] = Math.min(outline[i], 1 - covered);
        else {
          outline[i] = Math.max(outline[i], covered);
          if (covered > 0.5) sketch.fill(0, 5 * i + 1, 5 * i + 5);
        }
      });
    } else {
      const [x, y] = points[0].map((value) => Math.floor(Math.min(value, SIZE - 1)));
      const values = [1, ...COLORS[tool].map((value) => (2 * value) / 255 - 1)];
      for (let i = Math.max(0, y - RADIUS); i <= Math.min(SIZE - 1, y + RADIUS); i += 1)
        for (let j = Math.max(0, x - RADIUS); j <= Math.min(SIZE - 1, x + RADIUS); j += 1)
          sketch.set(values, 5 * (i * SIZE + j) + 1);
    }
  }
  outline.forEach((value, i) => {
    sketch[5 * i] = 2 * value - 1;
  });
  return sketch;
}

/** The region between the lines around a pixel, as places, and whether it reaches the edge of the paper. */
function region(sketch, from, { SIZE }) {
  const isOpen = (i) => sketch[5 * i] > 0;
  const places = new Set(isOpen(from) ? [from] : []);
  let isPaper = false;
  for (const i of places) {
    const [y, x] = [Math.floor(i / SIZE), i % SIZE];
    if (Math.min(x, y) === 0 || Math.max(x, y) === SIZE - 1) isPaper = true;
    const around = [x > 0 && i - 1, x < SIZE - 1 && i + 1, y > 0 && i - SIZE, y < SIZE - 1 && i + SIZE];
    // the loop comes to what is added here, too
    for (const next of around) if (next !== false && isOpen(next)) places.add(next);
  }
  return { places: [...places], isPaper };
}

/** The same as bucket_fill() in utils/models/unet.py: each dab fills its region of a picture. */
export function fill(picture, sketch, constants) {
  const filled = Float64Array.from(picture);
  const done = new Set();
  for (let from = 0; from < picture.length / 3; from += 1) {
    if (!sketch[5 * from + 1] || done.has(from)) continue;
    const { places, isPaper } = region(sketch, from, constants);
    const dabs = places.filter((i) => sketch[5 * i + 1]);
    const color = [0, 1, 2].map((c) => (total(dabs.map((i) => sketch[5 * i + 2 + c])) / dabs.length + 1) / 2);
    for (const i of places) {
      done.add(i);
      if (!isPaper) filled.set(color, 3 * i);
    }
  }
  return filled;
}

/** Mean difference of the channels where the truth is colored: color_error() in utils/metrics.py. */
function colorError(picture, truth, { COLORED }) {
  let [sum, count] = [0, 0];
  for (let k = 0; k < picture.length; k += 3) {
    const pixel = truth.subarray(k, k + 3);
    if ((Math.max(...pixel) - Math.min(...pixel)) / 255 <= COLORED) continue;
    for (let c = 0; c < 3; c += 1) sum += Math.abs(picture[k + c] - pixel[c] / 255);
    count += 3;
  }
  return sum / count;
}

/**
 * The sketch and what the network makes of it; where the paint program is asked for, what that makes of the network's
 * picture without dabs; where there is a truth, how far off both are.
 */
export function numbers(painter, truths, state, constants) {
  const sketch = compose(truths, state, constants);
  const bare = sketch.map((value, k) => (k % 5 ? 0 : value));
  const made = { painted: painter(sketch), filled: state.bucket ? fill(painter(bare), sketch, constants) : null };
  const truth = truths[state.start];
  const errors = Object.entries(made).map(([name, picture]) => [
    name,
    truth && picture ? colorError(picture, truth, constants) : null,
  ]);
  return { sketch, ...made, errors: Object.fromEntries(errors) };
}

/** Paint numbers in [0, 1], three a pixel. */
function exhibit(canvas, values, { SIZE }) {
  const pixels = Array.from({ length: SIZE * SIZE }, (_, i) => i);
  const color = (i) => [...values.subarray(3 * i, 3 * i + 3).map((value) => 255 * value), 255];
  paint(canvas, [pixels], SIZE, { color });
}

/** Bytes as numbers in [0, 1]. */
const scaled = (bytes) => Float64Array.from(bytes, (value) => value / 255);

/** A sketch as a picture: dabs lie upon the lines. */
const visible = (sketch) =>
  Float64Array.from({ length: (3 * sketch.length) / 5 }, (_, k) => {
    const at = 5 * Math.floor(k / 3);
    return ((sketch[at + 1] ? sketch[at + 2 + (k % 3)] : sketch[at]) + 1) / 2;
  });

/** The name of the color that is nearest to a pixel. */
function nameOf(pixel, { COLORS }) {
  const all = Object.entries({ ...COLORS, black: [0, 0, 0] });
  const far = ([, color]) => total(color.map((value, c) => (value / 255 - pixel[c]) ** 2));
  return all.toSorted((a, b) => far(a) - far(b))[0][0];
}

function render({ model, el }) {
  const view = hero(model, el, "Sketch pad");
  const { constants } = view;
  const { SIZE, LINES, COLORS, RADIUS, MOST, CREDIT, start: starts, tool: tools } = constants;
  const painter = unpack(view.get("weights"), constants);
  const truths = cut(view.get("pictures"), constants);

  // the paper
  const left = view.panel("your sketch");
  const paper = make(left, "div", { class: "paper" });
  const sheet = screen(paper, "the sketch");
  const svg = make(paper, "svg", {
    class: "pad",
    viewBox: `0 0 ${SIZE} ${SIZE}`,
    role: "group",
    "aria-label": "paper to draw on",
  });
  const ground = make(svg, "rect", { class: "catch", width: SIZE, height: SIZE, fill: "none" });
  const pen = grip(
    svg,
    "pen: arrow keys move it; the space bar lowers and lifts it, or puts a dab; L is the line, E the eraser, " +
      "1 to 9 are the colors; Backspace takes the last mark away",
  );
  make(pen, "circle", { class: "hit", r: 4 });
  // a ring as wide as the line, a frame as large as the dab
  const [round, square] = ["circle", "rect"].map((shape) => {
    const node = make(pen, "g");
    for (const look of ["rim", "tip"]) make(node, shape, { class: look });
    return node;
  });
  const side = 2 * RADIUS + 1;
  for (const node of square.children) set(node, { x: -side / 2, y: -side / 2, width: side, height: side });

  // the tools
  const take = (tool) => {
    down = false;
    view.change({ tool });
  };
  const colorRow = make(left, "div", { class: "colors", role: "group", "aria-label": "dabs of color" });
  const row = buttons(left, { role: "group", "aria-label": "lines" });
  const toolButtons = tools.map((tool) => {
    if (tool in LINES) return button(row, tool, () => take(tool));
    const node = button(colorRow, "", () => take(tool), { class: "button swatch", "aria-label": tool, title: tool });
    node.style.setProperty("--dll-swatch", `rgb(${COLORS[tool]})`);
    return node;
  });
  const undo = () => {
    down = false;
    view.change({ marks: marks().slice(0, -1) });
  };
  const undoButton = button(row, "undo", undo);
  const clearButton = button(row, "clear", () => {
    down = false;
    view.change({ marks: [] });
  });
  const showStart = choice(left, "begin with", starts, (start) => {
    down = false;
    view.change({ start, marks: [] });
  });
  make(
    left,
    "p",
    { class: "note" },
    "Keys: arrows move the pen, space draws or dabs, Backspace takes back; L, E, 1 to 9 choose.",
  );
  make(left, "p", { class: "note" }, CREDIT);

  // the pictures
  const right = view.panel("what the network paints");
  const picture = screen(right, "what the network paints");
  const fact = facts(right, { painted: "network's error", filled: "paint program's" });
  const switches = buttons(right);
  const others = make(right, "div", { class: "others" });
  const other = (key, name, words, note) => {
    const node = make(others, "div");
    const canvas = screen(node, words);
    make(node, "p", { class: "note" }, note);
    const toggle = button(switches, name, () => view.change({ [key]: !view.get(key) }));
    return (isShown) => {
      reveal(node, isShown);
      toggle.setAttribute("aria-pressed", isShown);
      return { canvas, toggle };
    };
  };
  const showBucket = other(
    "bucket",
    "paint program",
    "what a paint program makes of the dabs",
    "Painted without dabs; then each dab fills the region between the lines around it.",
  );
  const showTruth = other("truth", "true colors", "the true colors", "From this picture the outline was taken.");

  // drawing
  let down = false; // the keyboard's pen
  const marks = () => view.get("marks");
  const isFull = () => total(marks().map(([, points]) => points.length)) >= MOST;
  const begin = (p) => {
    if (!isFull()) view.change({ marks: [...marks(), [view.get("tool"), [p]]], pen: p });
  };
  const extend = (p) => {
    const [tool, points] = marks().at(-1);
    if (tool in LINES && isFull()) return;
    const next = tool in LINES ? [...points, p] : [p]; // a dab goes along
    view.change({ marks: [...marks().slice(0, -1), [tool, next]], pen: p });
  };
  const inside = (p) => p.map((value) => clamp(Math.round(10 * value) / 10, 0, SIZE));
  const at = (event) => inside(pointer(svg, event));
  for (const node of [ground, pen])
    draggable(node, { at }, (p) => {
      down = false;
      const count = marks().length;
      begin(p);
      let last = p;
      return (q) => {
        if (marks().length === count || Math.hypot(q[0] - last[0], q[1] - last[1]) < 0.5) return;
        last = q;
        extend(q);
      };
    });
  function press() {
    const isLine = view.get("tool") in LINES;
    down = isLine && !down;
    if (down || !isLine) begin(view.get("pen"));
    else view.change({});
  }
  const move = (x, y) => {
    const p = inside([x, y]);
    if (down) extend(p);
    else view.change({ pen: p });
  };
  const [x, y] = [0, 1].map((axis) => () => view.get("pen")[axis]);
  steerable(pen, 1, (dx, dy) => move(x() + dx, y() - dy), {
    ...Object.fromEntries(Object.keys(COLORS).map((tool, k) => [k + 1, () => take(tool)])),
    l: () => take("line"),
    e: () => take("eraser"),
    Home: () => move(0, y()),
    End: () => move(SIZE, y()),
    PageUp: () => move(x(), 0),
    PageDown: () => move(x(), SIZE),
    " ": press,
    Enter: press,
    Backspace: undo,
  });

  return view.start(() => {
    const state = view.state(["start", "marks", "tool", "bucket", "truth"]);
    const { sketch, painted, filled, errors } = numbers(painter, truths, state, constants);
    const truth = truths[state.start];
    exhibit(sheet, visible(sketch), constants);
    exhibit(picture, painted, constants);
    const paintProgram = showBucket(state.bucket);
    if (filled) exhibit(paintProgram.canvas, filled, constants);
    const original = showTruth(state.truth && Boolean(truth));
    original.toggle.disabled = !truth;
    if (truth) exhibit(original.canvas, scaled(truth), constants);
    for (const [name, value] of Object.entries(errors)) fact(name, value, value === null ? "–" : show(value));

    const isLine = state.tool in LINES;
    reveal(round, isLine);
    reveal(square, !isLine);
    for (const node of round.children) set(node, { r: LINES[state.tool] ?? 0 });
    const cell = view.get("pen").map((value) => Math.floor(Math.min(value, SIZE - 1)));
    const tip = isLine ? view.get("pen") : cell.map((value) => value + 0.5);
    const pixel = 3 * (cell[1] * SIZE + cell[0]);
    const there = nameOf(painted.subarray(pixel, pixel + 3), constants);
    const words = `x ${show(x(), 0)}, y ${show(y(), 0)}, ${state.tool}${down ? ", drawing" : ""}; painted ${there}`;
    place(pen, ...tip, [0, SIZE, x()], words);
    pen.classList.toggle("down", down);
    toolButtons.forEach((node, k) => node.setAttribute("aria-pressed", tools[k] === state.tool));
    for (const node of [undoButton, clearButton]) node.disabled = !state.marks.length;
    showStart(state.start);
    const off = Object.entries({ network: errors.painted, "paint program": errors.filled })
      .filter(([, value]) => value !== null)
      .map(([name, value]) => `error of the ${name} ${show(value)}`);
    view.say(`${state.marks.length} marks; ${off.join(", ") || "painted"}`);
  }, ["start", "marks", "tool", "pen", "bucket", "truth"]);
}
export default { render };
