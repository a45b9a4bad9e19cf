"""When the outputs of a fresh run say the same as the stored ones; shared by tests and refresh."""

from __future__ import annotations

import math
import re
from itertools import zip_longest
from pathlib import Path

from nbval.plugin import get_sanitize_patterns

from tests.notebooks.normal_form import normal_outputs

SANITIZE = Path(__file__).with_name("sanitize.cfg")
RTOL = 1e-5

# a decimal point or an exponent makes a number a float; integers are text and compared exactly
FLOAT = re.compile(r"[-+]?(?:\d+\.\d*|\.\d+|\d+(?=[eE][-+]?\d))(?:[eE][-+]?\d+)?")
WHOLE = re.compile(r"[-+]?\d+\.")


def masks(file: Path = SANITIZE) -> dict[str, str]:
    """Read the pairs (pattern, replacement) of a sanitizer file in nbval's format."""
    return dict(get_sanitize_patterns(file.read_text(encoding="utf-8")))


def differences(stored: list, fresh: list, masks: dict[str, str]) -> list[str]:
    """Say in words where a cell's fresh outputs differ from the stored ones; empty if nowhere.

    Outputs are compared one by one, in order, by kind and by every MIME type they carry. Of
    pictures only the presence counts (their alt text is the ``text/plain`` beside them), a
    widget's model id never; text must be the same after masking, floats within `RTOL`.
    """
    found = []
    pairs = zip_longest(normal_outputs(stored), normal_outputs(fresh))
    for number, (old, new) in enumerate(pairs, start=1):
        if new is None:
            found.append(f"output {number} is missing; stored is {_summary(old)}")
        elif old is None:
            found.append(f"output {number} is not in the stored notebook: {_summary(new)}")
        else:
            found += [f"output {number}: {what}" for what in _unlike(old, new, masks)]
    return found


def same_text(stored: str, fresh: str) -> bool:
    """Whether two texts are equal but for rounding: floats within a relative 1e-5.

    Widths may differ where arrays pad their numbers; ``3.`` and ``4.`` are whole and exact.
    """
    if stored == fresh:
        return True
    if _frame(stored) != _frame(fresh):
        return False
    pairs = zip(FLOAT.findall(stored), FLOAT.findall(fresh), strict=True)
    return all(_same_number(a, b) for a, b in pairs)


def _same_number(a: str, b: str) -> bool:
    if WHOLE.fullmatch(a) and WHOLE.fullmatch(b):
        return int(a[:-1]) == int(b[:-1])
    return math.isclose(float(a), float(b), rel_tol=RTOL)


def _frame(text: str) -> str:
    return re.sub(" +", " ", FLOAT.sub(" # ", text))


def _unlike(old: dict, new: dict, masks: dict[str, str]) -> list[str]:
    if old["output_type"] != new["output_type"]:
        return [f"a {new['output_type']} where a {old['output_type']} is stored"]
    before, after = _contents(old), _contents(new)
    found = [f"{kind} is missing" for kind in before if kind not in after]
    found += [f"{kind} is not in the stored notebook" for kind in after if kind not in before]
    for kind in before.keys() & after.keys():
        if kind.startswith("image/"):
            continue
        was, now = (_masked(side[kind], masks) for side in (before, after))
        if not same_text(was, now):
            found.append(f"{kind} differs\n  stored: {was!r}\n  fresh:  {now!r}")
    return found


def _contents(output: dict) -> dict[str, object]:
    kind = output["output_type"]
    if kind == "stream":
        return {output["name"]: output["text"]}
    if kind == "error":
        return {"error": f"{output['ename']}: {output['evalue']}"}
    return dict(output["data"])


def _masked(value: object, masks: dict[str, str]) -> str:
    text = value if isinstance(value, str) else repr(value)
    for pattern, replacement in masks.items():
        text = re.sub(pattern, replacement, text)
    return text


def _summary(output: dict) -> str:
    kinds = ", ".join(_contents(output))
    return f"{output['output_type']} ({kinds})"
