"""The moves that a reader can make with a control of ipywidgets, as messages to its model."""

from __future__ import annotations


def moves(state: dict) -> list[dict]:
    """Return the messages that try a control out and leave it as it was.

    Sliders and number fields go to their minimum, their maximum and a value between, selections
    to the first, the last and a middle option, switches over and back, buttons are clicked.
    Other widgets, and controls that are disabled, get none.
    """
    if state.get("disabled"):
        return []
    if state.get("_model_name") == "ButtonModel":
        return [{"method": "custom", "content": {"event": "click"}}]
    trait = "index" if "_options_labels" in state else "value"
    if trait not in state:
        return []
    return [
        {"method": "update", "state": {trait: value}, "buffer_paths": []}
        for value in _values(state, state[trait])
    ]


def _values(state: dict, now: object) -> list:
    if "_options_labels" in state:
        last = len(state["_options_labels"]) - 1
        return [0, last, last // 2, now] if isinstance(now, int) and last >= 0 else []
    if isinstance(now, bool):
        return [not now, now]
    low, high = state.get("min"), state.get("max")
    if not all(isinstance(number, int | float) for number in (low, high)):
        return []
    middle = _between(low, high, state.get("step"))
    if isinstance(now, list | tuple):  # a range has two handles
        return [[low, low], [high, high], [low, high], now]
    if "base" in state:  # a logarithmic slider keeps exponents as its limits
        low, middle, high = (state["base"] ** exponent for exponent in (low, middle, high))
    return [low, high, middle, now] if isinstance(now, int | float) else []


def _between(low: float, high: float, step: float | None) -> float:
    if not step:
        return (low + high) / 2
    return low + step * int((high - low) / step / 2)
