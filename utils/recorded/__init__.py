"""Recorded runs: what took long to train, kept as small files without pickle.

Beside each file stands the script that makes it again, ``python -m utils.recorded.NAME``. Arrays
are kept as ``NAME.npz``, runs, which are dictionaries of plain numbers and texts, as ``NAME.json``.
A record consists of parts, one for each command that put something into it, and tells of each how
it was made; so a later chapter can append to a record, and each part can be made again alone.
"""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Runs = Sequence[dict[str, Any]]
    Arrays = Mapping[str, np.ndarray]

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Making:
    """How one part of a record was made.

    Attributes:
        command: makes it again.
        seeds: of its runs.
        seconds: CPU seconds that it took; None where nobody counted.

    """

    command: str
    seeds: tuple[int, ...]
    seconds: float | None


def make(
    name: str, content: Callable[[], Arrays | Runs], seeds: Sequence[int], folder: Path = FOLDER
) -> None:
    """Call `content`, count its CPU seconds, and keep what it returns as the record `name`."""
    start = time.process_time()
    made = content()
    seconds = round(time.process_time() - start, 1)
    save(name, made, seeds=seeds, seconds=seconds, folder=folder)


def save(
    name: str,
    content: Arrays | Runs,
    *,
    seeds: Sequence[int],
    seconds: float | None,
    command: str | None = None,
    folder: Path = FOLDER,
) -> None:
    """Keep arrays by name, or a list of runs, as the part of the record that `command` makes.

    What the same command put there before is replaced; what other commands appended stays.

    Args:
        name: of the record.
        content: arrays by name, or runs.
        seeds: with which it was trained.
        seconds: CPU seconds of training; None if unknown.
        command: None is the record's own script.
        folder: where the record lies.

    Raises:
        ValueError: an array of this name belongs to another part.

    """
    making = Making(command or f"python -m utils.recorded.{name}", tuple(seeds), seconds)
    keep = _keep_arrays if isinstance(content, Mapping) else _keep_runs
    keep(name, content, making, folder)
    load.cache_clear()


@functools.cache
def load(name: str, folder: Path = FOLDER) -> Any:
    """The arrays of a record by name, or the tuple of its runs; all parts together."""
    if _path(name, ".npz", folder).exists():
        return _arrays(name, folder)
    return tuple(run for part in _parts(name, folder) for run in part["runs"])


def by_seed(record: str, /, seed: str = "seed", **where: Any) -> dict[int, dict[str, Any]]:
    """The runs of a record that have these values, by their seed, which may have another name."""
    chosen = (run for run in load(record) if where.items() <= run.items())
    return {run[seed]: run for run in chosen}


def makings(name: str, folder: Path = FOLDER) -> tuple[Making, ...]:
    """How each part of a record was made."""
    return tuple(
        Making(part["command"], tuple(part["seeds"]), part["seconds"])
        for part in _parts(name, folder)
    )


def _keep_arrays(name: str, arrays: Arrays, making: Making, folder: Path) -> None:
    parts = _parts(name, folder)
    kept = _arrays(name, folder) if parts else {}
    for part in parts:
        if part["command"] == making.command:
            kept = {key: kept[key] for key in kept if key not in part["names"]}
    if taken := sorted(kept.keys() & arrays.keys()):
        raise ValueError(f"{name} has {', '.join(taken)} from another command already")
    parts = _replaced(parts, asdict(making) | {"names": list(arrays)})
    about = np.array(json.dumps(parts, ensure_ascii=False))
    np.savez_compressed(_path(name, ".npz", folder), parts=about, **kept, **arrays)


def _keep_runs(name: str, runs: Runs, making: Making, folder: Path) -> None:
    parts = _replaced(_parts(name, folder), asdict(making) | {"runs": list(runs)})
    texts = []
    for part in parts:
        head = ", ".join(f'"{key}": {_json(part[key])}' for key in asdict(making))
        lines = ",\n".join(map(_json, part["runs"]))  # a run a line
        texts.append(f'{{{head}, "runs": [\n{lines}\n]}}')
    text = '{"parts": [\n' + ",\n".join(texts) + "\n]}\n"
    _path(name, ".json", folder).write_text(text, encoding="utf-8")


def _replaced(parts: list[dict[str, Any]], new: dict[str, Any]) -> list[dict[str, Any]]:
    """The parts with the new one in the place of that of the same command, or at the end."""
    commands = [part["command"] for part in parts]
    if new["command"] not in commands:
        return [*parts, new]
    place = commands.index(new["command"])
    return [*parts[:place], new, *parts[place + 1 :]]


def _parts(name: str, folder: Path) -> list[dict[str, Any]]:
    """What a record tells of its parts; none of a record that is not there."""
    arrays, runs = _path(name, ".npz", folder), _path(name, ".json", folder)
    if arrays.exists():
        with np.load(arrays, allow_pickle=False) as file:
            return json.loads(str(file["parts"]))
    return json.loads(runs.read_text(encoding="utf-8"))["parts"] if runs.exists() else []


def _arrays(name: str, folder: Path) -> dict[str, np.ndarray]:
    with np.load(_path(name, ".npz", folder), allow_pickle=False) as file:
        return {key: file[key] for key in file.files if key != "parts"}


def _path(name: str, ending: str, folder: Path) -> Path:
    return folder / f"{name}{ending}"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
