"""The slider of λ and the cycle viewer of chapter 14: their records, their numbers, their state."""

from __future__ import annotations

import base64
import io
import itertools

import numpy as np
import pytest
import torch
import traitlets
from PIL import Image
from torch import nn

from utils.datasets import load_sketches
from utils.datasets.looks import cropped, load_worlds
from utils.models import unet
from utils.recorded import cycle, judge, paintings, round_trips, translation
from utils.widgets import CycleViewer, LambdaSlider
from utils.widgets.cycle_viewer import AROUND_A, AROUND_B, DIRECTIONS, WORLDS
from utils.widgets.lambda_slider import LAMBDAS, MEASURES

STATES = [
    dict(zip(("world", "direction", "digit", "swapped"), values, strict=True))
    for values in itertools.product(WORLDS, DIRECTIONS, "012345", (False, True))
]


# ---------------------------------------------------------------- the paintings


def test_the_glyphs_are_held_out_and_each_painting_belongs_to_its_outline():
    data = load_sketches()
    assert set(paintings.GLYPHS) <= set(data.glyphs_test)
    outlines, truths = paintings.examples()
    for glyph, outline, truth in zip(paintings.GLYPHS, outlines, truths, strict=True):
        row = data.glyphs_test.index(glyph)
        np.testing.assert_array_equal(outline, data.x_test[row])
        np.testing.assert_array_equal(truth, data.y_test[row])
    assert tuple(paintings.pictures()) == paintings.SHOWN
    for name, painted in paintings.pictures().items():
        assert painted.shape == truths.shape
        assert 0 <= painted.min() < painted.max() <= 1
        away = np.abs(painted.min(axis=3)[:, None] - outlines).mean(axis=(2, 3))
        np.testing.assert_array_equal(away.argmin(axis=1), range(len(outlines)), err_msg=name)


def test_settings_run_from_the_largest_weight_of_l1_to_none():
    lams = [translation.SETTINGS[name].lam for name in paintings.SHOWN]
    assert lams == [None, 100, 50, 10, 1, 0]
    shown = [np.inf if text == "∞" else float(text) for text, _ in LAMBDAS.values()]
    assert shown == [np.inf, *lams[1:]]


def test_what_is_kept_is_what_was_painted():
    torch.manual_seed(0)
    G = unet.UNet(width=4)
    kept = paintings.painted(G)
    wanted = unet.paint(G, paintings.examples()[0])
    assert kept.dtype == np.uint8
    np.testing.assert_allclose(kept / paintings.STEPS, wanted, atol=0.5 / paintings.STEPS + 1e-6)


# ---------------------------------------------------------------- the slider of λ


def test_the_scripts_means_equal_numpy(node):
    slider = LambdaSlider()
    seen = set()
    for name in paintings.SHOWN:
        slider.setting = name
        shown = node(slider).numbers(slider.measured, name)
        assert shown == pytest.approx(slider.numbers, rel=1e-12)
        for key in MEASURES:
            seeds = [row[key] for row in translation.runs(name).values()]
            assert slider.measured[name][key] == seeds
            assert shown[key] == pytest.approx(np.mean(seeds), rel=1e-12)
        seen.add(tuple(shown.values()))
    assert len(seen) == len(paintings.SHOWN)


def test_the_scripts_charts_show_all_seeds(node):
    slider = LambdaSlider()
    for key in MEASURES:
        values = [list(translation.values(name, key).values()) for name in paintings.SHOWN]
        shown = node(slider).chart(slider.measured, key)
        assert shown["seeds"] == values
        np.testing.assert_allclose(shown["means"], [np.mean(seeds) for seeds in values])
        assert shown["top"] == max(map(max, values))


def test_the_pages_pictures_are_the_recorded_ones():
    slider = LambdaSlider()
    outlines, truths = paintings.examples()
    sets = {"outline": outlines, "truth": truths} | paintings.pictures()
    assert sets.keys() == slider.pictures.keys()
    for name, images in sets.items():
        for text, image in zip(slider.pictures[name], images, strict=True):
            kind, code = text.split(",")
            assert kind == "data:image/png;base64"
            shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(code))))
            np.testing.assert_allclose(shown / 255, image, atol=0.501 / 255)


