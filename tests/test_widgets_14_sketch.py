"""The sketch pad of chapter 14: its numbers against PyTorch, SciPy and the data set; its state."""

from __future__ import annotations

import base64

import numpy as np
import pytest
import torch
import traitlets

from tests.support.javascript import state_of
from utils import metrics
from utils.datasets import load_sketches
from utils.models import unet
from utils.recorded import painter
from utils.widgets import SketchPad
from utils.widgets.sketch_pad import (
    COLORS,
    EMPTY,
    LINES,
    MOST,
    PLAN,
    STARTS,
    TOOLS,
    compose,
    outline_of,
    visible,
)

HOUSE = [(16, 30), (32, 14), (48, 30), (48, 52), (16, 52), (16, 30)]
HOLE = ("eraser", [(48, 38), (48, 44)])


def random_weights(seed):
    """A U-Net whose batch normalizations have something to say, and its weights folded."""
    torch.manual_seed(seed)
    model = unet.UNet(extra=4).eval()
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            for value in (module.weight, module.running_var):
                torch.nn.init.uniform_(value, 0.5, 1.5)
            for value in (module.bias, module.running_mean):
                torch.nn.init.uniform_(value, -0.3, 0.3)
    return model, unet.fold(model)


def random_state(rng):
    """A start with lines, holes and dabs at random places, some of them at the very edge."""
    marks = []
    for tool in rng.choice(TOOLS, rng.integers(1, 9)):
        points = rng.uniform(0, 64, (rng.integers(1, 6) if tool in LINES else 1, 2)).round(1)
        marks.append((str(tool), np.where(rng.random(points.shape) < 0.1, 64, points).tolist()))
    return {
        "start": str(rng.choice([*STARTS, EMPTY])),
        "marks": marks,
        "bucket": bool(rng.integers(2)),
    }


@pytest.fixture(scope="module")
def pad():
    return SketchPad()


@pytest.fixture(scope="module")
def page(node, pad):
    """The script, its painter and its true colors, left in Node."""
    script = node(pad)
    net = script.keep("unpack", pad.weights, pad.constants)
    return script, net, script.keep("cut", pad.pictures, pad.constants)


# ---------------------------------------------------------------- what is drawn


def test_the_starts_are_outlines_that_training_does_not_show():
    data = load_sketches()
    for start, glyph in STARTS.items():
        row = list(data.glyphs_test).index(glyph)
        np.testing.assert_allclose(outline_of(start), data.x_test[row], atol=1e-6)
        np.testing.assert_allclose(SketchPad(start=start).true_colors, data.y_test[row], atol=1e-6)
    assert not set(STARTS.values()) & set(data.glyphs_train)
    np.testing.assert_array_equal(outline_of(EMPTY), 1)


def test_a_dab_is_the_square_with_which_the_network_was_trained():
    truth = torch.full((1, 3, 64, 64), -1.0)
    truth[:] = torch.tensor(list(bytes.fromhex(COLORS["green"])))[:, None, None] / 127.5 - 1
    for row, column in ((40, 20), (0, 63)):
        places = torch.zeros(1, 1, 64, 64)
        places[0, 0, row, column] = 1
        wanted = unet.dab(torch.ones(1, 1, 64, 64), truth, places, torch.tensor([1]))[0]
        ours = compose(EMPTY, [("green", [(column + 0.3, row + 0.9)])])
        np.testing.assert_allclose(ours, wanted, atol=1e-6)


def test_a_line_is_as_thick_as_openmojis():
    """A straight line darkens, over its length, as much as the sides of a drawn square do."""
    data = load_sketches()
    drawn = data.x_test[list(data.glyphs_test).index("♈")]
    theirs = (1 - drawn)[20:40, :32].sum(axis=1).mean()
    for x in (30, 30.5, 30.8):
        ours = (1 - compose(EMPTY, [("line", [(x, 4), (x, 60)])])[0])[20:40].sum(axis=1) / 2
        np.testing.assert_allclose(ours, theirs, atol=0.05)


def test_a_line_by_hand_holds_paint_and_an_erased_one_does_not():
    rng = np.random.default_rng(0)
    for _ in range(20):
        corners = 32 + rng.uniform(15, 30, (9, 1)) * [
            (np.cos(a), np.sin(a)) for a in np.linspace(0, 2 * np.pi, 9)
        ]
        corners[-1] = corners[0]
        closed = [("line", corners.tolist()), ("red", [(32, 32)])]
        pad = SketchPad(start=EMPTY, marks=closed)
        x = torch.tensor(pad.sketch[None], dtype=torch.float32)
        white = np.ones((1, 64, 64, 3))
        assert (unet.bucket_fill(white, x)[0] != 1).any(axis=2).sum() > 300
        pad.marks = [*closed, ("eraser", [corners[3:5].mean(axis=0).tolist()])]
        x = torch.tensor(pad.sketch[None], dtype=torch.float32)
        np.testing.assert_array_equal(unet.bucket_fill(white, x), white)


