// A button that lets time run.
import { button } from "./controls.js";
import { set } from "./dom.js";

/**
 * Every `pause` milliseconds `step` is called, until it answers false or the reader leaves; `begin` comes first.
 * The looks are pairs: while it rests, while it plays. Returns a function that starts or stops it.
 */
export function player(view, parent, pause, step, { begin = () => {}, texts = ["Play", "Pause"], labels = [] } = {}) {
  let timer = 0;
  const node = button(parent, "", () => play());
  function play(on = !timer) {
    clearInterval(timer);
    timer = 0;
    if (on) {
      begin();
      timer = setInterval(() => {
        if (!node.isConnected || !step()) play(false);
      }, pause);
    }
    node.textContent = texts[Number(on)];
    if (labels.length) set(node, { "aria-label": labels[Number(on)] });
  }
  play(false);
  view.leaving(() => clearInterval(timer));
  return play;
}
