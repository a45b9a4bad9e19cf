// A digit goes through two recorded generators, to the other world and back.
import { choice, facts } from "./js/controls.js";
import { make, set } from "./js/dom.js";
import { hero } from "./js/hero.js";
import { mean } from "./js/math.js";
import { paint, screen } from "./js/pixels.js";
import { show } from "./js/text.js";
import { binary } from "./js/weights.js";

/** All pictures of a world as bytes, by field. */
export const unpack = (world) =>
  Object.fromEntries(Object.entries(world).map(([field, text]) => [field, binary(text)]));

/** Where the digit passes: names of start, middle and back, and of the mean error. */
export const route = ({ direction, swapped }, { ROUTES, direction: ways }) =>
  ROUTES[swapped && direction === ways[1] ? "swapped" : direction];

/** One digit's picture, pixel by pixel: [red, green, blue] each, or [gray]. */
export function pixels(bytes, digit, { SIDE, digit: digits }) {
  const size = bytes.length / digits.length;
  const channels = size / SIDE ** 2;
  const part = bytes.subarray(size * Number(digit), size * (Number(digit) + 1));
  return Array.from({ length: SIDE ** 2 }, (_, k) => [...part.subarray(k * channels, (k + 1) * channels)]);
}

/** The three pictures, what is read in them, the error of the way back and what was measured of all digits. */
export function numbers(bytes, reads, study, state, constants) {
  const [start, middle, back, all] = route(state, constants);
  const stops = [start, middle, back];
  const pictures = stops.map((field) => pixels(bytes[field], state.digit, constants));
  const [first, , last] = pictures.map((picture) => picture.flat());
  return {
    pictures,
    read: stops.map((field) => reads[field]?.[Number(state.digit)] ?? null),
    error: mean(first.map((value, k) => Math.abs(value - last[k]))) / 255,
    mean: study[all],
    accuracy: study.accuracy,
  };
}

const color = (pixel) => [...(pixel.length === 1 ? Array(3).fill(pixel[0]) : pixel), 255];

function render({ model, el }) {
  const view = hero(model, el, "Cycle viewer");
  const KEYS = ["world", "direction", "digit", "swapped"];
  const { constants } = view;
  const { SIDE, world: worlds, direction: ways, digit: digits } = constants;
  const [reads, study] = ["reads", "study"].map(view.get);
  const bytes = Object.fromEntries(Object.entries(view.get("pictures")).map(([name, each]) => [name, unpack(each)]));

  const road = make(view.panel(), "div", { class: "road" });
  const [start, middle, back] = ["start", "middle", "back"].map((name, i) => {
    const step = i ? make(road, "span", { class: "step", "aria-hidden": "true" }) : null;
    const stop = make(road, "div", { class: "stop" });
    make(stop, "h4", {}, name);
    const canvas = screen(stop, name);
    return { name, step, canvas, said: make(stop, "p", { class: "said" }) };
  });
  const stops = [start, middle, back];

  const left = view.panel();
  const world = choice(left, "world B", worlds, (name) => view.change({ world: name }));
  const direction = choice(left, "direction", ways, (name) => view.change({ direction: name }));
  const digit = choice(left, "digit", digits, (name) => view.change({ digit: name }));
  const swap = make(left, "button", { type: "button", role: "switch", class: "switch" });
  swap.addEventListener("click", () => view.change({ swapped: !view.get("swapped") }));
  const right = view.panel();
  const fact = facts(right, { error: "error, this digit", mean: "error, 1,000 digits", accuracy: "read after B → A" });
  make(
    right,
    "p",
    { class: "note" },
    "World A: gray digits. Error: mean absolute difference of start and back, of channels from 0 to 1. A judge, trained on true digits, reads the gray pictures. The share is of all 1,000 that went from B to A.",
  );

  return view.start(() => {
    const state = view.state(KEYS);
    const now = numbers(bytes[state.world], reads[state.world], study[state.world], state, constants);
    const isAroundB = state.direction === ways[1];
    const isSwapped = isAroundB && state.swapped;
    stops.forEach(({ name, canvas, said }, i) => {
      const read = now.read[i];
      const isGray = read !== null;
      const mark = String(read) === state.digit ? "✓" : "✗";
      const what = isSwapped && i === 1 ? "the true digit" : isGray ? "gray" : state.world;
      paint(canvas, [now.pictures[i]], SIDE, { color });
      said.textContent = isGray ? `${what}\nread as ${read} ${mark}` : what;
      canvas.classList.toggle("put", isSwapped && i === 1);
      set(canvas, { "aria-label": `${name}: ${what}${isGray ? `, read as ${read}` : ""}` });
    });
    const [there, here] = isAroundB ? ["to A", "to B"] : ["to B", "to A"];
    middle.step.textContent = `${there} →`;
    middle.step.classList.toggle("cut", isSwapped);
    back.step.textContent = `${here} →`;
    world(state.world);
    direction(state.direction);
    digit(state.digit);
    swap.disabled = !isAroundB;
    swap.textContent = `${state.swapped ? "☑" : "☐"} put the true gray digit in the middle`;
    swap.setAttribute("aria-checked", state.swapped);
    fact("error", now.error, show(now.error, 3));
    fact("mean", now.mean, show(now.mean, 3));
    fact("accuracy", now.accuracy, `${show(100 * now.accuracy, 1)} %`);
    const seen = now.read.map((read, i) => (read === null ? "" : `, ${stops[i].name} read as ${read}`)).join("");
    const trip = `${state.world}, ${state.direction}, digit ${state.digit}${isSwapped ? ", the true digit in the middle" : ""}`;
    view.say(`${trip}: error of the way back ${show(now.error, 3)}${seen}`);
  }, KEYS);
}
export default { render };
