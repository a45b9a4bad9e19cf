"""The base of the hero widgets: state lives in Python, picture and mathematics in the browser."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar

import anywidget
import numpy as np
import traitlets

from utils import plotting
from utils.widgets._script import HERE
from utils.widgets._script import script as script

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Numbers(traitlets.TraitType):
    """A number, or nested tuples of numbers, of the default's shape, each in [low, high].

    Anything that NumPy reads as such an array may be assigned; the stored value is immutable.

    Raises:
        traitlets.TraitError: wrong shape, no numbers, NaN, or beyond the range.

    """

    def __init__(self, default: Any, low: float, high: float) -> None:
        self.shape = np.shape(default)
        self.low, self.high = low, high
        super().__init__(_frozen(np.asarray(default, float).tolist()))

    def validate(self, obj: Any, value: Any) -> Any:
        """Return `value` as a float or nested tuples of floats."""
        try:
            array = np.asarray(value)
        except ValueError:  # ragged
            array = np.asarray(None)
        if array.dtype.kind not in "iuf" or array.shape != self.shape:
            what = " × ".join(map(str, self.shape)) + " numbers" if self.shape else "one number"
            raise traitlets.TraitError(
                f"{self.name} must be {what}, for instance {self.name} = {self.default_value}; "
                f"got {value!r}"
            )
        if not ((self.low <= array) & (array <= self.high)).all():
            raise traitlets.TraitError(
                f"{self.name} must stay between {self.low:g} and {self.high:g}, got {value!r}; "
                f"choose a value in that range"
            )
        return _frozen(array.astype(float).tolist())


class Letters(traitlets.Unicode):
    """From `least` to `most` letters a to z; capitals become small.

    Raises:
        traitlets.TraitError: another kind of value, other characters, too few or too many.

    """

    def __init__(self, default: str, *, least: int = 0, most: int, example: str) -> None:
        self.least, self.most, self.example = least, most, example
        super().__init__(default)

    def validate(self, obj: Any, value: Any) -> str:
        """Return the letters in small ones."""
        word = value.lower() if isinstance(value, str) else value
        if not isinstance(word, str) or not re.fullmatch(
            f"[a-z]{{{self.least},{self.most}}}", word
        ):
            raise traitlets.TraitError(
                f"{self.name} must be {self.least} to {self.most} letters a to z, for instance "
                f"{self.name} = {self.example!r}; got {value!r:.60}"
            )
        return word


class Hero(anywidget.AnyWidget):
    """A widget that computes in the browser and mirrors its state in Python.

    A subclass gives ``_esm = script("its_name")``, the names of its `STATE` traits, a static
    picture (`draw`) and a sentence for those who cannot see it (`describe`).

    Attributes:
        caption: a sentence shown beneath the widget.
        alt: replaces the sentence of `describe`.
        constants: what the script needs to know and Python has written: of each number of the
            state its (low, high), of each choice its names, and all of `CONSTANTS`.

    """

    STATE: ClassVar[tuple[str, ...]] = ()
    CONSTANTS: ClassVar[dict[str, Any]] = {}
    _css = HERE / "_hero.css"
    _ipython_display_ = None  # ipywidgets 7 would display through it and leave out the picture

    caption = traitlets.Unicode("").tag(sync=True)
    alt = traitlets.Unicode("").tag(sync=True)
    constants = traitlets.Dict(read_only=True).tag(sync=True)

    @traitlets.default("constants")
    def _known_constants(self) -> dict[str, Any]:
        limits = {name: _limits(self.traits()[name]) for name in self.STATE}
        return {name: known for name, known in limits.items() if known} | self.CONSTANTS

    def draw(self) -> Figure:
        """Return the present state as a figure for paper and for pages without JavaScript."""
        raise NotImplementedError

    def describe(self) -> str:
        """Return the present state in words."""
        raise NotImplementedError

    def __repr__(self) -> str:
        state = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.STATE)
        return f"{type(self).__name__}({state})"

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        data, metadata = super()._repr_mimebundle_(**kwargs)
        picture, about = plotting.png_bundle(self.draw(), self.alt or self.describe())
        return data | picture, metadata | about


def _limits(trait: traitlets.TraitType[Any, Any]) -> tuple[Any, ...]:
    """What a trait takes: its ends, its names, or () where it says neither."""
    if isinstance(trait, Numbers):
        return trait.low, trait.high
    if isinstance(trait, Letters):
        return trait.least, trait.most
    if isinstance(trait, traitlets.Int):
        return trait.min, trait.max
    return tuple(trait.values) if isinstance(trait, traitlets.Enum) else ()


def _frozen(value: Any) -> Any:
    return tuple(map(_frozen, value)) if isinstance(value, list) else value
