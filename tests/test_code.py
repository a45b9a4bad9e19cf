"""The standard library as data: what is read, how it is split, and what its docstrings say."""

import importlib
import inspect
import re
import sys
from operator import attrgetter
from pathlib import Path

import numpy as np
import pytest

from utils.datasets import DataUnavailable, SourceCode, code, load_code, load_docstrings
from utils.datasets.code import PARTS, SourceFile

OTHER_PYTHONS = ("3.11", "3.12", "3.13")


@pytest.fixture(scope="module")
def library():
    return load_code()


@pytest.fixture(scope="module")
def docstrings():
    return load_docstrings()


def everything(library):
    return [file for part in PARTS for file in library.files(part)]


def beside(version):
    """The folder of another Python's library, where an installer keeps Pythons side by side."""
    pattern = f"*{version}*/lib/python{version}"
    folders = sorted(Path(sys.base_prefix).parent.glob(pattern))
    if not folders:
        pytest.skip(f"no Python {version} lies beside this one")
    return folders[0]


# ---- files -----------------------------------------------------------------------------------


def test_the_code_says_what_it_is(library):
    version = ".".join(map(str, sys.version_info[:3]))
    assert re.fullmatch(
        rf"SourceCode: \d+ files of Python {re.escape(version)}, [\d.]+, [\d.]+ and [\d.]+ million "
        "bytes for training, validation and test, full",
        repr(library),
    )
    assert library.license == "PSF License Version 2"
    assert "github.com/python/cpython" in library.source
    assert load_code() is library


def test_the_files_are_those_that_python_imports(library):
    contents = {file.path: file.content.decode() for file in everything(library)}
    assert len(contents) == len(everything(library))
    for name in ("shutil", "json", "email.message", "asyncio.queues"):
        module = importlib.import_module(name)
        path = name.replace(".", "/") + ("/__init__.py" if hasattr(module, "__path__") else ".py")
        assert contents[path] == inspect.getsource(module)
        assert "\r" not in contents[path]


def test_tests_tools_and_other_peoples_packages_are_left_out(library):
    folders = {folder for file in everything(library) for folder in file.path.split("/")}
    assert not folders & {"test", "tests", "site-packages", "idlelib", "tkinter", "encodings"}
    assert not any(file.path.startswith("_sysconfigdata") for file in everything(library))


def split_is_as_promised(library):
    packages = {part: {file.package for file in library.files(part)} for part in PARTS}
    sizes = np.array([len(library.text(part)) for part in PARTS])
    assert sum(map(len, packages.values())) == len(set.union(*packages.values()))
    assert {"multiprocessing", "shutil", "random"} <= packages["test"]
    assert {"asyncio", "selectors"} <= packages["valid"]
    assert {"email", "unittest", "json"} <= packages["train"]
    assert 7e6 < sizes.sum() < 9.5e6
    shares = sizes / sizes.sum()
    np.testing.assert_allclose(shares, [0.81, 0.08, 0.11], atol=0.015)


def test_whole_packages_are_held_out(library):
    split_is_as_promised(library)


@pytest.mark.parametrize("version", OTHER_PYTHONS)
def test_every_python_of_the_course_has_the_same_split(version):
    split_is_as_promised(code._load(beside(version), version))


