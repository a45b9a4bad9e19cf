"""`live`: what the controls say is what the picture shows."""

import numpy as np
import pytest
from traitlets import TraitError

from utils import plotting
from utils.widgets import live


def sine(**controls):
    fig, ax = plotting.figure(width=3, height=2)
    (line,) = ax.plot(np.linspace(0, 6, 50), np.zeros(50))

    def update(frequency):
        line.set_ydata(np.sin(frequency * line.get_xdata()))
        return f"frequency {frequency:g}"

    return live(fig, update, **controls), line


def test_moving_a_control_moves_the_artist_the_picture_and_the_readout():
    widget, line = sine(frequency=(0.0, 5.0, 1.0))
    before = widget.image.value
    np.testing.assert_allclose(line.get_ydata(), np.sin(line.get_xdata()))
    for value in (0.0, 5.0, 2.5):
        widget.set(frequency=value)
        np.testing.assert_allclose(line.get_ydata(), np.sin(value * line.get_xdata()))
        assert widget.readout.value == f"frequency {value:g}"
        assert widget.image.value != before
        before = widget.image.value


def test_beyond_the_range_is_an_error_that_names_it():
    widget, _ = sine(frequency=(0.0, 5.0, 1.0))
    with pytest.raises(TraitError, match="frequency goes from 0 to 5; got 9"):
        widget.set(frequency=9.0)
    with pytest.raises(TraitError, match="frequency goes from 0 to 5; got -1"):
        widget.controls["frequency"].value = -1.0
    assert widget.controls["frequency"].value == 1.0
    with pytest.raises(KeyError, match="no control 'w'; there are frequency"):
        widget.set(w=1)


def test_kinds_of_control():
    fig, _ = plotting.figure(width=2, height=1)
    widget = live(
        fig, lambda **values: str(values), n=(1, 9, 3), x=(0.0, 1.0, 0.5), kind=["a", "b"], on=True
    )
    assert widget.readout.value == "{'n': 3, 'x': 0.5, 'kind': 'a', 'on': True}"
    widget.set(kind="b", on=False, n=9)
    assert repr(widget) == "live(n=9, x=0.5, kind='b', on=False)"


def test_bad_controls_are_named():
    fig, _ = plotting.figure(width=2, height=1)
    with pytest.raises(ValueError, match="w starts at 7, outside 0 to 5"):
        live(fig, lambda w: None, w=(0, 5, 7))
    with pytest.raises(TypeError, match=r"w: give \(low, high, start\)"):
        live(fig, lambda w: None, w=5)


def test_an_error_in_update_is_shown_and_raised():
    fig, _ = plotting.figure(width=2, height=1)

    def update(n):
        if n > 1:
            raise ZeroDivisionError("<n> is spoiled")

    widget = live(fig, update, n=(0, 5, 1))
    with pytest.raises(ZeroDivisionError):
        widget.set(n=2)
    assert "ZeroDivisionError: &lt;n&gt; is spoiled" in widget.readout.value
    widget.set(n=0)
    assert widget.readout.value == ""


def test_static_picture_for_pages_without_a_kernel(capture):
    widget, _ = sine(frequency=(0.0, 5.0, 1.0))
    plotting.show(widget, 2, "A sine.", alt="a sine wave")
    picture, caption = capture()
    assert picture["data"]["text/plain"] == "a sine wave"
    assert picture["data"]["image/png"]
    assert "application/vnd.jupyter.widget-view+json" in picture["data"]
    assert picture["metadata"]["image/png"]["alt"] == "a sine wave"
    assert caption["data"]["text/plain"] == "Figure 2. A sine."
