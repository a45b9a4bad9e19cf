"""nbval with our patches: what must pass passes, and each defect fails for its own reason."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.notebooks import compare, strict
from tests.notebooks.controls import moves
from tests.notebooks.execute import ROOT
from tests.notebooks.samples import code, png, result, shown, stream, write

pytestmark = pytest.mark.slow

COLOR = re.compile(r"#x1B\[[\d;]*m")  # as the report writes an escape sequence
WIDGETS = "import ipywidgets as w\nfrom IPython.display import clear_output, display"
FIGURE = "import matplotlib.pyplot as plt\nplt.plot([1, 2]);"
FIGURE_TEXT = "<Figure size 640x480 with 1 Axes>"
PICTURE = {"image_png": png()}


def never_run(cell):
    cell.execution_count = None
    return cell


GOOD = {
    "a number within 1e-5": code("print(0.1234567)", stream("0.1234563\n")),
    "an array, padded otherwise": code("print('[ 1. 0.5]')", stream("[1.000001 0.5]\n")),
    "a claim with another measurement": code(
        "from utils.claims import claim\nclaim('at least {bound}', 3.5, at_least=3)",
        stream("✔ at least 3   (measured 3.1)\n"),
    ),
    "a final semicolon": code("1 + 1;"),
    "a result": code("1 + 1", result("2")),
    "two streams are one": code("print(1)\nprint(2)", stream("1\n2\n")),
    "clear_output": code(
        f"{WIDGETS}\nfor i in range(3):\n    clear_output(wait=True)\n    print(i)", stream("2\n")
    ),
    "an Output widget": code(
        f"{WIDGETS}\nout = w.Output()\ndisplay(out)\nwith out:\n    print('inside')\n"
        "    clear_output(wait=True)\n    print('again')\nprint('outside')",
        shown("Output()"),
        stream("outside\n"),
    ),
    "a display that is updated": code(
        "h = display('first', display_id=True)\nprint('between')\nh.update('last')",
        shown("'last'"),
        stream("between\n"),
    ),
    "a slider with observe": code(
        f"{WIDGETS}\nslider = w.IntSlider(3)\nseen = []\n"
        "slider.observe(lambda change: seen.append(change['new']), 'value')\n"
        "display(slider)\nslider.value = 7\nprint(seen)",
        shown("IntSlider(value=3)"),
        stream("[7]\n"),
    ),
    "a figure, its pixels not compared": code(FIGURE, shown(FIGURE_TEXT, **PICTURE)),
    "stderr that is stored": code(
        "import sys\nprint('x', file=sys.stderr)", stream("x\n", "stderr")
    ),
    "not compared": code("print(7)", stream("8\n"), tags=["nbval-ignore-output"]),
}

# what is wrong: (the cell, words of the report)
BAD = {
    "wrong number": (code("print(0.978)", stream("0.979\n")), "fresh:  '0.978"),
    "wrong by 2e-5": (code("print(1.00002)", stream("1.00000\n")), "1.00002"),
    "wrong integer": (code("print(1000000)", stream("1000001\n")), "1000001"),
    "small number": (code("print(1e-9)", stream("2e-9\n")), "2e-9"),
    "missing output": (code("x = 1", stream("1\n")), "output 1 is missing"),
    "missing result": (code("1 + 1;", result("2")), "output 1 is missing"),
    "extra output": (code("print(1)"), "output 1 is not in the stored notebook"),
    "extra output, never run": (
        never_run(code("print(1)")),
        "output 1 is not in the stored notebook",
    ),
    "outputs in another order": (
        code("display('b')\ndisplay('a')", shown("'a'"), shown("'b'")),
        "output 1: text/plain differs",
    ),
    "result became a display": (code("display(1)", result("1")), "a display_data where"),
    "picture became nothing": (code("x = 2", shown("alt", **PICTURE)), "output 1 is missing"),
    "picture became text": (
        code(
            f"print()\ndisplay({FIGURE_TEXT!r})", stream("\n"), shown(f"{FIGURE_TEXT!r}", **PICTURE)
        ),
        "output 2: image/png is missing",
    ),
    "stored picture removed": (
        code(FIGURE, shown(FIGURE_TEXT)),
        "output 1: image/png is not in the stored notebook",
    ),
    "alt text changed": (code(FIGURE, shown("A rising line", **PICTURE)), "text/plain differs"),
    "caption changed": (
        code(
            "from IPython.display import Markdown\n"
            "display({'text/markdown': '**Figure 1.** up', 'text/plain': 'up'}, raw=True)",
            shown("up", text_markdown="**Figure 1.** down"),
        ),
        "text/markdown differs",
    ),
    "html changed": (
        code("display({'text/html': '<b>1</b>'}, raw=True)", shown(text_html="<b>2</b>")),
        "text/html differs",
    ),
    "display updated otherwise": (
        code("h = display('one', display_id=True)\nh.update('two')", shown("'one'")),
        "text/plain differs",
    ),
    "display of an earlier cell updated": (code("h.update('three')"), "DisplayError"),
    "stale output": (code("print('new')", stream("old\n")), "'old"),
    "callback raises": (
        code(
            f"{WIDGETS}\nslider = w.IntSlider()\nslider.observe(lambda _: 1 / 0, 'value')\n"
            "slider.value = 1"
        ),
        "ZeroDivisionError",
    ),
    "callback raises in an Output": (
        code(
            f"{WIDGETS}\nout = w.Output()\n\n@out.capture()\ndef update(change):\n    1 / 0\n\n"
            "slider.unobserve_all()\nslider.observe(update, 'value')\nslider.value = 2\n"
            "slider.unobserve_all()"
        ),
        "ZeroDivisionError",
    ),
    "callback warns in an Output": (
        code("import warnings\nwith out:\n    warnings.warn('hidden')"),
        "UserWarning: hidden",
    ),
    "false claim": (
        code(
            "from utils.claims import claim\nclaim('at least {bound}', 2.0, at_least=3)",
            stream("✔ at least 3   (measured 3.1)\n"),
        ),
        "ClaimError: ✘ at least 3",
    ),
    "claim about NaN": (
        code("claim('at most {bound}', float('nan'), at_most=3)"),
        "ClaimError: ✘ at most 3   (measured nan)",
    ),
    "claim's sentence changed": (
        code("claim('over {bound}', 4, at_least=3)", stream("✔ above 3   (measured 4)\n")),
        "✔ above 3",
    ),
    "claim without its measurement": (
        code("claim('four', True)", stream("✔ four   (measured 4)\n")),
        "✔ four   (measured)",
    ),
    "warning": (code("import warnings\nwarnings.warn('careful')"), "UserWarning: careful"),
    "print on stderr": (code("import sys\nprint('oops', file=sys.stderr)"), "Printed on stderr"),
    "C code prints on stderr": (
        code("import os, time\nos.write(2, b'from below\\n')\ntime.sleep(0.3);"),
        "from below",
    ),
    "exception in an uncompared cell": (
        code("1 / 0", tags=["nbval-ignore-output"]),
        "ZeroDivisionError",
    ),
    "stored stderr is gone": (code("x = 3", stream("x\n", "stderr")), "Printed on stderr"),
}


def run_pytest(folder, *options: str, budget: str = "quick") -> tuple[dict[str, str], str]:
    """Run nbval in `folder`; return each failure by test name, and all that was printed."""
    report = folder / "report.xml"
    command = [sys.executable, "-m", "pytest", "-p", "tests.notebooks.strict", "--nbval"]
    command += ["--nbval-current-env", "-p", "no:cacheprovider", f"--junitxml={report}"]
    env = os.environ | {"PYTHONPATH": str(ROOT), "COURSE_BUDGET": budget}
    done = subprocess.run(
        [*command, *options, "."],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
    )
    tests = ElementTree.parse(report).iter("testcase")
    verdicts = {}
    for test in tests:
        notebook = test.get("classname").removesuffix(".ipynb")
        failure = test.find("failure")
        words = "" if failure is None else failure.get("message") + (failure.text or "")
        verdicts[f"{notebook} {test.get('name')}"] = COLOR.sub("", words)
    return verdicts, done.stdout + done.stderr


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    folder = tmp_path_factory.mktemp("strict")
    write(folder / "good.ipynb", *GOOD.values())
    write(folder / "bad.ipynb", *[cell for cell, _ in BAD.values()])
    write(folder / "dying.ipynb", code("import os\nos._exit(1)"), code("1 + 1;"))
    callback = "import ipywidgets as w\n{}\nc.observe(lambda change: 1 / change['new'], 'value')"
    for name, control in {
        "sliding": "c = w.IntSlider(3, min=0, max=9)",
        "choosing": "c = w.Dropdown(options=[2, 1, 0])",
        "standing": "c = w.IntSlider(3, min=1, max=9)\nh = display(1, display_id=True)\n"
        "c.observe(lambda change: h.update(5), 'value')",
        "stopping": "c = w.Button()\nc.on_click(lambda _: __import__('os')._exit(1))",
    }.items():
        output = [shown("1")] if "display" in control else []
        write(folder / f"{name}.ipynb", code(callback.format(control), *output))
    return run_pytest(folder)


@pytest.mark.parametrize("number", range(len(GOOD)), ids=list(GOOD))
def test_passes(judged, number):
    assert judged[0][f"good Cell {number}"] == ""


@pytest.mark.parametrize("number", range(len(BAD)), ids=list(BAD))
def test_fails_for_its_own_reason(judged, number):
    words = list(BAD.values())[number][1]
    assert words in judged[0][f"bad Cell {number}"]


def test_kernel_death_fails_at_once_and_what_follows_is_not_run(judged):
    assert "The kernel died" in judged[0]["dying Cell 0"]
    assert "Not run, because the kernel died" in judged[0]["dying Cell 1"]


def test_controls_are_moved_and_a_failing_callback_is_seen(judged):
    assert "ZeroDivisionError" in judged[0]["sliding Controls"]
    assert "ZeroDivisionError" in judged[0]["choosing Controls"]
    assert judged[0]["standing Cell 0"] == judged[0]["standing Controls"] == ""
    assert "DeadKernelError" in judged[0]["stopping Controls"]
    assert judged[0]["sliding Cell 0"] == judged[0]["choosing Cell 0"] == ""


def test_costs_are_listed_slowest_first(judged):
    table = judged[1].partition("peak memory of the kernel in MB")[2].splitlines()[1:7]
    seconds = [float(line.split()[0]) for line in table]
    assert seconds == sorted(seconds, reverse=True)
    megabytes = {line.split()[-1]: float(line.split()[2]) for line in table}
    assert 40 < megabytes["good.ipynb"] < 1000


def test_smoke_budget_compares_nothing_but_errors(tmp_path):
    write(
        tmp_path / "smoke.ipynb",
        code("print(1)", stream("2\n")),
        code("1 / 0"),
        code("import sys\nprint('oops', file=sys.stderr)"),
        code("import os\nassert os.environ['COURSE_BUDGET'] == 'smoke'"),
        code("import time\ntime.sleep(60)"),
        code("x = 1"),
    )
    verdicts, _ = run_pytest(tmp_path, "--nbval-cell-timeout=3", budget="smoke")
    assert verdicts["smoke Cell 0"] == verdicts["smoke Cell 3"] == ""
    assert "ZeroDivisionError" in verdicts["smoke Cell 1"]
    assert "oops" in verdicts["smoke Cell 2"]
    assert "Not finished after 3 seconds" in verdicts["smoke Cell 4"]
    assert "Not run, because an earlier cell timed out" in verdicts["smoke Cell 5"]


def test_another_nbval_is_refused(monkeypatch):
    monkeypatch.setattr("nbval.__version__", "0.12.0")
    with pytest.raises(ImportError, match=r"nbval 0\.11\.0, found 0\.12\.0"):
        runpy.run_path(strict.__file__)


@given(st.floats(1e-300, 1e300), st.sampled_from([0.5e-5, 2e-5]))
def test_tolerance_is_relative_and_one_in_a_hundred_thousand(number, change):
    stored, fresh = f"x = {number:.12e}, 7", f"x = {number * (1 + change):.12e}, 7"
    assert compare.same_text(stored, fresh) == (change < compare.RTOL)


@pytest.mark.parametrize(
    ("stored", "fresh"),
    [
        ("3 cats", "4 cats"),
        ("100000. 200000.", "100001. 200000."),
        ("version 2.13.0", "version 2.13.1"),
        ("1.0 and 2.0", "2.0 and 1.0"),
        ("1.0", "nan"),
        ("0.0", "1e-12"),
        ("a  b\nc", "a b c"),
        ("1.5", "-1.5"),
        ("1.5 m", "1.5 cm"),
        ("12e3", "12"),
    ],
)
def test_other_texts_are_different(stored, fresh):
    assert not compare.same_text(stored, fresh)
    assert not compare.same_text(fresh, stored)


def test_masks_keep_the_claim():
    masked = compare.masks()
    same = [stream("✔ is 2   (measured 1.9)\n")], [stream("✔ is 2   (measured 2.1)\n")]
    assert compare.differences(*same, masked) == []
    assert compare.differences(*same, {}) != []


def test_widget_view_is_no_difference():
    view = {"application_vnd.jupyter.widget-view+json": {"model_id": "1"}}
    assert compare.differences([shown("IntSlider()")], [shown("IntSlider()", **view)], {}) == []


def test_moves_of_controls():
    def values(state):
        return [next(iter(move["state"].values())) for move in moves(state)]

    assert values({"value": 3, "min": 0, "max": 10, "step": 2}) == [0, 10, 4, 3]
    assert values({"value": [2, 3], "min": 0, "max": 10}) == [[0, 0], [10, 10], [0, 10], [2, 3]]
    assert values({"value": 10.0, "min": -2, "max": 2, "base": 10}) == [0.01, 100, 1, 10.0]
    assert values({"index": 1, "_options_labels": ["a", "b", "c"]}) == [0, 2, 1, 1]
    assert values({"value": True}) == [False, True]
    assert moves({"value": 3, "min": 0, "max": 9, "disabled": True}) == []
    assert moves({"value": "<b>html</b>"}) == moves({"children": []}) == []
    click = {"method": "custom", "content": {"event": "click"}}
    assert moves({"_model_name": "ButtonModel"}) == [click]


def test_peak_memory_is_that_of_a_process():
    assert 10 < strict.peak_memory(os.getpid()) < 20_000
