// A small detector of objects that runs in the page: convolutions, and boxes read from their answers.
import { halves, taker } from "./weights.js";

/** Room for maps of side × side, channel by channel, with a frame of zeros around them. */
const framed = (side, channels) => ({ side, channels, data: new Float64Array((side + 2) ** 2 * channels) });

/** Weights (3, 3, inputs, outputs) in the order in which convolve() reads them: four outputs at a time. */
function fourByFour(weights, inputs, outputs) {
  const packed = new Float64Array(weights.length);
  for (let k = 0; k < 9 * inputs; k += 1)
    for (let o = 0; o < outputs; o += 1)
      packed[4 * (Math.floor(o / 4) * 9 * inputs + k) + (o % 4)] = weights[k * outputs + o];
  return packed;
}

/** A 3 × 3 convolution, "same" as Keras means it; a layer is { from, to, w, b, stride, isBare }. */
function convolve({ from, to, w, b, stride, isBare }) {
  const { data: input, channels: inputs } = from;
  const { data: output, channels: outputs, side } = to;
  const row = (from.side + 2) * inputs;
  const run = 3 * inputs; // three pixels side by side
  const skipped = stride - 1; // with stride 2 Keras puts no zeros before, one after
  for (let y = 0; y < side; y += 1) {
    for (let x = 0; x < side; x += 1) {
      const start = (y * stride + skipped) * row + (x * stride + skipped) * inputs;
      const place = ((y + 1) * (side + 2) + x + 1) * outputs;
      let q = 0;
      for (let o = 0; o < outputs; o += 4) {
        let [s0, s1, s2, s3] = [b[o], b[o + 1], b[o + 2], b[o + 3]];
        for (let p = start, line = 0; line < 3; line += 1, p += row - run) {
          for (const end = p + run; p < end; p += 1, q += 4) {
            const value = input[p];
            if (value !== 0) {
              // half of all values are 0 behind a ReLU
              s0 += value * w[q];
              s1 += value * w[q + 1];
              s2 += value * w[q + 2];
              s3 += value * w[q + 3];
            }
          }
        }
        output[place + o] = s0 > 0 || isBare ? s0 : 0;
        output[place + o + 1] = s1 > 0 || isBare ? s1 : 0;
        output[place + o + 2] = s2 > 0 || isBare ? s2 : 0;
        output[place + o + 3] = s3 > 0 || isBare ? s3 : 0;
      }
    }
  }
}

/** The largest of each 2 × 2 values. */
function pool({ from, to }) {
  const { channels } = from;
  const row = (from.side + 2) * channels;
  for (let y = 0; y < to.side; y += 1)
    for (let x = 0; x < to.side; x += 1) {
      const p = (2 * y + 1) * row + (2 * x + 1) * channels;
      const q = ((y + 1) * (to.side + 2) + x + 1) * channels;
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
    const isBare = kind === "head";
    const w = fourByFour(take(9 * from.channels * outputs), from.channels, outputs);
    const layer = { run: convolve, from, to: framed(from.side / stride, outputs), w, b: take(outputs), stride, isBare };
    if (!isBare) from = layer.to;
    return layer;
  });
  const heads = layers.filter(({ isBare }) => isBare).map(({ to }) => to);
  const count = heads.reduce((sum, head) => sum + head.side ** 2 * head.channels, 0);
  return { mean, std, image, layers, heads, answers: new Float64Array(count) };
}

/** What the network answers to a picture, red, green, blue 0 … 255, row by row: the numbers of all anchors. */
export function forward({ mean, std, image, layers, heads, answers }, pixels) {
  const { side } = image;
  for (let y = 0, k = 0; y < side; y += 1) {
    let p = ((y + 1) * (side + 2) + 1) * 3;
    for (let x = 0; x < side; x += 1)
      for (let c = 0; c < 3; c += 1, k += 1, p += 1) image.data[p] = (pixels[k] / 255 - mean[c]) / std[c];
  }
  for (const layer of layers) layer.run(layer);
  let k = 0;
  for (const { side: cells, channels, data } of heads)
    for (let y = 0; y < cells; y += 1) {
      const p = ((y + 1) * (cells + 2) + 1) * channels;
      answers.set(data.subarray(p, p + cells * channels), k);
      k += cells * channels;
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
