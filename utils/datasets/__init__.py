"""Real data as plain NumPy arrays: embedded ones without a network, the full sets on request."""

from utils.datasets._fetch import CacheError, ChecksumError, DataUnavailable, Source
from utils.datasets._types import LabeledImages, Pairs, Scenes, Series, Texts
from utils.datasets.adding import adding_problem
from utils.datasets.coco import read_coco
from utils.datasets.code import Docstrings, SourceCode, load_code, load_docstrings
from utils.datasets.digits import load_digits
from utils.datasets.entities import Entities, load_entities
from utils.datasets.minilm import encoder_folder
from utils.datasets.names import load_names
from utils.datasets.objects import load_objects
from utils.datasets.pronunciations import Pronunciations, load_pronunciations
from utils.datasets.reviews import load_reviews
from utils.datasets.scenes import GlyphScenes, load_scenes
from utils.datasets.series import load_series
from utils.datasets.sketches import Sketches, load_sketches

__all__ = [
    "CacheError",
    "ChecksumError",
    "DataUnavailable",
    "Docstrings",
    "Entities",
    "GlyphScenes",
    "LabeledImages",
    "Pairs",
    "Pronunciations",
    "Scenes",
    "Series",
    "Sketches",
    "Source",
    "SourceCode",
    "Texts",
    "adding_problem",
    "encoder_folder",
    "load_code",
    "load_digits",
    "load_docstrings",
    "load_entities",
    "load_names",
    "load_objects",
    "load_pronunciations",
    "load_reviews",
    "load_scenes",
    "load_series",
    "load_sketches",
    "read_coco",
]
