// A function and its derivative, one above the other, with a point to drag along them.
import { ACTIVATIONS } from "./js/activations.js";
import { choice, facts, slider } from "./js/controls.js";
import { make } from "./js/dom.js";
import { draggable, handle, place, steerable } from "./js/hands.js";
import { hero } from "./js/hero.js";
import { clamp, round } from "./js/math.js";
import { plane } from "./js/plane.js";
import { show } from "./js/text.js";

/** What a point z has above and below: f(z) and f′(z). */
export function numbers({ activation, z, alpha }) {
  const [f, slope] = ACTIVATIONS[activation].map((g) => g(z, alpha));
  return { z, f, slope };
}

/** The two halves of a curve, so that a jump at z = 0 stays a jump. */
function curve(area, f, Z) {
  const half = (from, to) =>
    area.path(
      Array.from({ length: 101 }, (_, i) => {
        const z = from + ((to - from) * i) / 100;
        return [z, f(z)];
      }),
    );
  return half(-Z, -1e-9) + half(1e-9, Z);
}

function render({ model, el }) {
  const view = hero(model, el, "Activation explorer");
  const { activation: names, compare: rivals, z: range, alpha: slopes, HEIGHTS } = view.constants;
  const Z = range[1];
  const left = view.panel();
  const ticks = [-4, -2, 0, 2, 4];
  const areas = [
    plane(left, "The function f", range, HEIGHTS[0], {
      height: 282,
      ticks: [ticks, [-1, 0, 1, 2, 3, 4]],
      names: ["", "f(z)"],
    }),
    plane(left, "Its derivative f′", range, HEIGHTS[1], {
      height: 200,
      ticks: [ticks, [0, 0.5, 1]],
      names: ["z", "f′(z)"],
    }),
  ];
  const parts = areas.map((area, order) => {
    make(area.ground, "path", {
      class: "axis",
      d:
        area.path([
          [-Z, 0],
          [Z, 0],
        ]) +
        area.path([
          [0, -9],
          [0, 9],
        ]),
    });
    return {
      other: make(area.data, "path", { class: "curve", stroke: "var(--dll-orange)", "stroke-dasharray": "7 5" }),
      main: make(area.data, "path", { class: "curve", stroke: "var(--dll-blue)" }),
      drop: make(area.data, "path", { class: "axis strong", "stroke-dasharray": "2 3" }),
      tangent: make(area.data, "path", { class: "curve", stroke: "var(--dll-green)" }),
      knob: handle(area.front, order ? "z, on the derivative" : "z, on the function"),
    };
  });

  const right = view.panel();
  const fact = facts(right, { z: "z", f: "f(z)", slope: "f′(z)" });
  const setZ = (z) => view.change({ z: round(clamp(z, ...range)) });
  const showActivation = choice(right, "function f", names, (activation) => view.change({ activation }));
  const showCompare = choice(right, "compare", rivals, (compare) => view.change({ compare }));
  const showZ = slider(right, "z", "position z", [...range, 0.05], setZ);
  const showAlpha = slider(right, "α", "slope α of leaky ReLU for negative z", [...slopes, 0.01], (alpha) =>
    view.change({ alpha }),
  );
  const note = make(right, "p", { class: "note" });
  const compared = make(right, "p", { class: "note" });

  parts.forEach(({ knob }, i) => {
    draggable(knob, areas[i], (start) => {
      const z = view.get("z");
      return (p) => setZ(z + p[0] - start[0]);
    });
    steerable(knob, 0.05, (dx, dy) => setZ(view.get("z") + dx + dy), { Home: () => setZ(-Z), End: () => setZ(Z) });
  });

  return view.start(() => {
    const [activation, compare, z, alpha] = ["activation", "compare", "z", "alpha"].map(view.get);
    const pair = ACTIVATIONS[activation].map((f) => (x) => f(x, alpha));
    const rival = compare === "none" ? null : ACTIVATIONS[compare].map((f) => (x) => f(x, alpha));
    const { f: height, slope } = numbers({ activation, z, alpha });
    const values = [height, slope];
    parts.forEach((part, i) => {
      const area = areas[i];
      const y = values[i];
      part.main.setAttribute("d", curve(area, pair[i], Z));
      part.other.setAttribute("d", rival ? curve(area, rival[i], Z) : "");
      part.drop.setAttribute(
        "d",
        area.path([
          [z, i ? 9 : -9],
          [z, y],
        ]),
      );
      if (i === 0) {
        const reach = 110 / area.kx / Math.hypot(1, slope); // about the same length on the screen
        part.tangent.setAttribute(
          "d",
          area.path([
            [z - reach, y - slope * reach],
            [z + reach, y + slope * reach],
          ]),
        );
      }
      place(
        part.knob,
        area.px(z),
        area.py(y),
        [...range, z],
        `z = ${show(z)}, ${i ? "f′(z)" : "f(z)"} = ${show(y, 3)}`,
      );
    });
    fact("z", z, show(z));
    fact("f", height, show(height, 3));
    fact("slope", slope, show(slope, 3));
    showActivation(activation);
    showCompare(compare);
    showZ(z);
    showAlpha(alpha, { enabled: [activation, compare].includes("leaky ReLU") });
    const kink = z === 0 && ["step", "ReLU", "leaky ReLU"].includes(activation);
    note.textContent = kink
      ? "At z = 0 this function has no derivative; shown is the value used by convention."
      : "Green: the tangent. Its slope is the height of the lower curve.";
    compared.textContent = rival
      ? `Dashed: ${compare}, f(z) = ${show(rival[0](z), 3)}, f′(z) = ${show(rival[1](z), 3)}`
      : "";
    view.say(`z ${show(z)}, f ${show(height, 3)}, slope ${show(slope, 3)}`);
  }, ["activation", "compare", "z", "alpha"]);
}
export default { render };
