"""Sentences whose words are tagged as names of persons, places, … : CoNLL-2003, on request only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from utils.datasets._archive import read_zip
from utils.datasets._fetch import Source, full_or_nothing
from utils.datasets._types import Pairs, Tokens

CONLL = Source(
    name="CoNLL-2003",
    file_name="conll2003.zip",
    addresses=("https://data.deepai.org/conll2003.zip",),
    sha256="96a104d174ddae7558bab603f19382c5fe02ff1da5c077a7f3ce2ced1578a2c3",
    size=982_975,
    license="texts: Reuters Corpus, for research; cite E. Tjong Kim Sang, F. De Meulder (2003)",
    homepage="https://www.clips.uantwerpen.be/conll2003/ner/",
)
# first word of an entity and the others; O is a word outside all entities
TAGS = ("O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC", "B-MISC", "I-MISC")
PARTS = ("train", "valid", "test")
MAX_SIZE = 20_000_000  # bytes of a part; the longest has 3.3 million
INSTEAD = "the course tags sentences with a recorded adapter in their place"


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Entities(Pairs):
    """Sentences as words `x` and one tag for each word `y`, in three parts.

    Tags are those of `tags`: ``"O"``, or ``"B-"`` and ``"I-"`` before the kind of an entity, for
    its first word and for the others.
    """

    x_valid: Tokens
    y_valid: Tokens
    tags: Sequence[str]

    def _check(self) -> None:
        super()._check()
        self._freeze_texts("tags")
        self._freeze_tokens("x_valid")
        self._freeze_tokens("y_valid")
        known = set(self.tags)
        for part in PARTS:
            sentences, field = getattr(self, f"x_{part}"), f"y_{part}"
            self._match_lengths(field, f"x_{part}")
            for words, tags in zip(sentences, getattr(self, field), strict=True):
                if len(tags) != len(words) or not known.issuperset(tags):
                    found = f"{tags!r} for {words!r}"
                    raise self._wrong(field, "a tag among tags for each word", found)

    def _describe(self) -> str:
        train, valid, test = (f"{len(getattr(self, f'x_{part}')):,}" for part in PARTS)
        return f"{train} training, {valid} validation and {test} test sentences"


def load_entities(full: bool | None = None, *, source: Source = CONLL) -> Entities:
    """Return CoNLL-2003's 14,041 training, 3,250 validation and 3,453 test sentences in English.

    News of the Reuters Corpus, tagged with persons, organizations, locations and other names
    (MISC). About 1 MB, downloaded once.

    There are no embedded sentences: those made from templates teach the templates. A lesson catches
    `DataUnavailable`, prints its one line, and goes on with a recorded adapter.

    * True: the sentences.
    * False: `DataUnavailable`, as no package carries any.
    * None: `COURSE_DATA` decides.

    Source: E. F. Tjong Kim Sang, F. De Meulder (2003), Introduction to the CoNLL-2003 shared task,
    https://aclanthology.org/W03-0419.

    Raises:
        TypeError: `full` is not True, False or None.
        DataUnavailable: they are not wanted, or no address answers.
        ChecksumError: the download is not the official file.
        ValueError: the downloaded archive is not in the official layout.
        CacheError: the cache folder does not let us read or write the download.

    """
    return full_or_nothing(
        full, source, _read, loader="load_entities", what="tagged sentences", instead=INSTEAD
    )


def _read(path: Path, source: Source) -> Entities:
    names = {part: f"{part}.txt" for part in PARTS}
    contents = read_zip(path, names.values(), max_size=MAX_SIZE)
    fields = {}
    for part, name in names.items():
        try:
            sentences = _sentences(contents[name].decode("utf-8"))
        except UnicodeDecodeError as error:
            raise ValueError(f"{path.name}: {name} is not text in UTF-8 ({error})") from error
        if not sentences:
            raise ValueError(f"{path.name}: {name} has no sentences")
        fields[f"x_{part}"] = [tuple(word for word, _ in sentence) for sentence in sentences]
        fields[f"y_{part}"] = [tuple(tag for _, tag in sentence) for sentence in sentences]
    return Entities(
        **fields,
        tags=TAGS,
        source=f"{source.name}, {source.homepage}",
        license=source.license,
        is_full=True,
    )


def _sentences(text: str) -> list[list[tuple[str, str]]]:
    """Words and tags, a word a line, an empty line between sentences; four columns or two."""
    sentences: list[list[tuple[str, str]]] = [[]]
    for line in text.splitlines():
        columns = line.split()
        if not columns or columns[0] == "-DOCSTART-":
            sentences.append([])
        elif len(columns) == 1:
            raise ValueError(f"a line without a tag: {line!r}")
        else:
            sentences[-1].append((columns[0], columns[-1]))
    return [sentence for sentence in sentences if sentence]
