// A pad to draw on, and a small convolutional network that runs in the page while you draw.
import { columns } from "./js/bars.js";
import { button, buttons, facts } from "./js/controls.js";
import { make, set } from "./js/dom.js";
import { draggable, grip, place, pointer, steerable } from "./js/hands.js";
import { hero } from "./js/hero.js";
import { ink } from "./js/ink.js";
import { argmax, clamp, softmax } from "./js/math.js";
import { paint, screen } from "./js/pixels.js";
import { show } from "./js/text.js";
import { floats, taker } from "./js/weights.js";

/** The same picture as render() in digit_pad.py: fitted into 20×20, centered by mass; row by row. */
export function picture(strokes, constants) {
  const { SIDE, BOX, CENTER, PEN, ZOOM } = constants;
  const points = strokes.flat();
  if (!points.length) return new Float64Array(SIDE * SIDE);
  const [low, high] = [Math.min, Math.max].map((pick) => [0, 1].map((axis) => pick(...points.map((p) => p[axis]))));
  const extent = Math.max(high[0] - low[0], high[1] - low[1], 1e-9);
  const scale = Math.min((BOX - 2 * PEN) / extent, ZOOM);
  const lines = strokes.map((line) =>
    line.map((p) => p.map((value, axis) => (value - (low[axis] + high[axis]) / 2) * scale + CENTER)),
  );
  const first = ink(lines, SIDE, PEN);
  const [mass, mx, my] = first.reduce(
    ([sum, x, y], value, i) => [sum + value, x + value * (i % SIDE), y + value * Math.floor(i / SIDE)],
    [0, 0, 0],
  );
  const shift = [CENTER - mx / mass, CENTER - my / mass];
  const centered = lines.map((line) => line.map((p) => p.map((value, axis) => value + shift[axis])));
  return ink(centered, SIDE, PEN);
}

/** Layers on { shape: [channels, height, width] or [length], data }. */
const RULES = {
  Conv2d: ({ shape: [channels, height, width], data }, [filters, , k, , padding], w, b) => {
    const [h, v] = [height + 2 * padding - k + 1, width + 2 * padding - k + 1];
    const out = new Float64Array(filters * h * v);
    for (let f = 0; f < filters; f += 1) {
      out.fill(b[f], f * h * v, (f + 1) * h * v);
      for (let c = 0; c < channels; c += 1)
        for (let m = 0; m < k; m += 1)
          for (let n = 0; n < k; n += 1) {
            const weight = w[((f * channels + c) * k + m) * k + n];
            for (let i = 0; i < h; i += 1) {
              const y = i + m - padding;
              if (y < 0 || y >= height) continue;
              for (let j = Math.max(0, padding - n); j < v && j + n - padding < width; j += 1) {
                out[(f * h + i) * v + j] += weight * data[(c * height + y) * width + j + n - padding];
              }
            }
          }
    }
    return { shape: [filters, h, v], data: out };
  },
  ReLU: ({ shape, data }) => ({ shape, data: data.map((value) => Math.max(value, 0)) }),
  MaxPool2d: ({ shape: [channels, height, width], data }, [size]) => {
    const [h, v] = [Math.floor(height / size), Math.floor(width / size)];
    const out = new Float64Array(channels * h * v).fill(-Infinity);
    for (let c = 0; c < channels; c += 1)
      for (let y = 0; y < h * size; y += 1)
        for (let x = 0; x < v * size; x += 1) {
          const at = (c * h + Math.floor(y / size)) * v + Math.floor(x / size);
          out[at] = Math.max(out[at], data[(c * height + y) * width + x]);
        }
    return { shape: [channels, h, v], data: out };
  },
  Flatten: ({ data }) => ({ shape: [data.length], data }),
  Linear: ({ data }, [outputs, inputs], w, b) => ({
    shape: [outputs],
    data: Float64Array.from(b.slice(0, outputs), (bias, k) =>
      data.reduce((sum, value, i) => sum + w[k * inputs + i] * value, bias),
    ),
  }),
};

/** Give every layer its part of the weights, base64 of float32 numbers, low byte first. */
export function unpack(layers, text) {
  const take = taker(floats(text));
  return layers.map(([kind, ...settings]) => {
    const count = { Conv2d: settings.slice(0, 4), Linear: settings }[kind]?.reduce((a, b) => a * b);
    return count ? { kind, settings, w: take(count), b: take(settings[0]) } : { kind, settings };
  });
}

/** The output of every layer, as DigitPad.activations. */
export function run(network, image) {
  const side = Math.sqrt(image.length);
  let x = { shape: [1, side, side], data: image };
  return network.map(({ kind, settings, w, b }) => (x = RULES[kind](x, settings, w, b)));
}

/** What the network sees and makes of some strokes; the answer is a place among the classes, −1 for an empty pad. */
export function numbers(network, strokes, constants) {
  const image = picture(strokes, constants);
  const outputs = run(network, image);
  const p = softmax(outputs.at(-1).data);
  return { image, outputs, p, answer: strokes.length ? argmax(p) : -1, probability: Math.max(...p) };
}

/** Maps side by side, `cols` in a line, on one canvas; the largest value is white. */
function gallery(parent, label, cols) {
  const canvas = screen(parent, label);
  return ({ shape: [channels, height, width], data }) => {
    const top = data.reduce((a, b) => Math.max(a, b), 1e-9);
    const shares = data.map((value) => value / top);
    const maps = Array.from({ length: channels }, (_, c) =>
      shares.subarray(c * height * width, (c + 1) * height * width),
    );
    paint(canvas, maps, width, { cols, gap: 1 });
  };
}

