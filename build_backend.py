"""hatchling, but for the line by which an editable installation finds the course.

Python reads that line, of a ``.pth`` file, in the encoding of the system. An absolute path stops
every start of Python in a folder such as 课程 where the encoding lacks these letters, and is wrong
as soon as the folder is moved. From an environment within the course the path is a relative one.
"""

from __future__ import annotations

import sys
import sysconfig
import zipfile
from pathlib import Path
from typing import Any

from hatchling import build
from hatchling.build import (  # the other hooks of a build backend, as they are
    build_sdist,
    build_wheel,
    get_requires_for_build_editable,
    get_requires_for_build_sdist,
    get_requires_for_build_wheel,
)

__all__ = [
    "build_editable",
    "build_sdist",
    "build_wheel",
    "get_requires_for_build_editable",
    "get_requires_for_build_sdist",
    "get_requires_for_build_wheel",
]
COURSE = Path(__file__).parent.resolve()


def way_to_the_course(packages: Path) -> str:
    """The path from a folder of packages to the course; relative if the folder lies within it."""
    if not packages.is_relative_to(COURSE):
        return str(COURSE)
    return "/".join([".."] * len(packages.relative_to(COURSE).parts))


def build_editable(
    wheel_directory: str,
    config_settings: dict[str, Any] | None = None,
    metadata_directory: str | None = None,
) -> str:
    """Build hatchling's wheel and replace the line in it; return the wheel's name."""
    name = build.build_editable(wheel_directory, config_settings, metadata_directory)
    packages = Path(sysconfig.get_path("purelib", vars={"base": sys.prefix})).resolve()
    wheel, draft = Path(wheel_directory, name), Path(wheel_directory, f"{name}.part")
    with zipfile.ZipFile(wheel) as old, zipfile.ZipFile(draft, "w") as new:
        for entry in old.infolist():
            content = old.read(entry)
            if entry.filename.endswith(".pth"):
                content = f"{way_to_the_course(packages)}\n".encode()
            if entry.filename.endswith("/RECORD"):  # a changed file's hash may be left out
                rows = content.decode().splitlines(keepends=True)
                content = "".join(
                    r.split(",")[0] + ",,\n" if ".pth," in r else r for r in rows
                ).encode()
            new.writestr(entry, content)
    draft.replace(wheel)
    return name
