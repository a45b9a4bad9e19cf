"""The course's surroundings: cheap imports, repeatable numbers, words that are checked."""

import ast
import os
import subprocess
import sys
import textwrap
import types

import nbformat
import numpy as np
import pytest
from support.imports import imported

from tests.notebooks.execute import CHAPTERS, ROOT
from utils import runtime


def run(code: str, **environment: str) -> subprocess.CompletedProcess:
    """Run `code` in a fresh interpreter with nothing of the caller's environment but the path."""
    keep = {k: v for k, v in os.environ.items() if not k.startswith(("COURSE_", "TF_"))}
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=keep | environment,
        timeout=120,
        check=False,
    )


def test_import_is_cheap_and_brings_no_framework():
    done = run(
        "import sys, time; start = time.perf_counter(); import utils; "
        "spent = time.perf_counter() - start; "
        "heavy = {'torch', 'tensorflow', 'matplotlib.pyplot', 'matplotlib', 'numpy'}; "
        "print(spent < 0.05, sorted(heavy & set(sys.modules)))"
    )
    assert done.stdout == "True []\n", done.stderr


@pytest.mark.parametrize(
    ("helpers", "heavy"),
    [
        (
            "claims plotting datasets exercises glossary widgets engine training optim layers "
            "weights text transforms metrics models recorded models.rnn models.gan",
            {"matplotlib.pyplot", "tensorflow", "torch", "scipy"},
        ),
        (
            "recorded.judge recorded.ring widgets.latent_walk widgets.pronunciation_map "
            "widgets.ablation_board widgets.adding_problem widgets.ring_film widgets.word_writer "
            "widgets.head_browser widgets.entity_highlighter",
            {"matplotlib.pyplot", "tensorflow", "torch"},
        ),
    ],
)
def test_no_helper_imports_a_framework_or_pyplot(helpers, heavy):
    code = "import " + ", ".join(f"utils.{name}" for name in helpers.split())
    assert not heavy & imported(code)


@pytest.mark.slow
def test_tensorflow_comes_seeded_and_quietly_but_for_real_errors():
    done = run(
        "from utils import runtime; runtime.setup(seed=7); tf = runtime.import_tensorflow(); "
        "print(tf.random.uniform([2]).numpy().tolist()); raise SystemError('seen')"
    )
    assert done.stderr.startswith("Traceback (most recent call last):\n")
    assert done.stderr.endswith("\nSystemError: seen\n")
    assert len(done.stderr.splitlines()) <= 4  # what was raised, and nothing else
    runtime.setup(seed=7)
    here = runtime.import_tensorflow().random.uniform([2]).numpy().tolist()
    assert done.stdout == f"{here}\n"


# ── triton before TensorFlow ──

# what the entries need of the real packages; each says who was there before it
STUBS = {
    "triton/__init__.py": "import sys; print('triton', 'tensorflow' in sys.modules)",
    "tensorflow/__init__.py": """
        import sys; print('tensorflow', 'triton' in sys.modules)
        import keras
        def constant(value): pass
    """,
    "tensorflow/python/pywrap_dlopen_global_flags.py": "",
    "keras/__init__.py": """
        import sys, types
        import tensorflow
        print('keras', 'triton' in sys.modules)
        callbacks = types.SimpleNamespace(Callback=object)
        utils = types.SimpleNamespace(set_random_seed=lambda seed: None)
        config = types.SimpleNamespace(
            backend=lambda: 'tensorflow', set_floatx=lambda name: None,
            set_image_data_format=lambda name: None,
        )
    """,
}
# every way by which TensorFlow comes into a process of the course
ENTRIES = {
    "import_tensorflow": "runtime.import_tensorflow()",
    "a learner's own TensorFlow": "runtime.setup(); import tensorflow",
    "a learner's own Keras": "runtime.setup(); import keras",
    "an exercise": "from utils.exercises import check; check('00.1', None); import tensorflow",
    "record": "from utils.training import History, record; record(History())",
}
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="triton is a package for Linux")


@pytest.fixture
def stubs(tmp_path):
    for name, code in STUBS.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(code), encoding="utf-8")
    return {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}


@on_linux
@pytest.mark.parametrize("entry", ENTRIES.values(), ids=ENTRIES)
def test_triton_comes_before_tensorflow(stubs, entry):
    done = run(f"from utils import runtime; {entry}", **stubs)
    spoken = [line for line in done.stdout.splitlines() if not line.startswith("○")]
    assert spoken == ["triton False", "tensorflow True", "keras True"], done.stderr
    assert done.stderr == ""


@pytest.mark.parametrize("system", ["darwin", "win32"])
def test_other_systems_load_no_triton(stubs, system):
    code = "import sys; from utils import runtime; import numpy; sys.platform = {!r}; {}"
    done = run(code.format(system, "runtime.setup(); runtime.import_tensorflow()"), **stubs)
    assert done.stdout == "tensorflow False\nkeras False\n", done.stderr


def test_without_triton_nothing_is_loaded(stubs):
    absent = "import sys; sys.modules['triton'] = None; "
    done = run(absent + "from utils import runtime; runtime.setup(); import tensorflow", **stubs)
    assert done.stdout == "tensorflow True\nkeras True\n", done.stderr  # they see the None
    assert done.stderr == ""


