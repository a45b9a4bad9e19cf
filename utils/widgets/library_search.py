"""Library search: a query answered by meaning and by words, side by side.

Docstrings, their vectors and those of the recorded queries are a record; the vector of the reader's
own query comes from the kernel, where the encoder is installed.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np
import traitlets

from utils import plotting
from utils.recorded import library
from utils.recorded.library import DIGITS, QUERIES
from utils.widgets._hero import Hero, script

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.figure import Figure

SHOWN = 5
MOST = 80  # characters of a query


class Hit(NamedTuple):
    """A docstring that was found: its name, its first paragraph, the cosine with the query."""

    name: str
    text: str
    similarity: float


class LibrarySearch(Hero):
    """Search Python's standard library: the five best docstrings by meaning, and by TF-IDF.

    ```python
    search = LibrarySearch(query="copy a folder with everything in it")
    search.meaning[0].name, search.words[0].name, search.places
    ```

    Args:
        embed: makes the vector (384,) of a query that is not recorded. None takes the pretrained
            encoder, where it is installed; without it such a query is searched by words alone.
        **state: `query`, `caption`, `alt`.

    Attributes:
        query: what is searched, 1 to 80 characters; one of `QUERIES`, or the reader's own.
        can_embed: whether this kernel makes vectors of the reader's own queries.
        answer: the last query that it made a vector of, and that vector.

    Raises:
        traitlets.TraitError: an empty query, or a longer one.

    """

    STATE = ("query",)
    CONSTANTS: ClassVar = {"SHOWN": SHOWN, "MOST": MOST, "DIGITS": DIGITS}
    _esm = script("library_search")

    query = traitlets.Unicode(next(iter(QUERIES))).tag(sync=True)
    can_embed = traitlets.Bool(read_only=True).tag(sync=True)
    answer = traitlets.Dict({"query": "", "vector": ""}, read_only=True).tag(sync=True)
    names = traitlets.Tuple(read_only=True).tag(sync=True)
    texts = traitlets.Tuple(read_only=True).tag(sync=True)
    vectors = traitlets.Unicode(read_only=True).tag(sync=True)
    recorded = traitlets.Dict(read_only=True).tag(sync=True)
    tally = traitlets.Dict(read_only=True).tag(sync=True)

    def __init__(self, embed: Callable[[str], np.ndarray] | None = None, **state: Any) -> None:
        self._embed = embed or library.embedder()
        self.set_trait("can_embed", self._embed is not None)
        super().__init__(**state)

    @traitlets.default("names")
    def _names(self) -> tuple[str, ...]:
        return library.library().names

    @traitlets.default("texts")
    def _texts(self) -> tuple[str, ...]:
        return library.library().texts

    @traitlets.default("vectors")
    def _vectors(self) -> str:
        return _as_text(library.packed())

    @traitlets.default("recorded")
    def _recorded(self) -> dict[str, dict[str, Any]]:
        """Vector and names of the answers of each recorded query."""
        return {
            query: {"vector": _as_text(vector.astype("<f2")), "answers": QUERIES[query]}
            for query, vector in library.query_vectors().items()
        }

    @traitlets.default("tally")
    def _tally(self) -> dict[str, tuple[int, int]]:
        return library.tally(SHOWN)

    @traitlets.validate("query")
    def _short(self, proposal: Any) -> str:
        if not 1 <= len(proposal["value"]) <= MOST:
            raise traitlets.TraitError(
                f"query must have 1 to {MOST} characters, for instance query = "
                f"{type(self).query.default_value!r}; got {proposal['value']!r:.100}"
            )
        return proposal["value"]

    @traitlets.observe("query")
    def _answer(self, _: Any) -> None:
        """Send the page the vector of the reader's own query."""
        if self._embed is not None and self.query not in QUERIES:
            vector = np.asarray(self._embed(self.query), "<f4")
            self.set_trait("answer", {"query": self.query, "vector": _as_text(vector)})

    @property
    def vector(self) -> np.ndarray | None:
        """The query's vector (384,), of length 1; None where nothing makes one."""
        if self.query in QUERIES:
            return library.query_vectors()[self.query]
        if self.answer["query"] == self.query:
            return np.frombuffer(base64.b64decode(self.answer["vector"]), "<f4")
        return None

    @property
    def meaning(self) -> list[Hit] | None:
        """The best by meaning, at most five; None without a vector of the query."""
        return None if self.vector is None else _hits(library.by_meaning(self.vector))

    @property
    def words(self) -> list[Hit]:
        """The best by TF-IDF, at most five; docstrings without any of the words are left out."""
        return _hits(library.by_words(self.query))

    @property
    def places(self) -> tuple[int | None, int | None]:
        """Of the first answer, by meaning and by words, from 1 on; None where there is none."""
        return library.places().get(self.query, (None, None))

    def describe(self) -> str:
        """Return the present state in words."""
        answers = QUERIES.get(self.query, ())
        told = []
        for way, hits, at in zip(
            ("by meaning", "by words"), (self.meaning, self.words), self.places, strict=True
        ):
            if hits is None:
                told.append(f"{way}: no vector of this query")
                continue
            found = ", ".join(f"{hit.name} {hit.similarity:.2f}" for hit in hits) or "nothing"
            right = f"; the answer is {f'at place {at}' if at else 'not found'}"
            told.append(f"{way}: {found}{right * bool(answers)}")
        return f"A search for “{self.query}”, {'. '.join(told)}."

    def draw(self) -> Figure:
        """Return the hits of both searches as bars."""
        fig, axes = plotting.figure(1, 2, width=8.5, height=3.2)
        answers = QUERIES.get(self.query, ())
        for ax, way, hits, color in zip(
            axes,
            ("by meaning", "by words (TF-IDF)"),
            (self.meaning or [], self.words),
            (plotting.BLUE, plotting.ORANGE),
            strict=True,
        ):
            for row, hit in enumerate(hits):
                ax.barh(row, hit.similarity, height=0.3, color=color)
                mark = " ✓" * (hit.name in answers)
                ax.text(0, row - 0.28, f"{hit.name}{mark}", va="bottom", fontsize=10)
                ax.text(hit.similarity + 0.02, row, f"{hit.similarity:.2f}", va="center")
            ax.set(xlim=(0, 1), ylim=(SHOWN - 0.5, -0.8), yticks=[], xlabel="similarity", title=way)
        fig.suptitle(f"“{self.query}”")
        return fig


def _hits(similarities: np.ndarray) -> list[Hit]:
    known = library.library()
    return [
        Hit(known.names[i], known.texts[i], float(similarities[i]))
        for i in library.best(similarities)[:SHOWN]
    ]


def _as_text(array: np.ndarray) -> str:
    return base64.b64encode(array.tobytes()).decode("ascii")
