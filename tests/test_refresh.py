"""`make refresh`: runs, normalizes, generates, and changes nothing the second time."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
import types

import nbformat
import pytest
import zmq
import zmq.asyncio
from jupyter_client.session import Session

from tests.notebooks import course, refresh
from tests.notebooks.execute import FrontEnd, ShellChannel, environment
from tests.notebooks.normal_form import WIDGET_VIEW, normalize, serialize
from tests.notebooks.samples import code, notebook, png, shown, stream, text, write
from tests.support.repository import git
from utils.course import CHAPTERS

pytestmark = pytest.mark.slow

CHAPTER = """\
import os, random
import ipywidgets as w
from IPython.display import clear_output, display
for step in range(3):
    clear_output(wait=True)
    print("step", step)
handle = display("first", display_id=True)
handle.update("last")
out = w.Output()
display(out)
with out:
    print("inside")
"""


@pytest.fixture(scope="module")
def refreshed(tmp_path_factory):
    """A chapter that was refreshed once; returns its path, its cells by id, and its bytes."""
    folder = tmp_path_factory.mktemp("chapters")
    path = write(
        folder / "05_convolution.ipynb",
        text("# 05 · Convolution", "0a1b2c3d"),
        code(CHAPTER, name="display"),
        code("print(random.random() * 1e-6 + 1.0)", name="noise"),
        code("print(os.environ['COURSE_BUDGET'], os.getcwd() == os.environ['PWD'], __name__)"),
        code("import time\nprint(time.time())", name="clock", tags=["nbval-ignore-output"]),
        code("import matplotlib.pyplot as plt\nplt.plot([1, 2]);", name="plot"),
    )
    write(folder / "00_start_here.ipynb", text("# 00 · Start here", "title"))
    write(folder / "07_object_detection.ipynb", text("# 07 · Object detection", "title"))
    assert refresh.main([str(path)]) == 0
    cells = {cell.id: cell for cell in nbformat.read(path, as_version=4).cells}
    return path, cells, path.read_bytes()


def test_outputs_are_what_the_page_shows(refreshed):
    outputs = refreshed[1]["display"].outputs
    assert [o.get("text") or o.data["text/plain"] for o in outputs] == [
        "step 2\n",
        "'last'",
        "Output()",
    ]
    assert not any(WIDGET_VIEW in output.get("data", {}) for output in outputs)


def test_a_second_run_changes_no_byte(refreshed):
    path, _, before = refreshed
    assert refresh.main([str(path)]) == 0
    assert path.read_bytes() == before


def test_an_edited_cell_gets_its_new_output(tmp_path):
    path = write(
        tmp_path / "draft.ipynb",
        code("print(1.0)", stream("1.0000001\n"), name="kept"),
        code("print(2.0)", stream("2.0000001\n"), name="edited"),
    )
    assert refresh.main(["--form", str(path)]) == 0
    for command in (("init",), ("add", "."), ("commit", "--message=Draft")):
        git(tmp_path, *command)
    path.write_text(path.read_text().replace("print(2.0)", "print(1.0 + 1.0)"))
    assert refresh.main([str(path)]) == 0
    kept, edited = nbformat.read(path, as_version=4).cells
    assert (kept.outputs[0].text, edited.outputs[0].text) == ("1.0000001\n", "2.0\n")


def test_what_it_writes_is_in_normal_form(refreshed, capsys):
    path, cells, before = refreshed
    assert serialize(normalize(nbformat.read(path, as_version=4))).encode() == before
    assert cells["plot"].outputs[0].data["image/png"]
    assert refresh.main(["--check", str(path)]) == 0
    assert "unchanged" in capsys.readouterr().out


def test_generated_cells_are_put_in_their_places(refreshed):
    ids = list(refreshed[1])
    assert ids[:3] == ["title", "badges", "bootstrap"]
    assert ids[-1] == "navigation"
    navigation = refreshed[1]["navigation"].source
    assert "← [00 · Start here](00_start_here.ipynb)" in navigation
    assert "[07 · Object detection](07_object_detection.ipynb) →" in navigation
    assert "/blob/main/chapters/05_convolution.ipynb" in refreshed[1]["badges"].source


def test_check_reports_and_form_repairs_without_running(tmp_path, capsys):
    path = write(tmp_path / "draft.ipynb", code("1 / 0", stream("kept\n"), name="kept"))
    raw = path.read_bytes()
    assert refresh.main(["--check", str(path)]) == 1
    assert "draft.ipynb: not in normal form" in capsys.readouterr().out
    assert path.read_bytes() == raw
    assert refresh.main(["--form", str(path)]) == 0
    assert refresh.main(["--check", str(path)]) == 0
    assert nbformat.read(path, as_version=4).cells[0].outputs[0].text == "kept\n"


def test_a_failure_in_a_living_kernel_names_the_cell_and_is_forgotten_with_the_next(tmp_path):
    failures = {
        "1 / 0": "ZeroDivisionError: division by zero",
        "import ipywidgets as w\nwith w.Output():\n    1 / 0": "ZeroDivisionError",
        "import warnings\nwarnings.warn('careful')": "UserWarning: careful",
    }
    cells = [code(source, name=f"broken-{i}") for i, source in enumerate(failures)]
    front_end = FrontEnd(notebook(*cells, code("x = 1")))
    with front_end.kernel(tmp_path):
        for i, words in enumerate(failures.values()):
            with pytest.raises(refresh.RefreshError) as failure:
                refresh._run(front_end, i)
            assert f"'broken-{i}'" in str(failure.value)
            assert words in str(failure.value)
        refresh._run(front_end, len(failures))
        assert front_end.errors == []
        assert front_end.stderr == ""


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("import os\nos._exit(1)", "the kernel died"),
        ("import time\ntime.sleep(60)", "not finished after 1 s"),
    ],
    ids=["exception", "death", "too slow"],
)
def test_a_failure_names_the_cell_and_leaves_the_file(tmp_path, capsys, monkeypatch, source, words):
    monkeypatch.setattr(refresh.refreshed_text, "__defaults__", (1,))
    path = write(tmp_path / "draft.ipynb", code(source, name="broken"))
    raw = path.read_bytes()
    assert refresh.main([str(path)]) == 1
    report = capsys.readouterr().err
    assert "'broken'" in report
    assert words in report
    assert path.read_bytes() == raw


def test_a_missing_chapter_is_a_clear_error(capsys):
    with pytest.raises(SystemExit) as error:
        refresh.main(["99"])
    assert error.value.code == 2
    assert "no chapter '99': give a number such as 05" in capsys.readouterr().err


def test_chapters_are_found_by_number_name_and_path(tmp_path, monkeypatch):
    monkeypatch.setattr(refresh, "CHAPTERS", tmp_path)
    path = write(tmp_path / "05_convolution.ipynb", text("x"))
    assert {refresh.find(name) for name in ("5", "05", path.name, str(path))} == {path}


@pytest.mark.parametrize(
    ("old", "new", "tags", "same"),
    [
        (stream("1.0\n"), stream("1.000001\n"), [], True),
        (stream("1.0\n"), stream("1.1\n"), [], False),
        (stream("took 3.2 s\n"), stream("took 41 s\n"), ["nbval-ignore-output"], True),
        (stream("took 3.2 s\n"), stream("spent 3.2 s\n"), ["nbval-ignore-output"], False),
        (shown("a", image_png=png()), shown("a", image_png=png()), [], True),
        (shown("a", image_png=png()), shown("a", image_png=png("blue")), [], False),
    ],
)
def test_when_the_old_output_stays(old, new, tags, same):
    before, after = code("x", old, tags=tags), code("x", new, tags=tags)
    assert refresh.says_the_same(before, after) is same


def test_the_environment_is_the_same_everywhere(monkeypatch, tmp_path):
    for name in ("MPLBACKEND", "COURSE_DATA_MIRROR", "COURSE_HOME", "PYTEST_CURRENT_TEST"):
        monkeypatch.setenv(name, "strange")
    monkeypatch.setenv("COURSE_BUDGET", "smoke")
    env = environment(str(tmp_path))
    assert "strange" not in env.values()
    assert env["COURSE_BUDGET"] == "smoke"
    assert env["COURSE_DEVICE"] == "cpu"
    assert env["PYTHONHASHSEED"] == "0"
    monkeypatch.delenv("COURSE_BUDGET")
    assert environment(str(tmp_path))["COURSE_BUDGET"] == "quick"


def test_a_reply_that_comes_in_while_an_output_widget_sends_is_heard():
    """The reply is there before the channel sends; the reader that waits must not wait on."""

    async def seconds_waited() -> float:
        with zmq.Context() as context, context.socket(zmq.ROUTER) as kernel:
            port = kernel.bind_to_random_port("tcp://127.0.0.1")
            socket = zmq.asyncio.Context(context).socket(zmq.DEALER)
            socket.connect(f"tcp://127.0.0.1:{port}")
            channel = ShellChannel(socket, Session())
            channel.send(channel.session.msg("execute_request"))
            client, *request = kernel.recv_multipart()
            reader = asyncio.ensure_future(channel.get_msg(timeout=5))
            await asyncio.sleep(0.1)  # the reader waits
            kernel.send_multipart([client, *request])
            time.sleep(0.1)  # the reply comes in while the loop is busy
            channel.send(channel.session.msg("comm_msg"))
            begun = time.perf_counter()
            reply = await reader
            channel.close()
        assert reply["msg_type"] == "execute_request"
        return time.perf_counter() - begun

    assert asyncio.run(seconds_waited()) < 2


def test_generated_cells_are_replaced_and_others_kept():
    path = course.FOLDER / "05_convolution.ipynb"
    made = notebook(text("# 05 · Convolution", "title"), code("x = 1", name="mine"))
    once = course.with_generated_cells(made, path)
    assert [cell.id for cell in once.cells] == [
        "title",
        "badges",
        "bootstrap",
        "mine",
        "navigation",
    ]
    once.cells[2].source = "edited"
    once.cells[1].source = "old"
    again = course.with_generated_cells(once, path)
    assert again.cells[2].source == course.bootstrap()
    assert again.cells[1].source == course.badges(CHAPTERS[5])
    assert course.with_generated_cells(again, path) == again


def test_other_notebooks_get_no_generated_cells(tmp_path):
    made = notebook(text("# Draft", "title"))
    assert course.with_generated_cells(made, tmp_path / "draft.ipynb") == made


def test_navigation_skips_chapters_that_do_not_exist(tmp_path):
    assert course.navigation(CHAPTERS[5], tmp_path) == "This is the whole course so far."
    for number in (2, 5, 9):
        write(tmp_path / CHAPTERS[number].file, text("x"))
    links = course.navigation(CHAPTERS[5], tmp_path)
    assert links == (
        "← [02 · Gradient descent](02_gradient_descent.ipynb) · "
        "[09 · LSTM and GRU](09_lstm_and_gru.ipynb) →"
    )


def test_addresses_come_from_pyproject(monkeypatch, tmp_path):
    (tmp_path / "pyproject.toml").write_text('[project.urls]\nRepository = "https://x.org/a/b"\n')
    monkeypatch.setattr(course, "ROOT", tmp_path)
    with pytest.raises(ValueError, match="must be https://github"):
        course.bootstrap()
    (tmp_path / "pyproject.toml").write_text(
        '[project.urls]\nRepository = "https://github.com/me/mine.git"\n'
    )
    assert '"https://github.com/me/mine"' in course.bootstrap()
    assert "/github/me/mine/blob/main/" in course.badges(CHAPTERS[0])
    assert "/gh/me/mine/main?" in course.badges(CHAPTERS[0])


def test_bootstrap_is_short_and_does_nothing_on_a_laptop(monkeypatch):
    lines = course.bootstrap().splitlines()
    assert len(lines) <= 25
    assert max(map(len, lines)) <= 88
    monkeypatch.setattr(subprocess, "run", pytest.fail)
    before = list(sys.path)
    exec(course.bootstrap(), {})
    assert sys.path == before


@pytest.mark.parametrize("present", [False, True])
def test_bootstrap_on_colab(monkeypatch, tmp_path, present):
    commands, enabled = [], []
    colab = types.ModuleType("google.colab")
    colab.output = types.SimpleNamespace(enable_custom_widget_manager=lambda: enabled.append(1))
    for name, module in {"google": types.ModuleType("google"), "google.colab": colab}.items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(subprocess, "run", lambda command, check: commands.append(command))
    absent = {"mlxtend", "pooch"}
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name in absent else 1)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.chdir(tmp_path)
    checkout = tmp_path / course.repository().rpartition("/")[2]
    if present:
        checkout.mkdir()
    exec(course.bootstrap(), {})
    assert sys.path[0] == str(checkout)
    assert enabled == [1]
    clone = ["git", "clone", "--quiet", "--depth=1", course.repository(), checkout]
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "mlxtend", "pooch"]
    assert commands == ([pip] if present else [clone, pip])


def test_the_sixteen_chapters():
    assert [chapter.number for chapter in CHAPTERS] == list(range(16))
    assert CHAPTERS[5].file == "05_convolution.ipynb"
    assert CHAPTERS[5].heading == "05 · Convolution"
    assert len({chapter.slug for chapter in CHAPTERS}) == 16
    for chapter in CHAPTERS:
        assert all(0 <= before < chapter.number for before in chapter.prerequisites)
        assert chapter.prerequisites or chapter.number == 0
