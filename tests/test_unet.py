"""pix2pix: shapes, both gradients, dabs, the Keras twin, and weights folded for the page."""

import itertools

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from utils.models import unet
from utils.models.unet import PatchGAN, Pix2Pix, UNet
from utils.runtime import import_tensorflow
from utils.weights import copy_weights, count_parameters


@pytest.fixture
def pairs():
    """Six made-up outlines, uint8 squares with a black frame, and their pictures."""
    rng = np.random.default_rng(0)
    x, y = np.ones((6, 64, 64), np.float32), np.ones((6, 64, 64, 3), np.float32)
    for outline, picture in zip(x, y, strict=True):
        i, j = rng.integers(4, 12, 2)
        outline[i : i + 44, j : j + 44] = picture[i : i + 44, j : j + 44] = 0
        outline[i + 2 : i + 42, j + 2 : j + 42] = 1
        picture[i + 2 : i + 42, j + 2 : j + 42] = rng.random(3)
    return x, y


@pytest.fixture
def batch(pairs):
    return unet.to_input(pairs[0]), unet.to_target(pairs[1])


def randomized(model):
    """The same model; its batch normalizations have something to say."""
    torch.manual_seed(5)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            for value, low, high in (
                (module.weight, 0.5, 1.5),
                (module.bias, -0.3, 0.3),
                (module.running_mean, -0.3, 0.3),
                (module.running_var, 0.5, 2),
            ):
                torch.nn.init.uniform_(value, low, high)
    return model


# ---- shapes ----------------------------------------------------------------------------------


def test_the_u_has_the_shapes_of_its_diagram():
    seen = {}
    model = UNet(extra=4)
    for side in ("down", "up"):
        for i, layer in enumerate(getattr(model, side)):
            layer.register_forward_hook(
                lambda _, __, out, name=f"{side}{i}": seen.update({name: tuple(out.shape[1:])})
            )
    assert model(torch.zeros(2, 5, 64, 64)).shape == (2, 3, 64, 64)
    assert seen == {
        **{"down0": (16, 32, 32), "down1": (32, 16, 16), "down2": (64, 8, 8)},
        **{"down3": (64, 4, 4), "down4": (64, 2, 2), "up0": (64, 4, 4), "up1": (64, 8, 8)},
        **{"up2": (32, 16, 16), "up3": (16, 32, 32), "up4": (16, 64, 64)},
    }
    assert count_parameters(model) == 461_450


def test_every_level_reaches_the_output():
    """With one level of the U silenced the picture changes: no shortcut is forgotten."""
    model = randomized(UNet()).double().eval()
    x = torch.randn(1, 1, 64, 64, dtype=torch.float64)
    whole = model(x)
    for layer in (*model.down, *model.up):
        hook = layer.register_forward_hook(lambda _, __, out: torch.zeros_like(out))
        assert (model(x) - whole).abs().max() > 1e-6
        hook.remove()
    model.last.weight.data[:, :-1] = 0  # only the input itself is left
    model.last.weight.data[:, -1] = 0
    model.last.weight.data[:, -1, 1, 1] = 2
    expected = torch.tanh(2 * x + model.last.bias[:, None, None])
    torch.testing.assert_close(model(x), expected)


def test_a_patch_is_22_pixels_wide():
    model = randomized(PatchGAN(4)).eval()
    x = torch.randn(1, 4, 64, 64, requires_grad=True)
    scores = model(x)
    assert scores.shape == (1, 1, 15, 15)
    scores[0, 0, 7, 6].backward()
    rows, columns = (x.grad.abs().sum(dim=(0, 1, axis)).nonzero().ravel() for axis in (3, 2))
    for seen, place in ((rows, 7), (columns, 6)):
        assert (seen.min().item(), seen.max().item()) == (4 * place - 7, 4 * place + 14)


# ---- losses and their gradients ----------------------------------------------------------------