def test_a_made_up_library(tmp_path, monkeypatch):
    """Line ends, what is left out, and that order and split depend on names alone."""
    monkeypatch.setattr(code, "SMALLEST", 1)
    files = {"json/__init__.py": b"a = 1\r\n", "json/tool.py": b"b\n", "shutil.py": b"c\n"}
    left_out = ("test/test_json.py", "json/tests/a.py", "site-packages/x.py", "config-3.9/y.py")
    for name in (*files, *left_out, "selectors.py", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_bytes(files.get(name, b"left\n"))
    made = code._load(tmp_path, "3.0")
    read = {file.path: file for file in everything(made)}
    assert read.keys() == {*files, "selectors.py"}
    assert read["json/__init__.py"] == ("json/__init__.py", "json", b"a = 1\n")
    assert [file.package for file in made.files_train] == ["json", "json"]
    assert made.text("test") == b"c\n"


def test_a_python_without_source_is_told(tmp_path):
    with pytest.raises(DataUnavailable, match=r"has 0 bytes of it, expected 3,000,000 or more"):
        code._load(tmp_path, "3.0")


def small(**changes):
    one = {part: [SourceFile(f"{part}.py", part, b"x = 1\n")] for part in PARTS}
    fields = {f"files_{part}": files for part, files in one.items()}
    about = {"version": "3", "source": "s", "license": "l", "is_full": True}
    return SourceCode(**{**fields, **about, **changes})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"files_valid": []}, "files_valid: expected one or more of SourceFile"),
        ({"files_test": [SourceFile("a.py", "a", "text")]}, r"expected a.py as bytes, got str"),
        ({"files_test": [SourceFile("b.py", "train", b"")]}, "got train in train too"),
    ],
)
def test_code_keeps_its_promise(changes, words):
    assert small().text("valid") == b"x = 1\n"
    with pytest.raises((TypeError, ValueError), match=words):
        small(**changes)
    with pytest.raises(ValueError, match="one of train, valid, test, got 'dev'"):
        small().text("dev")


def test_an_excerpt_takes_the_same_share_of_every_file(library):
    excerpt = library.excerpt("test", 150_000)
    assert abs(len(excerpt) - 150_000) < 5_000
    share = 150_000 / len(library.text("test"))
    at = 0
    for file in library.files_test:
        part = code._middle(file.content, share)
        assert excerpt[at : at + len(part)] == part
        at += len(part)
        where = (b"\n" + file.content).find(b"\n" + part)
        assert where >= 0  # whole lines
        assert part.endswith(b"\n") or not part
        longest = max(map(len, file.content.split(b"\n")), default=0) + 1
        assert abs(len(part) - share * len(file.content)) <= longest
    assert at == len(excerpt)
    assert library.excerpt("valid", 10**9) == library.text("valid")


# ---- docstrings ------------------------------------------------------------------------------


@pytest.mark.parametrize("module", ["shutil", "statistics", "mailbox", "tarfile", "email.message"])
def test_docstrings_are_those_that_help_shows(docstrings, module):
    importlib.import_module(module)
    read = dict(zip(docstrings.names, docstrings.texts, strict=True))
    own = [name for name in read if name.startswith(f"{module}.")]
    assert len(own) >= 10
    for name in own:
        thing = attrgetter(name.removeprefix(f"{module}."))(sys.modules[module])
        shown = re.split(r"\n\s*\n", inspect.getdoc(thing).strip())[0]
        assert read[name] == re.sub(r"\s+", " ", shown)


def test_only_public_names_come_and_no_text_twice(docstrings):
    assert len(docstrings.names) > 3_000
    assert len(set(docstrings.texts)) == len(docstrings.texts)
    assert not any(part.startswith("_") for name in docstrings.names for part in name.split("."))
    assert {"shutil.copytree", "statistics.mean"} <= set(docstrings.names)
    for name, package in zip(docstrings.names, docstrings.packages, strict=True):
        assert name.startswith(f"{package}.")


def test_labeled_texts_do_not_name_their_package(docstrings):
    texts, labels = docstrings.labeled()
    counts = np.bincount(labels)
    assert len(counts) == len(code.ABOUT) == 16
    assert 48 <= counts.min() <= counts.max() == 70
    assert len(texts) == len(labels)
    for text, label in zip(texts, labels, strict=True):
        assert len(text) >= 25
        assert code.ABOUT[label] not in text.lower()
    assert any("this" in text for text in texts)
    again, few = docstrings.labeled(("turtle", "xml"), 5)
    assert few.tolist() == [0] * 5 + [1] * 5
    assert set(again) <= set(texts)
    with pytest.raises(ValueError, match="no docstrings from a package 'nothing'"):
        docstrings.labeled(("nothing",))
