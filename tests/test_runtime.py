"""The course's surroundings: cheap imports, repeatable numbers, words that are checked."""

import subprocess
import sys
import types

import numpy as np
import pytest
from support.imports import imported

from utils import runtime


def run(code: str, **environment: str) -> subprocess.CompletedProcess:
    """Run `code` in a fresh interpreter with nothing of the caller's environment but the path."""
    import os

    keep = {k: v for k, v in os.environ.items() if not k.startswith(("COURSE_", "TF_"))}
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=keep | environment,
        timeout=120, check=False,
    )  # fmt: skip


def test_import_is_cheap_and_brings_no_framework():
    done = run(
        "import sys, time; start = time.perf_counter(); import utils; "
        "spent = time.perf_counter() - start; "
        "heavy = {'torch', 'tensorflow', 'matplotlib.pyplot', 'matplotlib', 'numpy'}; "
        "print(spent < 0.05, sorted(heavy & set(sys.modules)))"
    )
    assert done.stdout == "True []\n", done.stderr


def test_no_helper_imports_a_framework_or_pyplot():
    helpers = "claims plotting datasets exercises glossary widgets engine training optim layers"
    code = "import " + ", ".join(f"utils.{name}" for name in helpers.split())
    assert not {"matplotlib.pyplot", "tensorflow", "torch"} & imported(code)


@pytest.mark.slow
def test_tensorflow_comes_quietly_and_seeded():
    code = (
        "from utils import runtime; runtime.setup(seed=7); tf = runtime.import_tensorflow(); "
        "print(tf.random.uniform([2]).numpy().tolist())"
    )
    first, second = run(code), run(code)
    assert first.returncode == 0
    assert first.stderr == ""
    assert first.stdout == second.stdout


@pytest.mark.slow
def test_tensorflow_import_keeps_real_errors_visible():
    done = run("from utils import runtime; runtime.import_tensorflow(); raise SystemError('seen')")
    assert "SystemError: seen" in done.stderr


def test_same_seed_same_numbers():
    assert runtime.setup(seed=3).random() == runtime.setup(seed=3).random()
    runtime.setup(seed=3)
    a = np.random.rand()  # noqa: NPY002 - the global state is what is tested
    runtime.setup(seed=3)
    assert np.random.rand() == a  # noqa: NPY002


def test_setup_seeds_an_imported_torch():
    import torch

    runtime.setup(seed=5)
    a = torch.rand(3)
    runtime.setup(seed=5)
    assert torch.equal(a, torch.rand(3))


@pytest.mark.parametrize("seed", [-1, 2**32, 0.5, "0", None, True])
def test_bad_seed(seed):
    with pytest.raises(ValueError, match="seed must be an integer from 0"):
        runtime.setup(seed=seed)


def test_another_utils_is_named(monkeypatch, tmp_path):
    stranger = types.ModuleType("utils")
    stranger.__file__ = str(tmp_path / "utils" / "__init__.py")
    (tmp_path / "utils").mkdir()
    monkeypatch.setitem(sys.modules, "utils", stranger)
    with pytest.raises(ImportError, match=r"restart the kernel and put .* first on sys\.path"):
        runtime.setup()


@pytest.mark.parametrize("name", runtime.BUDGETS)
def test_budget_from_the_environment(monkeypatch, name):
    monkeypatch.setenv("COURSE_BUDGET", name)
    assert runtime.budget() == name
    assert runtime.is_smoke() == (name == "smoke")
    assert runtime.by_budget(smoke=1, quick=2, full=3) == {"smoke": 1, "quick": 2, "full": 3}[name]


def test_full_falls_back_to_quick(monkeypatch):
    monkeypatch.setenv("COURSE_BUDGET", "full")
    assert runtime.by_budget(smoke=1, quick=2) == 2


def test_unknown_budget(monkeypatch):
    monkeypatch.setenv("COURSE_BUDGET", "huge")
    with pytest.raises(ValueError, match="smoke, quick, full; it is 'huge'"):
        runtime.budget()


@pytest.mark.parametrize(
    ("device", "budget"), [("cpu", "quick"), ("cuda", "full"), ("mps", "full")]
)
def test_budget_follows_the_device(monkeypatch, device, budget):
    monkeypatch.delenv("COURSE_BUDGET", raising=False)
    monkeypatch.setenv("COURSE_DEVICE", device)
    assert runtime.budget() == budget


def test_device_is_what_torch_finds(monkeypatch):
    import torch

    monkeypatch.delenv("COURSE_DEVICE", raising=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert runtime.device() == "cuda"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert runtime.device() == "mps"


@pytest.mark.parametrize(("word", "full"), [("", False), ("embedded", False), ("full", True)])
def test_which_data(monkeypatch, word, full):
    monkeypatch.setenv("COURSE_DATA", word)
    assert runtime.wants_full_data() is full


def test_unknown_data_word(monkeypatch):
    monkeypatch.setenv("COURSE_DATA", "all")
    with pytest.raises(ValueError, match="embedded or full; it is 'all'"):
        runtime.wants_full_data()


def test_where(monkeypatch):
    assert runtime.where() == "laptop"
    monkeypatch.setenv("BINDER_SERVICE_HOST", "10.0.0.1")
    assert runtime.where() == "binder"
    monkeypatch.setitem(sys.modules, "google.colab", types.ModuleType("google.colab"))
    assert runtime.where() == "colab"


def test_folders_can_be_moved(monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "cache"))
    assert runtime.home_dir() == tmp_path / "home"
    assert runtime.cache_dir() == tmp_path / "cache"
    monkeypatch.delenv("COURSE_HOME")
    assert runtime.home_dir().name == "deep-learning-live"
