// Ideas to tick; a bar for each shows what changing this one tick does. Entry k of the table is the
// accuracy with the ideas whose bits are set in k.
import { facts } from "./js/controls.js";
import { make, set } from "./js/dom.js";
import { hero } from "./js/hero.js";
import { clamp } from "./js/math.js";
import { show } from "./js/text.js";

/** The accuracy with the ticked ideas, and by how much the tick of each idea changes it. */
export function numbers({ table, tricks }, { TRICKS }) {
  const bits = TRICKS.reduce((sum, name, i) => sum + (tricks.includes(name) ? 2 ** i : 0), 0);
  const accuracy = table[bits];
  return { accuracy, ticked: tricks.length, changes: TRICKS.map((_, i) => table[bits ^ (2 ** i)] - accuracy) };
}

function render({ model, el }) {
  const view = hero(model, el, "Ablation board");
  const { TRICKS: names, SPAN } = view.constants;
  const across = (value) => 400 * clamp((value - SPAN[0]) / (SPAN[1] - SPAN[0]), 0, 1);
  const panel = view.panel();
  const fact = facts(panel, { accuracy: "accuracy on unseen glyphs", ticked: "ideas" });
  const rows = names.map((name) => {
    const row = make(panel, "div", { class: "row" });
    const tick = make(row, "button", { type: "button", role: "switch", class: "switch" });
    const svg = make(row, "svg", { viewBox: "0 0 400 20", "aria-hidden": "true" });
    make(svg, "path", { class: "axis", d: "M0 10H400" });
    const bar = make(svg, "rect", { y: 3, height: 14 });
    const mark = make(svg, "path", { class: "boundary" });
    const output = make(row, "output");
    tick.addEventListener("click", () => {
      const tricks = view.get("tricks");
      view.change({ tricks: names.filter((other) => tricks.includes(other) !== (other === name)) });
    });
    return { tick, bar, mark, output };
  });
  const note = make(panel, "p", { class: "note" });

  return view.start(() => {
    const tricks = view.get("tricks");
    const { accuracy, ticked, changes } = numbers({ table: view.get("table"), tricks }, view.constants);
    rows.forEach(({ tick, bar, mark, output }, i) => {
      const change = changes[i];
      const [from, to] = [across(accuracy), across(accuracy + change)];
      const on = tricks.includes(names[i]);
      tick.textContent = `${on ? "☑" : "☐"} ${names[i]}`;
      tick.setAttribute("aria-checked", on);
      set(bar, {
        x: Math.min(from, to),
        width: Math.abs(to - from),
        fill: `var(--dll-${change < 0 ? "orange" : "blue"})`,
      });
      mark.setAttribute("d", `M${from} 0V20`);
      output.textContent = `${change < 0 ? "" : "+"}${show(100 * change, 1)}`;
      output.dataset.value = String(change);
    });
    fact("accuracy", accuracy, `${show(100 * accuracy, 1)} %`);
    fact("ticked", ticked, `${ticked} of ${names.length}`);
    note.textContent = "Line: accuracy now. Bar and number: where this one change leads, in points of percent.";
    view.say(`accuracy ${show(100 * accuracy, 1)} percent with ${tricks.join(", ") || "no idea"}`);
  }, ["tricks", "table"]);
}
export default { render };
