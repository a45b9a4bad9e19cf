"""Generative adversarial networks: losses, networks and steps against PyTorch's own, the record."""

import itertools

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from utils import recorded
from utils.datasets import load_digits
from utils.models import gan
from utils.models.mlp import mlp
from utils.recorded import generator, judge
from utils.runtime import import_tensorflow
from utils.weights import copy_weights

DIGITS = load_digits(full=False).x_train


@pytest.fixture(scope="module")
def tf():
    return import_tensorflow()


@pytest.fixture(scope="module")
def keras_G(tf):
    """A generator whose batch normalizations have something to say."""
    tf.keras.utils.set_random_seed(3)
    model, rng = gan.keras_generator(), np.random.default_rng(3)
    for layer in model.layers:
        if isinstance(layer, tf.keras.layers.BatchNormalization):
            n = layer.gamma.shape[0]
            layer.set_weights(
                [
                    rng.uniform(0.5, 2, n),
                    rng.normal(size=n),
                    rng.normal(size=n) / 9,
                    rng.uniform(0.01, 0.3, n),
                ]
            )
    return model


# ------------------------------------------------------------------ small things
def test_pictures_come_back_to_gray_values():
    made = np.array([-1, 0, 1, 1.2]).repeat(196).reshape(1, 1, 28, 28)
    expected = np.array([0, 0.5, 1, 1]).repeat(196).reshape(1, 28, 28)
    np.testing.assert_array_equal(gan.to_unit(made), expected)
    np.testing.assert_array_equal(gan.to_unit(torch.tensor(made, requires_grad=True)), expected)
    np.testing.assert_array_equal(gan.to_unit(made.reshape(1, 28, 28, 1)), expected)


def test_batches_show_each_picture_at_most_once():
    parts = gan.batches(1000, np.random.default_rng(0))
    assert [len(rows) for rows in parts] == [64] * 15
    seen = np.concatenate(parts)
    assert len(set(seen)) == 960
    assert (seen[:10] != np.arange(10)).any()
    assert sorted(np.concatenate(gan.batches(128, np.random.default_rng(1)))) == list(range(128))


def test_latents_are_normal_and_always_the_same():
    z = gan.latents(5000)
    assert (z.shape, z.dtype) == ((5000, gan.LATENT), np.float32)
    assert abs(z.mean()) < 5 / np.sqrt(z.size)
    assert z.std() == pytest.approx(1, abs=0.01)
    np.testing.assert_array_equal(gan.latents(10), z[:10])
    assert z[0, :3] == pytest.approx([1.764052, 0.400157, 0.978738], abs=1e-6)
    assert (gan.latents(10, seed=1) != z[:10]).any()


# ------------------------------------------------------------------ latents
def test_slerp_goes_along_the_great_circle():
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(2, 32))
    points = np.array([gan.slerp(a, b, t) for t in np.linspace(0, 1, 11)])
    np.testing.assert_allclose(points[[0, -1]], [a, b], atol=1e-12)
    np.testing.assert_allclose(gan.slerp(a, a, 0.4), a, atol=1e-12)
    lengths = np.linalg.norm(points, axis=1)
    np.testing.assert_allclose(np.diff(lengths, 2), 0, atol=1e-12)
    unit = points / lengths[:, None]
    angles = np.arccos((unit[1:] * unit[:-1]).sum(axis=1))
    np.testing.assert_allclose(angles, angles[0], rtol=1e-9)
    whole = np.arccos(a @ b / np.linalg.norm(a) / np.linalg.norm(b))
    assert angles.sum() == pytest.approx(whole)


# ------------------------------------------------------------------ losses
@pytest.mark.parametrize("kind", gan.BETAS)
def test_losses_equal_those_of_pytorch(kind):
    torch.manual_seed(0)
    real, fake = torch.randn(2, 9, 1, dtype=torch.float64)
    ones, zeros = torch.ones_like(real), torch.zeros_like(real)
    of_D, of_G = {
        "GAN": (
            F.binary_cross_entropy_with_logits(real, ones)
            + F.binary_cross_entropy_with_logits(fake, zeros),
            F.binary_cross_entropy_with_logits(fake, ones),
        ),
        "LSGAN": (F.mse_loss(real, ones) + F.mse_loss(fake, zeros), F.mse_loss(fake, ones)),
        "WGAN-GP": (fake.mean() - real.mean(), -fake.mean()),
    }[kind]
    torch.testing.assert_close(gan.discriminator_loss(kind, real, fake), of_D)
    torch.testing.assert_close(gan.generator_loss(kind, fake), of_G)


