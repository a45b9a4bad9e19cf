"""The sixteen chapters of the course: number, file name, title and what to read before."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

Row = TypeVar("Row")
FOLDER = Path(__file__).parents[1] / "chapters"


@dataclass(frozen=True)
class Chapter:
    """One chapter; `prerequisites` are the numbers of the chapters that it builds on directly."""

    number: int
    slug: str
    title: str
    prerequisites: tuple[int, ...] = ()

    @property
    def file(self) -> str:
        """The notebook's name in the folder ``chapters``, as in ``05_convolution.ipynb``."""
        return f"{self.number:02d}_{self.slug}.ipynb"

    @property
    def heading(self) -> str:
        """Number and title as the chapter's first line shows them: ``05 · Convolution``."""
        return f"{self.number:02d} · {self.title}"


CHAPTERS = (
    Chapter(0, "start_here", "Start here"),
    Chapter(1, "neuron", "A neuron", (0,)),
    Chapter(2, "gradient_descent", "Gradient descent", (1,)),
    Chapter(3, "backpropagation", "Backpropagation", (2,)),
    Chapter(4, "training_deep_networks", "Training deep networks", (3,)),
    Chapter(5, "convolution", "Convolution", (4,)),
    Chapter(6, "modern_cnns", "Modern CNNs", (5,)),
    Chapter(7, "object_detection", "Object detection", (6,)),
    Chapter(8, "recurrent_networks", "Recurrent networks", (4,)),
    Chapter(9, "lstm_and_gru", "LSTM and GRU", (8,)),
    Chapter(10, "attention", "Attention", (9,)),
    Chapter(11, "transformers_gpt_and_bert", "Transformers, GPT and BERT", (10,)),
    Chapter(12, "variational_autoencoders", "Variational autoencoders", (5,)),
    Chapter(13, "generative_adversarial_networks", "Generative adversarial networks", (5,)),
    Chapter(14, "image_to_image_translation", "Image-to-image translation", (13,)),
    Chapter(15, "beyond_one_laptop", "Beyond one laptop", (6,)),
)
APPENDICES = {"A2_notation.ipynb": "A2 · Notation"}  # file → first line


def read_table(name: str, row: type[Row]) -> tuple[Row, ...]:
    """Return the rows of a table of the course, each as a `row` with the table's columns.

    The file is one of tab-separated values in this folder, below a line that names the columns;
    `chapter` becomes a whole number.
    """
    with (Path(__file__).parent / name).open(encoding="utf-8", newline="") as lines:
        table: list[dict[str, Any]] = list(
            csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE, strict=True)
        )
    return tuple(row(**each | {"chapter": int(each["chapter"])}) for each in table)


def section_of(chapter: int, cell: str) -> str:
    """Return the heading of a chapter under which a cell stands, by the cell's id.

    Raises:
        LookupError: the chapter has no such cell, or no heading above it.

    """
    file = next(each.file for each in CHAPTERS if each.number == chapter)
    heading = None
    for each in json.loads((FOLDER / file).read_text(encoding="utf-8"))["cells"]:
        lines = "".join(each["source"]).splitlines() if each["cell_type"] == "markdown" else []
        titles = [line for line in lines if re.match("##+ ", line)]
        if each["id"] == cell:
            heading = titles[0] if titles else heading
            break
        heading = titles[-1] if titles else heading
    else:
        raise LookupError(f"{file} has no cell {cell!r}")
    if heading is None:
        raise LookupError(f"in {file} no heading stands above the cell {cell!r}")
    return heading.lstrip("# ")
