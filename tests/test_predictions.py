"""A prediction is asked, kept, revealed once, and says the same to all who did not predict."""

from __future__ import annotations

import json
import subprocess

import pytest
import traitlets
from support.javascript import program

from utils import predictions, progress
from utils.predictions import predict, reveal
from utils.progress import Prediction as Kept
from utils.widgets import Prediction
from utils.widgets._script import HERE

RACERS = ("descent", "momentum", "Adam")


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_HOME", str(tmp_path))
    monkeypatch.setattr(predictions, "_asked", {})


@pytest.fixture
def asked():
    """Ask a question of either kind; return the widgets."""
    predict("02.a", "Which arrives first?", RACERS)
    predict("02.b", "How large a step?", scale=(0.001, 100), log=True, unit="steps")
    return predictions._asked["02.a"], predictions._asked["02.b"]


def test_without_a_prediction_nothing_is_kept_and_the_answer_is_told(asked, capsys):
    reveal("02.a", "momentum", "It adds up.")
    reveal("02.b", 12.3456, "By the formula.")
    assert capsys.readouterr().out == (
        "◆ 02.a momentum. It adds up.\n"
        "◆ 02.b What came out: (measured 12.3 steps). By the formula.\n"
    )
    assert progress.predictions() == {}
    assert [widget.answer for widget in asked] == [None, None]


@pytest.mark.parametrize(
    ("said", "verdict"),
    [
        ("momentum", "You said so: momentum."),
        ("Adam", "You said “Adam”. What came out: momentum."),
    ],
)
def test_a_choice_is_kept_and_told_beside_what_came_out(asked, said, verdict, capsys):
    asked[0].said = said
    assert progress.predictions() == {"02.a": Kept(said)}
    reveal("02.a", "momentum", "Why.")
    assert capsys.readouterr().out == f"◆ 02.a {verdict} Why.\n"
    assert progress.predictions() == {"02.a": Kept(said, "momentum")}
    assert asked[0].answer == "momentum"


@pytest.mark.parametrize(
    ("options", "said", "answer", "distance"),
    [
        ({"scale": (1, 1000), "log": True}, 10, 100, "a factor of 10 away"),
        ({"scale": (1, 1000), "log": True}, 100, 10, "a factor of 10 away"),
        ({"scale": (1, 1000), "log": True}, 10, 12, "which is as good as right"),
        ({"scale": (1, 1000), "log": True}, 500, 0, "500 away"),
        ({"scale": (0, 1)}, 0.3, 0.75, "0.45 away"),
        ({"scale": (0, 1)}, 0.73, 0.75, "which is as good as right"),
    ],
)
def test_a_guess_is_told_how_far_it_is(options, said, answer, distance, capsys):
    predict("02.b", "How many?", **options)
    predictions._asked["02.b"].said = said
    capsys.readouterr()
    reveal("02.b", answer, "Why.")
    told = f"◆ 02.b You guessed {said}; what came out: (measured {answer}), {distance}. Why.\n"
    assert capsys.readouterr().out == told


def test_what_was_said_comes_back_and_stays_once_it_was_revealed(asked, capsys):
    asked[0].said = "Adam"
    predict("02.a", "Which arrives first?", RACERS)  # another kernel, or the cell run again
    assert (predictions._asked["02.a"].said, predictions._asked["02.a"].answer) == ("Adam", None)
    reveal("02.a", "momentum", "Why.")
    predict("02.a", "Which arrives first?", RACERS)
    assert predictions._asked["02.a"].answer == "momentum"
    predictions._asked["02.a"].said = "momentum"  # hindsight
    assert progress.predictions() == {"02.a": Kept("Adam", "momentum")}


def test_what_is_kept_and_no_longer_offered_is_forgotten():
    progress.record_prediction("02.a", Kept("AdaGrad"))
    predict("02.a", "Which arrives first?", RACERS)
    assert predictions._asked["02.a"].said is None


def test_a_reveal_needs_its_question_and_an_answer_that_was_offered(asked):
    with pytest.raises(LookupError, match=r"run the cell with predict\('02.c', …\) above"):
        reveal("02.c", "momentum", "Why.")
    with pytest.raises(ValueError, match="'AdaGrad' is none of the choices descent, momentum"):
        reveal("02.a", "AdaGrad", "Why.")
    with pytest.raises(ValueError, match="must be a finite number, got nan"):
        reveal("02.b", float("nan"), "Why.")


