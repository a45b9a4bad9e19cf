"""The stored form of notebooks: nothing that changes from run to run, and stable under itself."""

from __future__ import annotations

import base64
import copy
import io
import json

import nbformat
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.notebooks import normal_form
from tests.notebooks.normal_form import normal_outputs, normalize, palette_png, serialize
from tests.notebooks.samples import code, encoded, notebook, png, result, shown, stream, text


def decoded(data: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(data)))


def drawing(mode: str) -> Image.Image:
    """A colorful anti-aliased disk, more colors than a palette has, on white or on nothing."""
    y, x = np.mgrid[:120, :160]
    inside = np.clip(50 - np.hypot(x - 80, y - 60), 0, 1)
    tone = np.random.default_rng(0).uniform(0, 255, (30, 40)).repeat(4, 0).repeat(4, 1)
    color = np.stack([tone, 255 - tone, tone / 2], axis=-1)
    if mode == "RGBA":
        pixels = np.dstack([color, 255 * inside])
    else:
        pixels = 255 + (color - 255) * inside[..., None]
    return Image.fromarray(pixels.round().astype("uint8"))


@pytest.fixture
def raw():
    """A notebook as JupyterLab may save it."""
    picture = {"image/png": {"alt": "a", "width": 8, "height": 6, "dpi": 144}, "isolated": True}
    cells = [
        text("# 05 · Convolution, schön", "0a1b2c3d", metadata={"collapsed": True}),
        code("print(1)\nprint(2)", stream("1\n"), stream("e", "stderr"), stream("2\n")),
        code("1 + 1", result("2"), tags=["b", "a"]),
        code("", name="deadbee1"),
        code("show()", shown("a", picture, image_png=png())),
        code("slider", shown("IntSlider()", **{normal_form.WIDGET_VIEW: "{}"})),
        text("# 05 · Convolution, schön", "12345678-1234-1234-1234-1234567890ab"),
    ]
    made = notebook(*cells)
    made.cells[2].execution_count = 17
    made.cells[2].outputs[0].execution_count = 17
    made.cells[2].metadata["execution"] = {"iopub.status.busy": "now"}
    made.metadata = nbformat.from_dict(
        {"widgets": {"state": {}}, "language_info": {"version": "3"}}
    )
    return made


def test_metadata_is_fixed(raw):
    normal = normalize(raw)
    assert normal.metadata == normal_form.METADATA
    assert (normal.nbformat, normal.nbformat_minor) == (4, 5)
    assert [cell.metadata for cell in normal.cells] == [
        {},
        {},
        {"tags": ["a", "b"]},
        {},
        {},
        {},
        {},
    ]


def test_counts_are_one_where_there_is_code(raw):
    normal = normalize(raw)
    assert [c.execution_count for c in normal.cells if c.cell_type == "code"] == [1, 1, None, 1, 1]
    assert normal.cells[2].outputs[0].execution_count == 1


def test_random_ids_become_words_and_stay_apart(raw):
    ids = [cell.id for cell in normalize(raw).cells]
    assert ids[0] == "05-convolution-schon"
    assert ids[-1] == "05-convolution-schon-2"
    assert ids[3] == "code"
    assert len(set(ids)) == len(ids)
    assert all(map(normal_form.is_slug, ids))


def test_chosen_ids_stay():
    cells = [text("# A", "conv-im2col"), text("# B", "setup"), text("# C", "12")]
    assert [cell.id for cell in normalize(notebook(*cells)).cells] == ["conv-im2col", "setup", "12"]


def test_an_id_that_stands_twice_is_changed_once():
    made = notebook(text("x", "idea"), text("y", "other"), text("z", "idea-2"))
    made.cells[1].id = "idea"
    assert [cell.id for cell in normalize(made).cells] == ["idea", "idea-2", "idea-2-2"]


def test_streams_are_joined_by_name(raw):
    outputs = normalize(raw).cells[1].outputs
    assert [(o.name, o.text) for o in outputs] == [("stdout", "1\n2\n"), ("stderr", "e")]


def test_screen_control_is_applied():
    (output,) = normal_outputs([stream("10%\r50%\r100%\nab\x08c\nend\r\n")])
    assert output["text"] == "100%\nac\nend\r\n"


def test_widget_views_are_dropped_and_their_words_kept(raw):
    assert normalize(raw).cells[5].outputs[0].data == {"text/plain": "IntSlider()"}
    assert normal_outputs([shown(**{normal_form.WIDGET_VIEW: "{}"})]) == []


