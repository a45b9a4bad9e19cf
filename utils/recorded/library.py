"""Docstrings of Python's standard library with their vectors, and queries whose answers are known.

``python -m utils.recorded.library`` makes them again, in a minute; it needs the pretrained encoder
and Python 3.11, since later versions moved modules. The docstrings are © Python Software
Foundation, PSF License Version 2. The vectors are those of all-MiniLM-L6-v2 for each docstring's
first paragraph, four bits for each number; those of the queries are in float16. Of 31 queries, 30
find the same first docstring as with the exact vectors.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from utils import recorded
from utils.datasets import DataUnavailable, encoder_folder, load_docstrings
from utils.text import TfIdf

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from utils.datasets import Docstrings
    from utils.models.encoder import Encoder

SHORTEST = 15  # characters of a docstring
# what programs of many kinds use: files, archives, texts, numbers, dates, collections, the machine
MODULES = frozenset(
    (
        *("argparse", "base64", "bisect", "bz2", "calendar", "collections", "configparser"),
        *("contextlib", "copy", "csv", "dataclasses", "datetime", "difflib", "enum", "filecmp"),
        *("fileinput", "fnmatch", "fractions", "functools", "genericpath", "getpass", "glob"),
        *("graphlib", "gzip", "hashlib", "heapq", "html", "json", "linecache", "lzma"),
        *("mimetypes", "os", "pathlib", "pickle", "platform", "posixpath", "pprint", "queue"),
        *("random", "re", "secrets", "shelve", "shlex", "shutil", "smtplib", "socket"),
        *("statistics", "string", "subprocess", "tarfile", "tempfile", "textwrap", "threading"),
        *("timeit", "uuid", "webbrowser", "zipfile"),
    )
)
# query → what answers it, written down before the first search; none where C does it (math.sqrt)
QUERIES: Mapping[str, tuple[str, ...]] = {
    "copy a folder with everything in it": ("shutil.copytree",),
    "average of numbers": ("statistics.mean", "statistics.fmean"),
    "shrink a file": (
        *("bz2.compress", "bz2.open", "bz2.BZ2File", "gzip.compress", "gzip.open", "gzip.GzipFile"),
        *("lzma.open", "lzma.LZMAFile", "zipfile.ZipFile", "zipfile.ZipFile.write"),
        "tarfile.TarFile.add",
    ),
    "delete a folder and all that is in it": ("shutil.rmtree",),
    "pick one of these at random": ("random.Random.choice",),
    "mix the cards": ("random.Random.shuffle",),
    "the value in the middle": ("statistics.median",),
    "the most frequent value": (
        *("statistics.mode", "statistics.multimode", "collections.Counter.most_common"),
    ),
    "spread of measurements": (
        *("statistics.stdev", "statistics.pstdev", "statistics.variance", "statistics.pvariance"),
    ),
    "what day of the week was it": (
        *("datetime.date.weekday", "datetime.date.isoweekday", "calendar.weekday"),
    ),
    "is this a leap year": ("calendar.isleap",),
    "turn text into a date": (
        *("datetime.datetime.strptime", "datetime.datetime.fromisoformat"),
        "datetime.date.fromisoformat",
    ),
    "how alike are two words": (
        *("difflib.SequenceMatcher", "difflib.SequenceMatcher.ratio", "difflib.get_close_matches"),
    ),
    "remember results instead of computing them again": ("functools.cache", "functools.lru_cache"),
    "ask for a password without showing it": ("getpass.unix_getpass", "getpass.win_getpass"),
    "open a web page": ("webbrowser.open", "webbrowser.open_new", "webbrowser.open_new_tab"),
    "send an email": ("smtplib.SMTP.sendmail", "smtplib.SMTP.send_message"),
    "how big is this file": ("os.path.getsize",),
    "unpack a zip file": (
        *("zipfile.ZipFile.extract", "zipfile.ZipFile.extractall", "shutil.unpack_archive"),
    ),
    "break long lines of text": (
        *("textwrap.wrap", "textwrap.fill", "textwrap.TextWrapper", "textwrap.TextWrapper.wrap"),
        "textwrap.TextWrapper.fill",
    ),
    "run another program": (
        *("subprocess.run", "subprocess.call", "subprocess.check_call", "subprocess.check_output"),
        "subprocess.Popen",
    ),
    "do two things at the same time": ("threading.Thread", "threading.Thread.start"),
    "which operating system is this": ("platform.system", "platform.platform", "platform.uname"),
    "keep a dictionary on disk": ("shelve.open", "shelve.Shelf", "shelve.DbfilenameShelf"),
    "ignore an error": ("contextlib.suppress",),
    "first come, first served": ("queue.Queue",),
    "which task must come before which": (
        *("graphlib.TopologicalSorter", "graphlib.TopologicalSorter.static_order"),
    ),
    "read JSON": (
        *("json.load", "json.loads", "json.decoder.JSONDecoder", "json.decoder.JSONDecoder.decode"),
    ),
    "the smallest numbers of a list": ("heapq.nsmallest",),
    "RFC 4122": ("uuid.UUID",),
    "square root of a number": (),
}
# Sixteen levels this far apart, in standard deviations, keep most of a normal number: J. Max
# (1960), Quantizing for minimum distortion, IRE Transactions on Information Theory 6(1).
STEP = 0.3352
DIGITS = 9  # similarities that agree in so many are ties, and the earlier docstring comes first


class Library(NamedTuple):
    """N docstrings: names as one would write them, first paragraphs, vectors (N, 384) of length 1.

    `source` names Python's version.
    """

    names: tuple[str, ...]
    texts: tuple[str, ...]
    vectors: np.ndarray
    source: str


# ---------------------------------------------------------------- what is recorded


def packed() -> np.ndarray:
    """The docstrings' vectors as `pack` made them, uint8 (N, 192)."""
    return recorded.load("library")["vectors"]


