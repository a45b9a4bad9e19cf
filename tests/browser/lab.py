"""JupyterLab in a real browser: start it, open a notebook, run it, play with it, look at it."""

from __future__ import annotations

import ast
import contextlib
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat

from tests.notebooks.execute import ONE_THREAD

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, ElementHandle, Locator, Page

ROOT = Path(__file__).parents[2]
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
SETTINGS = {
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    "apputils-extension/sessionDialogs": {"skipKernelRestartDialog": True},
    # cells out of sight stay in the page, and are neither laid out nor painted
    "notebook-extension/tracker": {"windowingMode": "contentVisibility"},
}
# JupyterLab asks a kernel for its widgets before one is imported, and for lost ones after a restart
COMM_NOISE = "No such comm"
# leaves a kernel as a fresh one, but for what it has imported
CLEAN = """
import sys
sys.modules["ipywidgets"].Widget.close_all() if "ipywidgets" in sys.modules else None
sys.modules["matplotlib.pyplot"].close("all") if "matplotlib.pyplot" in sys.modules else None
get_ipython().run_line_magic("reset", "-f")
"""
STRIP = 6000  # pixels; much taller pictures Chromium leaves blank in part
CONTROLS = "[role=slider], input, select"

# all that a widget shows, once it has drawn what is pending
PICTURE = """async (root) => {
  await new Promise(requestAnimationFrame);
  return root.querySelector(".panels").innerHTML
    + [...root.querySelectorAll("input, select")].map((node) => node.value).join();
}"""
# whether that is another than at the last question; the page itself compares
CHANGED = f"""async (root) => {{
  const [before, now] = [root.shown, await ({PICTURE})(root)];
  root.shown = now;
  return now !== before;
}}"""

# a stand-in for the kernel's side of a widget, as a web page without kernel has it
MODEL = """
  (state) => {
    const listeners = {};
    return {
      get: (key) => state[key],
      set: (key, value) => {
        state[key] = value;
        for (const listener of listeners[`change:${key}`] ?? []) listener();
      },
      on: (event, listener) => (listeners[event] ??= []).push(listener),
      off: (event, listener) => {
        listeners[event] = listeners[event].filter((other) => other !== listener);
      },
      save_changes: () => {},
    };
  }
"""


def find_chromium() -> str | None:
    """Return the program named by CHROMIUM, or the first known one on the PATH, or None."""
    names = (os.environ.get("CHROMIUM"), "chromium", "chromium-browser", "google-chrome")
    return next((found for name in names if name and (found := shutil.which(name))), None)


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """Start a headless browser."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS)
        yield browser
        browser.close()


class Lab:
    """A JupyterLab server of its own: own settings, own folder of notebooks.

    Attributes:
        kernel: the clean kernel that waits for the next notebook, if there is one.

    """

    def __init__(self, folder: Path, *, python: str = sys.executable, root: Path | None = None):
        """Start the server and wait until it answers.

        Args:
            folder: an empty folder for settings, log and, without `root`, notebooks.
            python: the interpreter that has JupyterLab and runs the kernels.
            root: the folder whose notebooks are served.

        Raises:
            RuntimeError: the server ended or did not answer; the message is its log.

        """
        self.root = root or folder / "notebooks"
        self.root.mkdir(parents=True, exist_ok=True)
        self.kernel: str | None = None
        self.token = secrets.token_hex(16)
        for name, values in SETTINGS.items():
            path = folder / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(values))
        variables = {
            "IPYTHONDIR": folder / "ipython",
            "JUPYTER_CONFIG_DIR": folder / "config",
            "JUPYTER_DATA_DIR": folder / "data",
            "JUPYTER_RUNTIME_DIR": folder / "runtime",
            "JUPYTERLAB_SETTINGS_DIR": folder / "settings",
            "JUPYTERLAB_WORKSPACES_DIR": folder / "workspaces",
            "JUPYTER_TOKEN": self.token,
            "PYTHONPATH": ROOT,
            "COURSE_BUDGET": "smoke",
            "PYDEVD_DISABLE_FILE_VALIDATION": "1",
            **ONE_THREAD,
        }
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        log = folder / "server.log"
        with log.open("w") as sink:
            self.process = subprocess.Popen(
                [
                    python,
                    "-m",
                    "jupyterlab",
                    "--no-browser",
                    "--allow-root",
                    "--ip=127.0.0.1",
                    f"--port={port}",
                    "--ServerApp.port_retries=0",
                    f"--ServerApp.root_dir={self.root}",
                    "--LabApp.extension_manager=readonly",
                    "--LabApp.expose_app_in_browser=True",
                ],
                env=os.environ | {name: str(value) for name, value in variables.items()},
                stdout=sink,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + 60
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f"JupyterLab did not start:\n{log.read_text()}")
            time.sleep(0.1)

    def _answers(self) -> bool:
        try:
            urllib.request.urlopen(f"{self.url}/api?token={self.token}", timeout=1).close()
        except (OSError, urllib.error.URLError):
            return False
        return True

    def write(self, name: str, *cells: str) -> str:
        """Write a notebook of code cells and return its path within the server's folder."""
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
        notebook.metadata["kernelspec"] = {
            "name": "python3",
            "display_name": "Python 3",
            "language": "python",
        }
        nbformat.write(notebook, self.root / f"{name}.ipynb")
        return f"{name}.ipynb"

    def stop(self) -> None:
        """End the server and its kernels."""
        self.process.terminate()
        self.process.wait(20)


