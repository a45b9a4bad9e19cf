// Numbers as text.

/** A number as text with a real minus sign and no negative zero. */
export function show(value, digits = 2) {
  const text = Math.abs(value).toFixed(digits);
  return (value < 0 && Number(text) !== 0 ? "−" : "") + text;
}

export const signed = (value) => (value < 0 ? " − " : " + ") + show(Math.abs(value));
