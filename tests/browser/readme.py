"""The picture at the top of the README: chapter 01 with its playground in JupyterLab.

``python -m tests.browser.readme`` makes it anew; a browser test makes it too and compares.
"""

from __future__ import annotations

import io
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from tests.browser import lab as jupyter

if TYPE_CHECKING:
    from playwright.sync_api import Page

CHAPTER = jupyter.ROOT / "chapters" / "01_neuron.ipynb"
PICTURE = jupyter.ROOT / ".github" / "playground.png"
SIZE = (1100, 720)


def picture(page: Page, lab: jupyter.Lab) -> bytes:
    """Run chapter 01, play with its first widget as a reader would and photograph the window."""
    page.set_viewport_size({"width": SIZE[0], "height": SIZE[1]})
    shutil.copy(CHAPTER, lab.root / "readme.ipynb")
    notebook = jupyter.Notebook(page, lab, "readme.ipynb")
    notebook.run_all()
    notebook.kernel("playground.w, playground.b = (1.6, -1.1), 0.4")
    playground = notebook.heroes().first
    playground.evaluate("node => node.scrollIntoView({ block: 'center' })")
    notebook.settle()
    image = Image.open(io.BytesIO(page.screenshot()))
    notebook.close()
    buffer = io.BytesIO()
    image.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(buffer, "png", optimize=True)
    return buffer.getvalue()


def main() -> None:
    """Make the picture anew."""
    with tempfile.TemporaryDirectory() as folder, jupyter.chromium() as browser:
        lab = jupyter.Lab(Path(folder))
        try:
            PICTURE.write_bytes(picture(browser.new_page(), lab))
        finally:
            lab.stop()


if __name__ == "__main__":
    main()
