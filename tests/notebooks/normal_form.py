"""The one form in which notebooks are stored: small, mergeable and the same bytes each time."""

from __future__ import annotations

import base64
import copy
import io
import re
import unicodedata
from typing import TYPE_CHECKING

import nbformat
import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Iterable

METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    # without the extension nbconvert writes scripts as .txt
    "language_info": {"file_extension": ".py", "mimetype": "text/x-python", "name": "python"},
}
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"  # names a model that no file keeps
IMAGE_METADATA = ("alt", "height", "width")

SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
# what Jupyter and VS Code invent for a new cell: eight hexadecimal digits, or a UUID
RANDOM_ID = re.compile(r"(?=.*\d)[0-9a-f]{8}(-[0-9a-f]{4}){0,3}(-[0-9a-f]{12})?")
SLUG_LENGTH = 40
# an author's tag → what it means: to JupyterLab, to Colab, and as a tag to the web book
FOLD_CODE, FOLD_OUTPUT, GOING_DEEPER = "fold-code", "fold-output", "going-deeper"
IN_JUPYTER = {FOLD_CODE: "source_hidden", FOLD_OUTPUT: "outputs_hidden"}
IN_BOOK = {FOLD_CODE: "hide-input", FOLD_OUTPUT: "hide-output"}

CARRIAGE_RETURN = re.compile(r"^.*\r(?=[^\n])", re.MULTILINE)
BACKSPACE = re.compile(r"[^\n]\x08")


def normalize(notebook: dict) -> nbformat.NotebookNode:
    """Return the notebook in normal form; the argument is left as it was.

    Fixed metadata, slug cell ids, no empty lines at a cell's end, of a cell's metadata only its
    tags and what follows from them, ``execution_count`` 1 for each code cell that holds code,
    outputs as `normal_outputs` leaves them, palette pictures.
    """
    old = copy.deepcopy(notebook)
    used: set[str] = set()
    cells = [_normal_cell(cell, used) for cell in old["cells"]]
    return nbformat.from_dict(
        {"nbformat": 4, "nbformat_minor": 5, "metadata": METADATA, "cells": cells}
    )


def serialize(notebook: dict) -> str:
    """Return the text of the file: keys sorted, indent 1, Unicode as it is, one final newline."""
    return nbformat.writes(nbformat.from_dict(notebook), version=nbformat.NO_CONVERT) + "\n"


def normal_outputs(outputs: list) -> list[dict]:
    """Return outputs as a page shows them, without what changes from run to run.

    Streams are joined by name, no widget model ids, no execution numbers but 1, and of the
    metadata only a picture's alt text, width and height. Pictures are left as they are.
    """
    plain, streams = [], {}
    for output in copy.deepcopy(list(outputs)):
        kind = output["output_type"]
        if kind == "stream":
            name = output["name"]
            if name in streams:
                streams[name]["text"] += output["text"]
                continue
            streams[name] = output
        elif kind in ("display_data", "execute_result"):
            output["data"].pop(WIDGET_VIEW, None)
            if not output["data"]:
                continue
            output["metadata"] = _picture_metadata(output.get("metadata", {}))
            if kind == "execute_result":
                output["execution_count"] = 1
        plain.append(output)
    for stream in streams.values():
        stream["text"] = _as_on_screen(stream["text"])
    return plain


def palette_png(data: str) -> str:
    """Re-encode a base64 PNG with a palette of 256 colors, if that is smaller.

    A PNG that has a palette already stays, so that encoding twice gives the same bytes.
    Transparent and half transparent pixels stay so.
    """
    data = "".join(data.split())
    raw = base64.b64decode(data)
    picture = Image.open(io.BytesIO(raw))
    if picture.mode in ("P", "1", "L"):
        return data
    rgba = picture.convert("RGBA")
    if rgba.getextrema()[3] == (255, 255):  # opaque: the method with the smallest color error
        small = rgba.convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE, dither=0)
    else:
        small = rgba.quantize(256, Image.Quantize.FASTOCTREE, dither=0)
    buffer = io.BytesIO()
    small.save(buffer, "PNG", optimize=True)
    better = buffer.getvalue()
    return base64.b64encode(better).decode("ascii") if len(better) < len(raw) else data


