"""Members of a downloaded archive, read in memory: nothing is unpacked onto the disk."""

from __future__ import annotations

import tarfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection


def read_members(path: Path, names: Collection[str], *, max_size: int) -> dict[str, bytes]:
    """Return the content of the files `names` in the .tar.gz at `path`; others are passed over.

    Raises:
        ValueError: as `read_matching`, or one of `names` is missing.

    """
    found = read_matching(path, names.__contains__, max_size=max_size)
    missing = [name for name in names if name not in found]
    if missing:
        raise _refused(path, f"it lacks {', '.join(missing)}")
    return found


def read_matching(
    path: Path, wanted: Callable[[str], object], *, max_size: int
) -> dict[str, bytes]:
    """Return the content of the files in the .tar.gz at `path` whose names are `wanted`.

    Raises:
        ValueError: the archive is damaged, a member's path leads out of it, or a wanted one comes
            twice, is no plain file or has more than `max_size` bytes.

    """
    found: dict[str, bytes] = {}
    try:
        with tarfile.open(path, "r|gz") as archive:
            for member in archive:
                archive.members.clear()  # a list of all that passed: 100,000 small files add up
                name = PurePosixPath(member.name)
                if name.is_absolute() or ".." in name.parts or "\\" in member.name:
                    raise _refused(path, f"the path {member.name!r} leads out of the archive")
                if not wanted(member.name):
                    continue
                if member.name in found:
                    raise _refused(path, f"{member.name} comes twice")
                if not member.isreg():
                    raise _refused(path, f"{member.name} is not a plain file")
                if member.size > max_size:
                    raise _refused(
                        path,
                        f"{member.name} has {member.size:,} bytes, expected at most {max_size:,}",
                    )
                found[member.name] = archive.extractfile(member).read()
    except (tarfile.TarError, zlib.error, EOFError, OSError) as error:
        raise _refused(path, f"it is damaged or cut short ({error})") from error
    return found


def read_zip(path: Path, names: Collection[str], *, max_size: int) -> dict[str, bytes]:
    """Return the content of the files `names` in the .zip at `path`; others are passed over.

    Raises:
        ValueError: the archive is damaged, or one of `names` is missing, comes twice or has more
            than `max_size` bytes.

    """
    found: dict[str, bytes] = {}
    try:
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                name = member.filename
                if name not in names:
                    continue
                if name in found:
                    raise _refused(path, f"{name} comes twice")
                if member.file_size > max_size:
                    raise _refused(
                        path,
                        f"{name} has {member.file_size:,} bytes, expected at most {max_size:,}",
                    )
                found[name] = archive.read(member)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError) as error:
        raise _refused(path, f"it is damaged or cut short ({error})") from error
    missing = [name for name in names if name not in found]
    if missing:
        raise _refused(path, f"it lacks {', '.join(missing)}")
    return found


def _refused(path: Path, why: str) -> ValueError:
    return ValueError(
        f"{path.name} cannot be used: {why}; remove it from {path.parent} and download it again"
    )
