"""Ablation board: tick ideas and read the accuracy that a network of equal time reached with them.

The runs are recorded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import traitlets

from utils import plotting
from utils.recorded.ablation import TRICKS, accuracies, train
from utils.widgets._hero import Hero, script

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SPAN = (0.6, 0.85)  # of the bars


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
    CONSTANTS: ClassVar = {"TRICKS": TRICKS, "SPAN": SPAN}
    _esm = script("ablation_board")

    tricks = Tricks(default_value=()).tag(sync=True)
    table = traitlets.Tuple(read_only=True).tag(sync=True)

    def __init__(self, **state: Any) -> None:
        super().__init__(**state)
        # entry k: the accuracy with the tricks whose bits are set in k
        self.set_trait("table", tuple(accuracies()[_chosen(k)] for k in range(2 ** len(TRICKS))))

    @property
    def accuracy(self) -> float:
        """Share of unseen images that the run with the ticked ideas got right."""
        return accuracies()[self.tricks]

    @property
    def changes(self) -> dict[str, float]:
        """Accuracy after the tick of each trick is changed, minus the present one."""
        return {trick: accuracies()[self._toggled(trick)] - self.accuracy for trick in TRICKS}

    def _toggled(self, trick: str) -> tuple[str, ...]:
        return tuple(t for t in TRICKS if (t in self.tricks) != (t == trick))

    def run(self) -> dict[str, Any]:
        """Train with the ticked ideas now; see `recorded.ablation.train`."""
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
        values = [accuracies()[self._toggled(trick)] for trick in TRICKS]
        labels = [f"{'☑' if trick in self.tricks else '☐'} {trick}" for trick in TRICKS]
        gains = [value >= self.accuracy for value in values]
        ax.barh(
            range(len(TRICKS)),
            [value - self.accuracy for value in values],
            left=self.accuracy,
            color=[plotting.BLUE if gain else plotting.ORANGE for gain in gains],
        )
        ax.axvline(self.accuracy, color=plotting.GRAY)
        ax.set_yticks(range(len(TRICKS)), labels, fontfamily="DejaVu Sans")
        ax.invert_yaxis()
        ax.set(xlim=SPAN, xlabel="accuracy after this one change")
        ax.set_title(f"accuracy now: {self.accuracy:.1%}")
        return fig


def _chosen(bits: int) -> tuple[str, ...]:
    return tuple(trick for i, trick in enumerate(TRICKS) if bits >> i & 1)
