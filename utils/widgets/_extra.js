// What some hero widgets share: those that ask for it in script("_extra", …).
/** Number n of T. Ettinger's mulberry32, between 0 and 1: uniforms() in _random.py. */
function uniform(seed, n) {
  let t = (seed + Math.imul(n + 1, 0x6d2b79f5)) | 0;
  t = Math.imul(t ^ (t >>> 15), t | 1);
  t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
  return (((t ^ (t >>> 14)) >>> 0) + 0.5) / 2 ** 32;
}

/** Numbers that Python sent as base64 of float32, low byte first. */
function floats(text) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  return Float64Array.from({ length: bytes.length / 4 }, (_, i) => view.getFloat32(4 * i, true));
}

function softmax(scores) {
  const top = Math.max(...scores);
  const e = Array.from(scores, (value) => Math.exp(value - top));
  const sum = e.reduce((a, b) => a + b, 0);
  return e.map((value) => value / sum);
}

/** A push button in the look of the page. */
function button(parent, text, press) {
  const node = make(parent, "button", { type: "button" }, text);
  node.style.cssText = "background: transparent; border: 1px solid var(--dll-quiet); border-radius: 4px; "
    + "color: inherit; cursor: pointer; font: inherit; min-height: 32px; padding: 2px 12px";
  node.addEventListener("click", press);
  return node;
}
