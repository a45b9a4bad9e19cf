"""The study of painting: U-Nets that color outlines, trained in several ways, over seeds.

``python -m utils.recorded.translation`` trains all again, half an hour or more on one core.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from utils import recorded

if TYPE_CHECKING:
    from torch import Tensor, nn

    from utils.datasets import Sketches

SEEDS = range(3)  # of weights, batches, augmentation and dabs
DABS = (0, 1, 2, 3, 5, 8)  # dabs of a held-out outline
MOST = 6  # dabs of an example in training
GAPS, GAP = 6, 5  # holes torn into an outline, and their side in pixels
CAREFUL = {"dabs, careful": (False, 1.5)}  # pixels from a line where its paint does not pass
ALIKE = 99  # the seed of dabs and holes, the same ones for every network


@dataclass(frozen=True)
class Setting:
    """How a U-Net is trained; the steps of the first settings take equal time.

    Attributes:
        lam: λ, the weight of L1; None is L1 alone, 0 the adversarial loss alone.
        steps: batches of 16.
        dabs: the most dabs of an example.
        sees_outline: whether the discriminator does.
        lr_D: the discriminator's learning rate.
        skips: whether the way up of the U-Net sees the way down.
        squared: whether the squared error stands in the place of L1.

    """

    lam: float | None
    steps: int = 670
    dabs: int = 0
    sees_outline: bool = True
    lr_D: float = 5e-4
    skips: bool = True
    squared: bool = False


SETTINGS = {
    "L1": Setting(None, 930),
    "λ = 100": Setting(100),
    "λ = 50": Setting(50),
    "λ = 10": Setting(10),
    "λ = 1": Setting(1),
    "GAN": Setting(0),
    "L1, dabs": Setting(None, 800, MOST),
    "λ = 50, dabs": Setting(50, 560, MOST),
    "L1, as many steps": Setting(None, 670),
    "L1, no skips": Setting(None, 930, skips=False),
    "squared error": Setting(None, 930, squared=True),
    "squared error, λ = 10": Setting(10, squared=True),
    "λ = 10, D sees no outline": Setting(10, sees_outline=False),
    "λ = 10, fast D": Setting(10, lr_D=2e-3),
    "λ = 10, slow D": Setting(10, lr_D=1.25e-4),
    "L1, long": Setting(None, 2790),
    "L1, dabs, long": Setting(None, 2400, MOST),
    "λ = 10, long": Setting(10, 2010),
}


def train(name: str, seed: int, steps: int | None = None) -> nn.Module:
    """Train a U-Net in one of the `SETTINGS`, with its number of steps or another."""
    from torch.nn import functional as F

    from utils.datasets import load_sketches
    from utils.models import unet

    s, data = SETTINGS[name], load_sketches()
    return unet.train(
        data.x_train,
        data.y_train,
        steps or s.steps,
        s.lam,
        dabs=s.dabs,
        seed=seed,
        sees_outline=s.sees_outline,
        lr_D=s.lr_D,
        skips=s.skips,
        distance=F.mse_loss if s.squared else F.l1_loss,
    )


def rate(painted: np.ndarray, data: Sketches) -> dict[str, float]:
    """What is measured of paintings (200, 64, 64, 3) of the held-out outlines.

    Returns:
        ``all``, the mean absolute error; ``color``, that where the truth is colored; ``chroma``,
        ``hue``, ``palette`` and ``uneven``, as in `utils.metrics`; ``kind``, the share of the
        glyphs with a kind that the judge recognizes; ``frechet``, in the judge's features.

    """
    from utils import metrics
    from utils.recorded import picture_judge

    truth = data.y_test
    known = data.kind_test >= 0
    numbers = {
        "all": np.abs(painted - truth).mean(),
        "color": metrics.color_error(painted, truth),
        "chroma": metrics.chroma_ratio(painted, truth),
        "hue": metrics.hue_distance(painted, truth),
        "palette": metrics.palette_share(painted, truth, metrics.palette(data.y_train)),
        "uneven": metrics.unevenness(painted, truth),
        "kind": (picture_judge.read(painted[known]) == data.kind_test[known]).mean(),
        "frechet": picture_judge.frechet_distance(painted, truth),
    }
    return {name: round(float(number), 4) for name, number in numbers.items()}


def snapped(painted: np.ndarray, colors: np.ndarray) -> np.ndarray:
    """Pictures (N, H, W, 3) whose colored pixels take the nearest of `colors` (C, 3)."""
    from utils import metrics

    made = painted.copy()
    where = metrics.chroma(painted) > metrics.COLORED
    distance = np.linalg.norm(painted[where][:, None] - colors, axis=2)
    made[where] = colors[distance.argmin(axis=1)]
    return made


def dabbed(data: Sketches, dabs: int, torn: bool = False) -> Tensor:
    """The held-out outlines with so many dabs of true color each, as a U-Net takes them.

    With `torn`, holes have been made into the outline, in the same places whoever asks.
    """
    import torch

    from utils.models import unet

    x, y = unet.to_input(data.x_test), unet.to_target(data.y_test)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(ALIKE)
        made = unet.dab(x, y, unet.dab_places(x, y), torch.full((len(x),), dabs))
    if torn:
        made[:, :1] = unet.to_input(tear(data.x_test))
    return made


def tear(outlines: np.ndarray) -> np.ndarray:
    """The outlines (N, H, W) with `GAPS` squares of `GAP` pixels each erased, each upon a line."""
    rng, made, half = np.random.RandomState(ALIKE), outlines.copy(), GAP // 2
    for outline, torn in zip(outlines, made, strict=True):
        rows, columns = np.nonzero(outline < 0.5)
        for k in rng.choice(len(rows), GAPS):
            i, j = max(rows[k] - half, 0), max(columns[k] - half, 0)
            torn[i : rows[k] + half + 1, j : columns[k] + half + 1] = 1
    return made


def run(name: str, seed: int, G: nn.Module) -> dict[str, Any]:
    """Rate the U-Net G that was trained in one of the `SETTINGS` with this seed.

    Returns:
        ``name``, ``seed``, and what `rate` says. For L1, also ``snapped``, the same with every
        color replaced by the nearest of the palette. For L1 and where dabs are taken, short and
        long, ``dabs`` and ``dabs, torn``: the color error with each number of `DABS`, without and
        with holes in the outline; for L1 that of a paint program that fills what L1 painted, and
        under ``dabs, careful`` that of one that passes no small gap.

    """
    from utils import metrics
    from utils.datasets import load_sketches
    from utils.models import unet

    data = load_sketches()
    takes_dabs = SETTINGS[name].dabs > 0
    painted = unet.paint(G, dabbed(data, 0) if takes_dabs else data.x_test)
    row = {"name": name, "seed": seed} | rate(painted, data)
    if name == "L1":
        row["snapped"] = rate(snapped(painted, metrics.palette(data.y_train)), data)
    if takes_dabs or name in ("L1", "L1, long"):
        ways = {"dabs": (False, 0.0), "dabs, torn": (True, 0.0)}
        for key, (torn, gap) in (ways if takes_dabs else ways | CAREFUL).items():
            errors = []
            for dabs in DABS:
                x = dabbed(data, dabs, torn)
                if takes_dabs:
                    made = unet.paint(G, x)
                else:
                    made = unet.bucket_fill(unet.paint(G, x[:, :1]), x, gap)
                errors.append(round(metrics.color_error(made, data.y_test), 4))
            row[key] = errors
    return row


def runs(name: str) -> dict[int, dict[str, Any]]:
    """The recorded runs of one of the `SETTINGS`, by seed."""
    return recorded.by_seed("translation", name=name)


def values(name: str, measure: str) -> dict[int, float]:
    """One measure of the runs of one of the `SETTINGS`, by seed, as `claim` takes it."""
    return {seed: row[measure] for seed, row in runs(name).items()}


def study() -> list[dict[str, Any]]:
    """Train and rate all settings with all seeds."""
    return [run(name, seed, train(name, seed)) for name in SETTINGS for seed in SEEDS]


if __name__ == "__main__":
    import torch

    torch.set_num_threads(1)
    recorded.make("translation", study, seeds=SEEDS)
