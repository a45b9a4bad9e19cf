// Convolutions over maps that lie pixel by pixel, all channels of a pixel together.

/** Room for maps of side × side with a frame of zeros around them. */
export const framed = (side, channels) => ({ side, channels, data: new Float64Array((side + 2) ** 2 * channels) });

/** Where the channels of a pixel begin. */
export const offset = ({ side, channels }, y, x) => ((y + 1) * (side + 2) + x + 1) * channels;

/**
 * Weights (size, size, inputs, outputs), and a bias for each output, in the order in which convolve() reads them:
 * four outputs at a time. Where outputs are lacking, zeros make up four.
 */
export function kernel(weights, bias) {
  const outputs = bias.length;
  const runs = weights.length / outputs;
  const fours = Math.ceil(outputs / 4);
  const w = new Float64Array(4 * fours * runs);
  for (let k = 0; k < runs; k += 1)
    for (let o = 0; o < outputs; o += 1) w[4 * (Math.floor(o / 4) * runs + k) + (o % 4)] = weights[k * outputs + o];
  const b = new Float64Array(4 * fours);
  b.set(bias);
  return { w, b };
}

/**
 * A convolution { from, to, w, b, size, stride, first, leak }: its first window of size × size begins at row and column
 * `first` of the framed maps `from`, the next ones `stride` further on. Results below 0 shrink to `leak` of themselves.
 * They become the first channels of `to`, there in each `step`-th row and column from `at` on.
 */
export function convolve({
  from,
  to,
  w,
  b,
  size,
  stride,
  first: [top, left],
  leak,
  step = 1,
  at: [down, right] = [0, 0],
}) {
  const { data: input } = from;
  const { data: output } = to;
  const row = (from.side + 2) * from.channels;
  const run = size * from.channels; // pixels side by side
  const count = to.side / step;
  for (let o = 0, block = 0; o < b.length; o += 4, block += 4 * size * run) {
    for (let y = 0; y < count; y += 1) {
      for (let x = 0; x < count; x += 1) {
        const start = (y * stride + top) * row + (x * stride + left) * from.channels;
        const end = offset(to, y * step + down, x * step + right) + o;
        let [s0, s1, s2, s3] = [b[o], b[o + 1], b[o + 2], b[o + 3]];
        let q = block;
        for (let p = start, line = 0; line < size; line += 1, p += row - run) {
          for (const stop = p + run; p < stop; p += 1, q += 4) {
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
        output[end] = s0 > 0 ? s0 : leak * s0;
        output[end + 1] = s1 > 0 ? s1 : leak * s1;
        output[end + 2] = s2 > 0 ? s2 : leak * s2;
        output[end + 3] = s3 > 0 ? s3 : leak * s3;
      }
    }
  }
}
