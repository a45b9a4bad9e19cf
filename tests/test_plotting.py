"""The look of the figures: readable on white, on black and by color-blind eyes; light in git."""

import io
from itertools import combinations

import matplotlib
import numpy as np
import pytest
from PIL import Image
from support.contrast import DARK, contrast, linear

from utils import plotting

# Machado, Oliveira & Fernandes (2009), severity 1.0: linear RGB as a color-blind reader sees it
BLINDNESS = {
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
}


def lab(rgb: np.ndarray) -> np.ndarray:
    """CIE L*a*b* (D65) of a linear RGB color."""
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    f = np.cbrt(np.clip(xyz @ rgb / [0.9505, 1.0, 1.089], 1e-6, None))
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("color", [*plotting.COLORS, plotting.OLIVE])
@pytest.mark.parametrize("ground", ["#ffffff", DARK])
def test_every_color_stands_out_on_both_themes(color, ground):
    assert contrast(color, ground) >= 3


@pytest.mark.parametrize("kind", BLINDNESS)
def test_colors_stay_apart_for_color_blind_readers(kind):
    seen = [lab(np.clip(np.array(BLINDNESS[kind]) @ linear(c), 0, 1)) for c in plotting.COLORS[:3]]
    assert min(np.linalg.norm(a - b) for a, b in combinations(seen, 2)) > 15


def test_curves_differ_by_more_than_color():
    cycle = plotting.style()["axes.prop_cycle"].by_key()
    assert len(set(map(str, cycle["linestyle"]))) == len(plotting.COLORS)
    assert len(set(plotting.MARKERS)) == len(plotting.COLORS)


def test_png_is_a_small_transparent_palette_twice_the_screen():
    fig, ax = plotting.figure(width=4, height=2)
    ax.plot([0, 1])
    image = Image.open(io.BytesIO(plotting.to_png(fig)))
    assert image.mode == "P"
    assert image.size == (576, 288)
    assert image.convert("RGBA").getpixel((0, 0))[3] == 0
    assert plotting.to_png(fig) == plotting.to_png(fig)
    data, metadata = plotting.png_bundle(fig, "a rising line")
    assert data["text/plain"] == "a rising line"
    assert metadata["image/png"] == {"alt": "a rising line", "width": 288, "height": 144}


def test_no_figure_without_alt_text():
    with pytest.raises(ValueError, match="needs an alt text"):
        plotting.png_bundle(plotting.figure()[0], "  ")


def test_show_displays_picture_and_caption(capture):
    plotting.show(plotting.figure()[0], 3, "A *thing*.", alt="a thing")
    picture, caption = capture()
    assert picture["data"]["text/plain"] == "a thing"
    assert caption["data"] == {
        "text/markdown": "**Figure 3.** A *thing*.",
        "text/plain": "Figure 3. A *thing*.",
    }


def test_image_grid_has_a_place_for_every_image():
    fig = plotting.image_grid(np.zeros((13, 28, 28)), [str(n) for n in range(13)], cols=5)
    shown = [ax for ax in fig.axes if ax.images]
    assert len(fig.axes) == 15
    assert [ax.get_title() for ax in shown] == [str(n) for n in range(13)]


def test_boxes_lie_where_their_fractions_say():
    _, ax = plotting.figure()
    boxes = np.array([[0.25, 0.5, 0.75, 1], [0, 0, 1, 0.5]])
    plotting.draw_boxes(ax, np.zeros((8, 8, 3), np.uint8), boxes, [1, 0], ["a", "b"], linestyle=":")
    assert [patch.get_bbox().extents.tolist() for patch in ax.patches] == boxes.tolist()
    assert ax.images[0].get_extent() == [0, 1, 1, 0]  # row 0 of the image is at the top, y = 0
    shown = [matplotlib.colors.to_hex(patch.get_edgecolor()) for patch in ax.patches]
    assert shown == [plotting.ORANGE, plotting.BLUE]
    assert [(text.get_text(), *text.get_position()) for text in ax.texts] == [
        ("a", 0.25, 0.5),
        ("b", 0, 0),
    ]


def test_decision_region_puts_the_line_where_the_score_is_zero():
    _, ax = plotting.figure()
    ax.set(xlim=(-2, 2), ylim=(-1, 1))
    plotting.decision_region(ax, lambda p: p[:, 0] - 0.5)
    line = ax.collections[-1].get_paths()[0].vertices
    np.testing.assert_allclose(line[:, 0], 0.5, atol=1e-9)
    assert ax.get_xlim() == (-2, 2)


def test_live_curve_keeps_every_point_and_shows_one_display(capture, monkeypatch):
    monkeypatch.delenv("COURSE_QUIET", raising=False)
    with plotting.LiveCurve(
        "train", "test", x="epoch", y="loss", number=1, caption="Falls.", alt="falling"
    ) as curve:
        for epoch in range(5):
            curve.add(epoch, train=1 / (epoch + 1), test=2 / (epoch + 1))
    np.testing.assert_allclose(curve.lines["test"].get_ydata(), 2 / np.arange(1, 6))
    first, *_, caption = capture()
    assert first["data"]["text/plain"] == "falling"
    assert caption["data"]["text/plain"] == "Figure 1. Falls."


def test_live_curve_refuses_an_unknown_name():
    curve = plotting.LiveCurve("train", x="epoch", y="loss", number=1, caption="c", alt="a")
    with pytest.raises(KeyError, match="no curve 'tset'; the curves are train"):
        curve.add(0, tset=1.0)
