"""A scripted web server on the loopback address, and a fence around everything beyond it.

A test module takes the fixtures it wants by name: ``server = loopback.server``.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

LOCAL = ("127.0.0.1", "localhost", "::1")
Answer = Callable[["_Handler"], None]


class Loopback:
    """Serves what a test lays down, and remembers what was asked for, in order."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.stopped = threading.Event()
        self._answers: dict[str, list[Answer]] = {}
        self._lock = threading.Lock()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._http.loopback = self
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,))

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._http.server_port}"

    def serve(self, path: str, *answers: Answer) -> str:
        """Answer `path` with each of `answers` in turn, then with the last; return the URL."""
        self._answers[path] = list(answers)
        return self.address + path

    def next_answer(self, path: str) -> Answer:
        with self._lock:
            self.requests.append(path)
            left = self._answers.get(path, [status(404)])
            return left.pop(0) if len(left) > 1 else left[0]

    def __enter__(self) -> Loopback:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopped.set()
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.server.loopback.next_answer(self.path)(self)

    def log_message(self, *_: object) -> None:
        """Keep quiet."""

    def head(self, code: int, **headers: object) -> None:
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()


def good(body: bytes) -> Answer:
    def answer(to: _Handler) -> None:
        to.head(200, Content_Length=len(body))
        to.wfile.write(body)

    return answer


def status(code: int) -> Answer:
    return lambda to: to.head(code, Content_Length=0)


def redirect(url: str) -> Answer:
    return lambda to: to.head(302, Location=url, Content_Length=0)


def dropped() -> Answer:
    """Close the connection without a word."""
    return lambda to: to.connection.shutdown(socket.SHUT_RDWR)


def truncated(body: bytes) -> Answer:
    """Promise all of `body`, send half, close."""

    def answer(to: _Handler) -> None:
        to.head(200, Content_Length=len(body))
        to.wfile.write(body[: len(body) // 2])

    return answer


def paused(body: bytes, pause: Callable[[], object]) -> Answer:
    """Send half of `body`, call `pause`, send the rest."""

    def answer(to: _Handler) -> None:
        to.head(200, Content_Length=len(body))
        middle = len(body) // 2
        to.wfile.write(body[:middle])
        pause()
        to.wfile.write(body[middle:])

    return answer


def dripping(body: bytes, seconds: float) -> Answer:
    """Send one byte every `seconds`, until the client or the server gives up."""

    def answer(to: _Handler) -> None:
        to.head(200, Content_Length=len(body))
        for byte in body:
            try:
                to.wfile.write(bytes([byte]))
            except OSError:
                return
            if to.server.loopback.stopped.wait(seconds):
                return

    return answer


@contextmanager
def refused() -> Iterator[str]:
    """An address where nobody listens: its port is taken, so nobody can begin to."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


@pytest.fixture
def server() -> Iterator[Loopback]:
    with Loopback() as running:
        yield running


@pytest.fixture
def nobody() -> Iterator[str]:
    with refused() as address:
        yield address


@pytest.fixture
def isolated(monkeypatch, tmp_path):
    """An empty cache, no wishes from the environment, and no way beyond the loopback address.

    Names under .invalid do not exist anywhere (RFC 6761); here they fail as in a house without a
    network. Anything else beyond fails the test.
    """
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COURSE_QUIET", "1")
    monkeypatch.setenv("no_proxy", "*")
    for name in ("COURSE_DATA", "COURSE_DATA_MIRROR"):
        monkeypatch.delenv(name, raising=False)
    look_up, connect = socket.getaddrinfo, socket.socket.connect

    def fenced_look_up(host, *args, **kwargs):
        if str(host).endswith(".invalid"):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        if host not in LOCAL:
            pytest.fail(f"a test looks up {host}")
        return look_up(host, *args, **kwargs)

    def fenced_connect(self, address):
        if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in LOCAL:
            pytest.fail(f"a test connects to {address}")
        return connect(self, address)

    monkeypatch.setattr(socket, "getaddrinfo", fenced_look_up)
    monkeypatch.setattr(socket.socket, "connect", fenced_connect)
