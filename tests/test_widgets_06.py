"""The widgets of chapter 06: the ablation board and its record, the mistake browser."""

import numpy as np
import pytest
import traitlets

from utils import recorded
from utils.metrics import surest_mistakes
from utils.recorded import ablation
from utils.recorded.ablation import TRICKS, accuracies, combinations, train
from utils.widgets import AblationBoard, ablation_board, mistake_browser
from utils.widgets.mistakes import EVERY, SHOWN

# ---------------------------------------------------------------- the board


def test_the_record_holds_every_combination_once():
    runs = recorded.load("ablation")
    assert [tuple(run["tricks"]) for run in runs] == combinations()
    assert len(set(combinations())) == 2 ** (len(TRICKS) - 1)
    assert len(accuracies()) == 2 ** len(TRICKS)
    for run in runs:
        assert run["epochs"] == ablation.EPOCHS["augmentation" in run["tricks"]]
        assert 0.5 < run["accuracy"] < 1
        assert 0.5 < run["flipped"] < 1
    seconds = [run["seconds"] for run in runs]
    assert max(seconds) < 1.5 * min(seconds)  # equal time, up to a clock's noise


@pytest.mark.slow
def test_a_cheap_run_made_again_gives_what_is_accuracies():
    run = next(r for r in recorded.load("ablation") if r["tricks"] == [TRICKS[1]])
    again = train(run["tricks"])
    assert again["epochs"] == run["epochs"]
    assert again["accuracy"] == pytest.approx(run["accuracy"], abs=0.06)  # machines round apart
    assert again["flipped"] == pytest.approx(run["flipped"], abs=0.06)


def test_each_run_is_read_with_and_without_the_flip(monkeypatch):
    runs = ({"tricks": ["one-cycle"], "accuracy": 0.5, "flipped": 0.75},)
    monkeypatch.setattr(recorded, "load", lambda name: runs)
    table = accuracies.__wrapped__()
    assert table == {("one-cycle",): 0.5, ("one-cycle", "test-time flip"): 0.75}


def test_an_unknown_trick_is_named():
    with pytest.raises(ValueError, match="no trick 'luck'; there are whitened stem, "):
        train(["luck"])


def test_the_state_reads_the_record():
    rng = np.random.default_rng(0)
    board = AblationBoard()
    seen = set()
    for bits in rng.permutation(64)[:20]:
        board.tricks = [t for i, t in enumerate(TRICKS) if bits >> i & 1]
        assert board.accuracy == accuracies()[board.tricks] == board.table[bits]
        for i, trick in enumerate(TRICKS):
            after = board.table[bits ^ (1 << i)]
            assert board.changes[trick] == pytest.approx(after - board.accuracy)
        seen.add(board.accuracy)
    assert len(seen) > 10


def test_tricks_are_checked_and_sorted():
    board = AblationBoard(tricks=("one-cycle", "normalization"))
    assert board.tricks == ("normalization", "one-cycle")
    assert repr(board) == "AblationBoard(tricks=('normalization', 'one-cycle'))"
    for bad in (("luck",), "one-cycle", 3):
        with pytest.raises(traitlets.TraitError, match="tricks must be some of whitened stem"):
            board.tricks = bad


def test_picture_and_words_show_the_numbers():
    board = AblationBoard(tricks=("normalization",))
    (ax,) = board.draw().axes
    np.testing.assert_allclose([bar.get_width() for bar in ax.patches], [*board.changes.values()])
    assert ax.get_yticklabels()[1].get_text() == "☑ normalization"
    low, high = ablation_board.SPAN
    assert all(low < accuracy < high for accuracy in accuracies().values())
    assert f"{board.accuracy:.1%} right" in board.describe()
    assert "without normalization" in board.describe()


def test_run_trains_the_ticked_choice(monkeypatch):
    monkeypatch.setattr(ablation_board, "train", lambda tricks: {"tricks": tricks})
    assert AblationBoard(tricks=("one-cycle",)).run() == {"tricks": ("one-cycle",)}


# ---------------------------------------------------------------- the mistakes


@pytest.fixture
def answers():
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 4, 60)
    probabilities = rng.dirichlet(np.ones(4), 60)
    return rng.random((60, 8, 8, 3)), labels, probabilities


def test_browsing_shows_the_mistakes_in_order(answers):
    images, labels, probabilities = answers
    browser = mistake_browser(images, labels, probabilities, "abcd")
    places = browser.fig.axes[1:]
    for name in (EVERY, "c"):
        browser.set(true_class=name)
        found = surest_mistakes(labels, probabilities, None if name == EVERY else 2)
        assert f"{name}: {len(found)} mistakes" in browser.readout.value
        for page in (1, 2, browser.controls["page"].max):
            browser.set(page=page)
            shown = found[SHOWN * (page - 1) : SHOWN * page]
            visible = [ax for ax in places if ax.images[0].get_visible()]
            assert len(visible) == len(shown)
            for ax, i in zip(visible, shown, strict=True):
                np.testing.assert_array_equal(ax.images[0].get_array(), images[i])
                truth, answer = "abcd"[labels[i]], "abcd"[probabilities[i].argmax()]
                assert ax.get_title() == f"{truth}:\n{answer}?\n{probabilities[i].max():.0%}"
        browser.set(page=1)
    assert browser.controls["page"].max == -(-len(surest_mistakes(labels, probabilities)) // SHOWN)


def test_every_control_changes_the_picture(answers):
    browser = mistake_browser(*answers, "abcd")
    seen = {browser.image.value}
    for state in ({"page": 2}, {"true_class": "a"}, {"true_class": "d", "page": 1}):
        browser.set(**state)
        seen.add(browser.image.value)
    assert len(seen) == 4


def test_a_perfect_classifier_has_an_empty_page(answers):
    images, labels, _ = answers
    browser = mistake_browser(images, labels, np.eye(4)[labels], "abcd")
    assert "0 mistakes; none is left for page 1" in browser.readout.value


def test_lengths_are_checked(answers):
    images, labels, probabilities = answers
    with pytest.raises(ValueError, match="got 59, 60 and 60"):
        mistake_browser(images[1:], labels, probabilities, "abcd")
    with pytest.raises(ValueError, match="4 columns but 5 class names"):
        mistake_browser(images, labels, probabilities, "abcde")


def test_the_scripts_numbers_equal_python(node):
    board = AblationBoard()
    for bits in np.random.default_rng(0).permutation(64)[:30].tolist():
        board.tricks = [t for i, t in enumerate(TRICKS) if bits >> i & 1]
        given = {"table": board.table, "tricks": board.tricks}
        shown = node(board).numbers(given, board.constants)
        assert shown["accuracy"] == pytest.approx(board.accuracy, abs=1e-12)
        assert shown["ticked"] == len(board.tricks)
        np.testing.assert_allclose(shown["changes"], [*board.changes.values()], atol=1e-12)
