"""CycleGAN: looks, networks, pool, losses against plain gradients; baselines on made-up worlds."""

import copy

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from utils.datasets import load_digits
from utils.datasets.looks import LOOKS, any_colors, cropped, ink, load_worlds, neon, padded
from utils.models import cyclegan, recolor
from utils.models.cyclegan import CycleGAN, Discriminator, Generator, Pool
from utils.recorded import judge

DIGITS = load_digits(full=False)


@pytest.fixture
def few():
    return padded(DIGITS.x_test[:40])


@pytest.fixture
def rng():
    return np.random.RandomState(0)


# ---- looks -----------------------------------------------------------------------------------


def test_ink_is_a_mixture_of_two_colors(few, rng):
    made = ink(few, rng)
    share = few[..., None]
    plain = (1 - share) * np.array([250, 240, 205]) + share * np.array([20, 40, 140])
    noise = (255 * made - plain)[(plain > 40).all(axis=3) & (plain < 230).all(axis=3)]
    assert noise.std() == pytest.approx(6, rel=0.05)
    assert abs(noise.mean()) < 0.2


def test_any_colors_are_two_in_each_image_and_differ(few, rng):
    made = any_colors(few, rng)
    ground, figure = made[few == 0], made[few == 1]
    for image, digit in zip(made, few, strict=True):
        assert len(np.unique(image[digit == 0], axis=0)) == 1
        if (digit == 1).any():
            assert np.abs(image[digit == 1][0] - image[0, 0]).sum() >= 0.9 - 1e-6
    # uniform in the cube, but for pairs that are too near
    assert ground.min() < 0.1 < 0.9 < ground.max()
    assert figure.min() < 0.1 < 0.9 < figure.max()
    half = any_colors(np.full((1, 2, 2), 0.5), np.random.RandomState(1))
    ends = [any_colors(np.full((1, 2, 2), v), np.random.RandomState(1)) for v in (0.0, 1.0)]
    np.testing.assert_allclose(half, np.mean(ends, axis=0), atol=1e-6)


def test_neon_glows_around_the_stroke_not_in_it(few, rng):
    made = neon(few, rng)
    pink = made[..., 0]
    inside = few > 0.99
    around = np.zeros_like(inside)
    for i, j in ((0, 1), (1, 0), (0, -1), (-1, 0)):
        around |= np.roll(inside, (i, j), (1, 2))
    around &= few < 0.01
    assert pink[around].mean() > 0.8
    assert pink[inside].mean() < 0.6
    far = made[:, 0]  # bricks and joints, a little noise
    assert far.max() < 0.4
    assert len(np.unique(np.round(far[:, :, 0] * 8))) <= 3


def test_worlds_share_no_digit():
    seen = padded(DIGITS.x_train)
    worlds = load_worlds("any colors", seed=3)
    again = load_worlds("any colors", seed=3)
    assert all(map(np.array_equal, worlds, again))
    known = {image.tobytes(): i for i, image in enumerate(seen)}
    of_a = {known[image.tobytes()] for image in worlds.a}
    assert len(of_a) == 2000
    # the digit in an image of world B is where its color is not that of the corner
    strokes = {((image > 0).tobytes()) for image in worlds.a}
    of_b = {(np.abs(image - image[0, 0]).max(axis=2) > 0).tobytes() for image in worlds.b}
    assert len(strokes & of_b) < 20
    np.testing.assert_array_equal(cropped(worlds.a_test), DIGITS.x_test)
    np.testing.assert_array_equal(worlds.labels, DIGITS.y_test)
    assert not np.array_equal(load_worlds("any colors", seed=4).b, worlds.b)
    np.testing.assert_array_equal(load_worlds("any colors", seed=4).b_test, worlds.b_test)


@pytest.mark.parametrize("look", LOOKS)
def test_looks_are_images(look):
    worlds = load_worlds(look)
    assert worlds.b.shape == (2000, 32, 32, 3)
    assert worlds.b_test.shape == (1000, 32, 32, 3)
    for images in worlds[:4]:
        assert images.dtype == np.float32
        assert 0 <= images.min() < images.max() <= 1


def test_an_unknown_look_is_told():
    with pytest.raises(ValueError, match="one of ink, any colors, neon; got 'oil'"):
        load_worlds("oil")


# ---- networks and moves ----------------------------------------------------------------------


def test_networks_have_their_shapes():
    shapes = []
    G = Generator(1, 3)
    for layer in G.body:
        layer.register_forward_hook(lambda _, __, out: shapes.append(tuple(out.shape[1:])))
    assert G(torch.zeros(2, 1, 32, 32)).shape == (2, 3, 32, 32)
    assert list(dict.fromkeys(shapes)) == [(16, 16, 16), (32, 8, 8), (16, 32, 32)]
    assert Discriminator(3)(torch.zeros(2, 3, 32, 32)).shape == (2, 1, 8, 8)


