// Emoji laid over each other, and a detector that runs in the page.
import { accent, frame, judge, SIDE, suppress, tag } from "./js/boxes.js";
import { button, buttons, choice, facts, slider } from "./js/controls.js";
import { forward, network, read } from "./js/detector.js";
import { make, reveal, set } from "./js/dom.js";
import { draggable, grip, place, pointer, steerable } from "./js/hands.js";
import { hero } from "./js/hero.js";
import { clamp, round } from "./js/math.js";
import { address, paint, screen } from "./js/pixels.js";
import { show } from "./js/text.js";

/** The detector, from base64 of float16 numbers. */
export const unpack = (text, { PLAN, SIZE }) => network(PLAN, text, SIZE);

/** Red, green, blue, opacity of each glyph, from the bytes of the sheet: colors above, opacity below. */
export function cut(sheet, { PALETTE, SPRITE, COLUMNS }) {
  const width = SPRITE * COLUMNS;
  const below = 4 * width * SPRITE * Math.ceil(PALETTE.length / COLUMNS);
  return PALETTE.map((_, k) => {
    const sprite = new Uint8ClampedArray(4 * SPRITE * SPRITE);
    const corner = SPRITE * (Math.floor(k / COLUMNS) * width + (k % COLUMNS));
    for (let i = 0; i < SPRITE * SPRITE; i += 1) {
      const at = 4 * (corner + Math.floor(i / SPRITE) * width + (i % SPRITE));
      for (let c = 0; c < 3; c += 1) sprite[4 * i + c] = sheet[at + c];
      sprite[4 * i + 3] = sheet[below + at];
    }
    return sprite;
  });
}

/** The empty scene, row by row. */
function ground(colors, { SIZE }) {
  const image = new Float64Array(3 * SIZE * SIZE);
  for (let y = 0; y < SIZE; y += 1) {
    const at = y * ((colors.length - 1) / (SIZE - 1));
    const k = Math.min(Math.floor(at), colors.length - 2);
    const t = at - k;
    for (let c = 0; c < 3; c += 1) {
      const value = (1 - t) * colors[k][c] + t * colors[k + 1][c];
      for (let x = 0; x < SIZE; x += 1) image[3 * (y * SIZE + x) + c] = value;
    }
  }
  return image;
}

/** Lay one object over an image; returns the box [x1, y1, x2, y2] of what is opaque of it, in pixels. */
function lay(image, sprite, [x, y, size, angle], { SIZE, SPRITE, FINE, OPAQUE }) {
  const [cos, sin] = [Math.cos((angle * Math.PI) / 180), Math.sin((angle * Math.PI) / 180)];
  const reach = (size * (Math.abs(cos) + Math.abs(sin))) / 2;
  const scale = SPRITE / size;
  const [x1, y1] = [Math.max(0, Math.floor(x - reach)), Math.max(0, Math.floor(y - reach))];
  const [x2, y2] = [Math.min(SIZE, Math.ceil(x + reach)), Math.min(SIZE, Math.ceil(y + reach))];
  const box = [SIZE, SIZE, 0, 0];
  for (let i = y1; i < y2; i += 1)
    for (let j = x1; j < x2; j += 1) {
      let [red, green, blue, alpha] = [0, 0, 0, 0];
      for (let m = 0; m < FINE; m += 1)
        for (let n = 0; n < FINE; n += 1) {
          const dx = j - x + (n + 0.5) / FINE;
          const dy = i - y + (m + 0.5) / FINE;
          const column = Math.floor((cos * dx + sin * dy) * scale + SPRITE / 2);
          const row = Math.floor((cos * dy - sin * dx) * scale + SPRITE / 2);
          if (row >= 0 && row < SPRITE && column >= 0 && column < SPRITE) {
            const at = 4 * (row * SPRITE + column);
            red += sprite[at];
            green += sprite[at + 1];
            blue += sprite[at + 2];
            alpha += sprite[at + 3];
          }
        }
      alpha /= FINE * FINE;
      const at = 3 * (i * SIZE + j);
      const rest = 1 - alpha / 255;
      image[at] = red / (FINE * FINE) + rest * image[at];
      image[at + 1] = green / (FINE * FINE) + rest * image[at + 1];
      image[at + 2] = blue / (FINE * FINE) + rest * image[at + 2];
      if (alpha > OPAQUE) {
        box[0] = Math.min(box[0], j);
        box[1] = Math.min(box[1], i);
        box[2] = Math.max(box[2], j + 1);
        box[3] = Math.max(box[3], i + 1);
      }
    }
  return box[2] ? box : [0, 0, 0, 0];
}