class Notebook:
    """One notebook open in the browser; collects whatever went wrong in page and kernel."""

    def __init__(self, page: Page, lab: Lab, path: str):
        """Open the notebook in the kernel that the last one left, or in a new one."""
        self.page, self.lab, self.path = page, lab, path
        self.problems: list[str] = []
        page.on("pageerror", self._page_error)
        page.on("console", self._console)
        self.open()

    def take_problems(self) -> list[str]:
        """Return the problems so far and forget them: for tests that cause one."""
        taken, self.problems = self.problems, []
        return taken

    def _page_error(self, error: Any) -> None:
        self.problems.append(f"page: {error}")

    def _console(self, message: Any) -> None:
        if message.type == "error" and not message.text.startswith(COMM_NOISE):
            self.problems.append(f"console: {message.text} {message.location.get('url', '')}")

    def open(self) -> None:
        """Open the notebook anew, in a fresh page, and wait until its kernel is idle."""
        if self.page.url.startswith(self.lab.url):  # no need to load JupyterLab again
            kernel, self.lab.kernel = self.lab.kernel, None
            self.command("docmanager:open", path=self.path, kernel=kernel and {"id": kernel})
        else:
            self.page.goto(f"{self.lab.url}/lab/tree/{self.path}?token={self.lab.token}&reset")
        self.page.wait_for_function(
            "(path) => { const { currentWidget } = window.jupyterapp?.shell ?? {};"
            " return currentWidget?.context?.path === path"
            " && currentWidget.sessionContext.isReady && currentWidget.content.widgets?.length; }",
            arg=self.path,
        )
        self.page.wait_for_function(
            "jupyterapp.shell.currentWidget.sessionContext.session?.kernel?.status == 'idle'"
        )
        self.page.evaluate("""() => {
          jupyterapp.shell.collapseLeft();
          jupyterapp.shell.currentWidget.sessionContext.iopubMessage.connect((_, message) => {
            const { content, header } = message;
            const { ename, evalue, name, text } = content;
            if (header.msg_type === "error") console.error(`${ename}: ${evalue}`);
            if (header.msg_type === "stream" && name === "stderr") console.error(text);
          });
        }""")

    def command(self, name: str, **arguments: Any) -> None:
        """Execute a command of JupyterLab and wait for its end."""
        self.page.evaluate(
            "([name, arguments]) => jupyterapp.commands.execute(name, arguments).then(() => {})",
            [name, arguments],
        )

    def run_all(self) -> None:
        """Run all cells and wait for the last."""
        self.command("notebook:run-all-cells")
        self.settle()

    def restart_and_run_all(self) -> None:
        """Restart the kernel and run all cells, as the menu does."""
        self.command("notebook:restart-run-all")
        self.settle()

    def close(self) -> None:
        """Close the notebook, listen no more, and leave its kernel to the next, if it is idle."""
        self.page.remove_listener("pageerror", self._page_error)
        self.page.remove_listener("console", self._console)
        if self._is_idle(patience=10_000):
            self.kernel(CLEAN)
            self.lab.kernel = self.page.evaluate(
                "jupyterapp.shell.currentWidget.sessionContext.session.kernel.id"
            )
        self.page.evaluate(
            """async (isKept) => {
              const { currentWidget } = jupyterapp.shell;
              await currentWidget.context.save();
              if (!isKept) await currentWidget.sessionContext.shutdown();
              currentWidget.dispose();
            }""",
            self.lab.kernel is not None,
        )

    def _is_idle(self, patience: float) -> bool:
        """Whether the kernel is idle within so many milliseconds."""
        from playwright.sync_api import TimeoutError as Late

        try:
            self.page.wait_for_function(
                "jupyterapp.shell.currentWidget.sessionContext.session?.kernel?.status == 'idle'",
                timeout=patience,
            )
        except Late:
            return False
        return True

    def reload(self) -> None:
        """Load the page anew, as after a night's sleep; the kernel lives on."""
        self.page.goto("about:blank")
        self.open()

    def save(self) -> None:
        """Write the notebook to disk."""
        self.command("docmanager:save")

    def kernel(self, code: str, expression: str = "None") -> Any:
        """Run code in the kernel, outside any cell, and return the value of an expression.

        Raises:
            RuntimeError: the code failed.

        """
        reply = self.page.evaluate(
            """async ([code, value]) => {
              const { session } = jupyterapp.shell.currentWidget.sessionContext;
              const request = { code, store_history: false, user_expressions: { value } };
              return (await session.kernel.requestExecute(request).done).content;
            }""",
            [code, f"__import__('json').dumps({expression})"],
        )
        value = reply.get("user_expressions", {}).get("value", {})
        if reply["status"] != "ok" or value.get("status") != "ok":
            raise RuntimeError(f"{code!r} → {reply}")
        return json.loads(ast.literal_eval(value["data"]["text/plain"]))

    def settle(self) -> None:
        """Wait until browser and kernel have told each other all and the picture is painted."""
        frames(self.page)
        self.kernel("")  # answered only after all that was sent before
        frames(self.page)

    def heroes(self) -> Locator:
        """All hero widgets of the notebook."""
        return self.page.locator(".jp-NotebookPanel .dll-hero")

    def theme(self, name: str) -> None:
        """Switch to the theme ``light`` or ``dark``."""
        self.command("apputils:change-theme", theme=f"JupyterLab {name.title()}")
        self.page.wait_for_function(
            "light => document.body.dataset.jpThemeLight === light",
            arg=str(name == "light").lower(),
        )

    def screenshots(self, name: str) -> None:
        """Where pictures are wanted, keep the whole notebook in strips: both themes, two widths."""
        folder = pictures()
        if folder is None:
            return
        outer = self.page.locator(".jp-NotebookPanel:visible .jp-WindowedPanel-outer")
        for theme in ("dark", "light"):
            self.theme(theme)
            for width in (800, 1280):
                self.page.set_viewport_size({"width": width, "height": STRIP})
                frames(self.page)
                height, step = outer.evaluate("node => [node.scrollHeight, node.clientHeight]")
                for number, top in enumerate(range(0, height, step)):
                    outer.evaluate("(node, top) => { node.scrollTop = top; }", top)
                    frames(self.page)
                    path = folder / f"{name}-{theme}-{width}-{number}.png"
                    self.page.screenshot(path=path)
        self.page.set_viewport_size({"width": 1280, "height": 900})


