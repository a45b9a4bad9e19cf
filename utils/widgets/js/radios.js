// Words, rows or tiles of which one is chosen, by click and by arrow keys; give them role radio.
import { set } from "./dom.js";

export const LINE = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1, Home: -Infinity, End: Infinity };

/** A click calls `choose()`, a key among `steps` calls `by(steps[key])`. */
export function radio(node, choose, steps, by) {
  node.addEventListener("click", choose);
  node.addEventListener("keydown", (event) => {
    if (!(event.key in steps)) return;
    event.preventDefault();
    event.stopPropagation();
    by(steps[event.key]);
  });
}

/** Show whether it is the chosen one, which alone is reached by Tab. */
export const check = (node, isChosen) => set(node, { "aria-checked": isChosen, tabindex: isChosen ? 0 : -1 });

/** Returns a function that focuses what `find()` gives, once the view has drawn. */
export function focuser(view) {
  let wait = 0;
  view.leaving(() => cancelAnimationFrame(wait));
  return (find) => {
    cancelAnimationFrame(wait);
    wait = requestAnimationFrame(() => {
      wait = requestAnimationFrame(() => find()?.focus());
    });
  };
}
