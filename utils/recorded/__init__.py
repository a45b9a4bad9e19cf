"""Recorded runs: what took long to train, kept as small files without pickle.

Each file holds the command that makes it again.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

FOLDER = Path(__file__).parent


def save(name: str, command: str, arrays: Mapping[str, np.ndarray], folder: Path = FOLDER) -> None:
    """Keep arrays as ``name.npz``, with the command that makes them again."""
    np.savez_compressed(folder / f"{name}.npz", command=np.array(command), **arrays)


@functools.cache
def load(name: str, folder: Path = FOLDER) -> dict[str, np.ndarray]:
    """The arrays of ``name.npz`` by name; ``command`` is left out."""
    with np.load(folder / f"{name}.npz", allow_pickle=False) as file:
        return {key: file[key] for key in file.files if key != "command"}
