// A sentence that is typed or chosen, and what a network says of it: recorded, or from the kernel.
import { make } from "./dom.js";

const PAUSE = 400; // milliseconds without a key, after which what is typed counts
const PATIENCE = 6000; // milliseconds, after which a kernel has probably not heard
const OWN = "a sentence of your own";

/** What the reader typed, with single blanks. */
export const tidy = (text) => text.trim().split(/\s+/u).join(" ");

/** The answer to a text, recorded or from the kernel; null where there is none, or none yet. */
export function answerTo(text, { recorded, answer }) {
  const known = recorded.find((one) => one.text === text);
  if (known) return known;
  return answer.text === text && !answer.error ? answer : null;
}

/** Where the answer comes from, or why there is none. */
export function remark(text, { recorded, answer, why }, isLate) {
  if (recorded.some((one) => one.text === text)) {
    return `One of ${recorded.length} recorded sentences; type your own for a kernel to read.`;
  }
  if (why) return why;
  if (answer.text === text) return answer.error ?? "Read in your kernel just now.";
  return isLate
    ? `No kernel has answered. Without one this page knows ${recorded.length} recorded sentences: choose one above.`
    : "Your kernel is reading …";
}

/**
 * A field for a sentence and a choice of the recorded ones. Returns a function that shows the present
 * text, and the answer to it or null.
 */
export function sentence(view, parent, most) {
  const KEYS = ["recorded", "answer", "why"];
  let [shown, waited, isLate, typing, patience] = ["", "", false, 0, 0];

  const row = make(parent, "label", { class: "row" });
  make(row, "span", {}, "sentence");
  const look = { type: "text", class: "field", maxlength: most, spellcheck: "false", autocomplete: "off" };
  const input = make(row, "input", { ...look, "aria-label": "a sentence" });
  const choiceRow = make(parent, "label", { class: "row" });
  make(choiceRow, "span", {}, "recorded");
  const select = make(choiceRow, "select");
  for (const { text } of view.get("recorded")) make(select, "option", { value: text }, text);
  make(select, "option", { value: OWN }, OWN);
  const note = make(parent, "p", { class: "note" });

  const take = () => {
    clearTimeout(typing);
    const text = tidy(input.value);
    if (text && text !== view.get("text")) view.change({ text });
  };
  input.addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(take, PAUSE);
  });
  input.addEventListener("keydown", (event) => {
    event.stopPropagation();
    if (event.key === "Enter") take();
  });
  input.addEventListener("change", () => {
    take();
    if (!tidy(input.value)) input.value = shown;
  });
  select.addEventListener("change", () => {
    if (select.value !== OWN) {
      view.change({ text: select.value });
      return;
    }
    input.focus();
    input.select();
  });
  view.leaving(() => {
    clearTimeout(typing);
    clearTimeout(patience);
  });

  return () => {
    const [text, known] = [view.get("text"), view.state(KEYS)];
    const answer = answerTo(text, known);
    if (text !== shown) {
      shown = text;
      if (tidy(input.value) !== text) input.value = text;
    }
    select.value = known.recorded.some((one) => one.text === text) ? text : OWN;
    if (answer || known.why || known.answer.text === text) {
      waited = "";
      clearTimeout(patience);
    } else if (waited !== text) {
      [waited, isLate] = [text, false];
      clearTimeout(patience);
      patience = setTimeout(() => {
        isLate = true;
        view.change({});
      }, PATIENCE);
    }
    note.textContent = remark(text, known, isLate);
    return answer;
  };
}
