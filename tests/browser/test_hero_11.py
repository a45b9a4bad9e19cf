"""The library search of chapter 11 in a real browser, without kernel and with one."""

from __future__ import annotations

import base64
import re

import pytest

from tests.browser import lab as jupyter
from tests.test_widgets_11 import OWN, stub
from utils.recorded import library
from utils.recorded.library import QUERIES
from utils.widgets import LibrarySearch

pytestmark = pytest.mark.browser

WAYS = ("meaning", "words")
EVERY = {
    "an example": LibrarySearch,
    "an answer far away": lambda: LibrarySearch(query="first come, first served"),
    "no answer": lambda: LibrarySearch(query="square root of a number"),
    "long names": lambda: LibrarySearch(query="not connected to any server"),
    "one's own": lambda: LibrarySearch(query="x" * 80),
}
# in a kernel it stands for the encoder, whether that is installed or not
STUB = """
from utils.recorded import library
from utils.widgets import LibrarySearch
search = LibrarySearch(embed=lambda query: library.library().vectors[len(query)])
search
"""


def hits(hero):
    """Names and texts that are shown, by meaning and by words."""
    return [
        [
            (
                item.locator(".name").inner_text().removesuffix("✓"),
                item.locator(".text").inner_text(),
            )
            for item in hero.locator(".hits").nth(k).locator("li").all()
        ]
        for k in range(2)
    ]


def test_names_texts_and_similarities_are_shown(plain, page):
    search = LibrarySearch()
    hero = plain(search)
    for query in [*[*QUERIES][::4], "RFC 4122", "square root of a number"]:
        search.query = query
        jupyter.set_plain(page, query=query)
        assert hits(hero) == [
            [(hit.name, hit.text) for hit in found] for found in (search.meaning, search.words)
        ]
        shown = jupyter.readout(hero)
        for way, found, place in zip(
            WAYS, (search.meaning, search.words), search.places, strict=True
        ):
            similarities = [shown[f"{way} {k + 1}"] for k in range(len(found))]
            assert similarities == pytest.approx([hit.similarity for hit in found], abs=1e-9)
            assert shown[way] == (place or 0)
        ticks = hero.get_by_role("img", name="an answer")
        right = sum(hit.name in QUERIES[query] for hit in [*search.meaning, *search.words])
        assert ticks.count() == right
        assert hero.locator(".facts").first.is_visible() == bool(QUERIES[query])
        assert hero.get_by_role("textbox").input_value() == query
        assert hero.get_by_role("combobox").input_value() == query


def test_bars_are_as_long_as_similar(plain):
    hero = plain(LibrarySearch())
    shares = hero.locator(".bar").evaluate_all(
        "nodes => nodes.map((n) => [n.offsetWidth / n.parentNode.offsetWidth, n.dataset.value])"
    )
    assert len(shares) == 10
    for share, similarity in shares:
        assert share == pytest.approx(float(similarity), abs=0.01)


def test_words_of_the_query_stand_out_among_the_words_alone(plain, page):
    hero = plain(LibrarySearch(query="RFC 4122"))
    marked = hero.locator("mark").all_text_contents()
    assert set(marked) == {"RFC", "4122"}
    assert hero.locator(".hits").first.locator("mark").count() == 0


@pytest.mark.parametrize(
    ("query", "sentences"),
    [
        ("copy a folder with everything in it", ["", "shutil.copytree would be.*at place 20."]),
        (
            "first come, first served",
            ["queue.Queue .*place 101.", "shares no word with the query."],
        ),
        ("square root of a number", 2 * ["No docstring here is an answer"]),
        ("zzz", ["here no kernel runs it", "No docstring has a word of the query."]),
        ("constructor", ["here no kernel runs it", ""]),
    ],
)
def test_what_is_missing_is_said(query, sentences, plain):
    hero = plain(LibrarySearch(embed=stub))
    hero.get_by_role("textbox").fill(query)
    jupyter.frames(hero.page)
    notes = hero.locator(".panel .note").all_text_contents()[:2]
    for note, words in zip(notes, sentences, strict=True):
        assert (note == "") if words == "" else re.search(words, note)


