// Bars for probabilities, each with its name; every function returns one that shows values.
import { make, set } from "./dom.js";

/**
 * Upright bars of up to `reach` pixels on a line at `base`; show(values, full) lets `full` fill the height.
 * The names stand at `foot`. `keys` name the bars for those who read their values, `looks` give each its class.
 */
export function columns(svg, names, { keys, looks = () => "one", width, base, foot, reach, thick }) {
  const step = (width - 10) / names.length;
  const rects = names.map((name, k) => {
    make(svg, "text", { x: 5 + step * (k + 0.5), y: foot, "text-anchor": "middle" }, name);
    const look = { class: looks(k), x: 5 + step * (k + (1 - thick) / 2), width: thick * step };
    return make(svg, "rect", { ...look, "data-name": keys[k] });
  });
  make(svg, "path", { class: "axis", d: `M5 ${base}H${width - 5}` });
  return (values, full = 1) =>
    rects.forEach((rect, k) => {
      const height = (reach * values[k]) / full;
      set(rect, { y: base - height, height, "data-value": values[k] });
    });
}

/** Lying bars, each on a line of its own between its name and its percentage. */
export function rows(svg, names, { keys }) {
  const parts = names.map((name, k) => {
    make(svg, "text", { x: 66, y: 26 * k + 18, "text-anchor": "end" }, name);
    const rect = make(svg, "rect", { class: "one", x: 72, y: 26 * k + 4, height: 18, "data-name": keys[k] });
    return { rect, text: make(svg, "text", { class: "quiet", y: 26 * k + 18 }) };
  });
  return (values, isKnown) =>
    parts.forEach(({ rect, text }, k) => {
      set(rect, { width: (180 * values[k]).toFixed(2), "data-value": values[k] });
      set(text, { x: 78 + 180 * values[k] }).textContent = isKnown ? `${Math.round(100 * values[k])} %` : "";
    });
}
