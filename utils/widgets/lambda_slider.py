"""Slider of λ: what six networks painted on the same outlines, and what was measured of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
import traitlets

from utils import metrics, plotting
from utils.recorded import paintings, translation
from utils.widgets._hero import Hero, script
from utils.widgets._pictures import png_address

if TYPE_CHECKING:
    from matplotlib.figure import Figure

GLYPHS = tuple(paintings.GLYPHS.values())
# the setting's λ and how it is called
LAMBDAS = {name: (name.removeprefix("λ = "), name) for name in paintings.SHOWN} | {
    "L1": ("∞", "L1 alone"),
    "GAN": ("0", "GAN alone"),
}
MEASURES = {"color": "color error", "hue": "distance of hues", "kind": "kinds recognized"}
CREDIT = "Glyphs: OpenMoji, CC BY-SA 4.0"


class LambdaSlider(Hero):
    """Move λ from L1 alone to the GAN alone; see paintings of held-out outlines, and numbers.

    ```python
    slider = LambdaSlider(setting="λ = 10")
    slider.numbers, slider.errors
    ```

    Attributes:
        setting: one of `utils.recorded.paintings.SHOWN`.

    Raises:
        traitlets.TraitError: an unknown setting.

    """

    STATE = ("setting",)
    CONSTANTS: ClassVar = {
        "GLYPHS": GLYPHS,
        "LAMBDAS": LAMBDAS,
        "MEASURES": MEASURES,
        "CREDIT": CREDIT,
    }
    _esm = script("lambda_slider")

    setting = traitlets.Enum(paintings.SHOWN, "λ = 50").tag(sync=True)
    measured = traitlets.Dict(read_only=True).tag(sync=True)
    pictures = traitlets.Dict(read_only=True).tag(sync=True)
    glyph_errors = traitlets.Dict(read_only=True).tag(sync=True)

    @traitlets.default("measured")
    def _measured(self) -> dict[str, dict[str, list[float]]]:
        return {
            name: {key: list(translation.values(name, key).values()) for key in MEASURES}
            for name in paintings.SHOWN
        }

    @traitlets.default("pictures")
    def _packed(self) -> dict[str, list[str]]:
        outlines, truths = paintings.examples()
        sets = {"outline": outlines, "truth": truths} | paintings.pictures()
        return {
            name: [png_address(image) for image in np.rint(255 * images).astype(np.uint8)]
            for name, images in sets.items()
        }

    @traitlets.default("glyph_errors")
    def _glyph_errors(self) -> dict[str, list[float]]:
        _, truths = paintings.examples()
        return {
            name: [
                metrics.color_error(*pair)
                for pair in zip(images[:, None], truths[:, None], strict=True)
            ]
            for name, images in paintings.pictures().items()
        }

    @property
    def numbers(self) -> dict[str, float]:
        """The mean over the seeds of each of `MEASURES`, of all held-out glyphs."""
        return {key: float(np.mean(seeds)) for key, seeds in self.measured[self.setting].items()}

    @property
    def errors(self) -> np.ndarray:
        """The color error of each painting that is shown, (6,)."""
        return np.array(self.glyph_errors[self.setting])

    def describe(self) -> str:
        """Return the present state in words."""
        n, (lam, name) = self.numbers, LAMBDAS[self.setting]
        seeds = len(self.measured[self.setting]["color"])
        each = ", ".join(f"{g} {e:.2f}" for g, e in zip(GLYPHS, self.errors, strict=True))
        return (
            f"{f'λ = {lam}, ' if name != self.setting else ''}{name}: color error "
            f"{n['color']:.3f}, distance of hues {n['hue']:.2f}, kinds recognized "
            f"{n['kind']:.0%}, means of {seeds} seeds. Color errors of the paintings shown: {each}."
        )

    def draw(self) -> Figure:
        """Return outlines, paintings and truths, one above the other."""
        outlines, truths = paintings.examples()
        painted = paintings.pictures()[self.setting]
        rows = np.concatenate([np.repeat(outlines[..., None], 3, axis=3), painted, truths])
        count = len(GLYPHS)
        fig = plotting.image_grid(rows, cols=count, size=1.1)
        for ax, text in zip(fig.axes[count:], [f"{e:.2f}" for e in self.errors], strict=False):
            ax.set_title(text, fontsize=9)
        n = self.numbers
        fig.suptitle(
            f"{LAMBDAS[self.setting][1]}: color error {n['color']:.3f}, distance of hues "
            f"{n['hue']:.2f}, kinds {n['kind']:.0%}",
            fontsize=11,
        )
        fig.supxlabel(CREDIT, fontsize=8)
        return fig
