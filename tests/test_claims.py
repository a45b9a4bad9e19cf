"""A claim that cannot fail would be worth nothing: each kind is shown true and false."""

import math

import numpy as np
import pytest

from utils.claims import ClaimError, claim


@pytest.fixture(autouse=True)
def judged(monkeypatch):
    monkeypatch.delenv("COURSE_BUDGET", raising=False)


@pytest.mark.parametrize(
    ("value", "bound", "printed"),
    [
        (0.978, {"at_least": 0.97}, "✔ reads 97%   (measured 0.978)\n"),
        (0.97, {"at_least": 0.97}, "✔ reads 97%   (measured 0.97)\n"),
        (np.float32(0.5), {"at_most": 0.5}, "✔ reads 50%   (measured 0.5)\n"),
        (0.52, {"within": (0.5, 0.03)}, "✔ reads 50%   (measured 0.52)\n"),
        (np.array(0.25), {"equal": 0.25}, "✔ reads 25%   (measured 0.25)\n"),
    ],
)
def test_true_claims_print_the_bound_and_the_value(capsys, value, bound, printed):
    claim("reads {bound:.0%}", value, **bound)
    assert capsys.readouterr().out == printed


@pytest.mark.parametrize(
    ("value", "bound"),
    [
        (0.96, {"at_least": 0.97}),
        (0.51, {"at_most": 0.5}),
        (0.54, {"within": (0.5, 0.03)}),
        (0.46, {"within": (0.5, 0.03)}),
        (3, {"equal": 4}),
        (math.nan, {"at_least": 0}),
        (math.nan, {"at_most": 0}),
        (math.nan, {"within": (0, 1)}),
        (math.nan, {"equal": math.nan}),
        (0.5, {"at_least": math.nan}),
    ],
)
def test_false_claims_name_statement_and_value(value, bound):
    with pytest.raises(ClaimError, match=r"reads .*measured"):
        claim("reads {bound}", value, **bound)


def test_plain_truth(capsys):
    claim("{braces} stay as they are", np.True_)
    assert capsys.readouterr().out == "✔ {braces} stay as they are\n"
    with pytest.raises(ClaimError, match="it is so"):
        claim("it is so", False)


def test_arrays_are_equal_in_shape_and_every_element():
    claim("equal", np.arange(3), equal=np.arange(3))
    with pytest.raises(ClaimError):
        claim("equal", np.arange(3), equal=np.arange(4))
    with pytest.raises(ClaimError):
        claim("equal", np.array([0.0, math.nan]), equal=np.array([0.0, math.nan]))


@pytest.mark.parametrize(
    ("value", "bounds", "complaint"),
    [
        (1.0, {"at_least": 0, "at_most": 2}, "one bound, got at_least and at_most"),
        (1.0, {}, "needs True or False, got 1.0"),
        ("high", {"at_least": 0}, "one number, got 'high'"),
        (np.arange(3), {"at_least": 0}, "one number, got array"),
        (None, {"at_most": 0}, "one number, got None"),
    ],
)
def test_claims_that_say_nothing_are_refused(value, bounds, complaint):
    with pytest.raises(TypeError, match=complaint):
        claim("x", value, **bounds)


def test_smoke_judges_nothing(capsys, monkeypatch):
    monkeypatch.setenv("COURSE_BUDGET", "smoke")
    claim("reads {bound:.0%}", 0.1, at_least=0.97)
    claim("so", False)
    assert capsys.readouterr().out == "○ reads 97%   (not judged)\n○ so   (not judged)\n"
