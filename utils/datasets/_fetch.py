"""Downloads with checksum, mirrors and a cache; no other file of the course uses the network."""

from __future__ import annotations

import re
import socket
import ssl
import tempfile
import time
from dataclasses import dataclass
from http.client import responses
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from utils import runtime

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from utils.datasets._types import DataSet, LabeledImages

CHUNK = 2**16  # bytes written at a time


class DataUnavailable(OSError):
    """The data cannot be had here and now: no address answers, or a package lacks its file.

    `reasons` holds a few words for each address that was asked.
    """

    def __init__(self, message: str, reasons: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.reasons = reasons


class ChecksumError(ValueError):
    """Every address that answered served other bytes than the official file's."""


class CacheError(OSError):
    """The cache folder cannot be created, read or written."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """A downloadable file: where it lies and how to know it.

    `name` is for people, `file_name` for the cache and for mirrors; `addresses` are asked in order;
    `sha256` (64 hexadecimal digits) and `size` (bytes) are those of the official file.

    Raises:
        ValueError: a field cannot be right.

    """

    name: str
    file_name: str
    addresses: tuple[str, ...]
    sha256: str
    size: int
    license: str
    homepage: str

    def __post_init__(self) -> None:
        if not re.fullmatch(r"\w[\w.-]*", self.file_name):
            raise ValueError(f"file_name must be a plain file name, got {self.file_name!r}")
        if not isinstance(self.addresses, tuple) or not self.addresses:
            raise ValueError(f"addresses must be a tuple of one or more, got {self.addresses!r}")
        if not re.fullmatch("[0-9a-f]{64}", self.sha256):
            raise ValueError(f"sha256 must be 64 lower-case hex digits, got {self.sha256!r}")
        if self.size < 1:
            raise ValueError(f"size must be the file's number of bytes, got {self.size!r}")


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long to wait, in seconds, and how often to ask again after a fault that may pass.

    `read` bounds the silence between two pieces of the answer, not the whole download.
    """

    connect: float = 5.0
    read: float = 20.0
    retries: int = 1
    pause: float = 1.0


PATIENCE = Patience()


class _Failure(NamedTuple):
    address: str
    reason: str
    may_pass: bool = False  # the same request may work a moment later
    is_wrong: bool = False  # the address answered, with other bytes


def fetch(source: Source, *, patience: Patience = PATIENCE) -> Path:
    """Return the path of the file in the cache; download it unless it lies there unharmed.

    Asks the class server first (`runtime.data_mirror`, the file name appended to its address), then
    the official addresses in order. The bytes arrive in a private folder, are checked there and
    moved into place in one step: no reader and no second download ever sees half a file, and
    nothing is left behind after a failure or an interrupt.

    Raises:
        DataUnavailable: no address answered with a whole file.
        ChecksumError: those that answered served wrong bytes.
        CacheError: the cache folder does not let us read or write.

    """
    target = runtime.cache_dir() / source.file_name
    failures: list[_Failure] = []
    served_by = None
    try:
        if _is_intact(target, source):
            return target
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".download-") as folder:
            part = Path(folder) / source.file_name
            for address in _addresses(source):
                failure = _ask(address, part, source, patience)
                if failure is None:
                    served_by = address
                    break
                failures.append(failure)
            # Where another process was faster its file stays: Windows cannot replace an open one.
            if served_by and not _is_intact(target, source):
                part.replace(target)
    except OSError as error:
        raise CacheError(
            f"cannot use the cache folder {target.parent}: {error.strerror or error}. "
            "Make room there and allow writing, or set COURSE_CACHE to another folder."
        ) from error

    if served_by is None:
        raise _verdict(source, failures, target.parent)
    for failure in failures:
        if failure.is_wrong:
            notice(f"{failure.address} served {failure.reason}; {served_by} served the right file")
    return target


def notice(sentence: str) -> None:
    """Tell the learner something about the data, in one line."""
    print(f"Note: {sentence}")


def full_or_embedded(
    full: bool | None,
    source: Source,
    read: Callable[[Path, Source], LabeledImages],
    embedded: Callable[[], LabeledImages],
    *,
    loader: str,
    what: str,
) -> LabeledImages:
    """Fetch and read `source` where `full` is wanted; else, or without a network, the embedded set.

    None leaves the wish to `COURSE_DATA`. `loader` and `what`, the embedded images in words, are
    for the messages.

    Raises:
        TypeError: `full` is not True, False or None. All else is up to `fetch` and the readers.

    """
    if not _wanted(full, source, loader, "False (embedded)"):
        return embedded()
    try:
        path = fetch(source)
    except DataUnavailable as error:
        data = embedded()
        notice(
            f"{source.name} could not be downloaded ({', '.join(dict.fromkeys(error.reasons))}); "
            f"these are the embedded {len(data.x_train):,} + {len(data.x_test):,} {what} "
            "(is_full is False). For all of them run this again with a network, or set "
            "COURSE_DATA_MIRROR to the address of a class server."
        )
        return data
    return read(path, source)


