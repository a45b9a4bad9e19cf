"""The study of translation without pairs: CycleGANs between digits and three looks, over seeds.

``python -m utils.recorded.cycle`` trains all again, a quarter of an hour or more on one core.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from utils import recorded

if TYPE_CHECKING:
    from torch import nn

    from utils.datasets.looks import Worlds
    from utils.models.cyclegan import CycleGAN

SEEDS = range(5)  # of weights, batches, pools, and of who belongs to which world
READ = 800  # test images from which a readout of the ground's color learns


class Setting(NamedTuple):
    """A look, the steps of training, λ of the way there and back, and how many seeds."""

    look: str
    steps: int
    cycle: float = 10.0
    seeds: int = 3


SETTINGS = {
    "ink": Setting("ink", 350, seeds=5),
    "neon": Setting("neon", 790),
    "neon, long": Setting("neon", 1580),
    "any colors": Setting("any colors", 1050),
    "ink, no cycle": Setting("ink", 350, 0.0, seeds=5),
    "neon, no cycle": Setting("neon", 790, 0.0),
    "any colors, no cycle": Setting("any colors", 1050, 0.0),
}


def train(name: str, seed: int) -> CycleGAN:
    """Train a CycleGAN in one of the `SETTINGS`."""
    from utils.datasets.looks import load_worlds
    from utils.models import cyclegan

    s = SETTINGS[name]
    worlds = load_worlds(s.look, seed)
    return cyclegan.train(worlds.a, worlds.b, s.steps, seed=seed, cycle=s.cycle)


def reads(images: np.ndarray, labels: np.ndarray) -> float:
    """The share of gray images (N, 32, 32) in which the judge of digits reads its label."""
    from utils.datasets.looks import cropped
    from utils.recorded import judge

    return float((judge.read(cropped(images)) == labels).mean())


def baselines(worlds: Worlds) -> dict[str, float]:
    """How many test digits are read in what programs without a network make of the look."""
    from utils.models import recolor

    looks, b, a = worlds.b_test, worlds.b, worlds.a
    made = {
        "affine": recolor.affine(looks, b, a),
        "histogram": recolor.histogram(looks, b, a),
        "from the frame": recolor.from_frame(looks),
        "inside the tube": recolor.inside_tube(looks, b, a),
    }
    return {name: reads(images, worlds.labels) for name, images in made.items()}


def hidden(to_A: nn.Module, to_B: nn.Module, worlds: Worlds) -> dict[str, float]:
    """What the gray picture of a test image tells about its colors that no gray digit could.

    Returns:
        ``back``, the mean absolute error of B → A → B; ``swapped``, that with the true gray digit
        in the middle; ``noise``, ``bits`` and ``black and white``, that with noise of standard
        deviation 0.02 added to the gray picture, with the picture rounded to 256 steps, and with
        every pixel rounded to 0 or 1; ``mean``, that of a picture
        whose every pixel is the mean of the true ones; ``readout``, R² of a linear map from the
        gray picture to the ground's color, on 200 images it has not seen, and ``readout, true``
        that from the true gray digits.

    """
    from utils.models.cyclegan import translate

    looks, rng = worlds.b_test, np.random.RandomState(0)
    gray = translate(to_A, looks)
    noisy = np.clip(gray + 0.02 * rng.standard_normal(gray.shape), 0, 1).astype(np.float32)
    middle = {
        "back": gray,
        "swapped": worlds.a_test,
        "noise": noisy,
        "bits": np.rint(255 * gray).astype(np.float32) / 255,
        "black and white": np.rint(gray).astype(np.float32),
    }
    numbers = {
        name: np.abs(translate(to_B, images) - looks).mean() for name, images in middle.items()
    }
    numbers["mean"] = np.abs(looks.mean(axis=(0, 1, 2)) - looks).mean()
    ground = looks[:, 0, 0]
    numbers["readout"] = readout(gray, ground)
    numbers["readout, true"] = readout(worlds.a_test, ground)
    return {name: round(float(number), 4) for name, number in numbers.items()}


def readout(gray: np.ndarray, ground: np.ndarray) -> float:
    """R² on the images after the first 800 of ridge regression from gray pixels to `ground`.

    Args:
        gray: images (N, H, W).
        ground: colors (N, 3).

    """
    x = gray.reshape(len(gray), -1).astype(float)
    x, y = x - x[:READ].mean(axis=0), ground - ground[:READ].mean(axis=0)
    w = np.linalg.solve(x[:READ].T @ x[:READ] + np.eye(x.shape[1]), x[:READ].T @ y[:READ])
    rest, truth = x[READ:] @ w, y[READ:]
    return float(1 - ((rest - truth) ** 2).sum() / ((truth - truth.mean(axis=0)) ** 2).sum())


def run(name: str, seed: int, game: CycleGAN) -> dict[str, Any]:
    """Rate the CycleGAN that was trained in one of the `SETTINGS` with this seed.

    Returns:
        ``name``, ``seed``; ``accuracy``, the share of test digits that are read after B → A;
        ``there``, the mean absolute error of A → B against the truth; ``spread``, how much these
        pictures differ from one another, over how much the true ones do (standard deviation of
        each channel over the pictures); ``a``, the error of A → B → A; ``read``, how often a digit
        (row) was read as which (column); and what `hidden` says.

    """
    from utils.datasets.looks import cropped, load_worlds
    from utils.models.cyclegan import translate
    from utils.recorded import judge

    worlds = load_worlds(SETTINGS[name].look, seed)
    answers = judge.read(cropped(translate(game.to_A, worlds.b_test)))
    counts = np.zeros((10, 10), int)
    np.add.at(counts, (worlds.labels, answers), 1)
    way = translate(game.to_B, worlds.a_test)
    numbers = {
        "accuracy": np.trace(counts) / len(answers),
        "there": np.abs(way - worlds.b_test).mean(),
        "spread": way.std(axis=0).mean() / worlds.b_test.std(axis=0).mean(),
        "a": np.abs(translate(game.to_A, way) - worlds.a_test).mean(),
    }
    rounded = {key: round(float(number), 4) for key, number in numbers.items()}
    return (
        {"name": name, "seed": seed}
        | rounded
        | {"read": counts.tolist()}
        | hidden(game.to_A, game.to_B, worlds)
    )


def runs(name: str) -> dict[int, dict[str, Any]]:
    """The recorded runs of one of the `SETTINGS`, by seed."""
    return recorded.by_seed("cycle", name=name)


def values(name: str, measure: str) -> dict[int, float]:
    """One measure of the runs of one of the `SETTINGS`, by seed, as `claim` takes it."""
    return {seed: row[measure] for seed, row in runs(name).items()}


def study() -> list[dict[str, Any]]:
    """Train and rate all settings with their seeds."""
    return [
        run(name, seed, train(name, seed))
        for name, setting in SETTINGS.items()
        for seed in SEEDS[: setting.seeds]
    ]


if __name__ == "__main__":
    import torch

    torch.set_num_threads(1)
    recorded.make("cycle", study, seeds=SEEDS)
