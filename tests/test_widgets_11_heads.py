"""Head browser and entity highlighter of chapter 11: records, numbers, the way to the kernel."""

from __future__ import annotations

import base64

import numpy as np
import pytest
import traitlets

from utils import metrics
from utils.datasets import DataUnavailable, encoder_folder
from utils.datasets.entities import TAGS
from utils.recorded import entity_adapter, entity_sentences, heads
from utils.recorded.entity_sentences import Reading
from utils.widgets import EntityHighlighter, HeadBrowser, _sentence
from utils.widgets._script import HERE
from utils.widgets._sentence import SentenceReader
from utils.widgets.entity_highlighter import KINDS
from utils.widgets.head_browser import HEADS, LAYERS, MEASURES, measure

OWN = "Grandmother calls from Zürich 😀 today."
MAKERS = (HeadBrowser, EntityHighlighter)


@pytest.fixture
def encoder():
    """Skip where live inference is not possible."""
    for name in _sentence.NEEDED:
        pytest.importorskip(name, reason=f"needs {name}")
    try:
        encoder_folder()
    except DataUnavailable as error:
        pytest.skip(str(error))


def made_look(text, seed=0):
    """A look that no encoder has made: random maps of a piece a word."""
    rng = np.random.default_rng(seed)
    pieces = ("[CLS]", *text.lower().split(), "[SEP]")
    A = rng.dirichlet(np.full(len(pieces), 0.2), (LAYERS, HEADS, len(pieces)))
    return heads.Look(text, pieces, np.rint(heads.STEPS * A).astype(np.uint8))


def made_reading(text, tags=("O",), seed=0):
    """A reading that no tagger has made; a word a text between blanks, tags in turn."""
    words, at = [], 0
    for word in text.split():
        at = text.index(word, at)
        words.append((at, at := at + len(word)))
    p = np.random.default_rng(seed).dirichlet(np.ones(len(TAGS)), len(words))
    for i in range(len(words)):
        p[i, TAGS.index(tags[i % len(tags)])] += 2
    pieces = tuple((text[a:b].lower(),) for a, b in words)
    return Reading(text, tuple(words), pieces, p / p.sum(axis=1, keepdims=True))


@pytest.fixture
def stub(monkeypatch):
    """Let the kernel answer without an encoder; return the texts that it was asked."""
    asked = []

    def look(text):
        asked.append(text)
        return made_look(text)

    def read(text):
        asked.append(text)
        return made_reading(text, ("B-PER", "I-PER", "O"))

    monkeypatch.setattr(heads, "look", look)
    monkeypatch.setattr(entity_sentences, "read", read)
    monkeypatch.setattr(_sentence, "encoder_folder", lambda: None)
    monkeypatch.setattr(_sentence, "find_spec", lambda name: name)
    return asked


# ---------------------------------------------------------------- records


def test_the_recorded_heads_look_with_weights_that_sum_to_one():
    assert tuple(look.text for look in heads.looks()) == heads.SENTENCES
    for _, pieces, maps in heads.looks():
        assert (pieces[0], pieces[-1]) == ("[CLS]", "[SEP]")
        assert len(pieces) <= heads.LONGEST
        assert maps.shape == (LAYERS, HEADS, len(pieces), len(pieces))
        assert maps.dtype == np.uint8
        # each of T bytes is rounded by half a step at most
        assert np.abs(maps.sum(axis=-1, dtype=int) - heads.STEPS).max() <= len(pieces) / 2


def test_the_recorded_readings_are_probabilities_of_words():
    readings = entity_sentences.readings()
    told = {reading.text: reading.remark for reading in readings}
    assert told == entity_sentences.SENTENCES
    for text, words, pieces, p, _ in readings:
        assert p.shape == (len(words), len(TAGS))
        np.testing.assert_allclose(p.sum(axis=1), 1, atol=len(TAGS) * 0.5e-4)
        assert len(pieces) == len(words)
        for (start, end), parts in zip(words, pieces, strict=True):
            joined = "".join(part.removeprefix("##") for part in parts)
            assert joined == text[start:end].lower()
        ends, starts = [0, *(end for _, end in words)], [*(start for start, _ in words), len(text)]
        outside = "".join(text[a:b] for a, b in zip(ends, starts, strict=True))
        assert not outside.strip()


