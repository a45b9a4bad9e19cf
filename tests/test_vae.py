"""The variational autoencoder in PyTorch: its terms, its training, its recorded runs."""

import numpy as np
import pytest
import torch
from torch.distributions import Bernoulli, Normal, kl_divergence

from utils import recorded
from utils.datasets import load_digits
from utils.models import vae
from utils.recorded import betas, latent_map

DIGITS = load_digits(full=False)
X_TEST = DIGITS.x_test.reshape(-1, 784)


def test_terms_equal_those_of_torch_distributions():
    logits, mu, log_var = torch.randn(6, 784), torch.randn(6, 4), torch.randn(6, 4)
    x = torch.rand(6, 784)
    reconstruction, divergence = vae.terms((logits, mu, log_var), x)
    q = Normal(mu, torch.exp(log_var / 2))
    torch.testing.assert_close(divergence, kl_divergence(q, Normal(0.0, 1.0)).sum(1))
    expected = -Bernoulli(logits=logits, validate_args=False).log_prob(x).sum(1)
    torch.testing.assert_close(reconstruction, expected)
    for beta in (0.0, 1.0, 7.0):
        loss = vae.negative_elbo((logits, mu, log_var), x, beta)
        torch.testing.assert_close(loss, (reconstruction + beta * divergence).mean())


def test_the_decoder_sees_the_sample_alone():
    model = vae.VAE((30,), 5)
    x, eps = torch.rand(3, 784), torch.randn(3, 5)
    logits, mu, log_var = model(x, eps)
    torch.testing.assert_close(logits, model.decoder(mu + log_var.exp().sqrt() * eps))
    torch.testing.assert_close((mu, log_var), model.encode(x))
    assert not torch.equal(model(x)[0], model(x)[0])  # fresh dice each time
    np.testing.assert_allclose(
        model.decode(np.zeros((2, 5))), torch.sigmoid(model.decoder(torch.zeros(2, 5))).detach()
    )
    assert model.sample(7).shape == (7, 784)
    sizes = [p.shape[0] for name, p in vae.VAE((9, 8), 2).named_parameters() if "bias" in name]
    assert sizes == [9, 8, 4, 8, 9, 784]


def test_nats_averages_over_dice():
    model = vae.VAE((30,), 5)
    found, paid = vae.nats(model, X_TEST[:50], samples=200)
    x = torch.tensor(X_TEST[:50])
    mu, log_var = model.encode(x)
    each = [vae.terms(model(x), x)[0].mean().item() for _ in range(200)]
    assert found == pytest.approx(np.mean(each), abs=5 * np.std(each) / np.sqrt(100))
    assert paid == pytest.approx((mu**2 + log_var.exp() - 1 - log_var).sum(1).mean().item() / 2)
    assert vae.divergence_of(model, X_TEST[:50]).sum() == pytest.approx(paid, rel=1e-5)


def test_training_lowers_the_loss_and_repeats():
    results = []
    for _ in range(2):
        torch.manual_seed(1)
        model = vae.VAE((50,), 4)
        history = vae.train(model, DIGITS.x_train[:1000].reshape(-1, 784), 5)
        results.append(history.step_loss)
    assert results[0] == results[1]
    assert results[0][-1] < 0.6 * results[0][0]


# ---------------------------------------------------------------- recorded runs


def test_the_table_holds_all_betas():
    table = recorded.load("betas")
    assert tuple(table["beta"]) == betas.BETAS
    assert table["rebuilt"].shape == table["invented"].shape == (len(betas.BETAS), 10, 28, 28)
    assert table["rebuilt"].dtype == np.uint8
    np.testing.assert_allclose(table["divergence"].sum(1), table["score"][:, 1], rtol=1e-4)


@pytest.mark.slow
def test_a_cheap_run_made_again_gives_what_is_recorded():
    table = recorded.load("betas")
    at = betas.BETAS.index(10.0)
    again = betas.record_beta(10.0)
    np.testing.assert_allclose(again["score"], table["score"][at], rtol=0.1)  # machines round apart
    shapes = {name: array.shape for name, array in again.items()}
    assert shapes == {name: table[name][at].shape for name in again}


def test_a_shorter_map_made_again_has_the_same_parts():
    record, again = recorded.load("latent_map"), latent_map.record_map(epochs=1)
    assert {n: (a.shape, a.dtype) for n, a in again.items()} == {
        n: (a.shape, a.dtype) for n, a in record.items()
    }
    assert record["score"].sum() < again["score"].sum()
