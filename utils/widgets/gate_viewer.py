"""Gate viewer: type a name and see every gate of an LSTM over its letters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import traitlets
from scipy.special import expit, softmax

from utils import plotting, recorded
from utils.recorded.names_lstm import MAX_LETTERS, MAX_UNITS, PARTS, parts_of
from utils.text import encode_letters
from utils.widgets._hero import Hero, Letters, Numbers, script

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.figure import Figure

    from utils.models.rnn import LastState

MAPS = {  # key → what it is, the largest size that its color shows, whether it has two signs
    "f": ("forget gate σ(f)", 1.0, False),
    "i": ("input gate σ(i)", 1.0, False),
    "o": ("output gate σ(o)", 1.0, False),
    "g": ("candidate tanh(g)", 1.0, True),
    "c": ("cell state c", 2.0, True),
    "h": ("output h", 1.0, True),
}


def gates(weights: Mapping[str, Any], name: str) -> dict[str, np.ndarray]:
    """What the LSTM does at each letter of `name`.

    Returns:
        ``f i o g c h``, each (T, H): the gates after σ, the candidate after tanh, the cell state
        and the output; ``p`` (T, C): the probabilities of the classes after each letter.

    """
    E, W, U, b, V, a = (np.asarray(weights[key], float) for key in PARTS)
    c = h = np.zeros(U.shape[1])
    rows: dict[str, list[np.ndarray]] = {key: [] for key in (*MAPS, "p")}
    for letter in encode_letters([name])[0]:
        i, f, g, o = np.split(W @ E[letter] + U @ h + b, 4)
        i, f, g, o = expit(i), expit(f), np.tanh(g), expit(o)
        c = f * c + i * g
        h = o * np.tanh(c)
        values = {"f": f, "i": i, "o": o, "g": g, "c": c, "h": h, "p": softmax(V @ h + a)}
        for key, value in values.items():
            rows[key].append(value)
    widths = {key: len(a) if key == "p" else len(h) for key in rows}
    return {key: np.reshape(row, (len(name), widths[key])) for key, row in rows.items()}


class GateViewer(Hero):
    """Type a name; see gates, cell state and output of every unit at every letter.

    ```python
    viewer = GateViewer(name="gonzalez")
    viewer.values["f"], viewer.answer
    ```

    Args:
        model: a `LastState` with an embedding of 27 symbols and an `LSTM` of at most 32 units; its
            weights go to the browser, which computes on its own. None: the recorded network.
        class_names: the names of its classes.
        **state: `name`, `letter`, `unit`, `caption`, `alt`.

    Attributes:
        name: up to 16 of the letters a to z.
        letter: which letter the numbers are about, from 0; beyond the end it is the last.
        unit: which unit, from 0.

    Raises:
        TypeError, ValueError: a model of another kind or size.
        traitlets.TraitError: a state out of range.

    """

    STATE = ("name", "letter", "unit")
    CONSTANTS: ClassVar = {"MAPS": MAPS}
    _esm = script("gate_viewer")

    name = Letters("rodriguez", most=MAX_LETTERS, example="rossi").tag(sync=True)
    letter = Numbers(8, 0, MAX_LETTERS - 1).tag(sync=True)
    unit = Numbers(3, 0, MAX_UNITS - 1).tag(sync=True)
    weights = traitlets.Dict(read_only=True).tag(sync=True)
    class_names = traitlets.Tuple(read_only=True).tag(sync=True)

    def __init__(
        self, model: LastState | None = None, class_names: Sequence[str] = (), **state: Any
    ) -> None:
        super().__init__(**state)
        if model is None:
            kept = recorded.load("names_lstm")
            parts, class_names = {key: kept[key] for key in PARTS}, kept["languages"].tolist()
        else:
            parts = parts_of(model)
            if len(class_names) != len(parts["a"]):
                raise ValueError(
                    f"the model has {len(parts['a'])} classes, but there are {len(class_names)} "
                    "class names"
                )
        self.set_trait("weights", {key: array.tolist() for key, array in parts.items()})
        self.set_trait("class_names", tuple(class_names))

    @property
    def values(self) -> dict[str, np.ndarray]:
        """All numbers over the letters; see `gates`."""
        return gates(self.weights, self.name)

    @property
    def answer(self) -> str:
        """The most probable class after the last letter; "" without a letter."""
        p = self.values["p"]
        return self.class_names[p[-1].argmax()] if len(p) else ""

    @property
    def place(self) -> tuple[int, int]:
        """Letter and unit that the numbers are about, as far as there are such."""
        last = max(len(self.name) - 1, 0)
        return min(int(self.letter), last), min(int(self.unit), len(self.weights["U"][0]) - 1)

    def describe(self) -> str:
        """Return the present state in words."""
        if not self.name:
            return "No name is typed; the maps of gates are empty."
        t, k = self.place
        now = ", ".join(f"{key} = {self.values[key][t, k]:.2f}" for key in MAPS)
        return (
            f"Maps of the gates over the letters of {self.name}. The LSTM answers {self.answer}, "
            f"probability {self.values['p'][-1].max():.2f}. At letter {self.name[t]}, "
            f"unit {k + 1}: {now}."
        )

    def draw(self) -> Figure:
        """Return the six maps."""
        from matplotlib.colors import LinearSegmentedColormap

        shares = LinearSegmentedColormap.from_list("shares", ["white", plotting.BLUE])
        signs = LinearSegmentedColormap.from_list(
            "signs", [plotting.ORANGE, "white", plotting.BLUE]
        )
        fig, axes = plotting.figure(2, 3, width=8.5, height=4.2)
        t, k = self.place
        for ax, (key, (title, size, has_signs)) in zip(axes.flat, MAPS.items(), strict=True):
            cmap, low = (signs, -size) if has_signs else (shares, 0)
            ax.set_title(title, fontsize=11)
            ax.set_xticks(range(len(self.name)), self.name)
            ax.set_yticks([])
            if self.name:
                ax.imshow(self.values[key].T, cmap=cmap, vmin=low, vmax=size, aspect="auto")
                ax.add_patch(_frame(t, k))
        axes[0, 0].set_ylabel("unit")
        axes[1, 0].set_ylabel("unit")
        if self.name:
            fig.suptitle(f"{self.name}: {self.answer}, {self.values['p'][-1].max():.0%}")
        return fig


def _frame(column: int, row: int) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, edgecolor="black", linewidth=2)
