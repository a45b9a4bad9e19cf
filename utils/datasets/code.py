"""Source code: the standard library of the Python that runs this, and what its docstrings say."""

from __future__ import annotations

import ast
import functools
import hashlib
import inspect
import platform
import re
import sysconfig
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from utils.datasets._fetch import DataUnavailable
from utils.datasets._types import DataSet

PARTS = ("train", "valid", "test")
SHARES = {"test": range(2), "valid": range(2, 3)}  # of 20 heaps of packages; the rest is to train
SMALLEST = 3_000_000  # bytes; the libraries of 3.11 to 3.13 have about 8 million
# tests, tools and tables, other people's packages, and what some installations leave out
LEFT_OUT = frozenset(
    (
        *("test", "tests", "idle_test", "idlelib", "lib2to3", "turtledemo", "tkinter"),
        *("encodings", "pydoc_data", "_pyrepl", "ensurepip", "lib-dynload", "__pycache__"),
        *("site-packages", "dist-packages"),
    )
)
GENERATED = ("_sysconfigdata", "config-", "sitecustomize")
SOURCE = "standard library of CPython {}, https://github.com/python/cpython"
LICENSE = "PSF License Version 2"
ABOUT = (  # each has 48 docstrings or more in every version: 32 to learn from, 16 to be asked
    *("asyncio", "bdb", "email", "http", "importlib", "inspect", "logging", "mailbox"),
    *("multiprocessing", "pydoc", "tarfile", "turtle", "typing", "unittest", "urllib", "xml"),
)


class SourceFile(NamedTuple):
    """One file: its path below the library with ``/``, its package, and its bytes."""

    path: str
    package: str
    content: bytes


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class SourceCode(DataSet):
    """Files of source code in three parts; no package has files in two of them.

    `files_train`, `files_valid` and `files_test` are in an order that mixes packages and is the
    same everywhere. Contents are UTF-8, and lines end as on Linux. `version` is Python's.
    """

    files_train: Sequence[SourceFile]
    files_valid: Sequence[SourceFile]
    files_test: Sequence[SourceFile]
    version: str

    def files(self, part: str) -> tuple[SourceFile, ...]:
        """The files of ``"train"``, ``"valid"`` or ``"test"``.

        Raises:
            ValueError: another word.

        """
        if part not in PARTS:
            raise ValueError(f"part must be one of {', '.join(PARTS)}, got {part!r}")
        return getattr(self, f"files_{part}")

    def text(self, part: str) -> bytes:
        """All files of a part, one after the other."""
        return b"".join(file.content for file in self.files(part))

    def excerpt(self, part: str, size: int) -> bytes:
        """About `size` bytes of a part: the same share of every file, whole lines of its middle.

        A slice cut from one place would be a slice of one or two packages.
        """
        files = self.files(part)
        share = min(1, size / sum(len(file.content) for file in files))
        return b"".join(_middle(file.content, share) for file in files)

    def _check(self) -> None:
        owners: dict[str, str] = {}
        for part in PARTS:
            field = f"files_{part}"
            files = tuple(getattr(self, field))
            if not files or not all(isinstance(file, SourceFile) for file in files):
                raise self._wrong(field, "one or more of SourceFile", repr(files)[:80], TypeError)
            for file in files:
                if not isinstance(file.content, bytes):
                    found = type(file.content).__name__
                    raise self._wrong(field, f"{file.path} as bytes", found, TypeError)
                if owners.setdefault(file.package, part) != part:
                    found = f"{file.package} in {owners[file.package]} too"
                    raise self._wrong(field, "packages of its own", found)
            self._set(field, files)

    def _describe(self) -> str:
        sizes = [sum(len(file.content) for file in self.files(part)) / 1e6 for part in PARTS]
        count = sum(len(self.files(part)) for part in PARTS)
        train, valid, test = (f"{size:.2f}" for size in sizes)
        return (
            f"{count} files of Python {self.version}, "
            f"{train}, {valid} and {test} million bytes for training, validation and test"
        )


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Docstrings(DataSet):
    """What functions, classes and methods say of themselves: three lists of one length.

    `names` are as one would write them, ``"shutil.copytree"``; `texts` the first paragraph of the
    docstring in one line; `packages` the first part of the name.
    """

    names: Sequence[str]
    texts: Sequence[str]
    packages: Sequence[str]

    def _check(self) -> None:
        for field in ("names", "texts", "packages"):
            self._freeze_texts(field)
            self._match_lengths(field, "names")

    def _describe(self) -> str:
        return f"{len(self.names):,} docstrings from {len(set(self.packages))} packages"

    def labeled(
        self, packages: Sequence[str] = ABOUT, most: int = 70
    ) -> tuple[tuple[str, ...], np.ndarray]:
        """Return texts of `packages`, at most so many of each, and labels: indices into it.

        Short ones (below 25 characters) are left out, and so is a text that comes again. A
        package's own name would give the answer away and is written as ``this``.

        Raises:
            ValueError: there are no docstrings from one of `packages`.

        """
        texts, labels = [], []
        for label, package in enumerate(packages):
            own = (
                re.sub(package, "this", text, flags=re.IGNORECASE)
                for text, home in zip(self.texts, self.packages, strict=True)
                if home == package
            )
            chosen = sorted({text for text in own if len(text) >= 25}, key=_digest)[:most]
            if not chosen:
                raise ValueError(f"no docstrings from a package {package!r}")
            texts += chosen
            labels += [label] * len(chosen)
        return tuple(texts), np.array(labels, np.int64)


