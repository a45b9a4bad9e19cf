"""The latent map of chapter 12: its decoder against PyTorch, its state, its picture."""

import base64
import itertools

import numpy as np
import pytest
import traitlets

from utils import recorded
from utils.datasets import load_digits
from utils.widgets import LatentMap
from utils.widgets.latent_map import CELLS, GROUNDS, SIDE, VIEW, decode


def test_decode_equals_pytorch():
    import torch

    record = recorded.load("latent_map")
    sizes = (2, 64, 80, 784)
    layers = []
    for i, (n_in, n_out) in enumerate(itertools.pairwise(sizes)):
        layer = torch.nn.Linear(n_in, n_out, dtype=torch.float64)
        with torch.no_grad():
            layer.weight.copy_(torch.tensor(record[f"w{i}"].astype(float)))
            layer.bias.copy_(torch.tensor(record[f"b{i}"].astype(float)))
        layers += [layer, torch.nn.ReLU()]
    model = torch.nn.Sequential(*layers[:-1], torch.nn.Sigmoid())
    z = np.random.default_rng(0).uniform(-VIEW, VIEW, (3, 20, 2))
    with torch.no_grad():
        expected = model(torch.tensor(z)).numpy()
    weights = {name: record[name] for name in record if name[0] in "wb"}
    np.testing.assert_allclose(decode(weights, z), expected, atol=1e-12)


def test_codes_belong_to_the_test_digits():
    record = recorded.load("latent_map")
    digits = load_digits(full=False)
    np.testing.assert_array_equal(record["labels"], digits.y_test)
    weights = {name: record[name] for name in record if name[0] in "wb"}
    drawn = decode(weights, record["codes"])
    images = digits.x_test.reshape(1000, 784)
    p = np.clip(drawn, 1e-6, 1 - 1e-6)
    nats = -(images * np.log(p) + (1 - images) * np.log(1 - p)).sum(axis=1).mean()
    # from the mean of a code a digit is rebuilt a little better than from samples around it
    assert 0 < record["score"][0] - nats < 12


def test_weights_travel_as_half_precision():
    latent = LatentMap()
    assert latent.sizes == (2, 64, 80, 784)
    assert len(latent.weights) <= 200_000
    sent = np.frombuffer(base64.b64decode(latent.weights), "<f2")
    record = recorded.load("latent_map")
    layers = [record[f"{kind}{i}"].ravel() for i in range(3) for kind in "wb"]
    np.testing.assert_array_equal(sent, np.concatenate(layers))


@pytest.mark.parametrize("position", [(-VIEW, -VIEW), (VIEW, VIEW), (0.31, -1.2)])
def test_the_state_tells_the_digit(position):
    latent = LatentMap(position=position)
    assert latent.image.shape == (SIDE, SIDE)
    assert 0 <= latent.image.min() < latent.image.max() <= 1
    assert latent.ink == pytest.approx(latent.image.sum())
    distances = [np.hypot(x - position[0], y - position[1]) for x, y in latent.codes]
    assert latent.nearest == latent.labels[int(np.argmin(distances))]
    assert f"belongs to a {latent.nearest}" in latent.describe()
    assert eval(repr(latent)).position == latent.position


def test_places_differ_and_a_small_step_changes_little():
    latent = LatentMap()
    here = latent.image
    latent.position = (0.01, 0)
    assert 0 < np.abs(latent.image - here).max() < 0.1
    latent.position = (2.5, 2.5)
    assert np.abs(latent.image - here).max() > 0.5


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"position": (3.1, 0)}, "position must stay between -3 and 3"),
        ({"position": (1,)}, "position must be 2 numbers"),
        ({"ground": "sea"}, "ground must be one of decoded digits, codes of test digits"),
    ],
)
def test_a_state_that_makes_no_sense_is_refused(state, words):
    with pytest.raises(traitlets.TraitError, match=words):
        LatentMap(**state)


def test_the_picture_shows_the_numbers():
    latent = LatentMap(position=(1, -0.5))
    plane, digit = latent.draw().axes
    np.testing.assert_array_equal(digit.images[0].get_array(), latent.image)
    tiles = plane.images[0].get_array()
    assert tiles.shape == (CELLS * SIDE, CELLS * SIDE)
    middle = tiles[8 * SIDE : 9 * SIDE, 8 * SIDE : 9 * SIDE]
    np.testing.assert_allclose(middle, LatentMap(position=(0, 0)).image)
    top_left = LatentMap(position=(-VIEW + VIEW / CELLS, VIEW - VIEW / CELLS))
    np.testing.assert_allclose(tiles[:SIDE, :SIDE], top_left.image)
    (ring,) = plane.lines
    assert ring.get_xydata().tolist() == [[1, -0.5]]
    data, metadata = latent._repr_mimebundle_()
    assert metadata["image/png"]["alt"] == latent.describe()
    latent.ground = GROUNDS[1]
    assert latent._repr_mimebundle_()[0]["image/png"] != data["image/png"]


# ---------------------------------------------------------------- in the browser


def test_the_scripts_pixels_equal_numpy(node):
    latent = LatentMap()
    layers = node(latent).keep("unpack", latent.sizes, latent.weights)
    z = np.random.default_rng(0).uniform(-VIEW, VIEW, (40, 2))
    shown = [node(latent).decode(layers, code) for code in z]
    np.testing.assert_allclose(shown, decode(latent._weights, z), rtol=1e-9, atol=1e-12)


def test_the_scripts_numbers_equal_python(node):
    latent = LatentMap()
    layers = node(latent).keep("unpack", latent.sizes, latent.weights)
    rng = np.random.default_rng(1)
    seen = set()
    for _ in range(30):
        latent.position = np.round(rng.uniform(-VIEW, VIEW, 2), 2)
        shown = node(latent).numbers(layers, latent.codes, latent.labels, latent.position)
        assert (shown["z1"], shown["z2"]) == latent.position
        assert shown["nearest"] == latent.nearest
        assert shown["ink"] == pytest.approx(latent.ink, rel=1e-9)
        np.testing.assert_allclose(shown["pixels"], latent.image.ravel(), rtol=1e-9, atol=1e-12)
        seen.add(latent.nearest)
    assert len(seen) >= 6
