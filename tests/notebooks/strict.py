"""Make nbval strict and just: ``pytest -p tests.notebooks.strict --nbval … chapters``.

nbval 0.11 collects the notebooks and reports; the cells are run by `FrontEnd` and judged by
`differences`, the same code with which ``make refresh`` makes the stored outputs.
"""

from __future__ import annotations

import copy
import os
import re
import time
from contextlib import ExitStack
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbval
import psutil
import pytest
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbval.plugin import IPyNbCell, IPyNbFile

from tests.notebooks.compare import SANITIZE, differences
from tests.notebooks.controls import moves
from tests.notebooks.execute import FrontEnd

if TYPE_CHECKING:
    from collections.abc import Iterator

if nbval.__version__ != "0.11.0":
    raise ImportError(
        f"tests/notebooks/strict.py replaces parts of nbval 0.11.0, found {nbval.__version__}; "
        "install 0.11.0, or read nbval's new source and adapt strict.py"
    )

GRACE = 60  # seconds that pytest-timeout leaves a cell after nbval's own time-out
_costs: list[Cost] = []


@dataclass(frozen=True)
class Cost:
    """What one notebook took."""

    notebook: str
    seconds: float
    megabytes: float


def start_kernel(file: IPyNbFile) -> None:
    """Start the notebook's kernel; replaces `IPyNbFile.setup`."""
    # nbval's own client ignores a final ";", Output widgets, clear_output and display updates
    file.begun = time.perf_counter()
    front_end = FrontEnd(copy.deepcopy(file.nb), timeout=file.config.option.nbval_cell_timeout)
    file.closing = ExitStack()
    file.kernel = file.closing.enter_context(front_end.kernel(file.path.parent))
    file.ended = None  # why no further cell can run
    file.setup_sanitize_files()


def stop_kernel(file: IPyNbFile) -> None:
    """Stop the kernel and note what the notebook cost; replaces `IPyNbFile.teardown`."""
    if file.kernel is None:
        return
    memory = 0.0 if file.ended else peak_memory(file.kernel.km.provisioner.pid)
    file.closing.close()
    seconds = time.perf_counter() - file.begun
    _costs.append(Cost(file.path.name, seconds, memory))


def run_cell(item: IPyNbCell) -> None:
    """Run one cell and judge it; replaces `IPyNbCell.runtest`."""
    if item.options["skip"]:
        pytest.skip("tagged nbval-skip")
    file = item.parent
    if file.ended:
        item.raise_cell_error(f"Not run, because {file.ended}")
    client = file.kernel
    try:
        fresh = client.run(_position(item)).outputs
    except DeadKernelError:
        file.ended = "the kernel died in an earlier cell"
        item.raise_cell_error("The kernel died")
    except CellTimeoutError:
        file.ended = "an earlier cell timed out"
        item.raise_cell_error(f"Not finished after {client.timeout} seconds")
    # an exception inside a widget's callback ends in its Output widget, not in the cell's reply
    if client.errors:
        text = "\n".join(error["traceback"] for error in client.errors)
        item.raise_cell_error("Cell execution caused an exception", text)
    # nbval would compare stderr like any other text and let a widget swallow it
    if client.stderr != _stored_stderr(item):
        item.raise_cell_error("Printed on stderr", client.stderr)
    # with the smoke budget nothing is trained, so that no output can be as stored
    if item.options["check"] and os.environ.get("COURSE_BUDGET") != "smoke":
        # nbval disregards the order of outputs, pictures, and cells without an execution count
        unlike = differences(item.cell.outputs, fresh, file.sanitize_patterns)
        if unlike:
            item.raise_cell_error("Cell outputs differ", "\n".join(unlike))


class Controls(pytest.Item):
    """The notebook's last test: every control is moved, and no callback may fail."""

    def runtest(self) -> None:
        file, front_end = self.parent, self.parent.kernel
        if file.ended:
            pytest.fail(f"Not run, because {file.ended}", pytrace=False)
        controls = {comm: moves(state) for comm, state in front_end.widget_state.items()}
        for comm_id, messages in controls.items():
            for message in messages:
                try:
                    front_end.send_to_widget(comm_id, message)
                    trouble = [error["traceback"] for error in front_end.errors]
                    trouble += [front_end.stderr] if front_end.stderr else []
                except (DeadKernelError, TimeoutError) as error:
                    file.ended, trouble = "a callback did not end", [repr(error)]
                if trouble:
                    name = front_end.widget_state[comm_id].get("_model_name")
                    trouble.insert(0, f"A callback failed: {name} got {message}")
                    pytest.fail("\n".join(trouble), pytrace=False)

    def reportinfo(self) -> tuple[Path, int, str]:
        return self.path, 0, f"{self.path.name}::{self.name}"


def collect_with_controls(file: IPyNbFile) -> Iterator[pytest.Item]:
    """Yield nbval's tests of the cells, then `Controls`; replaces `IPyNbFile.collect`."""
    # no cell sees what happens when a reader moves a slider
    yield from collect_cells(file)
    yield Controls.from_parent(file, name="Controls")


def peak_memory(pid: int) -> float:
    """Peak resident memory of a process in MB; the present one where the system keeps no peak."""
    status = Path(f"/proc/{pid}/status")
    peak = re.search(r"VmHWM:\s+(\d+) kB", status.read_text()) if status.exists() else None
    return int(peak[1]) / 1024 if peak else psutil.Process(pid).memory_info().rss / 2**20


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take over what the notebooks of one of several processes have cost."""
    _costs.extend(Cost(*cost) for cost in getattr(node, "workeroutput", {}).get("costs", ()))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """In one of several processes: hand over what its notebooks have cost."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["costs"] = [astuple(cost) for cost in _costs]


def _position(item: IPyNbCell) -> int:
    cells = item.parent.nb.cells
    return [i for i, cell in enumerate(cells) if cell.cell_type == "code"][item.cell_num]


def _stored_stderr(item: IPyNbCell) -> str:
    return "".join(out.text for out in item.cell.outputs if out.get("name") == "stderr")


collect_cells = IPyNbFile.collect
IPyNbFile.collect = collect_with_controls
IPyNbFile.setup = start_kernel
IPyNbFile.teardown = stop_kernel
IPyNbCell.runtest = run_cell
# nbval expects a cell after a time-out to fail; here it fails with its reason
IPyNbCell.setup = lambda item: None


def pytest_configure(config: pytest.Config) -> None:
    """Mask measured values even if the command line names no sanitizer file."""
    if config.option.nbval_sanitize_with is None:
        config.option.nbval_sanitize_with = str(SANITIZE)


def pytest_itemcollected(item: pytest.Item) -> None:
    """Let nbval's time-out for a cell, not pytest-timeout's for a test, end a long cell."""
    if isinstance(item, IPyNbCell | Controls):
        item.add_marker(pytest.mark.timeout(item.config.option.nbval_cell_timeout + GRACE))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """List the notebooks by time, with the memory of their kernels."""
    if not _costs:
        return
    terminalreporter.section("notebooks: seconds, peak memory of the kernel in MB")
    for cost in sorted(_costs, key=lambda cost: -cost.seconds):
        line = f"{cost.seconds:8.1f} s {cost.megabytes:8.0f} MB   {cost.notebook}"
        terminalreporter.write_line(line)
    total = sum(cost.seconds for cost in _costs)
    terminalreporter.write_line(f"{total:8.1f} s in all")
