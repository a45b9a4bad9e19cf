"""The networks of chapter 05, trained by its own cells, beside the textbook's Keras CNN.

Run ``COURSE_REAL_DATA=FOLDER python -m tests.bench.digits``; FOLDER holds mnist.npz, without which
the last two contestants stay away. The embedded 4,000 digits belong to MNIST's training set, so
MNIST's own 10,000 test digits are new to every contestant.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from tests.bench._race import Contestant, Race, Result, Stopwatch, real_data
from tests.bench.convolution import ignore, read_cells, run_cells
from utils import layers, optim, runtime, training
from utils.datasets import load_digits
from utils.weights import copy_weights

ENGINE_EPOCHS, ENGINE_BATCH = 10, 50  # the chapter's


class TimedFit(Stopwatch):
    """`training.fit` whose last run's CPU seconds are kept; may train for other epochs."""

    def __init__(self, epochs: int | None = None):
        self.epochs = epochs

    def __call__(self, model: Any, data: Any, epochs: int, *args: Any, **options: Any) -> Any:
        """Train."""
        with self:
            return training.fit(model, data, self.epochs or epochs, *args, **options)


def chapter(seed: int, fit: TimedFit, *names: str) -> dict[str, Any]:
    """The chapter's cells from another seed, without its claims and figures: their variables."""
    torch.set_num_threads(1)
    given = {
        "fit": fit,
        "setup": lambda seed=0, start=seed: runtime.setup(start + seed),
        "claim": ignore,
        "by_budget": lambda smoke, quick: fit.epochs or quick,
        "Conv2d": layers.Conv2d,
        "cross_entropy": layers.cross_entropy,
        "accuracy": training.accuracy,
        "evaluate": training.evaluate,
        "load_digits": lambda: load_digits(full=False),
    }
    return run_cells(read_cells(), "scratch-data", *names, **given)


def mnist(part: str) -> tuple[np.ndarray, np.ndarray]:
    """MNIST's own digits (N, 1, 28, 28) in [0, 1] and their labels."""
    with np.load(real_data("mnist.npz"), allow_pickle=False) as arrays:
        images, labels = arrays[f"x_{part}"], arrays[f"y_{part}"]
    return images[:, None] / np.float32(255), labels.astype(np.int64)


def scores(model: Any, variables: dict[str, Any] | None, clock: Stopwatch) -> Result:
    """Accuracy on the embedded test digits, and on MNIST's own where they are at hand."""
    loss = F.cross_entropy if isinstance(model, torch.nn.Module) else layers.cross_entropy
    result = {"seconds": clock.seconds}
    data = {}
    if variables:
        data["embedded 1,000"] = (variables["X_test"], variables["y_test"])
    if real_data("mnist.npz", or_none=True):
        data["MNIST's 10,000"] = mnist("test")
    for name, unseen in data.items():
        metrics = {"accuracy": training.accuracy}
        result[name] = training.evaluate(model, unseen, loss, metrics, batch_size=200)["accuracy"]
    return result


def engine(seed: int) -> Result:
    """The network in NumPy."""
    fit = TimedFit()
    names = ("scratch-cnn", "scratch-accuracy", "scratch-train-code")
    variables = chapter(seed, fit, *names)
    return scores(variables["cnn"], variables, fit)


def same_in_torch(seed: int) -> Result:
    """The same network from the same weights on the same batches in PyTorch."""
    fit = TimedFit()
    variables = chapter(seed, fit, "scratch-cnn")
    nn = torch.nn
    twin = nn.Sequential(
        nn.Conv2d(1, 8, 5),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 5),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.4),
        nn.Linear(256, 10),
    )
    copy_weights(variables["cnn"], twin)
    data = variables["X_train"], variables["y_train"]
    steps = ENGINE_EPOCHS * len(data[0]) // ENGINE_BATCH
    optimizer = torch.optim.SGD(twin.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4)
    fit(
        twin,
        data,
        ENGINE_EPOCHS,
        optimizer,
        F.cross_entropy,
        batch_size=ENGINE_BATCH,
        schedule=lambda t: 1 - t / steps,
        rng=np.random.default_rng(seed),
    )
    return scores(twin, variables, fit)