def test_an_unknown_loss_is_told():
    score = torch.zeros(1, 1)
    with pytest.raises(ValueError, match="one of GAN, LSGAN, WGAN-GP; got 'WGAN'"):
        gan.discriminator_loss("WGAN", score, score)
    with pytest.raises(ValueError, match="one of GAN, LSGAN, WGAN-GP; got 'WGAN'"):
        gan.generator_loss("WGAN", score)


# ------------------------------------------------------------------ the gradient penalty
def test_penalty_equals_finite_differences():
    torch.manual_seed(0)
    critic = mlp(3, 7, 5, 1).double()
    x, fake = torch.randn(2, 6, 3, dtype=torch.float64)
    torch.manual_seed(5)
    got = gan.gradient_penalty(critic, x, fake).item()
    torch.manual_seed(5)
    u = torch.rand(6, 1)
    between = u * x + (1 - u) * fake
    step = 1e-6
    with torch.no_grad():
        slopes = [
            (critic(between + e) - critic(between - e)) / (2 * step)
            for e in step * torch.eye(3, dtype=torch.float64)
        ]
    norm = torch.cat(slopes, dim=1).norm(dim=1)
    assert got == pytest.approx(((norm - 1) ** 2).mean().item(), rel=1e-6)


def test_the_penalty_can_itself_be_descended():
    critic = torch.nn.Linear(4, 1).double()  # ‖∇D‖ = ‖w‖ everywhere
    x = torch.randn(5, 4, dtype=torch.float64)
    gan.gradient_penalty(critic, x, -x).backward()
    w = critic.weight.detach()
    expected = 2 * (w.norm() - 1) * w / w.norm()
    torch.testing.assert_close(critic.weight.grad, expected)


def test_all_pixels_of_a_picture_share_their_place_between():
    seen = []

    def critic(x):
        seen.append(x.detach())
        return x.sum(dim=(1, 2, 3))

    x, fake = torch.ones(4, 1, 5, 5), torch.zeros(4, 1, 5, 5)
    norm = 5.0  # of 25 slopes of 1
    assert gan.gradient_penalty(critic, x, fake).item() == pytest.approx((norm - 1) ** 2)
    assert (seen[0] == seen[0][:, :, :1, :1]).all()
    shares = seen[0][:, 0, 0, 0]
    assert len(set(shares.tolist())) == 4
    assert ((shares >= 0) & (shares <= 1)).all()


# ------------------------------------------------------------------ networks
def test_generators_of_both_libraries_draw_the_same(keras_G):
    torch_G = gan.torch_generator()
    copy_weights(keras_G, torch_G)
    z = gan.latents(20)
    with torch.no_grad():
        theirs = torch_G.eval()(torch.tensor(z))
    assert theirs.shape == (20, 1, 28, 28)
    ours = keras_G(z, training=False).numpy()
    assert ours.shape == (20, 28, 28, 1)
    np.testing.assert_allclose(ours[..., 0], theirs[:, 0], atol=1e-5)
    assert ours.std() > 0.1


def test_discriminators_of_both_libraries_say_the_same(tf):
    tf.keras.utils.set_random_seed(4)
    keras_D, torch_D = gan.keras_discriminator(), gan.torch_discriminator()
    copy_weights(keras_D, torch_D)
    x = np.random.default_rng(4).uniform(-1, 1, (20, 28, 28, 1)).astype(np.float32)
    with torch.no_grad():
        theirs = torch_D.eval()(torch.tensor(x).permute(0, 3, 1, 2))
    assert theirs.shape == (20, 1)
    np.testing.assert_allclose(keras_D(x, training=False), theirs, atol=1e-5)


def test_a_penalized_critic_mixes_no_samples():
    torch.manual_seed(0)
    x = torch.randn(8, 1, 28, 28)
    critic = gan.torch_discriminator(normalize=False, dropout=0)
    torch.testing.assert_close(critic(x)[:3], critic(x[:3]))
    other = gan.torch_discriminator(dropout=0)
    assert (other(x)[:3] - other(x[:3])).abs().max() > 1e-4


FOLDED = {
    "w0": (1568, 32),
    "b0": (1568,),
    "w1": (32, 16, 4, 4),
    "b1": (16,),
    "w2": (16, 1, 4, 4),
    "b2": (1,),
}


def test_folded_weights_draw_what_the_network_draws(keras_G):
    z = gan.latents(20)
    weights = gan.fold(keras_G)
    assert {name: array.shape for name, array in weights.items()} == FOLDED
    images = gan.apply_folded(weights, z)
    np.testing.assert_allclose(images, gan.generate(keras_G, z), atol=1e-5)