def without_network(route: Any) -> None:
    """Refuse requests to the world, so that they are seen."""
    route.abort()


def pictures() -> Path | None:
    """Return the folder for screenshots that COURSE_SCREENSHOTS names, or None: they take time."""
    if not os.environ.get("COURSE_SCREENSHOTS"):
        return None
    folder = Path(os.environ["COURSE_SCREENSHOTS"])
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def frames(page: Page) -> None:
    """Wait for two painted frames."""
    page.evaluate("new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go)))")


def show_plain(page: Page, widget: Any) -> None:
    """Show a hero widget in a page without Jupyter and kernel; its model is ``window.model``."""
    state = {
        name: getattr(widget, name)
        for name in widget.trait_names(sync=True)
        if not name.startswith("_")
        and isinstance(getattr(widget, name), str | int | float | tuple | dict | None)
    }
    page.set_content(f"<style>{widget._css}</style><div id='here'></div>")
    page.evaluate(
        f"""async ([script, state]) => {{
          const source = URL.createObjectURL(new Blob([script], {{ type: "text/javascript" }}));
          const widget = (await import(source)).default;
          window.model = ({MODEL})(state);
          window.leave = widget.render({{ model, el: document.querySelector("#here") }});
        }}""",
        [str(widget._esm), state],
    )


def set_plain(page: Page, **state: Any) -> None:
    """Set the state of the widget shown by `show_plain` and wait for its picture."""
    page.evaluate(
        """async (state) => {
          for (const [key, value] of Object.entries(state)) model.set(key, value);
          await new Promise(requestAnimationFrame);
        }""",
        state,
    )


def state(page: Page, expression: str) -> Any:
    """Evaluate an expression with `model` in the page of `show_plain`, once a frame has passed.

    A widget hands a change on with the next frame.
    """
    page.evaluate("new Promise(requestAnimationFrame)")
    return page.evaluate(expression)


def expect_count(locator: Locator, count: int) -> None:
    """Wait until so many elements are there, no more and no less."""
    from playwright.sync_api import expect

    expect(locator).to_have_count(count)


def readout(hero: Locator) -> dict[str, float]:
    """Return the exact numbers behind a widget's readout."""
    return hero.evaluate("""(root) => Object.fromEntries([...root.querySelectorAll("[data-name]")]
      .map((node) => [node.dataset.name, Number(node.dataset.value)]))""")


