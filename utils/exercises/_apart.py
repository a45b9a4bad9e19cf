"""Judge an answer where it can do no harm: in a child of this process, if the system can fork.

`_run.run` stops code that comes back to Python now and then. What it cannot stop, such as
``sum(range(6 * 10**9))``, and what ends Python itself, ends the child and not the notebook. Where
there is no fork that is safe beside NumPy's threads (macOS, Windows) the guards still hold.
"""

from __future__ import annotations

import builtins
import io
import os
import pickle
import select
import signal
import sys
import time
import warnings
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any
from unittest import mock

from utils.exercises._exercise import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Judge = Callable[[], Verdict]

LINES = 30  # of what an answer prints are shown
MOST_LINES = 10_000  # may be printed
DEPTH = 10_000  # calls within calls that Python survives
SLACK = 3.0  # s that a child has beyond the limit, to stop by itself and to tell about it
REPLACEABLE = ("builtins", "math", "numpy", "numpy.linalg", "numpy.random")


def judge_apart(judge: Judge, limit: float) -> Verdict:
    """The verdict of ``judge()``, which itself keeps to `limit` seconds where it can.

    Prints what the judged code prints, up to `LINES` lines.

    Raises:
        KeyboardInterrupt: the user interrupted; the child is ended.

    """
    replaced = replaced_functions()
    if replaced:
        return Verdict(
            "✘",
            f"{replaced[0]} is a function of yours now, which the check needs as it was: "
            "give yours another name and restart the kernel",
        )
    if sys.platform == "linux":
        verdict, printed = _in_a_child(judge, limit)
    else:
        verdict, printed = _guarded(judge)
    if printed:
        print(printed)
    return verdict


def replaced_functions() -> list[str]:
    """Functions of the libraries that the notebook has overwritten, as in ``np.sum = my_sum``."""
    return [
        f"{module.replace('numpy', 'np')}.{name}"
        for module in REPLACEABLE
        if module in sys.modules
        for name, value in list(vars(sys.modules[module]).items())
        if callable(value) and getattr(value, "__module__", None) == "__main__"
    ]


def _guarded(judge: Judge) -> tuple[Verdict, str]:
    """The verdict, and what was printed."""
    paper = _Paper()
    try:
        with _guards(paper):
            verdict = judge()
    except (Exception, SystemExit) as error:
        reason = "it contains itself" if isinstance(error, RecursionError) else repr(error)
        verdict = Verdict("✘", f"the check cannot read this answer: {reason}")
    return verdict, paper.text()


@contextmanager
def _guards(paper: _Paper) -> Iterator[None]:
    """No exit from the notebook, no recursion without end, no waiting for a keyboard."""
    depth, limit = sys.getrecursionlimit(), sys.setrecursionlimit
    with ExitStack() as stack:
        patch = stack.enter_context
        for stream in ("stdout", "stderr"):
            patch(mock.patch.object(sys, stream, paper))
        patch(mock.patch.object(builtins, "input", _no_input))
        patch(mock.patch.object(sys, "setrecursionlimit", lambda n: limit(min(n, DEPTH))))
        stack.callback(limit, depth)
        limit(min(depth, DEPTH))
        shell = _shell()
        if shell is not None:  # IPython's exit and quit raise nothing and shut the kernel down
            patch(mock.patch.object(shell, "ask_exit", _leave, create=True))
        yield


def _shell() -> Any:
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython else None


def _leave() -> None:
    raise SystemExit


def _no_input(prompt: object = "") -> str:
    raise EOFError("input() waits for a keyboard: take the function's arguments")


class _Paper(io.TextIOBase):
    """Takes what is printed and keeps the first lines."""

    def __init__(self) -> None:
        self._kept: list[str] = []
        self._lines = self._size = 0

    def write(self, text: str) -> int:
        """Keep or count.

        Raises:
            RuntimeError: it is too much.

        """
        if self._lines < LINES and self._size < 100 * LINES:
            self._kept.append(text[: 100 * LINES])
        self._lines += text.count("\n")
        self._size += len(text)
        if self._lines > MOST_LINES:
            raise RuntimeError(f"more than {MOST_LINES:,} lines are printed: take the print out")
        return len(text)

    def text(self) -> str:
        """The first lines, and how many more there were."""
        lines = "".join(self._kept).split("\n")[:LINES]
        more = self._lines - LINES
        return "\n".join(lines).rstrip("\n") + (f"\n… and {more:,} more lines" if more > 0 else "")


def _in_a_child(judge: Judge, limit: float) -> tuple[Verdict, str]:
    sys.stdout.flush()
    reader, writer = os.pipe()
    with warnings.catch_warnings():  # other threads of this process hold no lock that judging needs
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        os.close(reader)
        _work(judge, writer)
    os.close(writer)
    begun = time.monotonic()
    try:
        message = _read(reader, begun + limit + SLACK)
    finally:
        os.close(reader)
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        _, status, usage = os.wait4(child, 0)
    if message:
        return pickle.loads(message)  # this process wrote it
    if time.monotonic() < begun + limit + SLACK:
        cause = signal.Signals(os.WTERMSIG(status)).name if os.WIFSIGNALED(status) else "an exit"
        return Verdict("✘", f"this code ends Python itself, by {cause}"), ""
    if usage.ru_utime + usage.ru_stime < limit / 2:  # it waits for a thread that stayed behind
        return _guarded(judge)
    verdict = Verdict(
        "✘",
        f"no result after {limit:g} s, in one call that does not come back to Python: a sum, a "
        "range, a power or a regular expression that is far too long?",
    )
    return verdict, ""


def _work(judge: Judge, writer: int) -> None:
    """What the child does; it never returns."""
    try:
        with suppress(ValueError):  # not in the main thread
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends this process
        if "torch" in sys.modules:
            sys.modules["torch"].set_num_threads(1)  # the others stayed in the parent
        outcome = _guarded(judge)
        with os.fdopen(writer, "wb") as pipe:
            pickle.dump(outcome, pipe)
    finally:
        os._exit(0)


def _read(reader: int, deadline: float) -> bytes:
    """All that the child writes before `deadline`; nothing if it is late or dies."""
    message = b""
    while select.select([reader], [], [], max(0.0, deadline - time.monotonic()))[0]:
        part = os.read(reader, 1 << 16)
        if not part:
            return message
        message += part
    return b""
