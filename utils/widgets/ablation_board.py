"""Ablation board: tick ideas and read the accuracy that a network of equal time reached with them.

The runs are recorded; ``python -m utils.widgets.ablation_board`` makes them again, in minutes.
"""

from __future__ import annotations

import functools
import itertools
import json
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import traitlets

from utils import plotting
from utils.widgets._hero import Hero, script

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TRICKS = (
    "whitened stem", "normalization", "augmentation", "one-cycle", "label smoothing",
    "test-time flip",
)  # fmt: skip
RECORD = Path(__file__).parents[1] / "recorded" / "ablation.json"
WIDTH, BATCH, PEAK = 16, 100, 4e-3
EPOCHS = {False: 5, True: 4}  # of equal time: an epoch with augmentation takes a quarter longer
SEED = 0
SPAN = (0.6, 0.85)  # of the bars; as in the script


def train(tricks: Iterable[str], *, seed: int = SEED, epochs: int | None = None) -> dict[str, Any]:
    """Train a `SmallCNN` on OpenMoji-10 with some of `TRICKS` and judge it on unseen glyphs.

    Everything else stays: AdamW with learning rate 0.004, batches of 100. The test-time flip costs
    no training, so both accuracies come back.

    Args:
        tricks: some of `TRICKS`.
        seed: of weights, batches and augmentation; PyTorch's generator goes on from it.
        epochs: None takes those that all combinations of equal time have.

    Returns:
        ``tricks`` (a list), ``epochs``, CPU ``seconds`` of training, ``accuracy`` without and
        ``flipped`` with the test-time flip.

    Raises:
        ValueError: an unknown trick.

    """
    import numpy as np
    import torch

    from utils import optim, transforms
    from utils.datasets import load_objects
    from utils.metrics import accuracy
    from utils.models.cnn import SmallCNN
    from utils.training import fit, predict

    used = [trick in set(tricks) for trick in TRICKS]
    if unknown := set(tricks) - set(TRICKS):
        raise ValueError(f"no trick {min(unknown)!r}; there are {', '.join(TRICKS)}")
    white, normalize, augment, cycle, smooth, _ = used
    data = load_objects(full=False)
    x, x_new = transforms.to_tensor(data.x_train), transforms.to_tensor(data.x_test)
    torch.manual_seed(seed)
    filters = transforms.whitening_filters(x[:2000], WIDTH) if white else None
    model = SmallCNN(WIDTH, filters=filters, normalize=normalize)
    learned = [p for p in model.parameters() if p.requires_grad]
    epochs = epochs or EPOCHS[augment]
    augment_by = (transforms.flip, transforms.crop, transforms.mix_channels, transforms.cut_out)
    start = time.process_time()
    fit(
        model, (x, data.y_train.copy()), epochs,
        torch.optim.AdamW(learned, lr=PEAK, weight_decay=0.05),
        torch.nn.CrossEntropyLoss(label_smoothing=0.1 if smooth else 0.0),
        batch_size=BATCH,
        schedule=optim.one_cycle(epochs * len(x) // BATCH) if cycle else None,
        rng=np.random.default_rng(seed),
        augment=transforms.Compose(augment_by) if augment else None,
    )  # fmt: skip
    seconds = time.process_time() - start
    return {
        "tricks": [trick for trick in TRICKS[:-1] if trick in set(tricks)],
        "epochs": epochs,
        "seconds": round(seconds, 1),
        "accuracy": round(accuracy(predict(model, x_new), data.y_test), 4),
        "flipped": round(accuracy(predict(model, x_new, mirrored=True), data.y_test), 4),
    }


def combinations() -> list[tuple[str, ...]]:
    """All choices of the tricks that change the training, fewer first."""
    return [c for n in range(len(TRICKS)) for c in itertools.combinations(TRICKS[:-1], n)]


@functools.cache
def recorded() -> Mapping[tuple[str, ...], float]:
    """The recorded accuracy of each choice of tricks, test-time flip included."""
    table = {}
    for run in json.loads(RECORD.read_text(encoding="utf-8"))["runs"]:
        table[*run["tricks"],] = run["accuracy"]
        table[*run["tricks"], TRICKS[-1]] = run["flipped"]
    return table


def write(runs: list[dict[str, Any]], path: Path = RECORD) -> None:
    """Keep the runs with the command that makes them again."""
    kept = {"command": "python -m utils.widgets.ablation_board", "seed": SEED, "runs": runs}
    path.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


class Tricks(traitlets.Tuple):
    """Some of `TRICKS`, in their order."""

    def validate(self, obj: Any, value: Any) -> tuple[str, ...]:
        """Return the tricks as a tuple."""
        if not isinstance(value, tuple | list) or not set(value) <= set(TRICKS):
            raise traitlets.TraitError(
                f"{self.name} must be some of {', '.join(TRICKS)}, for instance "
                f"('normalization',); got {value!r}"
            )
        return tuple(trick for trick in TRICKS if trick in value)


class AblationBoard(Hero):
    """Tick ideas; see what a network reached with them, and what each single change does.

    ```python
    board = AblationBoard(tricks=("normalization", "one-cycle"))
    board.accuracy, board.changes["augmentation"]
    ```

    Attributes:
        tricks: the ticked ideas, some of `TRICKS`.

    Raises:
        traitlets.TraitError: a trick that is none.

    """

    STATE = ("tricks",)
    _esm = script("ablation_board")

    tricks = Tricks(default_value=()).tag(sync=True)
    names = traitlets.Tuple(TRICKS, read_only=True).tag(sync=True)
    table = traitlets.Tuple(read_only=True).tag(sync=True)

    def __init__(self, **state: Any) -> None:
        super().__init__(**state)
        # entry k: the accuracy with the tricks whose bits are set in k
        self.set_trait("table", tuple(recorded()[_chosen(k)] for k in range(2 ** len(TRICKS))))

    @property
    def accuracy(self) -> float:
        """Share of unseen images that the run with the ticked ideas got right."""
        return recorded()[self.tricks]

    @property
    def changes(self) -> dict[str, float]:
        """Accuracy after the tick of each trick is changed, minus the present one."""
        return {trick: recorded()[self._toggled(trick)] - self.accuracy for trick in TRICKS}

    def _toggled(self, trick: str) -> tuple[str, ...]:
        return tuple(t for t in TRICKS if (t in self.tricks) != (t == trick))

    def run(self) -> dict[str, Any]:
        """Train with the ticked ideas now; see `train`."""
        return train(self.tricks)

    def describe(self) -> str:
        """Return the present state in words."""
        ticked = ", ".join(self.tricks) or "no idea"
        changes = ", ".join(
            f"{'without' if trick in self.tricks else 'with'} {trick} {change:+.1%}"
            for trick, change in self.changes.items()
        )
        return f"With {ticked} the network gets {self.accuracy:.1%} right. One change: {changes}."

    def draw(self) -> Figure:
        """Return the accuracy and the effect of each single change."""
        fig, ax = plotting.figure(width=8, height=3.4)
        values = [recorded()[self._toggled(trick)] for trick in TRICKS]
        labels = [f"{'☑' if trick in self.tricks else '☐'} {trick}" for trick in TRICKS]
        gains = [value >= self.accuracy for value in values]
        ax.barh(
            range(len(TRICKS)), [value - self.accuracy for value in values], left=self.accuracy,
            color=[plotting.BLUE if gain else plotting.ORANGE for gain in gains],
        )  # fmt: skip
        ax.axvline(self.accuracy, color=plotting.GRAY)
        ax.set_yticks(range(len(TRICKS)), labels, fontfamily="DejaVu Sans")
        ax.invert_yaxis()
        ax.set(xlim=SPAN, xlabel="accuracy after this one change")
        ax.set_title(f"accuracy now: {self.accuracy:.1%}")
        return fig


def _chosen(bits: int) -> tuple[str, ...]:
    return tuple(trick for i, trick in enumerate(TRICKS) if bits >> i & 1)


if __name__ == "__main__":
    write([train(tricks) for tricks in combinations()])