def picture(hero: Locator) -> str:
    """Return all that a widget shows, once it has drawn what is pending, as text to compare."""
    return hero.evaluate(PICTURE)


def names(controls: Locator) -> list[str]:
    """Return how a screen reader calls each of these controls; "" is a control without a name."""
    return controls.evaluate_all("""(nodes) => nodes.map((node) => (node.ariaLabel
      || node.closest("label")?.innerText || node.innerText || node.textContent).trim())""")


def frame_time(page: Page, trait: str, values: list[Any]) -> float:
    """Return the milliseconds in which the widget of `show_plain` draws each value of a trait."""
    return page.evaluate(
        """async ([trait, values]) => {
          const start = performance.now();
          for (const value of values) {
            model.set(trait, value);
            await new Promise(requestAnimationFrame);
          }
          return (performance.now() - start) / values.length;
        }""",
        [trait, values],
    )


def cut_off(hero: Locator) -> list[str]:
    """Return the texts of a widget that stick out of it or of the page; hidden ones cannot."""
    return hero.evaluate("""(root) => {
      const box = root.getBoundingClientRect();
      return [...root.querySelectorAll("text, h4, dt, dd, p:not(.status), output, td, th, select")]
        .filter((node) => node.textContent.trim() && node.getClientRects().length)
        .filter((node) => {
          const { left, right } = node.getBoundingClientRect();
          return left < box.left - 1 || right > box.right + 1 || right > innerWidth;
        }).map((node) => node.textContent);
    }""")


def drag(page: Page, target: Locator | ElementHandle, dx: float, dy: float) -> None:
    """Drag the middle of an element with the mouse by so many pixels."""
    target.scroll_into_view_if_needed()
    box = target.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + dx, y + dy, steps=4)
    page.mouse.up()


def exercise(page: Page, hero: Locator, *, is_brief: bool = False) -> None:
    """Take every control of a hero widget through its extremes; its picture must follow each time.

    If `is_brief`, each control goes to an end or to another choice, and a choice back.

    Raises:
        AssertionError: a control that changes nothing.

    """
    root = hero.element_handle()  # found once: a whole chapter is long to search

    def changed() -> bool:
        return root.evaluate(CHANGED)

    changed()
    for control in root.query_selector_all(CONTROLS):
        if not control.is_visible() or control.is_disabled():
            continue
        name, kind = control.evaluate(
            "(node) => [node.ariaLabel || node.closest('label').innerText, node.type]"
        )
        if kind == "select-one":
            old = control.input_value()
            options = control.evaluate("(node) => Array.from(node.options, (n) => n.value)")
            if is_brief:
                options = [option for option in options if option != old][:1]
            for option in [*options, old]:
                same = option == control.input_value()
                control.select_option(option)
                assert changed() or same, f"{name}: {option} changed nothing"
            continue
        if kind == "text":
            old = control.input_value()
            for text in ("net", old) if is_brief else ("net", "a", old):
                same = text == control.input_value()
                control.fill(text)
                assert changed() or same, f"{name}: the text {text!r} changed nothing"
            continue
        if kind == "radio":
            control.check()
            assert changed(), f"{name}: choosing it changed nothing"
            continue
        control.focus()
        page.keyboard.press("Home")  # it may stand there already
        changed()
        keys = ("End", "Home", "ArrowRight", "Shift+ArrowRight", "ArrowUp")
        for key in keys[: 1 if is_brief else None]:
            page.keyboard.press(key)
            assert changed(), f"{name}: {key} changed nothing"
        if is_brief:
            page.keyboard.press("Home")  # at its end it may leave the next control no room
            changed()
            continue
        drag(page, control, 25, -15)
        assert changed(), f"{name}: dragging changed nothing"


def exercise_core(notebook: Notebook, handle: Locator) -> None:
    """Take a slider of ipywidgets through its extremes; picture or text of its output must follow.

    Raises:
        AssertionError: a move that changes nothing.

    """
    if not handle.is_visible():
        return
    handle = handle.element_handle()
    output = handle.query_selector("xpath=ancestor::*[contains(@class, 'jp-OutputArea-output')][1]")

    def seen() -> str:
        notebook.settle()
        return output.evaluate("""(root) => root.innerText
          + [...root.querySelectorAll("img")].map((image) => image.src).join()""")

    handle.focus()
    notebook.page.keyboard.press("Home")
    before = seen()
    for key in ("End", "Home"):
        notebook.page.keyboard.press(key)
        after = seen()
        assert after != before, f"{key} on a slider changed nothing"
        before = after
    drag(notebook.page, handle, 40, 0)
    assert seen() != before, "dragging a slider changed nothing"
