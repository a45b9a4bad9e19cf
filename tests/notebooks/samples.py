"""Small notebooks, made in code, on which the tests of the notebook tools are tried."""

from __future__ import annotations

import base64
import io

import nbformat
from nbformat import NotebookNode, v4
from PIL import Image


def notebook(*cells: NotebookNode) -> NotebookNode:
    return v4.new_notebook(cells=list(cells))


def text(source: str, name: str | None = None, **extra) -> NotebookNode:
    return v4.new_markdown_cell(source, **({"id": name} if name else {}), **extra)


def code(source: str, *outputs: NotebookNode, name: str | None = None, tags=()) -> NotebookNode:
    extra = {"id": name} if name else {}
    metadata = {"tags": list(tags)} if tags else {}
    return v4.new_code_cell(
        source, outputs=list(outputs), execution_count=1, metadata=metadata, **extra
    )


def stream(words: str, name: str = "stdout") -> NotebookNode:
    return v4.new_output("stream", name=name, text=words)


def shown(words: str = "", metadata: dict | None = None, **data: str) -> NotebookNode:
    """A display; a MIME type is written as ``image_png`` for ``image/png``."""
    bundle = {kind.replace("_", "/"): value for kind, value in data.items()}
    if words:
        bundle["text/plain"] = words
    return v4.new_output("display_data", data=bundle, metadata=metadata or {})


def result(words: str) -> NotebookNode:
    return v4.new_output("execute_result", data={"text/plain": words}, execution_count=1)


def error(name: str, value: str = "") -> NotebookNode:
    return v4.new_output("error", ename=name, evalue=value, traceback=[])


def png(color=(200, 30, 30), size=(8, 6), mode: str = "RGB") -> str:
    """A base64 PNG of one color, as a kernel sends it."""
    return encoded(Image.new(mode, size, color))


def encoded(picture: Image.Image) -> str:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode("ascii") + "\n"


def write(path, *cells: NotebookNode):
    nbformat.write(notebook(*cells), path)
    return path


def figure(number: int) -> list[NotebookNode]:
    """A picture and its caption, as `utils.plotting.show` displays them."""
    alt = f"A red rectangle, the sample picture number {number}."
    caption = f"Figure {number}. A rectangle."
    return [
        shown(alt, {"image/png": {"alt": alt, "height": 6, "width": 8}}, image_png=png()),
        shown(caption, text_markdown=f"**Figure {number}.** A rectangle."),
    ]


def chapter() -> NotebookNode:
    """The smallest notebook that has the whole anatomy of chapter 05."""
    claims = "\n".join(f'claim("Statement {k}", True)' for k in range(5))
    exercises = [
        cell
        for k in range(1, 9)
        for cell in (
            code(f"def answer_{k}(x):\n    ...", name=f"stub-{k}"),
            code(f'check("05.{k}", answer_{k})', name=f"check-{k}"),
        )
    ]
    return notebook(
        text("# 05 · Convolution\n\nYou will see edges.", "title"),
        text("45 minutes · Prerequisites: chapters 03 and 04", "minutes"),
        text("**You will be able to**\n\n- slide\n- add\n- explain", "objectives"),
        code("from utils import setup\n\nrng = setup(seed=0)", name="setup"),
        text("## Idea\n\nSee Figure 1 and Figure 2.", "idea"),
        code("show(first)", *figure(1), name="first-figure"),
        text(
            "## Mathematics\n\n| Symbol | Shape | Meaning |\n|---|---|---|\n| $x$ | (N,) | input |",
            "mathematics",
        ),
        text("## From scratch", "from-scratch"),
        text("## The same in PyTorch and Keras", "frameworks"),
        text("## Experiment: how wide?\n\nAbout 98 % of them.", "experiment"),
        code("show(second)", *figure(2), name="second-figure"),
        code(claims, name="claims"),
        text("## Bug clinic", "bug-clinic"),
        text("## Exercises", "exercises"),
        *exercises,
        text(
            "## Summary\n\n### Terms\n\n| English | 中文 | Meaning |\n|---|---|---|\n"
            "| convolution | 卷积 | a sum that slides |\n\n### References\n\n"
            "- LeCun et al. (1998). Gradient-based learning. doi:10.1109/5.726791",
            "summary",
        ),
    )
