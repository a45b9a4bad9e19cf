"""The benches of chapter 11 with a handful of steps: every contestant runs and says what it did."""

import lzma

import pytest

from tests.bench import code, entities
from tests.bench._race import NotHere
from tests.support.corpus import shrink
from utils.datasets import DataUnavailable, Entities, encoder_folder, load_code
from utils.datasets.entities import TAGS
from utils.models.ngram import NGram
from utils.recorded import gpt_study

WORDS = ("Anna", "Wolff", "lives", "in", "Berlin", ".")
NAMED = ("B-PER", "I-PER", "O", "O", "B-LOC", "O")


@pytest.fixture
def small(monkeypatch):
    return shrink(monkeypatch, STEPS=4)


def test_learners_of_code_say_what_they_saw(small, monkeypatch):
    gpt = code.learned("GPT", 0, steps=2)
    assert 2 < gpt["bits per byte"] < 9
    # 2 steps of 8 windows of 128 tokens, each 1 byte or more
    assert 0.002 < gpt["million bytes seen"] < 0.01
    monkeypatch.setattr(gpt_study, "runs", lambda way: {0: {"steps": 2}, 1: {"steps": 4}})
    lstm = code.lstm("LSTM", 0)
    assert 2 < lstm["bits per byte"] < 9
    assert lstm["million bytes seen"] == pytest.approx(1.5 * gpt["million bytes seen"])


def test_counting_and_packing_are_judged_on_the_same_bytes(monkeypatch):
    monkeypatch.setattr(gpt_study, "HELD_OUT", 3_000)
    library = load_code()
    test = library.excerpt("test", 3_000)
    part = library.excerpt("train", 50_000)
    counted = code.counted(3, 50_000)
    assert counted["bits per byte"] == NGram(part, 3).bits_per_byte(test)[2]
    assert counted["million bytes seen"] == len(part) / 1e6
    packed = code.compressed(lzma.compress)
    assert packed["bits per byte"] == 8 * len(lzma.compress(test)) / len(test)
    assert packed["million bytes seen"] == 0
    # a code that repeats what stood before it needs nothing more
    after = code.compressed(lambda text: text[: len(library.text("train"))], after=True)
    assert after["bits per byte"] == 0
    assert after["million bytes seen"] == len(library.text("train")) / 1e6


def test_the_cache_is_timed_on_both_ways():
    assert code.cached(0, count=8)["times as fast"] > 0.2


@pytest.mark.parametrize("way", entities.WAYS)
def test_taggers_learn_what_they_may(way, monkeypatch):
    pytest.importorskip("tokenizers", reason="needs tokenizers")
    try:
        encoder_folder()
    except DataUnavailable as missing:
        pytest.skip(str(missing))
    three = {
        f"{side}_{part}": [row] * 3
        for side, row in (("x", WORDS), ("y", NAMED))
        for part in ("train", "valid", "test")
    }
    data = Entities(**three, tags=TAGS, source="s", license="l", is_full=True)
    monkeypatch.setattr(entities, "load", lambda: data)
    result = entities.tagged(way, 0, seconds=0.2)
    assert 0 <= result["F1"] <= 1
    assert result["steps"] >= 1
    head = 9 * 384 + 9
    expected = {"head": head, "adapter": head + 6 * 2 * 2 * 8 * 384}
    assert result["weights that learn"] == expected.get(way, result["weights that learn"])
    assert (result["weights that learn"] > 20_000_000) == (way in ("full", "random"))


def test_without_sentences_the_race_says_so(monkeypatch):
    def gone(**_):
        raise DataUnavailable("no address answers")

    monkeypatch.delenv("COURSE_REAL_DATA", raising=False)
    monkeypatch.setattr("utils.datasets.load_entities", gone)
    with pytest.raises(NotHere, match="no address answers"):
        entities.load()


def test_a_folder_of_sentences_goes_through_the_loader(monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COURSE_REAL_DATA", str(tmp_path))
    (tmp_path / "make_mirror.py").write_text(
        "import zipfile\n"
        "def conll(out):\n"
        "    with zipfile.ZipFile(out / 'conll2003.zip', 'w') as archive:\n"
        "        for part in ('train', 'valid', 'test'):\n"
        "            archive.writestr(f'{part}.txt', f'{part} X X B-LOC\\n')\n"
    )
    data = entities.load()
    assert (data.x_train, data.y_valid) == ((("train",),), (("B-LOC",),))
