"""The ring of eight Gaussians: counting, samplers, and the recorded runs."""

import math

import numpy as np
import pytest
import torch

from utils.datasets import ring
from utils.models import diffusion
from utils.recorded import ring as record

MEANS = torch.tensor(ring.centers())


# ------------------------------------------------------------------ real points and counting
def test_the_modes_lie_on_the_unit_circle_an_eighth_turn_apart():
    complex_plane = ring.centers() @ [1, 1j]
    np.testing.assert_allclose(complex_plane**8, 1, atol=1e-12)
    assert len(set(np.round(complex_plane, 6))) == ring.MODES == 8


def test_real_points_have_eight_equal_modes_of_the_asked_width():
    torch.manual_seed(0)
    x = ring.real(40_000, 0.05).numpy()
    assert x.dtype == np.float32
    angle = np.arctan2(x[:, 1], x[:, 0])
    mode = np.round(angle / (2 * np.pi / 8)).astype(int) % 8
    shares = np.bincount(mode, minlength=8) / len(x)
    np.testing.assert_allclose(shares, 1 / 8, atol=5 * math.sqrt(7 / 64 / len(x)))
    off = x - ring.centers()[mode]
    np.testing.assert_allclose(np.cov(off.T), 0.05**2 * np.eye(2), atol=1e-4)


def test_counting_of_real_points_knows_the_rayleigh_distribution():
    torch.manual_seed(1)
    modes, near = ring.count(ring.real(50_000, 0.05).numpy(), 0.05)
    assert modes == 8
    assert near == pytest.approx(1 - math.exp(-4.5), abs=0.003)  # within 3σ in the plane


def place(counts, elsewhere=0):
    """Points exactly on the modes, so many on each, and others in the middle of the ring."""
    return np.concatenate([np.repeat(ring.centers(), counts, axis=0), np.zeros((elsewhere, 2))])


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        (place([1] * 8), (8, 1)),
        (place([0, 0, 5, 0, 0, 0, 0, 0]), (1, 1)),
        (place([0] * 8, 7), (0, 0)),
        (place([50, 50, 0, 0, 0, 0, 0, 0], 100), (2, 0.5)),
        (place([1, 1, 97, 0, 0, 0, 0, 0], 1), (3, 0.99)),  # one in a hundred is enough
        (place([1, 1, 197, 0, 0, 0, 0, 0], 1), (1, 0.995)),  # one in two hundred is not
    ],
)
def test_modes_are_counted_by_the_share_near_them(points, expected):
    assert ring.count(points, 0.05) == (expected[0], pytest.approx(expected[1]))


def test_near_ends_at_three_standard_deviations():
    outward = ring.centers()[:1]
    assert ring.count(1.149 * outward, 0.05) == (1, 1)
    assert ring.count(1.151 * outward, 0.05) == (0, 0)
    assert ring.count(1.05 * outward, 0.02) == (1, 1)
    assert ring.count(1.07 * outward, 0.02) == (0, 0)


@pytest.mark.parametrize("points", [np.zeros((0, 2)), np.zeros(2), np.zeros((5, 3))])
def test_what_are_no_points_is_refused(points):
    with pytest.raises(ValueError, match=r"\(N, 2\) with N > 0, got \("):
        ring.count(points, 0.05)


# ------------------------------------------------------------------ diffusion
class ExactNoise(torch.nn.Module):
    """E[ε | x, t] on the ring: −√(1 − ᾱ) times the score of a known mixture of Gaussians."""

    def __init__(self, sigma):
        super().__init__()
        self.unused = torch.nn.Parameter(torch.zeros(1))
        self.sigma = sigma

    def forward(self, inputs):
        t = (torch.atan2(inputs[:, 2], inputs[:, 6]) * diffusion.STEPS / math.pi).round().long()
        level = diffusion.cosine_schedule()[t][:, None]
        variance = level * self.sigma**2 + 1 - level
        away = inputs[:, None, :2] - level.sqrt()[..., None] * MEANS.float()
        weight = torch.softmax(-(away**2).sum(2) / (2 * variance), dim=1)
        return (1 - level).sqrt() * (weight[..., None] * away).sum(1) / variance


