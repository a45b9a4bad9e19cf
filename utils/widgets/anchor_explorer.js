// Anchors over a scene: which of them answer for an object, and how one is moved onto its object.
import { accent, frame, iou, scene, SIDE, tag } from "./js/boxes.js";
import { choice, facts, slider, wholeSlider } from "./js/controls.js";
import { make, set } from "./js/dom.js";
import { draggable, grip, steerable } from "./js/hands.js";
import { hero } from "./js/hero.js";
import { argmax, clamp } from "./js/math.js";
import { show } from "./js/text.js";

/** All anchors in the order of make_anchors() in utils/models/detector.py, with its float32 numbers. */
export const anchors = ({ GRIDS, ASPECT, SHAPES }) =>
  GRIDS.flatMap(([cells, sides]) =>
    Array.from({ length: cells * cells * SHAPES.length }, (_, k) => {
      const shape = k % SHAPES.length;
      const column = Math.floor(k / SHAPES.length) % cells;
      const row = Math.floor(k / SHAPES.length / cells);
      const side = sides[Math.floor(shape / 2)];
      const aspect = shape % 2 ? ASPECT : 1;
      const box = [(column + 0.5) / cells, (row + 0.5) / cells, side * aspect, side / aspect].map(Math.fround);
      return { cells, row, column, shape, box };
    }),
  );

const corners = ([x, y, w, h]) => [x - w / 2, y - h / 2, x + w / 2, y + h / 2];

/** Shift and stretch from an anchor [cx, cy, w, h] to a box, as encode() does. */
export function encode([x1, y1, x2, y2], [x, y, w, h], { VARIANCES }) {
  const raw = [((x1 + x2) / 2 - x) / w, ((y1 + y2) / 2 - y) / h, Math.log((x2 - x1) / w), Math.log((y2 - y1) / h)];
  return raw.map((value, k) => value / VARIANCES[k]);
}

/** The object that each anchor answers for, −1 for background, as match() chooses it; IoUs by anchor and object. */
export function match(overlaps, least) {
  const owners = overlaps.map((row) => (Math.max(...row) >= least ? argmax(row) : -1));
  const best = overlaps[0].map((_, j) => argmax(overlaps.map((row) => row[j])));
  const weakestFirst = best.map((i, j) => [overlaps[i][j], j]).toSorted(([a], [b]) => a - b);
  for (const [, j] of weakestFirst) owners[best[j]] = j; // a better match has the last word
  return owners;
}

/** Owners of all anchors; of the chosen one its IoUs and offsets, 0 for background. */
export function numbers(boxes, { anchor, threshold }, constants) {
  const all = anchors(constants);
  const overlaps = all.map(({ box }) => boxes.map((other) => iou(corners(box), other)));
  const owners = match(overlaps, threshold);
  const owner = owners[anchor];
  const offsets = owner < 0 ? [0, 0, 0, 0] : encode(boxes[owner], all[anchor].box, constants);
  return { owners, owner, overlaps: overlaps[anchor], offsets, positives: owners.filter((j) => j >= 0).length };
}

/** The index of the anchor at a cell; beyond the edge the last cell counts. */
function indexOf(all, cells, row, column, shape) {
  const [i, j] = [row, column].map((k) => clamp(Math.floor(k), 0, cells - 1));
  return all.findIndex((a) => a.cells === cells && a.row === i && a.column === j && a.shape === shape);
}

/** A bar for each object's IoU, a line at the threshold, and how many anchors answer for the object. */
function bars(parent, names, looks) {
  const svg = make(parent, "svg", { viewBox: `0 0 400 ${34 * names.length + 42}`, "aria-hidden": "true" });
  make(svg, "text", { class: "quiet", x: 0, y: 14 }, "its IoU with each object");
  make(svg, "text", { class: "quiet", x: 400, y: 14, "text-anchor": "end" }, "anchors for it");
  const parts = names.map((name, j) => {
    const y = 34 * j + 30;
    make(svg, "text", { x: 0, y: y + 15 }, name);
    const bar = make(svg, "rect", { class: `bar ${looks[j]}`, x: 90, y, height: 20, "data-name": `iou${j + 1}` });
    return {
      bar,
      value: make(svg, "text", { x: 345, y: y + 15, "text-anchor": "end" }),
      count: make(svg, "text", { x: 400, y: y + 15, "text-anchor": "end" }),
    };
  });
  const line = make(svg, "path", { class: "limit" });
  return (overlaps, owners, threshold) => {
    parts.forEach(({ bar, value, count }, j) => {
      set(bar, { width: 220 * overlaps[j], "data-value": overlaps[j] });
      value.textContent = show(overlaps[j]);
      count.textContent = owners.filter((owner) => owner === j).length;
    });
    set(line, { d: `M${90 + 220 * threshold} 24V${34 * names.length + 26}` });
  };
}