/** The nearest place on the pad. */
const inside = (p) => p.map((value) => clamp(Math.round(value * 1000) / 1000, 0, 1));

function start({ model, el }) {
  const view = hero(model, el, "Digit pad");
  const { SIDE, MAX_POINTS } = view.constants;
  const network = unpack(view.get("layers"), view.get("weights"));
  const names = view.get("class_names");

  const left = view.panel("your digit");
  const svg = make(left, "svg", {
    class: "pad",
    viewBox: "0 0 100 100",
    role: "group",
    "aria-label": "pad to draw on",
  });
  const paper = make(svg, "rect", { class: "frame catch", x: 0.5, y: 0.5, width: 99, height: 99 });
  const lines = make(svg, "path", { class: "ink" });
  const pen = grip(
    svg,
    "pen: arrow keys move it, with the space bar down they draw; Backspace takes the last stroke away",
  );
  make(pen, "circle", { class: "hit", r: 8 });
  make(pen, "circle", { class: "ring", r: 5 });
  make(pen, "circle", { class: "knob", r: 3 });
  const row = buttons(left);
  button(row, "Clear", () => {
    down = false;
    view.change({ strokes: [] });
  });
  button(row, "Undo", () => {
    down = false;
    view.change({ strokes: view.get("strokes").slice(0, -1) });
  });
  const penButton = button(row, "", () => press());

  const right = view.panel();
  const fact = facts(right, { answer: "answer", probability: "probability" });
  const chart = make(right, "svg", { viewBox: "0 0 300 180", role: "img", "aria-label": "probability of each class" });
  const showBars = columns(chart, names, {
    keys: names.map((name) => `p${name}`),
    width: 300,
    base: 155,
    foot: 174,
    reach: 145,
    thick: 0.7,
  });
  make(right, "p", { class: "note" }, "what the network sees: 28 × 28 pixels");
  const seen = make(right, "div", { class: "seen" });
  const paintSeen = gallery(seen, "the drawing as the network sees it", 1);

  const wide = set(view.panel(), { class: "panel wide" });
  const shown = network.flatMap(({ kind }, at) => (kind === "ReLU" ? [at] : []));
  const rows = [];
  const dry = run(network, new Float64Array(SIDE * SIDE));
  for (const at of shown.filter((index) => dry[index].shape.length === 3)) {
    const [channels, height, width] = dry[at].shape;
    const title = `${channels} feature maps of ${height} × ${width}, layer ${rows.length + 1}`;
    make(wide, "p", { class: "note" }, title);
    rows.push([at, gallery(wide, title, Math.min(channels, 8))]);
  }

  // drawing
  let down = false;
  const at = (event) => inside(pointer(svg, event).map((value) => value / 100));
  const full = () => view.get("strokes").flat().length >= MAX_POINTS;
  const begin = (p) => {
    if (!full()) view.change({ strokes: [...view.get("strokes"), [p]], pen: p });
  };
  const extend = (p) => {
    const strokes = view.get("strokes");
    if (!strokes.length || full()) return;
    view.change({ strokes: [...strokes.slice(0, -1), [...strokes[strokes.length - 1], p]], pen: p });
  };
  for (const node of [paper, pen]) {
    draggable(node, { at }, (p) => {
      down = false;
      begin(p);
      let last = p;
      return (q) => {
        if (Math.hypot(q[0] - last[0], q[1] - last[1]) < 0.01) return;
        last = q;
        extend(q);
      };
    });
  }
  function press() {
    down = !down;
    if (down) begin(view.get("pen"));
    else view.change({});
  }
  const move = (x, y) => {
    const p = inside([x, y]);
    if (down) extend(p);
    else view.change({ pen: p });
  };
  const x = () => view.get("pen")[0];
  const y = () => view.get("pen")[1];
  steerable(pen, 0.02, (dx, dy) => move(x() + dx, y() - dy), {
    Home: () => move(0, y()),
    End: () => move(1, y()),
    PageUp: () => move(x(), 0),
    PageDown: () => move(x(), 1),
    " ": press,
    Enter: press,
    Backspace: () => {
      down = false;
      view.change({ strokes: view.get("strokes").slice(0, -1) });
    },
  });

  return view.start(() => {
    const strokes = view.get("strokes");
    const { image, outputs, p, answer, probability } = numbers(network, strokes, view.constants);
    lines.setAttribute(
      "d",
      strokes
        .map((line) =>
          [...line, line[line.length - 1]].map(([a, b], k) => `${k ? "L" : "M"}${100 * a} ${100 * b}`).join(""),
        )
        .join(""),
    );
    place(pen, 100 * x(), 100 * y(), [0, 1, x()], `x = ${show(x())}, y = ${show(y())}, ${down ? "drawing" : "lifted"}`);
    pen.classList.toggle("down", down);
    penButton.textContent = down ? "Pen up" : "Pen down";
    penButton.setAttribute("aria-pressed", down);
    showBars(p);
    paintSeen({ shape: [1, SIDE, SIDE], data: image });
    for (const [index, paintMaps] of rows) paintMaps(outputs[index]);
    const drawn = answer >= 0;
    fact("answer", answer, drawn ? names[answer] : "–");
    fact("probability", probability, drawn ? show(probability) : "–");
    view.say(drawn ? `the network reads ${names[answer]}, probability ${show(probability)}` : "the pad is empty");
  }, ["strokes", "pen"]);
}
export default { render: start };
