"""Pictures packed for a widget's page."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


def png_address(image: np.ndarray) -> str:
    """The address of an image as a PNG, uint8 (H, W) or (H, W, 3), for ``src`` or ``href``."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG", optimize=True)
    return f"data:image/png;base64,{packed(file.getvalue())}"


def packed(data: bytes) -> str:
    """Bytes as base64, which `binary` in ``js/weights.js`` reads."""
    return base64.b64encode(data).decode("ascii")
