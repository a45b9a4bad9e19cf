"""The terms of the course in English and Chinese, read from glossary.tsv; chapters show theirs."""

from __future__ import annotations

from dataclasses import dataclass

from utils.course import read_table


@dataclass(frozen=True)
class Term:
    """One term: the chapter that introduces it, its two names and one sentence."""

    chapter: int
    english: str
    chinese: str
    meaning: str


TERMS = read_table("glossary.tsv", Term)


def show_terms(chapter: int) -> None:
    """Display the terms that a chapter introduces as a table.

    Raises:
        ValueError: the chapter introduces none.

    """
    from IPython.display import display

    terms = [term for term in TERMS if term.chapter == chapter]
    if not terms:
        raise ValueError(f"chapter {chapter} introduces no terms")
    cells = ((t.english, t.chinese, t.meaning.replace("|", r"\|")) for t in terms)
    rows = [f"| {' | '.join(row)} |" for row in cells]
    plain = [f"{t.english} · {t.chinese}: {t.meaning}" for t in terms]
    table = "\n".join(["| English | 中文 | meaning |", "|---|---|---|", *rows])
    display({"text/markdown": table, "text/plain": "\n".join(plain)}, raw=True)
