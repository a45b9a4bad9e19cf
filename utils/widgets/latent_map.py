"""Latent map: walk over the plane of two-number codes and see the digit at every place."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import traitlets
from scipy.special import expit

from utils import plotting, recorded
from utils.widgets._hero import Hero, Numbers, script
from utils.widgets.activation_explorer import Choice

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.figure import Figure

VIEW = 3.0  # the plane goes from −3 to 3 standard deviations of the prior
CELLS = 17  # decoded digits along an edge of the map
SIDE = 28
GROUNDS = ("decoded digits", "codes of test digits")
SHOWN = 400  # codes drawn


def decode(weights: Mapping[str, Any], z: Any) -> np.ndarray:
    """Pixels in (0, 1) for codes z (…, 2): dense layers w0, b0, …, ReLU between, a sigmoid last.

    Returns:
        (…, 784)

    """
    a = np.asarray(z, float)
    depth = sum(name.startswith("w") for name in weights)
    for i in range(depth):
        a = a @ np.asarray(weights[f"w{i}"], float).T + np.asarray(weights[f"b{i}"], float)
        a = np.maximum(a, 0) if i < depth - 1 else expit(a)
    return a


class LatentMap(Hero):
    """Drag a point over the plane; the decoder of a variational autoencoder draws its digit.

    The decoder, 2-64-80-784, runs in the browser; `utils.recorded.latent_map` trained it.

    ```python
    latent = LatentMap(position=(0.5, -1))
    latent.image, latent.nearest
    ```

    Attributes:
        position: the code z, two numbers from −3 to 3.
        ground: what the plane shows, ``"decoded digits"`` or ``"codes of test digits"``.

    Raises:
        traitlets.TraitError: a position outside the plane, or another ground.

    """

    STATE = ("position", "ground")
    CONSTANTS: ClassVar = {"VIEW": VIEW, "CELLS": CELLS, "SIDE": SIDE, "SHOWN": SHOWN}
    _esm = script("latent_map")

    position = Numbers((0.0, 0.0), -VIEW, VIEW).tag(sync=True)
    ground = Choice(GROUNDS, GROUNDS[0]).tag(sync=True)
    sizes = traitlets.Tuple(read_only=True).tag(sync=True)
    weights = traitlets.Unicode(read_only=True).tag(sync=True)
    codes = traitlets.Tuple(read_only=True).tag(sync=True)
    labels = traitlets.Tuple(read_only=True).tag(sync=True)

    def __init__(self, **state: Any) -> None:
        record = recorded.load("latent_map")
        self._weights = {name: record[name] for name in sorted(record) if name[0] in "wb"}
        depth = len(self._weights) // 2
        layers = [self._weights[f"{kind}{i}"] for i in range(depth) for kind in "wb"]
        flat = np.concatenate([layer.ravel() for layer in layers]).astype("<f2")
        for name, value in {
            "sizes": (2, *(len(self._weights[f"b{i}"]) for i in range(depth))),
            "weights": base64.b64encode(flat.tobytes()).decode("ascii"),
            "codes": tuple(map(tuple, record["codes"].astype(float).tolist())),
            "labels": tuple(record["labels"].tolist()),
        }.items():
            self.set_trait(name, value)
        super().__init__(**state)

    @property
    def image(self) -> np.ndarray:
        """The digit at the position, (28, 28) in (0, 1)."""
        return decode(self._weights, self.position).reshape(SIDE, SIDE)

    @property
    def nearest(self) -> int:
        """Label of the test digit whose code is nearest."""
        distances = ((np.array(self.codes) - self.position) ** 2).sum(axis=1)
        return self.labels[int(distances.argmin())]

    @property
    def ink(self) -> float:
        """Sum of all pixels of the image."""
        return float(self.image.sum())

    def describe(self) -> str:
        """Return the present state in words."""
        z1, z2 = self.position
        return (
            f"A plane of codes, shown as {self.ground}. At z = ({z1:.2f}, {z2:.2f}) the decoder "
            f"draws a digit; the nearest code of a test digit belongs to a {self.nearest}."
        )

    def draw(self) -> Figure:
        """Return the plane with the position, and the digit there."""
        fig, (plane, digit) = plotting.figure(1, 2, width=8.5, height=4.6, width_ratios=(4, 3))
        if self.ground == GROUNDS[0]:
            plane.imshow(self._tiles(), extent=(-VIEW, VIEW, -VIEW, VIEW), vmin=0, vmax=1)
        else:
            codes, labels = self.codes[:SHOWN], self.labels[:SHOWN]
            for (x, y), label in zip(codes, labels, strict=True):
                color = plotting.COLORS[label % len(plotting.COLORS)]
                plane.text(x, y, str(label), fontsize=7, color=color, clip_on=True)
        plane.plot(*self.position, "o", ms=13, mec=plotting.ORANGE, mfc="none", mew=3)
        plane.set(xlim=(-VIEW, VIEW), ylim=(-VIEW, VIEW), xlabel="z₁", ylabel="z₂")
        plane.set(title=f"codes: {self.ground}", aspect="equal")
        digit.imshow(self.image, vmin=0, vmax=1)
        digit.set(title="the digit at this place")
        digit.set_axis_off()
        return fig

    def _tiles(self) -> np.ndarray:
        """The digits at the centers of 17 × 17 cells, as one picture."""
        at = -VIEW + 2 * VIEW * (np.arange(CELLS) + 0.5) / CELLS
        z = np.stack(np.meshgrid(at, -at), axis=-1)  # rows from above
        tiles = decode(self._weights, z).reshape(CELLS, CELLS, SIDE, SIDE)
        return tiles.swapaxes(1, 2).reshape(CELLS * SIDE, CELLS * SIDE)
