"""Diagrams: six architectures are drawn as a chapter would draw them, and looked at by a ruler."""

from __future__ import annotations

import inspect
import io
from functools import lru_cache
from itertools import combinations

import numpy as np
import pytest
from matplotlib.colors import to_hex, to_rgba
from matplotlib.transforms import Bbox
from PIL import Image
from support.contrast import DARK, contrast
from support.imports import imported

from utils import plotting
from utils.diagrams import Diagram
from utils.plotting import BLUE, GRAY, GREEN, ORANGE


def lenet() -> Diagram:
    d = Diagram(10.4, 2, scale=0.15)
    d.row(
        [
            d.tensor("image", (3, 32, 32), color=GRAY),
            d.tensor("C1", (6, 28, 28)),
            d.tensor("S2", (6, 14, 14), color=GREEN),
            d.tensor("C3", (16, 10, 10)),
            d.tensor("S4", (16, 5, 5), color=GREEN),
            d.tensor("flat", (400,), color=GRAY),
            d.tensor("F5", (120,), color=ORANGE),
            d.tensor("F6", (84,), color=ORANGE),
            d.tensor("scores", (10,), color=ORANGE),
        ],
        labels=[
            "conv 5×5\nReLU",
            "max\npool",
            "conv 5×5\nReLU",
            "max\npool",
            "flatten",
            "dense\nReLU",
            "dense\nReLU",
            "dense",
        ],
    )
    return d


def residual_block() -> Diagram:
    d = Diagram(10.4, 2.2)
    d.row(
        [
            d.tensor("x", (64, 16, 16), text="$x$", color=GRAY),
            d.dot("split"),
            d.box("conv 1", text="conv 3×3\nbatch norm"),
            d.box("ReLU", color=GREEN),
            d.box("conv 2", text="conv 3×3\nbatch norm"),
            d.circle("sum", text="+"),
            d.box("ReLU after the sum", text="ReLU", color=GREEN),
            d.tensor("y", (64, 16, 16), text="$y$", color=GRAY),
        ],
        0.85,
        labels=["", "", "", "", "$F(x)$"],
    )
    d.arrow("split", "sum", "shortcut: the identity", bend="|-|", reach=0.65, color=ORANGE)
    block = ["split", "conv 1", "ReLU", "conv 2", "sum", "ReLU after the sum"]
    d.group("residual block", block)
    return d


def lstm_cell() -> Diagram:
    d, columns = Diagram(9, 3.9), (2.0, 3.3, 4.6, 5.9)
    gates = ["forget gate", "input gate", "candidate", "output gate"]
    for gate, text, x in zip(gates, ["σ", "σ", "tanh", "σ"], columns, strict=True):
        d.box(gate, (x, 1.5), f"{gate}\n{text}", color=GREEN if "tanh" in text else BLUE)
    for name, at in {"keep": (2, 3.2), "write": (4.6, 2.4), "show": (7.2, 1.5)}.items():
        d.circle(name, at, "⊙")
    d.circle("add", (4.6, 3.2), "+")
    d.circle("tanh", (7.2, 2.4), color=GREEN)
    for name, x in zip(["h and x", "1", "2", "3"], (1.2, *columns), strict=False):
        d.dot(name, (x, 0.8))
    d.dot("c", (7.2, 3.2))
    d.text("$x_t$", (1.2, 0.2))
    for name, x in {"{t-1}": 0.4, "t": 8.6}.items():
        d.text(f"$c_{name}$", (x, 3.2))
        d.text(f"$h_{name}$", (x, 0.8))
    d.connect("$c_{t-1}$", "keep", "add", "c", "$c_t$", color=ORANGE)
    d.connect("$h_{t-1}$", "h and x", "1", "2", "3", "candidate", "write", "add")
    for way in ("$x_t$", "h and x"), ("1", "forget gate", "keep"), ("2", "input gate"):
        d.connect(*way)
    d.connect("c", "tanh", "show")
    d.arrow("output gate", "show")
    d.arrow("3", "output gate", bend="-|")
    d.arrow("input gate", "write", bend="|-")
    d.arrow("show", "$h_t$", bend="|-")
    d.group("LSTM cell", ["h and x", *gates, "keep", "write", "add", "c", "tanh", "show"])
    return d


