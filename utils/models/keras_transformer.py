"""The transformer's block in Keras; a file of its own, because PyTorch need not be in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from utils.datasets import encoder_folder
from utils.runtime import in_own_process

if TYPE_CHECKING:
    import numpy as np

    from utils.layers import TransformerEncoderLayer


def keras_block(
    d: int, heads: int, norm: str = "pre", hidden: int | None = None, eps: float = 1e-5
) -> Any:
    """Return a Keras model that computes the same as `transformer.Block`: (N, T, d) → (N, T, d).

    Its layers stand in the order of PyTorch's and the engine's, so that `copy_weights` fits. The ε
    of Keras itself is 1e-3. Call it as ``block(x, attention_mask=mask)``, True where a token may
    look.
    """
    from utils.runtime import import_tensorflow

    keras = import_tensorflow().keras
    layers = keras.layers

    class Block(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.self_attn = layers.MultiHeadAttention(heads, d // heads)
            self.linear1 = layers.Dense(hidden or 4 * d, activation="gelu")  # the exact one
            self.linear2 = layers.Dense(d)
            self.norm1, self.norm2 = (layers.LayerNormalization(epsilon=eps) for _ in range(2))

        def attend(self, x: Any, mask: Any) -> Any:
            return self.self_attn(x, x, attention_mask=mask)

        def call(self, x: Any, attention_mask: Any = None) -> Any:
            if norm == "pre":
                x = x + self.attend(self.norm1(x), attention_mask)
                return x + self.linear2(self.linear1(self.norm2(x)))
            x = self.norm1(x + self.attend(x, attention_mask))
            return self.norm2(x + self.linear2(self.linear1(x)))

    block = Block()
    block(keras.ops.zeros((1, 2, d)))  # now it has weights; Keras warns of a single key
    return block


def keras_answer(layer: TransformerEncoderLayer, heads: int, x: np.ndarray) -> np.ndarray:
    """What the `keras_block` with the engine's weights makes of x (N, T, d), in x's precision.

    It is asked in a process of its own.
    """
    return in_own_process(_answer, layer, heads, x)


def _answer(layer: TransformerEncoderLayer, heads: int, x: np.ndarray) -> np.ndarray:
    from utils.runtime import import_tensorflow
    from utils.weights import copy_weights

    keras = import_tensorflow().keras
    keras.config.set_floatx(x.dtype.name)
    keras.config.set_dtype_policy(x.dtype.name)
    hidden, d = layer.linear1.weight.shape
    block = keras_block(d, heads, "pre" if layer.norm_first else "post", hidden)
    copy_weights(layer, block)
    return block(x).numpy()


def load_keras_encoder() -> Any:
    """Return all-MiniLM-L6-v2 as keras-hub reads it, with GELU's approximation by tanh.

    Its states are those of `encoder.load_encoder(approximate="tanh")`. It is called on a dictionary
    that has ``token_ids``, ``padding_mask`` and ``segment_ids`` (N, T); the states of the
    last block are its ``"sequence_output"``.

    Raises:
        DataUnavailable: the encoder's package is missing.
        ImportError: keras-hub is missing.

    """
    import keras_hub

    return keras_hub.models.BertBackbone.from_preset(str(encoder_folder()))
