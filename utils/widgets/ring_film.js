// Recorded pictures of generated points, a ring of eight targets, a slider for the time.
import { choice, facts, wholeSlider } from "./js/controls.js";
import { make, set } from "./js/dom.js";
import { hero } from "./js/hero.js";
import { plane } from "./js/plane.js";
import { player } from "./js/play.js";
import { show } from "./js/text.js";

/** What stands beside the picture: the recorded numbers of one frame. */
export const numbers = (films, setting, frame) => {
  const { step, modes, near } = films[setting][frame];
  return { step, modes, near };
};

function render({ model, el }) {
  const view = hero(model, el, "Ring film");
  const { SPAN, SCALE, centers, radii, setting: settings, frame: frames } = view.constants;
  const films = view.get("films");
  const last = frames[1];
  const left = view.panel("generated points and the eight modes");
  const area = plane(left, "generated points", [-SPAN, SPAN], [-SPAN, SPAN], {
    ticks: [
      [-1, 0, 1],
      [-1, 0, 1],
    ],
    names: ["x₁", "x₂"],
  });
  const rings = centers.map(([x, y]) =>
    make(area.ground, "circle", {
      cx: area.px(x),
      cy: area.py(y),
      fill: "none",
      stroke: "var(--dll-quiet)",
      "stroke-width": 2,
    }),
  );
  const count = Object.values(films)[0][0].points.length;
  const dots = Array.from({ length: count }, () => make(area.data, "circle", { class: "mark zero", r: 3.5 }));

  const right = view.panel();
  const fact = facts(right, { step: "steps of the generator", modes: "modes kept", near: "points near a mode" });
  const setting = choice(right, "training", settings, (name) => view.change({ setting: name }));
  const time = wholeSlider(right, "time", "picture of the film", frames, (value) => view.change({ frame: value }));
  const next = () => {
    const frame = view.get("frame") + 1;
    if (frame <= last) view.change({ frame });
    return frame <= last;
  };
  player(view, right, 350, next, { begin: () => view.get("frame") === last && view.change({ frame: 0 }) });
  const note = make(right, "p", { class: "note" });

  return view.start(() => {
    const [name, frame] = [view.get("setting"), view.get("frame")];
    const radius = area.px(radii[name]) - area.px(0);
    for (const ring of rings) set(ring, { r: radius });
    films[name][frame].points.forEach(([x, y], i) => {
      set(dots[i], { cx: area.px(x / SCALE), cy: area.py(y / SCALE) });
    });
    const { step, modes, near } = numbers(films, name, frame);
    fact("step", step, String(step));
    fact("modes", modes, `${modes} of ${centers.length}`);
    fact("near", near, `${show(100 * near, 0)} %`);
    setting(name);
    time(frame, { text: `${frame} of ${last}`, spoken: `picture ${frame} of ${last}, step ${step}` });
    const kept = view.get("kept");
    const ended = kept[name].toSorted((a, b) => a - b).join(", ");
    note.textContent = `Modes kept at the end of each recorded run: ${ended}. The film shows the first run. A point is near a mode inside its circle.`;
    view.say(
      `${name}, step ${step}: ${modes} of ${centers.length} modes kept, ${show(100 * near, 0)} percent of the points near a mode`,
    );
  }, ["setting", "frame"]);
}
export default { render };