def test_walking_back_with_the_exact_noise_gives_the_ring(monkeypatch):
    monkeypatch.setattr(diffusion, "mlp", lambda *sizes: ExactNoise(0.05))
    setting = record.Setting("diffusion", 0.05, (1e-3, 0.0), (), steps=0)
    sample = record._diffusion(setting, lambda step, sample: None)
    points = record.draw(sample)
    modes, near = ring.count(points, 0.05)
    assert modes == 8
    assert near >= 0.95
    mode = np.linalg.norm(points[:, None] - ring.centers(), axis=2).argmin(axis=1)
    shares = np.bincount(mode, minlength=8) / len(points)
    np.testing.assert_allclose(shares, 1 / 8, atol=5 * math.sqrt(7 / 64 / len(points)))


# ------------------------------------------------------------------ runs
def test_drawing_repeats_itself_and_leaves_the_run_alone():
    torch.manual_seed(3)
    first = record.draw(lambda n: torch.randn(n, 2))
    after = torch.rand(1)
    torch.manual_seed(3)
    assert torch.rand(1) == after
    assert first.shape == (record.JUDGED, 2)
    np.testing.assert_array_equal(record.draw(lambda n: torch.randn(n, 2)), first)


@pytest.mark.parametrize("name", record.SETTINGS)
def test_a_short_run_tells_what_it_kept(name):
    made = record.run(name, 4, steps=2)
    assert made.keys() == {"setting", "seed", "seconds", "modes", "near"}
    assert (made["setting"], made["seed"]) == (name, 4)
    assert 0 <= made["modes"] <= 8
    assert 0 <= made["near"] <= 1
    again = record.run(name, 4, steps=2)
    assert (again["modes"], again["near"]) == (made["modes"], made["near"])


def test_a_film_runs_from_the_untrained_to_the_trained():
    made = record.run("equal rates", 0, film=True, steps=30)
    steps = [frame["step"] for frame in made["frames"]]
    assert steps[0] == 0
    assert steps[-1] == 30
    assert steps == sorted(set(steps))
    last = made["frames"][-1]
    assert (last["modes"], last["near"]) == (made["modes"], made["near"])


def test_no_such_setting():
    with pytest.raises(KeyError, match="magic"):
        record.run("magic", 0)


# ------------------------------------------------------------------ the record
def test_the_record_holds_every_run():
    runs = record.runs()
    assert [(run["setting"], run["seed"]) for run in runs] == [
        (name, seed) for name in record.SETTINGS for seed in range(record.SEEDS)
    ]
    assert record.SEEDS >= 5
    assert record.modes_kept() == {
        name: [run["modes"] for run in runs if run["setting"] == name] for name in record.SETTINGS
    }
    assert all(run["seconds"] > 0 for run in runs)


def test_each_setting_has_one_film_that_ends_as_its_run():
    films = [run for run in record.runs() if "frames" in run]
    assert [run["setting"] for run in films] == list(record.SETTINGS)
    for run in films:
        frames = run["frames"]
        assert len(frames) == record.FRAMES
        assert frames[0]["step"] == 0
        assert frames[-1]["step"] == record.SETTINGS[run["setting"]].steps
        assert (frames[-1]["modes"], frames[-1]["near"]) == (run["modes"], run["near"])
        assert all(np.shape(frame["points"]) == (record.SHOWN, 2) for frame in frames)


class Enough(Exception):
    pass


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "pictures"),
    [("slow discriminator", 3), *((name, 2) for name in list(record.SETTINGS)[1:])],
)
def test_the_films_begin_alike_when_made_again(name, pictures):
    kept = next(run["frames"] for run in record.runs() if run["setting"] == name)[:pictures]
    setting, made = record.SETTINGS[name], {}

    def look(step, sample):
        if step in [frame["step"] for frame in kept]:
            made[step] = record.draw(sample)[: record.SHOWN]
        if len(made) == pictures:
            raise Enough

    torch.manual_seed(0)
    train = record._diffusion if setting.kind == "diffusion" else record._gan
    with pytest.raises(Enough):
        train(setting, look)
    for frame in kept:
        # in hundredths; another processor may round otherwise
        np.testing.assert_allclose(100 * made[frame["step"]], frame["points"], atol=2)
