"""The ring of eight Gaussians: counting, penalty, noise and samplers, and the recorded runs."""

import json
import math

import numpy as np
import pytest
import torch

from utils import ring

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


# ------------------------------------------------------------------ the gradient penalty
def test_penalty_equals_finite_differences():
    torch.manual_seed(0)
    critic = ring.mlp(3, (7, 5), 1).double()
    x, fake = torch.randn(2, 6, 3, dtype=torch.float64)
    torch.manual_seed(5)
    got = ring.gradient_penalty(critic, x, fake).item()
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
    ring.gradient_penalty(critic, x, -x).backward()
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
    assert ring.gradient_penalty(critic, x, fake).item() == pytest.approx((norm - 1) ** 2)
    assert (seen[0] == seen[0][:, :, :1, :1]).all()
    shares = seen[0][:, 0, 0, 0]
    assert len(set(shares.tolist())) == 4
    assert ((shares >= 0) & (shares <= 1)).all()


# ------------------------------------------------------------------ diffusion
def test_noise_levels_are_the_closed_form():
    level = ring.noise_levels().double().numpy()
    t = np.arange(ring.TIMES + 1) / ring.TIMES
    f = np.cos((t + 0.008) / 1.008 * np.pi / 2) ** 2
    np.testing.assert_allclose(level[:-1], (f[1:] / f[0])[:-1], rtol=1e-4)
    # the last step would take all signal; it is held at β = 0.999
    assert level[-1] == pytest.approx(0.001 * level[-2], rel=1e-3)
    assert (np.diff(level) < 0).all()


def test_many_small_steps_of_noise_are_one_large_one():
    level = ring.noise_levels().double()
    beta = 1 - level / torch.cat([torch.ones(1), level[:-1]])
    torch.manual_seed(0)
    start = torch.tensor([0.6, -0.8], dtype=torch.float64)
    x, n = start.expand(50_000, 2), 50_000
    for t in range(ring.TIMES):
        x = (1 - beta[t]).sqrt() * x + beta[t].sqrt() * torch.randn(n, 2, dtype=torch.float64)
        if t in (9, 24, 49):
            spread = (1 - level[t]).sqrt().item()
            error = 5 * spread / math.sqrt(n)
            torch.testing.assert_close(x.mean(0), level[t].sqrt() * start, atol=error, rtol=0)
            torch.testing.assert_close(x.std(0), torch.full((2,), spread).double(),
                                       atol=error, rtol=0)  # fmt: skip


class ExactNoise(torch.nn.Module):
    """E[ε | x, t] on the ring: −√(1 − ᾱ) times the score of a known mixture of Gaussians."""

    def __init__(self, sigma):
        super().__init__()
        self.unused = torch.nn.Parameter(torch.zeros(1))
        self.sigma = sigma

    def forward(self, inputs):
        t = (torch.atan2(inputs[:, 2], inputs[:, 6]) * ring.TIMES / math.pi).round().long()
        level = ring.noise_levels()[t][:, None]
        variance = level * self.sigma**2 + 1 - level
        away = inputs[:, None, :2] - level.sqrt()[..., None] * MEANS.float()
        weight = torch.softmax(-(away**2).sum(2) / (2 * variance), dim=1)
        return (1 - level).sqrt() * (weight[..., None] * away).sum(1) / variance


def test_walking_back_with_the_exact_noise_gives_the_ring(monkeypatch):
    monkeypatch.setattr(ring, "mlp", lambda *sizes: ExactNoise(0.05))
    setting = ring.Setting("diffusion", 0.05, (1e-3, 0.0), (), steps=0)
    sample = ring._diffusion(setting, lambda step, sample: None)
    points = ring.draw(sample)
    modes, near = ring.count(points, 0.05)
    assert modes == 8
    assert near >= 0.95
    mode = np.linalg.norm(points[:, None] - ring.centers(), axis=2).argmin(axis=1)
    shares = np.bincount(mode, minlength=8) / len(points)
    np.testing.assert_allclose(shares, 1 / 8, atol=5 * math.sqrt(7 / 64 / len(points)))


