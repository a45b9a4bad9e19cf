"""`live`: a persistent matplotlib figure whose artists follow a few controls."""

from __future__ import annotations

import html
import io
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets
import numpy as np
from PIL import Image
from traitlets import TraitError, validate

from utils import plotting

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.figure import Figure


class _InRange:
    """A slider that refuses a value beyond its ends; ipywidgets would silently move it."""

    @validate("value")
    def _validate_value(self, proposal: dict[str, Any]) -> float:
        value = proposal["value"]
        if not self.min <= value <= self.max:
            raise TraitError(
                f"{self.description} goes from {self.min:g} to {self.max:g}; got {value:g}"
            )
        return value


class FloatSlider(_InRange, widgets.FloatSlider):
    """A float slider with honest ends."""


class IntSlider(_InRange, widgets.IntSlider):
    """An integer slider with honest ends."""


class Live(widgets.VBox):
    """A figure above its controls; see `live`."""

    def __init__(self, fig: Figure, update: Callable[..., str | None], controls: dict[str, Any]):
        self.fig, self.update, self.controls, self.alt = fig, update, controls, ""
        width, height = (round(side * plotting.SCREEN_DPI) for side in fig.get_size_inches())
        self.image = widgets.Image(format="png", width=width, height=height)
        self.readout = widgets.HTML()
        for control in controls.values():
            control.observe(self._changed, "value")
        fig.set_dpi(plotting.SCREEN_DPI * plotting.PIXEL_RATIO)
        super().__init__(
            [
                self.image,
                self.readout,
                widgets.HBox(list(controls.values()), layout=widgets.Layout(flex_flow="row wrap")),
            ]
        )
        self._draw()
        fig.set_layout_engine("none")  # found once; at every move it would double the time

    def set(self, **values: Any) -> None:
        """Set controls by name, as the reader's hand would.

        Raises:
            KeyError: no control of that name.
            TraitError: a value that the control cannot take.

        """
        for name, value in values.items():
            if name not in self.controls:
                raise KeyError(f"no control {name!r}; there are {', '.join(self.controls)}")
            self.controls[name].value = value

    def __repr__(self) -> str:
        state = ", ".join(f"{name}={c.value!r}" for name, c in self.controls.items())
        return f"live({state})"

    def _repr_mimebundle_(self, **options: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        bundle = super()._repr_mimebundle_(**options)
        data, metadata = plotting.png_bundle(self.fig, self.alt or repr(self))
        return bundle | data, metadata

    def _changed(self, _: Any) -> None:
        try:
            self._draw()
        except Exception as error:
            # a front end hides what a callback raises: the reader must see it where she looks
            self.readout.value = f"<b>✘ {html.escape(f'{type(error).__name__}: {error}')}</b>"
            raise

    def _draw(self) -> None:
        text = self.update(**{name: control.value for name, control in self.controls.items()})
        self.readout.value = text or ""
        self.fig.canvas.draw()
        buffer = io.BytesIO()
        pixels = Image.fromarray(np.asarray(self.fig.canvas.buffer_rgba()))
        pixels.save(buffer, format="png", compress_level=1)
        self.image.value = buffer.getvalue()


def live(fig: Figure, update: Callable[..., str | None], **controls: Any) -> Live:
    """Return a widget: `fig`, and controls that call ``update(name=value, …)`` when moved.

    `update` changes the artists of `fig`; what it returns is shown as text below the figure.
    Each control is one of

    * ``(low, high, start)``: a slider, whole numbers if all three are
    * ``["a", "b", …]``: a choice, the first at the start
    * ``True`` or ``False``: a switch
    * any ipywidget with a `value`

    Raises:
        TypeError: a control of another form.
        ValueError: a start outside its slider.

    """
    return Live(fig, update, {name: _control(name, spec) for name, spec in controls.items()})


def _control(name: str, spec: Any) -> widgets.ValueWidget:
    label = name.replace("_", " ")
    if isinstance(spec, widgets.ValueWidget):
        return spec
    if isinstance(spec, bool):
        return widgets.Checkbox(value=spec, description=label)
    if isinstance(spec, list) and spec:
        return widgets.Dropdown(options=spec, value=spec[0], description=label)
    if isinstance(spec, tuple) and len(spec) == 3:
        low, high, start = spec
        if not low <= start <= high:
            raise ValueError(f"{name} starts at {start}, outside {low} to {high}")
        if all(isinstance(end, int) for end in spec):
            return IntSlider(min=low, max=high, value=start, description=label)
        return FloatSlider(
            min=low, max=high, value=start, step=(high - low) / 100, description=label
        )
    raise TypeError(
        f"{name}: give (low, high, start), a list of choices, a bool or a widget; got {spec!r}"
    )