def test_generating_uses_the_running_statistics_and_leaves_the_model_training():
    torch.manual_seed(0)
    G, z = gan.torch_generator(), gan.latents(6)
    for _ in range(3):
        G(torch.tensor(z))
    before = [buffer.clone() for buffer in G.buffers()]
    images = gan.generate(G, z)
    np.testing.assert_allclose(gan.generate(G, z[:1]), images[:1], atol=1e-6)
    assert G.training
    for old, new in zip(before, G.buffers(), strict=True):
        assert torch.equal(old, new)


# ------------------------------------------------------------------ steps
def test_one_compiled_step_equals_pytorch(tf):
    """Both gradients at the same weights: losses and moved weights of linear players."""
    rng = np.random.default_rng(0)
    x, z = rng.normal(size=(2, 8, 3)).astype(np.float32)
    dense = tf.keras.layers.Dense
    G, D = (tf.keras.Sequential([tf.keras.Input((3,)), dense(n)]) for n in (3, 1))
    torch_G, torch_D = torch.nn.Linear(3, 3), torch.nn.Linear(3, 1)
    start = {}
    for model, theirs in ((G, torch_G), (D, torch_D)):
        w, b = rng.normal(size=theirs.weight.shape), rng.normal(size=theirs.bias.shape)
        model.set_weights([w.T, b])
        with torch.no_grad():
            theirs.weight.copy_(torch.tensor(w))
            theirs.bias.copy_(torch.tensor(b))
        start[theirs] = w
    step = gan.dcgan_step(G, D, *(tf.keras.optimizers.SGD(rate) for rate in (0.1, 0.2)))
    losses = step(x, z)

    bce = F.binary_cross_entropy_with_logits
    fake = torch_G(torch.tensor(z))
    r, f = torch_D(torch.tensor(x)), torch_D(fake)
    loss_D = bce(r, torch.full_like(r, 0.9)) + bce(f, torch.zeros_like(f))
    loss_G = bce(f, torch.ones_like(f))
    np.testing.assert_allclose(losses, [loss_D.item(), loss_G.item()], rtol=1e-5)
    for model, theirs, loss, rate in ((D, torch_D, loss_D, 0.2), (G, torch_G, loss_G, 0.1)):
        slopes = torch.autograd.grad(loss, list(theirs.parameters()), retain_graph=True)
        expected = [p.detach() - rate * g for p, g in zip(theirs.parameters(), slopes, strict=True)]
        w, b = model.get_weights()
        np.testing.assert_allclose(w.T, expected[0], atol=1e-5)
        np.testing.assert_allclose(b, expected[1], atol=1e-5)
        assert np.abs(w.T - start[theirs]).max() > 1e-3


def penalty_by_samples(critic, x, fake):
    """The gradient penalty with a gradient of its own for each sample."""
    u = torch.rand(len(x), 1, 1, 1)
    place = [(u[i] * x[i] + (1 - u[i]) * fake[i])[None].requires_grad_() for i in range(len(x))]
    norms = [
        torch.autograd.grad(critic(one)[0, 0], one, create_graph=True)[0].norm() for one in place
    ]
    return F.mse_loss(torch.stack(norms), torch.ones(len(x)))


