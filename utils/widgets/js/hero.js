// The frame that every hero widget has.
import { make } from "./dom.js";
import { ARROWS } from "./hands.js";

/**
 * Build the frame of a widget and tie it to its model. The name is also its class: "Ring film" is .ring-film.
 * `change` takes new values, stored and sent once a frame; `start` draws and follows.
 */
export function hero(model, el, name) {
  // attribute and listener keep JupyterLab from taking the arrow keys for its own shortcuts
  const root = make(el, "figure", {
    class: `dll-hero ${name.toLowerCase().replaceAll(" ", "-")}`,
    role: "group",
    "aria-label": model.get("alt") || name,
    "data-lm-suppress-shortcuts": "true",
  });
  root.addEventListener("keydown", (event) => {
    if (event.key in ARROWS) event.stopPropagation();
  });
  const panels = make(root, "div", { class: "panels" });
  if (model.get("caption")) make(root, "figcaption", {}, model.get("caption"));
  const status = make(root, "p", { class: "status", role: "status", "aria-live": "polite" });
  let frame = 0;
  let pending = {}; // not yet in the model, where a late echo of an older value would undo it
  let speech = 0;
  const farewells = [];
  const view = {
    model,
    root,
    panels,
    constants: model.get("constants"),
    get: (key) => (key in pending ? pending[key] : model.get(key)),
    /** The present values of some traits by name. */
    state: (keys) => Object.fromEntries(keys.map((key) => [key, view.get(key)])),
    panel: (title) => {
      const panel = make(panels, "div", { class: "panel" });
      if (title) make(panel, "h4", {}, title);
      return panel;
    },
    change: (values) => {
      Object.assign(pending, values);
      redraw();
    },
    /** Tell a screen reader, once the hand rests. */
    say: (text) => {
      clearTimeout(speech);
      speech = setTimeout(() => {
        status.textContent = text;
      }, 400);
    },
    /** What is to be done when the reader leaves. */
    leaving: (act) => farewells.push(act),
    start: (draw, keys) => {
      view.draw = draw;
      for (const key of keys) model.on(`change:${key}`, redraw);
      draw();
      return () => {
        for (const act of farewells) act();
        for (const key of keys) model.off(`change:${key}`, redraw);
        cancelAnimationFrame(frame);
        send();
        clearTimeout(speech);
      };
    },
  };
  function send() {
    const changes = Object.entries(pending);
    if (!changes.length) return;
    for (const [key, value] of changes) model.set(key, value);
    pending = {};
    model.save_changes();
  }
  function redraw() {
    frame ||= requestAnimationFrame(() => {
      send();
      frame = 0;
      view.draw();
    });
  }
  return view;
}