def augmented(seed: int, epochs: int) -> Result:
    """The chapter's better network, with augmentation, on the embedded digits."""
    fit = TimedFit(epochs)
    names = ("scratch-accuracy", "frameworks-augment", "frameworks-train")
    variables = chapter(seed, fit, *names)
    return scores(variables["better"], variables, fit)


def full(seed: int, epochs: int = 1, batch: int = 64) -> Result:
    """The better network, fresh, on all 60,000 digits, without augmentation."""
    data = mnist("train")
    names = ("scratch-accuracy", "frameworks-augment", "frameworks-train")
    model = chapter(seed, TimedFit(1), *names)["better"][1:]
    for part in model.modules():
        if hasattr(part, "reset_parameters"):
            part.reset_parameters()
    steps = epochs * -(-len(data[0]) // batch)
    optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3, weight_decay=0.01)
    fit = TimedFit()
    fit(
        model,
        data,
        epochs,
        optimizer,
        torch.nn.CrossEntropyLoss(label_smoothing=0.1),
        batch_size=batch,
        schedule=optim.warmup_cosine(steps, steps // 5),
        rng=np.random.default_rng(seed),
    )
    return scores(model, None, fit)


def keras_textbook(seed: int) -> Result:
    """Two convolutions, two poolings, dropout and a dense layer; Adam, batch 128, five epochs."""
    (x, y), (x_new, y_new) = (mnist(part) for part in ("train", "test"))
    runtime.setup(seed)
    tf = runtime.import_tensorflow()
    keras = tf.keras.layers
    model = tf.keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            *(keras.Conv2D(32, 3, activation="relu"), keras.MaxPooling2D()),
            *(keras.Conv2D(64, 3, activation="relu"), keras.MaxPooling2D()),
            *(keras.Flatten(), keras.Dropout(0.5), keras.Dense(10)),
        ]
    )
    loss = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, metrics=["accuracy"])
    with Stopwatch() as clock:
        model.fit(x[:, 0, :, :, None], y, epochs=5, batch_size=128, verbose=0)
    _, accuracy = model.evaluate(x_new[:, 0, :, :, None], y_new, verbose=0)
    return {"seconds": clock.seconds, "MNIST's 10,000": accuracy}


RACE = Race(
    "digits",
    "handwritten digits, unseen",
    {"embedded 1,000": "{:.1%}", "MNIST's 10,000": "{:.2%}", "seconds": "{:.1f}"},
    {
        "engine": Contestant(
            "chapter 05, NumPy, 10 epochs of 4,000", engine, "≥ 97% in 20 s", "torch"
        ),
        "torch": Contestant("the same in PyTorch", same_in_torch, "≥ 1/3.5 of NumPy's seconds"),
        "augmented_6": Contestant(
            "chapter 05, augmented, 6 epochs of 4,000", lambda seed: augmented(seed, 6)
        ),
        "augmented_14": Contestant(
            "the same, 14 epochs", lambda seed: augmented(seed, 14), "≥ 98.5%, ≥ 98.8% in 30 s"
        ),
        "full": Contestant(
            "the same network, 1 epoch of 60,000", full, "≥ 99%, before Keras", "keras"
        ),
        "keras": Contestant("textbook Keras CNN: 5 epochs of 60,000", keras_textbook),
    },
    headline="**Digits** (chapter 05): {full[MNIST's 10,000]} of MNIST's unseen digits in "
    "{full[seconds]} s, the textbook Keras CNN {keras[MNIST's 10,000]} in "
    "{keras[seconds]} s; our CNN in plain NumPy {engine[MNIST's 10,000]}, having seen "
    "4,000.",
)

if __name__ == "__main__":
    sys.exit(RACE.main(sys.argv[1:]))