def test_the_tagger_finds_a_person_and_a_place():
    """What the articles that this course grew from promise."""
    (first, *_) = entity_sentences.readings()
    assert first.text == "My name is Wolff. I live in Berlin."
    tags = [TAGS[k] for k in first.probabilities.argmax(axis=1)]
    assert tags == ["O", "O", "O", "B-PER", "O", "O", "O", "O", "B-LOC", "O"]


def test_the_remarks_are_true_of_what_the_tagger_says():
    found, highlighter = {}, EntityHighlighter()
    for text in entity_sentences.SENTENCES:
        highlighter.text = text
        found[text.split()[0]] = [one[:2] for one in highlighter.entities]
        assert highlighter.describe().endswith(entity_sentences.SENTENCES[text])
    assert ("LOC", "CWI") in found["Guido"]
    assert found["Real"] == [("ORG", "Real Madrid"), ("ORG", "Bayern Munich"), ("LOC", "Madrid")]
    assert found["The"] == [("MISC", "German"), ("MISC", "Brazilian"), ("MISC", "World Cup")]
    assert found["Jordan"] == [("PER", "Jordan Smith"), ("LOC", "Jordan"), ("LOC", "Amman")]
    assert found["Washington"] == [("PER", "Washington"), ("PER", "George Washington")]
    assert found["Turkey"] == [("LOC", "Turkey"), ("LOC", "turkey")]
    highlighter.text = next(text for text in entity_sentences.SENTENCES if "turkey" in text)
    assert highlighter.reading.pieces[0] == highlighter.reading.pieces[2] == ("turkey",)
    assert found["Will"] == [("PER", "Will Smith"), ("PER", "smith")]
    assert found["Li"][0] == ("ORG", "Li Wei")
    assert found["Her"] == [("LOC", "Paris")]


def test_plain_readings_come_back():
    reading = made_reading("a Bc  d", ("O", "B-LOC"))
    back = Reading.of(reading.plain())
    assert back[:3] == reading[:3] == (reading.text, ((0, 1), (2, 4), (6, 7)), reading.pieces)
    np.testing.assert_allclose(back.probabilities, reading.probabilities, atol=0.51e-4)


@pytest.mark.slow
def test_the_heads_are_those_of_the_encoder(encoder):
    from utils.models.encoder import load_encoder

    made = load_encoder()
    for k, (text, pieces, maps) in enumerate(heads.looks()):
        found, weights = made.maps(text)
        assert tuple(found) == pieces
        assert np.abs(maps - heads.STEPS * weights).max() < 0.6, k
        assert np.abs(heads.look(text).maps.astype(int) - maps).max() <= 1
    with pytest.raises(ValueError, match=r"\d\d word pieces are too many .* at most 24 are"):
        heads.look("word " * 30)


@pytest.mark.slow
def test_the_readings_are_those_of_the_tagger(encoder):
    from utils.models.encoder import find_entities

    highlighter, tagger = EntityHighlighter(), entity_adapter.tagger()
    for reading in entity_sentences.readings():
        live = entity_sentences.read(reading.text)
        assert live.remark == ""
        assert live[:3] == reading[:3]
        np.testing.assert_allclose(live.probabilities, reading.probabilities, atol=1e-3)
        highlighter.text = reading.text
        wanted = find_entities(tagger, reading.text)
        assert [(one.kind, one.text) for one in highlighter.entities] == [
            (one.kind, reading.text[one.start : one.end]) for one in wanted
        ]
        np.testing.assert_allclose(
            [one.probability for one in highlighter.entities],
            [one.probability for one in wanted],
            atol=3e-3,
        )


