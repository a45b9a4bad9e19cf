// Boxes [x1, y1, x2, y2] as fractions of a picture, and pictures with boxes over them.
import { make, set } from "./dom.js";
import { pointer } from "./hands.js";
import { argmax } from "./math.js";

const area = ([x1, y1, x2, y2]) => (x2 - x1) * (y2 - y1);

/** Intersection over union; two boxes without area have 0. The same number as iou() in utils/metrics.py. */
export function iou(a, b) {
  const width = Math.max(0, Math.min(a[2], b[2]) - Math.max(a[0], b[0]));
  const height = Math.max(0, Math.min(a[3], b[3]) - Math.max(a[1], b[1]));
  const shared = width * height;
  const union = area(a) + area(b) - shared;
  return union > 0 ? shared / union : 0;
}

/** Indices of the boxes that stay, the surest first: non-maximum suppression of each kind by itself. */
export function suppress({ boxes, scores, labels }, { score, overlap }) {
  const kept = [];
  const isNew = (i) => kept.every((j) => labels[i] !== labels[j] || iou(boxes[i], boxes[j]) <= overlap);
  const enough = [...scores.keys()].filter((i) => scores[i] >= score);
  for (const i of enough.toSorted((a, b) => scores[b] - scores[a])) if (isNew(i)) kept.push(i);
  return kept;
}

/** What each kept box is, an index into VERDICTS, as judge() in utils/widgets/suppression_board.py decides. */
export function judge(kept, { boxes, labels, truth_boxes: truths, truth_labels: kinds }, least) {
  const free = truths.map(() => 1);
  return kept.map((i) => {
    const overlaps = truths.map((box, j) => (kinds[j] === labels[i] ? iou(boxes[i], box) : 0));
    const best = argmax(overlaps.map((value, j) => value * free[j]));
    if (!free[best] || overlaps[best] < least) return Math.max(...overlaps) < least ? 2 : 1;
    free[best] = 0;
    return 0;
  });
}

/** The class that gives a kind its color, that of BOX_COLORS in utils/plotting.py. */
export const accent = (label) => `accent-${["blue", "orange", "green", "pink", "olive"][label]}`;

export const SIDE = 400; // of a scene's drawing

/** A drawing of SIDE × SIDE over a square picture; `at` gives [x, y] as fractions. */
export function scene(parent, label, href) {
  const svg = make(parent, "svg", {
    class: "scene",
    viewBox: `0 0 ${SIDE} ${SIDE}`,
    role: "group",
    "aria-label": label,
  });
  make(svg, "image", { class: "pixels", width: SIDE, height: SIDE, href });
  return { svg, at: (event) => pointer(svg, event).map((value) => value / SIDE) };
}

/** A frame in the accent's color with a white rim, which no ground swallows; gives a function that lays it. */
export function frame(parent, look) {
  const node = make(parent, "g", { class: look });
  const rects = ["rim", "edge"].map((part) => make(node, "rect", { class: part }));
  const lay = ([x1, y1, x2, y2]) => {
    for (const rect of rects)
      set(rect, { x: SIDE * x1, y: SIDE * y1, width: SIDE * (x2 - x1), height: SIDE * (y2 - y1) });
  };
  return { node, lay };
}

/** Words at the upper left corner of a box, inside the picture. */
export const tag = (parent, [x1, y1], text, look) =>
  make(parent, "text", { class: `tag ${look}`, x: SIDE * x1 + 3, y: Math.max(14, SIDE * y1 - 5) }, text);
