"""The moving picture at the top of the README: six widgets of the course at play.

``python -m tests.browser.readme`` makes it anew; a browser test makes parts of it and compares.
"""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING, Any, NamedTuple

from PIL import Image

from tests.browser import lab as jupyter
from utils.widgets import (
    LatentMap,
    OptimizerRace,
    PronunciationMap,
    RingFilm,
    SceneBoard,
    SketchPad,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

    from utils.widgets._hero import Hero

PICTURE = jupyter.ROOT / ".github" / "course.gif"
PAGE = (820, 560)
SIZE = (656, 448)
COLORS = 255
STYLE = """
  body { font-family: sans-serif; margin: 0; padding: 10px 16px; background: white; }
  h1 { font-size: 21px; font-weight: 600; margin: 0 0 8px; }
"""


class Scene(NamedTuple):
    """A widget, the line above it, and the states that it goes through."""

    title: str
    widget: Hero
    states: list[dict[str, Any]]
    milliseconds: int


def scenes() -> list[Scene]:
    """What the picture shows, in order."""
    race = [{"step": step} for step in (*range(0, 40, 2), *range(40, 200, 16), 200)]
    words = ["p", "ph", "pho", "phon", "phone", "phonetic"]
    spoken = [{"word": word, "step": 0} for word in words]
    spoken += [{"word": words[-1], "step": step} for step in range(1, 7)]
    still = [("🏰", 44, 18, 28, 0), ("🚗", 47, 50, 22, 0), ("🍎", 12, 50, 17, 0)]
    past = [{"objects": [*still, ("🐶", 14 + 1.6 * k, 22 + 0.9 * k, 24, 0)]} for k in range(21)]
    circle = [2 * math.pi * k / 24 for k in range(25)]
    walk = [{"position": (1.3 * math.cos(a), 1.3 * math.sin(a))} for a in circle]
    dabs = [("red", [(32, 35)]), ("green", [(32, 13)])]
    arc = [(22 + k, 41 + 5 * math.sin(math.pi * k / 20)) for k in range(21)]
    drawn = [{"marks": dabs[:k]} for k in range(3)]  # equal frames would become one
    drawn += [{"marks": [*dabs, ("line", arc[:k])]} for k in range(3, 22, 3)]
    film = [{"setting": "WGAN-GP, λ = 0.1", "frame": frame} for frame in range(16)]
    return [
        Scene("02 · Which optimizer arrives first?", OptimizerRace(step=0), race, 110),
        Scene("07 · Drag things about: the network finds and names them", SceneBoard(), past, 200),
        Scene("10 · Type a word: the network pronounces it", PronunciationMap(), spoken, 420),
        Scene("12 · Walk over the map of all digits", LatentMap(), walk, 160),
        Scene("13 · A forger learns", RingFilm(), film, 160),
        Scene("14 · Dab a color: the network paints", SketchPad(start="strawberry"), drawn, 500),
    ]


def shots(page: Page, scene: Scene) -> Iterator[Image.Image]:
    """Photograph a widget, without kernel, in each of the scene's states."""
    page.set_viewport_size({"width": PAGE[0], "height": PAGE[1]})
    jupyter.show_plain(page, scene.widget)
    page.add_style_tag(content=STYLE)
    page.evaluate(
        "title => { document.body.prepend(Object.assign(document.createElement('h1'),"
        " { textContent: title })); }",
        scene.title,
    )
    for state in scene.states:
        jupyter.set_plain(page, **state)
        jupyter.frames(page)
        image = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
        yield image.resize(SIZE, Image.Resampling.LANCZOS)


def picture(page: Page) -> bytes:
    """Return the whole moving picture, a GIF."""
    frames, durations = [], []
    for scene in scenes():
        taken = list(shots(page, scene))
        palette = _side_by_side(taken[:: max(1, len(taken) // 6)]).quantize(COLORS, kmeans=1)
        frames += [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in taken]
        durations += [scene.milliseconds] * (len(taken) - 1) + [1800]
    first, *rest = frames
    buffer = io.BytesIO()
    how = {"save_all": True, "append_images": rest, "duration": durations, "loop": 0}
    first.save(buffer, "gif", optimize=True, disposal=1, **how)
    return buffer.getvalue()


def _side_by_side(frames: list[Image.Image]) -> Image.Image:
    sheet = Image.new("RGB", (SIZE[0] * len(frames), SIZE[1]))
    for place, frame in enumerate(frames):
        sheet.paste(frame, (place * SIZE[0], 0))
    return sheet


def main() -> None:
    """Make the picture anew."""
    with jupyter.chromium() as browser:
        PICTURE.write_bytes(picture(browser.new_page()))


if __name__ == "__main__":
    main()
