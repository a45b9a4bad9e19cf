"""Generators of digits: networks and steps against PyTorch's own, the folded record, scores."""

import itertools

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from utils import gans, judge, recorded, ring
from utils.datasets import load_digits
from utils.runtime import import_tensorflow
from utils.weights import copy_weights

DIGITS = load_digits(full=False).x_train
RECORD = recorded.FOLDER / "generator.npz"


@pytest.fixture(scope="module")
def tf():
    return import_tensorflow()


@pytest.fixture(scope="module")
def keras_G(tf):
    """A generator whose batch normalizations have something to say."""
    tf.keras.utils.set_random_seed(3)
    model, rng = gans.keras_generator(), np.random.default_rng(3)
    for layer in model.layers:
        if isinstance(layer, tf.keras.layers.BatchNormalization):
            n = layer.gamma.shape[0]
            layer.set_weights(
                [rng.uniform(0.5, 2, n), rng.normal(size=n), rng.normal(size=n) / 9,
                 rng.uniform(0.01, 0.3, n)]
            )  # fmt: skip
    return model


# ------------------------------------------------------------------ small things
def test_pictures_come_back_to_gray_values():
    made = np.array([-1, 0, 1, 1.2]).repeat(196).reshape(1, 1, 28, 28)
    expected = np.array([0, 0.5, 1, 1]).repeat(196).reshape(1, 28, 28)
    np.testing.assert_array_equal(gans.to_unit(made), expected)
    np.testing.assert_array_equal(gans.to_unit(torch.tensor(made, requires_grad=True)), expected)
    np.testing.assert_array_equal(gans.to_unit(made.reshape(1, 28, 28, 1)), expected)


def test_batches_show_each_picture_at_most_once():
    parts = gans.batches(1000, np.random.default_rng(0))
    assert [len(rows) for rows in parts] == [64] * 15
    seen = np.concatenate(parts)
    assert len(set(seen)) == 960
    assert (seen[:10] != np.arange(10)).any()
    assert sorted(np.concatenate(gans.batches(128, np.random.default_rng(1)))) == list(range(128))


def test_latents_are_normal_and_always_the_same():
    z = gans.latents(5000)
    assert (z.shape, z.dtype) == ((5000, gans.LATENT), np.float32)
    assert abs(z.mean()) < 5 / np.sqrt(z.size)
    assert z.std() == pytest.approx(1, abs=0.01)
    np.testing.assert_array_equal(gans.latents(10), z[:10])
    assert z[0, :3] == pytest.approx([1.764052, 0.400157, 0.978738], abs=1e-6)
    assert (gans.latents(10, seed=1) != z[:10]).any()


# ------------------------------------------------------------------ networks
def test_generators_of_both_libraries_draw_the_same(keras_G):
    torch_G = gans.torch_generator()
    copy_weights(keras_G, torch_G)
    z = gans.latents(20)
    with torch.no_grad():
        theirs = torch_G.eval()(torch.tensor(z))
    assert theirs.shape == (20, 1, 28, 28)
    ours = keras_G(z, training=False).numpy()
    assert ours.shape == (20, 28, 28, 1)
    np.testing.assert_allclose(ours[..., 0], theirs[:, 0], atol=1e-5)
    assert ours.std() > 0.1


def test_discriminators_of_both_libraries_say_the_same(tf):
    tf.keras.utils.set_random_seed(4)
    keras_D, torch_D = gans.keras_discriminator(), gans.torch_discriminator()
    copy_weights(keras_D, torch_D)
    x = np.random.default_rng(4).uniform(-1, 1, (20, 28, 28, 1)).astype(np.float32)
    with torch.no_grad():
        theirs = torch_D.eval()(torch.tensor(x).permute(0, 3, 1, 2))
    assert theirs.shape == (20, 1)
    np.testing.assert_allclose(keras_D(x, training=False), theirs, atol=1e-5)


def test_a_penalized_critic_mixes_no_samples():
    torch.manual_seed(0)
    x = torch.randn(8, 1, 28, 28)
    critic = gans.torch_discriminator(normalize=False, dropout=0)
    torch.testing.assert_close(critic(x)[:3], critic(x[:3]))
    other = gans.torch_discriminator(dropout=0)
    assert (other(x)[:3] - other(x[:3])).abs().max() > 1e-4


def test_folded_weights_draw_what_the_network_draws(keras_G):
    z = gans.latents(20)
    weights = gans.fold(keras_G)
    assert {name: array.shape for name, array in weights.items()} == {
        "w0": (1568, 32), "b0": (1568,), "w1": (32, 16, 4, 4), "b1": (16,),
        "w2": (16, 1, 4, 4), "b2": (1,),
    }  # fmt: skip
    images = gans.apply_folded(weights, z)
    np.testing.assert_allclose(images, gans.generate(keras_G, z), atol=1e-5)


