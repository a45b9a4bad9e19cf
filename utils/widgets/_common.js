// What the hero widgets share. Python puts this text before each widget's own script.
const SVG = "http://www.w3.org/2000/svg";

function set(node, attributes) {
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
}

/** Append a new element to `parent`; inside a drawing it is an SVG element. */
function make(parent, tag, attributes = {}, text = "") {
  const drawing = tag === "svg" || parent.namespaceURI === SVG;
  const node = drawing ? document.createElementNS(SVG, tag) : document.createElement(tag);
  node.textContent = text;
  parent.append(set(node, attributes));
  return node;
}

const clamp = (value, low, high) => Math.min(high, Math.max(low, value));
const round = (value) => Math.round(value * 100) / 100;
const uid = (name) => `dll-${name}-${Math.random().toString(36).slice(2)}`;

/** A number as text with a real minus sign and no negative zero. */
function show(value, digits = 2) {
  const text = Math.abs(value).toFixed(digits);
  return (value < 0 && Number(text) !== 0 ? "−" : "") + text;
}
const signed = (value) => (value < 0 ? " − " : " + ") + show(Math.abs(value));

/** erf by its series of positive terms, 2/√π·exp(−x²)·Σ 2ⁿx²ⁿ⁺¹/(2n+1)!!, to double precision. */
function erf(x) {
  if (Math.abs(x) > 6) return Math.sign(x);
  let term = x;
  let sum = x;
  for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum); n += 1) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}
const sigmoid = (z) => 1 / (1 + Math.exp(-z));
const normalCdf = (z) => (1 + erf(z / Math.SQRT2)) / 2;
const normalPdf = (z) => Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI);

/** The same pairs as ACTIVATIONS in activation_explorer.py: name → [f, f′]. */
const ACTIVATIONS = {
  step: [(z) => (z > 0 ? 1 : 0), () => 0],
  sigmoid: [sigmoid, (z) => sigmoid(z) * sigmoid(-z)],
  tanh: [Math.tanh, (z) => 1 - Math.tanh(z) ** 2],
  ReLU: [(z) => (z > 0 ? z : 0), (z) => (z > 0 ? 1 : 0)],
  "leaky ReLU": [(z, alpha) => (z > 0 ? z : alpha * z), (z, alpha) => (z > 0 ? 1 : alpha)],
  GELU: [(z) => z * normalCdf(z), (z) => normalCdf(z) + z * normalPdf(z)],
  identity: [(z) => z, () => 1],
};
const BOUNDED = ["step", "sigmoid", "tanh"];
const ALPHA = 0.1;

/**
 * Build the frame of a widget and tie it to its model.
 * `change` takes new values, stored and sent once a frame; `start` draws and follows.
 */
function hero(model, el, name) {
  // attribute and listener keep JupyterLab from taking the arrow keys for its own shortcuts
  const root = make(el, "figure", {
    class: "dll-hero", role: "group", "aria-label": model.get("alt") || name,
    "data-lm-suppress-shortcuts": "true",
  });
  root.addEventListener("keydown", (event) => { if (event.key in ARROWS) event.stopPropagation(); });
  const panels = make(root, "div", { class: "panels" });
  if (model.get("caption")) make(root, "figcaption", {}, model.get("caption"));
  const status = make(root, "p", { class: "status", role: "status", "aria-live": "polite" });
  let frame = 0;
  let pending = {}; // not yet in the model, where a late echo of an older value would undo it
  let speech = 0;
  const view = {
    model,
    root,
    panels,
    get: (key) => (key in pending ? pending[key] : model.get(key)),
    panel: (title) => {
      const panel = make(panels, "div", { class: "panel" });
      if (title) make(panel, "h4", {}, title);
      return panel;
    },
    change: (values) => {
      Object.assign(pending, values);
      redraw();
    },
    /** Tell a screen reader, once the hand rests. */
    say: (text) => {
      clearTimeout(speech);
      speech = setTimeout(() => { status.textContent = text; }, 400);
    },
    start: (draw, keys) => {
      view.draw = draw;
      for (const key of keys) model.on(`change:${key}`, redraw);
      draw();
      return () => {
        for (const key of keys) model.off(`change:${key}`, redraw);
        cancelAnimationFrame(frame);
        send();
        clearTimeout(speech);
      };
    },
  };
  function send() {
    const changes = Object.entries(pending);
    if (!changes.length) return;
    for (const [key, value] of changes) model.set(key, value);
    pending = {};
    model.save_changes();
  }
  function redraw() {
    frame ||= requestAnimationFrame(() => {
      send();
      frame = 0;
      view.draw();
    });
  }
  return view;
}