def attention() -> Diagram:
    d, states = Diagram(8.6, 3.7), ["$h_1$", "$h_2$", "$h_3$"]
    what = "attention\n$c = Σ_s α_s h_s$"
    d.box("attention", (2.5, 2.5), what, width=3.8, height=0.8, color=ORANGE)
    for k, (letter, state) in enumerate(zip("cat", states, strict=True)):
        d.text(letter, (1 + 1.5 * k, 0.2))
        d.box(state, (1 + 1.5 * k, 1), f"GRU  {state}")
        d.arrow(letter, state)
        d.arrow(state, "attention", f"$α_{k + 1}$", color=ORANGE)
    d.connect(*states)
    d.text("$y_{t-1}$", (6.3, 0.2))
    d.box("$s_t$", (6.3, 1), "GRU  $s_t$", color=GREEN)
    d.box("output", (7.7, 2.5), "dense\nsoftmax", color=GREEN)
    d.text("$y_t$", (7.7, 3.45))
    d.arrow("$h_3$", "$s_t$", "first state")
    d.arrow("$y_{t-1}$", "$s_t$")
    d.arrow("$s_t$", "attention", "query $s_t$", bend="|-", shift=-0.2)
    d.arrow("attention", "output", "context $c$", shift=0.2, color=ORANGE)
    d.arrow("$s_t$", "output", bend="-|")
    d.arrow("output", "$y_t$")
    d.group("encoder", states, pad=0.35)
    d.group("decoder", ["$s_t$", "output"])
    return d


def vae() -> Diagram:
    d = Diagram(10.4, 3.1)
    image = d.tensor("x", (1, 28, 28), text="$x$", color=GRAY)
    d.row([image, d.box("encoder")], 1.6, right=2.7)
    d.tensor("μ", (20,), (3.7, 2.35))
    d.tensor("log σ²", (20,), (3.7, 0.85))
    d.arrow("encoder", "μ", bend="-|-")
    d.arrow("encoder", "log σ²", bend="-|-")
    d.circle("scale", (6.2, 0.85), "⊙")
    d.circle("shift", (6.2, 1.6), "+")
    d.text("ε", (6.2, 0.18), "ε ∼ N(0, 1)", color=ORANGE)
    d.arrow("μ", "shift", bend="-|")
    d.arrow("log σ²", "scale", "σ = exp(½ log σ²)")
    d.arrow("ε", "scale", color=ORANGE)
    d.arrow("scale", "shift", color=ORANGE)
    image = d.tensor("x hat", (1, 28, 28), text=r"$\hat{x}$", color=GRAY)
    d.row([d.tensor("z", (20,), text="$z$"), d.box("decoder"), image], 1.6, left=7.1)
    d.arrow("shift", "z")
    return d


def gan() -> Diagram:
    d = Diagram(9.6, 3.2)
    d.tensor("z", (64,), (0.4, 0.95), text="$z$", color=GRAY)
    d.box("generator", (1.9, 0.95), "generator\n$G$", color=GREEN)
    d.tensor("fake", (1, 28, 28), (4.1, 0.95), text="fake: $G(z)$", color=GREEN)
    d.tensor("real", (1, 28, 28), (4.1, 2.4), text="real: $x$", color=GRAY)
    d.box("discriminator", (6.2, 1.67), "discriminator\n$D$", height=2.4)
    d.box("loss of D", (8.9, 2.4), "loss of $D$")
    d.box("loss of G", (8.9, 0.95), "loss of $G$", color=GREEN)
    d.connect("z", "generator", "fake", "discriminator", shift=0.12)
    d.arrow("real", "discriminator")
    d.arrow("discriminator", "loss of D", "$D(x)$, $D(G(z))$", shift=0.12)
    d.arrow("discriminator", "loss of G", "$D(G(z))$", shift=0.12)
    back = {"shift": -0.12, "side": "below", "dashed": True}
    d.arrow("loss of D", "discriminator", "gradient for $D$", color=BLUE, **back)
    path = ["loss of G", "discriminator", "fake", "generator"]
    d.connect(*path, labels=["gradient for $G$", "through $D$"], color=GREEN, **back)
    return d


