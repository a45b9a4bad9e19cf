"""The library search of chapter 11: its record, its two searches, its state, the reader's query."""

from __future__ import annotations

import base64
import sys

import numpy as np
import pytest
import traitlets

from utils.datasets import load_docstrings
from utils.datasets.code import LICENSE
from utils.recorded import library
from utils.recorded.library import QUERIES
from utils.text import TfIdf, words_of
from utils.widgets import LibrarySearch, library_search
from utils.widgets.library_search import MOST, SHOWN

OWN = (
    "put the lines of a file in order",
    "Naïve_où 42 ÉTÉ the №7 x²y",
    "zzz",
    " ",
    "constructor",
)
FIRST = next(iter(QUERIES))


def stub(query: str) -> np.ndarray:
    """Stand in for the encoder: the vector of some docstring, and a little of another."""
    vectors = library.library().vectors
    vector = vectors[len(query)] + 0.1 * vectors[ord(query[0]) % len(vectors)]
    return vector / np.linalg.norm(vector)


@pytest.fixture
def encoder():
    """The way to embed a text, where the pretrained encoder is installed."""
    embed = library.embedder()
    if embed is None:
        pytest.skip("needs the pretrained encoder, tokenizers and safetensors")
    return embed


@pytest.fixture
def bare(monkeypatch):
    """A kernel without the encoder."""
    monkeypatch.setattr(library, "embedder", lambda: None)


# ---------------------------------------------------------------- the record


def test_docstrings_are_those_of_the_library():
    """Versions of Python differ in some."""
    known = library.library()
    assert len(set(known.names)) == len(known.names) == len(known.texts) == 920
    assert all(len(text) >= library.SHORTEST and text == text.strip() for text in known.texts)
    assert "CPython 3.11" in known.source
    assert LICENSE in library.__doc__
    here = library.choose(load_docstrings())
    if sys.version_info[:2] == (3, 11):
        there = dict(zip(known.names, known.texts, strict=True))
        assert sum(here.get(name) == text for name, text in there.items()) >= 0.99 * len(there)
    same = sum(text in set(here.values()) for text in known.texts)
    assert same >= 0.8 * len(known.texts)


def test_all_answers_are_there():
    names = set(library.library().names)
    for query, answers in QUERIES.items():
        assert set(answers) <= names, query
        assert 1 <= len(query) <= MOST
    assert "os.path.getsize" in names
    assert not any(name.startswith(("genericpath", "posixpath")) for name in names)


def test_vectors_of_four_bits_keep_their_direction():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(200, 384))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    packed = library.pack(rows)
    assert packed.dtype == np.uint8
    assert packed.shape == (200, 192)
    back = library.unpack(packed)
    np.testing.assert_allclose(np.linalg.norm(back, axis=1), 1)
    # sixteen uniform levels leave 1.154 % of a normal number's variance (Max 1960, table II)
    lost = 1 - (back * rows).sum(axis=1) ** 2
    assert lost.mean() == pytest.approx(0.01154, rel=0.03)
    edges = np.array([[-1, 1, 0, -1e-9]]) * 100
    np.testing.assert_array_equal(library.pack(edges), [[0x0F, 0x87]])


def test_the_record_comes_from_the_encoder(encoder):
    known = library.library()
    some = range(0, len(known.names), 60)
    vectors = np.stack([encoder(known.texts[i]) for i in some])
    assert (library.pack(vectors) != library.packed()[some]).mean() < 0.01
    for query in list(QUERIES)[::6]:
        np.testing.assert_allclose(library.query_vectors()[query], encoder(query), atol=1e-3)


def test_rounding_seldom_changes_what_comes_first(encoder):
    known = library.library()
    some = range(0, len(known.names), 46)
    exact = np.stack([encoder(known.texts[i]) for i in some])
    for query in list(QUERIES)[::6]:
        similarities = library.by_meaning(encoder(query))[some]
        np.testing.assert_allclose(similarities, exact @ encoder(query), atol=0.03)


