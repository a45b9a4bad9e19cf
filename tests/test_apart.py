"""Whatever an answer does, the notebook lives on and says a sentence: in a real kernel."""

from __future__ import annotations

import os
import sys
import time

import nbformat
import numpy as np
import psutil
import pytest

from tests.notebooks.execute import FrontEnd
from utils.exercises import _apart, check
from utils.exercises._exercise import Verdict, find

RIGHT = "return y * (1 - y)"
ANSWERS = {
    # what the body of the answer to 01.4 does: what is said
    "exit()": "✘ 01.4 SystemExit: exit() would end the notebook",
    "quit()": "✘ 01.4 SystemExit: exit() would end the notebook",
    "import sys; sys.exit()": "✘ 01.4 SystemExit: exit() would end the notebook",
    "raise KeyboardInterrupt": "✘ 01.4 KeyboardInterrupt",
    "return slope(y)": "✘ 01.4 RecursionError: the function calls itself without an end",
    "import sys; sys.setrecursionlimit(10**9); return slope(y)": "✘ 01.4 RecursionError: ",
    "return input()": "✘ 01.4 EOFError: input() waits for a keyboard",
    "while True: pass": "✘ 01.4 no result after 1 s: an endless loop? (line 2: while True: pass)",
    f"[print(i) for i in range(10**6)]; {RIGHT}": "✘ 01.4 RuntimeError: more than 10,000 lines",
    f"[print(i) for i in range(90)]; {RIGHT}": "✔ 01.4 sigmoid_slope",
}
LINUX_ANSWERS = {
    "sum(range(6 * 10**9))": "✘ 01.4 no result after 1 s, in one call that does not come back",
    "import re; re.match('(a+)+b', 'a' * 40)": "✘ 01.4 no result after 1 s, in one call",
    "import os; os._exit(1)": "✘ 01.4 this code ends Python itself, by an exit",
    "import os; os.kill(os.getpid(), 11)": "✘ 01.4 this code ends Python itself, by SIGSEGV",
    "import ctypes; ctypes.string_at(0)": "✘ 01.4 this code ends Python itself, by SIGSEGV",
}
PATCHED = "import numpy as np\nkept = np.allclose\nnp.allclose = lambda *a, **k: True"


@pytest.fixture(scope="module")
def kernel(tmp_path_factory):
    """Return a function that runs code in one kernel and gives what it printed."""
    folder = tmp_path_factory.mktemp("kernel")
    front_end = FrontEnd(nbformat.v4.new_notebook(), timeout=60)

    def run(code):
        front_end.nb.cells.append(nbformat.v4.new_code_cell(code))
        front_end._cell_count = len(front_end.nb.cells)
        cell = front_end.run(len(front_end.nb.cells) - 1)
        assert front_end.errors == []
        return "".join(out.get("text", "") for out in cell.outputs)

    with front_end.kernel(folder):
        run("from utils.exercises import check, solution\nfrom utils.runtime import setup\nsetup()")
        yield run


@pytest.mark.slow
@pytest.mark.parametrize(
    ("body", "said"), (ANSWERS | (LINUX_ANSWERS if sys.platform == "linux" else {})).items()
)
def test_the_kernel_lives_on_and_says_a_sentence(kernel, body, said):
    lines = kernel(f"def slope(y):\n    {body}\ncheck('01.4', slope, limit=1)").splitlines()
    assert lines[-1].startswith(said)
    assert len(lines) <= _apart.LINES + 2
    assert kernel("print(40 + 2)") == "42\n"


@pytest.mark.slow
def test_a_list_that_contains_itself_is_no_answer(kernel):
    said = kernel("knot = []\nknot.append(knot)\ncheck('01.7', knot)")
    assert said.startswith("✘ 01.7 the check cannot read this answer: it contains itself")


@pytest.mark.slow
def test_a_patched_numpy_passes_nothing(kernel):
    said = kernel(f"{PATCHED}\ncheck('01.4', lambda y: y)\nnp.allclose = kept")
    assert said.startswith("✘ 01.4 np.allclose is a function of yours now")
    assert kernel("check('01.4', lambda y: y)").startswith("✘ 01.4 ")
    assert kernel("check('01.4', lambda y: y * (1 - y))") == "✔ 01.4 sigmoid_slope\n"


@pytest.mark.slow
def test_pytorch_in_an_answer_after_training_in_the_notebook(kernel):
    """Threads that PyTorch started before are missing in a child."""
    kernel(
        "import torch\ntorch.set_num_threads(2)\n"
        "x = torch.randn(600, 600)\nfor _ in range(9): x @ x"
    )
    begun = time.monotonic()
    said = kernel(
        "def slope(y):\n    z = torch.randn(600, 600)\n    (z @ z).sum()\n"
        "    return y * (1 - y)\ncheck('01.4', slope)"
    )
    assert said == "✔ 01.4 sigmoid_slope\n"
    assert time.monotonic() - begun < 5


def test_a_verdict_is_the_same_here_and_apart(capsys):
    for answer in (find("01.4").reference, lambda y: 1 - y, None):
        verdict = find("01.4").judge(answer, 10)
        assert _apart.judge_apart(lambda: find("01.4").judge(answer, 10), 10) == verdict  # noqa: B023
    assert capsys.readouterr().out == ""


def test_the_guards_hold_without_a_fork(monkeypatch, capsys):
    monkeypatch.setattr(sys, "platform", "win32")
    depth = sys.getrecursionlimit()

    def forever(y):
        sys.setrecursionlimit(10**9)
        print("deeper")
        return forever(y)

    check("01.4", forever)
    *printed, verdict = capsys.readouterr().out.splitlines()
    assert verdict.startswith("✘ 01.4 RecursionError")
    assert printed[:2] == ["deeper"] * 2
    assert len(printed) == _apart.LINES + 1
    assert printed[-1].endswith("more lines")
    assert sys.getrecursionlimit() == depth


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing is forked")
def test_an_idle_child_is_judged_here(monkeypatch):
    """It waits for something that only this process has; not for ever."""
    monkeypatch.setattr(_apart, "SLACK", 0.2)
    here = os.getpid()

    def judge():
        if os.getpid() != here:
            time.sleep(60)
        return Verdict("✔", "here")

    assert _apart.judge_apart(judge, 0.2) == Verdict("✔", "here")


def test_no_child_is_left():
    before = psutil.Process().children()
    for _ in range(3):
        check("01.4", np.tanh)
    assert psutil.Process().children() == before


def test_functions_of_a_notebook_are_seen_in_libraries(monkeypatch):
    def mine(x):
        return x

    assert _apart.replaced_functions() == []
    mine.__module__ = "__main__"
    monkeypatch.setattr(np.linalg, "norm", mine)
    assert _apart.replaced_functions() == ["np.linalg.norm"]
