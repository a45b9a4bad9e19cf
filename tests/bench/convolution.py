"""One layer of chapter 05 in NumPy beside loops and PyTorch: ``python -m tests.bench.convolution``.

All times are CPU seconds on one thread.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import Any

import nbformat
import numpy as np
import threadpoolctl
import torch
import torch.nn.functional as F

from tests.notebooks.execute import CHAPTERS
from utils import layers
from utils.engine import Tensor

Cells = dict[str, str]


def main() -> None:
    """Print the comparison."""
    torch.set_num_threads(1)
    with threadpoolctl.threadpool_limits(1):
        one_layer(read_cells())


def read_cells() -> Cells:
    """The sources of the chapter's cells by id."""
    notebook = nbformat.read(CHAPTERS / "05_convolution.ipynb", as_version=4)
    return {cell.id: cell.source for cell in notebook.cells}


def run_cells(cells: Cells, *names: str, **given: Any) -> dict[str, Any]:
    """Execute cells in an empty notebook that already knows `given`; return its variables."""
    variables: dict[str, Any] = {"np": np, "torch": torch, "F": F, "nn": torch.nn, **given}
    for name in names:
        exec(compile(cells[name], name, "exec"), variables)
        variables |= given  # a cell may have imported the original
    return variables


def seconds(action: Callable[[], object], rounds: int) -> float:
    """The median CPU time of an action, the first two calls left out."""
    times = []
    for _ in range(rounds + 2):
        start = time.process_time()
        action()
        times.append(time.process_time() - start)
    return median(times[2:])


def one_layer(cells: Cells) -> None:
    """The second layer of the chapter's network, for 50 images, forward and backward."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(50, 8, 12, 12)).astype(np.float32)
    w = rng.normal(size=(16, 8, 5, 5)).astype(np.float32)
    b = np.zeros(16, np.float32)
    loops = run_cells(cells, "mathematics-size", "scratch-loops", rng=rng, claim=ignore)
    ours = [Tensor(array, requires_grad=True) for array in (x, w, b)]
    theirs = [torch.tensor(array, requires_grad=True) for array in (x, w, b)]
    forward = {
        "loops": 50 * seconds(lambda: loops["conv_loops"](x[:1], w, b), 1),
        "engine": seconds(lambda: layers.conv2d(*ours), 20),
        "PyTorch": seconds(lambda: F.conv2d(*theirs), 20),
    }
    both = {
        "engine": seconds(lambda: layers.conv2d(*ours).sum().backward(), 20),
        "PyTorch": seconds(lambda: F.conv2d(*theirs).sum().backward(), 20),
    }
    for title, times in (("forward", forward), ("forward and backward", both)):
        print(f"conv 5×5, 8 → 16 channels, 50 maps of 12×12, {title}")
        for name, value in times.items():
            ratio = value / times["PyTorch"]
            print(f"  {name:10}{1000 * value:>12.2f} ms{ratio:>10.1f} × PyTorch")


def ignore(*args: Any, **options: Any) -> None:
    """In place of a claim."""


if __name__ == "__main__":
    main()