@pytest.mark.parametrize("sees_outline", [True, False])
def test_a_step_descends_the_written_losses(batch, sees_outline):
    """One step of both players equals plain gradients of the formulas, taken by Adam."""
    x, y = batch
    torch.manual_seed(0)
    game = Pix2Pix(7.0, sees_outline=sees_outline)
    torch.manual_seed(0)
    G, D = UNet(), PatchGAN(4 if sees_outline else 3)
    see = (lambda v: torch.cat([x, v], 1)) if sees_outline else (lambda v: v)
    adam = [
        torch.optim.Adam(model.parameters(), lr, betas=(0.5, 0.999))
        for model, lr in ((D, 2.5e-4), (G, 1e-3))
    ]
    game.step(x, y, rate=0.5)
    fake = G(x)
    real_score, fake_score = D(see(y)), D(see(fake.detach()))
    loss_D = F.mse_loss(real_score, torch.ones_like(real_score))
    (loss_D + F.mse_loss(fake_score, torch.zeros_like(fake_score))).backward()
    adam[0].step()
    score = D(see(fake))
    (7 * (fake - y).abs().mean() + ((score - 1) ** 2).mean()).backward()
    adam[1].step()
    for ours, theirs in ((game.G, G), (game.D, D)):
        for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
            torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)


def test_l1_alone_has_no_discriminator_and_no_weight(batch):
    game = Pix2Pix(None)
    assert game.D is None
    game.step(*batch)
    x, y = batch
    before = [p.clone() for p in game.G.parameters()]
    game.step(x, y, rate=0)
    assert all(map(torch.equal, before, game.G.parameters()))


def test_the_adversarial_loss_alone_does_not_know_the_truth(batch):
    """With λ = 0 the gradient of G is that of D's score: another truth changes only D."""
    x, y = batch

    def gradient(truth):
        torch.manual_seed(0)
        game = Pix2Pix(0.0, lr_D=0.0)
        game.step(x, truth)
        return game.G.last.weight.grad

    assert torch.equal(gradient(y), gradient(-y))
    assert gradient(y).abs().max() > 0


# ---- dabs ------------------------------------------------------------------------------------


def test_dabs_lie_in_one_color_off_the_lines(batch):
    x, y = batch
    places = unet.dab_places(x, y)
    for n, i, j in itertools.product(range(6), range(1, 63), range(1, 63)):
        around = y[n, :, i - 1 : i + 2, j - 1 : j + 2].reshape(3, 9)
        free = (x[n, 0, i - 1 : i + 2, j - 1 : j + 2] == 1).all() and (
            (around == around[:, :1]).all()
        )
        paper = (y[n, :, i, j] == 1).all()
        assert places[n, 0, i, j].item() == pytest.approx((0.1 if paper else 1) if free else 0)


@pytest.mark.parametrize("radius", [1, 2])
def test_dabs_show_the_true_color(batch, radius):
    x, y = batch
    torch.manual_seed(0)
    counts = torch.arange(6)
    made = unet.dab(x, y, unet.dab_places(x, y, radius), counts, radius)
    outline, where, color = made.split([1, 1, 3], dim=1)
    assert torch.equal(outline, x)
    assert set(where.unique().tolist()) == {0, 1}
    torch.testing.assert_close(color, y * where)
    area = (2 * radius + 1) ** 2
    painted = where.sum(dim=(1, 2, 3))
    assert painted[0] == 0
    assert painted[1] == area
    assert (painted <= area * counts).all()
    assert painted[5] > 2 * area


def test_a_picture_without_a_place_gets_no_dab(batch):
    x, y = batch
    x = x.clone()
    x[2] = -1  # all line
    made = unet.dab(x, y, unet.dab_places(x, y), torch.full((6,), 3))
    assert made[2, 1:].abs().max() == 0
    assert made[[0, 1, 3, 4, 5], 1].sum(dim=(1, 2)).min() >= 9


def test_a_bucket_fills_the_region_of_the_dab(pairs, batch):
    x, y = batch
    torch.manual_seed(1)
    inside = (x > 0) & (y.amin(dim=1, keepdim=True) < 0.99)
    dabbed = unet.dab(x, y, unet.dab_places(x, y) * inside, torch.ones(6, dtype=torch.int64))
    outlines = np.repeat(pairs[0][..., None], 3, axis=3)
    filled = unet.bucket_fill(outlines, dabbed)
    np.testing.assert_allclose(filled, pairs[1], atol=1e-6)
    assert (outlines == pairs[0][..., None]).all()  # the input is as it was
    on_paper = unet.dab(x, y, unet.dab_places(x, y) * ~inside, torch.ones(6, dtype=torch.int64))
    np.testing.assert_array_equal(unet.bucket_fill(outlines, on_paper), outlines)
    leaking = dabbed.clone()
    leaking[:, 0, :, 30:33] = 1  # a gap in the frame above and below
    np.testing.assert_array_equal(unet.bucket_fill(outlines, leaking), outlines)