@pytest.mark.parametrize(
    ("kind", "options"), [("LSGAN", {}), ("WGAN-GP", {}), ("LSGAN", {"lr": 2e-3})]
)
def test_training_in_pytorch_equals_the_losses_written_with_its_own(kind, options, monkeypatch):
    monkeypatch.setattr(gan, "BATCH", 8)
    monkeypatch.setattr(gan, "batches", lambda n, rng: np.split(rng.permutation(n), n // 8))
    images, squares = DIGITS[:32], kind == "LSGAN"
    trained = gan.train_torch(kind, images, 1, seed=5, **options)

    torch.manual_seed(5)
    order = np.random.default_rng(5).permutation(32)
    G = gan.torch_generator()
    D = (
        gan.torch_discriminator()
        if squares
        else gan.torch_discriminator(normalize=False, dropout=0)
    )
    lr, betas = (5e-4, (0.5, 0.999)) if squares else (1e-3, (0.0, 0.9))
    lr = options.get("lr", lr)
    of_G, of_D = (torch.optim.Adam(m.parameters(), lr, betas) for m in (G, D))
    for i, factor in enumerate((1, 0.75, 0.5, 0.25)):
        for optimizer in (of_G, of_D):
            optimizer.param_groups[0]["lr"] = lr * factor
        x = torch.tensor(images[order[8 * i : 8 * i + 8]])[:, None] * 2 - 1
        fake = G(torch.randn(8, 32)).detach()
        real_score = D(x)
        if squares:
            fake_score = D(fake)
            loss = F.mse_loss(real_score, torch.ones(8, 1)) + F.mse_loss(
                fake_score, torch.zeros(8, 1)
            )
        else:
            loss = D(fake).mean() - real_score.mean() + 10 * penalty_by_samples(D, x, fake)
        of_D.zero_grad()
        loss.backward()
        of_D.step()
        if squares or i == 2:  # the third of the critic's steps
            score = D(G(torch.randn(8, 32)))
            loss = F.mse_loss(score, torch.ones(8, 1)) if squares else -score.mean()
            of_G.zero_grad()
            loss.backward()
            of_G.step()
    z = gan.latents(5)
    np.testing.assert_allclose(gan.generate(trained, z), gan.generate(G, z), atol=2e-4)
    torch.manual_seed(5)
    assert np.abs(gan.generate(trained, z) - gan.generate(gan.torch_generator(), z)).max() > 0.01


def test_another_kind_is_refused():
    with pytest.raises(ValueError, match="'LSGAN' or 'WGAN-GP', got 'StyleGAN'"):
        gan.train_torch("StyleGAN", DIGITS[:64], 1)


def test_the_penalty_on_pictures_equals_one_gradient_for_each():
    torch.manual_seed(0)
    critic = gan.torch_discriminator(normalize=False, dropout=0)
    x, fake = torch.randn(2, 6, 1, 28, 28)
    torch.manual_seed(1)
    got = gan.gradient_penalty(critic, x, fake).item()
    torch.manual_seed(1)
    assert got == pytest.approx(penalty_by_samples(critic, x, fake).item(), rel=1e-5)


# ------------------------------------------------------------------ the record
SIZES = FOLDED | {
    "anchors": (10, 32),
    "lsgan": (12, 28, 28),
    "wgan_gp": (12, 28, 28),
}


def test_the_record_holds_every_stage():
    kept = recorded.load("generator")
    assert {name: kept[name].shape for name in SIZES} == SIZES
    stages = len(generator.STAGES)
    assert kept["epoch"].tolist() == list(generator.STAGES)
    assert kept["film"].shape == (stages, 12, 28, 28)
    assert kept["classes"].shape == (stages, 10)
    np.testing.assert_allclose(kept["classes"].sum(axis=1), 1)


def test_the_recorded_weights_draw_and_score_what_is_recorded():
    kept = recorded.load("generator")
    drawn = gan.apply_folded(generator.weights(), gan.latents(generator.JUDGED))
    gap = np.abs(255 * drawn[: generator.FILMED] - kept["film"][-1].astype(float))
    assert gap.mean() < 1  # half precision
    assert gap.max() < 30
    p = judge.probabilities(drawn)
    shares = np.bincount(p.argmax(axis=1), minlength=10) / len(p)
    assert p.max(axis=1).mean() == pytest.approx(kept["confidence"][-1], abs=0.01)
    np.testing.assert_allclose(shares, kept["classes"][-1], atol=0.01)
    assert judge.frechet_distance(drawn) == pytest.approx(kept["distance"][-1], rel=0.05)


def test_the_recorded_generator_covers_the_digits_and_the_young_one_does_not():
    kept = recorded.load("generator")
    digits = (kept["classes"] >= 0.01).sum(axis=1)
    assert digits[0] < 5
    assert digits[-1] >= 9
    assert kept["distance"][-1] < 4
    assert kept["distance"][0] > 5 * kept["distance"][-1]


def test_each_anchor_is_read_as_its_digit():
    images = gan.apply_folded(generator.weights(), recorded.load("generator")["anchors"])
    assert judge.read(images).tolist() == list(range(10))
    assert judge.probabilities(images).max(axis=1).min() > 0.6


def test_the_others_of_the_record_are_no_copies():
    for name in ("lsgan", "wgan_gp"):
        images = recorded.load("generator")[name] / 255
        apart = [np.abs(a - b).mean() for a, b in itertools.combinations(images, 2)]
        assert min(apart) > 0.02
        assert len(set(judge.read(images))) >= 4


class Enough(Exception):
    pass


@pytest.mark.slow
def test_the_first_stage_made_again_is_the_recorded_one(tf):
    kept = recorded.load("generator")

    def look(epoch, G):
        images = gan.generate(G, gan.latents(generator.FILMED))
        np.testing.assert_allclose(255 * images, kept["film"][0], atol=25)
        assert epoch == kept["epoch"][0] == 1
        raise Enough

    with pytest.raises(Enough):
        gan.train_dcgan(DIGITS, generator.EPOCHS, after_epoch=look)