@pytest.mark.parametrize("setting", paintings.SHOWN)
def test_the_state_of_the_slider(setting):
    slider = LambdaSlider(setting=setting)
    _, truths = paintings.examples()
    for error, painted, truth in zip(
        slider.errors, paintings.pictures()[setting], truths, strict=True
    ):
        colored = truth.max(axis=2) - truth.min(axis=2) > 0.12
        assert error == pytest.approx(np.abs(painted - truth)[colored].mean(), rel=1e-5)
    assert repr(slider) == f"LambdaSlider(setting={setting!r})"
    words = slider.describe()
    assert words.startswith(
        {"L1": "λ = ∞, L1 alone", "GAN": "λ = 0, GAN alone"}.get(setting, setting)
    )
    assert f"color error {slider.numbers['color']:.3f}" in words
    assert f"book {slider.errors[-1]:.2f}." in words


def test_the_sliders_picture_shows_the_paintings():
    slider = LambdaSlider(setting="λ = 1")
    fig = slider.draw()
    shown = np.stack([ax.images[0].get_array() for ax in fig.axes])
    outlines, truths = paintings.examples()
    np.testing.assert_array_equal(shown[:6, ..., 1], outlines)
    np.testing.assert_array_equal(shown[6:12], paintings.pictures()["λ = 1"])
    np.testing.assert_array_equal(shown[12:], truths)
    assert [ax.get_title() for ax in fig.axes[6:12]] == [f"{error:.2f}" for error in slider.errors]
    assert "OpenMoji, CC BY-SA 4.0" in fig.get_supxlabel()


# ---------------------------------------------------------------- the round trips


def test_the_travelers_are_test_digits_in_the_same_look_whatever_the_seed():
    for name, trips in round_trips.trips().items():
        for seed in (0, 1):
            worlds = load_worlds(round_trips.look_of(name), seed)
            rows = [list(worlds.labels).index(digit) for digit in round_trips.DIGITS]
            np.testing.assert_allclose(trips.a, worlds.a_test[rows], atol=0.501 / 255)
            np.testing.assert_allclose(trips.b, worlds.b_test[rows], atol=0.501 / 255)


def test_the_judge_reads_what_is_recorded():
    for name, trips in round_trips.trips().items():
        for field in ("a", "a_back", "b_there"):
            read = judge.read(cropped(getattr(trips, field)))
            np.testing.assert_array_equal(trips.reads[field], read, err_msg=name)
        np.testing.assert_array_equal(trips.reads["a"], round_trips.DIGITS)


def test_six_digits_err_about_as_all_do():
    for name, trips in round_trips.trips().items():
        setting, seed = round_trips.TRAININGS[name]
        row = cycle.runs(setting)[seed]
        for key, start, back in (
            ("a", trips.a, trips.a_back),
            ("back", trips.b, trips.b_back),
            ("swapped", trips.b, trips.a_there),
        ):
            mean = round_trips.error(start, back).mean()
            assert mean == pytest.approx(row[key], rel=0.5), (name, key)


class Tint(nn.Module):
    """Gray in three channels, the last of them darker."""

    def forward(self, x):
        return torch.cat([x, x, x - 0.5 * (x + 1)], dim=1)


class Gray(nn.Module):
    """The mean of the channels."""

    def forward(self, x):
        return x.mean(dim=1, keepdim=True)


def test_travel_goes_there_and_back_in_both_directions():
    worlds = load_worlds("any colors")
    kept = round_trips.travel(Gray(), Tint(), worlds)
    rows = [list(worlds.labels).index(digit) for digit in round_trips.DIGITS]
    a, b = worlds.a_test[rows], worlds.b_test[rows]
    gray = b.mean(axis=3)
    wanted = {
        "a": a,
        "a_there": np.stack([a, a, a / 2], axis=3),
        "a_back": a * 5 / 6,
        "b": b,
        "b_there": gray,
        "b_back": np.stack([gray, gray, gray / 2], axis=3),
    }
    for field, images in wanted.items():
        assert kept[field].dtype == np.uint8
        np.testing.assert_allclose(kept[field] / 255, images, atol=0.51 / 255, err_msg=field)
    assert kept["a read"].tolist() == list(round_trips.DIGITS)
    assert kept.keys() - wanted.keys() == {"a read", "a_back read", "b_there read"}


def test_an_error_is_a_mean_over_all_channels():
    rng = np.random.default_rng(0)
    for shape in ((3, 4, 4), (3, 4, 4, 3)):
        start, back = rng.random((2, *shape), np.float32)
        wanted = [np.mean(np.abs(x - y)) for x, y in zip(start, back, strict=True)]
        np.testing.assert_allclose(round_trips.error(start, back), wanted, rtol=1e-6)


