"""The recorded scene with its boxes, packed for a widget's page."""

from __future__ import annotations

from typing import Any

from utils.recorded import detector
from utils.widgets._pictures import png_address


def packed_scene() -> dict[str, Any]:
    """`detector.board()` as nested lists, and ``picture``, the address of its image as a PNG."""
    board = detector.board()
    picture = png_address(board.pop("image"))
    return {name: array.tolist() for name, array in board.items()} | {"picture": picture}