SIX = {draw.__name__: draw for draw in (lenet, residual_block, lstm_cell, attention, vae, gan)}
six = pytest.mark.parametrize("name", SIX)


class Drawn:
    """What a figure shows, in pixels of its canvas, as matplotlib's renderer measures it."""

    def __init__(self, d: Diagram) -> None:
        self.diagram, self.fig = d, d.figure
        self.fig.set_dpi(plotting.SCREEN_DPI * plotting.PIXEL_RATIO)
        self.fig.canvas.draw()
        (ax,) = self.fig.axes
        self.texts = list(ax.texts)
        self.patches = list(ax.patches)

    def of(self, gid: str) -> list:
        return [patch for patch in self.patches if patch.get_gid() == gid]

    def shapes(self) -> list:
        return [p for p in self.patches if p.get_gid().split()[0] not in ("line", "head")]

    def lines(self) -> list:
        return [p for p in self.patches if p.get_gid().startswith("line ")]


@lru_cache
def drawn(name: str) -> Drawn:
    return Drawn(SIX[name]())


def path_of(patch):
    return patch.get_transform().transform_path(patch.get_path())


def distance(point: np.ndarray, patch) -> float:
    """From a point to the border of a patch, in pixels."""
    nearest = np.inf
    for polygon in path_of(patch).to_polygons(closed_only=False):
        p, q = polygon[:-1], polygon[1:]
        way = q - p
        t = ((point - p) * way).sum(1) / np.maximum((way**2).sum(1), 1e-12)
        near = p + np.clip(t, 0, 1)[:, None] * way
        nearest = min(nearest, np.linalg.norm(near - point, axis=1).min())
    return nearest


def ends(line) -> tuple[str, str]:
    start, end = line.get_gid().removeprefix("line the arrow ").split(" → ")
    return start, end


@six
def test_a_diagram_takes_as_many_lines_as_a_cell(name):
    lines = inspect.getsource(SIX[name]).splitlines()[1:-1]  # of `def` and `return` a cell has none
    assert len(lines) <= 25
    assert max(len(line) - 4 for line in lines) <= 88


@six
def test_nothing_lies_outside_the_canvas(name):
    picture = drawn(name)
    canvas = picture.fig.bbox
    for artist in (*picture.texts, *picture.patches):
        box = artist.get_window_extent()
        assert canvas.x0 <= box.x0 <= box.x1 <= canvas.x1, artist
        assert canvas.y0 <= box.y0 <= box.y1 <= canvas.y1, artist


@six
def test_no_text_touches_another_or_a_border_or_an_arrow(name):
    picture = drawn(name)
    for a, b in combinations(picture.texts, 2):
        same = a.get_gid() == b.get_gid()  # lines of one text stand close
        assert same or not a.get_window_extent().overlaps(b.get_window_extent()), (a, b)
    for text in picture.texts:
        box = text.get_window_extent()
        for patch in picture.patches:
            assert not path_of(patch).intersects_bbox(box, filled=False), (text, patch.get_gid())


@six
def test_a_text_stands_in_its_own_shape_and_in_no_other(name):
    picture = drawn(name)
    for text in picture.texts:
        center = text.get_window_extent().get_points().mean(0)
        within = {p.get_gid() for p in picture.shapes() if path_of(p).contains_point(center)}
        within = {gid for gid in within if not gid.startswith("group ")}
        inside = text.get_gid().split()[0] in ("box", "circle")
        assert within == ({text.get_gid()} if inside else set())


@six
def test_arrows_run_from_border_to_border(name):
    picture = drawn(name)
    kinds = {p.get_gid().partition(" ")[2]: p.get_gid() for p in picture.shapes()}
    texts = {t.get_gid().partition(" ")[2]: t for t in picture.texts}
    assert len(picture.lines()) == len(picture.diagram._arrows) > 0
    for line in picture.lines():
        start, end = ends(line)
        heads = [
            head
            for head in picture.of(line.get_gid().replace("line", "head"))
            if distance(path_of(line).vertices[-1], head) < 1
        ]
        is_dot = kinds.get(end, "").startswith("dot ")
        assert len(heads) == (0 if is_dot else 1)
        tip = path_of(heads[0]).vertices[0] if heads else path_of(line).vertices[-1]
        back = np.linalg.norm(path_of(line).vertices[-1] - tip)  # no blunt line under a sharp tip
        assert back == pytest.approx(0.11 * 144 if heads else 0)
        for point, shape in ((path_of(line).vertices[0], start), (tip, end)):
            if shape in kinds:
                borders = picture.of(kinds[shape])
                near = 5.1 if kinds[shape].startswith("dot ") else 0.5  # a dot's radius
                assert min(distance(point, border) for border in borders) < near, line
                if near == 0.5:
                    middle = path_of(line).interpolated(20).vertices[10]
                    assert not any(path_of(border).contains_point(middle) for border in borders)
            else:
                box = texts[shape].get_window_extent()
                assert not box.contains(*point)
                assert box.padded(12).contains(*point)


