"""Forecasting tasks against loops over a series, and the simple forecasts against scikit-learn."""

import numpy as np
import pytest

from utils.datasets import Series, load_series
from utils.metrics import rmse
from utils.models.forecast import task, windows


@pytest.mark.parametrize(("width", "horizon"), [(3, 1), (5, 3), (1, 1)])
def test_windows_are_followed_by_their_targets(width, horizon):
    x, y = windows(np.arange(20.0), width, horizon)
    assert len(x) == len(y) == 20 - width - horizon + 1
    for row, target in zip(x, y, strict=True):
        assert row.tolist() == list(range(int(row[0]), int(row[0]) + width))
        assert target == row[-1] + horizon
    assert y[-1] == 19


def test_a_series_too_short_is_told():
    assert len(windows(np.arange(6.0), 4, 2)[1]) == 1
    with pytest.raises(ValueError, match="5 values are too few for a window of 4 and a target 2"):
        windows(np.arange(5.0), 4, 2)


def made_up(n=90, kind=np.sin):
    t = np.arange(n)
    values = 5 + kind(2 * np.pi * t / 12) + 0.02 * t + np.random.default_rng(0).normal(0, 0.1, n)
    months = np.datetime64("2000-01", "M") + t
    about = {"name": "x", "unit": "1", "source": "made up", "license": "CC0", "is_full": True}
    return Series(values=values, times=months, **about)


@pytest.mark.parametrize("change", ["none", "square root", "seasonal difference"])
@pytest.mark.parametrize("horizon", [1, 3, 13])
def test_a_task_knows_nothing_of_the_future(change, horizon):
    series = made_up()
    v, first, width = series.values, 70, 10
    cut = task(series, test=20, horizon=horizon, width=width, change=change)
    np.testing.assert_array_equal(cut.truth, v[first:])
    np.testing.assert_array_equal(cut.times, series.times[first:])
    lost = 12 if change == "seasonal difference" else 0
    assert len(cut.x_train) == len(cut.y_train) == first - lost - width - horizon + 1
    assert cut.x_train.shape[1:] == cut.x_test.shape[1:] == (width, 1)
    assert cut.y_train.dtype == cut.x_test.dtype == np.float32
    for row, t in enumerate(range(first, 90)):
        assert cut.simple["persistence"][row] == v[t - horizon]
        season = t - 12 if horizon <= 12 else t - 24
        assert cut.simple["seasonal"][row] == v[season]
        drift = v[t - horizon] - v[t - horizon - (t - season)]
        assert cut.simple["seasonal + drift"][row] == pytest.approx(v[season] + drift)
    if horizon <= 12:  # a changed future changes no window and no forecast
        changed = v.copy()
        changed[-1] += 1
        other = task(
            Series(**{**vars(series), "values": changed}),
            test=20,
            horizon=horizon,
            width=width,
            change=change,
        )
        np.testing.assert_array_equal(other.x_test, cut.x_test)
        for name, forecast in cut.simple.items():
            np.testing.assert_allclose(other.simple[name], forecast, rtol=1e-12)


@pytest.mark.parametrize("change", ["none", "square root", "seasonal difference"])
def test_standardized_truth_is_restored(change):
    series = made_up()
    cut = task(series, test=20, width=10, change=change)
    v = series.values
    known = {"none": v, "square root": np.sqrt(v), "seasonal difference": v[12:] - v[:-12]}[change]
    before = known[:-20]
    z = (known[-20:] - before.mean()) / before.std()
    np.testing.assert_allclose(cut.restore(z), cut.truth, rtol=1e-12)
    np.testing.assert_allclose(cut.restore(z[:, None]), cut.truth, rtol=1e-12)
    assert cut.error(z) == pytest.approx(0, abs=1e-12)
    np.testing.assert_allclose(
        cut.y_train[:, 0], (before[10:] - before.mean()) / before.std(), rtol=1e-4, atol=1e-5
    )


def test_linear_autoregression_is_linear_regression():
    from sklearn.linear_model import LinearRegression

    cut = task(load_series("elnino"), test=144)
    x, y = cut.x_train[..., 0].astype(float), cut.y_train[:, 0].astype(float)
    expected = LinearRegression().fit(x, y).predict(cut.x_test[..., 0].astype(float))
    np.testing.assert_allclose(cut.simple["linear"], cut.restore(expected), atol=1e-4)


def test_el_nino_is_measured_as_published_in_the_course():
    cut = task(load_series("elnino"), test=144)
    errors = {name: round(rmse(f, cut.truth), 3) for name, f in cut.simple.items()}
    assert errors == {
        "persistence": 1.172,
        "seasonal": 1.336,
        "seasonal + drift": 0.681,
        "linear": 0.503,
    }
    assert (str(cut.times[0]), str(cut.times[-1])) == ("1999-01", "2010-12")


def test_an_unknown_change_is_told():
    with pytest.raises(ValueError, match="\"seasonal difference\", got 'log'"):
        task(made_up(), test=20, change="log")