def test_generating_uses_the_running_statistics_and_leaves_the_model_training():
    torch.manual_seed(0)
    G, z = gans.torch_generator(), gans.latents(6)
    for _ in range(3):
        G(torch.tensor(z))
    before = [buffer.clone() for buffer in G.buffers()]
    images = gans.generate(G, z)
    np.testing.assert_allclose(gans.generate(G, z[:1]), images[:1], atol=1e-6)
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
    step = gans.dcgan_step(G, D, *(tf.keras.optimizers.SGD(rate) for rate in (0.1, 0.2)))
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
    norms = [torch.autograd.grad(critic(one)[0, 0], one, create_graph=True)[0].norm()
             for one in place]  # fmt: skip
    return F.mse_loss(torch.stack(norms), torch.ones(len(x)))


@pytest.mark.parametrize(
    ("kind", "options"), [("LSGAN", {}), ("WGAN-GP", {}), ("LSGAN", {"rate": 2e-3})]
)
def test_training_in_pytorch_equals_the_losses_written_with_its_own(kind, options, monkeypatch):
    monkeypatch.setattr(gans, "BATCH", 8)
    monkeypatch.setattr(gans, "batches", lambda n, rng: np.split(rng.permutation(n), n // 8))
    images, squares = DIGITS[:32], kind == "LSGAN"
    trained = gans.train_torch(kind, images, 1, seed=5, **options)

    torch.manual_seed(5)
    order = np.random.default_rng(5).permutation(32)
    G = gans.torch_generator()
    D = gans.torch_discriminator() if squares else gans.torch_discriminator(
        normalize=False, dropout=0
    )  # fmt: skip
    rate, betas = (5e-4, (0.5, 0.999)) if squares else (1e-3, (0.0, 0.9))
    rate = options.get("rate", rate)
    of_G, of_D = (torch.optim.Adam(m.parameters(), rate, betas) for m in (G, D))
    for i, factor in enumerate((1, 0.75, 0.5, 0.25)):
        for optimizer in (of_G, of_D):
            optimizer.param_groups[0]["lr"] = rate * factor
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
    z = gans.latents(5)
    np.testing.assert_allclose(gans.generate(trained, z), gans.generate(G, z), atol=2e-4)
    torch.manual_seed(5)
    assert np.abs(gans.generate(trained, z) - gans.generate(gans.torch_generator(), z)).max() > 0.01


def test_another_kind_is_refused():
    with pytest.raises(ValueError, match="'LSGAN' or 'WGAN-GP', got 'StyleGAN'"):
        gans.train_torch("StyleGAN", DIGITS[:64], 1)


def test_the_penalty_on_pictures_equals_one_gradient_for_each():
    torch.manual_seed(0)
    critic = gans.torch_discriminator(normalize=False, dropout=0)
    x, fake = torch.randn(2, 6, 1, 28, 28)
    torch.manual_seed(1)
    got = ring.gradient_penalty(critic, x, fake).item()
    torch.manual_seed(1)
    assert got == pytest.approx(penalty_by_samples(critic, x, fake).item(), rel=1e-5)


# ------------------------------------------------------------------ the record
SIZES = {
    "w0": (1568, 32), "b0": (1568,), "w1": (32, 16, 4, 4), "b1": (16,), "w2": (16, 1, 4, 4),
    "b2": (1,), "anchors": (10, 32), "lsgan": (12, 28, 28), "wgan_gp": (12, 28, 28),
}  # fmt: skip


def test_the_record_is_small_has_no_pickle_and_names_its_command():
    assert RECORD.stat().st_size <= 200_000
    with np.load(RECORD, allow_pickle=False) as file:
        assert str(file["command"]) == gans.COMMAND == "python -m utils.gans"
        assert all(file[name].dtype.kind in "fiuU" for name in file.files)
    kept = recorded.load("generator")
    assert {name: kept[name].shape for name in SIZES} == SIZES
    stages = len(gans.STAGES)
    assert kept["epoch"].tolist() == list(gans.STAGES)
    assert kept["film"].shape == (stages, 12, 28, 28)
    assert kept["classes"].shape == (stages, 10)
    np.testing.assert_allclose(kept["classes"].sum(axis=1), 1)


def test_the_recorded_weights_draw_and_score_what_is_recorded():
    kept = recorded.load("generator")
    drawn = gans.apply_folded(gans.recorded_weights(), gans.latents(gans.JUDGED))
    gap = np.abs(255 * drawn[: gans.FILMED] - kept["film"][-1].astype(float))
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
    images = gans.apply_folded(gans.recorded_weights(), recorded.load("generator")["anchors"])
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
        images = gans.generate(G, gans.latents(gans.FILMED))
        np.testing.assert_allclose(255 * images, kept["film"][0], atol=25)
        assert epoch == kept["epoch"][0] == 1
        raise Enough

    with pytest.raises(Enough):
        gans.train_dcgan(DIGITS, gans.EPOCHS, after_epoch=look)
