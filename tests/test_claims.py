"""A claim that cannot fail would be worth nothing: each kind is shown true and false."""

import math

import numpy as np
import pytest

from utils.claims import ClaimError, claim, paired


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


# mean 0.5, s = 0.1, n = 3: the 95 % quantile of t with two degrees is 2.919986 (any table)
THREE = {0: 0.4, 1: 0.5, 2: 0.6}
MARGIN = 2.919986 * 0.1 / math.sqrt(3)


@pytest.mark.parametrize(
    ("bound", "holds"),
    [
        ({"at_least": 0.5 - MARGIN - 1e-6}, True),
        ({"at_least": 0.5 - MARGIN + 1e-6}, False),
        ({"at_most": 0.5 + MARGIN + 1e-6}, True),
        ({"at_most": 0.5 + MARGIN - 1e-6}, False),
        ({"within": (0.5, MARGIN + 1e-6)}, True),
        ({"within": (0.5, MARGIN - 1e-6)}, False),
        ({"within": (0.45, MARGIN + 0.01)}, False),
        ({"at_least": 0.4, "every": True}, True),
        ({"at_least": 0.41, "every": True}, False),
        ({"at_most": 0.6, "every": True}, True),
        ({"at_most": 0.59, "every": True}, False),
        ({"within": (0.5, 0.11), "every": True}, True),
        ({"within": (0.5, 0.09), "every": True}, False),
    ],
)
def test_a_sentence_about_seeds_keeps_its_bound_by_the_quantile_of_t(bound, holds):
    if holds:
        claim("so", values=THREE, **bound)
    else:
        with pytest.raises(ClaimError, match="3 seeds"):
            claim("so", values=THREE, **bound)


@pytest.mark.parametrize(
    ("values", "bound", "printed"),
    [
        (THREE, {"at_least": 0.3}, "0.5 ± 0.17, 3 seeds"),
        (THREE, {"at_least": 0.3, "every": True}, "0.4 to 0.6, 3 seeds"),
        (dict.fromkeys("abcd", 7), {"equal": 7}, "7 to 7, 4 seeds"),
    ],
)
def test_claims_about_seeds_show_how_far_and_how_many(capsys, values, bound, printed):
    claim("so", values=values, **bound)
    assert capsys.readouterr().out == f"✔ so   (measured {printed})\n"


@pytest.mark.parametrize("values", [THREE | {2: math.nan}, THREE | {2: math.inf}])
@pytest.mark.parametrize("every", [True, False])
def test_a_seed_that_fails_is_not_averaged_away(values, every):
    with pytest.raises(ClaimError):
        claim("so", values=values, within=(0.5, 100), every=every)
    with pytest.raises(ClaimError):
        claim("so", values=THREE | {2: 8}, equal=8)


@pytest.mark.parametrize(
    ("arguments", "error", "complaint"),
    [
        ({"values": {0: 1.0, 1: 1.0}, "at_least": 0}, ValueError, "3 or more, got 2"),
        ({"values": THREE}, TypeError, "needs a bound"),
        ({"at_least": 0}, TypeError, "one of the two"),
        ({"value": 1, "values": THREE, "at_least": 0}, TypeError, "one of the two"),
        ({"value": 1, "every": True, "at_least": 0}, TypeError, "several seeds"),
        ({"values": THREE | {0: "x"}, "at_least": 0}, TypeError, "one number, got 'x'"),
    ],
)
def test_claims_about_seeds_that_say_nothing_are_refused(arguments, error, complaint):
    with pytest.raises(error, match=complaint):
        claim("so", **arguments)


def test_paired_differences_are_of_the_same_seeds():
    assert paired({0: 3, 1: 5}, {1: 4, 0: 1}) == {0: 2, 1: 1}
    with pytest.raises(ValueError, match=r"\[0\] and \[1\]"):
        paired({0: 3}, {1: 4})
