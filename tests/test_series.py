"""The three time series against statsmodels' own loaders and what is known of them."""

import numpy as np
import pytest
from support.imports import imported

from utils.datasets import DataUnavailable, Series, load_series, series

NAMES = ("elnino", "co2", "sunspots")


@pytest.mark.parametrize(
    ("name", "line"),
    [
        (
            "elnino",
            "sea-surface temperature, Niño 1+2 in °C, 732 monthly values from 1950-01 to 2010-12",
        ),
        ("co2", "carbon dioxide on Mauna Loa in ppm, 526 monthly values from 1958-03 to 2001-12"),
        ("sunspots", "sunspots in Wolf numbers, 309 yearly values from 1700 to 2008"),
    ],
)
def test_a_series_says_what_it_is(name, line):
    data = load_series(name)
    assert isinstance(data, Series)
    assert repr(data) == f"Series: {line}, full"
    assert data.license == "public domain, says statsmodels"
    assert "statsmodels" in data.source


@pytest.fixture(scope="module")
def theirs():
    """What statsmodels loads, as pandas objects."""
    from statsmodels.datasets import co2, elnino, sunspots

    return {
        "elnino": elnino.load_pandas().data,
        "co2": co2.load_pandas().data["co2"],
        "sunspots": sunspots.load_pandas().data,
    }


def test_elnino_is_the_table_read_row_by_row(theirs):
    table, data = theirs["elnino"], load_series("elnino")
    for row in table.itertuples(index=False):
        for month, value in enumerate(row[1:], start=1):
            at = data.times == np.datetime64(f"{int(row[0])}-{month:02}", "M")
            assert data.values[at] == [value]
    assert table.size - len(table) == len(data.values)


def test_co2_is_the_mean_of_the_weeks_of_a_month(theirs):
    monthly = theirs["co2"].resample("MS").mean()
    data = load_series("co2")
    empty = [str(day)[:7] for day in monthly.index[monthly.isna()]]
    assert empty == ["1958-06", "1958-10", "1964-02", "1964-03", "1964-04"]
    assert theirs["co2"].isna().sum() == 59
    assert len(theirs["co2"]) == 2284
    # without an axis, pandas counts steps from month to month, as we do
    filled = monthly.interpolate().to_numpy()
    np.testing.assert_allclose(data.values, filled, rtol=1e-12)
    np.testing.assert_array_equal(data.times, monthly.index.to_numpy().astype("datetime64[M]"))
    at = {str(time): value for time, value in zip(data.times, data.values, strict=True)}
    assert at["1958-06"] == pytest.approx((at["1958-05"] + at["1958-07"]) / 2)


def test_sunspots_are_the_table(theirs):
    data = load_series("sunspots")
    np.testing.assert_array_equal(data.values, theirs["sunspots"]["SUNACTIVITY"])
    np.testing.assert_array_equal(data.times.astype(int) + 1970, theirs["sunspots"]["YEAR"])


def test_nature_is_in_the_numbers():
    co2 = load_series("co2")
    by_year = co2.values[10:].reshape(-1, 12)  # from January 1959
    assert (np.diff(by_year.mean(axis=1)) > 0).all()  # the air fills up, year after year
    assert np.bincount(by_year.argmax(axis=1)).argmax() == 4  # and is fullest in May
    elnino = load_series("elnino")
    warm = str(elnino.times[elnino.values.argmax()])
    assert warm in ("1983-03", "1998-03")  # the two great El Niños of the century
    sunspots = load_series("sunspots").values - load_series("sunspots").values.mean()
    echo = [sunspots[lag:] @ sunspots[:-lag] for lag in range(5, 16)]
    assert np.argmax(echo) + 5 in (10, 11)  # years from one maximum to the next


@pytest.mark.parametrize("wrong", ["El Niño", "", "ELNINO", None, 0])
def test_an_unknown_series_is_told_what_there_is(wrong):
    with pytest.raises(ValueError, match="one of elnino, co2, sunspots, got "):
        load_series(wrong)


@pytest.mark.parametrize("name", NAMES)
def test_no_lesson_can_spoil_a_series(name):
    with pytest.raises(ValueError, match="read-only"):
        load_series(name).values[0] = 0
    assert load_series(name) is load_series(name)


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_file_is_told(monkeypatch, tmp_path, name):
    (tmp_path / "statsmodels").mkdir()
    (tmp_path / "statsmodels" / "__init__.py").touch()
    monkeypatch.setattr(series.resources, "files", lambda package: tmp_path / package)
    with pytest.raises(DataUnavailable, match=rf"datasets/{name}/{name}.csv .* pip install"):
        series._load.__wrapped__(name)


def test_loading_spares_pandas():
    code = f"from utils.datasets import load_series\nfor name in {NAMES}:\n    load_series(name)"
    assert not {"pandas", "scipy", "tensorflow", "torch"} & imported(code)
