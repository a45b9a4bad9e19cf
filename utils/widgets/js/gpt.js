// The GPT of utils/models/transformer.py, with rotary positions, as it runs in the page.
import { clamp, normalCdf, softmax, total } from "./math.js";
import { taker } from "./weights.js";

const [EPSILON, BASE] = [1e-5, 10_000];

/** y = Wx + b, added to what is in y: a row of W is a row of whole numbers times its scale. */
function apply({ rows, columns, whole, scale, bias }, x, y = new Float64Array(rows)) {
  for (let i = 0, k = 0; i < rows; i += 1) {
    let sum = 0;
    for (let j = 0; j < columns; j += 1, k += 1) sum += whole[k] * x[j];
    y[i] += scale[i] * sum + (bias ? bias[i] : 0);
  }
  return y;
}

/** Mean 0 and variance 1, then gain and shift. */
function normalize({ gain, shift }, x) {
  const middle = total(x) / x.length;
  const variance = x.reduce((sum, value) => sum + (value - middle) ** 2, 0) / x.length;
  return x.map((value, i) => ((value - middle) / Math.sqrt(variance + EPSILON)) * gain[i] + shift[i]);
}

/** Turn each head's pairs (xᵢ, xᵢ₊half) by the angle of the place: place · 10000^(−i/half). */
function rotate(x, heads, place) {
  const half = x.length / heads / 2;
  for (let i = 0; i < half; i += 1) {
    const angle = place * BASE ** (-i / half);
    const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
    for (let k = i; k < x.length; k += 2 * half) {
      const [a, b] = [x[k], x[k + half]];
      x[k] = a * cos - b * sin;
      x[k + half] = a * sin + b * cos;
    }
  }
}

/** Each head's mean of the values up to a place, weighted by how well their keys fit the query. */
function attend(query, { keys, values }, heads, place) {
  const d = query.length;
  const size = d / heads;
  const mean = new Float64Array(d);
  for (let first = 0; first < d; first += size) {
    const scores = new Float64Array(place + 1);
    for (let t = 0; t <= place; t += 1) {
      let sum = 0;
      for (let k = first; k < first + size; k += 1) sum += query[k] * keys[t * d + k];
      scores[t] = sum / Math.sqrt(size);
    }
    softmax(scores).forEach((weight, t) => {
      for (let k = first; k < first + size; k += 1) mean[k] += weight * values[t * d + k];
    });
  }
  return mean;
}

/**
 * A GPT with room for the keys and values of `context` tokens. `bytes` and `floats` are as pack() in code_writer.py
 * orders them: whole numbers of all matrices; scales, biases, gains and shifts.
 */
export function gpt(bytes, floats, { vocabulary, d, layers, heads, context }) {
  const [whole, real] = [taker(bytes), taker(floats)];
  const matrix = (rows, columns) => ({ rows, columns, whole: whole(rows * columns), scale: real(rows) });
  const linear = (rows, columns) => ({ ...matrix(rows, columns), bias: real(rows) });
  const norm = () => ({ gain: real(d), shift: real(d) });
  const tokens = matrix(vocabulary, d);
  const blocks = Array.from({ length: layers }, () => ({
    project: linear(3 * d, d),
    out: linear(d, d),
    first: linear(4 * d, d),
    second: linear(d, 4 * d),
    norm1: norm(),
    norm2: norm(),
    keys: new Float64Array(context * d),
    values: new Float64Array(context * d),
  }));
  return { tokens, blocks, norm: norm(), heads, context };
}

/** The vector of the token at a place of the window; it looks at those before it, which are in the cache. */
function step({ tokens, blocks, norm, heads }, token, place) {
  const d = tokens.columns;
  const x = Float64Array.from({ length: d }, (_, i) => tokens.scale[token] * tokens.whole[token * d + i]);
  for (const block of blocks) {
    const projected = apply(block.project, normalize(block.norm1, x));
    const [query, key, value] = [0, 1, 2].map((part) => projected.subarray(part * d, (part + 1) * d));
    for (const turned of [query, key]) rotate(turned, heads, place);
    block.keys.set(key, place * d);
    block.values.set(value, place * d);
    apply(block.out, attend(query, block, heads, place), x);
    const inner = apply(block.first, normalize(block.norm2, x)).map((z) => z * normalCdf(z));
    apply(block.second, inner, x);
  }
  return normalize(norm, x);
}

/** Where the window begins when `count` tokens are there: it moves by half a context whenever it is full. */
export function windowStart(count, context) {
  const half = context / 2;
  return half * Math.max(0, Math.ceil((count - context) / half));
}

/**
 * `follow` answers what comes after the tokens of a text: `scores`; `level`, the logarithm of the sum of their
 * exponentials; `order`, all tokens from the best to the worst. What it has read and answered it remembers as long as
 * the text goes on from there. `effort` tells how many tokens it has read in all.
 */
export function reader(net) {
  let [first, read, known, effort] = [0, [], [], 0];
  function follow(tokens) {
    const count = tokens.length;
    const other = tokens.findIndex((token, i) => token !== read[i]);
    const same = other < 0 ? count : other;
    if (same === count && known[count]) return known[count];
    const start = windowStart(count, net.context);
    let x;
    for (let i = start === first ? clamp(same, start, count - 1) : start; i < count; i += 1) {
      x = step(net, tokens[i], i - start);
      effort += 1;
    }
    const scores = apply(net.tokens, x);
    const order = Array.from(scores.keys()).toSorted((a, b) => scores[b] - scores[a]);
    const best = scores[order[0]];
    const level = best + Math.log(total(scores.map((score) => Math.exp(score - best))));
    [first, read, known] = [start, [...tokens], known.slice(0, same + 1)];
    known[count] = { scores, order, level };
    return known[count];
  }
  return { follow, effort: () => effort };
}
