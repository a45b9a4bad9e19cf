"""The study without pairs: what its measures mean, and that the record holds every plan."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from utils.datasets.looks import load_worlds
from utils.models import recolor
from utils.recorded import cycle

INK = load_worlds("ink")


class Known(nn.Module):
    """A generator that gives what a function of images (N, C, H, W) in [0, 1] gives."""

    def __init__(self, change):
        super().__init__()
        self._change = change

    def forward(self, x):
        return 2 * self._change((x + 1) / 2) - 1


def paint_ink(gray):
    """The ink of `load_worlds` without its noise."""
    paper, ink = (torch.tensor(c).view(3, 1, 1) / 255 for c in ((250, 240, 205), (20, 40, 140)))
    return paper * (1 - gray) + ink * gray


def remove_ink(color):
    return ((color[:, :1] * 255 - 250) / (20 - 250)).clamp(0, 1)


def test_the_true_translation_has_the_best_marks():
    row = cycle.run("ink", 0, SimpleNamespace(to_A=Known(remove_ink), to_B=Known(paint_ink)))
    assert row["accuracy"] > 0.97
    assert row["there"] < 0.02  # the noise of the paper
    assert row["spread"] == pytest.approx(1, abs=0.15)  # without the noise of the paper
    assert row["a"] < 0.001
    assert row["back"] == pytest.approx(row["swapped"], abs=0.01)
    read = np.array(row["read"])
    assert read.sum() == len(INK.labels)
    assert np.trace(read) / read.sum() == pytest.approx(row["accuracy"], abs=1e-4)


def test_a_negative_closes_the_cycle_and_loses_the_digit():
    row = cycle.run(
        "ink",
        0,
        SimpleNamespace(
            to_A=Known(lambda color: 1 - remove_ink(color)),
            to_B=Known(lambda gray: paint_ink(1 - gray)),
        ),
    )
    assert row["a"] < 0.001
    assert row["back"] < 0.05
    assert row["accuracy"] < 0.5
    assert row["swapped"] > 0.3


def test_one_picture_for_all_has_no_spread():
    same = Known(lambda gray: 0.2 + 0 * gray.repeat(1, 3, 1, 1))
    row = cycle.run("ink", 0, SimpleNamespace(to_A=Known(remove_ink), to_B=same))
    assert row["spread"] == pytest.approx(0, abs=1e-5)
    assert row["a"] > 0.05


def test_a_readout_finds_what_was_hidden_and_nothing_else():
    rng = np.random.default_rng(0)
    gray, ground = rng.random((1000, 8, 8)), rng.random((1000, 3))
    assert cycle.readout(gray, ground) < 0.05
    gray[:, 0, :3] = ground
    assert cycle.readout(gray, ground) > 0.9


def test_baselines_are_those_of_the_programs():
    read = cycle.baselines(INK)
    assert read["from the frame"] == cycle.reads(recolor.from_frame(INK.b_test), INK.labels)
    assert min(read["affine"], read["histogram"], read["from the frame"]) > 0.97
    assert cycle.reads(INK.a_test, INK.labels) > 0.97


@pytest.mark.parametrize("name", cycle.SETTINGS)
def test_every_planned_run_is_recorded(name):
    runs = cycle.runs(name)
    assert sorted(runs) == list(range(cycle.SETTINGS[name].seeds))
    for run in runs.values():
        assert 0 <= run["accuracy"] <= 1
        assert run["noise"] >= 0
    assert cycle.values(name, "back")[0] == runs[0]["back"]
