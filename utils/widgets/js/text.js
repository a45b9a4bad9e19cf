// Numbers as text, and text as letters.

/** A number as text with a real minus sign and no negative zero. */
export function show(value, digits = 2) {
  const text = Math.abs(value).toFixed(digits);
  return (value < 0 && Number(text) !== 0 ? "−" : "") + text;
}

export const signed = (value) => (value < 0 ? " − " : " + ") + show(Math.abs(value));

/** What a reader typed as at most `most` letters a to z; é becomes e. */
export const letters = (text, most) =>
  text
    .toLowerCase()
    .normalize("NFD")
    .replace(/[^a-z]/g, "")
    .slice(0, most);