@pytest.mark.parametrize("id", ["02", "2.a", "02.1", "02.ab"])
def test_ids_are_chapter_and_letter(id):
    with pytest.raises(ValueError, match=r'as in "02\.a"'):
        predict(id, "Which?", RACERS)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({}, "one of the two"),
        ({"choices": RACERS, "scale": (0, 1)}, "one of the two"),
        ({"choices": ("only",)}, "two answers or more"),
        ({"choices": ("a", "a")}, "two answers or more"),
        ({"choices": ("a", 2)}, "in words"),
        ({"scale": (1, 0)}, "lowest, highest"),
        ({"scale": (1, 2, 3)}, "lowest, highest"),
        ({"scale": (0, float("inf"))}, "lowest, highest"),
        ({"scale": (0, 1), "log": True}, "must be positive"),
        ({"choices": RACERS, "said": "AdaGrad"}, "no answer to"),
        ({"scale": (0, 1), "said": 2}, "no answer to"),
        ({"scale": (0, 1), "said": True}, "no answer to"),
    ],
)
def test_questions_that_cannot_be_answered_are_refused(options, complaint):
    with pytest.raises(traitlets.TraitError, match=complaint):
        Prediction(id="02.a", question="Which?", **options)


def test_the_stored_page_shows_the_question_and_never_what_was_said(asked):
    asked[0].said = "Adam"
    data, _ = asked[0]._repr_mimebundle_()
    text = "Predict: Which arrives first? ○ descent · ○ momentum · ○ Adam"
    assert data["text/plain"] == text
    assert data["text/markdown"] == text.replace("Predict:", "**Predict:**")
    assert "image/png" not in data
    assert "between 0.001 steps and 100 steps" in asked[1].describe()


PROGRAM = """
import { begin, choose, numberAt, remark, stopAt } from "./prediction.js";
import { keep, recall } from "./js/storage.js";
const results = {};
results.none = recall("02.a");
keep("02.a", { said: "lost" });
const kept = new Map();
const [getItem, setItem] = [(key) => kept.get(key) ?? null, (key, text) => kept.set(key, text)];
globalThis.courseStorage = { getItem, setItem };
keep("02.a", { said: "Adam" });
results.kept = recall("02.a");
results.key = [...kept.keys()];
kept.set("prediction 02.b", "{");
results.damaged = recall("02.b");
globalThis.courseStorage = { getItem: () => { throw Error(); }, setItem: () => { throw Error(); } };
keep("02.a", { said: "Adam" });
results.forbidden = recall("02.a");
const choices = ["descent", "Adam"], open = { choices, scale: [], said: null, answer: null };
const number = { choices: [], scale: [1, 100], said: null, answer: null };
results.begin = [
  begin(open, {}), begin(open, { said: "Adam" }), begin(open, { said: "AdaGrad" }),
  begin({ ...open, said: "descent" }, { said: "Adam" }),
  begin(number, { said: 5 }), begin(number, { said: 500 }), begin(number, { said: "5" }),
].map((said) => said ?? null);
const over = { ...open, said: "descent", answer: "Adam" };
results.choose = [choose(open, "Adam"), choose(over, "Adam")];
results.remarks = [remark(open, ""), remark({ said: 5, answer: null }, " steps"),
  remark({ said: 5, answer: 7 }, " steps")];
const scales = [[[0, 1], false], [[-3, 7], false], [[0.001, 100], true], [[10, 2000], true]];
const stops = [0, 15, 30, 45, 60];
results.numbers = scales.map((scale) => stops.map((stop) => numberAt(stop, ...scale)));
const back = (stop, scale) => stopAt(numberAt(stop, ...scale), ...scale);
results.stops = scales.map((scale) => stops.map((stop) => back(stop, scale)));
console.log(JSON.stringify(results));
"""


def test_the_page_keeps_predictions_where_it_offers_a_storage():
    command = [program(), "--input-type=module", "--eval", PROGRAM]
    done = subprocess.run(command, cwd=HERE, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)
    assert results["none"] == results["damaged"] == results["forbidden"] == {}
    assert (results["kept"], results["key"]) == ({"said": "Adam"}, ["prediction 02.a"])
    assert results["begin"] == [None, "Adam", None, "descent", 5, None, None]
    assert results["choose"] == ["Adam", "descent"]
    assert results["remarks"] == [
        "Choose before you read on.",
        "You say 5 steps. Now run the experiment below.",
        "You said 5 steps. The answer stands below.",
    ]
    assert results["numbers"] == [
        [0, 0.25, 0.5, 0.75, 1],
        [-3, -0.5, 2, 4.5, 7],
        [0.001, 0.018, 0.32, 5.6, 100],
        [10, 38, 140, 530, 2000],
    ]
    for stops in results["stops"]:
        assert all(abs(a - b) <= 2 for a, b in zip(stops, (0, 15, 30, 45, 60), strict=True))
