"""Real time series: sea-surface temperature, carbon dioxide, sunspots, inside statsmodels."""

from __future__ import annotations

import csv
import functools
from importlib import resources
from typing import TYPE_CHECKING

import numpy as np

from utils.datasets._fetch import DataUnavailable
from utils.datasets._types import Series

if TYPE_CHECKING:
    from collections.abc import Callable

    Rows = list[list[str]]

LICENSE = "public domain, says statsmodels"


def load_series(name: str) -> Series:
    """Return one real quantity over time, without a gap; all three come inside statsmodels.

    * "elnino": sea-surface temperature off Peru and Ecuador (Niño 1+2: 0–10° S, 80–90° W) in °C,
      732 monthly means, 1950-01 to 2010-12, none missing. NOAA, ERSST.V3B.
    * "co2": carbon dioxide in the air on Mauna Loa, Hawaii, in parts per million by volume (ppm),
      526 monthly means, 1958-03 to 2001-12, each of the weekly values that there are. 59 of 2,284
      weeks have none, which leaves five months empty (1958-06, 1958-10, 1964-02 to 1964-04); these
      lie on the straight line between their neighbors. C. D. Keeling and T. P. Whorf (2004).
    * "sunspots": the yearly mean sunspot number (Wolf number), 309 years, 1700 to 2008, none
      missing. NOAA, National Geophysical Data Center.

    Raises:
        ValueError: there is no series of that name.
        DataUnavailable: statsmodels' file is missing.

    """
    if name not in SERIES:
        raise ValueError(f"name must be one of {', '.join(SERIES)}, got {name!r}")
    return _load(name)


@functools.cache  # read-only, so one copy serves all
def _load(name: str) -> Series:
    read, about = SERIES[name]
    values, times = read(_rows(name))
    return Series(values=values, times=times, license=LICENSE, is_full=True, **about)


def _rows(name: str) -> Rows:
    """The lines of statsmodels' table without its heading; importing the whole package is slow."""
    try:
        table = resources.files("statsmodels") / "datasets" / name / f"{name}.csv"
        text = table.read_text(encoding="utf-8")
    except (ModuleNotFoundError, FileNotFoundError) as error:
        raise DataUnavailable(
            f"the series {name} is missing: statsmodels' file datasets/{name}/{name}.csv cannot be "
            "found; reinstall it with "
            'pip install --force-reinstall --no-deps "statsmodels>=0.14.4,<1"'
        ) from error
    return [row for row in csv.reader(text.splitlines()[1:]) if row]


def _elnino(rows: Rows) -> tuple[np.ndarray, np.ndarray]:
    """A row a year: the year, then January to December."""
    values = np.array([row[1:] for row in rows], np.float64).ravel()
    return values, np.datetime64(rows[0][0], "M") + np.arange(len(values))


def _co2(rows: Rows) -> tuple[np.ndarray, np.ndarray]:
    """A row a week: the Saturday as YYYYMMDD, and the value or nothing."""
    known = [(np.datetime64(f"{day[:4]}-{day[4:6]}", "M"), value) for day, value in rows if value]
    months, values = (np.array(column) for column in zip(*known, strict=True))
    month = (months - months[0]).astype(np.int64)  # counted from the first
    weeks, total = np.bincount(month), np.bincount(month, values.astype(np.float64))
    at = np.flatnonzero(weeks)
    every = np.arange(len(weeks))
    return np.interp(every, at, total[at] / weeks[at]), months[0] + every


def _sunspots(rows: Rows) -> tuple[np.ndarray, np.ndarray]:
    """A row a year: the year and its number."""
    values = np.array([number for _, number in rows], np.float64)
    return values, np.datetime64(rows[0][0], "Y") + np.arange(len(values))


SERIES: dict[str, tuple[Callable[[Rows], tuple[np.ndarray, np.ndarray]], dict[str, str]]] = {
    "elnino": (
        _elnino,
        {
            "name": "sea-surface temperature, Niño 1+2",
            "unit": "°C",
            "source": "NOAA, ERSST.V3B, from statsmodels",
        },
    ),
    "co2": (
        _co2,
        {
            "name": "carbon dioxide on Mauna Loa",
            "unit": "ppm",
            "source": "C. D. Keeling and T. P. Whorf (2004), CDIAC, from statsmodels",
        },
    ),
    "sunspots": (
        _sunspots,
        {
            "name": "sunspots",
            "unit": "Wolf numbers",
            "source": "NOAA, National Geophysical Data Center, from statsmodels",
        },
    ),
}
