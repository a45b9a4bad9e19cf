"""The README opens with what a reader will see, not with what once was there."""

import io

import numpy as np
import pytest
from PIL import Image

from tests.browser import readme

pytestmark = pytest.mark.browser


def gray(png: bytes) -> np.ndarray:
    """A picture as a coarse gray grid: fonts differ between machines, the layout does not."""
    return np.asarray(Image.open(io.BytesIO(png)).convert("L").resize((22, 14)), float)


def test_the_picture_shows_chapter_01_as_it_is(lab, lab_page):
    fresh = readme.picture(lab_page, lab)
    stored = readme.PICTURE.read_bytes()
    assert Image.open(io.BytesIO(stored)).size == readme.SIZE
    assert len(stored) <= 150_000
    assert np.abs(gray(fresh) - gray(stored)).mean() < 12, "python -m tests.browser.readme"
    lab_page.set_viewport_size({"width": 1280, "height": 900})