# ---- training and painting -------------------------------------------------------------------


def test_training_repeats_itself_and_learns(pairs):
    x, y = (np.concatenate([side] * 4) for side in pairs)
    seen = []
    made = [
        unet.train(x, y, 12, 10.0, dabs=2, seed=seed, width=4, after_step=lambda *a: seen.append(a))
        for seed in (0, 0, 1)
    ]
    assert [step for step, _ in seen] == 3 * list(range(1, 13))
    a, b, c = (unet.fold(model) for model in made)
    assert all(np.array_equal(a[name], b[name]) for name in a)
    assert not np.array_equal(a["last.weight"], c["last.weight"])
    assert made[0].down[0][0].in_channels == 5
    model = unet.train(x, y, 100, None, width=8)
    error = np.abs(unet.paint(model, x) - y).mean()
    assert error < 0.5 * np.abs(x[..., None] - y).mean()


def test_painting_is_in_evaluation_mode_and_leaves_the_mode_alone(pairs):
    model = randomized(UNet(width=4)).train()
    painted = unet.paint(model, pairs[0])
    assert model.training
    alone = np.concatenate([unet.paint(model.eval(), x[None]) for x in pairs[0]])
    assert not model.training
    np.testing.assert_allclose(painted, alone, atol=1e-5)
    assert (painted.shape, painted.dtype) == (pairs[1].shape, np.float32)
    np.testing.assert_array_equal(unet.paint(model, unet.to_input(pairs[0])), painted)


# ---- the same in Keras, and for the page -----------------------------------------------------


@pytest.mark.parametrize("extra", [0, 4])
def test_a_step_of_the_keras_twin_is_the_same(batch, extra):
    tf = import_tensorflow()
    x, y = batch
    torch.manual_seed(3)
    ours = randomized(UNet(width=8, extra=extra))
    if extra:
        x = unet.dab(x, y, unet.dab_places(x, y), torch.arange(6))
    twin = unet.keras_unet(width=8, extra=extra)
    copy_weights(ours, twin)
    x_last, y_last = (tf.constant(v.permute(0, 2, 3, 1).numpy()) for v in (x, y))
    painted = twin(x_last, training=False).numpy()
    expected = unet.paint(ours, x)
    np.testing.assert_allclose((painted + 1) / 2, expected, atol=1e-5)

    of_ours = torch.optim.SGD(ours.parameters(), lr=0.1)
    loss = F.l1_loss(ours.train()(x), y)
    loss.backward()
    of_ours.step()
    optimizer = tf.keras.optimizers.SGD(0.1)
    with tf.GradientTape() as tape:
        its = tf.reduce_mean(tf.abs(twin(x_last, training=True) - y_last))
    weights = twin.trainable_variables
    optimizer.apply_gradients(zip(tape.gradient(its, weights), weights, strict=True))
    assert float(its) == pytest.approx(loss.item(), rel=1e-5)
    stepped = UNet(width=8, extra=extra)
    copy_weights(twin, stepped)
    for (name, a), b in zip(ours.named_parameters(), stepped.parameters(), strict=True):
        torch.testing.assert_close(b, a, rtol=1e-4, atol=1e-5, msg=lambda m, n=name: f"{n}: {m}")


@pytest.mark.slow
def test_the_keras_twin_takes_its_step_in_a_process_of_its_own(batch):
    x, y = batch
    torch.manual_seed(3)
    ours = randomized(UNet(width=8))
    its, stepped = unet.keras_step(ours, x.numpy(), y.numpy(), 0.1)
    loss = F.l1_loss(ours.train()(x), y)
    loss.backward()
    torch.optim.SGD(ours.parameters(), lr=0.1).step()
    assert its == pytest.approx(loss.item(), rel=1e-5)
    for name, p in ours.named_parameters():
        np.testing.assert_allclose(
            stepped[name], p.numpy(force=True), rtol=1e-4, atol=1e-5, err_msg=name
        )


def test_folded_weights_paint_the_same():
    model = randomized(UNet(width=8, extra=4)).eval()
    x = torch.randn(3, 5, 64, 64)
    with torch.no_grad():
        expected = model(x)
    weights = unet.fold(model)
    torch.testing.assert_close(unet.apply_folded(weights, x), expected, atol=1e-5, rtol=0)
    assert sum(array.size for array in weights.values()) < count_parameters(model)
