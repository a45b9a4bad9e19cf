"""The engine's transformer block against finite differences, PyTorch and, apart, Keras."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tests.notebooks.execute import ROOT
from utils.engine import Tensor
from utils.layers import TransformerEncoderLayer, causal_mask
from utils.models.keras_transformer import keras_answer
from utils.models.transformer import Block
from utils.weights import copy_weights

TOLERANCE = {np.float64: 1e-11, np.float32: 2e-5}


def upstream(shape):
    """A gradient without symmetries."""
    return np.cos(np.arange(1, 1 + np.prod(shape, dtype=int))).reshape(shape)


def randomized(norm_first, dtype=np.float64, eps=1e-5):
    """A block of 6 numbers a token and 2 heads, whose biases and norms have something to say."""
    rng = np.random.default_rng(0)
    block = TransformerEncoderLayer(6, 2, 10, eps, norm_first, rng=rng, dtype=dtype)
    for name, p in block.named_parameters():
        p.data = (rng.normal(size=p.shape) / 2 + ("norm" in name)).astype(dtype)
    return block


@pytest.fixture
def x():
    return np.random.default_rng(1).normal(size=(2, 5, 6))


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("mask", [None, causal_mask(5)], ids=["whole", "causal"])
@pytest.mark.parametrize("norm_first", [True, False])
def test_values_and_gradients_are_those_of_torch(x, norm_first, mask, dtype):
    ours, x = randomized(norm_first, dtype), x.astype(dtype)
    precision = torch.tensor(x).dtype
    theirs = nn.TransformerEncoderLayer(
        *(6, 2, 10, 0.0), F.gelu, batch_first=True, norm_first=norm_first, dtype=precision
    )
    copy_weights(ours, theirs)
    a, b = Tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    y = ours(a, mask)
    expected = theirs(b, src_mask=None if mask is None else torch.tensor(~mask))
    g = upstream(y.shape).astype(dtype)
    y.backward(g)
    expected.backward(torch.tensor(g))
    close = {"rtol": TOLERANCE[dtype], "atol": TOLERANCE[dtype]}
    np.testing.assert_allclose(y.data, expected.detach().numpy(), **close)
    np.testing.assert_allclose(a.grad, b.grad.numpy(), **close)
    assert y.data.dtype == a.grad.dtype == dtype
    for (name, p), (same, q) in zip(
        ours.named_parameters(), theirs.named_parameters(), strict=True
    ):
        assert name == same
        np.testing.assert_allclose(p.grad, q.grad.numpy(), **close, err_msg=name)


@pytest.mark.parametrize("norm_first", [True, False])
def test_gradients_are_finite_differences(x, norm_first):
    block, mask = randomized(norm_first), causal_mask(5)
    g, h = upstream(x.shape), 1e-6
    inputs = Tensor(x, requires_grad=True)
    block(inputs, mask).backward(g)
    rng = np.random.default_rng(2)
    for tensor in (inputs, *block.parameters()):
        before = tensor.data
        for _ in range(3):
            direction = rng.normal(size=tensor.shape)
            sides = []
            for sign in (1, -1):
                tensor.data = before + sign * h * direction
                sides.append((block(inputs, mask).data * g).sum())
            tensor.data = before
            along = (tensor.grad * direction).sum()
            assert along == pytest.approx((sides[0] - sides[1]) / (2 * h), rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_the_block_in_torch_takes_the_same_weights(x, norm):
    ours = randomized(norm == "pre")
    theirs = Block(6, 2, norm, hidden=10).double()
    theirs.load_state_dict({name: torch.tensor(p) for name, p in ours.state_dict().items()})
    mask = causal_mask(5)
    expected = theirs(torch.tensor(x), torch.tensor(mask)).detach().numpy()
    np.testing.assert_allclose(ours(x, mask).data, expected, atol=1e-12)


def test_without_positions_a_shuffled_sentence_is_the_shuffled_answer(x):
    block, order = randomized(True), [3, 0, 4, 1, 2]
    np.testing.assert_allclose(block(x[:, order]).data, block(x).data[:, order], atol=1e-13)


TWINS = """
import json, sys
import numpy as np
from utils.layers import TransformerEncoderLayer, causal_mask
from utils.models.keras_transformer import keras_block
from utils.runtime import import_tensorflow
from utils.weights import copy_weights
tf = import_tensorflow()
for dtype in ("float32", "float64"):
    for norm in ("pre", "post"):
        tf.keras.config.set_floatx(dtype)
        tf.keras.config.set_dtype_policy(dtype)
        rng = np.random.default_rng(0)
        ours = TransformerEncoderLayer(8, 2, 10, 1e-3, norm == "pre", rng=rng, dtype=dtype)
        for name, p in ours.named_parameters():
            p.data = (rng.normal(size=p.shape) / 2 + ("norm" in name)).astype(dtype)
        x, mask = rng.normal(size=(2, 5, 8)).astype(dtype), causal_mask(5)
        expected = ours(x).data, ours(x, mask).data
        far = []
        for eps in (1e-3, 1e-5):
            twin = keras_block(8, 2, norm, hidden=10, eps=eps)
            copy_weights(ours, twin)
            answers = twin(x).numpy(), twin(x, attention_mask=mask[None]).numpy()
            far += [float(np.abs(a - b).max()) for a, b in zip(answers, expected)]
        again = TransformerEncoderLayer(8, 2, 10, rng=rng, dtype=dtype)
        copy_weights(twin, again)
        kept = all((again.state_dict()[name] == p).all() for name, p in ours.state_dict().items())
        print(json.dumps([dtype, *far, kept, "torch" in sys.modules]))
"""


@pytest.mark.slow
def test_the_keras_twin_is_equal_in_a_process_without_torch():
    """With the same ε; TensorFlow's erf is exact to 1e-8 alone, in float64, too."""
    command = [sys.executable, "-c", TWINS]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(lines) == 4
    for dtype, whole, causal, other, other_causal, kept, has_torch in lines:
        assert max(whole, causal) < {"float32": 1e-5, "float64": 1e-7}[dtype]
        assert min(other, other_causal) > 1e-4  # another ε is another function
        assert (kept, has_torch) == (True, False)


@pytest.mark.slow
@pytest.mark.parametrize("norm_first", [True, False])
def test_keras_answers_from_a_process_of_its_own(x, norm_first):
    block = randomized(norm_first)
    answer = keras_answer(block, 2, x)
    assert answer.dtype == np.float64
    np.testing.assert_allclose(answer, block(x).data, atol=1e-7)
