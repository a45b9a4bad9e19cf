"""Bring the newest course and keep the learner's work: ``python -m utils.update``.

The learner's changes never meet the new course in a merge. They are copied aside first, to
``my_work/<date>``; commits of the learner's own get a branch. Then the clone moves on. Each step
leaves the folder whole, so that an interrupted update is repeated and nothing is lost.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from datetime import datetime
from pathlib import Path, PurePosixPath

BRANCH = "main"
WORK = "my_work"
PACKAGES = ("constraints.txt", "pyproject.toml")  # a change here means: install again


class UpdateError(Exception):
    """The course was not updated; the message says why, and what to do."""


def update(course: Path) -> list[str]:
    """Move the clone in the folder `course` to the newest course and say what happened.

    The newest is what the remote `origin` holds. Where that is not the course's own address, as in
    a fork or in a classroom, a line names both.

    What is saved in ``my_work/<date>``, at its own path: each file of the course whose content is
    neither the old nor the new course's, and each file of the learner that a new one replaces.
    Content that was staged in git and then changed again goes to ``staged`` beneath. Files that
    are in nobody's way stay where they are; deleted files of the course come back.

    Raises:
        UpdateError: no clone, no git, another branch, or no network; nothing was changed.

    """
    _check_clone(course)
    git(course, "fetch", "--quiet", "origin", BRANCH)
    new = git(course, "rev-parse", "FETCH_HEAD").strip()
    asked = _asked(course)
    if _is_in(course, new, "HEAD"):
        return ["✔ You have the newest course; nothing was changed.", *asked]

    base = _base(course, new)
    packages_change = bool(git(course, "diff", "--name-only", base, new, "--", *PACKAGES))
    name = _free_name(course)
    lines = [f"✔ You have the newest course now ({_steps(course, base, new)})."]
    files, index = _own(course, base, new)
    if files or index:
        _save(course, name, files, index)
        number = _count(len({*files, *index}), "file")
        lines.append(f"  Your versions of {number} are in {WORK}/{name}")
    if not _is_in(course, "HEAD", new):
        git(course, "branch", name)
        lines.append(f"  Your own commits are on the branch {name}")
    lines += asked
    git(course, "reset", "--quiet", "--hard", new)
    if packages_change:
        lines.append("  It needs other packages: repeat the installation, as README says")
    return lines


def main() -> int:
    """Update the course that this file belongs to; return 0, or 1 with the reason on stderr."""
    for stream in (sys.stdout, sys.stderr):  # a console may lack ✔ in its code page
        stream.reconfigure(errors="replace")
    try:
        print(*update(Path(__file__).resolve().parents[1]), sep="\n")
    except UpdateError as error:
        print(f"✘ The course was not updated. {error}", file=sys.stderr)
        return 1
    return 0


def _address(course: Path) -> str:
    """The course's public address."""
    project = tomllib.loads((course / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return project["urls"]["Repository"]


def _asked(course: Path) -> list[str]:
    """Say who was asked, where it was not the course's own address."""
    origin, own = git(course, "remote", "get-url", "origin").strip(), _address(course)
    if origin.removesuffix("/").removesuffix(".git") == own.removesuffix("/").removesuffix(".git"):
        return []
    return [f"  Asked was {origin}; the course's own address is {own}"]


def _check_clone(course: Path) -> None:
    if not (course / ".git").exists():  # a ZIP; or it lies within a repository of the learner's
        raise UpdateError(
            "This folder was not made by git clone. Get the newest course beside it, then copy "
            f"your notebooks:\n  git clone {_address(course)}"
        )
    branch = git(course, "branch", "--show-current").strip()
    if branch != BRANCH:
        where = f"on the branch {branch!r}" if branch else "on no branch"
        raise UpdateError(
            f"You are {where}, which only you can update. Commit your work there, go back with\n"
            f"  git switch {BRANCH}\nand update again."
        )


def _own(course: Path, base: str, new: str) -> tuple[list[str], list[str]]:
    """Return the paths of files that hold work of the learner's: in the folder, and in the index.

    Work is what neither the old course `base` nor the `new` one contains at this path.
    """
    before, after, committed = (_files(course, commit) for commit in (base, new, "HEAD"))
    staged = _staged(course)
    wanted = {path for path in staged.keys() | after.keys() if (course / path).is_file()}
    for path in after.keys() - staged.keys():  # a folder where a file comes, and the reverse
        within = (course / path).rglob("*") if (course / path).is_dir() else ()
        wanted |= {each.relative_to(course).as_posix() for each in within if each.is_file()}
        above = map(str, PurePosixPath(path).parents)
        wanted |= {each for each in above if (course / each).is_file()}

    present = _hashes(course, sorted(wanted))
    files = [
        path
        for path, content in present.items()
        if content not in (before.get(path), after.get(path))
    ]
    index = [
        path
        for path, content in staged.items()
        if content
        and content
        not in (before.get(path), after.get(path), present.get(path), committed.get(path))
    ]
    return files, index


def _save(course: Path, name: str, files: list[str], index: list[str]) -> None:
    """Copy `files`, and what is staged at the paths in `index`, to ``my_work/<name>``."""
    part = course / WORK / f"{name}.part"
    try:
        part.mkdir(parents=True)
        (course / WORK / ".gitignore").write_text("*\n", encoding="utf-8")
        for path in files:
            (part / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(course / path, part / path)
        if index:
            prefix = f"--prefix={WORK}/{part.name}/staged/"
            git(course, "checkout-index", prefix, "-z", "--stdin", stdin="\0".join(index))
        part.rename(course / WORK / name)  # from here on it is complete
    except OSError as error:
        raise UpdateError(f"Your work could not be saved; nothing was changed: {error}") from None


def _files(course: Path, commit: str) -> dict[str, str]:
    """Return path → hash of the content of all files in a commit."""
    lines = git(course, "ls-tree", "-r", "-z", "--full-tree", commit).split("\0")[:-1]
    return {path: entry.split()[2] for entry, _, path in (line.partition("\t") for line in lines)}


def _staged(course: Path) -> dict[str, str | None]:
    """Return path → hash of all files that git tracks; None in a conflict: both sides are kept."""
    lines = git(course, "ls-files", "--stage", "-z").split("\0")[:-1]
    entries = [(entry.split(), path) for entry, _, path in (line.partition("\t") for line in lines)]
    return {path: content if stage == "0" else None for (_, content, stage), path in entries}


def _hashes(course: Path, paths: list[str]) -> dict[str, str]:
    """Return path → hash of files in the folder, as git would store them."""
    if not paths:
        return {}
    hashes = git(course, "hash-object", "--stdin-paths", stdin="\n".join(paths)).split()
    return dict(zip(paths, hashes, strict=True))


def _base(course: Path, new: str) -> str:
    """Return the course's version that the learner began with."""
    try:
        return git(course, "merge-base", "HEAD", new).strip()
    except UpdateError:  # the history was cut or rewritten
        return "HEAD"


def _is_in(course: Path, commit: str, other: str) -> bool:
    return not git(course, "rev-list", "--max-count=1", commit, f"^{other}")


def _steps(course: Path, base: str, new: str) -> str:
    return _count(int(git(course, "rev-list", "--count", f"{base}..{new}")), "change")


def _free_name(course: Path) -> str:
    """Return the time of day as a name that neither a folder nor a branch has."""
    first = name = datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
    number = 1
    while any((course / WORK).glob(f"{name}*")) or git(course, "branch", "--list", name):
        number += 1
        name = f"{first}_{number}"
    return name


def git(course: Path, *arguments: str, stdin: str = "") -> str:
    """Run git in a folder and return what it prints.

    Raises:
        UpdateError: there is no git, or it failed; the message holds what it said.

    """
    command = ["git", "-c", "core.quotePath=false", *arguments]
    try:
        done = subprocess.run(
            command,
            cwd=course,
            input=stdin,
            capture_output=True,
            check=True,
            encoding="utf-8",
            errors="surrogateescape",
        )
    except FileNotFoundError:
        raise UpdateError("There is no program git here; install it: https://git-scm.com") from None
    except subprocess.CalledProcessError as error:
        hint = "Is there a network? " if arguments[0] == "fetch" else ""
        raise UpdateError(f"{hint}Nothing is lost. git says:\n  {error.stderr.strip()}") from None
    return done.stdout


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")


if __name__ == "__main__":
    sys.exit(main())
