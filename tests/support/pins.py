"""The versions that ``constraints.txt`` fixes."""

from __future__ import annotations

import re

from packaging.utils import canonicalize_name

from tests.notebooks.execute import ROOT

PIN = re.compile(r"([A-Za-z0-9._-]+)==([^\s;+]+)")


def pins(text: str) -> dict[str, str]:
    """Return name → version of a constraints file.

    Raises:
        ValueError: a line is no exact pin, or has a local suffix such as ``+cpu``.

    """
    found = {}
    for line in text.splitlines():
        line = line.partition("#")[0].strip()
        if line:
            match = PIN.fullmatch(line)
            if not match:
                raise ValueError(f"constraints.txt: {line!r} is not of the form name==version")
            found[canonicalize_name(match[1])] = match[2]
    return found


def pinned() -> dict[str, str]:
    """Return the pins of the course."""
    return pins((ROOT / "constraints.txt").read_text(encoding="utf-8"))
