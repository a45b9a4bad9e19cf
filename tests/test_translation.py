"""The study of painting: what its measures mean, and that the record holds every plan."""

import numpy as np
import pytest
import torch

from utils import metrics
from utils.datasets import load_sketches
from utils.models import unet
from utils.recorded import translation

DATA = load_sketches()


def test_a_perfect_painter_has_perfect_marks():
    marks = translation.rate(DATA.y_test, DATA)
    assert marks["all"] == marks["color"] == marks["hue"] == 0
    assert marks["chroma"] == 1
    assert marks["frechet"] == pytest.approx(0, abs=1e-3)
    assert marks["kind"] > 0.8  # the judge is not perfect itself


def test_a_painter_without_color_has_none():
    white = np.repeat(DATA.x_test[..., None], 3, axis=3)
    marks = translation.rate(white, DATA)
    assert marks["chroma"] == 0
    assert np.isnan(marks["hue"])
    assert marks["color"] == pytest.approx(metrics.color_error(white, DATA.y_test), abs=1e-4)


def test_snapped_colors_are_those_of_the_palette_and_gray_stays():
    palette = np.array([[1, 0, 0], [0, 0, 1]], np.float32)
    picture = np.array([[[0.9, 0.2, 0.1], [0.3, 0.2, 0.9], [0.4, 0.4, 0.45]]], np.float32)[None]
    made = translation.snapped(picture, palette)
    np.testing.assert_array_equal(made[0, 0], [[1, 0, 0], [0, 0, 1], picture[0, 0, 2]])
    assert picture[0, 0, 0, 0] == np.float32(0.9)  # the argument is left alone


def test_dabs_show_true_colors_at_the_same_places_for_everybody():
    torch.manual_seed(3)
    before = torch.random.get_rng_state()
    three = translation.dabbed(DATA, 3)
    assert torch.equal(before, torch.random.get_rng_state())
    assert torch.equal(three, translation.dabbed(DATA, 3))
    where, color = three[:, 1] > 0, three[:, 2:]
    # the middle of a dab is a true color; its square is flat within a tenth
    truth = unet.to_target(DATA.y_test)
    assert float((color - truth).abs().amax(dim=1)[where].max()) <= unet.FLAT + 1e-6
    pixels = where.flatten(1).sum(dim=1)
    assert int(pixels.max()) <= 3 * 9
    assert float((pixels > 0).float().mean()) > 0.99


def test_torn_outlines_have_holes_in_their_lines_and_nothing_else():
    torn = translation.tear(DATA.x_test)
    changed = torn != DATA.x_test
    assert (torn[changed] == 1).all()
    erased = changed.sum(axis=(1, 2))
    # a hole takes at least one dark pixel, at most all of its square
    assert erased.min() >= 1
    assert erased.max() <= translation.GAPS * translation.GAP**2
    assert np.median(erased) > translation.GAPS * translation.GAP
    with_dabs = translation.dabbed(DATA, 2, torn=True)
    np.testing.assert_allclose((with_dabs[:, 0].numpy() + 1) / 2, torn, atol=1e-6)
    assert torch.equal(with_dabs[:, 1:], translation.dabbed(DATA, 2)[:, 1:])


def test_a_run_tells_everything_about_its_net():
    torch.manual_seed(0)
    plain = translation.run("L1", 7, unet.UNet())
    assert plain["name"] == "L1"
    assert plain["seed"] == 7
    assert plain["dabs"][0] == plain["color"]  # no dab: the bucket has nothing to pour
    hinted = translation.run("L1, dabs", 0, unet.UNet(extra=unet.HINTS))
    assert hinted["dabs"][0] == hinted["color"]
    assert len(hinted["dabs"]) == len(hinted["dabs, torn"]) == len(translation.DABS)


@pytest.mark.parametrize("name", translation.SETTINGS)
def test_every_setting_trains(name):
    G = translation.train(name, 0, steps=1)
    assert all(p.grad is not None for p in G.parameters())


def test_every_planned_run_is_recorded():
    for name in translation.SETTINGS:
        runs = translation.runs(name)
        assert sorted(runs) == list(translation.SEEDS)
        for run in runs.values():
            assert 0 < run["all"] < run["color"] < 1
    assert translation.values("L1", "color")[1] == translation.runs("L1")[1]["color"]
