// What mouse, pen, finger and arrow keys take hold of.
import { make, set } from "./dom.js";
import { round } from "./math.js";

/** Where the pointer is, [x, y] in the units of a drawing. */
export function pointer(svg, event) {
  const p = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
  return [p.x, p.y];
}

/** What can be taken hold of and moved with the arrow keys; it gets its looks from the caller. */
export const grip = (parent, label) =>
  make(parent, "g", { class: "handle", role: "slider", tabindex: 0, "aria-label": label });

/** A knob to grab; `shape` is "circle" or "diamond". */
export function handle(parent, label, shape = "circle") {
  const node = grip(parent, label);
  make(node, "circle", { class: "hit", r: 22 });
  make(node, "circle", { class: "ring", r: 14 });
  if (shape === "circle") make(node, "circle", { class: "knob", r: 8 });
  else make(node, "path", { class: "knob", d: "M0 -9L9 0L0 9L-9 0Z" });
  return node;
}

export function place(node, x, y, [low, high, now], text) {
  set(node, {
    transform: `translate(${x.toFixed(2)} ${y.toFixed(2)})`,
    "aria-valuemin": low,
    "aria-valuemax": high,
    "aria-valuenow": round(now),
    "aria-valuetext": text,
  });
}

/** Follow mouse, pen or finger: `grab(point)` answers with a function that is told each new point. */
export function draggable(node, area, grab) {
  node.addEventListener("pointerdown", (down) => {
    if (down.button !== 0) return;
    down.preventDefault();
    node.setPointerCapture(down.pointerId);
    if (node.tabIndex >= 0) node.focus();
    const move = grab(area.at(down));
    const follow = (event) => move(area.at(event));
    const stop = () => {
      node.removeEventListener("pointermove", follow);
      for (const kind of ["pointerup", "pointercancel"]) node.removeEventListener(kind, stop);
    };
    node.addEventListener("pointermove", follow);
    for (const kind of ["pointerup", "pointercancel"]) node.addEventListener(kind, stop);
  });
}

export const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowDown: [0, -1], ArrowUp: [0, 1] };

/** Arrow keys call `by(dx, dy)`, Shift makes the step coarse; other keys look into `jumps`. */
export function steerable(node, step, by, jumps) {
  node.addEventListener("keydown", (event) => {
    if (event.key in ARROWS) by(...ARROWS[event.key].map((sign) => sign * step * (event.shiftKey ? 10 : 1)));
    else if (event.key in jumps) jumps[event.key]();
    else return;
    event.preventDefault();
  });
}
