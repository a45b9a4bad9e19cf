// A drawing with coordinates, and what is drawn in it.
import { make, reveal, set, uid } from "./dom.js";
import { pointer } from "./hands.js";
import { show } from "./text.js";

/** A drawing with data coordinates: x, y are [low, high]; `px`, `py` give pixels, `at` the reverse. */
export function plane(parent, label, x, y, { width = 400, height = 400, ticks = [[], []], names = ["", ""] } = {}) {
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
    make(
      svg,
      "text",
      { class: "quiet", x: px(value), y: height - bottom + 17, "text-anchor": "middle" },
      show(value, value % 1 ? 1 : 0),
    );
  }
  for (const value of ticks[1]) {
    make(
      svg,
      "text",
      { class: "quiet", x: left - 7, y: py(value) + 4, "text-anchor": "end" },
      show(value, value % 1 ? 1 : 0),
    );
  }
  make(svg, "text", { x: box.x + box.width / 2, y: height - 5, "text-anchor": "middle" }, names[0]);
  make(
    svg,
    "text",
    { transform: `translate(11 ${box.y + box.height / 2}) rotate(-90)`, "text-anchor": "middle" },
    names[1],
  );
  make(svg, "rect", { class: "frame", ...box });
  const data = make(svg, "g", { "clip-path": `url(#${clip})` });
  return {
    svg,
    ground,
    data,
    box,
    px,
    py,
    kx,
    front: make(svg, "g"),
    at: (event) => {
      const p = pointer(svg, event);
      return [x[0] + (p[0] - left) / kx, y[0] + (height - bottom - p[1]) / ky];
    },
    path: (points) => points.map(([a, b], i) => `${i ? "L" : "M"}${px(a).toFixed(2)} ${py(b).toFixed(2)}`).join(""),
  };
}

/** A circle for class 1, a square for class 0: told apart without color. */
export function marker(parent, label, size) {
  return label
    ? make(parent, "circle", { class: "mark one", r: size })
    : make(parent, "rect", {
        class: "mark zero",
        x: -0.9 * size,
        y: -0.9 * size,
        width: 1.8 * size,
        height: 1.8 * size,
      });
}

/** The straight line w·x + b = 0 as its point nearest to `center` and its direction; null if w = 0. */
export function straight(w, b, center) {
  const norm2 = w[0] ** 2 + w[1] ** 2;
  if (norm2 < 1e-12) return null;
  const t = (w[0] * center[0] + w[1] * center[1] + b) / norm2;
  const norm = Math.sqrt(norm2);
  return { foot: [center[0] - t * w[0], center[1] - t * w[1]], along: [-w[1] / norm, w[0] / norm] };
}

export function drawLine(area, nodes, line) {
  for (const node of nodes) reveal(node, line);
  if (!line) return;
  const [[fx, fy], [ax, ay]] = [line.foot, line.along];
  for (const node of nodes) {
    set(node, {
      x1: area.px(fx - 99 * ax),
      y1: area.py(fy - 99 * ay),
      x2: area.px(fx + 99 * ax),
      y2: area.py(fy + 99 * ay),
    });
  }
}

/** An arrow from one pixel to another, as the path of shaft and head. */
export function arrow([x0, y0], [x1, y1]) {
  const length = Math.hypot(x1 - x0, y1 - y0);
  if (length < 1) return "";
  const [ux, uy] = [(x1 - x0) / length, (y1 - y0) / length];
  const [hx, hy] = [x1 - 12 * ux, y1 - 12 * uy];
  return `M${x0} ${y0}L${x1} ${y1}M${hx - 6 * uy} ${hy + 6 * ux}L${x1} ${y1}L${hx + 6 * uy} ${hy - 6 * ux}`;
}
