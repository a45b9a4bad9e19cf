"""Where the course runs: seed, device, budget, folders; only this file reads the environment."""

from __future__ import annotations

import importlib
import os
import random
import subprocess
import sys
import warnings
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, suppress
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TextIO

    import numpy as np

APP = "deep-learning-live"
BUDGETS = ("smoke", "quick", "full")
PLAIN = {"✔": "[ok]", "✘": "[wrong]", "○": "[open]", "⚠": "[!]", "→": "->", "−": "-", "─": "-"}
Budget = Literal["smoke", "quick", "full"]
T = TypeVar("T")

_seed = 0


def setup(seed: int = 0) -> np.random.Generator:
    """Make a chapter repeatable and return its random generator.

    Seeds Python, NumPy's old global state and every framework that is already imported;
    `import_tensorflow` seeds TensorFlow when it comes later. After `setup` a plain
    ``import tensorflow`` is safe, too: see `prepare_tensorflow`.

    Raises:
        ImportError: another package named ``utils`` hides the course's own.
        ValueError: `seed` is not an integer in [0, 2³²).

    """
    import numpy as np

    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**32:
        raise ValueError(f"seed must be an integer from 0 to 2³² − 1, got {seed!r}")
    ours, found = Path(__file__).parent, Path(sys.modules["utils"].__file__ or "").parent
    if not ours.samefile(found):
        raise ImportError(
            f"'utils' was imported from {found}, not from the course ({ours}); "
            f"restart the kernel and put {ours.parent} first on sys.path"
        )
    prepare_tensorflow()
    global _seed
    _seed = seed
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - libraries that draw from the global state
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(seed)
    if "tensorflow" in sys.modules:
        sys.modules["tensorflow"].keras.utils.set_random_seed(seed)
    return np.random.default_rng(seed)


def budget() -> Budget:
    """How much to train: ``smoke`` (one step, nothing judged), ``quick`` (CPU) or ``full`` (GPU).

    `COURSE_BUDGET` decides; without it a GPU gets ``full`` and a CPU ``quick``.

    Raises:
        ValueError: `COURSE_BUDGET` holds another word.

    """
    name = os.environ.get("COURSE_BUDGET") or ("quick" if device() == "cpu" else "full")
    if name not in BUDGETS:
        raise ValueError(f"COURSE_BUDGET must be one of {', '.join(BUDGETS)}; it is {name!r}")
    return name


def by_budget(*, smoke: T, quick: T, full: T | None = None) -> T:
    """Pick the value for the present budget; ``full`` falls back to ``quick``."""
    chosen = budget()
    if chosen == "full" and full is not None:
        return full
    return smoke if chosen == "smoke" else quick


def is_smoke() -> bool:
    """Whether claims are to be shown but not judged; asks for no device and imports nothing."""
    return os.environ.get("COURSE_BUDGET") == "smoke"


def device() -> str:
    """``cuda``, ``mps`` or ``cpu``: the fastest device PyTorch finds; `COURSE_DEVICE` overrides."""
    forced = os.environ.get("COURSE_DEVICE")
    if forced:
        return forced
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def wants_full_data() -> bool:
    """Whether `COURSE_DATA` asks for the full public data sets.

    Raises:
        ValueError: `COURSE_DATA` is neither empty, ``embedded`` nor ``full``.

    """
    wish = os.environ.get("COURSE_DATA") or "embedded"
    if wish not in ("embedded", "full"):
        raise ValueError(f"COURSE_DATA must be embedded or full; it is {wish!r}")
    return wish == "full"


def data_mirror() -> str | None:
    """The address of a class server that is asked first (`COURSE_DATA_MIRROR`), or None."""
    return os.environ.get("COURSE_DATA_MIRROR") or None


def cache_dir() -> Path:
    """Where downloads are kept: the user's cache directory, or `COURSE_CACHE`.

    Raises:
        OSError: this user has no home directory, and the variable is not set.

    """
    return _user_dir("COURSE_CACHE", "user_cache_dir")


def home_dir() -> Path:
    """Where the learner's progress is kept: the user's data directory, or `COURSE_HOME`.

    Raises:
        OSError: this user has no home directory, and the variable is not set.

    """
    return _user_dir("COURSE_HOME", "user_data_dir")


def _user_dir(variable: str, kind: str) -> Path:
    import platformdirs

    chosen = os.environ.get(variable)
    try:
        return Path(chosen or getattr(platformdirs, kind)(APP))
    except RuntimeError:  # neither HOME nor an entry in the list of users
        raise FileNotFoundError(f"this user has no home directory; set {variable}") from None


def where() -> Literal["colab", "binder", "laptop"]:
    """Which kind of place runs this kernel; a class server counts as a laptop."""
    if "google.colab" in sys.modules:
        return "colab"
    return "binder" if "BINDER_SERVICE_HOST" in os.environ else "laptop"


def bring_to_colab(*packages: str) -> None:
    """Install what one chapter alone needs and Colab lacks, without what else it asks for.

    Elsewhere the course has been installed with all its packages, and nothing is done.
    """
    if where() == "colab":
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
        subprocess.run([*pip, *packages], check=True)


