"""Records: every file has its script and its makings, and what is kept comes back."""

import ast
import json

import numpy as np
import pytest

from utils import recorded
from utils.recorded import Making

MOST = 200_000  # bytes of a record
IN_THE_PAGE = {
    "code_writer": 1_200_000,
    "detector": 400_000,
    "library": 250_000,
    "painter": 1_000_000,
}  # networks, and vectors to search, that go to the reader's browser
NAMES = sorted(path.stem for path in recorded.FOLDER.iterdir() if path.suffix in (".npz", ".json"))


def test_every_record_has_its_script_and_every_script_its_record():
    scripts = {path.stem for path in recorded.FOLDER.glob("*.py")} - {"__init__"}
    assert scripts == set(NAMES)
    assert len(NAMES) == len(set(NAMES)) >= 10


@pytest.mark.parametrize("name", NAMES)
def test_a_record_is_small_has_no_pickle_and_tells_how_it_was_made(name):
    (path,) = (p for p in recorded.FOLDER.glob(f"{name}.*") if p.suffix != ".py")
    assert path.stat().st_size <= IN_THE_PAGE.get(name, MOST)
    if path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as file:
            assert all(file[key].dtype.kind in "fiuU" for key in file.files)
    making, *_ = recorded.makings(name)
    assert making.command == f"python -m utils.recorded.{name}"
    assert making.seeds == tuple(range(len(making.seeds))) != ()
    assert making.seconds is None or making.seconds > 0


@pytest.mark.parametrize("name", NAMES)
def test_a_script_makes_the_record_of_its_name(name):
    source = (recorded.FOLDER / f"{name}.py").read_text(encoding="utf-8")
    main = ast.parse(source).body[-1]
    assert isinstance(main, ast.If)
    made = main.body[-1].value
    assert ast.unparse(made.func) == "recorded.make"
    assert ast.literal_eval(made.args[0]) == name


@pytest.fixture
def keep(tmp_path):
    def keep(content, command=None, seeds=(0,), seconds=1.5, name="some"):
        recorded.save(name, content, seeds=seeds, seconds=seconds, command=command, folder=tmp_path)
        return recorded.load(name, tmp_path)

    return keep


def test_arrays_come_back_bit_for_bit(keep, tmp_path):
    arrays = {"0.weight": np.arange(6, dtype=np.float16).reshape(2, 3), "names": np.array(["a"])}
    back = keep(arrays, seconds=None)
    assert list(back) == list(arrays)
    for name, array in arrays.items():
        assert back[name].dtype == array.dtype
        np.testing.assert_array_equal(back[name], array)
    own = "python -m utils.recorded.some"
    assert recorded.makings("some", tmp_path) == (Making(own, (0,), None),)


def test_runs_come_back_a_run_a_line(keep, tmp_path):
    runs = [{"start": "β = ½", "loss": [0.1, 1e-7]}, {"start": "other", "loss": []}]
    assert keep(runs, seeds=range(3)) == tuple(runs)
    text = (tmp_path / "some.json").read_text(encoding="utf-8")
    assert json.loads(text)["parts"][0]["runs"] == runs
    assert sum(line.startswith('{"start":') for line in text.splitlines()) == len(runs)
    own = "python -m utils.recorded.some"
    assert recorded.makings("some", tmp_path) == (Making(own, (0, 1, 2), 1.5),)


def test_runs_are_chosen_by_their_values_and_told_apart_by_seed(monkeypatch):
    kept = [{"name": name, "draw": k, "loss": [k]} for name in "ab" for k in range(2)]
    monkeypatch.setattr(recorded, "load", lambda name: kept if name == "some" else ())
    assert recorded.by_seed("some", "draw", name="b") == {0: kept[2], 1: kept[3]}
    assert recorded.by_seed("some", "draw", name="b", loss=[1]) == {1: kept[3]}
    assert recorded.by_seed("some", "draw", name="c") == {}
    assert recorded.by_seed("another") == {}


def test_a_record_of_runs_grows_and_each_part_can_be_made_again(keep, tmp_path):
    """As the generators' leaderboard does: a later chapter appends its own rows."""
    keep([{"generator": "DCGAN", "distance": 3.0}])
    later = "python -m tests.bench.diffusion"
    rows = keep([{"generator": "diffusion", "distance": 2.0}], later, (4, 5), 60.0)
    assert [row["generator"] for row in rows] == ["DCGAN", "diffusion"]
    rows = keep([{"generator": "DCGAN", "distance": 2.5}, {"generator": "VAE", "distance": 9.0}])
    assert [row["distance"] for row in rows] == [2.5, 9.0, 2.0]
    assert recorded.makings("some", tmp_path) == (
        Making("python -m utils.recorded.some", (0,), 1.5),
        Making(later, (4, 5), 60.0),
    )


def test_a_record_of_arrays_grows_and_each_part_can_be_made_again(keep):
    keep({"a": np.zeros(2), "b": np.ones(3)})
    assert list(keep({"c": np.ones(1)}, "python -m later")) == ["a", "b", "c"]
    back = keep({"a": np.full(2, 7.0)})  # without b
    assert sorted(back) == ["a", "c"]
    assert back["a"].tolist() == [7, 7]
    with pytest.raises(ValueError, match="some has c from another command already"):
        keep({"c": np.ones(1)})


def test_making_counts_the_seconds_and_keeps_the_result(tmp_path):
    recorded.make("some", lambda: [{"sum": sum(range(3_000_000))}], [0], tmp_path)
    assert recorded.load("some", tmp_path) == ({"sum": sum(range(3_000_000))},)
    (making,) = recorded.makings("some", tmp_path)
    assert 0 <= making.seconds < 30
    assert making.seeds == (0,)