@pytest.mark.parametrize(
    ("can_embed", "words"), [(True, "The encoder reads"), (False, "pip install")]
)
def test_a_kernel_is_waited_for_or_said_to_lack_the_encoder(can_embed, words, plain, page):
    hero = plain(LibrarySearch(embed=stub))
    page.evaluate("model.widget_manager = {}")
    jupyter.set_plain(page, can_embed=can_embed, query=OWN[0])
    note = hero.locator(".note").first
    assert words in note.inner_text()
    assert hero.locator(".hits").first.locator("li").count() == 0
    vector = base64.b64encode(stub(OWN[0]).astype("<f4").tobytes()).decode()
    jupyter.set_plain(page, answer={"query": "another", "vector": vector})
    assert words in note.inner_text()
    jupyter.set_plain(page, answer={"query": OWN[0], "vector": vector})
    assert note.inner_text() == ""
    search = LibrarySearch(embed=stub, query=OWN[0])
    assert [name for name, _ in hits(hero)[0]] == [hit.name for hit in search.meaning]


def test_by_keyboard(plain, page):
    hero = plain(LibrarySearch())
    example = hero.get_by_role("combobox", name="example")
    example.focus()
    page.keyboard.press("ArrowDown")
    assert jupyter.state(page, "model.get('query')") == [*QUERIES][1]
    field = hero.get_by_role("textbox", name="query, in words of your own")
    field.fill("")
    assert jupyter.state(page, "model.get('query')") == [*QUERIES][1]  # says nothing new
    field.press_sequentially("read JSON")
    jupyter.frames(page)
    assert jupyter.state(page, "model.get('query')") == "read JSON"
    assert example.input_value() == "read JSON"
    field.press_sequentially(" 🙂")
    assert jupyter.state(page, "model.get('query')") == "read JSON 🙂"
    assert example.input_value() == ""
    status = hero.get_by_role("status")
    status.get_by_text("read JSON 🙂: by meaning nothing, by words json.").wait_for(
        state="attached"
    )
    field.fill("")
    field.blur()
    assert field.input_value() == "read JSON 🙂"
    field.fill("y" * 200)
    assert jupyter.state(page, "model.get('query')") == "y" * 80


@pytest.mark.parametrize("width", [300, 600, 1000])
@pytest.mark.parametrize("name", EVERY)
def test_nothing_is_cut_off(name, width, plain, page):
    page.set_viewport_size({"width": width, "height": 900})
    hero = plain(EVERY[name]())
    assert jupyter.cut_off(hero) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    lefts = hero.locator(".hits").evaluate_all("nodes => nodes.map((n) => n.offsetLeft)")
    assert len(set(lefts)) == (1 if width == 300 else 2)


def test_lists_and_controls_have_names(plain):
    hero = plain(LibrarySearch())
    for way in ("found by meaning", "found by words (TF-IDF)"):
        assert hero.get_by_role("list", name=way).get_by_role("listitem").count() == 5
    assert hero.locator("select, input").count() == 2
    assert "PSF license" in hero.inner_text()


def test_in_jupyterlab_the_kernel_answers_the_readers_own_query(open_notebook):
    notebook = open_notebook(STUB)
    notebook.run_all()
    hero = notebook.heroes().first
    hero.wait_for()
    jupyter.exercise(notebook.page, hero)
    field = hero.get_by_role("textbox")
    field.fill("")
    field.press_sequentially("add a cell below: bx")  # letters that JupyterLab takes for commands
    notebook.settle()
    assert notebook.kernel("", "search.query") == "add a cell below: bx"
    hero.locator(".hits").first.locator("li").first.wait_for()
    shown = jupyter.readout(hero)
    for way in WAYS:
        found = notebook.kernel("", f"[list(hit) for hit in search.{way}]")
        assert [shown[f"{way} {k + 1}"] for k in range(len(found))] == pytest.approx(
            [similarity for *_, similarity in found], abs=1e-6
        )
    wanted = library.library().names[len("add a cell below: bx")]
    assert hits(hero)[0][0][0] == wanted
    assert notebook.page.locator(".jp-NotebookPanel .jp-CodeCell").count() == 1
    notebook.kernel("search.query = 'mix the cards'")
    notebook.settle()
    assert field.input_value() == "mix the cards"
    assert hits(hero)[0][1][0] == "random.Random.shuffle"
    notebook.screenshots("LibrarySearch")


def test_in_jupyterlab_without_the_encoder_a_sentence_says_so(open_notebook):
    notebook = open_notebook(
        "from utils.recorded import library\nlibrary.embedder = lambda: None\n"
        "from utils.widgets import LibrarySearch\nsearch = LibrarySearch()\nsearch"
    )
    notebook.run_all()
    hero = notebook.heroes().first
    hero.wait_for()
    hero.get_by_role("textbox").fill("sort the lines of a file")
    notebook.settle()
    hero.get_by_text("which this kernel lacks").wait_for()
    assert notebook.kernel("", "search.meaning") is None
    assert len(hits(hero)[1]) == 5