/** A drawing with data coordinates: x, y are [low, high]; `px`, `py` give pixels, `at` the reverse. */
function plane(parent, label, x, y, { width = 400, height = 400, ticks = [[], []], names = ["", ""] } = {}) {
  const [left, right, top, bottom] = [50, 6, 16, 40]; // a square drawing has a square frame
  const kx = (width - left - right) / (x[1] - x[0]);
  const ky = (height - top - bottom) / (y[1] - y[0]);
  const px = (value) => left + (value - x[0]) * kx;
  const py = (value) => height - bottom - (value - y[0]) * ky;
  const svg = make(parent, "svg", { viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": label });
  const box = { x: left, y: top, width: width - left - right, height: height - top - bottom };
  const clip = uid("clip");
  make(make(svg, "clipPath", { id: clip }), "rect", box);
  const ground = make(svg, "g", { "clip-path": `url(#${clip})` });
  for (const value of ticks[0]) {
    make(svg, "text", { class: "quiet", x: px(value), y: height - bottom + 17, "text-anchor": "middle" }, show(value, value % 1 ? 1 : 0));
  }
  for (const value of ticks[1]) {
    make(svg, "text", { class: "quiet", x: left - 7, y: py(value) + 4, "text-anchor": "end" }, show(value, value % 1 ? 1 : 0));
  }
  make(svg, "text", { x: box.x + box.width / 2, y: height - 5, "text-anchor": "middle" }, names[0]);
  make(svg, "text", { transform: `translate(11 ${box.y + box.height / 2}) rotate(-90)`, "text-anchor": "middle" }, names[1]);
  make(svg, "rect", { class: "frame", ...box });
  const data = make(svg, "g", { "clip-path": `url(#${clip})` });
  return {
    svg, ground, data, box, px, py, kx,
    front: make(svg, "g"),
    at: (event) => {
      const p = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
      return [x[0] + (p.x - left) / kx, y[0] + (height - bottom - p.y) / ky];
    },
    path: (points) => points.map(([a, b], i) => `${i ? "L" : "M"}${px(a).toFixed(2)} ${py(b).toFixed(2)}`).join(""),
  };
}

/** A knob to grab; `shape` is "circle" or "diamond". */
function handle(parent, label, shape = "circle") {
  const node = make(parent, "g", { class: "handle", role: "slider", tabindex: 0, "aria-label": label });
  make(node, "circle", { class: "hit", r: 22 });
  make(node, "circle", { class: "ring", r: 14 });
  if (shape === "circle") make(node, "circle", { class: "knob", r: 8 });
  else make(node, "path", { class: "knob", d: "M0 -9L9 0L0 9L-9 0Z" });
  return node;
}

function place(node, x, y, [low, high, now], text) {
  set(node, {
    transform: `translate(${x.toFixed(2)} ${y.toFixed(2)})`,
    "aria-valuemin": low, "aria-valuemax": high, "aria-valuenow": round(now), "aria-valuetext": text,
  });
}

/** Follow mouse, pen or finger: `grab(point)` answers with a function that is told each new point. */
function draggable(node, area, grab) {
  node.addEventListener("pointerdown", (down) => {
    if (down.button !== 0) return;
    down.preventDefault();
    node.setPointerCapture(down.pointerId);
    if (node.tabIndex >= 0) node.focus();
    const move = grab(area.at(down));
    const follow = (event) => move(area.at(event));
    const stop = () => {
      node.removeEventListener("pointermove", follow);
      for (const kind of ["pointerup", "pointercancel"]) node.removeEventListener(kind, stop);
    };
    node.addEventListener("pointermove", follow);
    for (const kind of ["pointerup", "pointercancel"]) node.addEventListener(kind, stop);
  });
}

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowDown: [0, -1], ArrowUp: [0, 1] };

/** Arrow keys call `by(dx, dy)`, Shift makes the step coarse; other keys look into `jumps`. */
function steerable(node, step, by, jumps) {
  node.addEventListener("keydown", (event) => {
    if (event.key in ARROWS) by(...ARROWS[event.key].map((sign) => sign * step * (event.shiftKey ? 10 : 1)));
    else if (event.key in jumps) jumps[event.key]();
    else return;
    event.preventDefault();
  });
}

/** A labeled range input; returns a function that shows a value. */
function slider(parent, label, name, [low, high, step], change) {
  const row = make(parent, "label", { class: "row" });
  make(row, "span", {}, label);
  const input = make(row, "input", { type: "range", min: low, max: high, step, "aria-label": name });
  const output = make(row, "output");
  input.addEventListener("input", () => change(Number(input.value)));
  input.addEventListener("keydown", (event) => {
    if (!(event.key in ARROWS) || !event.shiftKey) return;
    const [dx, dy] = ARROWS[event.key];
    event.preventDefault();
    input.value = Number(input.value) + (dx + dy) * 10 * step;
    change(Number(input.value));
  });
  return (value, enabled = true) => {
    input.value = value;
    input.disabled = !enabled;
    input.setAttribute("aria-valuetext", show(value));
    output.textContent = show(value);
  };
}

/** A labeled choice; returns a function that shows the chosen one. */
function choice(parent, label, options, change) {
  const row = make(parent, "label", { class: "row" });
  make(row, "span", {}, label);
  const select = make(row, "select");
  for (const option of options) make(select, "option", { value: option }, option);
  select.addEventListener("change", () => change(select.value));
  return (value) => { select.value = value; };
}

/** Big numbers with names; returns a function fact(key, value, text) that shows one of them. */
function facts(parent, names) {
  const list = make(parent, "dl", { class: "facts" });
  const places = {};
  for (const [key, name] of Object.entries(names)) {
    const fact = make(list, "div", { class: "fact" });
    make(fact, "dt", {}, name);
    places[key] = make(fact, "dd", { "data-name": key });
  }
  return (key, value, text) => {
    places[key].textContent = text;
    places[key].dataset.value = String(value);
  };
}

/** A circle for class 1, a square for class 0: told apart without color. */
function marker(parent, label, size) {
  return label
    ? make(parent, "circle", { class: "mark one", r: size })
    : make(parent, "rect", { class: "mark zero", x: -0.9 * size, y: -0.9 * size, width: 1.8 * size, height: 1.8 * size });
}

/** The straight line w·x + b = 0 as its point nearest to `center` and its direction; null if w = 0. */
function straight(w, b, center) {
  const norm2 = w[0] ** 2 + w[1] ** 2;
  if (norm2 < 1e-12) return null;
  const t = (w[0] * center[0] + w[1] * center[1] + b) / norm2;
  const norm = Math.sqrt(norm2);
  return { foot: [center[0] - t * w[0], center[1] - t * w[1]], along: [-w[1] / norm, w[0] / norm] };
}

function drawLine(area, nodes, line) {
  for (const node of nodes) node.style.display = line ? "" : "none";
  if (!line) return;
  const [[fx, fy], [ax, ay]] = [line.foot, line.along];
  for (const node of nodes) {
    set(node, { x1: area.px(fx - 99 * ax), y1: area.py(fy - 99 * ay), x2: area.px(fx + 99 * ax), y2: area.py(fy + 99 * ay) });
  }
}

/** An arrow from one pixel to another, as the path of shaft and head. */
function arrow([x0, y0], [x1, y1]) {
  const length = Math.hypot(x1 - x0, y1 - y0);
  if (length < 1) return "";
  const [ux, uy] = [(x1 - x0) / length, (y1 - y0) / length];
  const [hx, hy] = [x1 - 12 * ux, y1 - 12 * uy];
  return `M${x0} ${y0}L${x1} ${y1}M${hx - 6 * uy} ${hy + 6 * ux}L${x1} ${y1}L${hx + 6 * uy} ${hy - 6 * ux}`;
}