@pytest.mark.parametrize(
    ("tag", "metadata"),
    [
        (
            "fold-code",
            {
                "tags": ["fold-code", "hide-input"],
                "cellView": "form",
                "jupyter": {"source_hidden": True},
            },
        ),
        (
            "fold-output",
            {
                "tags": ["fold-output", "hide-output"],
                "collapsed": True,
                "jupyter": {"outputs_hidden": True},
            },
        ),
        ("going-deeper", {"tags": ["going-deeper"], "jp-MarkdownHeadingCollapsed": True}),
    ],
)
def test_a_tag_folds_in_every_front_end_and_leaves_nothing_when_it_goes(raw, tag, metadata):
    raw.cells[2].metadata["tags"] = [tag]
    folded = normalize(raw)
    assert folded.cells[2].metadata == metadata
    assert normalize(folded) == folded
    folded.cells[2].metadata["tags"].remove(tag)
    assert normalize(folded).cells[2].metadata == {}


def test_picture_metadata_is_what_a_page_needs(raw):
    kept = normalize(raw).cells[4].outputs[0].metadata
    assert kept == {"image/png": {"alt": "a", "width": 8, "height": 6}}


def test_the_argument_is_not_changed(raw):
    before = copy.deepcopy(raw)
    normalize(raw)
    assert raw == before


def test_normal_form_is_stable_and_valid(raw):
    once = normalize(raw)
    nbformat.validate(once)
    again = nbformat.reads(serialize(once), as_version=4)
    assert serialize(normalize(again)) == serialize(once)


def test_the_text_is_plain_json_for_git(raw):
    written = serialize(normalize(raw))
    assert written.endswith("}\n")
    assert not written.endswith("\n\n")
    assert "\r" not in written
    assert "schön" in written
    assert (
        written
        == json.dumps(json.loads(written), indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    )


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_pictures_get_a_palette_and_keep_their_look(mode):
    picture = drawing(mode)
    small = palette_png(encoded(picture))
    assert decoded(small).mode == "P"
    assert len(small) < 0.6 * len(encoded(picture))
    assert palette_png(small) == small
    before = np.asarray(picture.convert("RGBA"), dtype=float)
    after = np.asarray(decoded(small).convert("RGBA"), dtype=float)
    for pixels in (before, after):
        pixels[..., :3] *= pixels[..., 3:] / 255
    assert np.abs(before - after).mean() < 5
    assert np.abs(before - after).max() < 64


def test_half_transparent_edges_stay_half_transparent():
    picture = drawing("RGBA")
    alpha = np.asarray(picture)[..., 3].astype(int)
    kept = np.asarray(decoded(palette_png(encoded(picture))).convert("RGBA"))[..., 3].astype(int)
    assert (kept[alpha == 0] == 0).all()
    assert (kept[alpha == 255] > 240).all()
    edge = (alpha > 64) & (alpha < 192)
    assert edge.sum() > 50
    assert ((kept[edge] > 0) & (kept[edge] < 255)).all()


def test_white_stays_white():
    corner = decoded(palette_png(encoded(drawing("RGB")))).convert("RGB").getpixel((0, 0))
    assert corner == (255, 255, 255)


def test_a_picture_that_would_grow_is_left_alone():
    tiny = png(size=(1, 1))
    assert palette_png(tiny) == tiny.strip()


def test_same_picture_sees_another_curve_but_no_rounding():
    pixels = np.full((20, 20, 3), 255, "uint8")
    rounded, other, wider = pixels.copy(), pixels.copy(), np.full((20, 21, 3), 255, "uint8")
    rounded[3, 4] -= 9
    other[3, 4] = 0
    first, *others = (encoded(Image.fromarray(p)) for p in (pixels, rounded, other, wider))
    assert [normal_form.same_picture(first, one) for one in others] == [True, False, False]


@given(st.text())
def test_every_heading_gives_a_slug_or_nothing(words):
    slug = normal_form.slug(words)
    assert len(slug) <= normal_form.SLUG_LENGTH
    assert slug == "" or normal_form.SLUG.fullmatch(slug)


@pytest.mark.parametrize(
    ("cell_id", "chosen"),
    [
        ("conv-im2col", True),
        ("deadbeef", True),
        ("dea1beef", False),
        ("Conv", False),
        ("a--b", False),
        ("a_b", False),
        ("f81d4fae-7dec-11d0-a765-00a0c91e6bf6", False),
    ],
)
def test_which_ids_are_words(cell_id, chosen):
    assert normal_form.is_slug(cell_id) is chosen
