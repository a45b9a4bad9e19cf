"""Folders, homes and consoles as people have them: odd names, none at all, other code pages."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from tests.notebooks.course import bootstrap
from tests.notebooks.execute import ROOT
from utils import progress as kept
from utils import runtime
from utils.exercises import check, progress
from utils.report import environment_report


def run(code, *, python=sys.executable, cwd=None, **environment):
    keep = {k: v for k, v in os.environ.items() if not k.startswith("COURSE_")}
    return subprocess.run(
        [python, "-c", code],
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        cwd=cwd,
        env=keep | {"PYTHONPATH": str(ROOT)} | environment,
        timeout=120,
        check=False,
    )


# ── a checkout under an odd name, and moved ──


@pytest.mark.slow
@pytest.mark.skipif(
    sys.platform == "win32", reason="the paths of the environment are those of POSIX"
)
def test_a_checkout_may_have_any_name_and_be_moved(tmp_path):
    course, environment = tmp_path / "课程", tmp_path / "课程" / ".venv"
    course.mkdir()
    for name in ("build_backend.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, course)
    shutil.copytree(ROOT / "utils", course / "utils", ignore=shutil.ignore_patterns("__pycache__"))
    venv.create(environment, symlinks=True)
    tools = next(path for path in sys.path if path.endswith("site-packages"))
    build = "import build_backend as b; print(b.build_editable('.'))"
    done = run(build, python=environment / "bin/python", cwd=course, PYTHONPATH=tools)
    assert done.returncode == 0, done.stderr
    (packages,) = environment.glob("lib/python*/site-packages")
    with zipfile.ZipFile(course / done.stdout.split()[-1]) as wheel:
        wheel.extractall(packages)
    ask = "import utils; print(utils.__file__)"
    for folder in (course, tmp_path / "elsewhere"):
        if folder != course:
            course.rename(folder)
        python = folder / ".venv/bin/python"
        done = run(ask, python=python, cwd="/", LC_ALL="C", PYTHONPATH="", PYTHONUTF8="0")
        assert done.returncode == 0, done.stderr
        assert Path(done.stdout.strip()).parts[-3:] == (folder.name, "utils", "__init__.py")


# ── no home, or one that cannot be written ──


@pytest.fixture
def homeless(monkeypatch):
    """A user without HOME and without an entry in the list of users."""
    import platformdirs

    def nowhere(*_):
        raise RuntimeError("Could not determine home directory.")

    for name in ("user_data_dir", "user_cache_dir"):
        monkeypatch.setattr(platformdirs, name, nowhere)
    for name in ("COURSE_HOME", "COURSE_CACHE"):
        monkeypatch.delenv(name)
    kept._notice.cache_clear()


def test_without_a_home_everything_works_and_one_notice_says_so(homeless, capsys):
    for _ in range(2):
        check("00.1", lambda predicted, labels: (predicted == labels).mean())
    assert progress()
    assert environment_report()
    first, *rest = capsys.readouterr().out.splitlines()
    assert first == "✔ 00.1 accuracy"
    notice = "○ your progress is not kept: this user has no home directory; set COURSE_HOME"
    assert rest == [notice, "✔ 00.1 accuracy"]


def test_a_home_that_is_a_file_is_told_once(monkeypatch, tmp_path, capsys):
    (tmp_path / "home").write_text("")
    monkeypatch.setenv("COURSE_HOME", str(tmp_path / "home" / "course"))
    kept._notice.cache_clear()
    kept.record(["00.1"])
    kept.record(["00.1"])
    assert capsys.readouterr().out == "○ your progress is not kept: Not a directory\n"


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_byte_order_mark_does_not_damage_progress(monkeypatch, tmp_path, mark, capsys):
    monkeypatch.setenv("COURSE_HOME", str(tmp_path))
    text = mark + '{"schema": 1, "passed": ["01.2"]}'
    (tmp_path / "progress.json").write_text(text, encoding="utf-8")
    assert kept.passed() == {"01.2"}
    assert capsys.readouterr().out == ""


# ── a learner's own utils ──


def run_bootstrap(cwd, *, path):
    return run(bootstrap(), cwd=cwd, PYTHONPATH=path, PYTHONSAFEPATH="")


def test_the_first_cell_names_a_file_that_hides_the_course(tmp_path):
    (tmp_path / "utils.py").write_text("x = 1")
    done = run_bootstrap(tmp_path, path=str(ROOT))
    assert "utils.py hides the course's utils" in done.stderr
    assert "rename it and restart" in done.stderr


def test_the_first_cell_names_a_folder_that_hides_the_course(tmp_path):
    (tmp_path / "utils").mkdir()
    (tmp_path / "utils" / "__init__.py").write_text("")
    done = run_bootstrap(tmp_path, path=str(ROOT))
    assert f"{Path('utils', '__init__.py')} hides the course's utils" in done.stderr


def test_the_first_cell_is_content_with_the_course(tmp_path):
    done = run_bootstrap(tmp_path, path=str(ROOT))
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)


# ── consoles that lack the signs ──


@pytest.mark.parametrize("encoding", ["cp1252", "gbk", "cp437", "ascii", "cp932"])
def test_every_console_prints_a_verdict(encoding):
    code = (
        "from utils.claims import claim; from utils.exercises import check, hint; "
        "claim('x ≥ {bound}', 2, at_least=1); check('00.1'); hint('00.1')"
    )
    done = run(code, PYTHONIOENCODING=encoding, PYTHONUTF8="0")
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 3


def test_signs_are_written_plainly_where_the_code_page_lacks_them():
    for encoding, wanted in (
        ("utf-8", "✔ a → b"),
        ("cp1252", "[ok] a -> b"),
        ("gbk", "[ok] a → b"),
    ):
        buffer = io.BytesIO()
        stream = io.TextIOWrapper(buffer, encoding=encoding)
        runtime.say("✔ a → b", stream)
        stream.flush()
        assert buffer.getvalue().decode(encoding).strip() == wanted
