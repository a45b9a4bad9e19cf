// Controls with a label, and big numbers with names.
import { make } from "./dom.js";
import { ARROWS } from "./hands.js";
import { show } from "./text.js";

/** A labeled range input; returns a function that shows a value. */
export function slider(parent, label, name, [low, high, step], change) {
  const row = make(parent, "label", { class: "row" });
  make(row, "span", {}, label);
  const input = make(row, "input", { type: "range", min: low, max: high, step, "aria-label": name });
  const output = make(row, "output");
  input.addEventListener("input", () => change(Number(input.value)));
  input.addEventListener("keydown", (event) => {
    if (!(event.key in ARROWS) || !event.shiftKey) return;
    const [dx, dy] = ARROWS[event.key];
    event.preventDefault();
    input.value = Number(input.value) + (dx + dy) * 10 * step;
    change(Number(input.value));
  });
  return (value, enabled = true) => {
    input.value = value;
    input.disabled = !enabled;
    input.setAttribute("aria-valuetext", show(value));
    output.textContent = show(value);
  };
}

/** A labeled choice; returns a function that shows the chosen one. */
export function choice(parent, label, options, change) {
  const row = make(parent, "label", { class: "row" });
  make(row, "span", {}, label);
  const select = make(row, "select");
  for (const option of options) make(select, "option", { value: option }, option);
  select.addEventListener("change", () => change(select.value));
  return (value) => {
    select.value = value;
  };
}

/** Big numbers with names; returns a function fact(key, value, text) that shows one of them. */
export function facts(parent, names) {
  const list = make(parent, "dl", { class: "facts" });
  const places = {};
  for (const [key, name] of Object.entries(names)) {
    const fact = make(list, "div", { class: "fact" });
    make(fact, "dt", {}, name);
    places[key] = make(fact, "dd", { "data-name": key });
  }
  return (key, value, text) => {
    places[key].textContent = text;
    places[key].dataset.value = String(value);
  };
}

/** A push button in the look of the page. */
export function button(parent, text, press) {
  const node = make(parent, "button", { type: "button" }, text);
  node.style.cssText =
    "background: transparent; border: 1px solid var(--dll-quiet); border-radius: 4px; " +
    "color: inherit; cursor: pointer; font: inherit; min-height: 32px; padding: 2px 12px";
  node.addEventListener("click", press);
  return node;
}