@functools.cache
def library() -> Library:
    """The recorded docstrings."""
    kept = recorded.load("library")
    names, texts = (tuple(str(kept[key]).split("\n")) for key in ("names", "texts"))
    return Library(names, texts, unpack(packed()), str(kept["source"]))


@functools.cache
def query_vectors() -> Mapping[str, np.ndarray]:
    """The vector (384,) of each of the `QUERIES`, in float16."""
    return dict(zip(QUERIES, recorded.load("library")["queries"], strict=True))


def pack(vectors: np.ndarray) -> np.ndarray:
    """Vectors (N, d) of length 1 as uint8 (N, d/2): four bits for each number, the first one high.

    The bits say on which of 16 steps of width `STEP`/√d around 0 the number lies.
    """
    level = np.floor(vectors * (np.sqrt(vectors.shape[1]) / STEP)).clip(-8, 7).astype(int) + 8
    return (16 * level[:, ::2] + level[:, 1::2]).astype(np.uint8)


def unpack(packed: np.ndarray) -> np.ndarray:
    """Vectors (N, d) of length 1, in float64: each number in the middle of its step."""
    steps = np.stack([packed >> 4, packed & 15], axis=2).reshape(len(packed), -1) - 7.5
    return steps / np.linalg.norm(steps, axis=1, keepdims=True)


# ---------------------------------------------------------------- search


@functools.cache
def _words() -> TfIdf:
    return TfIdf(library().texts)


def by_meaning(vector: np.ndarray) -> np.ndarray:
    """The cosine of a query's vector with that of each docstring, (N,)."""
    return library().vectors @ vector.astype(float)


def by_words(query: str) -> np.ndarray:
    """How much a query's words are those of each docstring, (N,): the cosine of TF-IDF."""
    return _words().similarities(query)


def best(similarities: np.ndarray) -> np.ndarray:
    """Indices of all docstrings that are similar at all, the most similar one first."""
    order = np.argsort(-similarities.round(DIGITS), kind="stable")
    return order[similarities[order] > 0]


def place(similarities: np.ndarray, answers: Sequence[str]) -> int | None:
    """At which place, from 1 on, the first of `answers` stands; None if it is not found at all."""
    ranked = [library().names[i] for i in best(similarities)]
    return min((ranked.index(name) + 1 for name in answers if name in ranked), default=None)


@functools.cache
def places() -> Mapping[str, tuple[int | None, int | None]]:
    """For each recorded query that has an answer, its place by meaning and by words."""
    return {
        query: (place(by_meaning(vector), QUERIES[query]), place(by_words(query), QUERIES[query]))
        for query, vector in query_vectors().items()
        if QUERIES[query]
    }


def tally(most: int = 5) -> dict[str, tuple[int, int]]:
    """Of how many recorded queries an answer comes first, and is among the first `most`.

    By meaning it is first for one query more than with the exact vectors, which nearly tie there.
    """
    return {
        way: (sum(at == 1 for at in found), sum(at is not None and at <= most for at in found))
        for way, found in zip(
            ("meaning", "words"), zip(*places().values(), strict=True), strict=True
        )
    }


def embedder() -> Callable[[str], np.ndarray] | None:
    """What makes the vector (384,) of a query; None where the encoder is not installed.

    The encoder is loaded with the first query.
    """
    try:
        encoder_folder()
    except DataUnavailable:
        return None
    return _embed if all(map(find_spec, ("safetensors", "tokenizers"))) else None


def _embed(query: str) -> np.ndarray:
    from utils.models.encoder import embed

    return embed(_encoder(), [query])[0]


@functools.cache
def _encoder() -> Encoder:
    from utils.models.encoder import load_encoder

    return load_encoder()


# ---------------------------------------------------------------- how it is made


def choose(docstrings: Docstrings) -> dict[str, str]:
    """Texts by name of what `MODULES` have; very short docstrings are left out.

    The two files that make up `os.path` on Linux and macOS go by that name.
    """
    chosen: dict[str, str] = {}
    for name, text, package in zip(
        docstrings.names, docstrings.texts, docstrings.packages, strict=True
    ):
        if package in MODULES and len(text) >= SHORTEST:
            chosen.setdefault(re.sub(r"^(genericpath|posixpath)\b", "os.path", name), text)
    return chosen


def record() -> dict[str, np.ndarray]:
    """Embed docstrings and queries.

    Raises:
        DataUnavailable: the encoder's package is missing.

    """
    from utils.models.encoder import embed

    docstrings = load_docstrings()
    chosen = choose(docstrings)
    return {
        "names": np.array("\n".join(chosen)),
        "texts": np.array("\n".join(chosen.values())),
        "vectors": pack(embed(_encoder(), list(chosen.values()))),
        "queries": embed(_encoder(), list(QUERIES)).astype(np.float16),
        "source": np.array(docstrings.source),
    }


if __name__ == "__main__":
    recorded.make("library", record, seeds=[0])