# ------------------------------------------------------------------ runs
def test_drawing_repeats_itself_and_leaves_the_run_alone():
    torch.manual_seed(3)
    first = ring.draw(lambda n: torch.randn(n, 2))
    after = torch.rand(1)
    torch.manual_seed(3)
    assert torch.rand(1) == after
    assert first.shape == (ring.JUDGED, 2)
    np.testing.assert_array_equal(ring.draw(lambda n: torch.randn(n, 2)), first)


@pytest.mark.parametrize("name", ring.SETTINGS)
def test_a_short_run_tells_what_it_kept(name):
    made = ring.run(name, 4, steps=2)
    assert made.keys() == {"setting", "seed", "seconds", "modes", "near"}
    assert (made["setting"], made["seed"]) == (name, 4)
    assert 0 <= made["modes"] <= 8
    assert 0 <= made["near"] <= 1
    again = ring.run(name, 4, steps=2)
    assert (again["modes"], again["near"]) == (made["modes"], made["near"])


def test_a_film_runs_from_the_untrained_to_the_trained():
    made = ring.run("equal rates", 0, film=True, steps=30)
    steps = [frame["step"] for frame in made["frames"]]
    assert steps[0] == 0
    assert steps[-1] == 30
    assert steps == sorted(set(steps))
    last = made["frames"][-1]
    assert (last["modes"], last["near"]) == (made["modes"], made["near"])


def test_no_such_setting():
    with pytest.raises(KeyError, match="magic"):
        ring.run("magic", 0)


# ------------------------------------------------------------------ the record
def test_the_record_names_its_command_and_holds_every_run():
    text = ring.RECORD.read_text(encoding="utf-8")
    assert json.loads(text)["command"] == "python -m utils.ring"
    assert len(text.encode()) <= 200_000
    runs = ring.recorded()
    assert [(run["setting"], run["seed"]) for run in runs] == [
        (name, seed) for name in ring.SETTINGS for seed in range(ring.SEEDS)
    ]
    assert ring.SEEDS >= 5
    assert ring.modes_kept() == {
        name: [run["modes"] for run in runs if run["setting"] == name] for name in ring.SETTINGS
    }
    assert all(run["seconds"] > 0 for run in runs)


def test_each_setting_has_one_film_that_ends_as_its_run():
    films = [run for run in ring.recorded() if "frames" in run]
    assert [run["setting"] for run in films] == list(ring.SETTINGS)
    for run in films:
        frames = run["frames"]
        assert len(frames) == ring.FRAMES
        assert frames[0]["step"] == 0
        assert frames[-1]["step"] == ring.SETTINGS[run["setting"]].steps
        assert (frames[-1]["modes"], frames[-1]["near"]) == (run["modes"], run["near"])
        assert all(np.shape(frame["points"]) == (ring.SHOWN, 2) for frame in frames)


class Enough(Exception):
    pass


@pytest.mark.slow
@pytest.mark.parametrize(("name", "pictures"), [("slow discriminator", 3), *(
    (name, 2) for name in list(ring.SETTINGS)[1:]
)])  # fmt: skip
def test_the_films_begin_alike_when_made_again(name, pictures):
    kept = next(run["frames"] for run in ring.recorded() if run["setting"] == name)[:pictures]
    setting, made = ring.SETTINGS[name], {}

    def look(step, sample):
        if step in [frame["step"] for frame in kept]:
            made[step] = ring.draw(sample)[: ring.SHOWN]
        if len(made) == pictures:
            raise Enough

    torch.manual_seed(0)
    train = ring._diffusion if setting.kind == "diffusion" else ring._gan
    with pytest.raises(Enough):
        train(setting, look)
    for frame in kept:
        # in hundredths; another processor may round otherwise
        np.testing.assert_allclose(100 * made[frame["step"]], frame["points"], atol=2)


def test_a_written_record_is_read_back(tmp_path):
    runs = [{"setting": "diffusion", "seed": 0, "modes": 8}, {"setting": "diffusion", "seed": 1}]
    ring.write(runs, tmp_path / "ring.json")
    text = (tmp_path / "ring.json").read_text(encoding="utf-8")
    assert json.loads(text)["runs"] == runs
    assert len(text.splitlines()) == 3 + len(runs)  # a run a line
