"""The exercise of chapter 00, Start here."""

from __future__ import annotations

import numpy as np

from utils.exercises._agree import agree
from utils.exercises._compare import sizes
from utils.exercises._exercise import exercise


@exercise(
    "00.1",
    hints=(
        "Compare both arrays element by element: `answers == labels` holds True and False.",
        "True counts as 1 and False as 0. The share of True is their mean.",
    ),
    why="The mean of an array of True and False is the number of True divided by its length.",
)
def accuracy(answers, labels):
    """Share of the N answers (N,) that equal their labels (N,): a number from 0 to 1."""
    return np.mean(answers == labels)


@accuracy.check
def _(answer, rng):
    for _ in range(3):
        (n,) = sizes(rng, 1)
        answers, labels = rng.integers(0, 3, size=n), rng.integers(0, 3, size=n)
        answers[0], labels[0], answers[1], labels[1] = 0, 0, 1, 2  # neither all right nor all wrong
        right = sum(int(a == b) for a, b in zip(answers, labels, strict=True))
        agree(answer, (answers, labels), right / n, "the accuracy")


@accuracy.mistakes
def _(answers, labels):
    right, wrong = np.sum(answers == labels), np.sum(answers != labels)
    return {
        "this is how many are right: divide by how many there are": right,
        "this is the share of mistakes: count what is equal": wrong / len(labels),
        "this is how many are wrong: count what is equal and divide": wrong,
    }
