// Numbers that Python sent as base64, low byte first.

/** What Python sent as base64: bytes. */
export const binary = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

/** Cut numbers into parts: take(count) gives the next ones. */
export function taker(all) {
  let used = 0;
  return (count) => all.subarray(used, (used += count));
}

/** Numbers that Python sent as base64 of float32, low byte first. */
export function floats(text) {
  const view = new DataView(binary(text).buffer);
  return Float64Array.from({ length: view.byteLength / 4 }, (_, i) => view.getFloat32(4 * i, true));
}

/** The same of float16: sign, 5 bits of exponent, 10 of fraction. */
export function halves(text) {
  const view = new DataView(binary(text).buffer);
  return Float64Array.from({ length: view.byteLength / 2 }, (_, i) => {
    const bits = view.getUint16(2 * i, true);
    const [sign, power, rest] = [bits >> 15 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
    return sign * (power ? 2 ** (power - 15) * (1 + rest / 1024) : 2 ** -24 * rest);
  });
}