def test_the_eraser_wipes_lines_and_color_away():
    sketch = compose("shirt", [("red", [(30, 30)]), ("eraser", [(0, y) for y in range(0, 65, 2)])])
    np.testing.assert_array_equal(sketch[0, :, :2], 1)
    assert sketch[1].sum() == 9
    gone = compose("shirt", [("red", [(30, 30)]), ("eraser", [(30, 30)])])
    assert not gone[1:].any()


def test_the_script_draws_the_same_sketch(page, pad):
    script, _, truths = page
    rng, dabs = np.random.default_rng(1), 0
    for _ in range(30):
        state = random_state(rng)
        shown = script.compose(truths, state, pad.constants)
        ours = compose(state["start"], state["marks"])
        np.testing.assert_array_equal(np.reshape(shown, (64, 64, 5)).transpose(2, 0, 1), ours)
        dabs += ours[1].sum() > 0
    assert dabs > 10


# ---------------------------------------------------------------- the network


def test_python_paints_what_the_torch_network_does():
    model, weights = random_weights(2)
    rounded = {name: np.float16(array) for name, array in weights.items()}
    state = random_state(np.random.default_rng(3))
    pad = SketchPad(weights, start=state["start"], marks=state["marks"])
    x = torch.tensor(pad.sketch[None], dtype=torch.float32)
    wanted = unet.paint(model, x)[0]
    assert wanted.std() > 0.05
    np.testing.assert_allclose(pad.painted, wanted, atol=5e-3)  # float16
    exact = unet.apply_folded(rounded, x).permute(0, 2, 3, 1)[0].numpy()
    np.testing.assert_allclose(pad.painted, (exact + 1) / 2, atol=1e-6)


def test_the_script_paints_what_python_does(node):
    rng = np.random.default_rng(4)
    for weights in (None, random_weights(5)[1]):
        pad = SketchPad(weights)
        script = node(pad)
        net = script.keep("unpack", pad.weights, pad.constants)
        truths = script.keep("cut", pad.pictures, pad.constants)
        colorful = failed = 0
        for _ in range(8):
            pad.start, pad.marks, pad.bucket = random_state(rng).values()
            shown = script.numbers(net, truths, state_of(pad), pad.constants)
            painted = np.reshape(shown["painted"], (64, 64, 3))
            assert np.abs(painted - pad.painted).max() < 1e-5
            colorful += painted.std() > 0.05
            if pad.bucket:
                filled = np.reshape(shown["filled"], (64, 64, 3))
                assert np.abs(filled - pad.filled).max() < 1e-5
                failed += np.abs(filled - painted).max() > 0.1
            else:
                assert shown["filled"] is None
            errors = pad.errors or {"painted": None, "filled": None}
            assert shown["errors"]["painted"] == pytest.approx(errors["painted"], abs=1e-5)
            wanted = errors["filled"] if pad.bucket else None
            assert shown["errors"]["filled"] == pytest.approx(wanted, abs=1e-5)
        assert failed
        assert colorful > 4


def test_the_script_remembers_what_it_painted_and_forgets_what_is_old(page, pad):
    """The same sketches in turn, more of them than it remembers."""
    script, net, truths = page
    states = [{"start": start, "marks": [], "bucket": False} for start in (*STARTS, "shirt")]
    first, *_, last = (script.numbers(net, truths, s, pad.constants)["painted"] for s in states)
    assert first == last


def test_the_script_fills_as_scipy_labels(page, pad):
    """A dab within, beside a hole, in two rooms, upon the line and the paper behind, in corners."""
    script, *_ = page
    base = np.random.default_rng(6).random((64, 64, 3))
    house, differs = [("line", HOUSE)], []
    for marks in (
        [*house, ("red", [(32, 40)])],
        [*house, HOLE, ("red", [(32, 40)])],
        [*house, ("red", [(32, 40)]), ("blue", [(25, 45)]), ("line", [(16, 44), (48, 44)])],
        [*house, ("red", [(48, 40)])],
        [*house, ("red", [(47, 51)]), ("green", [(0, 0)]), ("pink", [(64, 64)])],
        [("line", [(0, 10), (20, 10), (20, 0)]), ("red", [(5, 5)])],
    ):
        sketch = compose(EMPTY, marks)
        x = torch.tensor(sketch[None], dtype=torch.float32)
        wanted = unet.bucket_fill(base[None], x)[0]
        given = script.keep("compose", {}, {"start": EMPTY, "marks": marks}, pad.constants)
        shown = script.fill(base.ravel(), given, pad.constants)
        np.testing.assert_allclose(np.reshape(shown, (64, 64, 3)), wanted, atol=1e-6)
        differs.append((wanted != base).any())
    assert differs == [True, False, True, False, True, False]


