"""Next month's sea: recurrent networks of chapter 08 beside forecasts without a network.

Run ``python -m tests.bench.elnino``. Windows of 24 months, the last twelve years for the test.
"""

from __future__ import annotations

import sys
from functools import partial

import numpy as np

from tests.bench._race import Contestant, Race, Result, Stopwatch
from utils import layers, optim, runtime, training
from utils.datasets import load_series
from utils.engine import Tensor
from utils.metrics import rmse
from utils.models.forecast import Task, task

HORIZONS = {"1 month, °C": 1, "3 months, °C": 3}
HIDDEN, EPOCHS, BATCH, LR = 32, 60, 32, 3e-3


def tasks() -> dict[str, Task]:
    """The tasks by column."""
    series = load_series("elnino")
    return {column: task(series, test=144, horizon=h) for column, h in HORIZONS.items()}


def simple(seed: int, name: str) -> Result:
    """A forecast without a network; the seed does not matter."""
    return {column: rmse(one.simple[name], one.truth) for column, one in tasks().items()}


def keras(seed: int) -> Result:
    """`SimpleRNN` as the chapter trains it."""
    tf = runtime.import_tensorflow()
    parts, result, seconds = tf.keras.layers, {}, 0.0
    for column, one in tasks().items():
        tf.keras.utils.set_random_seed(seed)
        model = tf.keras.Sequential(
            [parts.Input(one.x_train.shape[1:]), parts.SimpleRNN(HIDDEN), parts.Dense(1)]
        )
        steps = EPOCHS * -(-len(one.x_train) // BATCH)
        schedule = tf.keras.optimizers.schedules.CosineDecay(LR, steps)
        model.compile(tf.keras.optimizers.Adam(schedule), "mse")
        with Stopwatch() as clock:
            model.fit(one.x_train, one.y_train, epochs=EPOCHS, batch_size=BATCH, verbose=0)
        result[column] = one.error(model(one.x_test).numpy())
        seconds += clock.seconds
    return result | {"seconds": seconds / len(HORIZONS)}


class Forecaster(layers.Module):
    """The chapter's network on the engine."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rnn = layers.RNN(1, HIDDEN, rng=rng)
        self.rnn.weight_hh_l0.data = layers.orthogonal(rng, HIDDEN)
        self.head = layers.Linear(HIDDEN, 1, rng=rng)

    def forward(self, x: np.ndarray) -> Tensor:
        """Windows (N, T, 1) → standardized values (N, 1)."""
        _, last = self.rnn(x)
        return self.head(last[0])


def engine(seed: int) -> Result:
    """The same network and recipe on the engine."""
    result, seconds = {}, 0.0
    for column, one in tasks().items():
        rng = np.random.default_rng(seed)
        model, steps = Forecaster(rng), EPOCHS * -(-len(one.x_train) // BATCH)
        with Stopwatch() as clock:
            training.fit(
                model,
                (one.x_train, one.y_train),
                EPOCHS,
                optim.Adam(model.parameters(), lr=LR),
                lambda outputs, targets: ((outputs - targets) ** 2).mean(),
                batch_size=BATCH,
                schedule=optim.cosine(steps),
                rng=rng,
            )
        result[column] = one.error(model(one.x_test).data)
        seconds += clock.seconds
    return result | {"seconds": seconds / len(HORIZONS)}


RACE = Race(
    "elnino",
    "temperature of the sea off Peru, 1999–2010, root mean square error",
    {**dict.fromkeys(HORIZONS, "{:.3f}"), "seconds": "{:.1f}"},
    {
        "persistence": Contestant("persistence", partial(simple, name="persistence")),
        "seasonal": Contestant("as a year ago", partial(simple, name="seasonal")),
        "drift": Contestant("as a year ago, with drift", partial(simple, name="seasonal + drift")),
        "linear": Contestant("linear autoregression, 24 months", partial(simple, name="linear")),
        "keras": Contestant(
            "chapter 08, Keras SimpleRNN", keras, "1 month ≤ 0.50, 3 months before a year ago"
        ),
        "engine": Contestant("the same network in NumPy", engine),
    },
    headline="**El Niño** (chapter 08): next month's sea temperature with an error of {keras[1 "
    'month, °C]} °C; a straight line has {linear[1 month, °C]}, saying "as now" '
    "{persistence[1 month, °C]}.",
)

if __name__ == "__main__":
    sys.exit(RACE.main(sys.argv[1:]))
