"""The exercises a learner has solved, kept in one small file from kernel to kernel."""

from __future__ import annotations

import functools
import json
import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from utils import runtime

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SCHEMA = 1


class _Newer(ValueError):
    """The file was written by a later version of the course."""


def passed() -> frozenset[str]:
    """The ids of all exercises solved so far; empty if there is no file that can be read."""
    return _update(())


def record(ids: Iterable[str]) -> None:
    """Add solved exercises. What is solved stays solved; a trouble is printed, never raised."""
    _update(ids)


def export_progress(path: str | Path) -> None:
    """Write the solved exercises to a file of your choice, to hand in or to carry elsewhere.

    Raises:
        OSError: the file cannot be written.

    """
    _write(Path(path), passed())


def import_progress(path: str | Path) -> None:
    """Add the solved exercises of an exported file to your own; nothing is ever taken away.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is damaged or was written by a later version of the course.

    """
    record(_read(Path(path)))


def _file() -> Path:
    return runtime.home_dir() / "progress.json"


def _update(new: Iterable[str]) -> frozenset[str]:
    """Merge `new` into the file under a lock and return all that is solved."""
    new, known = frozenset(new), frozenset()
    try:
        path = _file()
        if not new and not path.exists():
            return known
        with _locked(path):
            try:
                known = _read(path) if path.exists() else known
            except _Newer as error:
                _notice(f"{error}; it is left as it is and nothing is recorded")
                return new
            except ValueError:
                aside = _move_aside(path)
                _notice(f"the progress file was damaged; it is kept as {aside.name}")
            if not new <= known:
                _write(path, known | new)
    except OSError as error:
        _notice(f"your progress is not kept: {error.strerror or error}")
    return known | new


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Keep other kernels out; where the disk knows no locks, or after 2 s, go on without."""
    import filelock

    lock = filelock.FileLock(path.with_suffix(".lock"), timeout=2)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except (OSError, NotImplementedError):
        pass
    try:
        yield
    finally:
        lock.release()


def _read(path: Path) -> frozenset[str]:
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))  # some editors add a mark
        schema, ids = content["schema"], content.get("passed")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise ValueError(f"{path.name} is not a progress file") from None
    if isinstance(schema, int) and schema > SCHEMA:
        raise _Newer(f"{path.name} was written by a newer version of the course")
    if schema != SCHEMA or not isinstance(ids, list) or not all(isinstance(i, str) for i in ids):
        raise ValueError(f"{path.name} is not a progress file")
    return frozenset(ids)


def _write(path: Path, ids: Iterable[str]) -> None:
    """Write all or nothing: a new file beside the old one, then one rename."""
    text = json.dumps({"schema": SCHEMA, "passed": sorted(ids)}, indent=1) + "\n"
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".tmp")
    draft = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def _move_aside(path: Path) -> Path:
    number = 1
    while (aside := path.with_name(f"{path.stem}.corrupt-{number}.json")).exists():
        number += 1
    return path.replace(aside)


@functools.cache  # the same trouble is told once a kernel
def _notice(text: str) -> None:
    runtime.say(f"○ {text}")
