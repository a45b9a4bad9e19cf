"""Downloads: every way in which a server can fail, and what must be left in the cache."""

import _thread
import dataclasses
import hashlib
import os
import pickle
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from support import loopback
from support.loopback import dripping, dropped, good, paused, redirect, status, truncated

import utils
from utils.datasets import CacheError, ChecksumError, DataUnavailable, Source
from utils.datasets._fetch import Patience, fetch
from utils.datasets.digits import MNIST

isolated, nobody, server = loopback.isolated, loopback.nobody, loopback.server
pytestmark = pytest.mark.usefixtures("isolated")

BODY = bytes(range(256)) * 1200  # some pieces of CHUNK bytes
WRONG = BODY[:-1] + b"?"
EAGER = Patience(connect=1, read=0.2, retries=0, pause=0)
ONE_RETRY = Patience(connect=1, read=0.2, retries=1, pause=0)


def sha256(body):
    return hashlib.sha256(body).hexdigest()


def a_source(*addresses, body=BODY):
    return Source(
        name="Test data",
        file_name="data.bin",
        addresses=addresses,
        sha256=sha256(body),
        size=len(body),
        license="CC0",
        homepage="https://example.org",
    )


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def pauses(monkeypatch):
    """The pauses that were asked for; none is made."""
    asked = []
    monkeypatch.setattr(time, "sleep", asked.append)
    return asked


def left_in(cache):
    return sorted(path.name for path in cache.rglob("*"))


def assert_only_the_file(cache):
    assert left_in(cache) == ["data.bin"]
    assert (cache / "data.bin").read_bytes() == BODY


# ---- what works -----------------------------------------------------------------------------


def test_a_download_lies_in_the_cache_and_is_not_asked_for_again(server, cache):
    source = a_source(server.serve("/a", good(BODY)))
    assert fetch(source) == cache / "data.bin"
    assert fetch(source) == cache / "data.bin"
    assert server.requests == ["/a"]
    assert_only_the_file(cache)


def test_the_cache_needs_no_network(cache, nobody):
    cache.mkdir()
    (cache / "data.bin").write_bytes(BODY)
    assert fetch(a_source(nobody)).read_bytes() == BODY


@pytest.mark.parametrize("damaged", [WRONG, BODY[:100], b""])
def test_a_damaged_file_in_the_cache_is_replaced(server, cache, damaged):
    cache.mkdir()
    (cache / "data.bin").write_bytes(damaged)
    fetch(a_source(server.serve("/a", good(BODY))))
    assert server.requests == ["/a"]
    assert_only_the_file(cache)


def test_redirects_are_followed(server, cache):
    server.serve("/there", good(BODY))
    fetch(a_source(server.serve("/here", redirect("/there"))))
    assert server.requests == ["/here", "/there"]
    assert_only_the_file(cache)


@pytest.mark.parametrize("slash", ["", "/"])
def test_the_mirror_is_asked_first(server, cache, monkeypatch, slash):
    official = server.serve("/official", good(BODY))
    server.serve("/class/data.bin", good(BODY))
    monkeypatch.setenv("COURSE_DATA_MIRROR", f"{server.address}/class{slash}")
    fetch(a_source(official))
    assert server.requests == ["/class/data.bin"]
    assert_only_the_file(cache)


def test_addresses_are_asked_in_order_until_one_serves(server, cache, monkeypatch):
    monkeypatch.setenv("COURSE_DATA_MIRROR", f"{server.address}/mirror")
    first, second, third = (server.serve(f"/{i}", status(404)) for i in (1, 2, 3))
    server.serve("/2", good(BODY))
    fetch(a_source(first, second, third))
    assert server.requests == ["/mirror/data.bin", "/1", "/2"]
    assert_only_the_file(cache)


@pytest.mark.parametrize("fault", [status(500), status(503), dropped(), truncated(BODY)])
def test_a_fault_that_passes_is_tried_again(server, cache, fault):
    fetch(a_source(server.serve("/a", fault, good(BODY))), patience=ONE_RETRY)
    assert server.requests == ["/a", "/a"]
    assert_only_the_file(cache)


def test_retries_end_and_the_next_address_gets_its_turn(server, cache):
    source = a_source(server.serve("/1", status(500)), server.serve("/2", good(BODY)))
    fetch(source, patience=Patience(retries=2, pause=0))
    assert server.requests == ["/1", "/1", "/1", "/2"]
    assert_only_the_file(cache)


def test_the_pause_is_between_tries_only(server, pauses):
    source = a_source(server.serve("/a", status(500)))
    with pytest.raises(DataUnavailable):
        fetch(source, patience=Patience(retries=2, pause=30))
    assert pauses == [30, 30]


def test_a_server_that_would_pack_is_asked_not_to(server, cache):
    def packing(to):
        seen.append(to.headers["Accept-Encoding"])
        good(BODY)(to)

    seen = []
    fetch(a_source(server.serve("/a", packing)))
    assert seen == ["identity"]