@pytest.mark.slow
def test_own_sentences_are_read_live(encoder):
    browser = HeadBrowser(text="My cat sleeps.")
    assert browser.pieces == ("[CLS]", "my", "cat", "sleeps", ".", "[SEP]")
    assert browser.why == browser.silence == ""
    np.testing.assert_allclose(browser.weights.sum(axis=-1), 1, atol=3 / heads.STEPS)
    browser.text = "word " * 30
    assert browser.silence.startswith("This sentence is not read: 32 word pieces are too many")
    highlighter = EntityHighlighter(text=OWN)
    assert len(highlighter.reading.words) == 7
    assert ("LOC", "Zürich") in [one[:2] for one in highlighter.entities]


# ---------------------------------------------------------------- what heads look at


def test_measures_by_hand():
    """Heads made for it: one looks at the piece before, one after, at itself, at the two ends."""
    T = 5
    made = np.zeros((1, 6, T, T))
    for i in range(T):
        places = (max(i - 1, 0), min(i + 1, T - 1), i, 0, T - 1)
        for k, j in enumerate(places):
            made[0, k, i, j] = 1
    made[0, 5] = 1 / T
    found = measure([made])[:, 0]
    third = 1 / 3  # of the three words one stands behind [CLS] and one before [SEP]
    np.testing.assert_allclose(found[:, 0], [1, 0, 0, third, 0], atol=1e-15)
    np.testing.assert_allclose(found[:, 1], [0, 1, 0, 0, third], atol=1e-15)
    np.testing.assert_allclose(found[:, 2], [0, 0, 1, 0, 0], atol=1e-15)
    np.testing.assert_allclose(found[:, 3], [third, 0, 0, 1, 0], atol=1e-15)
    np.testing.assert_allclose(found[:, 4], [0, third, 0, 0, 1], atol=1e-15)
    np.testing.assert_allclose(found[:, 5], 1 / T, atol=1e-15)


def test_a_measure_is_a_mean_over_words_not_over_sentences():
    a, b = (made_look(text).maps / heads.STEPS for text in ("x y z", "x y z u v w p q r"))
    wanted = (3 * measure([a]) + 9 * measure([b])) / 12
    np.testing.assert_allclose(measure([a, b]), wanted, rtol=1e-12)


def test_known_heads_are_found_and_cls_is_the_sink():
    """Previous and next piece as often told; the sink of this encoder is [CLS], not [SEP]."""
    browser = HeadBrowser()
    assert browser.top[0] == (0, 2)
    assert browser.marks[0, 2] > 0.95
    browser.measure = "the next piece"
    assert browser.top[0] == (1, 8)
    assert browser.marks[1, 8] > 0.5
    browser.measure = "[CLS]"
    assert browser.marks.mean() > 0.3
    browser.measure = "[SEP]"
    assert browser.marks.mean() < 0.07


def every_state(rng, count=25):
    """States of a `HeadBrowser` on recorded sentences."""
    for i in range(count):
        yield {
            "text": heads.SENTENCES[i % len(heads.SENTENCES)],
            "layer": int(rng.integers(LAYERS)),
            "head": int(rng.integers(HEADS)),
            "piece": int(rng.integers(heads.LONGEST)),
            "measure": MEASURES[i % len(MEASURES)],
        }


def test_the_scripts_heads_equal_numpy(node):
    browser = HeadBrowser()
    script, constants = node(browser), browser.constants
    survey = script.keep("survey", browser.recorded, constants)
    looks = {one["text"]: script.keep("unpack", one, constants) for one in browser.recorded}
    seen = set()
    for state in every_state(np.random.default_rng(0)):
        for name, value in state.items():
            setattr(browser, name, value)
        shown = script.numbers(survey, looks[state["text"]], state, constants)
        assert shown["here"] == pytest.approx(browser.numbers["here"], rel=1e-12)
        assert shown["recorded"] == pytest.approx(browser.numbers["recorded"], rel=1e-12)
        np.testing.assert_allclose(shown["marks"], browser.marks, rtol=1e-12)
        assert [tuple(one) for one in shown["top"]] == browser.top
        seen.add(str(shown))
    assert len(seen) == 25
    assert script.numbers(survey, None, state, constants)["here"] is None


