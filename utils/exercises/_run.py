"""Run a learner's code so that nothing it does can take the notebook down."""

from __future__ import annotations

import _thread
import ctypes
import functools
import sys
import threading
import time
import traceback
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

T = TypeVar("T")
_SLICE = 0.02  # s; Windows answers Ctrl+C only between two waits
_set_async_exception = ctypes.PYFUNCTYPE(None, ctypes.c_ulong, ctypes.py_object)(
    ("PyThreadState_SetAsyncExc", ctypes.pythonapi)
)


class Stop(SystemExit):
    """Raised inside the worker to end it; as a SystemExit it never prints a traceback."""


class TimedOut(Exception):
    """The task took longer than its limit.

    Attributes:
        stack: where the worker was when the time was up, outermost call first.
        stopped: True if the worker ended when told to; False if it hangs in a call outside Python.

    """

    def __init__(self, stack: traceback.StackSummary, stopped: bool):
        super().__init__("stopped" if stopped else "still running")
        self.stack, self.stopped = stack, stopped


def run(task: Callable[[], T], limit: float, *, grace: float = 1.0) -> T:
    """Return ``task()``, worked out in a thread of its own within `limit` seconds.

    A task that is too slow is interrupted, again and again for `grace` seconds. An interrupt goes
    to the worker alone and dies with it. Interrupting the kernel interrupts the worker too.

    Raises:
        TimedOut: the limit has passed.
        BaseException: whatever the task raised, unchanged.

    """
    outcome: dict[str, Any] = {}
    done = threading.Event()

    def work() -> None:
        try:
            outcome["value"] = task()
        except BaseException as error:
            outcome["error"] = error
        done.set()

    # Not a threading.Thread: that tidies up behind itself, and an interrupt could strike there.
    worker = _thread.start_new_thread(work, ())
    end = time.monotonic() + limit
    try:
        while not done.wait(_SLICE) and time.monotonic() < end:
            pass
    except BaseException:
        _stop(worker, outcome, grace)
        raise
    if not outcome:
        frame = sys._current_frames().get(worker)
        stack = traceback.extract_stack(frame) if frame else traceback.StackSummary()
        raise TimedOut(stack, stopped=_stop(worker, outcome, grace))
    if "error" in outcome:
        raise outcome["error"]
    return outcome["value"]


def _stop(thread: int, outcome: Mapping[str, Any], grace: float) -> bool:
    """Interrupt `thread` until its task ends or `grace` seconds have passed; True if it ended."""
    # `while True: try: … except: pass` swallows an interrupt, so each brings a second one: sent
    # while the first is being made, it strikes at the next step, behind the `except`. It is sent
    # from plain C, for Python code would be struck itself.
    send_second = functools.partial(_set_async_exception, thread, Stop)
    first = type("Stop", (Stop,), {"__init__": staticmethod(send_second)})
    end = time.monotonic() + grace
    while thread in sys._current_frames() and not outcome:
        if time.monotonic() > end:
            return False
        _set_async_exception(thread, first)
        time.sleep(_SLICE)
    return True