@on_linux
def test_a_broken_triton_is_as_good_as_none(stubs, tmp_path):
    (tmp_path / "triton" / "__init__.py").write_text("raise ImportError('no libtriton.so')")
    done = run("from utils import runtime; runtime.setup(); import tensorflow", **stubs)
    assert done.stdout == "tensorflow False\nkeras False\n", done.stderr
    assert done.stderr == ""


@on_linux
def test_triton_is_hidden_where_tensorflow_came_first(stubs):
    code = (
        "import tensorflow; from utils import runtime; runtime.setup(); runtime.setup(); "
        "from importlib.util import find_spec; print(find_spec('triton')); import triton"
    )
    done = run(code, **stubs)
    assert done.stdout == "tensorflow False\nkeras False\nNone\n"
    assert done.stderr.count("restart the kernel and call setup() first") == 1
    assert "import of triton halted" in done.stderr  # what PyTorch takes for "not installed"


@on_linux
@pytest.mark.parametrize(
    ("release", "leaks", "hidden"),
    [("3.7.1", True, True), ("4.0.0", True, True), ("3.6.0", True, False), ("3.7.1", False, False)],
)
def test_triton_is_hidden_only_where_it_would_crash(stubs, tmp_path, release, leaks, hidden):
    about = tmp_path / f"triton-{release}.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: triton\nVersion: {release}\n")
    if not leaks:  # as TensorFlow's builds were before 2.20 and will be after 2.21
        (tmp_path / "tensorflow/python/pywrap_dlopen_global_flags.py").unlink()
    code = "import tensorflow; from utils import runtime; runtime.setup(); "
    done = run(code + "print(runtime.triton_is_hidden())", **stubs)
    assert done.stdout.endswith(f"{hidden}\n")
    assert bool(done.stderr) == hidden


def imports(tree):
    """Return the names that a syntax tree imports when it runs."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            node.body.clear()
        elif isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.append(node.module)
    return found


def test_nobody_else_brings_tensorflow():
    sources = {path: path.read_text(encoding="utf-8") for path in ROOT.glob("[ut]*/**/*.py")}
    for path in CHAPTERS.glob("[0-9]*.ipynb"):  # an appendix has no code
        code = [c.source for c in nbformat.read(path, as_version=4).cells if c.cell_type == "code"]
        setup = next(i for i, source in enumerate(code) if "setup(seed=0)" in source)
        sources[path] = "\n".join(code[: setup + 1])  # what follows is a learner's own import
    assert len(sources) > 100
    bringers = {
        path.relative_to(ROOT).as_posix()
        for path, source in sources.items()
        for name in imports(ast.parse(source))
        if name.partition(".")[0] in ("tensorflow", "keras")
    }
    # `record`, one of the entries, and solutions that are read and run where TensorFlow is loaded
    solutions = {f"utils/exercises/chapter_{number}.py" for number in ("07", "14")}
    assert bringers == {"utils/training.py"} | solutions


# ── the Keras that the chapters speak of ──


@pytest.mark.slow
def test_the_wishes_of_other_projects_do_not_reach_keras(tmp_path):
    wishes = '{"backend": "torch", "floatx": "float16", "image_data_format": "channels_first"}'
    (tmp_path / "keras.json").write_text(wishes)
    code = (
        "from utils import runtime; config = runtime.import_tensorflow().keras.config; "
        "print(config.backend(), config.floatx(), config.image_data_format())"
    )
    done = run(code, KERAS_HOME=str(tmp_path), KERAS_BACKEND="torch", TF_USE_LEGACY_KERAS="1")
    assert done.stdout == "tensorflow float32 channels_last\n", done.stderr


@pytest.mark.slow
def test_a_keras_that_came_for_another_backend_is_refused():
    code = "import keras; from utils import runtime; runtime.import_tensorflow()"
    done = run(code, KERAS_BACKEND="torch")
    assert "ImportError: Keras was imported for torch before the course; restart" in done.stderr


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


def test_a_process_of_its_own_does_not_run_the_readers_program_again(tmp_path):
    script = tmp_path / "program.py"
    script.write_text(
        "import math, os, sys\n"
        "from utils.runtime import in_own_process\n"
        "print('once')\n"
        "del sys.modules['__main__'].__spec__  # as %reset does\n"
        "print(in_own_process(math.sqrt, 4.0), in_own_process(os.getpid) == os.getpid())\n"
        "try:\n"
        "    in_own_process(math.sqrt, -1.0)\n"
        "except ValueError as error:\n"
        "    print(error)\n"
    )
    done = run(f"import runpy, sys; runpy.run_path({str(script)!r}, run_name='__main__')")
    assert done.stdout.splitlines()[:2] == ["once", "2.0 False"], done.stderr
    assert len(done.stdout.splitlines()) == 3


@pytest.mark.parametrize("place", ["colab", "binder", "laptop"])
def test_packages_are_brought_to_colab_alone(monkeypatch, place):
    commands = []
    monkeypatch.setattr(runtime, "where", lambda: place)
    monkeypatch.setattr(subprocess, "run", lambda command, check: commands.append(command))
    runtime.bring_to_colab("one", "two")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "one", "two"]
    assert commands == ([pip] if place == "colab" else [])
