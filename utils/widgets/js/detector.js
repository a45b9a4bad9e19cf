// A small detector of objects that runs in the page: convolutions, and boxes read from their answers.
import { convolve, framed, kernel, offset } from "./convolution.js";
import { halves, taker } from "./weights.js";

/** The largest of each 2 × 2 values. */
function pool({ from, to }) {
  const { channels } = from;
  const row = (from.side + 2) * channels;
  for (let y = 0; y < to.side; y += 1)
    for (let x = 0; x < to.side; x += 1) {
      const p = (2 * y + 1) * row + (2 * x + 1) * channels;
      const q = offset(to, y, x);
      for (let c = 0; c < channels; c += 1)
        to.data[q + c] = Math.max(
          from.data[p + c],
          from.data[p + channels + c],
          from.data[p + row + c],
          from.data[p + row + channels + c],
        );
    }
}

/** The layers of a plan, [kind, name, outputs, stride] each, with weights and room for their results. */
export function network(plan, text, side) {
  const take = taker(halves(text));
  const [mean, std] = [take(3), take(3)];
  const image = framed(side, 3);
  let from = image;
  const layers = plan.map(([kind, , outputs, stride]) => {
    if (kind === "pool") {
      const layer = { run: pool, from, to: framed(from.side / 2, from.channels) };
      from = layer.to;
      return layer;
    }
    const isHead = kind === "head";
    const weights = kernel(take(9 * from.channels * outputs), take(outputs));
    // "same" as Keras means it: with stride 2 no zeros before, one after
    const look = { size: 3, stride, first: [stride - 1, stride - 1], leak: isHead ? 1 : 0 };
    const layer = { run: convolve, from, to: framed(from.side / stride, outputs), ...weights, ...look, isHead };
    if (!isHead) from = layer.to;
    return layer;
  });
  const heads = layers.filter(({ isHead }) => isHead).map(({ to }) => to);
  const count = heads.reduce((sum, head) => sum + head.side ** 2 * head.channels, 0);
  return { mean, std, image, layers, heads, answers: new Float64Array(count) };
}

/** What the network answers to a picture, red, green, blue 0 … 255, row by row: the numbers of all anchors. */
export function forward({ mean, std, image, layers, heads, answers }, pixels) {
  const { side } = image;
  for (let y = 0, k = 0; y < side; y += 1) {
    let p = offset(image, y, 0);
    for (let x = 0; x < side; x += 1)
      for (let c = 0; c < 3; c += 1, k += 1, p += 1) image.data[p] = (pixels[k] / 255 - mean[c]) / std[c];
  }
  for (const layer of layers) layer.run(layer);
  let k = 0;
  for (const head of heads)
    for (let y = 0, run = head.side * head.channels; y < head.side; y += 1, k += run) {
      const p = offset(head, y, 0);
      answers.set(head.data.subarray(p, p + run), k);
    }
  return answers;
}

/** The box that four offsets make of an anchor (cx, cy, w, h): decode() in utils/models/detector.py. */
function decode(offsets, [cx, cy, w, h], variances) {
  const [x, y] = [cx + offsets[0] * variances[0] * w, cy + offsets[1] * variances[1] * h];
  const [width, height] = [2, 3].map(
    (k) => [w, h][k - 2] * Math.exp(Math.min(2, Math.max(-2, offsets[k] * variances[k]))),
  );
  return [x - width / 2, y - height / 2, x + width / 2, y + height / 2];
}

/** All boxes with a score above `least`, before suppression: { boxes, scores, labels }. */
export function read(answers, { anchors, variances, kinds, least }) {
  const [classes, width] = [kinds + 1, kinds + 5];
  const raw = { boxes: [], scores: [], labels: [] };
  for (let a = 0, p = 0; a < anchors.length; a += 1, p += width) {
    let top = answers[p];
    for (let k = 1; k < classes; k += 1) top = Math.max(top, answers[p + k]);
    let sum = 0;
    for (let k = 0; k < classes; k += 1) sum += Math.exp(answers[p + k] - top);
    for (let k = 1; k < classes; k += 1) {
      const score = Math.exp(answers[p + k] - top) / sum;
      if (score > least) {
        raw.boxes.push(decode(answers.subarray(p + classes, p + width), anchors[a], variances));
        raw.scores.push(score);
        raw.labels.push(k - 1);
      }
    }
  }
  return raw;
}
