"""GAN stepper: move a discriminator and a generator by hand, on one dimension."""

from __future__ import annotations

import functools
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np
import traitlets
from scipy.special import expit

from utils import plotting
from utils.widgets._hero import Hero, Numbers, script

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# p as a mixture of Gaussians with equal weights: (means, their standard deviation)
TARGETS = {"one bump": ((2.0,), 0.5), "two bumps": ((-2.0, 2.0), 0.5)}
LOSSES = ("non-saturating, −ln D", "saturating, ln(1 − D)")
POINTS = 40  # of the batch: quantiles, so that no chance is left
HIDDEN = 12
LOW, HIGH, CELL = -5.0, 5.0, 0.05
RATE_D, BETA1, BETA2, EPS = 0.05, 0.5, 0.99, 1e-8  # Adam for D; G walks by plain descent
FIRST = (-1.5, 0.0)  # μ and ln σ of the untrained generator
MAX_MOVES = 1200
WIDE, FINE = 6.0, 0.01  # q is summed over |z| < WIDE in such steps
SEEN = 0.01  # D is compared with D* where (p + q)/2 is at least this


@functools.cache
def quantiles(n: int = POINTS) -> np.ndarray:
    """The middles of `n` equally likely slices of N(0, 1), symmetric about 0."""
    upper = [NormalDist().inv_cdf((i + 0.5) / n) for i in range(n // 2, n)]
    return np.array([-z for z in reversed(upper)] + upper)


def first_weights() -> np.ndarray:
    """w, b, v of the hidden neurons and the bias c of the untrained discriminator, (3·H + 1,)."""
    place = np.linspace(-4, 4, HIDDEN)  # tanh bends at x = place
    w = np.ones(HIDDEN)
    return np.concatenate([w, -place, 0.1 * np.cos(3 * np.arange(HIDDEN)), [0.0]])


def batch(target: str) -> np.ndarray:
    """The real examples: quantiles of each bump of p."""
    means, sigma = TARGETS[target]
    return np.concatenate([m + sigma * quantiles(POINTS // len(means)) for m in means])


def density(x: np.ndarray, means: tuple[float, ...], sigma: float) -> np.ndarray:
    """The mixture's density at x."""
    bumps = [np.exp(-(((x - m) / sigma) ** 2) / 2) for m in means]
    return np.mean(bumps, axis=0) / (sigma * np.sqrt(2 * np.pi))


def score(theta: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Logit f(x) = Σ v·tanh(wx + b) + c, its slope in x, and its gradient in θ, (N, 3·H + 1)."""
    w, b, v = theta[:-1].reshape(3, HIDDEN)
    h = np.tanh(np.multiply.outer(x, w) + b)
    bend = v * (1 - h * h)
    ones = np.ones((len(x), 1))
    return h @ v + theta[-1], bend @ w, np.hstack([bend * x[:, None], bend, h, ones])


class Game(NamedTuple):
    """The state of both players: θ of D with Adam's two memories and its step, μ and ln σ of G."""

    theta: np.ndarray
    m: np.ndarray
    v: np.ndarray
    t: int
    mean: float
    log_sigma: float


def move_discriminator(game: Game, target: str) -> Game:
    """One Adam step on −E ln D(x) − E ln(1 − D(G(z)))."""
    real, fake = batch(target), game.mean + np.exp(game.log_sigma) * quantiles()
    f, _, df = score(game.theta, real)
    g, _, dg = score(game.theta, fake)
    gradient = -(expit(-f) @ df) / len(real) + (expit(g) @ dg) / len(fake)
    t = game.t + 1
    m = BETA1 * game.m + (1 - BETA1) * gradient
    v = BETA2 * game.v + (1 - BETA2) * gradient**2
    step = (m / (1 - BETA1**t)) / (np.sqrt(v / (1 - BETA2**t)) + EPS)
    return game._replace(theta=game.theta - RATE_D * step, m=m, v=v, t=t)


def pulls(game: Game, loss: str) -> np.ndarray:
    """−∂loss/∂x at each generated point: where the discriminator sends it."""
    fake = game.mean + np.exp(game.log_sigma) * quantiles()
    f, slope, _ = score(game.theta, fake)
    # −ln σ(f) has the derivative −σ(−f)·f′, ln(1 − σ(f)) the derivative −σ(f)·f′
    return (expit(-f) if loss == LOSSES[0] else expit(f)) * slope


def move_generator(game: Game, loss: str, rate: float) -> Game:
    """One step of plain descent for μ and ln σ."""
    pull = pulls(game, loss)
    spread = np.exp(game.log_sigma) * quantiles()
    return game._replace(
        mean=float(game.mean + rate * pull.mean()),
        log_sigma=float(game.log_sigma + rate * (pull * spread).mean()),
    )


def play(moves: str, target: str, loss: str, rate: float) -> Game:
    """The game after `moves`, a text of the letters D and G."""
    theta = first_weights()
    game = Game(theta, np.zeros_like(theta), np.zeros_like(theta), 0, *FIRST)
    for move in moves:
        mine = move == "D"
        game = move_discriminator(game, target) if mine else move_generator(game, loss, rate)
    return game


class Moves(traitlets.Unicode):
    """A text of the letters D and G, at most `MAX_MOVES` long."""

    def validate(self, obj: Any, value: Any) -> str:
        """Return the text."""
        if not isinstance(value, str) or set(value) - set("DG") or len(value) > MAX_MOVES:
            raise traitlets.TraitError(
                f"{self.name} must be at most {MAX_MOVES} letters D and G, for instance "
                f"'DDDDG'; got {value!r:.80}"
            )
        return value


class GanStepper(Hero):
    """Two players on a line: press to move the one or the other, and see what each wants.

    ```python
    game = GanStepper(moves="D" * 40 + "G")
    game.numbers["js"]
    ```

    The generator is x = μ + σz, so its density q is known, and with it the best answer to it,
    D* = p/(p + q). The discriminator has `HIDDEN` neurons.

    Attributes:
        moves: all moves since the start, a text of the letters D and G.
        target: one of `TARGETS`: what the real examples look like.
        loss: one of `LOSSES`: what the generator descends.
        rate: the generator's step size.

    Raises:
        traitlets.TraitError: a value of another kind.

    """

    STATE = ("moves", "target", "loss", "rate")
    CONSTANTS: ClassVar = {
        "LOW": LOW, "HIGH": HIGH, "CELL": CELL, "WIDE": WIDE, "FINE": FINE, "SEEN": SEEN,
        "RATE_D": RATE_D, "BETA1": BETA1, "BETA2": BETA2, "EPS": EPS, "FIRST": FIRST,
        "MAX_MOVES": MAX_MOVES, "TARGETS": TARGETS, "Z": quantiles().tolist(),
        "BATCHES": {target: batch(target).tolist() for target in TARGETS},
        "THETA": first_weights().tolist(),
    }  # fmt: skip
    _esm = script("gan_stepper")

    moves = Moves("").tag(sync=True)
    target = traitlets.Enum(tuple(TARGETS), "one bump").tag(sync=True)
    loss = traitlets.Enum(LOSSES, LOSSES[0]).tag(sync=True)
    rate = Numbers(0.3, 0.01, 1).tag(sync=True)
    losses: ClassVar = LOSSES

    @property
    def game(self) -> Game:
        """Both players after all moves."""
        return play(self.moves, self.target, self.loss, self.rate)

    @property
    def curves(self) -> dict[str, np.ndarray]:
        """x, p, q, D and D* on a fine grid."""
        return _curves(self.game, self.target)

    @property
    def numbers(self) -> dict[str, float]:
        """What stands beside the picture.

        ``mean`` and ``spread`` of the generator, the ``value`` of the game on the batch, the
        Jensen–Shannon divergence ``js`` of p and q, the largest ``gap`` between D and D* where
        there is data, and the mean ``pull`` on the generated points.
        """
        game = self.game
        _, p, q, D, best = _curves(game, self.target).values()
        real, fake = batch(self.target), game.mean + np.exp(game.log_sigma) * quantiles()
        f, g = score(game.theta, real)[0], score(game.theta, fake)[0]
        mid = (p + q) / 2
        kl_p = np.where(p > 0, p * np.log(np.where(p > 0, p, 1) / mid), 0).sum() * CELL
        # q in its own z: it may be narrow, or far beyond the picture
        z = -WIDE + FINE * (np.arange(round(2 * WIDE / FINE)) + 0.5)
        spread = np.exp(game.log_sigma)
        share = density(z, (0.0,), 1.0)
        there = density(game.mean + spread * z, *TARGETS[self.target])
        kl_q = (share * np.log(2 * share / (spread * there + share))).sum() * FINE
        return {
            "mean": game.mean,
            "spread": float(spread),
            "value": float(-np.logaddexp(0, -f).mean() - np.logaddexp(0, g).mean()),
            "js": float((kl_p + kl_q) / 2),
            "gap": float(np.abs(D - best)[mid >= SEEN].max()),
            "pull": float(np.abs(pulls(game, self.loss)).mean()),
        }

    def describe(self) -> str:
        """Return the present state in words."""
        n = self.numbers
        return (
            f"After {self.moves.count('D')} moves of D and {self.moves.count('G')} of G the "
            f"generator has mean {n['mean']:.2f} and spread {n['spread']:.2f}; the "
            f"Jensen–Shannon divergence is {n['js']:.2f}, the discriminator is {n['gap']:.2f} "
            f"from the best one, the mean pull on a point is {n['pull']:.2g}."
        )

    def draw(self) -> Figure:
        """Return both densities, both discriminators and the pull on some points."""
        x, p, q, D, best = self.curves.values()
        game = self.game
        fig, (top, low) = plotting.figure(2, 1, width=8, height=4.4, sharex=True)
        top.plot(x, p, label="p, real")
        top.plot(x, q, label="q, generated")
        fake = (game.mean + np.exp(game.log_sigma) * quantiles())[2::5]
        for at, pull in zip(fake, pulls(game, self.loss)[2::5], strict=True):
            top.annotate(
                "",
                (at + np.clip(pull, -2, 2), -0.08),
                (at, -0.08),
                arrowprops={"arrowstyle": "->", "color": plotting.ORANGE},
                annotation_clip=False,
            )
        top.set(ylim=(-0.15, 1.05), ylabel="density")
        low.plot(x, D, color=plotting.GREEN, linestyle="-", label="D")
        low.plot(x, best, color=plotting.GRAY, linestyle=":", label="D* = p/(p + q)")
        low.set(xlim=(LOW, HIGH), ylim=(-0.05, 1.05), xlabel="x", ylabel="probability “real”")
        for ax in (top, low):
            ax.legend(loc="upper left")
        return fig


def _curves(game: Game, target: str) -> dict[str, np.ndarray]:
    x = LOW + CELL * (np.arange(round((HIGH - LOW) / CELL)) + 0.5)
    p = density(x, *TARGETS[target])
    q = density(x, (game.mean,), float(np.exp(game.log_sigma)))
    total = p + q
    best = np.divide(p, total, out=np.full_like(p, 0.5), where=total > 0)
    return {"x": x, "p": p, "q": q, "D": expit(score(game.theta, x)[0]), "best": best}
