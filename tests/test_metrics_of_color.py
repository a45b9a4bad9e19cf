"""Metrics of pictures in color against colorsys, closed forms and pictures made for the purpose."""

import colorsys
import itertools

import numpy as np
import pytest

from utils import metrics

RED, GREEN, BLUE, GRAY = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [0.5] * 3], float)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def plain(*colors, size=(4, 4)):
    """One image of each color: (N, 4, 4, 3)."""
    return np.array([np.broadcast_to(color, (*size, 3)) for color in colors], float)


def halves(left, right):
    """One image, the left half of one color, the right half of another."""
    return np.concatenate([plain(left), plain(right)], axis=2)


def test_hue_and_chroma_equal_those_of_colorsys(rng):
    colors = np.concatenate([rng.random((500, 3)), list(itertools.product((0, 0.5, 1), repeat=3))])
    for color, h, c in zip(colors, metrics.hue(colors), metrics.chroma(colors), strict=True):
        expected, saturation, value = colorsys.rgb_to_hsv(*color)
        assert h == pytest.approx(expected, abs=1e-12)
        assert c == pytest.approx(saturation * value, abs=1e-12)


def test_the_error_on_color_leaves_gray_out():
    truth = halves(RED, GRAY)
    assert metrics.color_error(halves(RED, GREEN), truth) == 0
    assert metrics.color_error(halves([0.7, 0.3, 0], GRAY), truth) == pytest.approx(0.2)


def test_the_chroma_ratio_is_that_of_faded_paint(rng):
    truth = rng.random((3, 8, 8, 3))
    faded = 0.6 * truth + 0.4 * truth.mean(axis=-1, keepdims=True)  # toward gray: range × 0.6
    assert metrics.chroma_ratio(faded, truth) == pytest.approx(0.6)
    assert metrics.chroma_ratio(halves(0.5 * RED, BLUE), halves(RED, GRAY)) == pytest.approx(0.5)


def test_the_hue_distance_is_a_total_variation():
    truth = plain(RED, RED, GREEN, BLUE)
    assert metrics.hue_distance(plain(RED, BLUE, RED, GREEN), truth) == pytest.approx(0)
    assert metrics.hue_distance(plain(GREEN, GREEN, GREEN, GREEN), truth) == pytest.approx(0.75)
    assert metrics.hue_distance(plain(RED, RED, BLUE, BLUE), truth) == pytest.approx(0.25)
    # chroma is the weight: a pale red counts half
    assert metrics.hue_distance(plain(0.5 * RED, BLUE), plain(RED, BLUE)) == pytest.approx(1 / 6)
    # 19 sixtieths of a turn on either side of red are one bin
    pinkish, orange = [1, 0, 0.15], [1, 0.15, 0]
    assert metrics.hue_distance(plain(pinkish), plain(orange)) == pytest.approx(0)
    assert np.isnan(metrics.hue_distance(plain(GRAY), plain(RED)))


def test_the_palette_lists_frequent_colors_that_differ():
    near = RED - [2 / 255, 0, 0]
    images = plain(RED, RED, RED, near, near, BLUE, GRAY, GRAY, GRAY, GRAY, GREEN, BLUE)
    np.testing.assert_allclose(metrics.palette(images), [RED, BLUE, GREEN], atol=1e-12)
    np.testing.assert_allclose(metrics.palette(images, 2), [RED, BLUE], atol=1e-12)


def test_the_palette_counts_every_color_by_its_bytes(rng):
    bytes_ = rng.integers(0, 256, (2, 30, 30, 3))
    bytes_[0, :10, :10] = 17, 200, 31
    assert np.rint(255 * metrics.palette(bytes_ / 255, 1)).tolist() == [[17, 200, 31]]


def test_the_palette_share_counts_near_pixels_where_the_truth_is_colored():
    colors = np.stack([RED, BLUE])
    truth = np.concatenate([halves(GREEN, GREEN), halves(GREEN, GRAY)])
    painted = np.concatenate([halves(RED - [0.1, 0, 0], GREEN), halves(BLUE, RED)])
    assert metrics.palette_share(painted, truth, colors) == pytest.approx(2 / 3)
    far = painted - [0, 0, 0.13]
    assert metrics.palette_share(far, truth, colors) == 0


def test_unevenness_is_the_mean_step_inside_one_color(rng):
    truth = np.concatenate([halves(RED, GREEN), halves(BLUE, GRAY)])
    assert metrics.unevenness(truth, truth) == 0
    assert metrics.unevenness(truth[:, ::-1, ::-1], plain(RED, RED, size=(4, 8))) > 0
    noise = rng.random(truth.shape)
    steps = []
    for n, i, j in itertools.product(range(2), range(4), range(8)):
        for u, v in ((i + 1, j), (i, j + 1)):
            inside = u < 4 and v < 8 and (truth[n, i, j] == truth[n, u, v]).all()
            if inside and (truth[n, i, j] != GRAY).any():
                steps += list(np.abs(noise[n, i, j] - noise[n, u, v]))
    assert metrics.unevenness(noise, truth) == pytest.approx(np.mean(steps))