@six
def test_no_arrow_crosses_a_shape(name):
    picture = drawn(name)
    for line in picture.lines():
        inner = path_of(line).interpolated(50).vertices
        for patch in picture.shapes():
            gid = patch.get_gid()
            if gid.partition(" ")[2] not in ends(line) and not gid.startswith("group "):
                assert not path_of(patch).contains_points(inner).any(), (line.get_gid(), gid)


@six
@pytest.mark.parametrize("ground", ["#ffffff", DARK])
def test_all_is_readable_on_both_themes(name, ground):
    picture = drawn(name)
    assert picture.fig.get_facecolor()[3] == 0
    for patch in picture.patches:
        color = patch.get_facecolor() if "head" in patch.get_gid() else patch.get_edgecolor()
        assert contrast(to_hex(color), ground) >= 3
        *fill, opacity = patch.get_facecolor()
        if patch in picture.shapes() and opacity < 1:
            behind = opacity * np.array(fill) + (1 - opacity) * np.array(to_rgba(ground))[:3]
            assert contrast(plotting.GRAY, to_hex(behind)) >= 3
    assert all(contrast(text.get_color(), ground) >= 3 for text in picture.texts)
    assert {text.get_color() for text in picture.texts if "box" in text.get_gid()} <= {GRAY}


SAID = {
    "lenet": "image 3×32×32 → conv 5×5 ReLU → C1 6×28×28 → max pool → S2 6×14×14 → conv 5×5 ReLU"
    " → C3 16×10×10 → max pool → S4 16×5×5 → flatten → flat 400 → dense ReLU → F5 120"
    " → dense ReLU → F6 84 → dense → scores 10.",
    "residual_block": "x 64×16×16 → conv 1 (conv 3×3 batch norm) → ReLU"
    " → conv 2 (conv 3×3 batch norm) → F(x) → sum (+) → ReLU after the sum (ReLU) → y 64×16×16;"
    " x → shortcut: the identity → sum."
    " residual block frames conv 1, ReLU, conv 2, sum, ReLU after the sum.",
    "gan": "z 64 → generator G → fake: G(z) 1×28×28 → discriminator D → D(x), D(G(z)) → loss of D;"
    " real: x 1×28×28 → discriminator → D(G(z)) → loss of G;"
    " dashed: loss of D → gradient for D → discriminator;"
    " dashed: loss of G → gradient for G → discriminator → through D → fake → generator.",
}


@pytest.mark.parametrize("name", SAID)
def test_the_alt_text_says_what_the_picture_shows(name):
    assert drawn(name).diagram.describe() == SAID[name]


def spoken(text: str) -> str:
    return " ".join(
        text.replace(r"\hat{x}", "x hat").translate({ord(s): "" for s in "${}"}).split()
    )


@six
def test_the_alt_text_names_every_shape_and_label(name):
    said = drawn(name).diagram.describe()
    for text in drawn(name).texts:
        assert spoken(text.get_text()) in said
    for shape in drawn(name).shapes():
        kind, _, shape_name = shape.get_gid().partition(" ")
        assert kind == "dot" or spoken(shape_name) in said


@six
def test_a_figure_can_be_shown(name, capture):
    d = drawn(name).diagram
    plotting.show(d.figure, 7, "An architecture.", alt=d.describe())
    picture, caption = capture()
    assert picture["metadata"]["image/png"]["alt"] == d.describe()
    assert caption["data"]["text/plain"] == "Figure 7. An architecture."
    image = Image.open(io.BytesIO(picture["data"]["image/png"])).convert("RGBA")
    assert np.abs(image.size - 144 * np.array([d.width, d.height])).max() <= 1
    assert image.getpixel((0, 0))[3] == 0
    assert len(picture["data"]["image/png"]) < 40_000