/** The same pixels and boxes as compose() in scene_board.py. */
export function compose(sprites, { objects, background }, constants) {
  const { PALETTE, COLORS } = constants;
  const image = ground(COLORS[background], constants);
  const boxes = objects.map(([glyph, ...numbers_]) =>
    lay(image, sprites[PALETTE.findIndex(([known]) => known === glyph)], numbers_, constants),
  );
  return { pixels: Uint8ClampedArray.from(image, (value) => Math.floor(Math.min(value, 255) + 0.5)), boxes };
}

/** What the network answers to a composed scene, the boxes found, how many there are to find, how many are right. */
export function numbers(net, { pixels, boxes }, state, constants) {
  const { SIZE, KINDS, PALETTE, ANCHORS: anchors, VARIANCES: variances, OVERLAP: overlap } = constants;
  const answers = forward(net, pixels);
  const kinds = state.objects.map(([glyph]) => KINDS.indexOf(PALETTE.find(([known]) => known === glyph)[2]));
  const truth = {
    truth_boxes: boxes.filter((_, k) => kinds[k] >= 0).map((box) => box.map((value) => value / SIZE)),
    truth_labels: kinds.filter((kind) => kind >= 0),
  };
  const raw = read(answers, { anchors, variances, kinds: KINDS.length, least: state.least });
  const kept = suppress(raw, { score: state.least, overlap });
  const verdicts = judge(kept, { ...raw, ...truth }, constants.HIT);
  const found = kept.map((i, k) => ({
    box: raw.boxes[i],
    score: raw.scores[i],
    label: raw.labels[i],
    isRight: verdicts[k] === 0,
  }));
  const right = found.filter(({ isRight }) => isRight).length;
  return { answers, found, placed: truth.truth_labels.length, right };
}

/** The bytes of a picture, once the page has read it. */
function decoded(base64, ready) {
  const picture = new Image();
  picture.addEventListener("load", () => {
    const canvas = set(document.createElement("canvas"), { width: picture.width, height: picture.height });
    const context = canvas.getContext("2d");
    context.drawImage(picture, 0, 0);
    ready(context.getImageData(0, 0, picture.width, picture.height).data);
  });
  picture.src = `data:image/png;base64,${base64}`;
}

/** A glyph's picture for the page, which does not want its colors multiplied by opacity. */
function portrait(sprite, { SPRITE }) {
  const colors = Array.from({ length: SPRITE * SPRITE }, (_, i) => {
    const [red, green, blue, alpha] = sprite.subarray(4 * i, 4 * i + 4);
    return alpha ? [red, green, blue].map((value) => (255 * value) / alpha).concat(alpha) : [0, 0, 0, 0];
  });
  return address([colors], SPRITE, { color: (color) => color });
}

/** Triples of bytes as the colors of pixels. */
const colors = (pixels) =>
  Array.from({ length: pixels.length / 3 }, (_, i) => [...pixels.subarray(3 * i, 3 * i + 3), 255]);

