"""The README opens with what a reader will see, not with what once was there."""

import io

import numpy as np
import pytest
from PIL import Image

from tests.browser import readme

pytestmark = pytest.mark.browser


def gray(image: Image.Image) -> np.ndarray:
    """A picture as a coarse gray grid: fonts differ between machines, the layout does not."""
    return np.asarray(image.convert("L").resize((32, 22)), float)


def test_the_moving_picture_shows_the_widgets_as_they_are(page):
    stored = Image.open(io.BytesIO(readme.PICTURE.read_bytes()))
    assert stored.size == readme.SIZE
    assert readme.PICTURE.stat().st_size <= 1_500_000
    last = -1
    for scene in readme.scenes():
        last += len(scene.states)
        stored.seek(last)
        (fresh,) = readme.shots(page, scene._replace(states=scene.states[-1:]))
        assert np.abs(gray(fresh) - gray(stored)).mean() < 6, "python -m tests.browser.readme"
    assert stored.n_frames == last + 1
