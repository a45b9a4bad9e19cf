"""Cycle viewer: a digit on its way to the other world and back, through recorded CycleGANs."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
import traitlets

from utils import plotting
from utils.recorded import cycle, round_trips
from utils.recorded.round_trips import DIGITS, READS, TRAININGS
from utils.widgets._hero import Hero, script
from utils.widgets._pictures import packed

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WORLDS = tuple(TRAININGS)
AROUND_A, AROUND_B = DIRECTIONS = ("A → B → A", "B → A → B")
# start, middle and back in `round_trips.Trips`, and its mean error over all digits in the study
ROUTES = {
    AROUND_A: ("a", "a_there", "a_back", "a"),
    AROUND_B: ("b", "b_there", "b_back", "back"),
    "swapped": ("b", "a", "a_there", "swapped"),
}
SIDE = 32


class CycleViewer(Hero):
    """Choose a world, a direction and a digit; see start, middle and back, and the error.

    ```python
    viewer = CycleViewer(world="any colors", digit="3")
    viewer.swapped = True
    viewer.numbers
    ```

    Attributes:
        world: one of `WORLDS`; two of them are the same look, trained with another seed.
        direction: one of `DIRECTIONS`; A are gray digits, B is the look.
        digit: which one travels, ``"0"`` to ``"5"``.
        swapped: whether B → A → B goes on from the true gray digit instead of the made one; without
            effect in the other direction.

    Raises:
        traitlets.TraitError: a value of another kind.

    """

    STATE = ("world", "direction", "digit", "swapped")
    CONSTANTS: ClassVar = {"ROUTES": ROUTES, "SIDE": SIDE}
    _esm = script("cycle_viewer")

    world = traitlets.Enum(WORLDS, "any colors").tag(sync=True)
    direction = traitlets.Enum(DIRECTIONS, AROUND_B).tag(sync=True)
    digit = traitlets.Enum(tuple(map(str, DIGITS)), "3").tag(sync=True)
    swapped = traitlets.Bool(False).tag(sync=True)
    pictures = traitlets.Dict(read_only=True).tag(sync=True)
    reads = traitlets.Dict(read_only=True).tag(sync=True)
    study = traitlets.Dict(read_only=True).tag(sync=True)

    @traitlets.default("pictures")
    def _packed(self) -> dict[str, dict[str, str]]:
        return {
            world: {field: packed(kept[field].tobytes()) for field in round_trips.IMAGES}
            for world, kept in ((world, round_trips.kept_of(world)) for world in WORLDS)
        }

    @traitlets.default("reads")
    def _reads(self) -> dict[str, dict[str, list[int]]]:
        return {
            world: {field: read.tolist() for field, read in trips.reads.items()}
            for world, trips in round_trips.trips().items()
        }

    @traitlets.default("study")
    def _study(self) -> dict[str, dict[str, float]]:
        rows = {world: cycle.runs(name)[seed] for world, (name, seed) in TRAININGS.items()}
        keys = (*(route[-1] for route in ROUTES.values()), "accuracy")
        return {world: {key: row[key] for key in keys} for world, row in rows.items()}

    @property
    def route(self) -> tuple[str, ...]:
        """The present one of `ROUTES`."""
        is_swapped = self.swapped and self.direction == AROUND_B
        return ROUTES["swapped" if is_swapped else self.direction]

    @property
    def images(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Start, middle and back, (32, 32) or (32, 32, 3) each, in [0, 1]."""
        trips = round_trips.trips()[self.world]
        return tuple(getattr(trips, field)[int(self.digit)] for field in self.route[:3])

    @property
    def numbers(self) -> dict[str, float]:
        """What is measured of the trip.

        Returns:
            ``error``, the mean absolute error of the way back; ``mean``, that of all 1,000 test
            digits; ``accuracy``, the share of these that are read after B → A.

        """
        start, _, back = self.images
        study = self.study[self.world]
        return {
            "error": float(round_trips.error(start[None], back[None])[0]),
            "mean": study[self.route[-1]],
            "accuracy": study["accuracy"],
        }

    @property
    def read(self) -> list[int | None]:
        """What the judge of digits reads at start, middle and back; None where it is no gray."""
        reads = self.reads[self.world]
        return [
            reads[field][int(self.digit)] if field in READS else None for field in self.route[:3]
        ]

    def _places(self) -> list[str]:
        """What stands in each of the three pictures."""
        return [
            f"{name}: {self.world if read is None else f'read as {read}'}"
            for name, read in zip(("start", "middle", "back"), self.read, strict=True)
        ]

    def describe(self) -> str:
        """Return the present state in words."""
        n = self.numbers
        swap = ", with the true gray digit in the middle" * (self.route == ROUTES["swapped"])
        return (
            f"{self.world}, {self.direction}, a {self.digit}{swap}. {'; '.join(self._places())}. "
            f"Error of the way back {n['error']:.3f}, of all test digits {n['mean']:.3f}; after "
            f"B → A {n['accuracy']:.1%} of them are read."
        )

    def draw(self) -> Figure:
        """Return start, middle and back."""
        fig, axes = plotting.figure(1, 3, width=6, height=2.6)
        for ax, image, text in zip(axes, self.images, self._places(), strict=True):
            ax.imshow(image, vmin=0, vmax=1)
            ax.set_axis_off()
            ax.set_title(text, fontsize=10)
        fig.suptitle(f"{self.direction}: error of the way back {self.numbers['error']:.3f}")
        return fig
