"""One front end for tests and refresh: it runs cells as JupyterLab does and hides no error."""

from __future__ import annotations

import asyncio
import os
import re
from contextlib import contextmanager
from pathlib import Path
from subprocess import DEVNULL
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import nbformat
import zmq
from jupyter_client import AsyncKernelClient, AsyncKernelManager
from jupyter_client.channels import AsyncZMQSocketChannel
from jupyter_core.utils import run_sync
from nbclient import NotebookClient
from nbclient.exceptions import DeadKernelError
from nbval.kernel import CURRENT_ENV_KERNEL_NAME, NbvalKernelspecManager
from traitlets import Type

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nbformat import NotebookNode

ROOT = Path(__file__).parents[2]
CHAPTERS = ROOT / "chapters"
COLOR = re.compile(r"\x1b\[[\d;]*m")
# one thread rounds alike on any number of cores, and a busy machine does not spin
ONE_THREAD = {"OMP_NUM_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "1"}
FRONT_END_TIMEOUT = 60  # seconds for the outputs of a finished cell to arrive


def environment(scratch: str) -> dict[str, str]:
    """Return the environment in which notebooks are run, tested and refreshed alike.

    Everything a run keeps goes to `scratch`; a ``COURSE_BUDGET`` that is given stays.
    """
    # the last two would make a test's kernel hide what C code prints, and show no figures
    ours = ("COURSE_", "PYTEST_CURRENT_TEST", "MPLBACKEND")
    env = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    path = [str(ROOT), *env.get("PYTHONPATH", "").split(os.pathsep)]
    return env | {
        "COURSE_BUDGET": os.environ.get("COURSE_BUDGET") or "quick",
        "COURSE_CACHE": str(Path(scratch, "cache")),
        "COURSE_DATA": "embedded",
        "COURSE_DEVICE": "cpu",
        "COURSE_HOME": str(Path(scratch, "home")),
        "COURSE_QUIET": "1",
        "IPYTHONDIR": str(Path(scratch, "ipython")),
        **ONE_THREAD,
        "PYTHONHASHSEED": "0",
        "PYTHONPATH": os.pathsep.join(filter(None, path)),
    }


class ShellChannel(AsyncZMQSocketChannel):
    """A channel whose waiting reader hears of a reply that came in while it sent."""

    def send(self, msg: dict) -> None:
        """Send a message, then ask for events.

        ZeroMQ signals news once, and sending takes the signal. An Output widget sends while its
        cell's reply is awaited; without the question that reply is seen when the cell's time is up.
        """
        super().send(msg)
        self.socket.get(zmq.EVENTS)


class KernelClient(AsyncKernelClient):
    """A client of a kernel that loses no reply."""

    shell_channel_class = Type(ShellChannel)


class FrontEnd(NotebookClient):
    """Runs a notebook's cells in a kernel of this Python and keeps their outputs in `nb`.

    `clear_output`, `update_display_data` and Output widgets act as they do on a page. What an
    Output widget would hide is kept too: `errors` holds every exception that was shown and
    `stderr` every line printed there, since the last `run`.
    """

    def __init__(self, nb: NotebookNode, timeout: float | None = None):
        manager = AsyncKernelManager(
            client_factory=KernelClient,
            kernel_name=CURRENT_ENV_KERNEL_NAME,
            kernel_spec_manager=NbvalKernelspecManager(),
        )
        super().__init__(
            nb,
            manager,
            allow_errors=True,  # they are judged here, with those that Output widgets caught
            coalesce_streams=True,
            iopub_timeout=FRONT_END_TIMEOUT,
            record_timing=False,
            shutdown_kernel="immediate",
            timeout=max(1, round(timeout)) if timeout else None,
        )
        self.errors: list[dict] = []
        self.stderr = ""
        self._cell_count = len(nb.cells)
        self._shown_in: dict[str, int] = {}  # display id → index of its cell

    @contextmanager
    def kernel(self, folder: Path, **variables: str) -> Iterator[FrontEnd]:
        """Start a kernel in `folder`, with nothing kept from earlier runs, and stop it after.

        `variables` are added to the kernel's `environment`.
        """
        with TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
            kernel_env = environment(scratch) | variables
            how = {"cwd": str(folder), "env": kernel_env, "stderr": DEVNULL}  # start-up chatter
            with self.setup_kernel(**how, cleanup_kc=True):
                yield self

    def run(self, index: int) -> NotebookNode:
        """Run the cell `nb.cells[index]` and return it with its outputs.

        Raises:
            nbclient.exceptions.DeadKernelError: the kernel died.
            nbclient.exceptions.CellTimeoutError: the cell took longer than the time-out.

        """
        self.errors, self.stderr = [], ""
        return self.execute_cell(self.nb.cells[index], index)

    def send_to_widget(self, comm_id: str, data: dict) -> None:
        """Send a widget's model what its view would send, and wait until the kernel has done it.

        Raises:
            nbclient.exceptions.DeadKernelError: the kernel died.
            TimeoutError: the kernel did not finish within the time-out.

        """
        self.errors, self.stderr = [], ""
        message = self.kc.session.msg("comm_msg", {"comm_id": comm_id, "data": data})
        self.kc.shell_channel.send(message)
        self._wait_until_idle(message["header"]["msg_id"])

    async def _async_wait_until_idle(self, message_id: str) -> None:
        self.nb.cells.append(nbformat.v4.new_code_cell())  # takes what the callbacks show
        answers = self._async_poll_output_msg(message_id, self.nb.cells[-1], len(self.nb.cells) - 1)
        # nbclient's watch over the kernel cancels this task when the kernel is dead
        self.task_poll_for_reply = asyncio.ensure_future(answers)
        watch = asyncio.ensure_future(self._async_poll_kernel_alive())
        try:
            await asyncio.wait_for(self.task_poll_for_reply, self.timeout)
        except asyncio.CancelledError:
            raise DeadKernelError("Kernel died") from None
        finally:
            watch.cancel()

    _wait_until_idle = run_sync(_async_wait_until_idle)

    def process_message(self, msg: dict, cell: NotebookNode, cell_index: int):
        """Handle a message of the kernel; a display belongs to the cell that shows it first."""
        display_id = (msg["content"].get("transient") or {}).get("display_id")
        if display_id and msg["msg_type"] != "update_display_data":
            self._shown_in.setdefault(display_id, cell_index)
        is_callback = cell_index >= self._cell_count
        if not is_callback and self._shown_in.get(display_id, cell_index) != cell_index:
            self._add_error(
                "DisplayError", f"the display {display_id!r} of an earlier cell is updated here"
            )
            return None
        return super().process_message(msg, cell, cell_index)

    def output(self, outs: list, msg: dict, display_id: str | None, cell_index: int):
        """Place an output on the page; errors and stderr are also kept when a widget takes them."""
        content = msg["content"]
        if msg["msg_type"] == "error":
            self._add_error(content["ename"], content["evalue"], content["traceback"])
        elif msg["msg_type"] == "stream" and content["name"] == "stderr":
            self.stderr += content["text"]
        return super().output(outs, msg, display_id, cell_index)

    def _add_error(self, name: str, value: str, traceback: list[str] | None = None) -> None:
        lines = COLOR.sub("", "\n".join(traceback or [f"{name}: {value}"]))
        self.errors.append({"name": name, "value": value, "traceback": lines})