def same_picture(a: str, b: str, tolerance: int = 16) -> bool:
    """Whether two base64 PNGs have one size and no pixel differs by more than `tolerance` of 255.

    The tolerance is for the rounding of a curve's last digit, not for another curve.
    """
    first, second = (_pixels(data) for data in (a, b))
    return first.shape == second.shape and np.abs(first - second).max(initial=0) <= tolerance


def is_slug(cell_id: str) -> bool:
    """Whether an id is made of lowercase words that a person chose."""
    return bool(SLUG.fullmatch(cell_id)) and not RANDOM_ID.fullmatch(cell_id)


def slug(text: str) -> str:
    """Turn words into an id: lowercase ASCII letters and digits, joined by hyphens."""
    ascii_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode("ascii")
    words = re.findall("[a-z0-9]+", ascii_text.lower())
    while words[1:] and len("-".join(words)) > SLUG_LENGTH:
        words.pop()
    return "-".join(words)[:SLUG_LENGTH]


def _normal_cell(cell: dict, used: set[str]) -> dict:
    kind, source = cell["cell_type"], cell["source"].rstrip("\n")
    cell_id = cell.get("id", "")
    if not is_slug(cell_id):
        cell_id = slug(_first_line(source)) or kind
    cell_id = _unused(cell_id, used)
    used.add(cell_id)
    normal = {
        "cell_type": kind,
        "id": cell_id,
        "metadata": cell_metadata(cell["metadata"].get("tags", [])),
        "source": source,
    }
    if "attachments" in cell:
        normal["attachments"] = cell["attachments"]
    if kind == "code":
        normal["execution_count"] = 1 if source.strip() else None
        normal["outputs"] = [_small_pictures(output) for output in normal_outputs(cell["outputs"])]
    return normal


def cell_metadata(tags: Iterable[str]) -> dict:
    """Return the metadata of a cell: its tags and what follows from them.

    `FOLD_CODE` and `FOLD_OUTPUT` fold a cell's source or outputs away, `GOING_DEEPER` folds what
    stands under a heading. JupyterLab drops these marks when it saves; the tags stay.
    """
    own = set(tags) - set(IN_BOOK.values())
    tags = sorted(own | {IN_BOOK[tag] for tag in own & set(IN_BOOK)})
    metadata: dict = {"tags": tags} if tags else {}
    if hidden := {name: True for tag, name in IN_JUPYTER.items() if tag in own}:
        metadata["jupyter"] = hidden
    if FOLD_CODE in own:
        metadata["cellView"] = "form"
    if FOLD_OUTPUT in own:
        metadata["collapsed"] = True
    if GOING_DEEPER in own:
        metadata["jp-MarkdownHeadingCollapsed"] = True
    return metadata


def _first_line(source: str) -> str:
    lines = [line.strip() for line in source.splitlines() if line.strip()]
    headings = [line for line in lines if line.startswith("#")]
    return next(iter(headings + lines), "")


def _unused(cell_id: str, used: set[str]) -> str:
    candidate, number = cell_id, 2
    while candidate in used:
        candidate, number = f"{cell_id}-{number}", number + 1
    return candidate


def _picture_metadata(metadata: dict) -> dict:
    kept = {}
    for kind, entries in metadata.items():
        if kind.startswith("image/"):
            entries = {name: entries[name] for name in IMAGE_METADATA if name in entries}
            if entries:
                kept[kind] = entries
    return kept


def _small_pictures(output: dict) -> dict:
    data = output.get("data", {})
    if "image/png" in data:
        data["image/png"] = palette_png(data["image/png"])
    return output


def _as_on_screen(text: str) -> str:
    """Apply backspaces and carriage returns, as a terminal does."""
    previous = None
    while text != previous:
        previous, text = text, BACKSPACE.sub("", text)
    return CARRIAGE_RETURN.sub("", text)


def _pixels(data: str) -> np.ndarray:
    picture = Image.open(io.BytesIO(base64.b64decode(data))).convert("RGBA")
    return np.asarray(picture, dtype=np.int16)
