// A 3×3 kernel that slides over a picture: the window, nine products, their sum, the feature map.
import { button, buttons, choice } from "./js/controls.js";
import { make, reveal, set } from "./js/dom.js";
import { draggable, grip, place, pointer, steerable } from "./js/hands.js";
import { hero } from "./js/hero.js";
import { clamp, total } from "./js/math.js";
import { address, gray } from "./js/pixels.js";
import { show } from "./js/text.js";

/** The kernel as it is laid on the picture: a convolution turns it by 180°. */
const laid = (kernel, operation) =>
  operation === "convolution" ? kernel.toReversed().map((row) => row.toReversed()) : kernel;

/** Nine pixels under the window whose sum goes to place (i, j); beyond the picture there are zeros. */
function patch(image, i, j, stride, padding, dilation) {
  return [0, 1, 2].map((m) =>
    [0, 1, 2].map((n) => image[i * stride + m * dilation - padding]?.[j * stride + n * dilation - padding] ?? 0),
  );
}

const weigh = (pixels, w) => w.map((row, m) => row.map((value, n) => value * pixels[m][n]));

/** How many places the window has along an edge. */
const placesOf = (edge, stride, padding, dilation) => Math.floor((edge + 2 * padding - 2 * dilation - 1) / stride) + 1;

/** The same numbers as convolve() in convolution_stepper.py. */
export function convolve(image, kernel, stride, padding, dilation, operation) {
  const w = laid(kernel, operation);
  const places = Array.from({ length: placesOf(image.length, stride, padding, dilation) }, (_, k) => k);
  return places.map((i) => places.map((j) => total(weigh(patch(image, i, j, stride, padding, dilation), w).flat())));
}

/** The feature map, and at the present place (i, j) the pixels, the products and their sum. */
export function numbers(image, { kernel, position, stride, padding, dilation, operation }) {
  const settings = [stride, padding, dilation].map(Number);
  const map = convolve(image, kernel, ...settings, operation);
  const [i, j] = position.map((k) => Math.min(Math.floor(k), map.length - 1));
  const pixels = patch(image, i, j, ...settings);
  return { map, i, j, pixels, products: weigh(pixels, laid(kernel, operation)), sum: map[i][j] };
}

/** A drawing whose unit is one pixel; `paint` shows numbers, `at` gives [row, column]. */
function sheet(parent, label) {
  const svg = make(parent, "svg", { viewBox: "-1.6 -1.6 31.2 31.2", role: "group", "aria-label": label });
  const picture = make(svg, "image", { class: "pixels", x: 0, y: 0, preserveAspectRatio: "none" });
  const frame = make(svg, "rect", { class: "frame", x: 0, y: 0, "stroke-width": 0.12 });
  return {
    svg,
    paint: (rows, color) => {
      const size = rows.length;
      set(picture, { href: address([rows.flat()], size, { color }), width: size, height: size });
      set(frame, { width: size, height: size });
    },
    at: (event) => pointer(svg, event).toReversed(),
  };
}

/** Blue above zero, orange below, as strong as the value beside the largest. */
const signs = (top) => (value) => [
  ...(value < 0 ? [213, 94, 0] : [0, 114, 178]),
  top && Math.round((255 * Math.abs(value)) / top),
];

/** Nine squares with numbers; gives the squares and a function that fills them. */
function block(svg, x, title, interactive) {
  make(svg, "text", { x: x + 66, y: 14, "text-anchor": "middle", class: "quiet" }, title);
  const cells = Array.from({ length: 9 }, (_, k) => {
    const [m, n] = [Math.floor(k / 3), k % 3];
    const cell = interactive ? grip(svg, `weight in row ${m + 1}, column ${n + 1}`) : make(svg, "g");
    set(cell, { transform: `translate(${x + 44 * n} ${24 + 44 * m})` });
    make(cell, "rect", { class: "frame catch", width: 44, height: 44 });
    if (interactive) make(cell, "rect", { class: "ring", x: 2, y: 2, width: 40, height: 40 });
    make(cell, "text", { x: 22, y: 27, "text-anchor": "middle" });
    return cell;
  });
  return [
    cells,
    (rows, texts) =>
      rows.flat().forEach((value, k) => {
        const color = `var(--dll-${value < 0 ? "orange" : "blue"})`;
        cells[k].firstChild.style.fill = value
          ? `color-mix(in srgb, ${color} ${Math.round(10 + 12 * Math.min(4, Math.abs(value)))}%, transparent)`
          : "transparent";
        cells[k].lastChild.textContent = texts(value);
      }),
  ];
}

const same = (a, b) => a.flat().join() === b.flat().join();

/** The square k of the drawing belongs to this entry of the kernel. */
const entry = (k) => [Math.floor(k / 3), k % 3];

/** A number with as many decimals as it has, at most two. */
const short = (value) => show(value, value % 1 ? (Math.round(value * 10) === value * 10 ? 1 : 2) : 0);

