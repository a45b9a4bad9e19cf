"""Every test runs on the CPU, quickly, and far from the user's own progress and cache."""

from __future__ import annotations

import operator
import os
import signal
import sys
from collections import Counter

import pytest

from tests.notebooks.execute import ONE_THREAD
from tests.support.javascript import Node

os.environ.update(ONE_THREAD)  # before a framework counts the cores

seconds = Counter()

# a shell starts background jobs deaf to interrupts, which some tests send
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_runtest_setup():
    """Let every test draw the same numbers, whatever ran before it."""
    for name, seed in (
        ("torch", "default_generator.manual_seed"),
        ("keras", "utils.set_random_seed"),
    ):
        module = sys.modules.get(name)
        if module is not None:
            operator.attrgetter(seed)(module)(0)


def pytest_runtest_logreport(report):
    """Count the time of fast and slow tests apart."""
    seconds["slow" if "slow" in report.keywords else "fast"] += report.duration


def pytest_terminal_summary(terminalreporter):
    """Tell these times, where both kinds were run."""
    if len(seconds) == 2:
        told = ", ".join(f"{kind} tests {seconds[kind]:.1f} s" for kind in sorted(seconds))
        terminalreporter.write_line(told)


@pytest.fixture(autouse=True, scope="session")
def course_environment(tmp_path_factory):
    folder = tmp_path_factory.mktemp("course")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COURSE_BUDGET", "quick")
        patch.setenv("COURSE_CACHE", str(folder / "cache"))
        patch.setenv("COURSE_DATA", "embedded")
        patch.setenv("COURSE_DEVICE", "cpu")
        patch.setenv("COURSE_HOME", str(folder / "home"))
        patch.setenv("COURSE_QUIET", "1")
        patch.setenv("MPLBACKEND", "agg")
        yield


@pytest.fixture(scope="session")
def node():
    """One Node for all tests: ``node(widget)`` gives what a widget's script exports."""
    with Node() as node:
        yield node


@pytest.fixture
def capture(monkeypatch):
    """Return a function that gives what was displayed so far, as in a notebook."""
    from IPython.core.displaypub import CapturingDisplayPublisher
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell.instance()
    publisher = CapturingDisplayPublisher(shell=shell)
    monkeypatch.setattr(shell, "display_pub", publisher)
    return lambda: publisher.outputs