def test_a_progress_bar_shows_unless_output_is_captured(server, cache, monkeypatch, capsys):
    source = a_source(server.serve("/a", good(BODY)))
    fetch(source)
    assert capsys.readouterr() == ("", "")
    (cache / "data.bin").unlink()
    monkeypatch.delenv("COURSE_QUIET")
    fetch(source)
    out, err = capsys.readouterr()
    assert out == ""
    assert "Test data" in err
    assert "307k" in err  # the whole size, in bytes


# ---- what fails -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (status(404), "HTTP 404 Not Found"),
        (status(403), "HTTP 403 Forbidden"),
        (status(500), "HTTP 500 Internal Server Error"),
        (status(599), "HTTP 599"),
        (redirect("/a"), "redirects without end"),
        (redirect("nowhere://"), "not a web address (http://… or https://…)"),
        (truncated(BODY), "connection lost"),
        (dropped(), "connection lost"),
        (dripping(BODY[:6], 0.6), "no answer in time"),
    ],
)
def test_a_server_that_fails_is_named_with_its_reason(server, cache, answer, reason):
    url = server.serve("/a", answer)
    with pytest.raises(DataUnavailable) as caught:
        fetch(a_source(url), patience=EAGER)
    assert f"{url}: {reason}\n" in str(caught.value)
    assert caught.value.reasons == (reason,)
    assert left_in(cache) == []


def test_silence_before_the_answer_also_ends(server, cache):
    silent = server.serve("/a", lambda to: server.stopped.wait(5))
    start = time.perf_counter()
    with pytest.raises(DataUnavailable, match="no answer in time"):
        fetch(a_source(silent), patience=EAGER)
    assert time.perf_counter() - start < 2


def test_a_slow_server_is_left_soon(server, cache):
    source = a_source(
        server.serve("/slow", dripping(BODY[:6], 0.6)), server.serve("/b", good(BODY))
    )
    start = time.perf_counter()
    fetch(source, patience=EAGER)
    assert time.perf_counter() - start < 2
    assert_only_the_file(cache)


def test_without_a_network_every_address_is_listed(server, cache, nobody, monkeypatch):
    monkeypatch.setenv("COURSE_DATA_MIRROR", "class-server")
    missing = server.serve("/missing", status(404))
    with pytest.raises(DataUnavailable) as caught:
        fetch(a_source("https://data.invalid/x", nobody, missing), patience=EAGER)
    message = str(caught.value)
    assert "Test data could not be downloaded" in message
    assert "class-server/data.bin: not a web address" in message
    assert "https://data.invalid/x: host name not found" in message
    assert f"{nobody}: connection refused" in message
    assert f"{missing}: HTTP 404 Not Found" in message
    assert "set COURSE_DATA_MIRROR" in message
    assert str(cache) in message
    assert left_in(cache) == []


@pytest.mark.parametrize(
    "address", ["https://data.invalid/x", "http://127.0.0.1:9/x", "ftp://127.0.0.1/x", "x"]
)
def test_what_cannot_pass_is_not_tried_again(address, pauses):
    with pytest.raises(DataUnavailable):
        fetch(a_source(address), patience=Patience(retries=1, pause=30))
    assert pauses == []


def test_a_server_without_tls_behind_https(server, cache):
    url = server.serve("/a", good(BODY)).replace("http:", "https:")
    with pytest.raises(DataUnavailable, match="no secure connection"):
        fetch(a_source(url), patience=EAGER)


def test_a_dead_proxy_is_not_blamed_on_the_server(server, nobody, monkeypatch):
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", nobody)
    with pytest.raises(DataUnavailable, match="the proxy does not answer"):
        fetch(a_source(server.serve("/a", good(BODY))), patience=EAGER)
    assert server.requests == []


def test_wrong_bytes_everywhere_are_refused(server, cache, nobody):
    urls = server.serve("/1", good(WRONG)), server.serve("/2", good(b"<html>log in</html>"))
    with pytest.raises(ChecksumError) as caught:
        fetch(a_source(*urls, nobody), patience=EAGER)
    message = str(caught.value)
    assert "data.bin: wrong checksum, nothing kept" in message
    assert f"expected sha256 {sha256(BODY)}, 307,200 bytes" in message
    assert f"{urls[0]}: wrong bytes, sha256 {sha256(WRONG)}, 307,200 bytes" in message
    assert f"{urls[1]}: wrong bytes, sha256 {sha256(b'<html>log in</html>')}, 19 bytes" in message
    assert f"{nobody}: connection refused" in message
    assert "COURSE_DATA_MIRROR" in message
    assert server.requests == ["/1", "/2"]
    assert left_in(cache) == []