function render({ model, el }) {
  const view = hero(model, el, "Convolution stepper");
  const { SIZE, KERNELS, kernel: limits } = view.constants;
  const [LEAST, MOST] = limits;
  const KEYS = ["picture", "kernel", "position", "stride", "padding", "dilation", "operation"];
  const images = Object.fromEntries(view.get("pictures"));
  const settings = () => ["stride", "padding", "dilation"].map((key) => Number(view.get(key)));

  const left = view.panel("picture");
  const input = sheet(left, "the picture and the window of the kernel");
  const zeros = make(input.svg, "rect", {
    class: "frame",
    x: -1,
    y: -1,
    width: 30,
    height: 30,
    "stroke-width": 0.15,
    "stroke-dasharray": "0.6 0.4",
  });
  const frame = grip(input.svg, "window: arrow keys move it, Page Up and Page Down go to the first and last row");
  const field = make(frame, "rect", { class: "window" });
  const ring = make(frame, "rect", { class: "ring", x: -0.5, y: -0.5 });
  const dots = Array.from({ length: 9 }, () => make(frame, "circle", { class: "dot", r: 0.16 }));

  const right = view.panel();
  const mapTitle = make(right, "h4");
  const output = sheet(right, "the feature map");
  const spot = make(output.svg, "rect", { class: "spot", width: 1, height: 1 });

  const middle = set(view.panel(), { class: "panel wide" });
  const drawing = make(middle, "svg", { viewBox: "0 0 560 160", role: "group", "aria-label": "pixels times kernel" });
  const [, fillPixels] = block(drawing, 1, "pixels", false);
  make(drawing, "text", { x: 157, y: 95, "text-anchor": "middle" }, "×");
  const [cells, fillKernel] = block(drawing, 180, "kernel", true);
  make(drawing, "text", { x: 336, y: 95, "text-anchor": "middle" }, "=");
  const [, fillProducts] = block(drawing, 359, "products", false);
  make(drawing, "text", { x: 500, y: 95 }, "→");
  const sumText = make(drawing, "text", { x: 559, y: 97, "text-anchor": "end", class: "sum", "data-name": "sum" });

  const tools = set(view.panel(), { class: "panel wide" });
  const row = buttons(tools, { role: "group", "aria-label": "kernels" });
  const presets = Object.entries(KERNELS).map(([name, kernel]) => [
    button(row, name, () => view.change({ kernel })),
    kernel,
  ]);
  const grid = make(tools, "div", { class: "grid" });
  const showChoice = ["picture", "operation", "stride", "padding", "dilation"].map((key) => {
    const names = view.constants[key] ?? Object.keys(images);
    const showName = choice(grid, key, names, (value) => view.change({ [key]: value }));
    return () => showName(view.get(key));
  });
  const note = make(tools, "p", { class: "note" });

  const turned = () => view.get("operation") === "convolution";
  const put = (k, value) => {
    const kernel = view.get("kernel").map((line) => [...line]);
    const [m, n] = entry(k);
    kernel[m][n] = clamp(Math.round(2 * value) / 2, LEAST, MOST);
    view.change({ kernel });
  };
  const weight = (k) => view.get("kernel")[entry(k)[0]][entry(k)[1]];
  cells.forEach((cell, k) => {
    steerable(cell, 0.5, (dx, dy) => put(k, weight(k) + dx + dy), {
      Home: () => put(k, LEAST),
      End: () => put(k, MOST),
    });
    cell.addEventListener("keydown", (event) => {
      if (/^[0-4]$/.test(event.key)) put(k, Number(event.key));
      else if (event.key === "-") put(k, -weight(k));
    });
    const screen = { at: (event) => [event.clientX, event.clientY] };
    draggable(cell, screen, ([x, y]) => {
      const before = weight(k);
      return ([a, b]) => put(k, before + (a - x + y - b) / 20);
    });
  });

  const size = () => placesOf(SIZE, ...settings());
  const now = () => view.get("position").map((k) => Math.min(Math.floor(k), size() - 1));
  const go = (i, j) => view.change({ position: [i, j].map((k) => clamp(Math.round(k), 0, size() - 1)) });
  steerable(frame, 1, (dx, dy) => go(now()[0] - dy, now()[1] + dx), {
    Home: () => go(now()[0], 0),
    End: () => go(now()[0], SIZE),
    PageUp: () => go(0, now()[1]),
    PageDown: () => go(SIZE, now()[1]),
  });
  draggable(frame, input, ([y, x]) => {
    const [i, j] = now();
    return ([v, u]) => go(i + (v - y) / settings()[0], j + (u - x) / settings()[0]);
  });

  return view.start(() => {
    const [stride, padding, dilation] = settings();
    const state = view.state(KEYS);
    const { kernel } = state;
    const image = images[state.picture];
    const { map, i, j, pixels, products, sum } = numbers(image, state);
    input.paint(image, gray);
    reveal(zeros, padding);
    const reach = 2 * dilation + 1;
    for (const rect of [field, ring]) set(rect, { width: reach + (rect === ring), height: reach + (rect === ring) });
    place(
      frame,
      j * stride - padding,
      i * stride - padding,
      [0, map.length - 1, j],
      `row ${i}, column ${j}, sum ${show(sum)}`,
    );
    dots.forEach((dot, k) => set(dot, { cx: 0.5 + dilation * (k % 3), cy: 0.5 + dilation * Math.floor(k / 3) }));
    output.paint(map, signs(Math.max(...map.flat().map(Math.abs))));
    set(spot, { x: j, y: i });
    mapTitle.textContent = `feature map, ${map.length} × ${map.length}`;
    fillPixels(pixels, (value) => show(value));
    fillKernel(kernel, short);
    fillProducts(products, (value) => show(value));
    cells.forEach((cell, k) =>
      set(cell, {
        "aria-valuemin": LEAST,
        "aria-valuemax": MOST,
        "aria-valuenow": weight(k),
        "aria-valuetext": short(weight(k)),
      }),
    );
    sumText.textContent = show(sum);
    sumText.dataset.value = String(sum);
    for (const [node, preset] of presets) set(node, { "aria-pressed": same(preset, kernel) });
    for (const showOne of showChoice) showOne();
    note.textContent = turned()
      ? "A convolution turns the kernel by 180° before it is laid on: the pixel at the top left meets the weight at the bottom right."
      : "Drag the green window, or a weight; keys: arrows, 0–4, − for the other sign. In the map, blue is above zero, orange below.";
    view.say(`row ${i}, column ${j}: sum ${show(sum)}`);
  }, KEYS);
}
export default { render };
