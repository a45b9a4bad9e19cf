"""What a learner has solved and predicted, kept in one small file from kernel to kernel."""

from __future__ import annotations

import functools
import json
import os
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from utils import runtime

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

SCHEMA = 2  # 1 had no predictions


@dataclass(frozen=True)
class Prediction:
    """What a learner said before an experiment, and what came out: None until it was revealed."""

    said: str | float
    answer: str | float | None = None


@dataclass(frozen=True)
class _Progress:
    """The content of a file."""

    passed: frozenset[str] = frozenset()
    predicted: Mapping[str, Prediction] = field(default_factory=dict)

    def __or__(self, new: _Progress) -> _Progress:
        """Both together; what was revealed stays as it was predicted."""
        open_ones = {k: p for k, p in self.predicted.items() if p.answer is None}
        settled = {k: p for k, p in self.predicted.items() if p.answer is not None}
        return _Progress(self.passed | new.passed, {**open_ones, **new.predicted, **settled})


def passed() -> frozenset[str]:
    """The ids of all exercises solved so far; empty if there is no file that can be read."""
    return _update(_Progress()).passed


def record(ids: Iterable[str]) -> None:
    """Add solved exercises. What is solved stays solved; a trouble is printed, never raised."""
    _update(_Progress(frozenset(ids)))


def predictions() -> Mapping[str, Prediction]:
    """All predictions made so far, by id; empty if there is no file that can be read."""
    return _update(_Progress()).predicted


def record_prediction(id: str, prediction: Prediction) -> None:
    """Keep a prediction, unless one of that id was revealed; a trouble is printed, never raised."""
    _update(_Progress(predicted={id: prediction}))


def export_progress(path: str | Path) -> None:
    """Write what you solved and predicted to a file, to hand in or to carry elsewhere.

    Raises:
        OSError: the file cannot be written.

    """
    _write(Path(path), _update(_Progress()))


def import_progress(path: str | Path) -> None:
    """Add the content of an exported file to your own progress; nothing is ever taken away.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is damaged or was written by a later version of the course.

    """
    theirs = _read(Path(path))
    mine = predictions()
    others = {id: each for id, each in theirs.predicted.items() if id not in mine}
    _update(_Progress(theirs.passed, others))


class _Newer(ValueError):
    """The file was written by a later version of the course."""


def _file() -> Path:
    return runtime.home_dir() / "progress.json"


def _update(new: _Progress) -> _Progress:
    """Merge `new` into the file under a lock and return all that it holds then."""
    known = _Progress()
    try:
        path = _file()
        if new == known and not path.exists():
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
            if known | new != known:
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


def _read(path: Path) -> _Progress:
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))  # some editors add a mark
        schema, ids = content["schema"], content.get("passed")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise ValueError(f"{path.name} is not a progress file") from None
    if isinstance(schema, int) and schema > SCHEMA:
        raise _Newer(f"{path.name} was written by a newer version of the course")
    try:
        predicted = {
            id: Prediction(_plain(each["said"]), _plain(each.get("answer")))
            for id, each in content.get("predicted", {}).items()
        }
    except (KeyError, TypeError, AttributeError):
        raise ValueError(f"{path.name} is not a progress file") from None
    if (
        schema not in range(1, SCHEMA + 1)
        or not isinstance(ids, list)
        or not all(isinstance(i, str) for i in ids)
    ):
        raise ValueError(f"{path.name} is not a progress file")
    return _Progress(frozenset(ids), predicted)


def _plain(value: Any) -> Any:
    """A text, a number or nothing, which is all that a prediction holds."""
    if value is not None and (isinstance(value, bool) or not isinstance(value, str | int | float)):
        raise TypeError(f"no prediction: {value!r}")
    return value


def _write(path: Path, progress: _Progress) -> None:
    """Write all or nothing: a new file beside the old one, then one rename."""
    predicted = {
        id: {name: value for name, value in vars(each).items() if value is not None}
        for id, each in sorted(progress.predicted.items())
    }
    content = {"schema": SCHEMA, "passed": sorted(progress.passed), "predicted": predicted}
    text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
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
