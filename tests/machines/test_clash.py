"""The clash itself, in fresh processes: where it is known it happens, and the course avoids it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from utils import runtime

pytestmark = pytest.mark.machines

TENSORFLOW = "import os; os.environ['TF_CPP_MIN_LOG_LEVEL'] = '3'; import tensorflow; "
OPTIMIZER = "import torch; torch.optim.Adam([torch.nn.Parameter(torch.zeros(2))]); print('alive')"
ORDERS = {
    "a learner's own TensorFlow": "runtime.setup(); import tensorflow; " + OPTIMIZER,
    "import_tensorflow alone": "runtime.import_tensorflow(); " + OPTIMIZER,
    "PyTorch before both": "import torch; runtime.import_tensorflow(); " + OPTIMIZER,
    "an optimizer before both": OPTIMIZER + "; runtime.import_tensorflow(); " + OPTIMIZER,
    "Keras": "runtime.setup(); import keras; " + OPTIMIZER,
}


def ends(code: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, encoding="utf-8", timeout=120, check=False)


def test_a_crash_is_foretold_where_it_happens():
    crashed = ends(TENSORFLOW + OPTIMIZER).returncode < 0
    assert crashed == runtime.triton_clashes()


@pytest.mark.parametrize("code", ORDERS.values(), ids=ORDERS)
def test_the_course_survives(code):
    done = ends("from utils import runtime; " + code)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("alive\n")


def test_it_survives_a_tensorflow_that_came_first():
    done = ends(TENSORFLOW + "from utils import runtime; runtime.setup(); " + OPTIMIZER)
    assert done.returncode == 0, done.stderr
    assert ("restart the kernel" in done.stderr) == runtime.triton_clashes()
