"""Real data as plain NumPy arrays: embedded ones without a network, the full sets on request."""

from utils.datasets._fetch import CacheError, ChecksumError, DataUnavailable, Source
from utils.datasets._types import LabeledImages, Pairs, Scenes, Series, Texts
from utils.datasets.digits import load_digits
from utils.datasets.objects import load_objects

__all__ = [
    "CacheError",
    "ChecksumError",
    "DataUnavailable",
    "LabeledImages",
    "Pairs",
    "Scenes",
    "Series",
    "Source",
    "Texts",
    "load_digits",
    "load_objects",
]