# ---------------------------------------------------------------- both searches


def test_the_scripts_similarities_equal_numpy(node):
    search = LibrarySearch(embed=stub)
    script = node(search)
    known = script.keep("library", search.texts, search.vectors)
    for query in (*QUERIES, *OWN):
        search.query = query
        vector = search.vector.astype(float)
        shown = script.similarities(known, query, vector)
        np.testing.assert_allclose(shown["meaning"], library.by_meaning(vector), atol=1e-9)
        np.testing.assert_allclose(shown["words"], library.by_words(query), atol=1e-9)
        answers = [search.names.index(name) for name in QUERIES.get(query, ())]
        found = script.numbers(known, query, vector, answers, search.constants)
        for way, hits, place in zip(
            ("meaning", "words"), (search.meaning, search.words), search.places, strict=True
        ):
            assert [search.names[i] for i in found[way]["shown"]] == [hit.name for hit in hits]
            assert found[way]["similarities"] == pytest.approx(
                [hit.similarity for hit in hits], abs=1e-9
            )
            assert found[way]["place"] == (place or 0), query
            if answers:
                name = search.names[found[way]["answer"]]
                assert name in QUERIES[query]
                assert not place or place > SHOWN or hits[place - 1].name == name
    assert script.numbers(known, "file", None, [], search.constants)["meaning"] is None


def test_letters_of_all_scripts_are_cut_alike_in_the_page(node):
    """The words are seen through texts that consist of one word each."""
    texts = sorted({word for text in (*OWN, "İstanbul ½½ ٣٤ 漢字") for word in words_of(text)})
    ours = TfIdf(texts)
    bytes_ = base64.b64encode(library.pack(np.ones((len(texts), 2)) / 2)).decode()
    script = node(LibrarySearch())
    known = script.keep("library", texts, bytes_)
    for query in (*OWN, "İSTANBUL ½½ x ٣٤, 漢字"):
        shown = script.similarities(known, query, None)["words"]
        np.testing.assert_allclose(shown, ours.similarities(query), atol=1e-12, err_msg=query)


def test_ties_go_to_the_earlier_docstring_and_what_is_not_similar_is_not_found():
    np.testing.assert_array_equal(library.best(np.array([0.5, 0, 0.7, 0.5 + 1e-13, -1])), [2, 0, 3])
    similarities = np.zeros(920)
    similarities[[3, 8]] = 0.2, 0.4
    names = library.library().names
    assert library.place(similarities, [names[3], names[5]]) == 2
    assert library.place(similarities, [names[5]]) is None
    assert library.place(similarities, []) is None


def test_meaning_finds_what_words_do_not_and_fails_where_the_course_says_so():
    search = LibrarySearch()
    assert search.meaning[0].name == "shutil.copytree"
    assert "shutil.copytree" not in [hit.name for hit in search.words]
    search.query = "average of numbers"
    assert search.meaning[0].name in QUERIES[search.query]
    assert search.places[1] > SHOWN
    for query, (meaning, words) in {
        "shrink a file": (2, 70),
        "RFC 4122": (65, 2),
        "unpack a zip file": (2, 1),
        "first come, first served": (101, None),
    }.items():
        assert library.places()[query] == (meaning, words)


def test_the_tally_counts_places():
    places = library.places()
    assert places.keys() == {query for query, answers in QUERIES.items() if answers}
    for way, column in (("meaning", 0), ("words", 1)):
        at = np.array([found[column] or np.inf for found in places.values()])
        assert library.tally(5)[way] == ((at == 1).sum(), (at <= 5).sum())
    assert library.tally() == LibrarySearch().tally == {"meaning": (18, 24), "words": (8, 13)}


# ---------------------------------------------------------------- the state


