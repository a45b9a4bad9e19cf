// What some hero widgets share: those that ask for it in script("_extra", …).
/** Number n of T. Ettinger's mulberry32, between 0 and 1: uniforms() in _random.py. */
function uniform(seed, n) {
  let t = (seed + Math.imul(n + 1, 0x6d2b79f5)) | 0;
  t = Math.imul(t ^ (t >>> 15), t | 1);
  t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
  return (((t ^ (t >>> 14)) >>> 0) + 0.5) / 2 ** 32;
}

/** What Python sent as base64: bytes. */
const binary = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

/** Numbers that Python sent as base64 of float32, low byte first. */
function floats(text) {
  const view = new DataView(binary(text).buffer);
  return Float64Array.from({ length: view.byteLength / 4 }, (_, i) => view.getFloat32(4 * i, true));
}

/** The same of float16: sign, 5 bits of exponent, 10 of fraction. */
function halves(text) {
  const view = new DataView(binary(text).buffer);
  return Float64Array.from({ length: view.byteLength / 2 }, (_, i) => {
    const bits = view.getUint16(2 * i, true);
    const [sign, power, rest] = [bits >> 15 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
    return sign * (power ? 2 ** (power - 15) * (1 + rest / 1024) : 2 ** -24 * rest);
  });
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