function render({ model, el }) {
  const view = hero(model, el, "Anchor explorer");
  const { GRIDS, SHAPES, SPREAD, KINDS, anchor: ends, threshold: limits } = view.constants;
  const { picture, truth_boxes: boxes, truth_labels: labels } = view.get("scene");
  const all = anchors(view.constants);
  const looks = labels.map(accent);
  const names = labels.map((label, j) => `${j + 1} ${KINDS[label]}`);
  const choose = (anchor) => view.change({ anchor });
  const chosen = () => all[view.get("anchor")];
  const spots = all.map(({ box: [x, y], shape }) => [
    x + SPREAD * (2 * (shape % 2) - 1),
    y + SPREAD * (2 * Math.floor(shape / 2) - 1),
  ]);

  const left = view.panel();
  const drawing = scene(left, "the scene, its objects and its anchors", picture);
  boxes.forEach((box, j) => {
    frame(drawing.svg, looks[j]).lay(box);
    tag(drawing.svg, box, names[j], looks[j]);
  });
  const swarm = make(drawing.svg, "g", { "aria-hidden": "true" });
  const marks = spots.map(([x, y], i) => {
    const node = make(swarm, "g", { transform: `translate(${SIDE * x} ${SIDE * y})` });
    if (all[i].cells === GRIDS[0][0]) make(node, "circle", { r: 6.5 });
    else make(node, "rect", { x: -6, y: -6, width: 12, height: 12 });
    return { node, text: make(node, "text", { y: 3.5, "text-anchor": "middle" }) };
  });
  const hand = grip(drawing.svg, "anchor: arrow keys move it, Page Up and Page Down change its shape");
  make(hand, "rect", { class: "hit catch pad", width: SIDE, height: SIDE });
  make(hand, "rect", { class: "ring", x: -4, y: -4, width: SIDE + 8, height: SIDE + 8 });
  const outline = frame(hand, "chosen");
  const here = make(hand, "circle", { class: "here", r: 9.5 });

  const right = view.panel();
  const fact = facts(right, { positives: "positive", negatives: "negative" });
  const threshold = slider(right, "IoU from", "threshold of the matching", [...limits, 0.01], (value) =>
    view.change({ threshold: value }),
  );
  const anchor = wholeSlider(right, "anchor", "number of the anchor", ends, choose);
  const to = (change) => {
    const { cells, row, column, shape } = { ...chosen(), ...change };
    choose(indexOf(all, cells, row, column, shape));
  };
  const grid = choice(
    right,
    "grid",
    GRIDS.map(([cells]) => `${cells} × ${cells}`),
    (name) => {
      const cells = Number.parseInt(name, 10);
      const [row, column] = [chosen().row, chosen().column].map((k) => ((k + 0.5) / chosen().cells) * cells);
      to({ cells, row, column });
    },
  );
  const shape = choice(right, "shape", SHAPES, (name) => to({ shape: SHAPES.indexOf(name) }));
  const note = make(right, "p", { class: "note" });
  const showBars = bars(right, names, looks);
  make(
    right,
    "p",
    { class: "note" },
    "Offsets to its object: shifts in tenths of the anchor's width and height, logarithms of the stretches in fifths.",
  );
  const offset = facts(right, { dx: "dx", dy: "dy", dw: "dw", dh: "dh" });

  const turn = (by) => to({ shape: (chosen().shape + by + SHAPES.length) % SHAPES.length });
  steerable(hand, 1, (dx, dy) => to({ row: chosen().row - dy, column: chosen().column + dx }), {
    Home: () => to({ column: 0 }),
    End: () => to({ column: chosen().cells - 1 }),
    PageUp: () => turn(-1),
    PageDown: () => turn(1),
  });
  const nearest = ([x, y]) => {
    const away = spots.map(([a, b]) => (a - x) ** 2 + (b - y) ** 2);
    return away.indexOf(Math.min(...away));
  };
  draggable(hand, drawing, (down) => {
    choose(nearest(down));
    return (point) => choose(nearest(point));
  });

  return view.start(() => {
    const state = view.state(["anchor", "threshold"]);
    const { owners, owner, overlaps, offsets, positives } = numbers(boxes, state, view.constants);
    const { cells, row, column, shape: form, box } = chosen();
    marks.forEach(({ node, text }, i) => {
      set(node, { class: owners[i] < 0 ? "negative" : `positive ${looks[owners[i]]}` });
      text.textContent = owners[i] < 0 ? "" : owners[i] + 1;
    });
    outline.lay(corners(box));
    const [x, y] = spots[state.anchor];
    set(here, { cx: SIDE * x, cy: SIDE * y });
    fact("positives", positives, positives);
    fact("negatives", all.length - positives, all.length - positives);
    threshold(state.threshold);
    anchor(state.anchor);
    grid(`${cells} × ${cells}`);
    shape(SHAPES[form]);
    const top = Math.max(...overlaps);
    const answer = owner < 0 ? "background" : `object ${owner + 1}, ${KINDS[labels[owner]]}`;
    const reason =
      owner < 0
        ? `its best IoU, ${show(top)}, is too low`
        : overlaps[owner] >= state.threshold
          ? `IoU ${show(overlaps[owner])}`
          : `IoU ${show(overlaps[owner])} is low, but no other anchor has more`;
    note.textContent = `Row ${row}, column ${column} answers for ${answer}: ${reason}.`;
    showBars(overlaps, owners, state.threshold);
    ["dx", "dy", "dw", "dh"].forEach((key, k) => offset(key, offsets[k], owner < 0 ? "–" : show(offsets[k])));
    set(hand, {
      "aria-valuemin": ends[0],
      "aria-valuemax": ends[1],
      "aria-valuenow": state.anchor,
      "aria-valuetext": `grid ${cells}, row ${row}, column ${column}, ${SHAPES[form]}, ${answer}`,
    });
    view.say(`${positives} positive anchors; anchor ${state.anchor} answers for ${answer}: ${reason}`);
  }, ["anchor", "threshold"]);
}
export default { render };