def load_code() -> SourceCode:
    """Return the source of Python's standard library, split by package: nothing is downloaded.

    It is that of the running Python, about 8 million bytes in 400 files, and so it differs a little
    from version to version. Left out are tests, IDLE, tkinter, lib2to3, encodings and tables. Which
    part a package goes to depends on its name alone, by a hash: about one tenth is for testing and
    a little less for validation. Whole packages are held out because files of one package repeat
    each other.

    Source: CPython, https://github.com/python/cpython, PSF license.

    Raises:
        DataUnavailable: this Python keeps no source, as where it lies in a zip file.

    """
    return _load(Path(sysconfig.get_path("stdlib")), platform.python_version())


def load_docstrings() -> Docstrings:
    """Return the docstrings of the public functions, classes and methods of the standard library.

    Public are names without a leading underscore, in modules without one. Read from the source
    without importing it, so functions written in C are not among them. A text under several names
    comes once.

    Raises:
        DataUnavailable: this Python keeps no source.

    """
    return _docstrings(load_code())


@functools.cache  # read-only, so one copy serves all
def _load(folder: Path, version: str) -> SourceCode:
    parts: dict[str, list[SourceFile]] = {part: [] for part in PARTS}
    for file in sorted(_files(folder), key=lambda file: _digest(file.path)):
        parts[_part(file.package)].append(file)
    size = sum(len(file.content) for files in parts.values() for file in files)
    if size < SMALLEST or not all(parts.values()):
        raise DataUnavailable(
            f"the standard library's source is missing: {folder} has {size:,} bytes of it, expected"
            f" {SMALLEST:,} or more; use a Python from python.org, conda or your system's packages"
        )
    return SourceCode(
        **{f"files_{part}": files for part, files in parts.items()},
        version=version,
        source=SOURCE.format(version),
        license=LICENSE,
        is_full=True,
    )


def _files(folder: Path) -> list[SourceFile]:
    """All files of the library but those left out."""
    found = []
    for path in folder.rglob("*.py"):
        below = path.relative_to(folder)
        if LEFT_OUT.isdisjoint(below.parts) and not below.parts[0].startswith(GENERATED):
            content = path.read_bytes().replace(b"\r\n", b"\n")
            package = below.parts[0].removesuffix(".py")
            found.append(SourceFile(below.as_posix(), package, content))
    return found


def _part(package: str) -> str:
    heap = int(_digest(package), 16) % 20
    return next((part for part, heaps in SHARES.items() if heap in heaps), "train")


def _digest(text: str) -> str:
    """A number that depends on nothing but the text; Python's own `hash` changes by process."""
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def _middle(content: bytes, share: float) -> bytes:
    """So much of the middle, from the beginning of one line to the end of another."""
    start = round(len(content) * (1 - share) / 2)
    end = start + round(len(content) * share)
    start = 0 if start == 0 else content.find(b"\n", start - 1) + 1
    end = content.find(b"\n", max(end - 1, 0)) + 1 or len(content)
    return content[start:end]


@functools.cache
def _docstrings(code: SourceCode) -> Docstrings:
    files = sorted(file for part in PARTS for file in code.files(part))
    found: dict[str, tuple[str, str]] = {}
    for file in files:
        parts = file.path.removesuffix(".py").removesuffix("/__init__").split("/")
        if not any(part.startswith("_") for part in parts):
            for name, text in _public(_parsed(file.content).body, ".".join(parts)):
                found.setdefault(text, (name, file.package))
    return Docstrings(
        names=[name for name, _ in found.values()],
        texts=list(found),
        packages=[package for _, package in found.values()],
        source=code.source,
        license=code.license,
        is_full=True,
    )


def _parsed(content: bytes) -> ast.Module:
    with warnings.catch_warnings():  # the library's own escapes, which are not ours to mend
        warnings.simplefilter("ignore")
        return ast.parse(content)


def _public(body: Sequence[ast.stmt], prefix: str) -> list[tuple[str, str]]:
    """Name and first paragraph of each public definition and of those inside public classes."""
    found = []
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            if node.name.startswith("_"):
                continue
            name = f"{prefix}.{node.name}"
            paragraph = inspect.cleandoc(ast.get_docstring(node) or "").partition("\n\n")[0]
            if text := " ".join(paragraph.split()):
                found.append((name, text))
            if isinstance(node, ast.ClassDef):
                found += _public(node.body, name)
    return found
