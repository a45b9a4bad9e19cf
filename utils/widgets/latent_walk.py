"""Latent walk: go from one generated digit to another through the space of a recorded generator."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import traitlets

from utils import plotting, recorded
from utils.models.gan import apply_folded, slerp
from utils.recorded import generator
from utils.widgets._hero import Hero, Numbers, script

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.figure import Figure

PATHS = ("along the sphere", "straight")
SHOWN = 9  # pictures of the strip
SIDE = 28
DIGITS = tuple("0123456789")


def between(a: np.ndarray, b: np.ndarray, t: float, path: str) -> np.ndarray:
    """The latent at the share `t` of the way from a to b, both (latent,)."""
    return (1 - t) * a + t * b if path == "straight" else slerp(a, b, t)


def pack(weights: Mapping[str, np.ndarray]) -> str:
    """All weights in the order w0, b0, w1, …, as base64 of little-endian float16."""
    flat = np.concatenate([weights[f"{kind}{i}"].ravel() for i in range(3) for kind in "wb"])
    return base64.b64encode(flat.astype("<f2").tobytes()).decode("ascii")


class LatentWalk(Hero):
    """Choose two digits; the generator draws what lies between. It runs in the page.

    ```python
    walk = LatentWalk(start="3", end="8", t=0.5)
    walk.image
    ```

    Attributes:
        start: the digit that the walk begins with.
        end: the digit that it ends with.
        t: how far you are, from 0 to 1.
        path: one of `PATHS`.

    Raises:
        traitlets.TraitError: a value of another kind.

    """

    STATE = ("start", "end", "t", "path")
    CONSTANTS: ClassVar = {"SHOWN": SHOWN, "SIDE": SIDE}
    _esm = script("latent_walk")

    start = traitlets.Enum(DIGITS, "3").tag(sync=True)
    end = traitlets.Enum(DIGITS, "7").tag(sync=True)
    t = Numbers(0.5, 0, 1).tag(sync=True)
    path = traitlets.Enum(PATHS, PATHS[0]).tag(sync=True)
    anchors = traitlets.Tuple(read_only=True).tag(sync=True)
    weights = traitlets.Unicode(read_only=True).tag(sync=True)
    shapes = traitlets.Tuple(read_only=True).tag(sync=True)

    def __init__(self, **state: Any) -> None:
        super().__init__(**state)
        kept = generator.weights()
        anchors = recorded.load("generator")["anchors"].tolist()
        self.set_trait("anchors", tuple(map(tuple, anchors)))
        self.set_trait("weights", pack(kept))
        self.set_trait("shapes", tuple(kept[f"w{i}"].shape for i in range(3)))

    @property
    def latent(self) -> np.ndarray:
        """Where the walk is, (latent,)."""
        return self._at(self.t)

    @property
    def image(self) -> np.ndarray:
        """What the generator draws there, (28, 28) in [0, 1]."""
        return apply_folded(generator.weights(), self.latent[None])[0]

    def _at(self, t: float) -> np.ndarray:
        a, b = (np.array(self.anchors[int(digit)]) for digit in (self.start, self.end))
        return between(a, b, t, self.path)

    def describe(self) -> str:
        """Return the present state in words."""
        return (
            f"A walk {self.path} from a generated {self.start} to a generated {self.end}, "
            f"{self.t:.0%} of the way; the latent has length {np.linalg.norm(self.latent):.2f}."
        )

    def draw(self) -> Figure:
        """Return pictures along the whole walk."""
        steps = np.linspace(0, 1, SHOWN)
        images = apply_folded(generator.weights(), np.stack([self._at(t) for t in steps]))
        titles = [f"{t:.0%}" for t in steps]
        return plotting.image_grid(images, titles, cols=SHOWN, size=0.9)
