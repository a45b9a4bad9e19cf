"""A small corpus in the place of the standard library, for tests of language models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from utils.recorded import gpt_study

if TYPE_CHECKING:
    import pytest


def shrink(monkeypatch: pytest.MonkeyPatch, **constants: Any) -> gpt_study.Corpus:
    """Let `gpt_study` use, for one test, a small text cut into few byte pairs; return it.

    `constants` are others of the module's and their values.
    """
    small = {"SAMPLE": 100_000, "MERGES": 64, "HELD_OUT": 3_000}
    for name, value in (small | constants).items():
        monkeypatch.setattr(gpt_study, name, value)
    gpt_study.corpus.cache_clear()
    coder, tokens, held_out = gpt_study.corpus()
    made = gpt_study.Corpus(coder, tokens[:20_000], held_out)
    monkeypatch.setattr(gpt_study, "corpus", lambda: made)
    return made
