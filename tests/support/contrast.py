"""How well a color stands out from its ground."""

from __future__ import annotations

import numpy as np
from matplotlib.colors import to_rgb

DARK = "#111111"  # JupyterLab's dark ground


def linear(color: str) -> np.ndarray:
    """Linear RGB of an sRGB color (IEC 61966-2-1)."""
    c = np.array(to_rgb(color))
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def contrast(a: str, b: str) -> float:
    """Contrast ratio of WCAG 2.2."""
    light, dark = sorted((linear(c) @ [0.2126, 0.7152, 0.0722] for c in (a, b)), reverse=True)
    return (light + 0.05) / (dark + 0.05)
