"""Diffusion: the schedule, noising, and the way back by the noise that theory gives."""

import math

import numpy as np
import pytest
import torch

from utils.models import diffusion


def test_the_schedule_is_the_closed_form():
    level = diffusion.cosine_schedule().double().numpy()
    t = np.arange(diffusion.STEPS + 1) / diffusion.STEPS
    f = np.cos((t + 0.008) / 1.008 * np.pi / 2) ** 2
    np.testing.assert_allclose(level[:-1], (f[1:] / f[0])[:-1], rtol=1e-4)
    # the last step would take all signal; it is held at β = 0.999
    assert level[-1] == pytest.approx(0.001 * level[-2], rel=1e-3)
    assert (np.diff(level) < 0).all()


def test_many_small_steps_of_noise_are_one_large_one():
    level = diffusion.cosine_schedule().double()
    beta = 1 - level / torch.cat([torch.ones(1), level[:-1]])
    torch.manual_seed(0)
    start = torch.tensor([0.6, -0.8], dtype=torch.float64)
    x, n = start.expand(50_000, 2), 50_000
    for t in range(diffusion.STEPS):
        x = (1 - beta[t]).sqrt() * x + beta[t].sqrt() * torch.randn(n, 2, dtype=torch.float64)
        if t in (9, 24, 49):
            spread = (1 - level[t]).sqrt().item()
            error = 5 * spread / math.sqrt(n)
            torch.testing.assert_close(x.mean(0), level[t].sqrt() * start, atol=error, rtol=0)
            torch.testing.assert_close(
                x.std(0), torch.full((2,), spread).double(), atol=error, rtol=0
            )


def test_noising_mixes_signal_and_noise_by_their_variances():
    torch.manual_seed(0)
    x, noise = torch.randn(2, 5, 2, dtype=torch.float64)
    level = torch.tensor([[1.0], [0.0], [0.25], [0.5], [0.9]], dtype=torch.float64)
    noisy = diffusion.add_noise(x, noise, level)
    torch.testing.assert_close(noisy[0], x[0])
    torch.testing.assert_close(noisy[1], noise[1])
    torch.testing.assert_close(noisy[2], 0.5 * x[2] + math.sqrt(0.75) * noise[2])
    shares = (level.sqrt() ** 2 + (1 - level).sqrt() ** 2)[:, 0]
    torch.testing.assert_close(shares, torch.ones(5, dtype=torch.float64))


def test_sampling_gives_the_gaussian_that_was_noised():
    """For x ~ N(μ, s²) the noise to be expected is known, and so what is sampled."""
    level = diffusion.cosine_schedule()
    mean, spread = 0.7, 0.3

    def predict(x, t):
        a = level[t][:, None]
        variance = a * spread**2 + 1 - a
        return (1 - a).sqrt() * (x - a.sqrt() * mean) / variance

    torch.manual_seed(0)
    x = diffusion.sample(predict, torch.randn(20_000, 1), level)
    assert x.mean().item() == pytest.approx(mean, abs=0.01)
    assert x.std().item() == pytest.approx(spread, rel=0.1)


def test_the_network_sees_the_time():
    torch.manual_seed(0)
    predict = diffusion.NoisePredictor((16,))
    x = torch.randn(1, 2).expand(2, 2)
    first, second = predict(x, torch.tensor([3, 40]))
    assert (first - second).abs().max() > 1e-4
    assert predict(x, torch.tensor([3, 40])).shape == (2, 2)
