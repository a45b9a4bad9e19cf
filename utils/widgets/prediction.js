// A question before an experiment: choose an answer or a number. Once revealed, it stays as said.
import { make, uid } from "./js/dom.js";
import { hero } from "./js/hero.js";
import { keep, recall } from "./js/storage.js";

const STOPS = 60; // of the slider of a scale

/** What a reader has said so far, out of the model or out of the page's storage. */
export function begin(state, kept) {
  const fits = state.choices.length
    ? state.choices.includes(kept.said)
    : typeof kept.said === "number" && kept.said >= state.scale[0] && kept.said <= state.scale[1];
  return state.said === null && fits ? kept.said : state.said;
}

/** What is said after another choice: it changes until the answer is there. */
export const choose = (state, said) => (state.answer === null ? said : state.said);

/** The number at a stop of a scale from low to high, rounded to two digits of its range or size. */
export function numberAt(stop, [low, high], log) {
  if (log) return Number((low * (high / low) ** (stop / STOPS)).toPrecision(2));
  const unit = 10 ** (Math.floor(Math.log10(high - low)) - 2);
  return Number((Math.round((low + ((high - low) * stop) / STOPS) / unit) * unit).toPrecision(12));
}

/** The stop that is nearest to a number. */
export function stopAt(number, [low, high], log) {
  const share = log ? Math.log(number / low) / Math.log(high / low) : (number - low) / (high - low);
  return Math.round(share * STOPS);
}

/** What the reader is told beneath the question. */
export function remark({ said, answer }, unit) {
  if (answer !== null) return `You said ${said}${unit}. The answer stands below.`;
  if (said !== null) return `You say ${said}${unit}. Now run the experiment below.`;
  return "Choose before you read on.";
}

function render({ model, el }) {
  const view = hero(model, el, "A prediction");
  const [id, choices, scale, log] = ["id", "choices", "scale", "log"].map(view.get);
  const unit = view.get("unit") && ` ${view.get("unit")}`;
  const state = () => ({ choices, scale, said: view.get("said"), answer: view.get("answer") });
  const panel = make(view.panels, "fieldset", { class: "panel prediction" });
  make(panel, "legend", {}, `Predict · ${view.get("question")}`);
  const say = (said) => {
    const chosen = choose(state(), said);
    keep(id, { said: chosen });
    view.change({ said: chosen });
  };
  const controls = choices.length ? radios(panel, choices, say) : [guess(panel, scale, log, unit, say)];
  const note = make(panel, "p", { class: "note", role: "status" });

  const stop = view.start(() => {
    const { said, answer } = state();
    for (const { input, show } of controls) {
      input.disabled = answer !== null;
      show(said);
    }
    note.textContent = remark({ said, answer }, unit);
  }, ["said", "answer"]);
  const said = begin(state(), recall(id));
  if (said !== view.get("said")) view.change({ said });
  return stop;
}

function radios(panel, choices, say) {
  const name = uid("prediction");
  return choices.map((choice) => {
    const label = make(panel, "label", { class: "choice" });
    const input = make(label, "input", { type: "radio", name, value: choice });
    make(label, "span", {}, choice);
    input.addEventListener("change", () => say(choice));
    return { input, show: (said) => (input.checked = said === choice) };
  });
}

function guess(panel, scale, log, unit, say) {
  const row = make(panel, "label", { class: "row" });
  make(row, "span", {}, "your guess");
  const input = make(row, "input", { type: "range", min: 0, max: STOPS, step: 1, "aria-label": "your guess" });
  const output = make(row, "output");
  input.addEventListener("input", () => say(numberAt(Number(input.value), scale, log)));
  const show = (said) => {
    if (said !== null) input.value = stopAt(said, scale, log);
    const text = said === null ? "none yet" : `${said}${unit}`;
    input.setAttribute("aria-valuetext", text);
    output.textContent = text;
  };
  return { input, show };
}
export default { render };
