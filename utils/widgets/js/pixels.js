// Pictures painted pixel by pixel.
import { make, set } from "./dom.js";

/** A value in [0, 1] as red, green, blue and opacity, 0 … 255 each. */
export const gray = (value) => [...Array(3).fill(Math.round(255 * value)), 255];

/**
 * Paint pictures of one size, each row by row, side by side: `cols` in a line, `gap` empty pixels
 * between them. `color` gives a value's red, green, blue and opacity.
 */
export function paint(canvas, pictures, width, { cols = pictures.length, gap = 0, color = gray } = {}) {
  const height = pictures[0].length / width;
  const [wide, high] = [width + gap, height + gap];
  const size = { width: cols * wide - gap, height: Math.ceil(pictures.length / cols) * high - gap };
  const context = set(canvas, size).getContext("2d");
  const image = context.createImageData(size.width, size.height);
  pictures.forEach((values, n) => {
    const corner = Math.floor(n / cols) * high * size.width + (n % cols) * wide;
    values.forEach((value, k) => {
      image.data.set(color(value), 4 * (corner + Math.floor(k / width) * size.width + (k % width)));
    });
  });
  context.putImageData(image, 0, 0);
  return canvas;
}

/** The address of a painted picture, for an image within a drawing. */
export const address = (...what) => paint(document.createElement("canvas"), ...what).toDataURL();

/** A canvas whose pixels are shown as squares. */
export const screen = (parent, label) => make(parent, "canvas", { class: "pixels", role: "img", "aria-label": label });
