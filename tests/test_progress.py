"""Progress survives crashes, damage, other kernels, and disks that cannot be written."""

import json
import subprocess
import sys
from pathlib import Path

import filelock
import pytest

from utils import progress as kept
from utils.exercises import progress
from utils.exercises._exercise import exercises
from utils.progress import Prediction, export_progress, import_progress

ROOT = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A progress folder of its own, which does not exist yet."""
    folder = tmp_path / "home"
    monkeypatch.setenv("COURSE_HOME", str(folder))
    kept._notice.cache_clear()
    return folder


def content(home):
    return json.loads((home / "progress.json").read_text(encoding="utf-8"))


def test_without_a_file_nothing_is_passed_and_nothing_is_made(home):
    assert kept.passed() == frozenset()
    assert not home.exists()


def test_passes_add_up_and_are_never_lost(home, capsys):
    kept.record(["01.2"])
    kept.record(["01.1"])
    kept.record(["01.2"])
    assert content(home) == {"schema": 2, "passed": ["01.1", "01.2"], "predicted": {}}
    assert kept.passed() == {"01.1", "01.2"}
    assert capsys.readouterr().out == ""


def test_no_draft_is_left_behind(home):
    kept.record(["01.1"])
    assert {p.name for p in home.iterdir()} <= {"progress.json", "progress.lock"}


def test_an_interrupted_write_keeps_the_old_file(home, monkeypatch, capsys):
    kept.record(["01.1"])

    def fail(self, target):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "replace", fail)
    kept.record(["01.2"])
    assert capsys.readouterr().out == "○ your progress is not kept: Permission denied\n"
    assert content(home)["passed"] == ["01.1"]
    assert not list(home.glob("*.tmp"))


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"{",
        b"\xff\xfe\x00",
        b"[]",
        b"null",
        b'{"passed": []}',
        b'{"schema": 1}',
        b'{"schema": "1", "passed": []}',
        b'{"schema": 1, "passed": [1]}',
        b'{"schema": 1, "passed": "01.1"}',
        b'{"schema": 2, "passed": [], "predicted": []}',
        b'{"schema": 2, "passed": [], "predicted": {"02.a": "Adam"}}',
        b'{"schema": 2, "passed": [], "predicted": {"02.a": {"answer": 1}}}',
        b'{"schema": 2, "passed": [], "predicted": {"02.a": {"said": [1]}}}',
        b'{"schema": 2, "passed": [], "predicted": {"02.a": {"said": true}}}',
        b"[" * 100_000,
    ],
    ids=range(16),
)
def test_a_damaged_file_is_moved_aside_and_the_lesson_goes_on(home, damage, capsys):
    home.mkdir()
    (home / "progress.json").write_bytes(damage)
    kept.record(["01.1"])
    assert content(home)["passed"] == ["01.1"]
    assert (home / "progress.corrupt-1.json").read_bytes() == damage
    notice = "○ the progress file was damaged; it is kept as progress.corrupt-1.json\n"
    assert capsys.readouterr().out == notice


def test_a_second_damaged_file_does_not_replace_the_first(home):
    for number in (1, 2):
        home.mkdir(exist_ok=True)
        (home / "progress.json").write_text(f"damage {number}")
        assert kept.passed() == frozenset()
    assert [(home / f"progress.corrupt-{n}.json").read_text() for n in (1, 2)] == [
        "damage 1",
        "damage 2",
    ]


def test_a_file_of_a_later_version_is_left_untouched(home, capsys):
    home.mkdir()
    later = '{"schema": 3, "done": {"01.1": 3}}'
    (home / "progress.json").write_text(later)
    kept.record(["01.2"])
    kept.record(["01.3"])
    assert (home / "progress.json").read_text() == later
    assert capsys.readouterr().out == (
        "○ progress.json was written by a newer version of the course; "
        "it is left as it is and nothing is recorded\n"
    )


def test_a_home_that_cannot_be_made_is_one_notice(tmp_path, monkeypatch, capsys):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("COURSE_HOME", str(tmp_path / "file" / "home"))
    kept.record(["01.1"])
    kept.record(["01.2"])
    out = capsys.readouterr().out
    assert out.startswith("○ your progress is not kept: ")
    assert out.count("\n") == 1


def test_a_folder_in_the_place_of_the_file_is_one_notice(home, capsys):
    (home / "progress.json").mkdir(parents=True)
    kept.record(["01.1"])
    assert capsys.readouterr().out.startswith("○ your progress is not kept: ")


def test_a_lock_that_is_never_released_does_not_stop_the_lesson(home, monkeypatch):
    home.mkdir()
    real = filelock.FileLock

    monkeypatch.setattr(filelock, "FileLock", lambda path, timeout: real(path, timeout=0.05))
    with real(home / "progress.lock"):
        kept.record(["01.1"])
    assert content(home)["passed"] == ["01.1"]


def test_kernels_that_write_at_once_lose_nothing(home):
    program = (
        "import sys; from utils import progress as kept\n"
        "for i in range(60): kept.record([f'{sys.argv[1]}.{i}'])"
    )
    kernels = [
        subprocess.Popen([sys.executable, "-c", program, name], cwd=ROOT) for name in ("01", "02")
    ]
    assert [kernel.wait(timeout=60) for kernel in kernels] == [0, 0]
    assert kept.passed() == {f"{name}.{i}" for name in ("01", "02") for i in range(60)}


def test_export_and_import_merge_both_ways(home, tmp_path):
    kept.record(["01.1", "01.2"])
    export_progress(tmp_path / "mine.json")
    (home / "progress.json").unlink()
    kept.record(["01.3"])
    import_progress(str(tmp_path / "mine.json"))
    assert kept.passed() == {"01.1", "01.2", "01.3"}


@pytest.mark.parametrize("text", ["nonsense", '{"schema": 9}'])
def test_importing_what_cannot_be_read_raises_and_changes_nothing(home, tmp_path, text):
    kept.record(["01.1"])
    (tmp_path / "theirs.json").write_text(text)
    with pytest.raises(ValueError, match=r"theirs\.json"):
        import_progress(tmp_path / "theirs.json")
    assert (tmp_path / "theirs.json").read_text() == text
    assert kept.passed() == {"01.1"}


def test_importing_a_missing_file_raises(tmp_path):
    with pytest.raises(FileNotFoundError):
        import_progress(tmp_path / "missing.json")


def test_progress_counts_what_exists():
    kept.record(["01.1", "01.10", "01.999", "99.1"])
    table = {row.chapter: row for row in progress()}
    assert table["01"].passed == 2
    assert table["01"].total == len(exercises("01"))
    assert "99" not in table


def test_a_file_of_the_first_edition_is_read(home):
    home.mkdir()
    (home / "progress.json").write_text('{"schema": 1, "passed": ["01.1"]}')
    assert kept.passed() == {"01.1"}
    assert kept.predictions() == {}
    kept.record_prediction("02.a", Prediction("Adam"))
    assert content(home) == {
        "schema": 2,
        "passed": ["01.1"],
        "predicted": {"02.a": {"said": "Adam"}},
    }


def test_a_prediction_can_be_changed_until_its_answer_is_revealed(home):
    for prediction in (Prediction("Adam"), Prediction(0.25), Prediction(0.5, 0.75)):
        kept.record_prediction("02.a", prediction)
        assert kept.predictions() == {"02.a": prediction}
    kept.record_prediction("02.a", Prediction("of course", 0.75))
    kept.record_prediction("02.b", Prediction("动量"))
    assert kept.predictions() == {"02.a": Prediction(0.5, 0.75), "02.b": Prediction("动量")}


def test_imported_predictions_never_replace_your_own(home, tmp_path):
    kept.record_prediction("02.a", Prediction("theirs", "x"))
    kept.record_prediction("02.b", Prediction("only theirs"))
    export_progress(tmp_path / "theirs.json")
    (home / "progress.json").unlink()
    kept.record_prediction("02.a", Prediction("mine"))
    import_progress(tmp_path / "theirs.json")
    assert kept.predictions() == {"02.a": Prediction("mine"), "02.b": Prediction("only theirs")}