def two(a=(0.7, 1.5), b=(3.3, 1.5), **options) -> Diagram:
    """A diagram with boxes a and b of one inch by half an inch."""
    d = Diagram(4, 3)
    for name, at in {"a": a, "b": b}.items():
        d.box(name, at, width=1, height=0.5)
    if options:
        d.arrow("a", "b", **options)
    return d


def corners(d: Diagram) -> np.ndarray:
    """Start, bends and tip of the only arrow, in inches."""
    picture = Drawn(d)
    (line,), (head,) = picture.lines(), [p for p in picture.patches if "head" in p.get_gid()]
    vertices = line.get_path().vertices
    bends = vertices[line.get_path().codes == 3][::2]  # each curve has its corner first
    return np.array([vertices[0], *bends, head.get_path().vertices[0]])


WAYS = {
    "level": ({"shift": 0}, [(1.2, 1.5), (2.8, 1.5)]),
    "level, shifted": ({"shift": 0.1}, [(1.2, 1.6), (2.8, 1.6)]),
    "upright": ({"b": (0.7, 0.5), "shift": 0}, [(0.7, 1.25), (0.7, 0.75)]),
    "upright, shifted": ({"b": (0.7, 0.5), "shift": 0.1}, [(0.8, 1.25), (0.8, 0.75)]),
    "slanted": (
        {"b": (3.3, 0.2 + 0.25), "shift": 0},
        [(1.2, 1.5 - 0.5 * 1.05 / 2.6), (2.8, 0.45 + 0.5 * 1.05 / 2.6)],
    ),
    "across, down": ({"b": (3.3, 0.5), "bend": "-|"}, [(1.2, 1.5), (3.3, 1.5), (3.3, 0.75)]),
    "down, across": ({"b": (3.3, 0.5), "bend": "|-"}, [(0.7, 1.25), (0.7, 0.5), (2.8, 0.5)]),
    "a step": ({"b": (3.3, 0.5), "bend": "-|-"}, [(1.2, 1.5), (2, 1.5), (2, 0.5), (2.8, 0.5)]),
    "no step": ({"bend": "-|-"}, [(1.2, 1.5), (2, 1.5), (2.8, 1.5)]),
    "an upright step": (
        {"b": (3.3, 0.3), "bend": "|-|", "shift": 0.1},
        [(0.8, 1.25), (0.8, 0.9), (3.4, 0.9), (3.4, 0.55)],
    ),
    "above": ({"bend": "|-|", "reach": 0.6}, [(0.7, 1.75), (0.7, 2.35), (3.3, 2.35), (3.3, 1.75)]),
    "below": ({"bend": "|-|", "reach": -0.6}, [(0.7, 1.25), (0.7, 0.65), (3.3, 0.65), (3.3, 1.25)]),
    "on the right": (
        {"b": (0.7, 0.5), "bend": "-|-", "reach": 0.4},
        [(1.2, 1.5), (1.6, 1.5), (1.6, 0.5), (1.2, 0.5)],
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_ways(way):
    options, expected = WAYS[way]
    np.testing.assert_allclose(corners(two(**options)), expected, atol=1e-9)


def test_a_straight_arrow_is_level_where_the_smaller_shape_lies_opposite_the_other():
    d = Diagram(4, 3)
    d.box("tall", (0.7, 1.5), height=2.5)
    d.box("small", (3, 2.2))
    d.arrow("small", "tall")
    np.testing.assert_allclose(corners(d)[:, 1], 2.2)


def test_a_circle_is_met_on_its_rim_from_everywhere():
    for x, y in [(0.6, 1.5), (0.5, 0.4), (2, 0.4), (3.4, 2.6)]:
        d = Diagram(4, 3)
        d.circle("sum", (2, 1.5), "+")
        d.box("a", (x, y))
        d.arrow("a", "sum")
        np.testing.assert_allclose(np.hypot(*(corners(d)[-1] - (2, 1.5))), 0.18, atol=1e-3)


def test_an_arrow_from_above_ends_at_the_caption_of_a_tensor():
    d = Diagram(3, 3)
    d.column([d.box("a"), d.tensor("x", (4, 9, 9)), d.box("b")])
    picture = Drawn(d)
    tips = [path_of(p).vertices[0] for p in picture.patches if "head" in p.get_gid()]
    name, size = (text.get_window_extent() for text in picture.texts[1:3])
    assert name.y1 < tips[0][1] < name.y1 + 12
    assert path_of(picture.lines()[1]).vertices[0][1] < size.y0


@pytest.mark.parametrize("y", [0.4, 2.6])
@pytest.mark.parametrize("ends", ["ab", "ba"])
def test_a_slanted_arrow_is_shifted_up_whatever_its_direction(y, ends):
    d = two(b=(3.3, y))
    d.arrow(*ends)
    e = two(b=(3.3, y))
    e.arrow(*ends, shift=0.05)
    for x in (1.5, 2, 2.5):
        low, high = (np.interp(x, *np.array(sorted(map(tuple, corners(f)))).T) for f in (d, e))
        assert high > low + 0.05


def bodies(d: Diagram, kind: str = "box") -> list[Bbox]:
    """The rectangles of all shapes of a kind, in inches."""
    (ax,) = d.figure.axes
    patches = [patch for patch in ax.patches if patch.get_gid().startswith(kind)]
    return [ax.transData.inverted().transform_bbox(path_of(p).get_extents()) for p in patches]


def test_a_row_fills_its_width_with_equal_spare_gaps():
    d = Diagram(8, 1)
    d.row([d.box(name, width=w) for name, w in zip("abc", (1, 2, 1), strict=True)], left=1)
    a, b, c = bodies(d)
    assert (a.x0, c.x1) == pytest.approx((1, 7.9))
    assert b.x0 - a.x1 == pytest.approx(c.x0 - b.x1)
    assert [box.y0 + box.y1 for box in (a, b, c)] == pytest.approx([1, 1, 1])


def test_a_row_of_one_stands_in_the_middle():
    d = Diagram(8, 1)
    d.row([d.box("a")])
    assert bodies(d)[0].x0 + bodies(d)[0].x1 == pytest.approx(8)


def test_captions_keep_clear_of_each_other_in_a_row():
    d = Diagram(6, 2)
    names = ["a very long name", "another long name", "c"]
    d.row([d.tensor(name, (9,)) for name in names])
    a, b, c = bodies(d, "tensor")
    assert b.x0 - a.x1 > c.x0 - b.x1 + 0.2


def test_a_tall_formula_makes_a_high_box():
    d = Diagram(4, 3)
    d.box("plain", (1, 1), "a/b")
    d.box("tall", (3, 1), r"$\frac{\sum_k a_k}{b^2}$")
    plain, tall = bodies(d)
    assert tall.height > plain.height + 0.1
    text = Drawn(d).texts[1].get_window_extent().transformed(Drawn(d).fig.transFigure.inverted())
    assert 3 * text.y0 > tall.y0 + 0.05
    assert 3 * text.y1 < tall.y1 - 0.05


def test_a_label_makes_room_for_itself_in_a_row():
    d = Diagram(8, 1)
    d.row([d.box("a"), d.box("b"), d.box("c")], labels=["a long operation", "short"])
    a, b, c = bodies(d)
    assert b.x0 - a.x1 > c.x0 - b.x1 + 0.2


def test_a_column_runs_down():
    d = Diagram(2, 4)
    d.column([d.box("first"), d.box("second")], labels=["then"])
    first, second = bodies(d)
    assert first.y0 > second.y1
    assert d.describe() == "first → then → second."


@pytest.mark.parametrize("side", ["above", "below"])
def test_a_label_stands_on_the_side_that_is_asked_for(side):
    picture = Drawn(two(label="label", side=side))
    box = next(t for t in picture.texts if t.get_text() == "label").get_window_extent()
    y = path_of(picture.lines()[0]).vertices[0][1]
    assert (box.y0 > y) if side == "above" else (box.y1 < y)


def test_a_label_moves_away_from_what_stands_there():
    d = two(label="label")
    d.text("in the way", (2, 1.65))
    picture = Drawn(d)
    label, way = (picture.texts[k].get_window_extent() for k in (3, 2))
    assert not label.overlaps(way)
    assert label.y1 < path_of(picture.lines()[0]).vertices[0][1]  # below


@pytest.mark.parametrize(("channels", "sheets"), [(1, 1), (3, 3), (6, 4), (16, 6), (512, 8)])
def test_maps_have_more_sheets_where_there_are_more_channels(channels, sheets):
    d = Diagram(4, 3)
    d.tensor("x", (channels, 25, 16), (2, 1.5))
    found = Drawn(d).of("tensor x")
    assert len(found) == sheets
    size = found[0].get_path().get_extents().size
    assert (found[0].get_width(), found[0].get_height()) == pytest.approx((0.18 * 4, 0.18 * 5))
    assert size.min() > 0


def test_a_frame_holds_its_members_the_arrows_between_them_and_its_title():
    d = Diagram(6, 3)
    d.row([d.box("a"), d.box("b"), d.box("c")], left=0.5, right=5.5)
    d.arrow("a", "b", bend="|-|", reach=0.5)
    d.group("pair", ["a", "b"])
    d.group("all", ["pair", "c"])
    d.text("out", (5, 0.2))
    d.arrow("all", "out")
    picture = Drawn(d)
    pair, outer = (
        path_of(picture.of(f"group {name}")[0]).get_extents() for name in ("pair", "all")
    )
    for inside, frame in ((pair, outer), (path_of(picture.lines()[2]).get_extents(), pair)):
        assert Bbox.intersection(inside, frame).bounds == pytest.approx(inside.bounds)
    titles = {t.get_text(): t.get_window_extent() for t in picture.texts}
    assert Bbox.intersection(titles["pair"], pair).bounds == titles["pair"].bounds
    assert d.describe() == "a → b → c; a → b; all → out. pair frames a, b. all frames pair, c."


def test_a_frame_is_as_wide_as_its_title():
    d = Diagram(4, 3)
    d.dot("a", (2, 1))
    d.group("a title that is long", ["a"])
    picture = Drawn(d)
    frame, title = path_of(picture.of("group a title that is long")[0]), picture.texts[0]
    assert frame.get_extents().x0 < title.get_window_extent().x0
    assert title.get_window_extent().x1 < frame.get_extents().x1


def test_the_alt_text_of_what_no_arrow_joins():
    d = two()
    d.text("c", (2, 2.5), "a conv")
    assert d.describe() == "a; b; c (a conv)."
    assert Diagram().describe() == ""


def test_two_figures_of_a_diagram_are_equal():
    d = two(label="label")
    assert plotting.to_png(d.figure) == plotting.to_png(d.figure)


def test_matplotlib_is_loaded_only_when_something_is_measured():
    assert not {"matplotlib", "numpy"} & imported("import utils.diagrams")


def crowded() -> Diagram:
    d = Diagram(1.3, 0.45)
    d.row([d.box("a"), d.box("b")])
    d.arrow("b", "a", "far too long")
    return d


def with_shape(d: Diagram, at, name="c", **options) -> Diagram:
    d.box(name, at, **options)
    return d


def framed(**options) -> Diagram:
    d = two()
    d.group("frame", ["a"], **options)
    return d


def barred() -> Diagram:
    """A frame whose title has arrows all over its place."""
    d = Diagram(4, 3)
    d.box("a", (2, 1), width=1.6)
    d.box("b", (2, 2.6), width=1.6)
    for k in range(-7, 8):
        d.arrow("a", "b", shift=k / 10)
    d.group("title", ["a"])
    return d


def maps() -> Diagram:
    d = Diagram(4, 3)
    d.tensor("x", (1, 36, 36), (2, 1.5))
    return d


def through_caption() -> Diagram:
    """An arrow that leaves the maps on the right and rises through their long name."""
    d = Diagram(4, 3)
    d.tensor("x", (1, 4, 4), (2, 1), "a long name")
    d.box("a", (1.5, 2.5))
    d.arrow("x", "a", bend="-|-", reach=0.1)
    return d


def short_row() -> None:
    d = Diagram(1.1, 1)
    d.row([d.box("a"), d.box("b")])


def unplaced() -> Diagram:
    d = two()
    d.box("lost")
    return d


REFUSED = {
    "no name": (lambda: Diagram().box(" ", text="x"), "a shape needs a name"),
    "a name twice": (lambda: with_shape(two(), (2, 0.5), "a"), "already a shape 'a'"),
    "an empty text": (lambda: Diagram().box("a", (1, 1), " "), "'a' has an empty text"),
    "an empty label": (lambda: two(label=" "), "'a → b' has an empty text"),
    "a sign that the font lacks": (lambda: Diagram().circle("a", text="门"), "no '门'"),
    "another color": (lambda: Diagram().text("a", color="red"), "plotting.COLORS, got 'red'"),
    "another color of an arrow": (lambda: two(color="red"), "plotting.COLORS, got 'red'"),
    "off the canvas": (lambda: two((0.4, 1.5)), "'a', .* is not on the canvas of 4 × 3"),
    "off its top": (lambda: Diagram().tensor("a", (9,), (4, 2.9)), "is not on the canvas"),
    "nowhere": (lambda: two((np.nan, 1.5)), "is not on the canvas"),
    "an overlap": (lambda: with_shape(two(), (3.1, 1.8)), "'c' overlaps 'b'"),
    "an overlap with a caption": (lambda: with_shape(maps(), (2, 0.75)), "'c' overlaps 'x'"),
    "a frame off the canvas": (lambda: framed(pad=0.3), "'frame', .* is not on the canvas"),
    "an unknown start": (lambda: two().arrow("q", "b"), "no shape 'q'; the shapes are a, b"),
    "an unknown end": (lambda: two().arrow("a", "q"), "no shape 'q'"),
    "an unknown shape in a row": (lambda: two().row(["q"]), "no shape 'q'"),
    "an unknown member": (lambda: two().group("g", ["q"]), "no shape 'q'"),
    "an arrow to nowhere": (lambda: unplaced().arrow("a", "lost"), "'lost' has no place"),
    "a shape left over": (lambda: unplaced().figure, "'lost' has no place"),
    "a placed shape in a row": (lambda: two().row(["a"]), "'a' has a place already"),
    "a frame around nothing": (lambda: two().group("g", []), "'g' frames nothing"),
    "four axes": (lambda: Diagram().tensor("x", (1, 2, 3, 4)), "1 to 3 positive whole"),
    "a size of zero": (lambda: Diagram().tensor("x", (0, 2)), "1 to 3 positive whole"),
    "half a pixel": (lambda: Diagram().tensor("x", (1.5,)), "1 to 3 positive whole"),
    "a row too long": (short_row, r"the row a → b needs 1\.\d\d inches, there are 0\.90"),
    "too many labels": (lambda: two().connect("a", "b", labels=["x", "y"]), "1 arrows and 2"),
    "another bend": (lambda: two(bend="~"), "bend must be one of .* got '~'"),
    "another side": (lambda: two(side="top"), "side must be one of .* got 'top'"),
    "to itself": (lambda: two().arrow("a", "a"), "inside its own shapes"),
    "a bend inside": (lambda: two(bend="-|"), "inside its own shapes; try another bend"),
    "a shift too far": (lambda: two(shift=0.3), "misses its shapes: shift=0.3"),
    "no room for a head": (lambda: two(b=(1.85, 1.5), shift=0), "too short for its head"),
    "around the canvas": (lambda: two(bend="|-|", reach=2), "leaves the canvas"),
    "through a shape": (
        lambda: with_shape(two(shift=0), (2, 1.5)).figure,
        "the arrow a → b runs through 'c'",
    ),
    "through its own caption": (
        lambda: through_caption().figure,
        "the arrow x → a runs through 'x'",
    ),
    "a frame that cuts": (
        lambda: with_shape(framed(), (0.9, 2.0), height=0.3).figure,
        "'frame' cuts 'c'",
    ),
    "a title without room": (lambda: barred().figure, "no room for the title of 'title'"),
    "a label without room": (lambda: crowded().figure, "no room for 'far too long'"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_drawn_well_is_refused(case):
    draw, message = REFUSED[case]
    with pytest.raises(ValueError, match=message):
        draw()