def test_the_script_unpacks_what_python_sends(node):
    browser = HeadBrowser()
    script = node(browser)
    for one, look in zip(browser.recorded, heads.looks(), strict=True):
        browser.text = one["text"]
        shown = script.unpack(one, browser.constants)
        assert tuple(shown["pieces"]) == look.pieces == browser.pieces
        np.testing.assert_array_equal(shown["maps"], look.maps / heads.STEPS)
        np.testing.assert_array_equal(browser.weights, look.maps / heads.STEPS)


def test_a_head_that_looks_everywhere_alike(node):
    browser = HeadBrowser()
    even = [np.full_like(look.maps, 1, float) / len(look.pieces) for look in heads.looks()]
    shown = node(browser).survey(browser.recorded, browser.constants)["even"]
    np.testing.assert_allclose(measure(even), shown, rtol=1e-12)


def test_the_state_of_the_browser():
    browser = HeadBrowser(
        text="  How do I copy a folder\n with everything in it? ", layer=1, head=8
    )
    assert browser.text == heads.SENTENCES[2]
    assert eval(repr(browser)).weights.tolist() == browser.weights.tolist()
    words = browser.describe()
    assert "Layer 1, head 8 looks at: the previous piece 0." in words
    assert f"the next piece {browser.numbers['here']['the next piece']:.2f}" in words
    assert "Most on the previous piece in the recorded sentences looks layer 0, head 2" in words
    left, right = browser.draw().axes
    np.testing.assert_allclose(right.images[0].get_array(), np.sqrt(browser.weights[1, 8]))
    count = len(browser.pieces) + 2
    tile = left.images[0].get_array()[count + 1 : 2 * count - 1, 8 * count + 1 : 9 * count - 1]
    np.testing.assert_allclose(tile, np.sqrt(browser.weights[1, 8]))


# ---------------------------------------------------------------- entities


def states_of_words():
    """States of an `EntityHighlighter` on recorded sentences, each word once, and one beyond."""
    for text, words, *_ in entity_sentences.readings():
        for word in range(len(words) + 1):
            yield text, word


def test_the_scripts_entities_equal_python(node):
    highlighter = EntityHighlighter()
    script, said = node(highlighter), {one["text"]: one for one in highlighter.recorded}
    seen = set()
    for text, word in states_of_words():
        highlighter.text, highlighter.word = text, word
        shown = script.numbers(said[text], word, highlighter.constants)
        assert tuple(shown["tags"]) == highlighter.tags
        assert [
            tuple(one[key] for key in ("kind", "text", "first", "end")) for one in shown["found"]
        ] == [one[:4] for one in highlighter.entities]
        for key, value in highlighter.numbers.items():
            assert shown[key] == pytest.approx(value, rel=1e-12), (text, word, key)
        seen.add(str(shown))
    assert len(seen) > 50


def test_the_script_finds_entities_as_the_metric_does(node):
    script, rng = node(EntityHighlighter()), np.random.default_rng(0)
    for _ in range(200):
        tags = rng.choice(TAGS, rng.integers(1, 9), p=[0.3, *[0.7 / 8] * 8]).tolist()
        shown = {tuple(one) for one in script.entities(tags)}
        assert shown == metrics.entities(tags), tags


def test_a_text_is_cut_into_words_and_blanks_and_nothing_is_lost(node):
    highlighter = EntityHighlighter()
    script = node(highlighter)
    smile = made_reading("a 😀 is Anna  Bell", ("O", "O", "O", "B-PER", "I-PER"))
    for plain in (*highlighter.recorded, smile.plain()):
        parts = script.parts(plain)
        assert "".join(part["text"] for part in parts) == plain["text"]
        words = [part["text"] for part in parts if part["word"] >= 0]
        assert words == [plain["text"][start:end] for start, end in plain["words"]]
    shown = script.numbers(smile.plain(), 0, highlighter.constants)
    assert [one["text"] for one in shown["found"]] == ["Anna  Bell"]