def full_or_nothing(
    full: bool | None,
    source: Source,
    read: Callable[[Path, Source], DataSet],
    *,
    loader: str,
    what: str,
    instead: str,
) -> DataSet:
    """Fetch and read `source`, of which nothing is embedded.

    None leaves the wish to `COURSE_DATA`. `loader`, `what`, the data in words, and `instead`, what
    the course does without them, are for the messages.

    Raises:
        TypeError: `full` is not True, False or None.
        DataUnavailable: it is not wanted, or no address answers. All else is up to `fetch` and
            the reader.

    """
    if not _wanted(full, source, loader, "False"):
        raise DataUnavailable(
            f"no {what} come with the course ({source.name} has {source.size / 1e6:.0f} MB); "
            f"{instead}. To download the {what} set COURSE_DATA to full."
        )
    try:
        path = fetch(source)
    except DataUnavailable as error:
        raise DataUnavailable(
            f"{source.name} could not be downloaded ({', '.join(dict.fromkeys(error.reasons))}); "
            f"{instead}. For the {what} run this again with a network, or set COURSE_DATA_MIRROR "
            "to the address of a class server.",
            error.reasons,
        ) from error
    return read(path, source)


def _wanted(full: bool | None, source: Source, loader: str, no: str) -> bool:
    """Whether all of `source` is wanted; `no` tells what False is.

    Raises:
        TypeError: `full` is not True, False or None.

    """
    if full is None:
        return runtime.wants_full_data()
    if not isinstance(full, bool):
        raise TypeError(
            f"full must be True (all of {source.name}), {no} or None, got {full!r}; "
            f"for example {loader}(full=True)"
        )
    return full


def _verdict(source: Source, failures: list[_Failure], cache: Path) -> Exception:
    asked = "".join(f"\n  {failure.address}: {failure.reason}" for failure in failures)
    if any(failure.is_wrong for failure in failures):
        return ChecksumError(
            f"{source.file_name}: wrong checksum, nothing kept; expected sha256 {source.sha256}, "
            f"{source.size:,} bytes{asked}\n"
            "A mirror (COURSE_DATA_MIRROR) must serve the official file unchanged."
        )
    return DataUnavailable(
        f"{source.name} could not be downloaded:{asked}\n"
        "Run this again with a network, or set COURSE_DATA_MIRROR to the address of a class "
        f"server, or put the file {source.file_name} into {cache}.",
        tuple(failure.reason for failure in failures),
    )


def _addresses(source: Source) -> Iterator[str]:
    mirror = runtime.data_mirror()
    if mirror:
        yield f"{mirror.rstrip('/')}/{source.file_name}"
    yield from source.addresses


def _is_intact(path: Path, source: Source) -> bool:
    import pooch

    return path.exists() and pooch.file_hash(path) == source.sha256


def _ask(address: str, part: Path, source: Source, patience: Patience) -> _Failure | None:
    """Download `address` to `part`; None means that the right bytes are there."""
    import pooch
    import requests

    for attempt in range(1 + patience.retries):
        if attempt:
            time.sleep(patience.pause)
        try:
            _download(address, part, source, patience)
        except requests.RequestException as error:
            failure = _explain(address, error)
            if not failure.may_pass:
                return failure
        else:
            found, size = pooch.file_hash(part), part.stat().st_size
            if found == source.sha256:
                return None
            return _Failure(address, f"wrong bytes, sha256 {found}, {size:,} bytes", is_wrong=True)
    return failure


def _download(address: str, part: Path, source: Source, patience: Patience) -> None:
    from pooch import HTTPDownloader
    from tqdm.auto import tqdm

    with tqdm(
        desc=source.name,
        total=source.size,
        unit="B",
        unit_scale=True,
        leave=False,
        disable=not runtime.shows_progress(),
    ) as bar:
        download = HTTPDownloader(
            progressbar=bar,
            chunk_size=CHUNK,
            timeout=(patience.connect, patience.read),
            # A server that packs on the fly would make us hash something else than the file.
            headers={"Accept-Encoding": "identity"},
        )
        download(address, part, None)


def _explain(address: str, error: Exception) -> _Failure:
    """Put a failed request into a few words, from its first cause."""
    import requests

    if isinstance(error, requests.HTTPError):
        code = error.response.status_code
        reason = f"HTTP {code} {responses.get(code, '')}".rstrip()
        return _Failure(address, reason, may_pass=code >= 500)
    if isinstance(error, requests.TooManyRedirects):
        return _Failure(address, "redirects without end")
    if isinstance(error, ValueError):  # InvalidURL, MissingSchema, InvalidSchema
        return _Failure(address, "not a web address (http://… or https://…)")
    if isinstance(error, requests.exceptions.ProxyError):
        return _Failure(address, "the proxy does not answer")
    causes = tuple(_causes(error))
    for kind, reason in (
        (socket.gaierror, "host name not found"),
        (ConnectionRefusedError, "connection refused"),
        (TimeoutError, "no answer in time"),
        (ssl.SSLError, "no secure connection"),
    ):
        if any(isinstance(cause, kind) for cause in causes):
            return _Failure(address, reason)
    return _Failure(address, "connection lost", may_pass=True)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
