"""The update: whatever the learner did, the newest course comes and not one byte is lost."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from tests.support.repository import git
from utils import update as module
from utils.update import UpdateError, update

NOTEBOOK = "chapters/01_neuron.ipynb"
OTHER = "chapters/02_gradient_descent.ipynb"
OLD = {
    NOTEBOOK: "one",
    OTHER: "two",
    "chapters/old.ipynb": "to be removed",
    "notes/a.txt": "a",
    "utils/x.py": "x",
    "pyproject.toml": '[project.urls]\nRepository = "../published"\n',
    "constraints.txt": "a==1",
}
NEW = OLD | {
    NOTEBOOK: "one, better",
    "chapters/03_новое.ipynb": "three",
    "plan/index.txt": "plan",
    "notes": "now a file",
}
del NEW["chapters/old.ipynb"], NEW["notes/a.txt"]


def write(folder, files):
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")


def publish(owner, files):
    """Make `files` the newest course."""
    git(owner, "rm", "--quiet", "-r", "--ignore-unmatch", ".")
    write(owner, files)
    git(owner, "add", "--all")
    git(owner, "commit", "--quiet", "--message=another course")


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    folder = tmp_path_factory.mktemp("template")
    owner, course = folder / "published", folder / "a learner's course"
    owner.mkdir()
    git(owner, "init", "--quiet", "--initial-branch=main")
    publish(owner, OLD)
    git(folder, "clone", "--quiet", owner, course)
    git(course, "remote", "set-url", "origin", "../published")  # so that both can be copied
    publish(owner, NEW)
    return folder


@pytest.fixture
def owner(template, tmp_path):
    """The public course, two versions of it."""
    return shutil.copytree(template / "published", tmp_path / "published")


@pytest.fixture
def course(template, owner, tmp_path):
    """The learner's clone, made before the newest course was published."""
    name = "a learner's course"
    return shutil.copytree(template / name, tmp_path / name)


def content(folder):
    """Return path → text of all files but git's own and the saved work."""
    files = (path for path in folder.rglob("*") if path.is_file())
    found = {path.relative_to(folder).as_posix(): path for path in files}
    return {
        path: file.read_text(encoding="utf-8")
        for path, file in found.items()
        if not path.startswith((".git/", "my_work/"))
    }


def saved(course):
    """Return path → text of what lies in each folder of my_work."""
    folders = [each for each in (course / "my_work").glob("*") if each.is_dir()]
    return [content(folder) for folder in sorted(folders)]


def test_an_untouched_clone_moves_on(course):
    (line,) = update(course)
    assert line == "✔ You have the newest course now (1 change)."
    assert content(course) == NEW
    assert saved(course) == []
    assert git(course, "status", "--porcelain") == ""


def change(course):
    write(course, {NOTEBOOK: "one with my outputs", OTHER: "two with my cells"})
    return {NOTEBOOK: "one with my outputs", OTHER: "two with my cells"}


def change_what_the_course_removed(course):
    write(course, {"chapters/old.ipynb": "mine", "notes/a.txt": "my a"})
    return {"chapters/old.ipynb": "mine", "notes/a.txt": "my a"}


def delete(course):
    (course / NOTEBOOK).unlink()
    shutil.rmtree(course / "utils")
    return {}


def file_in_the_way(course):
    write(course, {"chapters/03_новое.ipynb": "my third chapter"})
    return {"chapters/03_новое.ipynb": "my third chapter"}


def file_where_a_folder_comes(course):
    write(course, {"plan": "my plan"})
    return {"plan": "my plan"}


def file_in_a_folder_where_a_file_comes(course):
    write(course, {"notes/mine.txt": "my note"})
    return {"notes/mine.txt": "my note"}


def stage(course):
    write(course, {NOTEBOOK: "mine"})
    git(course, "add", NOTEBOOK)
    return {NOTEBOOK: "mine"}


def stage_and_change_again(course):
    write(course, {NOTEBOOK: "staged"})
    git(course, "add", NOTEBOOK)
    write(course, {NOTEBOOK: "changed again"})
    return {NOTEBOOK: "changed again", f"staged/{NOTEBOOK}": "staged"}


def stage_and_delete(course):
    write(course, {"mine.txt": "mine"})
    git(course, "add", "mine.txt")
    (course / "mine.txt").unlink()
    return {"staged/mine.txt": "mine"}


def change_an_ignored_file(course):
    (course / ".git" / "info" / "exclude").write_text("plan/\n")
    write(course, {"plan/index.txt": "my plan"})
    return {"plan/index.txt": "my plan"}


WORK = [
    change,
    change_what_the_course_removed,
    delete,
    file_in_the_way,
    file_where_a_folder_comes,
    file_in_a_folder_where_a_file_comes,
    stage,
    stage_and_change_again,
    stage_and_delete,
    change_an_ignored_file,
]