@pytest.mark.parametrize("query", [FIRST, "mix the cards", "square root of a number", *OWN])
def test_the_state_in_words(query, bare):
    search = LibrarySearch(query=query)
    words = search.describe()
    assert repr(search) == f"LibrarySearch(query={query!r})"
    for hit in [*(search.meaning or []), *search.words]:
        assert f"{hit.name} {hit.similarity:.2f}" in words
        assert hit.text == dict(zip(search.names, search.texts, strict=True))[hit.name]
    assert ("no vector" in words) == (query in OWN) == (search.meaning is None)
    for place in search.places:
        told = f"the answer is at place {place}" if place else "the answer is not found"
        assert (told in words) == bool(QUERIES.get(query))
    assert ("by words: nothing" in words) == (not search.words)


def test_the_picture_has_a_bar_for_each_hit(bare):
    search = LibrarySearch(query="mix the cards")
    for ax, hits in zip(search.draw().axes, (search.meaning, search.words), strict=True):
        assert [bar.get_width() for bar in ax.patches] == [hit.similarity for hit in hits]
        texts = [text.get_text() for text in ax.texts]
        assert [text.removesuffix(" ✓") for text in texts[::2]] == [hit.name for hit in hits]
        assert sum(text.endswith(" ✓") for text in texts) == any(
            hit.name in QUERIES[search.query] for hit in hits
        )


@pytest.mark.parametrize("query", [FIRST, "x" * MOST, OWN[0]])
def test_what_a_notebook_stores_is_light(query):
    search = LibrarySearch(embed=stub, query=query)
    data, metadata = search._repr_mimebundle_()
    assert data["image/png"].startswith(b"\x89PNG")
    assert len(data["image/png"]) <= 30_000
    assert metadata["image/png"]["alt"] == search.describe()


@pytest.mark.parametrize("query", ["", "x" * (MOST + 1), 3])
def test_a_query_that_makes_no_sense_is_refused(query):
    with pytest.raises(traitlets.TraitError, match="query"):
        LibrarySearch(query=query)


# ---------------------------------------------------------------- the reader's own query


def test_the_readers_query_is_embedded_once_and_a_recorded_one_never():
    asked = []

    def embed(query):
        asked.append(query)
        return stub(query)

    search = LibrarySearch(embed=embed)
    assert search.can_embed
    search.query = "mix the cards"
    assert asked == []
    search.query = OWN[0]
    assert asked == [OWN[0]]
    assert search.answer["query"] == OWN[0]
    sent = np.frombuffer(base64.b64decode(search.answer["vector"]), "<f4")
    np.testing.assert_allclose(sent, stub(OWN[0]), rtol=1e-6)
    assert search.meaning[0].name == search.names[len(OWN[0])]
    search.query = FIRST
    assert search.meaning[0].name == "shutil.copytree"
    assert len(asked) == 1
    assert LibrarySearch(embed=embed, query=OWN[0]).meaning == library_search._hits(
        library.by_meaning(sent)
    )


def test_without_the_encoder_words_alone_answer_the_reader(bare):
    search = LibrarySearch(query=OWN[0])
    assert not search.can_embed
    assert search.meaning is search.vector is None
    assert len(search.words) == SHOWN
    assert search.places == (None, None)


@pytest.mark.parametrize("missing", ["tokenizers", "safetensors", None])
def test_an_encoder_without_its_tools_is_none(missing, monkeypatch, tmp_path):
    monkeypatch.setattr(library, "find_spec", lambda name: None if name == missing else name)
    monkeypatch.setattr(library, "encoder_folder", lambda: tmp_path)
    assert (library.embedder() is None) == (missing is not None)


def test_no_encoder_no_embedder(monkeypatch):
    def missing():
        raise library.DataUnavailable("no encoder")

    monkeypatch.setattr(library, "encoder_folder", missing)
    assert library.embedder() is None
    assert not LibrarySearch().can_embed


def test_the_encoder_answers_the_reader(encoder):
    search = LibrarySearch(query="copy a directory tree")
    assert search.can_embed
    assert search.meaning[0].name == "shutil.copytree"