def test_a_pool_gives_old_fakes_for_new_ones():
    pool = Pool(np.random.default_rng(0), size=4)
    first = pool.exchange(torch.arange(4.0)[:, None])
    assert first.ravel().tolist() == [0, 1, 2, 3]
    seen, given = set(range(4)), []
    for i in range(4, 404):
        fake = torch.full((1, 1), float(i), requires_grad=True)
        out = pool.exchange(fake)
        assert not out.requires_grad
        given.append(out.item())
        seen.add(i)
        assert out.item() in seen
    fresh = np.mean([value == i for i, value in enumerate(given, 4)])
    assert 0.4 < fresh < 0.6
    assert len(set(given)) == len(given)  # none is given twice


def test_a_step_descends_the_written_losses():
    torch.manual_seed(0)
    game = CycleGAN(np.random.default_rng(0), cycle=3.0)
    names = ("to_A", "to_B", "of_A", "of_B")
    to_A, to_B, of_A, of_B = (copy.deepcopy(getattr(game, name)) for name in names)
    a, b = torch.rand(4, 1, 32, 32) * 2 - 1, torch.rand(4, 3, 32, 32) * 2 - 1
    players = [
        torch.optim.Adam([*x.parameters(), *y.parameters()], lr, betas=(0.5, 0.999))
        for x, y, lr in ((to_B, to_A, 5e-4), (of_A, of_B, 2.5e-4))
    ]
    game.step(a, b, rate=0.5)
    fake_a, fake_b = to_A(b), to_B(a)
    loss = F.mse_loss(of_A(fake_a), torch.ones(4, 1, 8, 8)) + ((of_B(fake_b) - 1) ** 2).mean()
    loss = loss + 3 * ((to_A(fake_b) - a).abs().mean() + (to_B(fake_a) - b).abs().mean())
    loss.backward()
    players[0].step()
    players[1].zero_grad()
    loss = ((of_A(a) - 1) ** 2).mean() + (of_A(fake_a.detach()) ** 2).mean()
    loss = loss + ((of_B(b) - 1) ** 2).mean() + (of_B(fake_b.detach()) ** 2).mean()
    loss.backward()
    players[1].step()
    for name, theirs in zip(names, (to_A, to_B, of_A, of_B), strict=True):
        for p, q in zip(getattr(game, name).parameters(), theirs.parameters(), strict=True):
            torch.testing.assert_close(p, q, rtol=1e-4, atol=1e-6)


def test_training_repeats_itself(few, rng):
    b = ink(few, rng)
    weights = [cyclegan.train(few, b, 7, seed=seed).to_A.last.weight.detach() for seed in (0, 0, 1)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_translations_are_images(few, rng):
    torch.manual_seed(0)
    made = cyclegan.translate(Generator(1, 3), few)
    assert made.shape == (40, 32, 32, 3)
    assert 0 <= made.min() < made.max() <= 1
    back = cyclegan.translate(Generator(3, 1), made)
    assert back.shape == few.shape
    one = cyclegan.translate(Generator(1, 3), few[:1])
    assert one.shape == (1, 32, 32, 3)


# ---- baselines -------------------------------------------------------------------------------


def read(images):
    return (judge.read(cropped(images)) == DIGITS.y_test).mean()


def test_a_recoloring_undoes_a_recoloring(rng):
    """Gray levels on any line of color come back, whatever the two ends."""
    a = padded(DIGITS.x_train[:2000])
    ends = np.array([[0.9, 0.8, 0.1], [0.1, 0.3, 0.6]])
    b = (ends[0] + a[..., None] * (ends[1] - ends[0])).astype(np.float32)
    for method in (recolor.affine, recolor.histogram):
        np.testing.assert_allclose(method(b, b, a), a, atol=2e-3)
    few = recolor.from_frame(b[:50])
    scale = np.quantile(a[:50].reshape(50, -1), 0.98, axis=1)[:, None, None]
    np.testing.assert_allclose(few, np.clip(a[:50] / scale, 0, 1), atol=1e-4)


def test_each_baseline_reads_what_it_was_made_for():
    inked, colored, shining = (load_worlds(look) for look in LOOKS)
    assert read(recolor.affine(inked.b_test, inked.b, inked.a)) > 0.97
    assert read(recolor.histogram(inked.b_test, inked.b, inked.a)) > 0.97
    assert read(recolor.from_frame(colored.b_test)) > 0.97
    assert read(recolor.affine(colored.b_test, colored.b, colored.a)) < 0.4
    assert read(recolor.inside_tube(shining.b_test, shining.b, shining.a)) > 0.85
    assert read(recolor.histogram(shining.b_test, shining.b, shining.a)) < 0.35


def test_the_inside_of_a_tube_is_what_it_encloses():
    image = np.zeros((1, 12, 12, 3), np.float32)
    image[0, 2:9, 3:10] = 1
    image[0, 4:7, 5:8] = 0
    expected = np.zeros((1, 12, 12))
    expected[0, 4:7, 5:8] = 1
    a = np.linspace(0, 1, 144).reshape(1, 12, 12)
    np.testing.assert_array_equal(recolor.inside_tube(image, image, a), expected)
