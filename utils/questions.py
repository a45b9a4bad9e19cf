"""Ten questions a chapter with their answers, read from questions.tsv; chapters show theirs."""

from __future__ import annotations

from dataclasses import dataclass

from utils.course import read_table, section_of


@dataclass(frozen=True)
class Question:
    """One question: its chapter, the answer, and the id of the cell that gives it."""

    chapter: int
    question: str
    answer: str
    cell: str


QUESTIONS = read_table("questions.tsv", Question)


def show_questions(chapter: int) -> None:
    """Display the questions of a chapter, each with its answer folded beneath it.

    An answer ends with the section that gives it at length.

    Raises:
        ValueError: the chapter has no questions.

    """
    from IPython.display import display

    questions = [each for each in QUESTIONS if each.chapter == chapter]
    if not questions:
        raise ValueError(f"chapter {chapter} has no questions")
    marked, plain = [], []
    for number, each in enumerate(questions, start=1):
        section = section_of(chapter, each.cell)
        link = f"[{section}](#{section.replace(' ', '-')})"
        marked.append(
            f"<details><summary>{number}. {each.question}</summary>\n\n"
            f"{each.answer} (→ {link})\n\n</details>"
        )
        plain.append(f"{number}. {each.question}\n   {each.answer} (→ {section})")
    display({"text/markdown": "\n\n".join(marked), "text/plain": "\n".join(plain)}, raw=True)