@pytest.mark.parametrize("work", WORK)
def test_work_is_saved_at_its_own_path_and_the_course_is_new(course, work):
    expected = work(course)
    lines = update(course)
    assert content(course) == NEW
    assert saved(course) == [expected] * bool(expected)
    if expected:
        (folder,) = (each for each in (course / "my_work").iterdir() if each.is_dir())
        files = len({path.removeprefix("staged/") for path in expected})
        count = "1 file" if files == 1 else f"{files} files"
        assert lines[1:] == [f"  Your versions of {count} are in my_work/{folder.name}"]
    assert git(course, "status", "--porcelain") == ""  # git does not see the saved work


def test_files_in_nobodys_way_stay(course):
    mine = {"chapters/mine.ipynb": "my own", "top.txt": "top", "my_work/old/x": "earlier work"}
    write(course, mine)
    update(course)
    assert content(course) == NEW | {"chapters/mine.ipynb": "my own", "top.txt": "top"}
    assert saved(course) == [{"x": "earlier work"}]


def test_what_equals_the_new_course_is_not_saved(course):
    write(course, {NOTEBOOK: NEW[NOTEBOOK], "plan/index.txt": NEW["plan/index.txt"]})
    assert len(update(course)) == 1
    assert saved(course) == []


def commit(course):
    write(course, {NOTEBOOK: "committed", "mine.txt": "mine"})
    git(course, "add", "--all")
    git(course, "commit", "--quiet", "--message=mine")
    return git(course, "rev-parse", "HEAD")


def test_own_commits_get_a_branch_and_their_files_a_copy(course):
    mine = commit(course)
    write(course, {NOTEBOOK: "and changed"})
    _, files, branch = update(course)
    name = branch.removeprefix("  Your own commits are on the branch ")
    assert files == f"  Your versions of 2 files are in my_work/{name}"
    assert git(course, "rev-parse", name) == mine
    assert saved(course) == [{NOTEBOOK: "and changed", "mine.txt": "mine"}]
    assert content(course) == NEW
    assert git(course, "branch", "--show-current") == "main"


def test_a_merge_with_conflicts_is_cleared_away(course):
    mine = commit(course)
    with pytest.raises(subprocess.CalledProcessError):
        git(course, "pull", "--quiet", "--no-rebase", "origin", "main")
    assert "<<<<<<<" in (course / NOTEBOOK).read_text()
    name = update(course)[-1].rpartition(" ")[2]
    assert git(course, "rev-parse", name) == mine
    (work,) = saved(course)
    assert "committed" in work[NOTEBOOK]
    assert content(course) == NEW
    assert git(course, "status", "--porcelain") == ""


def test_a_rewritten_history_is_followed(course, owner):
    git(owner, "checkout", "--quiet", "--orphan", "again")
    git(owner, "commit", "--quiet", "--message=all new")
    git(owner, "branch", "--quiet", "--force", "main")
    old = git(course, "rev-parse", "HEAD")
    write(course, {OTHER: "mine"})
    name = update(course)[-1].rpartition(" ")[2]
    assert git(course, "rev-parse", name) == old
    assert saved(course) == [{OTHER: "mine"}]
    assert content(course) == NEW


def test_a_shallow_clone_moves_on(owner, tmp_path):
    git(tmp_path, "clone", "--quiet", "--depth=1", owner.as_uri(), "shallow")
    publish(owner, NEW | {"utils/y.py": "y"})
    git(tmp_path / "shallow", "remote", "set-url", "origin", "../published")
    assert len(update(tmp_path / "shallow")) == 1
    assert content(tmp_path / "shallow") == NEW | {"utils/y.py": "y"}


def test_nothing_to_do_changes_nothing(course):
    write(course, {NOTEBOOK: "mine"})
    update(course)
    write(course, {OTHER: "mine again"})
    commit(course)
    before = content(course), saved(course), git(course, "rev-parse", "HEAD")
    assert update(course) == ["✔ You have the newest course; nothing was changed."]
    assert (content(course), saved(course), git(course, "rev-parse", "HEAD")) == before


def test_two_updates_keep_both_works(course, owner):
    write(course, {NOTEBOOK: "first"})
    update(course)
    publish(owner, NEW | {NOTEBOOK: "one, best"})
    write(course, {NOTEBOOK: "second"})
    update(course)
    assert sorted(work[NOTEBOOK] for work in saved(course)) == ["first", "second"]
    assert content(course) == NEW | {NOTEBOOK: "one, best"}


def test_other_packages_are_announced(course, owner):
    publish(owner, NEW | {"constraints.txt": "a==2"})
    assert update(course)[-1] == (
        "  It needs other packages: repeat the installation, as README says"
    )


def test_no_network(course, owner, tmp_path):
    change(course)
    commit(course)
    owner.rename(tmp_path / "out of reach")
    before = content(course), git(course, "rev-parse", "HEAD"), git(course, "branch")
    with pytest.raises(UpdateError, match=r"network\? Nothing is lost"):
        update(course)
    assert (content(course), git(course, "rev-parse", "HEAD"), git(course, "branch")) == before
    assert saved(course) == []


