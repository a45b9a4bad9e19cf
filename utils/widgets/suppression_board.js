// All raw boxes of a detector: two thresholds decide which stay, the truth which of these are right.
import { accent, frame, iou, judge, scene, SIDE, suppress, tag } from "./js/boxes.js";
import { facts, slider } from "./js/controls.js";
import { make, set } from "./js/dom.js";
import { hero } from "./js/hero.js";
import { show } from "./js/text.js";

/** Boxes that stay, verdicts on them, their counts, missed objects, precision (NaN if none stays) and recall. */
export function numbers(board, state, constants) {
  const kept = suppress(board, state);
  const verdicts = judge(kept, board, constants.HIT);
  const [hits, duplicates, alarms] = constants.VERDICTS.map((_, k) => verdicts.filter((one) => one === k).length);
  const objects = board.truth_boxes.length;
  const counts = { hits, duplicates, alarms, missed: objects - hits };
  return { kept, verdicts, counts, precision: hits / kept.length, recall: hits / objects };
}

/** A bar for each raw box, the surest first, and a line at the lowest score. */
function ranking(parent, { scores }, looks) {
  const [height, foot] = [90, 100];
  const svg = make(parent, "svg", { viewBox: "0 0 400 118", "aria-hidden": "true" });
  const step = 400 / scores.length;
  const order = [...scores.keys()].toSorted((a, b) => scores[b] - scores[a]);
  const bars = [];
  order.forEach((i, k) => {
    const [x, width, high] = [step * (k + 0.12), 0.76 * step, height * scores[i]];
    const bar = make(svg, "rect", { x, y: foot - high, width, height: high });
    bars[i] = { bar, mark: make(svg, "text", { class: "verdict", x: x + width / 2, y: 114, "text-anchor": "middle" }) };
  });
  make(svg, "path", { class: "axis strong", d: `M0 ${foot}H400` });
  const line = make(svg, "path", { class: "limit" });
  return (states, marks, score) => {
    bars.forEach(({ bar, mark }, i) => {
      set(bar, { class: `bar ${states[i]} ${looks[i]}` });
      mark.textContent = marks[i];
    });
    set(line, { d: `M0 ${foot - height * score}H400` });
  };
}

function render({ model, el }) {
  const view = hero(model, el, "Suppression board");
  const { MARKS, VERDICTS, KINDS, score: scores, overlap: overlaps } = view.constants;
  const board = view.get("scene");
  const looks = board.labels.map(accent);

  const left = view.panel();
  const { svg } = scene(left, "the scene, its objects and the detector's boxes", board.picture);
  for (const box of board.truth_boxes) frame(svg, "truth").lay(box);
  const [faint, strong, tags] = ["", "", ""].map(() => make(svg, "g"));
  const frames = board.boxes.map((box) => {
    const { node, lay } = frame(faint, "");
    lay(box);
    return node;
  });
  const words = board.boxes.map((box, i) => tag(tags, box, "", looks[i]));

  const right = view.panel();
  const fact = facts(right, { hits: "hits", duplicates: "duplicates", alarms: "false alarms", missed: "missed" });
  const share = facts(right, { precision: "precision", recall: "recall" });
  const score = slider(right, "score from", "lowest score", [...scores, 0.01], (value) =>
    view.change({ score: value }),
  );
  const overlap = slider(right, "IoU up to", "highest IoU with a surer box", [...overlaps, 0.01], (value) =>
    view.change({ overlap: value }),
  );
  make(right, "p", { class: "note" }, "All raw boxes by score; pale: dropped, gray: too unsure.");
  const showRanking = ranking(right, board, looks);
  make(
    right,
    "p",
    { class: "note" },
    `${MARKS.map((mark, k) => `${mark} ${VERDICTS[k]}`).join(", ")}; white dots: truth.`,
  );

  return view.start(() => {
    const state = view.state(["score", "overlap"]);
    const { kept, verdicts, counts, precision, recall } = numbers(board, state, view.constants);
    const states = board.scores.map((value) => (value < state.score ? "unsure" : "dropped"));
    const marks = board.scores.map(() => "");
    kept.forEach((i, k) => {
      states[i] = `kept ${VERDICTS[verdicts[k]].replace(" ", "-")}`;
      marks[i] = MARKS[verdicts[k]];
    });
    frames.forEach((node, i) => {
      faint.append(set(node, { class: `${states[i]} ${looks[i]}` }));
      words[i].textContent = "";
    });
    const taken = []; // a tag is left out where a surer one is in its way
    for (const i of kept) {
      const text = `${KINDS[board.labels[i]]} ${show(board.scores[i])} ${marks[i]}`;
      const width = 7 * text.length; // about
      const x = Math.min(SIDE * board.boxes[i][0] + 3, SIDE - width);
      const y = Number(words[i].getAttribute("y"));
      const place = [x - 3, y - 13, x + width, y + 4];
      if (taken.some((other) => iou(place, other) > 0)) continue;
      set(words[i], { x }).textContent = text;
      taken.push(place);
    }
    for (const i of kept.toReversed()) strong.append(frames[i]); // the surest on top
    for (const [key, count] of Object.entries(counts)) fact(key, count, count);
    share("precision", precision, kept.length ? show(precision) : "–");
    share("recall", recall, show(recall));
    score(state.score);
    overlap(state.overlap, state.overlap < 1 ? {} : { text: "keep all" });
    showRanking(states, marks, state.score);
    view.say(
      `boxes kept ${kept.length}, hits ${counts.hits}, duplicates ${counts.duplicates}, false alarms ${counts.alarms}, missed ${counts.missed}`,
    );
  }, ["score", "overlap"]);
}
export default { render };
