"""From key press to painted frame: hero widget, `live`, and plain `interact`, side by side.

``python -m tests.bench.latency`` prints medians over 40 presses and ratios to the hero widget.
"""

from __future__ import annotations

import os
import statistics
import tempfile
from pathlib import Path

from tests.browser import lab as jupyter

PRESSES = 40
HERO_LIMIT_MS = 20
CELLS = {
    "hero: NeuronPlayground": """
from utils.widgets import NeuronPlayground
NeuronPlayground()""",
    "hero: ActivationExplorer": """
from utils.widgets import ActivationExplorer
ActivationExplorer()""",
    "hero: XorBuilder": """
from utils.widgets import XorBuilder
XorBuilder()""",
    "live(): persistent figure": """
import numpy as np
from utils import plotting
from utils.widgets import live
fig, ax = plotting.figure(width=5, height=2.5)
x = np.linspace(0, 6, 200)
(line,) = ax.plot(x, np.sin(x))
def update(w):
    line.set_ydata(np.sin(w * x))
live(fig, update, w=(0.0, 50.0, 1.0))""",
    "interact: a new figure": """
%matplotlib inline
import ipywidgets
import matplotlib.pyplot as plt
def draw(w):
    plt.figure(figsize=(5, 2.5))
    plt.plot(x, np.sin(w * x))
    plt.show()
ipywidgets.interact(draw, w=ipywidgets.FloatSlider(value=1, min=0, max=50, step=0.1));""",
}

# The clock runs from the key event to the paint of the frame that shows the change. Hero widgets
# draw inside a frame, a picture arrives between two and counts from the first that can show it.
MEASURE = """
async ([index, presses]) => {
  const output = document.querySelectorAll(".jp-CodeCell")[index].querySelector(".jp-OutputArea");
  const hero = output.querySelector(".dll-hero");
  const handle = output.querySelector(".dll-hero [role=slider], .noUi-handle");
  const frame = () => new Promise((go) => requestAnimationFrame(go));
  const one = async (key) => {
    const start = performance.now();
    const changed = new Promise((go, fail) => {
      const watch = new MutationObserver((changes) => {
        for (const { target, addedNodes } of changes) {
          const image = [target, ...addedNodes]
            .map((node) => (node.localName === "img" ? node : node.querySelector?.("img")))
            .find(Boolean);
          if (!hero && !image) continue;
          watch.disconnect();
          go(image);
          return;
        }
      });
      watch.observe(output, { subtree: true, childList: true, attributes: true });
      setTimeout(() => fail(new Error("no change within 5 s")), 5000);
    });
    handle.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
    const image = await changed;
    if (image) await image.decode().then(frame);
    await new Promise((go) => {
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = go; // posted inside a frame, it arrives right after the paint
      port2.postMessage(0);
    });
    return performance.now() - start;
  };
  const times = [];
  for (let i = 0; i < presses + 5; i += 1) {
    times.push(await one(i % 20 < 10 ? "ArrowRight" : "ArrowLeft"));
    await new Promise((go) => setTimeout(go, 100));
  }
  return times.slice(5);
}
"""


def measure() -> dict[str, list[float]]:
    """Return the times in milliseconds of every press for every kind of widget."""
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        jupyter.chromium() as browser,
    ):
        lab = jupyter.Lab(Path(folder))
        try:
            page = browser.new_page(viewport={"width": 1280, "height": 4000})
            notebook = jupyter.Notebook(page, lab, lab.write("latency", *CELLS.values()))
            notebook.run_all()
            page.locator(".noUi-handle").nth(1).wait_for()
            times = {
                name: page.evaluate(MEASURE, [index, PRESSES]) for index, name in enumerate(CELLS)
            }
            if notebook.problems:
                raise RuntimeError("\n".join(notebook.problems))
            return times
        finally:
            lab.stop()


def main() -> int:
    """Print the table; return 1 if a hero widget is slower than it promises."""
    times = measure()
    medians = {name: statistics.median(values) for name, values in times.items()}
    best = min(medians.values())
    print(f"key press → painted frame, {PRESSES} presses, {os.cpu_count()} cores")
    print(f"{'':28}{'median':>10}{'90 %':>10}{'ratio':>8}")
    for name, values in times.items():
        high = statistics.quantiles(values, n=10)[-1]
        print(f"{name:28}{medians[name]:>7.1f} ms{high:>7.1f} ms{medians[name] / best:>7.1f}×")
    slow = [n for n, value in medians.items() if n.startswith("hero") and value >= HERO_LIMIT_MS]
    for name in slow:
        print(f"✘ {name} takes {medians[name]:.1f} ms; the promise is {HERO_LIMIT_MS} ms")
    return int(bool(slow))


if __name__ == "__main__":
    raise SystemExit(main())