def test_another_branch_is_left_alone(course):
    git(course, "switch", "--quiet", "--create", "homework")
    before = change(course) | {"HEAD": git(course, "rev-parse", "HEAD")}
    with pytest.raises(UpdateError, match=r"on the branch 'homework'(.|\n)*git switch main"):
        update(course)
    after = {path: content(course)[path] for path in (NOTEBOOK, OTHER)}
    assert after | {"HEAD": git(course, "rev-parse", "HEAD")} == before
    git(course, "checkout", "--quiet", "--detach")
    with pytest.raises(UpdateError, match="on no branch"):
        update(course)


def test_a_download_without_git_even_inside_a_repository(tmp_path):
    git(tmp_path, "init", "--quiet")
    course = tmp_path / "zip"
    write(course, OLD)
    with pytest.raises(UpdateError, match=r"git clone \.\./published"):
        update(course)
    assert content(course) == OLD


def test_git_is_missing(course, monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UpdateError, match="no program git"):
        update(course)


def test_work_that_cannot_be_saved_is_not_touched(course):
    write(course, {NOTEBOOK: "mine", "my_work": "a file where the folder must be"})
    with pytest.raises(UpdateError, match="could not be saved; nothing was changed"):
        update(course)
    assert (course / NOTEBOOK).read_text() == "mine"
    assert git(course, "rev-list", "--count", "HEAD") == "1"


def test_another_update_holds_the_lock(course):
    write(course, {NOTEBOOK: "mine"})
    (course / ".git" / "index.lock").touch()
    with pytest.raises(UpdateError, match=r"Nothing is lost(.|\n)*index\.lock"):
        update(course)
    assert (course / NOTEBOOK).read_text() == "mine"


class Killed(BaseException):
    """The learner pulled the plug."""


CHANGING = {"fetch", "checkout-index", "branch", "reset"}  # the commands that are not only asking


def interrupt_at(step, monkeypatch):
    """Kill the update before its `step`-th command, copy or rename that changes something."""
    done = {"steps": 0}

    def before(real):
        def counted(*arguments, **options):
            done["steps"] += real is not git_command or arguments[1] in CHANGING
            if done["steps"] == step:
                if "reset" in arguments:  # in its middle: one new file is written, no more
                    write(arguments[0], {NOTEBOOK: NEW[NOTEBOOK]})
                raise Killed
            return real(*arguments, **options)

        return counted

    git_command = module.git
    monkeypatch.setattr(module, "git", before(git_command))
    monkeypatch.setattr(module.shutil, "copy2", before(shutil.copy2))
    monkeypatch.setattr(module.Path, "rename", before(module.Path.rename))
    return done


@pytest.mark.slow
def test_interrupted_anywhere_and_repeated_nothing_is_lost(course, tmp_path, monkeypatch):
    mine = commit(course)
    work = stage_and_change_again(course) | change_what_the_course_removed(course)
    work |= file_in_the_way(course) | {"mine.txt": "mine"}
    whole = shutil.copytree(course, tmp_path / "whole")
    with monkeypatch.context() as patch:
        done = interrupt_at(-1, patch)
        update(whole)
    assert saved(whole) == [work]
    assert done["steps"] == 12  # 3 × branch, 5 × copy; fetch, checkout-index, rename, reset

    for step in range(1, done["steps"] + 1):
        copy = shutil.copytree(course, tmp_path / f"step {step}")
        with monkeypatch.context() as patch:
            interrupt_at(step, patch)
            with pytest.raises(Killed):
                update(copy)
        update(copy)
        assert content(copy) == NEW, step
        whole = [each for each in (copy / "my_work").glob("*") if each.suffix != ".part"]
        kept = {}
        for folder in sorted(each for each in whole if each.is_dir()):
            kept = content(folder) | kept  # the first copy of a file is the learner's own
        assert kept == work, step
        branches = git(copy, "branch", "--format=%(objectname)").split()
        assert mine in branches, step


def test_the_command(course):
    shutil.copy(module.__file__, course / "utils" / "update.py")
    (course / "utils" / "__init__.py").touch()
    command = [sys.executable, "-m", "utils.update"]
    good = subprocess.run(command, cwd=course, capture_output=True, encoding="utf-8", check=False)
    assert (good.returncode, good.stderr) == (0, "")
    assert good.stdout.startswith("✔ You have the newest course now")
    git(course, "switch", "--quiet", "--create", "other")
    bad = subprocess.run(command, cwd=course, capture_output=True, encoding="utf-8", check=False)
    assert (bad.returncode, bad.stdout) == (1, "")
    assert bad.stderr.startswith("✘ The course was not updated. You are on the branch 'other'")


@pytest.mark.parametrize("is_behind", [True, False])
def test_a_fork_says_whom_it_asked(course, owner, is_behind):
    """The newest course of a fork may be old."""
    shutil.copytree(owner, owner.with_name("fork"))
    git(course, "remote", "set-url", "origin", "../fork")
    if not is_behind:
        update(course)
    *_, last = update(course)
    assert last == "  Asked was ../fork; the course's own address is ../published"


@pytest.mark.parametrize("address", ["../published/", "../published.git"])
def test_other_spellings_of_the_address_are_no_fork(course, owner, address):
    if address.endswith(".git"):
        owner.rename(owner.with_name("published.git"))
    git(course, "remote", "set-url", "origin", address)
    assert not any("Asked was" in line for line in update(course))