# ---------------------------------------------------------------- the cycle viewer


def test_the_scripts_numbers_equal_numpy(node):
    viewer = CycleViewer()
    script = node(viewer)
    bytes_of = {world: script.keep("unpack", viewer.pictures[world]) for world in WORLDS}
    seen = set()
    for state in STATES:
        for name, value in state.items():
            setattr(viewer, name, value)
        world = state["world"]
        shown = script.numbers(
            bytes_of[world], viewer.reads[world], viewer.study[world], state, viewer.constants
        )
        for pixels, image in zip(shown.pop("pictures"), viewer.images, strict=True):
            np.testing.assert_allclose(
                np.reshape(pixels, image.shape) / 255, image, atol=1e-6, err_msg=str(state)
            )
        assert shown.pop("read") == viewer.read
        assert shown == pytest.approx(viewer.numbers, rel=1e-5), state
        seen.add(shown["error"])
    assert len(seen) == len(WORLDS) * 3 * 6


def test_a_trip_starts_where_it_should_and_a_swap_hides_nothing():
    trips = round_trips.trips()["neon"]
    viewer = CycleViewer(world="neon", direction=AROUND_B, digit="4")
    start, middle, back = viewer.images
    np.testing.assert_array_equal(start, trips.b[4])
    np.testing.assert_array_equal(middle, trips.b_there[4])
    assert viewer.read == [None, trips.reads["b_there"][4], None]
    viewer.swapped = True
    start, middle, end = viewer.images
    np.testing.assert_array_equal(start, trips.b[4])
    np.testing.assert_array_equal(middle, trips.a[4])
    assert viewer.read == [None, 4, None]
    assert (back != end).any()
    assert viewer.numbers["mean"] == cycle.runs("neon, long")[0]["swapped"]
    viewer.direction = AROUND_A
    start, middle, back = viewer.images
    np.testing.assert_array_equal(start, trips.a[4])
    np.testing.assert_array_equal(middle, end)
    assert viewer.numbers["mean"] == cycle.runs("neon, long")[0]["a"]
    assert viewer.numbers["accuracy"] == cycle.runs("neon, long")[0]["accuracy"]


@pytest.mark.parametrize("state", STATES[5::11])
def test_the_state_of_the_viewer(state):
    viewer = CycleViewer(**state)
    n, words = viewer.numbers, viewer.describe()
    start, _, back = viewer.images
    assert n["error"] == pytest.approx(np.abs(start - back).mean(), rel=1e-5)
    assert eval(repr(viewer)).images[1].tolist() == viewer.images[1].tolist()
    assert f"Error of the way back {n['error']:.3f}" in words
    assert ("true gray digit" in words) == (state["swapped"] and state["direction"] == AROUND_B)
    for read in viewer.read:
        assert read is None or f"read as {read}" in words


def test_the_viewers_picture_shows_the_trip():
    viewer = CycleViewer(world="ink", digit="2")
    axes = viewer.draw().axes
    for ax, image in zip(axes, viewer.images, strict=True):
        np.testing.assert_array_equal(ax.images[0].get_array(), image)
    assert axes[1].get_title() == f"middle: read as {viewer.read[1]}"


# ---------------------------------------------------------------- both


@pytest.mark.parametrize(
    ("make", "state", "words"),
    [
        (LambdaSlider, {"setting": "λ = 2"}, "L1.*λ = 100.*GAN"),
        (CycleViewer, {"world": "oil"}, "ink.*ink, seed 1.*neon.*any colors"),
        (CycleViewer, {"direction": "A → B"}, "A → B → A.*B → A → B"),
        (CycleViewer, {"digit": "6"}, "digit"),
        (CycleViewer, {"swapped": "yes"}, "swapped"),
    ],
)
def test_a_state_that_makes_no_sense_is_refused(make, state, words):
    with pytest.raises(traitlets.TraitError, match=words):
        make(**state)


@pytest.mark.parametrize("make", [lambda: LambdaSlider(setting="GAN"), CycleViewer])
def test_what_a_notebook_stores_is_light(make):
    widget = make()
    data, metadata = widget._repr_mimebundle_()
    assert data["image/png"].startswith(b"\x89PNG")
    assert len(data["image/png"]) <= 60_000
    assert metadata["image/png"]["alt"] == widget.describe()