def test_the_plan_is_that_of_the_model():
    """Weights of the model that is trained fit, and no others."""
    folded = unet.fold(unet.UNet(extra=4))
    pad = SketchPad(folded)
    assert sum(array.size for array in folded.values()) == sum(
        outputs * (1 + inputs * (9 if kind == "last" else 16)) for kind, inputs, outputs in PLAN
    )
    sent = np.frombuffer(base64.b64decode(pad.weights), "<f2")
    assert sent.nbytes <= 1_000_000
    assert (
        np.sort(sent).tolist()
        == np.sort(
            np.concatenate([array.ravel() for array in folded.values()]).astype("<f2")
        ).tolist()
    )
    with pytest.raises(ValueError, match=r"up2.bias of shape \(32,\), got \(31,\)"):
        SketchPad(folded | {"up2.bias": np.zeros(31)})
    with pytest.raises(ValueError, match=r"needs last\.weight"):
        SketchPad({name: a for name, a in folded.items() if name != "last.weight"})


def test_the_recorded_painter_listens_to_dabs():
    """Three dabs of true color each lower the error at held-out outlines by a quarter at least."""
    data, weights = load_sketches(), painter.weights()
    x, y = unet.to_input(data.x_test), unet.to_target(data.y_test)
    errors = []
    for dabs in (0, 3):
        made = unet.dab(x, y, unet.dab_places(x, y), torch.full((len(x),), dabs))
        painted = (unet.apply_folded(weights, made).permute(0, 2, 3, 1).numpy() + 1) / 2
        errors.append(metrics.color_error(painted, data.y_test))
    assert errors[0] < 0.17
    assert errors[1] < 0.75 * errors[0]


# ---------------------------------------------------------------- the widget


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"marks": [("pencil", [(3, 3)])]}, "a tool of line, eraser, red"),
        ({"marks": [("line", [(3, 65)])]}, "from 0 to 64"),
        ({"marks": [("line", [(3, float("nan"))])]}, "marks must be"),
        ({"marks": [("line", [])]}, "marks must be"),
        ({"marks": [("red", [(3, 3), (4, 4)])]}, "a single one for a color"),
        ({"marks": [("red", 3)]}, "marks must be"),
        ({"marks": 3}, "marks must be"),
        ({"marks": [("line", [(3, 3)] * (MOST + 1))]}, "at most 2000 points"),
        ({"start": "unicorn"}, "start must be one of shirt"),
        ({"tool": "pencil"}, "tool must be one of line"),
        ({"pen": (3, 65)}, "between 0 and 64"),
        ({"bucket": "yes"}, "boolean"),
    ],
)
def test_the_pad_refuses(state, words):
    with pytest.raises(traitlets.TraitError, match=words):
        SketchPad(**state)


def test_the_pad_in_words_and_as_code():
    pad = SketchPad(start="frog", marks=[("green", [(32, 40)]), HOLE], bucket=True)
    said = pad.describe()
    assert "The outline of a frog." in said
    assert "1 mark of line or eraser; dabs of color: green at 32, 40." in said
    assert f"errs by {pad.errors['painted']:.2f}" in said
    assert f"a paint program by {pad.errors['filled']:.2f}" in said
    assert eval(repr(pad)).marks == pad.marks
    empty = SketchPad(start=EMPTY, marks=[])
    assert (empty.errors, empty.true_colors) == (None, None)
    assert "A sheet of paper" in empty.describe()
    assert "errs" not in empty.describe()


def test_the_picture_of_the_pad_shows_the_numbers():
    pad = SketchPad(bucket=True, truth=True)
    shown = [ax.images[0].get_array() for ax in pad.draw().axes]
    wanted = [visible(pad.sketch), pad.painted, pad.filled, pad.true_colors]
    for ours, theirs in zip(shown, wanted, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert "CC BY-SA" in pad.draw().axes[0].get_xlabel()
    data, metadata = pad._repr_mimebundle_()
    assert metadata["image/png"]["alt"] == pad.describe()
    assert len(data["image/png"]) <= 60_000
    pad.bucket = pad.truth = False
    assert len(pad.draw().axes) == 2
    assert pad._repr_mimebundle_()[0]["image/png"] != data["image/png"]
