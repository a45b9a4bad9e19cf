// Controls with a label, buttons, and big numbers with names.
import { make } from "./dom.js";
import { ARROWS } from "./hands.js";
import { letters, show } from "./text.js";

/**
 * A labeled range input; returns a function that shows a value, as `text`, which a screen reader hears as `spoken`.
 */
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
  return (value, { enabled = true, text = show(value), spoken = text } = {}) => {
    input.value = value;
    input.disabled = !enabled;
    input.setAttribute("aria-valuetext", spoken);
    output.textContent = text;
  };
}

/** A slider for whole numbers. */
export function wholeSlider(parent, label, name, [low, high], change) {
  const fill = slider(parent, label, name, [low, high, 1], change);
  return (value, words = {}) => fill(Math.floor(value), { text: String(Math.floor(value)), ...words });
}

/**
 * A labeled field for `least` to `most` letters a to z, or what else `clean` leaves; returns a function that shows a
 * word. What is typed becomes such letters at once, or stays until the reader goes elsewhere (`asTyped`).
 */
export function field(parent, label, name, [least, most], change, { asTyped = false, clean = letters } = {}) {
  const row = make(parent, "label", { class: "row" });
  make(row, "span", {}, label);
  const look = { type: "text", class: "field", spellcheck: "false", autocomplete: "off", autocapitalize: "off" };
  const input = make(row, "input", { ...look, maxlength: asTyped ? 2 * most : most, "aria-label": name });
  let shown = "";
  input.addEventListener("keydown", (event) => event.stopPropagation());
  input.addEventListener("input", () => {
    const word = clean(input.value, most);
    if (!asTyped && word !== input.value) input.value = word;
    if (word.length >= least) change(word);
  });
  input.addEventListener("change", () => {
    input.value = shown;
  });
  return (word) => {
    shown = word;
    if ((asTyped ? clean(input.value, most) : input.value) !== word) input.value = word;
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
export function button(parent, text, press, attributes = {}) {
  const node = make(parent, "button", { type: "button", class: "button", ...attributes }, text);
  node.addEventListener("click", press);
  return node;
}

/** A line for buttons. */
export const buttons = (parent, attributes = {}) => make(parent, "div", { class: "buttons", ...attributes });
