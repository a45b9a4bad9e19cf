// The U-Net of utils/models/unet.py, folded, as it runs in the page.
import { convolve, framed, kernel, offset } from "./convolution.js";
import { halves, taker } from "./weights.js";

/** Put the maps of `from` behind the first channels of `to`. */
function append({ from, to }) {
  const first = to.channels - from.channels;
  for (let y = 0; y < from.side; y += 1)
    for (let x = 0; x < from.side; x += 1) {
      const p = offset(from, y, x);
      to.data.set(from.data.subarray(p, p + from.channels), offset(to, y, x) + first);
    }
}

/**
 * The layers of a plan, [kind, inputs, outputs] each, with weights as pack() in sketch_pad.py orders them, and room for
 * their results. A "down" halves the side, an "up" doubles it again and appends what was seen there on the way down.
 */
export function network(plan, text, side) {
  const take = taker(halves(text));
  const input = framed(side, plan[0][1]);
  const seen = []; // on the way down
  const layers = [];
  let from = input;
  for (const [kind, inputs, outputs] of plan) {
    const bias = take(outputs);
    const next = (size) => ({ run: convolve, from, size, ...kernel(take(size * size * inputs * outputs), bias) });
    if (kind === "down") {
      const to = framed(from.side / 2, outputs);
      layers.push({ ...next(4), to, stride: 2, first: [0, 0], leak: 0.2 });
      seen.push(from);
      from = to;
    } else if (kind === "up") {
      const skip = seen.pop();
      const to = framed(skip.side, outputs + skip.channels);
      // each of the four pixels that one becomes sees 2 × 2 pixels through weights of its own
      for (const at of [0, 1].flatMap((down) => [0, 1].map((right) => [down, right])))
        layers.push({ ...next(2), to, stride: 1, first: at, leak: 0, step: 2, at });
      layers.push({ run: append, from: skip, to });
      from = to;
    } else {
      layers.push({ ...next(3), to: framed(side, 4), stride: 1, first: [0, 0], leak: 1 }); // red, green, blue, nothing
    }
  }
  return { input, layers };
}

/** The picture, red, green, blue of each pixel in [0, 1], for an input of all channels of each pixel. */
export function forward({ input, layers }, x) {
  const { side, channels } = input;
  for (let y = 0, run = side * channels; y < side; y += 1)
    input.data.set(x.subarray(y * run, (y + 1) * run), offset(input, y, 0));
  for (const layer of layers) layer.run(layer);
  const { to } = layers.at(-1);
  const picture = new Float64Array(3 * side * side);
  for (let i = 0; i < side * side; i += 1) {
    const p = offset(to, Math.floor(i / side), i % side);
    for (let c = 0; c < 3; c += 1) picture[3 * i + c] = (Math.tanh(to.data[p + c]) + 1) / 2;
  }
  return picture;
}
