"""The run on other people's machines: what it fetches, what it skips, what it starts."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.machines import __main__ as machines
from tests.support.pins import pinned


class Shell:
    """Stands in for `subprocess.run`: keeps the commands, and fails where a word occurs."""

    def __init__(self, monkeypatch, fails=None):
        self.commands, self.env, self.fails = [], None, fails
        monkeypatch.setattr(machines.subprocess, "run", self)

    def __call__(self, command, env=None, **_):
        self.commands.append([str(part) for part in command])
        self.env = env
        failed = self.fails is not None and self.fails in self.commands[-1]
        return SimpleNamespace(returncode=int(failed), stdout="cpython-399\n")


def test_triton_is_fetched_alone_and_once(monkeypatch, tmp_path):
    shell = Shell(monkeypatch)
    there = machines.triton(tmp_path)
    (command,) = shell.commands
    assert command[-1] == f"triton=={pinned()['triton']}"
    assert "--no-deps" in command
    assert there.is_dir()
    assert (tmp_path / ".gitignore").read_text() == "*\n"
    assert machines.triton(tmp_path) == there
    assert len(shell.commands) == 1


def test_a_failed_download_leaves_nothing(monkeypatch, tmp_path):
    Shell(monkeypatch, fails="pip")
    assert machines.triton(tmp_path) is None
    assert [path.name for path in tmp_path.iterdir()] == [".gitignore"]


@pytest.mark.parametrize(
    ("system", "words"),
    [("darwin", "a package for Linux"), ("win32", "a package for Linux"), ("linux", "be fetched")],
)
def test_where_there_is_no_triton_the_run_says_so(monkeypatch, capsys, system, words):
    shell = Shell(monkeypatch)
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(machines, "find_spec", lambda name: None)
    monkeypatch.setattr(machines, "triton", lambda: None)
    assert machines.main([]) == 0
    assert words in capsys.readouterr().out
    assert shell.commands == []


@pytest.mark.parametrize("installed", [False, True])
def test_chapters_run_with_triton_beside_them(monkeypatch, tmp_path, installed):
    shell = Shell(monkeypatch, fails="chapters")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(machines, "find_spec", lambda name: installed or None)
    monkeypatch.setattr(machines, "triton", lambda: tmp_path)
    monkeypatch.setenv("PYTHONPATH", "before")
    assert machines.main([]) == 1
    assert shell.env["COURSE_BUDGET"] == "smoke"
    path = ["before"] if installed else [str(tmp_path), "before"]
    assert shell.env["PYTHONPATH"].split(os.pathsep) == path
    clash, chapters = shell.commands  # apart: all of tests/ has the quick budget
    assert clash[-1] == "tests/machines"
    assert chapters[-1] == "chapters"
    assert "tests/machines" not in chapters


def test_default_wheels_come_from_the_index_that_users_have(monkeypatch, tmp_path):
    shell = Shell(monkeypatch, fails="tests/machines")
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "https://example.org/cpu")
    monkeypatch.setenv("PIP_FIND_LINKS", "wheels")
    seen = []
    monkeypatch.setattr(
        machines.subprocess,
        "run",
        lambda *args, **how: seen.append(how.get("env")) or shell(*args, **how),
    )
    assert machines.default_wheels(Path(sys.executable), tmp_path) == 1
    *_, clash, rest = shell.commands
    assert clash[-1] == "tests/machines"
    assert rest[1:] == ["-m", "tests", "fast tests", "chapters"]  # although the first had failed
    environments = [env for env in seen if env is not None]
    assert len(environments) == 2
    assert not any({"PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS"} & env.keys() for env in environments)


def test_an_unknown_python_is_named(capsys):
    assert machines.main(["3.99"]) == 2
    assert "no Python 3.99 on this machine" in capsys.readouterr().err
