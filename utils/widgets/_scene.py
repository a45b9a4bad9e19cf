"""The recorded scene with its boxes, packed for a widget's page."""

from __future__ import annotations

import base64
import io
from typing import Any

from utils.recorded import detector


def packed_scene() -> dict[str, Any]:
    """`detector.board()` as nested lists, and ``picture``, the address of its image as a PNG."""
    from PIL import Image

    board = detector.board()
    file = io.BytesIO()
    Image.fromarray(board.pop("image")).save(file, "PNG")
    text = base64.b64encode(file.getvalue()).decode("ascii")
    lists = {name: array.tolist() for name, array in board.items()}
    return lists | {"picture": f"data:image/png;base64,{text}"}
