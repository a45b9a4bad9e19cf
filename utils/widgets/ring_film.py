"""Ring film: watch five generators find, or lose, eight Gaussians on a ring; recorded runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import traitlets

from utils import plotting
from utils.datasets.ring import MODES, NEAR, centers, outline
from utils.recorded.ring import FRAMES, SETTINGS, modes_kept, runs
from utils.widgets._hero import Hero, script

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SPAN = 1.6  # the picture goes from −SPAN to SPAN
SCALE = 100  # of the recorded points


def films() -> dict[str, list[dict[str, Any]]]:
    """The recorded frames of each setting."""
    return {run["setting"]: run["frames"] for run in runs() if "frames" in run}


class RingFilm(Hero):
    """Choose how the generator is trained, and move through time.

    ```python
    film = RingFilm(setting="equal rates", frame=15)
    film.numbers["modes"]
    ```

    Attributes:
        setting: one of `utils.recorded.SETTINGS`.
        frame: which picture, from 0 (untrained) to 15.

    Raises:
        traitlets.TraitError: an unknown setting, or no such frame.

    """

    STATE = ("setting", "frame")
    CONSTANTS: ClassVar = {
        "SPAN": SPAN,
        "SCALE": SCALE,
        "centers": centers().tolist(),
        "radii": {name: NEAR * s.sigma for name, s in SETTINGS.items()},
    }
    _esm = script("ring_film")

    setting = traitlets.Enum(tuple(SETTINGS), "slow discriminator").tag(sync=True)
    frame = traitlets.Int(0, min=0, max=FRAMES - 1).tag(sync=True)
    films = traitlets.Dict(read_only=True).tag(sync=True)
    kept = traitlets.Dict(read_only=True).tag(sync=True)

    def __init__(self, **state: Any) -> None:
        super().__init__(**state)
        self.set_trait("films", films())
        self.set_trait("kept", modes_kept())

    @property
    def points(self) -> np.ndarray:
        """The generated points of the picture, (128, 2)."""
        return np.array(self.films[self.setting][self.frame]["points"]) / SCALE

    @property
    def numbers(self) -> dict[str, float]:
        """``step`` of the generator, ``modes`` kept and share of points ``near`` a mode."""
        now = self.films[self.setting][self.frame]
        return {key: now[key] for key in ("step", "modes", "near")}

    def describe(self) -> str:
        """Return the present state in words."""
        n = self.numbers
        return (
            f"{self.setting}, after {n['step']} steps of the generator: {n['modes']} of "
            f"{MODES} modes kept, {n['near']:.0%} of the points near a mode. All recorded "
            f"runs of this setting ended with {_listed(self.kept[self.setting])} modes."
        )

    def draw(self) -> Figure:
        """Return four or five pictures of the film, the present one among them."""
        frames = self.films[self.setting]
        shown = sorted({0, 5, 10, FRAMES - 1, self.frame})
        fig, axes = plotting.figure(1, len(shown), width=9, height=2.2)
        for ax, k in zip(axes, shown, strict=True):
            at = frames[k]
            outline(ax, SETTINGS[self.setting].sigma)
            points = np.array(at["points"]) / SCALE
            ax.scatter(*points.T, s=4, color=plotting.ORANGE)
            title = f"step {at['step']}: {at['modes']} of {MODES}"
            ax.set_title(title, fontsize=9, fontweight="bold" if k == self.frame else "normal")
            ax.set(xlim=(-SPAN, SPAN), ylim=(-SPAN, SPAN), xticks=[], yticks=[], aspect="equal")
        return fig


def _listed(counts: list[int]) -> str:
    return ", ".join(map(str, sorted(counts)))
