"""The map, the report and the progress table of chapter 00, and the course map of the README."""

import re
from importlib.metadata import version
from pathlib import Path

import pytest

from utils import glossary, report, runtime
from utils.course import CHAPTERS
from utils.progress import export_progress, import_progress

README = (report.FOLDER.parent / "README.md").read_text(encoding="utf-8")


def test_map_leads_from_left_to_right_and_covers_nothing():
    place = report.positions()
    assert len(set(place.values())) == len(CHAPTERS) == 16
    for chapter in CHAPTERS:
        assert all(place[p][0] < place[chapter.number][0] for p in chapter.prerequisites)


def test_map_names_every_chapter_and_fills_those_that_are_there():
    texts = {text.get_text().replace("\n", " "): text for text in report.course_map().axes[0].texts}
    for chapter in CHAPTERS:
        assert chapter.title in texts
        filled = texts[f"{chapter.number:02d}"].get_bbox_patch().get_facecolor()[3] == 1
        assert filled == (report.FOLDER / chapter.file).exists()


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda chapter: chapter.slug)
def test_readme_lists_every_chapter_as_it_is(chapter):
    (row,) = re.findall(rf"^\| {chapter.number:02d} \| (.*) \|$", README, flags=re.MULTILINE)
    if (report.FOLDER / chapter.file).exists():
        assert row.startswith(f"[{chapter.title}](chapters/{chapter.file})")
        assert "in preparation" not in row
    else:
        assert row.startswith(f"{chapter.title} |")
        assert "*(in preparation)*" in row


def test_environment_report_tells_what_is_installed(monkeypatch):
    monkeypatch.setenv("COURSE_BUDGET", "quick")
    lines = dict(line.split(None, 1) for line in report.environment_report().splitlines())
    assert lines["torch"].startswith(f"{version('torch')}, built for ")
    assert lines["tensorflow"] == version("tensorflow")
    assert lines["device"] == "cpu"
    assert lines["budget"] == "quick"
    assert report.version_of("no-such-package") == "not installed"


@pytest.mark.parametrize(
    ("cuda", "rocm", "build"),
    [("13.0", None, "CUDA 13.0"), (None, "7.1", "ROCm 7.1"), (None, None, "CPU")],
)
def test_the_build_of_pytorch(monkeypatch, cuda, rocm, build):
    import torch

    monkeypatch.setattr(torch.version, "cuda", cuda)
    monkeypatch.setattr(torch.version, "hip", rocm)
    assert report.torch_build() == build


@pytest.mark.parametrize(
    ("hidden", "clashes", "words"),
    [(False, False, None), (False, True, "setup() loads triton first"), (True, False, "is hidden")],
)
def test_report_warns_of_triton(monkeypatch, hidden, clashes, words):
    monkeypatch.setattr(runtime, "triton_is_hidden", lambda: hidden)
    monkeypatch.setattr(runtime, "triton_clashes", lambda: clashes)
    monkeypatch.setattr(report, "_openmp_runtimes", list)
    found = report.known_clashes()
    assert len(found) == (words is not None)
    assert all(words in sentence for sentence in found)
    assert all(f"⚠ {sentence}" in report.environment_report() for sentence in found)


@pytest.mark.parametrize(
    ("files", "warned"),
    [
        (["/torch/lib/libgomp.so.1", "/scikit_learn.libs/libgomp-e985bcbb.so.1.0.0"], False),
        (["/conda/lib/libiomp5.so"], False),
        (["/conda/lib/libiomp5.so", "/sklearn/.dylibs/libomp.dylib"], True),
    ],
)
def test_report_warns_of_two_kinds_of_openmp(monkeypatch, files, warned):
    monkeypatch.setattr(runtime, "triton_clashes", lambda: False)
    monkeypatch.setattr(report, "_openmp_runtimes", lambda: files)
    assert bool(report.known_clashes()) == warned


def test_progress_is_shown_per_chapter(capture, monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_HOME", str(tmp_path / "there"))
    passed = tmp_path / "progress.json"
    export_progress(passed)
    passed.write_text(passed.read_text().replace("[]", '["01.2", "01.4"]'))
    monkeypatch.setenv("COURSE_HOME", str(tmp_path / "here"))
    import_progress(passed)
    report.show_progress()
    (table,) = capture()
    assert "01: 2 of 10" in table["data"]["text/plain"]
    assert "| 2 of 10 | ■■□□□□□□□□ |" in table["data"]["text/markdown"]


def test_progress_leaves_out_chapters_in_preparation(capture, monkeypatch, tmp_path):
    (tmp_path / "05_convolution.ipynb").touch()
    monkeypatch.setattr(report, "FOLDER", tmp_path)
    report.show_progress()
    (table,) = capture()
    assert [line[:3] for line in table["data"]["text/plain"].splitlines()] == ["05:"]


def test_terms_are_shown_as_a_table(capture):
    glossary.show_terms(chapter=1)
    (table,) = capture()
    assert "| neuron | 神经元 |" in table["data"]["text/markdown"]
    glossary.show_terms(chapter=4)
    table = capture()[-1]
    # a bare bar would end the cell
    assert r"| A penalty λ Σ\|w\|" in table["data"]["text/markdown"]
    assert "A penalty λ Σ|w|" in table["data"]["text/plain"]
    with pytest.raises(ValueError, match="chapter 99 introduces no terms"):
        glossary.show_terms(chapter=99)


def test_the_glossary_is_a_table_of_four_columns():
    table = Path(glossary.__file__).with_suffix(".tsv").read_text(encoding="utf-8")
    assert all(line.count("\t") == 3 for line in table.splitlines())
    assert len(table.splitlines()) == 1 + len(glossary.TERMS)
    chapters = [term.chapter for term in glossary.TERMS]
    assert chapters == sorted(chapters)


def test_every_term_is_complete_and_unique():
    assert len({term.english for term in glossary.TERMS}) == len(glossary.TERMS)
    for term in glossary.TERMS:
        assert re.search(r"[一-鿿]", term.chinese) or term.chinese.isascii(), term
        assert term.meaning.endswith("."), term
        assert "循环" not in term.chinese or "recurs" not in term.english, term