function render({ model, el }) {
  const view = hero(model, el, "Scene board");
  const { constants } = view;
  const { SIZE, SIZES, ANGLES, MOST, KINDS, PALETTE, UNSEEN, COLORS, CREDIT, least: limits } = constants;
  const UNIT = SIDE / SIZE; // of the drawing, for a pixel of the scene
  const net = unpack(view.get("weights"), constants);
  let sprites = null; // until the page has read them
  let pictures = [];
  let chosen = view.get("objects").length - 1;

  // what can be done to the objects
  const objects = () => view.get("objects");
  const put = (next) => view.change({ objects: next });
  const alter = (k, change) =>
    put(
      objects().map((object, i) => {
        if (i !== k) return object;
        const [glyph, x, y, size, angle] = object;
        const next = { x, y, size, angle, ...change };
        return [
          glyph,
          round(clamp(next.x, 0, SIZE)),
          round(clamp(next.y, 0, SIZE)),
          round(clamp(next.size, ...SIZES)),
          clamp(Math.round(next.angle), ...ANGLES),
        ];
      }),
    );
  const add = (glyph, x, y) => {
    if (objects().length >= MOST) return;
    chosen = objects().length;
    put([...objects(), [glyph, round(clamp(x, 0, SIZE)), round(clamp(y, 0, SIZE)), 24, 0]]);
  };
  const remove = (k) => {
    put(objects().filter((_, i) => i !== k));
    chosen = Math.min(chosen, objects().length - 1);
  };
  const lift = (k) => {
    put([...objects().filter((_, i) => i !== k), objects()[k]]);
    chosen = objects().length - 1;
  };

  // the stage
  const left = view.panel();
  const svg = make(left, "svg", {
    class: "scene",
    viewBox: `0 0 ${SIDE} ${SIDE}`,
    role: "group",
    "aria-label": "the scene",
  });
  const back = make(svg, "image", { width: SIDE, height: SIDE, preserveAspectRatio: "none" });
  back.addEventListener("pointerdown", () => {
    chosen = -1;
    view.change({});
  });
  const stage = { at: (event) => pointer(svg, event).map((value) => value / UNIT) };
  const places = Array.from({ length: MOST }, (_, k) => {
    const node = grip(svg, "");
    const figure = make(node, "g");
    const parts = {
      node,
      figure,
      image: make(figure, "image"),
      outline: make(figure, "rect", { class: "chosen" }),
      hit: make(figure, "circle", { class: "hit" }),
    };
    node.addEventListener("focus", () => {
      if (chosen === k) return;
      chosen = k;
      view.change({});
    });
    draggable(node, stage, ([x, y]) => {
      const [, x0, y0] = objects()[k];
      return (p) => alter(k, { x: x0 + p[0] - x, y: y0 + p[1] - y });
    });
    const [x, y] = [1, 2].map((axis) => () => objects()[k][axis]);
    const leave = () => {
      remove(k);
      places[chosen]?.node.focus();
    };
    steerable(node, 1, (dx, dy) => alter(k, { x: x() + dx, y: y() - dy }), {
      Home: () => alter(k, { x: 0 }),
      End: () => alter(k, { x: SIZE }),
      PageUp: () => alter(k, { y: 0 }),
      PageDown: () => alter(k, { y: SIZE }),
      "+": () => alter(k, { size: objects()[k][3] + 1 }),
      "-": () => alter(k, { size: objects()[k][3] - 1 }),
      "<": () => alter(k, { angle: objects()[k][4] - 5 }),
      ">": () => alter(k, { angle: objects()[k][4] + 5 }),
      Delete: leave,
      Backspace: leave,
    });
    return parts;
  });
  const answers = make(svg, "g", { class: "answers", "aria-hidden": "true" });
  const corner = make(svg, "g", { class: "handle", "aria-hidden": "true" });
  make(corner, "circle", { class: "hit", r: 16 });
  make(corner, "circle", { class: "knob", r: 6 });
  draggable(corner, stage, () => {
    const [, x, y] = objects()[chosen];
    return (p) => alter(chosen, { size: 2 * Math.max(p[0] - x, p[1] - y) });
  });

  const below = make(left, "div", { class: "below" });
  const seen = make(below, "div", { class: "seen" });
  const canvas = screen(seen, "the scene as the network sees it: 64 × 64 pixels");
  make(seen, "p", { class: "note" }, "64 × 64: all that it sees");
  const fact = facts(below, { placed: "to find", right: "found", wrong: "wrong" });

  // the tools
  const right = view.panel("take what you like");
  const grid = make(right, "div", { class: "palette" });
  const shelves = new Map();
  const glyphButtons = PALETTE.map(([glyph, name, kind]) => {
    if (!shelves.has(kind)) {
      const label = KINDS.indexOf(kind);
      make(grid, "span", { class: `shelf ${accent(label)}` }, kind);
      shelves.set(kind, make(grid, "div", { class: "shelf-row", role: "group", "aria-label": kind }));
    }
    const words = UNSEEN.includes(glyph) ? `${name}, never seen in training` : name;
    const node = button(shelves.get(kind), "", () => add(glyph, ...free()), {
      "aria-label": `add ${words}`,
      title: words,
    });
    node.classList.add("glyph");
    node.classList.toggle("unseen", UNSEEN.includes(glyph));
    // pulled onto the stage it lands there, and no click follows
    let pulled = false;
    draggable(node, stage, () => {
      pulled = false;
      return (p) => {
        const isInside = p.every((value) => value >= 0 && value <= SIZE);
        if (pulled) alter(chosen, { x: p[0], y: p[1] });
        else if (isInside && objects().length < MOST) {
          pulled = true;
          add(glyph, ...p);
        }
      };
    });
    node.addEventListener(
      "click",
      (event) => {
        if (pulled) event.stopImmediatePropagation();
        pulled = false;
      },
      true,
    );
    return make(node, "img", { alt: "", draggable: "false" });
  });
  /** Where what is added by a click lies: each time elsewhere. */
  const free = () => [0.618, 0.382].map((share) => 14 + ((objects().length * share * SIZE) % (SIZE - 28)));
  make(right, "p", { class: "note dotted" }, "dotted: not one of these was in its training");
  const showGround = choice(right, "ground", Object.keys(COLORS), (background) => view.change({ background }));
  const showLeast = slider(right, "score above", "score above which a box is shown", [...limits, 0.05], (least) =>
    view.change({ least }),
  );
  const title = make(right, "h4");
  const showSize = slider(right, "size", "size of the chosen object", [...SIZES, 1], (size) => alter(chosen, { size }));
  const showAngle = slider(right, "angle", "angle of the chosen object", [...ANGLES, 1], (angle) =>
    alter(chosen, { angle }),
  );
  const row = buttons(right);
  const tools = [button(row, "To the front", () => lift(chosen)), button(row, "Take away", () => remove(chosen))];
  const clear = button(row, "Clear", () => {
    put([]);
    chosen = -1;
  });
  make(right, "p", { class: "note" }, "Keys: arrows move, + − resize, < > turn, Delete takes away.");
  make(left, "p", { class: "note" }, CREDIT);

  decoded(view.get("glyphs"), (bytes) => {
    sprites = cut(bytes, constants);
    pictures = sprites.map((sprite) => portrait(sprite, constants));
    glyphButtons.forEach((image, k) => set(image, { src: pictures[k] }));
    view.change({});
  });

  const nameOf = (glyph) => PALETTE.find(([known]) => known === glyph)[1];
  let shownGround = "";
  function drawStage({ objects: all, background }) {
    if (shownGround !== background) {
      shownGround = background;
      const empty = compose(sprites, { objects: [], background }, constants).pixels;
      set(back, { href: address([colors(empty)], SIZE, { color: (color) => color }) });
    }
    places.forEach(({ node, figure, image, outline, hit }, k) => {
      reveal(node, k < all.length);
      if (k >= all.length) return;
      const [glyph, x, y, size, angle] = all[k];
      const href = pictures[PALETTE.findIndex(([known]) => known === glyph)];
      if (image.getAttribute("href") !== href) set(image, { href });
      const half = (size * UNIT) / 2;
      for (const part of [image, outline]) set(part, { x: -half, y: -half, width: 2 * half, height: 2 * half });
      set(hit, { r: 0.92 * half });
      set(figure, { transform: `rotate(${angle})` });
      outline.classList.toggle("gone", k !== chosen);
      set(node, {
        "aria-label": `${nameOf(glyph)}: arrow keys move it, plus and minus resize it, Delete takes it away`,
      });
      const words = `x ${show(x, 0)}, y ${show(y, 0)}, size ${show(size, 0)}, angle ${show(angle, 0)} degrees`;
      place(node, UNIT * x, UNIT * y, [0, SIZE, x], words);
    });
    const one = all[chosen];
    reveal(corner, one);
    if (one) {
      const half = (one[3] * UNIT) / 2;
      const turn = (one[4] * Math.PI) / 180;
      const [x, y] = [Math.cos(turn) - Math.sin(turn), Math.sin(turn) + Math.cos(turn)];
      set(corner, { transform: `translate(${UNIT * one[1] + half * x} ${UNIT * one[2] + half * y})` });
    }
  }
  function drawAnswers(found) {
    answers.replaceChildren();
    for (const { box, score, label, isRight } of found.toReversed()) {
      const inside = box.map((value) => clamp(value, 0, 1));
      frame(answers, `${accent(label)} ${isRight ? "" : "wrong"}`).lay(inside);
      const words = `${KINDS[label]} ${show(score)} ${isRight ? "✓" : "✗"}`;
      const text = tag(answers, inside, words, accent(label));
      const width = text.getComputedTextLength() + 10;
      const x = clamp(SIDE * inside[0] - 1.5, 0, SIDE - width);
      const y = Number(text.getAttribute("y"));
      set(text, { x: x + 5 }).before(
        make(answers, "rect", { class: `chip ${accent(label)}`, x, y: y - 14, width, height: 19 }),
      );
    }
  }

  return view.start(() => {
    if (!sprites) return;
    chosen = Math.min(chosen, objects().length - 1);
    const state = view.state(["objects", "background", "least"]);
    const scene = compose(sprites, state, constants);
    const { found, placed, right: hits } = numbers(net, scene, state, constants);
    drawStage(state);
    drawAnswers(found);
    paint(canvas, [colors(scene.pixels)], SIZE, { color: (color) => color });
    fact("placed", placed, String(placed));
    fact("right", hits, String(hits));
    fact("wrong", found.length - hits, String(found.length - hits));
    showGround(state.background);
    showLeast(state.least);
    const one = state.objects[chosen];
    title.textContent = one ? `chosen: ${nameOf(one[0])}` : "nothing is chosen";
    showSize(one?.[3] ?? SIZES[0], { enabled: Boolean(one), text: one ? `${show(one[3], 0)} px` : "–" });
    showAngle(one?.[4] ?? 0, { enabled: Boolean(one), text: one ? `${show(one[4], 0)}°` : "–" });
    for (const tool of tools) tool.disabled = !one;
    clear.disabled = !state.objects.length;
    for (const image of glyphButtons) image.parentElement.disabled = state.objects.length >= MOST;
    const words = found.map(
      ({ label, score, isRight }) => `${KINDS[label]} ${show(score)}, ${isRight ? "right" : "wrong"}`,
    );
    view.say(`the detector sees ${words.join("; ") || "nothing"}`);
  }, ["objects", "background", "least"]);
}
export default { render };