def test_the_state_of_the_highlighter():
    highlighter = EntityHighlighter()
    assert [one[:2] for one in highlighter.entities] == [("PER", "Wolff"), ("LOC", "Berlin")]
    assert highlighter.tags[3] == "B-PER"
    assert highlighter.numbers["probability"] == highlighter.probabilities["B-PER"] > 0.5
    assert highlighter.numbers["entity"] == highlighter.entities[0].probability
    words = highlighter.describe()
    assert "Wolff (person, 0." in words
    assert "Berlin (place, 1.00)" in words
    highlighter.word = 0
    assert highlighter.numbers["entity"] == 0
    highlighter.word = 150  # beyond the last word
    assert highlighter.numbers["probability"] == highlighter.probabilities["O"]
    assert eval(repr(highlighter)).entities == highlighter.entities


def test_the_highlighters_picture_shows_every_word_and_its_tags():
    for reading in entity_sentences.readings():
        highlighter = EntityHighlighter(text=reading.text, word=0)
        fig = highlighter.draw()
        kinds = [node.get_text() for node in fig.texts if node.get_text() in KINDS]
        assert kinds == [one.kind for one in highlighter.entities]
        rest = "".join(node.get_text() for node in fig.texts if node.get_text() not in KINDS)
        assert rest.replace(" ", "") == reading.text.replace(" ", "")
        edge = fig.get_figwidth() * fig.dpi
        assert all(node.get_window_extent().x1 <= edge for node in fig.texts)
        widths = [bar.get_width() for bar in fig.axes[0].patches]
        assert widths == list(highlighter.probabilities.values())


# ---------------------------------------------------------------- a reader's own sentence


@pytest.mark.parametrize("make", MAKERS)
def test_the_kernel_answers_what_is_not_recorded(make, stub):
    widget = make()
    sent = []
    widget.observe(lambda change: sent.append(change.new), "answer")
    widget.text = "My  cat sleeps"
    assert (stub, sent) == (["My cat sleeps"], [widget.answer])
    assert widget.said == widget.answer
    assert widget.answer["text"] == "My cat sleeps"
    widget.text = widget.recorded[1]["text"]
    assert len(stub) == 1  # a recorded sentence needs no encoder
    assert widget.said == widget.recorded[1]
    widget = make(text="My dog sleeps")
    assert widget.said["text"] == stub[-1] == "My dog sleeps"
    assert widget.describe().startswith("My dog sleeps ")


def test_what_the_kernel_sends_arrives(stub, node):
    browser = HeadBrowser(text="My cat sleeps", layer=3, head=4)
    look = made_look("My cat sleeps")
    assert base64.b64decode(browser.answer["maps"]) == look.maps.tobytes()
    script, constants = node(browser), browser.constants
    assert script.unpack(browser.answer, constants)["maps"] == browser.weights.tolist()
    wanted = measure([look.maps / heads.STEPS])[:, 3, 4]
    assert list(browser.numbers["here"].values()) == pytest.approx(wanted.tolist())
    highlighter = EntityHighlighter(text="Anna Bell sleeps", word=0)
    assert [one[:2] for one in highlighter.entities] == [("PER", "Anna Bell")]
    shown = node(highlighter).numbers(highlighter.answer, 0, highlighter.constants)
    assert shown["entity"] == pytest.approx(highlighter.numbers["entity"], rel=1e-12)


@pytest.mark.parametrize("make", MAKERS)
def test_without_the_encoder_the_reason_is_told(make, monkeypatch):
    def missing():
        raise DataUnavailable("the pretrained encoder is missing (all); install it")

    monkeypatch.setattr(_sentence, "encoder_folder", missing)
    widget = make()
    assert widget.silence == ""
    widget.text = "My cat sleeps."
    assert widget.answer == {}
    for words in (widget.silence, widget.describe(), widget.why):
        assert "Only recorded sentences can be read here: the pretrained encoder is miss" in words
    with pytest.raises(DataUnavailable, match="Only recorded sentences"):
        _ = widget.said
    assert widget._repr_mimebundle_()[0]["image/png"].startswith(b"\x89PNG")
    monkeypatch.setattr(_sentence, "encoder_folder", lambda: None)
    monkeypatch.setattr(_sentence, "find_spec", lambda name: name if "safe" in name else None)
    assert make().why.endswith("needs tokenizers; install them with pip install tokenizers.")


