"""Gate viewer: type a name and see every gate of an LSTM over its letters.

The weights shown by default are recorded; ``python -m utils.widgets.gate_viewer`` trains them
again, in seconds.
"""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import traitlets

from utils import plotting
from utils.engine import _sigmoid
from utils.layers import LSTM, Embedding
from utils.models.rnn import LastState
from utils.text import ALPHABET, encode_letters
from utils.widgets._hero import Hero, Letters, Numbers, script

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.figure import Figure

RECORD = Path(__file__).parents[1] / "recorded" / "names_lstm.json"
HIDDEN, VECTOR, EPOCHS, RATE = 12, 8, 15, 0.02
SEED = 0
MAX_LETTERS, MAX_UNITS = 16, 32
MAPS = {  # key → what it is, and the largest size that its color shows
    "f": ("forget gate σ(f)", 1.0),
    "i": ("input gate σ(i)", 1.0),
    "o": ("output gate σ(o)", 1.0),
    "g": ("candidate tanh(g)", 1.0),
    "c": ("cell state c", 2.0),
    "h": ("output h", 1.0),
}


def train(epochs: int = EPOCHS, seed: int = SEED) -> tuple[LastState, float]:
    """Train a small LSTM on surnames; the model and its accuracy on unseen names."""
    from utils.datasets import load_names
    from utils.layers import cross_entropy
    from utils.metrics import accuracy
    from utils.optim import AdamW, one_cycle
    from utils.training import evaluate, fit

    data, rng = load_names(), np.random.default_rng(seed)
    model = LastState(
        LSTM(VECTOR, HIDDEN, forget_bias=1, rng=rng), len(data.class_names),
        embedding=Embedding(1 + len(ALPHABET), VECTOR, 0, rng=rng), rng=rng,
    )  # fmt: skip
    x, batch = encode_letters(data.x_train, MAX_LETTERS), 64
    fit(
        model, (x, data.y_train), epochs, AdamW(model.parameters(), lr=RATE), cross_entropy,
        batch_size=batch, schedule=one_cycle(epochs * -(-len(x) // batch)), max_norm=1.0, rng=rng,
    )  # fmt: skip
    unseen = encode_letters(data.x_test, MAX_LETTERS), data.y_test
    return model, evaluate(model, unseen, cross_entropy, {"accuracy": accuracy})["accuracy"]


def read(model: LastState) -> dict[str, np.ndarray]:
    """The weights of a model as the viewer takes them; the LSTM's two biases are added."""
    core = model.core
    if not isinstance(core, LSTM) or model.embedding is None:
        raise TypeError("the viewer shows a LastState with an embedding and an LSTM")
    if len(model.embedding.weight) != 1 + len(ALPHABET) or core.hidden_size > MAX_UNITS:
        raise ValueError(
            f"the viewer takes an embedding of {1 + len(ALPHABET)} symbols and at most "
            f"{MAX_UNITS} units, got {len(model.embedding.weight)} and {core.hidden_size}"
        )
    return {
        "embedding": model.embedding.weight.data,
        "W": core.weight_ih_l0.data,
        "U": core.weight_hh_l0.data,
        "b": core.bias_ih_l0.data + core.bias_hh_l0.data,
        "V": model.head.weight.data,
        "a": model.head.bias.data,
    }


def gates(weights: Mapping[str, Any], name: str) -> dict[str, np.ndarray]:
    """What the LSTM does at each letter of `name`.

    Returns:
        ``f i o g c h``, each (T, H): the gates after σ, the candidate after tanh, the cell state
        and the output; ``p`` (T, C): the probabilities of the classes after each letter.

    """
    E, W, U, b, V, a = (np.asarray(weights[key], float) for key in ("embedding", *"WUbVa"))
    c = h = np.zeros(U.shape[1])
    rows: dict[str, list[np.ndarray]] = {key: [] for key in (*MAPS, "p")}
    for letter in encode_letters([name])[0]:
        i, f, g, o = np.split(W @ E[letter] + U @ h + b, 4)
        i, f, g, o = _sigmoid(i), _sigmoid(f), np.tanh(g), _sigmoid(o)
        c = f * c + i * g
        h = o * np.tanh(c)
        e = np.exp(V @ h + a - (V @ h + a).max())
        values = {"f": f, "i": i, "o": o, "g": g, "c": c, "h": h, "p": e / e.sum()}
        for key, value in values.items():
            rows[key].append(value)
    widths = {key: len(a) if key == "p" else len(h) for key in rows}
    return {key: np.reshape(row, (len(name), widths[key])) for key, row in rows.items()}


@functools.cache
def recorded() -> dict[str, Any]:
    """The recorded network: ``weights``, ``languages`` and its ``accuracy`` on unseen names."""
    return json.loads(RECORD.read_text(encoding="utf-8"))


def write(model: LastState, accuracy: float, languages: Sequence[str], path: Path = RECORD) -> None:
    """Keep the weights, to four digits, with the command that makes them again."""
    weights = {
        key: np.vectorize(lambda w: float(f"{w:.4g}"))(array).tolist()
        for key, array in read(model).items()
    }
    kept = {"command": "python -m utils.widgets.gate_viewer", "seed": SEED}
    kept |= {"languages": list(languages), "accuracy": round(accuracy, 4), "weights": weights}
    path.write_text(json.dumps(kept) + "\n", encoding="utf-8")


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
            weights, class_names = recorded()["weights"], recorded()["languages"]
        else:
            weights = {key: array.tolist() for key, array in read(model).items()}
            if len(class_names) != len(weights["a"]):
                raise ValueError(
                    f"the model has {len(weights['a'])} classes, but there are {len(class_names)} "
                    "class names"
                )
        self.set_trait("weights", weights)
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
        for ax, (key, (title, size)) in zip(axes.flat, MAPS.items(), strict=True):
            cmap, low = (shares, 0) if key in "fio" else (signs, -size)
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


if __name__ == "__main__":
    from utils.datasets import load_names

    write(*train(), load_names().class_names)
