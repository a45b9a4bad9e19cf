// Small mathematics that knows nothing of the page.

export const clamp = (value, low, high) => Math.min(high, Math.max(low, value));
export const round = (value) => Math.round(value * 100) / 100;
export const total = (values) => values.reduce((sum, value) => sum + value, 0);
export const mean = (values) => total(values) / values.length;
export const norm = (values) => Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
export const argmax = (values) => values.indexOf(Math.max(...values));

/** erf by its series of positive terms, 2/√π·exp(−x²)·Σ 2ⁿx²ⁿ⁺¹/(2n+1)!!, to double precision. */
export function erf(x) {
  if (Math.abs(x) > 6) return Math.sign(x);
  let term = x;
  let sum = x;
  for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum); n += 1) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}
export const sigmoid = (z) => 1 / (1 + Math.exp(-z));
export const softplus = (z) => Math.max(z, 0) + Math.log1p(Math.exp(-Math.abs(z)));
export const normalCdf = (z) => (1 + erf(z / Math.SQRT2)) / 2;
export const normalPdf = (z) => Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI);

export function softmax(scores) {
  const top = Math.max(...scores);
  const e = Array.from(scores, (value) => Math.exp(value - top));
  const sum = total(e);
  return e.map((value) => value / sum);
}
