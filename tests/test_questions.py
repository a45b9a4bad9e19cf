"""Ten questions a chapter: a table whose answers point to cells that are there."""

import collections
import json
import re

import pytest

from utils import questions
from utils.course import CHAPTERS, FOLDER, section_of
from utils.questions import QUESTIONS, Question, show_questions

FILES = {chapter.number: FOLDER / chapter.file for chapter in CHAPTERS}


def cells(chapter):
    return json.loads(FILES[chapter].read_text(encoding="utf-8"))["cells"]


def test_a_chapter_has_ten_questions_or_none_yet():
    counts = collections.Counter(each.chapter for each in QUESTIONS)
    assert set(counts.values()) <= {10}
    assert [each.chapter for each in QUESTIONS] == sorted(each.chapter for each in QUESTIONS)
    assert len({each.question for each in QUESTIONS}) == len(QUESTIONS)


@pytest.mark.parametrize("each", QUESTIONS, ids=lambda each: each.question[:40])
def test_each_question_has_an_answer_and_a_cell_of_the_lesson(each):
    assert re.search(r"[?.:]$", each.question)
    assert re.match(r"[A-Z0-9$−*`“‘].{10,}[.!]$", each.answer)
    lesson = [cell["id"] for cell in cells(each.chapter)]
    assert lesson.index(each.cell) < lesson.index("exercises")
    assert section_of(each.chapter, each.cell)


@pytest.fixture
def shown(monkeypatch):
    import IPython.display

    kept = []
    monkeypatch.setattr(IPython.display, "display", lambda data, raw: kept.append(data))
    return kept


def test_answers_are_folded_and_point_to_their_section(shown, monkeypatch):
    one = Question(1, "What is a neuron?", "A sum, bent.", "mathematics")
    monkeypatch.setattr(questions, "QUESTIONS", (one,))
    show_questions(chapter=1)
    assert shown == [
        {
            "text/markdown": "<details><summary>1. What is a neuron?</summary>\n\n"
            "A sum, bent. (→ [Mathematics](#Mathematics))\n\n</details>",
            "text/plain": "1. What is a neuron?\n   A sum, bent. (→ Mathematics)",
        }
    ]
    with pytest.raises(ValueError, match="chapter 2 has no questions"):
        show_questions(chapter=2)


def test_a_section_is_the_heading_above_a_cell():
    assert section_of(1, "exercises") == "Exercises"
    assert section_of(1, "idea-digits") == "Idea"
    with pytest.raises(LookupError, match=r"01_neuron\.ipynb has no cell 'nowhere'"):
        section_of(1, "nowhere")
    with pytest.raises(LookupError, match=r"no heading stands above the cell 'setup'"):
        section_of(1, "setup")