@pytest.mark.parametrize("make", MAKERS)
def test_a_sentence_that_cannot_be_read_is_told(make, stub, monkeypatch):
    def refuse(text):
        raise ValueError("99 word pieces are too many")

    monkeypatch.setattr(heads, "look", refuse)
    monkeypatch.setattr(entity_sentences, "read", refuse)
    widget = make(text="so long")
    reason = "This sentence is not read: 99 word pieces are too many."
    assert widget.answer == {"text": "so long", "error": reason}
    assert widget.silence == reason
    widget.text = widget.recorded[0]["text"]
    assert widget.silence == ""


def test_the_script_tells_where_an_answer_comes_from(node):
    script = node(HERE / "js" / "sentence.js")
    recorded = [{"text": "a b"}, {"text": "c"}]
    nothing = {"recorded": recorded, "answer": {}, "why": ""}
    own = nothing | {"answer": {"text": "d"}}
    failed = nothing | {"answer": {"text": "d", "error": "Too long."}}
    without = nothing | {"why": "No encoder."}
    for text, known, is_late, answer, words in (
        ("a b", nothing, False, recorded[0], "One of 2 recorded sentences"),
        ("a b", own, True, recorded[0], "One of 2 recorded sentences"),
        ("c", without, False, recorded[1], "One of 2 recorded sentences"),
        ("d", own, True, own["answer"], "Read in your kernel"),
        ("e", own, False, None, "Your kernel is reading"),
        ("e", own, True, None, "No kernel has answered"),
        ("d", failed, False, None, "Too long."),
        ("d", without, False, None, "No encoder."),
    ):
        assert script.answerTo(text, known) == answer
        assert script.remark(text, known, is_late).startswith(words)
    assert script.tidy("  My \t cat\n") == "My cat"


# ---------------------------------------------------------------- both


@pytest.mark.parametrize(
    ("make", "state", "words"),
    [
        (HeadBrowser, {"text": "  "}, "sentence of 1 to 160 characters, for instance text = 'My n"),
        (EntityHighlighter, {"text": "a" * 161}, "sentence of 1 to 160 characters"),
        (EntityHighlighter, {"text": 7}, "got 7"),
        (HeadBrowser, {"layer": 6}, "layer"),
        (HeadBrowser, {"head": -1}, "head"),
        (HeadBrowser, {"measure": "me"}, r"the previous piece.*\[SEP\]"),
        (EntityHighlighter, {"word": 160}, "word"),
        (EntityHighlighter, {"pieces": "yes"}, "pieces"),
    ],
)
def test_a_state_that_makes_no_sense_is_refused(make, state, words):
    with pytest.raises(traitlets.TraitError, match=words):
        make(**state)


@pytest.mark.parametrize("make", [SentenceReader, *MAKERS])
def test_sentences_come_from_a_subclass(make):
    if make is SentenceReader:
        with pytest.raises(NotImplementedError):
            make._records(None)
        with pytest.raises(NotImplementedError):
            make._ask(None, "a")
    else:
        texts = [one["text"] for one in make().recorded]
        assert len(set(texts)) == len(texts) >= 5
        assert make().text == texts[0]
        assert all(len(text) <= _sentence.MOST for text in texts)


@pytest.mark.parametrize("make", MAKERS)
def test_what_a_notebook_stores_is_light(make):
    widget = make()
    data, metadata = widget._repr_mimebundle_()
    assert data["image/png"].startswith(b"\x89PNG")
    assert len(data["image/png"]) <= 30_000
    assert metadata["image/png"]["alt"] == widget.describe()
