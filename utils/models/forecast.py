"""A series cut for forecasting: windows for a network, the truth, and forecasts without one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from utils.metrics import rmse

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from utils.datasets import Series

    Change = Literal["none", "square root", "seasonal difference"]


def windows(values: ArrayLike, width: int, horizon: int) -> tuple[np.ndarray, np.ndarray]:
    """All stretches of `width` values and, for each, the value `horizon` steps after its last.

    Returns:
        (N, width) and (N,), N = T − width − horizon + 1, for a series (T,).

    Raises:
        ValueError: the series is too short for one window and its target.

    """
    values = np.asarray(values)
    if len(values) < width + horizon:
        raise ValueError(
            f"{len(values)} values are too few for a window of {width} and a target {horizon} later"
        )
    every = np.lib.stride_tricks.sliding_window_view(values, width)
    return every[: len(values) - width - horizon + 1], values[width + horizon - 1 :]


@dataclass(frozen=True, kw_only=True, eq=False)
class Task:
    """One series to forecast `horizon` steps ahead; the last values are kept for the test.

    `x_train` (N, width, 1) and `y_train` (N, 1), float32, are standardized with mean and deviation
    of what lies before the test. `x_test` (M, width, 1) are the windows before each of the M values
    of `truth`, at `times`. `simple` holds forecasts (M,) without a network, by name.
    """

    horizon: int
    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    truth: np.ndarray
    times: np.ndarray
    simple: dict[str, np.ndarray]
    mean: float
    std: float
    base: np.ndarray
    change: Change

    def restore(self, outputs: ArrayLike) -> np.ndarray:
        """Forecasts (M,) in the unit of the series from standardized ones, (M,) or (M, 1)."""
        z = np.asarray(outputs, float).reshape(len(self.truth)) * self.std + self.mean
        return np.maximum(z, 0) ** 2 if self.change == "square root" else z + self.base

    def error(self, outputs: ArrayLike) -> float:
        """Root mean square error of standardized forecasts, in the unit of the series."""
        return rmse(self.restore(outputs), self.truth)


def task(
    series: Series,
    *,
    test: int,
    horizon: int = 1,
    width: int = 24,
    period: int = 12,
    change: Change = "none",
) -> Task:
    """Cut a series: forecast its last `test` values, each from `width` values `horizon` before it.

    `change` says what is forecast in place of the values: their ``"square root"``, or their
    ``"seasonal difference"``, from the value a `period` before; forecasts are changed back. The
    forecasts in `Task.simple`, with v the series:

    * ``"persistence"``: v(t − horizon), the last value known
    * ``"seasonal"``: v(t − period), or the latest whole number of periods ago that is known
    * ``"seasonal + drift"``: that, plus how much the last known value exceeds the one a period
      before it
    * ``"linear"``: linear autoregression, the least-squares map from window and a 1 to the target

    Raises:
        ValueError: `change` is unknown, or the series is too short.

    """
    if change not in ("none", "square root", "seasonal difference"):
        raise ValueError(
            f'change is "none", "square root" or "seasonal difference", got {change!r}'
        )
    v = series.values
    first = len(v) - test  # index of the first value of the test
    lost = period if change == "seasonal difference" else 0
    base = np.concatenate([np.zeros(lost), v[: len(v) - lost]]) if lost else np.zeros_like(v)
    changed = np.sqrt(v) if change == "square root" else v - base
    mean, std = changed[lost:first].mean(), changed[lost:first].std()
    x, y = windows((changed[lost:] - mean) / std, width, horizon)
    at = lost + width + horizon - 1 + np.arange(len(y))  # the index of each target
    is_test = at >= first
    now, seasons = at[is_test], period * -(-horizon // period)
    ones = np.ones((len(x), 1))
    design = np.hstack([x, ones])
    weights, *_ = np.linalg.lstsq(design[~is_test], y[~is_test])
    last_season = v[now - seasons]
    cut = Task(
        horizon=horizon,
        x_train=x[~is_test, :, None].astype(np.float32),
        y_train=y[~is_test, None].astype(np.float32),
        x_test=x[is_test, :, None].astype(np.float32),
        truth=v[now],
        times=series.times[now],
        simple={
            "persistence": v[now - horizon],
            "seasonal": last_season,
            "seasonal + drift": last_season + v[now - horizon] - v[now - horizon - seasons],
        },
        mean=float(mean),
        std=float(std),
        base=base[now],
        change=change,
    )
    cut.simple["linear"] = cut.restore(design[is_test] @ weights)
    return cut
