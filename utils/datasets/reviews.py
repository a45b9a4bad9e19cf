"""Film reviews, good or bad: IMDB's 50,000, on request only."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from utils.datasets._archive import read_matching
from utils.datasets._fetch import Source, full_or_nothing
from utils.datasets._types import Texts

IMDB = Source(
    name="IMDB",
    file_name="aclImdb_v1.tar.gz",
    addresses=("https://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz",),
    sha256="c40f74a18d3b61f90feba1e17730e0d38e8b97c05fe7008942e91923d1658fe8",
    size=84_125_825,
    license="none stated; cite A. L. Maas et al. (2011)",
    homepage="https://ai.stanford.edu/~amaas/data/sentiment/",
)
CLASS_NAMES = ("neg", "pos")
REVIEW = re.compile(r"aclImdb/(train|test)/(neg|pos)/(\d+)_(?:10|[1-9])\.txt", re.ASCII)
MAX_SIZE = 100_000  # bytes of one review; the longest has some 14,000
INSTEAD = "the course uses surnames by language in their place, load_names()"


def load_reviews(full: bool | None = None, *, source: Source = IMDB) -> Texts:
    """Return IMDB's 25,000 training and 25,000 test reviews, labels 0 (negative) and 1 (positive).

    A review is negative with at most 4 stars of 10, positive with at least 7; half are of each
    kind, and no film is in both parts. Texts are as written, but that ``<br />`` becomes a line
    break. They come sorted by their number in the archive, both kinds in turn; the 50,000 without a
    label are left out. About 84 MB, downloaded once.

    There are no embedded reviews. A lesson catches `DataUnavailable`, prints its one line, and goes
    on with surnames.

    * True: the reviews.
    * False: `DataUnavailable`, as no package carries any.
    * None: `COURSE_DATA` decides.

    Source: A. L. Maas, R. E. Daly, P. T. Pham, D. Huang, A. Y. Ng, C. Potts (2011), Learning word
    vectors for sentiment analysis, ACL, pp. 142–150, https://aclanthology.org/P11-1015.

    Raises:
        TypeError: `full` is not True, False or None.
        DataUnavailable: they are not wanted, or no address answers.
        ChecksumError: the download is not the official file.
        ValueError: the downloaded archive is not in the official layout.
        CacheError: the cache folder does not let us read or write the download.

    """
    return full_or_nothing(
        full, source, _read, loader="load_reviews", what="film reviews", instead=INSTEAD
    )


def _read(path: Path, source: Source) -> Texts:
    parts: dict[str, list[tuple[int, int, str]]] = {"train": [], "test": []}
    for name, content in read_matching(path, REVIEW.fullmatch, max_size=MAX_SIZE).items():
        part, kind, number = REVIEW.fullmatch(name).groups()
        try:
            text = content.decode("utf-8")
        except UnicodeDecodeError as error:
            raise ValueError(f"{path.name}: {name} is not text in UTF-8 ({error})") from error
        label = CLASS_NAMES.index(kind)
        parts[part].append((int(number), label, text.replace("<br />", "\n")))
    fields = {}
    for part, reviews in parts.items():
        if {label for _, label, _ in reviews} != {0, 1}:
            raise ValueError(f"{path.name}: aclImdb/{part} lacks reviews of one kind or of both")
        reviews.sort()
        fields[f"x_{part}"] = tuple(text for _, _, text in reviews)
        fields[f"y_{part}"] = np.array([label for _, label, _ in reviews], np.int64)
    return Texts(
        **fields,
        class_names=CLASS_NAMES,
        source=f"{source.name}, {source.homepage}",
        license=source.license,
        is_full=True,
    )