def test_one_wrong_digit_of_the_checksum_is_enough(server, cache):
    source = a_source(server.serve("/a", good(BODY)))
    digit = "0" if source.sha256[-1] != "0" else "1"
    changed = dataclasses.replace(source, sha256=source.sha256[:-1] + digit)
    with pytest.raises(ChecksumError):
        fetch(changed)
    assert left_in(cache) == []
    fetch(source)
    assert_only_the_file(cache)


def test_wrong_bytes_from_a_mirror_are_told_and_replaced(server, cache, monkeypatch, capsys):
    monkeypatch.setenv("COURSE_DATA_MIRROR", server.address)
    mirror = server.serve("/data.bin", good(WRONG))
    official = server.serve("/official", good(BODY))
    fetch(a_source(official))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1
    assert mirror in lines[0]
    assert official in lines[0]
    assert sha256(WRONG) in lines[0]
    assert server.requests == ["/data.bin", "/official"]
    assert_only_the_file(cache)


@pytest.mark.parametrize("inside", [".", "deeper/still"])
def test_a_cache_folder_that_cannot_be_made(server, cache, monkeypatch, inside):
    cache.write_text("a file, not a folder")
    monkeypatch.setenv("COURSE_CACHE", str(cache / inside))
    with pytest.raises(CacheError, match="set COURSE_CACHE to another folder"):
        fetch(a_source(server.serve("/a", good(BODY))))
    assert cache.read_text() == "a file, not a folder"
    assert server.requests == []


def test_a_cache_folder_without_permission(server, cache):
    cache.mkdir(mode=0o500)
    if os.access(cache, os.W_OK):
        pytest.skip("this user may write everywhere")
    with pytest.raises(CacheError, match="Permission denied"):
        fetch(a_source(server.serve("/a", good(BODY))))


def test_an_interrupt_leaves_nothing(server, cache):
    url = server.serve("/a", paused(BODY, _thread.interrupt_main), good(BODY))
    with pytest.raises(KeyboardInterrupt):
        fetch(a_source(url))
    assert server.requests == ["/a"]
    assert left_in(cache) == []
    fetch(a_source(url))
    assert_only_the_file(cache)


def test_an_interrupt_spares_what_was_there(server, cache):
    cache.mkdir()
    (cache / "other.bin").write_bytes(b"mine")
    with pytest.raises(KeyboardInterrupt):
        fetch(a_source(server.serve("/a", paused(BODY, _thread.interrupt_main))))
    assert left_in(cache) == ["other.bin"]


# ---- other processes ------------------------------------------------------------------------

FETCH = """
import pickle, sys
from utils.datasets._fetch import fetch
{before}
print(fetch(pickle.loads(bytes.fromhex(sys.argv[1]))).read_bytes() == {body})
"""


def start_fetch(source, before=""):
    return subprocess.Popen(
        [
            sys.executable,
            "-c",
            FETCH.format(before=before, body=f"bytes(range(256)) * {1200}"),
            pickle.dumps(source).hex(),
        ],
        env={**os.environ, "PYTHONPATH": str(Path(utils.__file__).parents[1])},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_two_processes_may_download_at_once(server, cache):
    both = threading.Barrier(2, timeout=60)  # each waits in mid-file until the other is there
    source = a_source(server.serve("/a", paused(BODY, both.wait)))
    pair = [start_fetch(source), start_fetch(source)]
    ends = [process.communicate(timeout=60) for process in pair]
    assert ends == [("True\n", ""), ("True\n", "")]
    assert server.requests == ["/a", "/a"]
    assert_only_the_file(cache)


def test_another_process_may_be_faster(server, cache):
    def other_process():
        (cache / "data.bin").write_bytes(BODY)
        os.utime(cache / "data.bin", (1, 1))

    fetch(a_source(server.serve("/a", paused(BODY, other_process))))
    assert (cache / "data.bin").stat().st_mtime == 1
    assert_only_the_file(cache)


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on file sizes")
def test_a_full_disk_is_told(server, cache):
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))"
    process = start_fetch(a_source(server.serve("/a", good(BODY))), before=limit)
    _, err = process.communicate(timeout=60)
    assert "CacheError: cannot use the cache folder" in err
    assert "File too large" in err
    assert left_in(cache) == []


# ---- the source, the fence ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("file_name", "../data.bin"),
        ("file_name", "a/b"),
        ("file_name", ".."),
        ("file_name", ""),
        ("addresses", ()),
        ("addresses", "https://example.org/x"),
        ("sha256", "abc"),
        ("sha256", sha256(BODY).upper()),
        ("size", 0),
    ],
)
def test_a_source_that_cannot_be_right(field, value):
    with pytest.raises(ValueError, match=field):
        dataclasses.replace(a_source("https://example.org/x"), **{field: value})


def test_no_test_reaches_a_real_address(monkeypatch):
    with pytest.raises(pytest.fail.Exception, match=r"storage\.googleapis\.com"):
        fetch(MNIST)
    with socket.socket() as outside, pytest.raises(pytest.fail.Exception, match=r"192\.0\.2\.1"):
        outside.connect(("192.0.2.1", 80))