def say(text: str, stream: TextIO | None = None) -> None:
    """Print `text`; a console without ✔ and the like in its code page gets plain signs instead."""
    stream = stream or sys.stdout
    encoding = getattr(stream, "encoding", None) or "utf-8"
    print("".join(_in_code_page(sign, encoding) for sign in text), file=stream)


def _in_code_page(sign: str, encoding: str) -> str:
    try:
        sign.encode(encoding)
    except UnicodeEncodeError:
        return PLAIN.get(sign, "?")
    return sign


def shows_progress() -> bool:
    """Whether progress bars are wanted: never where the output is captured by a test."""
    return "COURSE_QUIET" not in os.environ


def prepare_tensorflow() -> None:
    """Make the coming import of TensorFlow safe, whoever asks for it.

    *triton first.* PyTorch's builds for GPUs bring triton and load it with the first optimizer. If
    TensorFlow came before, its LLVM lies in the global symbol table, and triton's start ends in a
    segmentation fault; in the other order both work. Where TensorFlow is there already, triton is
    hidden and a warning says so: PyTorch does without it, but for ``torch.compile`` on a GPU.
    Source: https://github.com/tensorflow/tensorflow/issues/124205

    *GPU memory as it is needed.* TensorFlow would take nearly all of it at its start and leave
    PyTorch none. *The Keras that the chapters speak of*: version 3 on TensorFlow, whatever the
    reader's other projects ask for.
    """
    if "tensorflow" not in sys.modules:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
        os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
        os.environ.update(KERAS_BACKEND="tensorflow", TF_USE_LEGACY_KERAS="0")
        if sys.platform == "linux" and find_spec("triton"):
            with suppress(ImportError):  # a broken one is as good as none, for PyTorch too
                importlib.import_module("triton")
    elif "triton" not in sys.modules and triton_clashes():
        sys.modules["triton"] = None  # type: ignore[assignment] - an import of it now fails
        warnings.warn(
            "TensorFlow was imported before setup(), so PyTorch goes on without triton. To have "
            "both, restart the kernel and call setup() first.",
            stacklevel=3,
        )


def triton_clashes() -> bool:
    """Whether the triton and the TensorFlow that are installed crash if TensorFlow comes first.

    So it is with triton ≥ 3.7 and those builds of TensorFlow that load their symbols globally.
    """
    triton, tensorflow = find_spec("triton"), find_spec("tensorflow")
    if sys.platform != "linux" or not triton or not tensorflow:
        return False
    try:
        major, minor = version("triton").split(".")[:2]
    except PackageNotFoundError:  # of unknown age
        major, minor = "3", "7"
    symbols_global = Path(tensorflow.origin or "").parent / "python/pywrap_dlopen_global_flags.py"
    return symbols_global.exists() and (int(major), int(minor)) >= (3, 7)


def triton_is_hidden() -> bool:
    """Whether `prepare_tensorflow` came too late and had to hide triton from PyTorch."""
    return "triton" in sys.modules and sys.modules["triton"] is None


def import_tensorflow() -> ModuleType:
    """Import TensorFlow without its start-up chatter and seed it.

    Its C++ part writes to file descriptor 2 whatever the log level says, so the descriptor itself
    points elsewhere during the import; Python errors and warnings are not touched.

    Raises:
        ImportError: Keras was imported earlier, for another backend.

    """
    prepare_tensorflow()
    keras = sys.modules.get("keras")
    if keras and keras.config.backend() != "tensorflow":
        raise ImportError(
            f"Keras was imported for {keras.config.backend()} before the course; "
            "restart the kernel and run the set-up cell first"
        )
    first = "tensorflow" not in sys.modules
    with _silent_descriptor(2), warnings.catch_warnings():
        tensorflow = importlib.import_module("tensorflow")
        keras = tensorflow.keras
        if first:  # a file in the reader's home may say otherwise
            keras.config.set_floatx("float32")
            keras.config.set_image_data_format("channels_last")
        keras.utils.set_random_seed(_seed)
        tensorflow.constant(0.0)  # starts the runtime, which has its own greeting
    return tensorflow


def in_own_process(function: Callable[..., T], *arguments: Any) -> T:
    """Return ``function(*arguments)``, computed in a process of its own that ends afterward.

    TensorFlow beside PyTorch would take half a gigabyte. Function and arguments are pickled, so the
    function must be one of a module, not of the notebook.
    """
    # the process need not run the reader's own program, which after %reset cannot be asked for
    main, sys.modules["__main__"] = sys.modules["__main__"], ModuleType("__main__")
    try:
        with ProcessPoolExecutor(1, get_context("spawn")) as pool:
            return pool.submit(function, *arguments).result()
    finally:
        sys.modules["__main__"] = main


@contextmanager
def _silent_descriptor(number: int) -> Iterator[None]:
    kept = os.dup(number)
    sink = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(sink, number)
        yield
    finally:
        os.dup2(kept, number)
        os.close(kept)
        os.close(sink)
