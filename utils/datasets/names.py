"""Surnames by language, from the lists that Faker makes up its people with."""

from __future__ import annotations

import functools
import importlib
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

import numpy as np

from utils.datasets._fetch import DataUnavailable
from utils.datasets._types import Texts

# language → Faker's locales and the attribute that holds the surnames in each
LANGUAGES: dict[str, dict[str, str]] = {
    "Croatian": {"hr_HR": "last_names"},
    "Czech": {"cs_CZ": "last_names"},
    "Dutch": {"nl_NL": "last_names"},
    "English": {"en_GB": "last_names", "en_US": "last_names"},
    "Estonian": {"et_EE": "last_names_est"},  # its last_names has Russian ones too
    "Finnish": {"fi_FI": "last_names"},
    "French": {"fr_FR": "last_names"},
    "German": {"de_AT": "last_names", "de_DE": "last_names"},
    "Italian": {"it_IT": "last_names"},
    "Polish": {"pl_PL": "unisex_last_names"},  # its last_names is made elsewhere, one at a time
    "Slovak": {"sk_SK": "last_names"},
    "Spanish": {"es_ES": "last_names"},
    "Swedish": {"sv_SE": "last_names"},
}
FIVE = ("English", "French", "German", "Italian", "Spanish")
# Letters that Unicode does not take apart into a Latin letter and a mark.
LETTERS = str.maketrans(
    {"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i"}
)
FEWEST = 100  # names that a language must keep
TRAIN_SHARE = 0.85  # of the names of a language
SPLIT_SEED = 0


def load_names(languages: Sequence[str] = FIVE) -> Texts:
    """Return surnames as texts of the letters a to z, labeled with their language.

    Each is in lower case without accents (Müller → muller); names of two words or with an
    apostrophe or hyphen are left out, and so are those found in several of the `languages`, of
    which nobody could tell the language. 85 % of each language are for training, with a fixed seed,
    and both parts are shuffled. The lists mirror who lives in a country, not where a name was born.

    `languages` are two or more of `LANGUAGES`, by default the five of `FIVE`. Greek and others
    that Faker writes in their own alphabets are not among them: the letters would give them away.

    Source: Faker's providers of persons, https://github.com/joke2k/faker, MIT license.

    Raises:
        TypeError, ValueError: `languages` are not two or more different ones of `LANGUAGES`.
        DataUnavailable: Faker, or a list in it, is missing or too short.

    """
    if isinstance(languages, str) or not isinstance(languages, Sequence):
        raise TypeError(f"languages must be a list such as {list(FIVE[:2])}, got {languages!r}")
    unknown = [language for language in languages if language not in LANGUAGES]
    if unknown or len(set(languages)) < len(languages) or len(languages) < 2:
        raise ValueError(
            f"languages must be two or more different ones of {', '.join(LANGUAGES)}, "
            f"got {list(languages)}"
        )
    return _load(tuple(languages))


@functools.cache  # read-only, so one copy serves all
def _load(languages: tuple[str, ...]) -> Texts:
    lists = {language: _surnames(language) for language in languages}
    times = Counter(name for names in lists.values() for name in names)
    # RandomState's stream is frozen: the same split under every version of NumPy.
    rng = np.random.RandomState(SPLIT_SEED)
    parts: dict[str, list[tuple[str, int]]] = {"train": [], "test": []}
    for label, (language, names) in enumerate(lists.items()):
        own = [name for name in sorted(names) if times[name] == 1]
        if len(own) < FEWEST:
            raise _missing(f"{language} has {len(own)} names of its own, expected {FEWEST} or more")
        order = rng.permutation(len(own))
        seen = int(TRAIN_SHARE * len(own))
        for part, rows in (("train", order[:seen]), ("test", order[seen:])):
            parts[part] += [(own[row], label) for row in rows]
    fields = {}
    for part, labeled in parts.items():
        order = rng.permutation(len(labeled))
        fields[f"x_{part}"] = tuple(labeled[row][0] for row in order)
        fields[f"y_{part}"] = np.array([labeled[row][1] for row in order], np.int64)
    return Texts(
        **fields,
        class_names=languages,
        source="surnames in Faker's providers, https://github.com/joke2k/faker",
        license="MIT",
        is_full=True,
    )


def _surnames(language: str) -> set[str]:
    """Surnames of one word, in lower case, without accents."""
    names: set[str] = set()
    for locale, attribute in LANGUAGES[language].items():
        # Importing the one provider spares us the sixty others that Faker() looks through.
        try:
            provider = importlib.import_module(f"faker.providers.person.{locale}").Provider
            listed = getattr(provider, attribute)
        except (ModuleNotFoundError, AttributeError) as error:
            raise _missing(f"the list {attribute} of {locale} cannot be found") from error
        names |= {_fold(name) for name in listed}
    return {name for name in names if re.fullmatch("[a-z]{2,}", name)}


def _fold(name: str) -> str:
    """In lower case, each letter without its marks: ``"Łuczyński"`` → ``"luczynski"``."""
    letters = unicodedata.normalize("NFKD", name.lower().translate(LETTERS))
    return "".join(letter for letter in letters if not unicodedata.combining(letter))


def _missing(what: str) -> DataUnavailable:
    return DataUnavailable(
        f"the surnames are missing: {what}; reinstall Faker with "
        'pip install --force-reinstall --no-deps "faker>=30,<41"'
    )
