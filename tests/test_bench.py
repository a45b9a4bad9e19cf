"""The races: what they print, keep and skip; README tells what they reached last."""

from __future__ import annotations

import json
import time

import pytest

from tests.bench import _race, _readme
from tests.bench._race import Contestant, NotHere, Race, Stopwatch


def absent(seed):
    raise NotHere("there is no such thing here")


@pytest.fixture
def race(tmp_path, monkeypatch):
    monkeypatch.setattr(_race, "RESULTS", tmp_path / "results")
    contestants = {
        "ours": Contestant(
            "ours", lambda seed: {"accuracy": 0.5 + seed / 10, "seconds": seed}, "≥"
        ),
        "theirs": Contestant("theirs", lambda seed: {"accuracy": 0.25}),
        "absent": Contestant("absent", absent),
    }
    columns = {"accuracy": "{:.0%}", "seconds": "{:.1f}"}
    headline = "ours {ours[accuracy]}, theirs {theirs[accuracy]}"
    race = Race("demo", "a race", columns, contestants, headline)
    monkeypatch.setattr(Race, "_in_a_process", Race._once)
    return race


def test_a_race_keeps_all_runs_and_prints_their_medians(race, capsys):
    assert race.main([]) == 0
    out = capsys.readouterr().out
    assert "| ours | 60% | 1.0 | ≥ |" in out
    assert "| theirs | 25% |  |  |" in out  # a column that it does not have stays empty
    assert "absent not run: there is no such thing here" in out
    kept = json.loads(race.path.read_text(encoding="utf-8"))
    assert [run["seconds"] for run in kept["ours"]["runs"]] == [0, 1, 2]
    assert kept.keys() == {"ours", "theirs"}
    assert race.line(kept) == "ours 60%, theirs 25%"
    assert kept["ours"]["machine"]


def test_a_single_contestant_leaves_the_others_results(race, capsys):
    race.main([])
    theirs = json.loads(race.path.read_text(encoding="utf-8"))["theirs"]
    assert race.main(["ours", "--seeds", "1"]) == 0
    kept = json.loads(race.path.read_text(encoding="utf-8"))
    assert len(kept["ours"]["runs"]) == 1
    assert kept["theirs"] == theirs
    capsys.readouterr()


def test_without_its_data_a_race_is_skipped(race, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_REAL_DATA", str(tmp_path))
    needy = Race(
        race.name, race.title, race.columns, race.contestants, race.headline, needs="photos.xz"
    )
    assert needy.main([]) == 0
    assert "no folder with photos.xz" in capsys.readouterr().out
    assert not needy.path.exists()


def test_an_unknown_contestant_is_named(race, capsys):
    with pytest.raises(SystemExit):
        race.main(["nobody"])
    assert "no contestant 'nobody'; there are ours, theirs, absent" in capsys.readouterr().err


def test_the_stopwatch_counts_work_and_not_sleep():
    with Stopwatch() as clock:
        while clock.so_far() < 0.05:
            pass
    assert clock.seconds >= 0.05
    with Stopwatch() as clock:
        time.sleep(0.3)
    assert clock.seconds < 0.2


def test_the_ratio_of_two_times_stands_where_it_is_asked_for():
    pair = {
        "ours": Contestant("ours", absent, "", "theirs"),
        "theirs": Contestant("theirs: slowly", absent),
    }
    race = Race("demo", "a race", {"seconds": "{:.0f}"}, pair, "")
    kept = {n: {"runs": [{"seconds": s}]} for n, s in (("ours", 30), ("theirs", 12))}
    assert race.table(kept).splitlines() == [
        "| a race | seconds | ratio of seconds | target |",
        "|---|---:|---:|---|",
        "| ours | 30 | 2.5 × theirs |  |",
        "| theirs: slowly | 12 |  |  |",
    ]
    del kept["theirs"]
    assert race.table(kept).splitlines()[-1] == "| ours | 30 |  |  |"


def test_contestants_without_a_result_are_named():
    title = "walk or ride"
    race = Race(
        "r",
        "r",
        {"x": "{}"},
        {n: Contestant(t, absent) for n, t in zip("ab", (title, "b"), strict=True)},
        "",
    )
    assert race.missing({"b": {}}) == f" Not run on this machine: {title}."
    assert race.missing({"a": {}, "b": {}}) == ""


def test_both_pages_show_what_the_races_left():
    for page, content in (
        (_readme.TABLES, _readme.tables()),
        (_readme.README, _readme.lines()),
    ):
        text = page.read_text(encoding="utf-8")
        assert content in text
        assert _readme.filled(text, content) == text


def test_a_page_without_a_place_is_refused():
    with pytest.raises(ValueError, match="must have one"):
        _readme.filled("# no place here\n", "a table")
