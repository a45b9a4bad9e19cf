"""Files of annotations: ours read by pycocotools, and those that pycocotools reads by us."""

import contextlib
import copy
import io
import json

import numpy as np
import pytest
from pycocotools.coco import COCO

from utils.datasets.coco import numbered, read_coco, write_coco, write_detections

# categories out of order and with gaps, an image without annotations, a crowd
CONTENT = {
    "info": {"year": 2014},
    "images": [
        {"id": 9, "file_name": "b.jpg", "width": 200, "height": 100},
        {"id": 3, "file_name": "a.jpg", "width": 50, "height": 80},
        {"id": 4, "file_name": "empty.jpg", "width": 50, "height": 80},
    ],
    "categories": [
        {"id": 90, "name": "toothbrush", "supercategory": "indoor"},
        {"id": 1, "name": "person"},
        {"id": 17, "name": "cat"},
    ],
    "annotations": [
        {"id": 5, "image_id": 3, "category_id": 90, "bbox": [10, 20, 25, 40.5], "iscrowd": 0},
        {"id": 2, "image_id": 9, "category_id": 17, "bbox": [0, 0, 200, 100], "iscrowd": 0},
        {"id": 8, "image_id": 9, "category_id": 1, "bbox": [20.5, 10, 100, 50], "iscrowd": 1},
        {"id": 7, "image_id": 9, "category_id": 1, "bbox": [-20, 90, 60, 30]},
        {"id": 6, "image_id": 9, "category_id": 1, "bbox": [30, 30, 0, 30], "iscrowd": 0},
        {"id": 1, "image_id": 3, "category_id": 1, "bbox": [60, 0, 9, 9], "iscrowd": 0},
    ],
}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "annotations.json"


def written(path, content):
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def theirs(path):
    with contextlib.redirect_stdout(io.StringIO()):
        return COCO(str(path))


# ---- reading ---------------------------------------------------------------------------------


def test_images_keep_their_order_and_classes_that_of_their_numbers(path):
    data = read_coco(written(path, CONTENT))
    assert data.file_names == ["b.jpg", "a.jpg", "empty.jpg"]
    assert data.sizes.tolist() == [[200, 100], [50, 80], [50, 80]]
    assert data.image_ids.tolist() == [9, 3, 4]
    assert data.class_names == ["person", "cat", "toothbrush"]
    assert data.category_ids.tolist() == [1, 17, 90]
    assert [labels.tolist() for labels in data.labels] == [[1, 0], [2], []]
    assert [labels.tolist() for labels in data.crowd_labels] == [[0], [], []]
    for boxes in (*data.boxes, *data.crowd_boxes):
        assert (boxes.dtype, boxes.shape[1:]) == (np.float32, (4,))
    for labels in (*data.labels, *data.crowd_labels):
        assert labels.dtype == np.int64


def test_boxes_become_fractions_cut_at_the_edges(path):
    data = read_coco(written(path, CONTENT))
    assert data.boxes[0].tolist() == [[0, 0, 1, 1], [0, np.float32(0.9), np.float32(0.2), 1]]
    np.testing.assert_allclose(data.boxes[1], [[0.2, 0.25, 0.7, 60.5 / 80]], rtol=1e-7)
    np.testing.assert_allclose(data.crowd_boxes[0], [[0.1025, 0.1, 0.6025, 0.6]], rtol=1e-7)
    assert [len(boxes) for boxes in data.boxes] == [2, 1, 0]  # two had no area left


def test_we_read_what_pycocotools_reads(path):
    rng = np.random.default_rng(0)
    content = copy.deepcopy(CONTENT) | {"annotations": []}
    for id in range(1, 60):
        image = content["images"][rng.integers(2)]
        corner = rng.uniform(0, 0.5, 2) * (image["width"], image["height"])
        extent = rng.uniform(0.1, 0.5, 2) * (image["width"], image["height"])
        content["annotations"].append(
            {
                "id": id,
                "image_id": image["id"],
                "category_id": int(rng.choice([1, 17, 90])),
                "bbox": [round(value, 2) for value in (*corner, *extent)],
                "iscrowd": int(rng.random() < 0.2),
                "area": 1.0,
            }
        )
    data, reference = read_coco(written(path, content)), theirs(path)
    for crowd, all_boxes, all_labels in (
        (False, data.boxes, data.labels),
        (True, data.crowd_boxes, data.crowd_labels),
    ):
        assert sum(map(len, all_labels)) > 5
        for id, size, boxes, labels in zip(
            data.image_ids, data.sizes, all_boxes, all_labels, strict=True
        ):
            found = reference.loadAnns(reference.getAnnIds(imgIds=[id], iscrowd=crowd))
            names = [
                each["name"] for each in reference.loadCats([each["category_id"] for each in found])
            ]
            assert [data.class_names[label] for label in labels] == names
            bbox = np.array([each["bbox"] for each in found]).reshape(-1, 4)
            corners = np.concatenate([bbox[:, :2], bbox[:, :2] + bbox[:, 2:]], axis=1)
            np.testing.assert_allclose(boxes * np.tile(size, 2), corners, rtol=1e-6)


BAD = {
    "a list": (lambda c: [], "it has no list 'images'"),
    "no annotations": (lambda c: {**c, "annotations": None}, "it has no list 'annotations'"),
    "an image that is a number": (lambda c: c["images"].append(5), r"images\[3\]: id is None"),
    "an image without width": (
        lambda c: c["images"][1].pop("width"),
        r"images\[1\]: width is None, not of type int",
    ),
    "an image without pixels": (
        lambda c: c["images"][1].update(height=0),
        r"images\[1\] has no pixels",
    ),
    "an image twice": (lambda c: c["images"][1].update(id=9), "images has the id 9 twice"),
    "a category twice": (
        lambda c: c["categories"][0].update(id=1),
        "categories has the id 1 twice",
    ),
    "a name that is a number": (
        lambda c: c["categories"][1].update(name=4),
        r"categories\[1\]: name is 4, not of type str",
    ),
    "an unknown image": (
        lambda c: c["annotations"][2].update(image_id=7),
        r"annotations\[2\]: there is no image_id 7",
    ),
    "an unknown category": (
        lambda c: c["annotations"][2].update(category_id=2),
        r"annotations\[2\]: there is no category_id 2",
    ),
    "no box": (
        lambda c: c["annotations"][0].pop("bbox"),
        r"annotations\[0\]: bbox is None, not of type list",
    ),
    "three numbers": (
        lambda c: c["annotations"][0]["bbox"].pop(),
        r"annotations\[0\]: bbox is \[10, 20, 25\], not x, y, width, height",
    ),
    "a text": (
        lambda c: c["annotations"][0].update(bbox=[1, 2, 3, "4"]),
        r"annotations\[0\]: bbox is .*, not x, y, width, height",
    ),
    "a negative width": (
        lambda c: c["annotations"][0].update(bbox=[1, 2, -3, 4]),
        r"annotations\[0\]: bbox is \[1, 2, -3, 4\], where width and height must not be neg",
    ),
    "not a number": (
        lambda c: c["annotations"][0].update(bbox=[1, 2, float("nan"), 4]),
        r"annotations\[0\]: bbox",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_refused(path, name):
    spoil, words = BAD[name]
    content = copy.deepcopy(CONTENT)
    spoiled = spoil(content)
    replaced = isinstance(spoiled, (dict, list)) and name in ("a list", "no annotations")
    with pytest.raises(ValueError, match=rf"^annotations\.json is not in COCO's form: {words}"):
        read_coco(written(path, spoiled if replaced else content))


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"<html>"])
def test_what_is_not_json_is_refused(path, content):
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"^annotations\.json is not JSON: "):
        read_coco(path)


def test_a_missing_file_is_told(path):
    with pytest.raises(FileNotFoundError):
        read_coco(path)


# ---- writing ---------------------------------------------------------------------------------


def assert_equal(ours, others):
    for field, mine, other in zip(ours._fields, ours, others, strict=True):
        assert len(mine) == len(other), field
        for a, b in zip(mine, other, strict=True):
            np.testing.assert_array_equal(a, b, err_msg=field)


def random_truths(images=20, classes=3):
    rng = np.random.default_rng(1)
    counts = [0, *rng.integers(0, 6, images - 1)]
    corners = [np.sort(rng.random((n, 2, 2), np.float32), axis=1).reshape(n, 4) for n in counts]
    return corners, [rng.integers(0, classes, n) for n in counts]


def test_what_is_written_is_read_again(path, tmp_path):
    data = read_coco(written(path, CONTENT))
    write_coco(tmp_path / "again.json", data)
    assert_equal(read_coco(tmp_path / "again.json"), data)
    data = numbered(*random_truths(), ["a", "b", "c"], (640, 427))
    write_coco(path, data)
    assert_equal(read_coco(path), data)


def test_pycocotools_reads_what_we_write(path):
    data = read_coco(written(path, CONTENT))
    write_coco(path, data)
    reference = theirs(path)
    assert reference.getImgIds() == [9, 3, 4]
    assert [each["name"] for each in reference.loadCats([1, 17, 90])] == data.class_names
    assert sorted(reference.getAnnIds()) == [1, 2, 3, 4]  # never 0
    (crowd,) = reference.loadAnns(reference.getAnnIds(iscrowd=True))
    np.testing.assert_allclose(crowd["bbox"], [20.5, 10, 100, 50], rtol=1e-6)
    assert crowd["area"] == pytest.approx(5000, rel=1e-6)
    assert (crowd["image_id"], crowd["category_id"]) == (9, 1)
    (brush,) = reference.loadAnns(reference.getAnnIds(imgIds=[3]))
    np.testing.assert_allclose(brush["bbox"], [10, 20, 25, 40.5], rtol=1e-6)
    assert brush["category_id"] == 90
    assert reference.loadImgs([4]) == [CONTENT["images"][2]]


def test_pycocotools_reads_our_detections(path, tmp_path):
    data = read_coco(written(path, CONTENT))
    rng = np.random.default_rng(0)
    detections = [
        (np.array([[0.25, 0.5, 0.75, 1], [0, 0, 0.5, 0.5]]), rng.random(2), np.array([2, 0])),
        (np.zeros((0, 4)), np.zeros(0), np.zeros(0, int)),
        (np.array([[0, 0, 1, 1.0]]), np.array([0.5], np.float32), np.array([1])),
    ]
    write_detections(tmp_path / "found.json", detections, data)
    with contextlib.redirect_stdout(io.StringIO()):
        found = theirs(path).loadRes(str(tmp_path / "found.json"))
    rows = [
        (each["image_id"], each["category_id"], each["bbox"], each["score"])
        for each in found.loadAnns(found.getAnnIds())
    ]
    scores = detections[0][1]
    assert rows == [
        (9, 90, [50, 50, 100, 50], scores[0]),
        (9, 1, [0, 0, 100, 50], scores[1]),
        (4, 17, [0, 0, 50, 80], 0.5),
    ]


BOX = np.array([[0, 0, 1, 1]], np.float32)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"boxes": [BOX, BOX]}, "expected boxes of 1 images, got 2"),
        ({"labels": [[0, 0]]}, r"labels: expected one a box, of each image \[1\], got \[2\]"),
        ({"labels": [[2]]}, r"labels\[0\]: expected 0 to 1, got \[2\]"),
        ({"crowd_boxes": [BOX], "crowd_labels": [[-1]]}, r"labels\[0\]: expected 0 to 1, got"),
        ({"boxes": [BOX * np.nan]}, "not JSON compliant"),
    ],
)
def test_what_does_not_fit_is_not_written(path, changes, words):
    data = numbered([BOX], [[0]], ["a", "b"], (10, 10))
    with pytest.raises(ValueError, match=words):
        write_coco(path, data._replace(**changes))
    assert not path.exists()


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ((BOX, [0.5, 0.5], [0]), r"scores: expected one a box, of each image \[1\], got \[2\]"),
        ((BOX, [0.5], [0, 1]), r"labels: expected one a box"),
        ((BOX, [np.inf], [0]), "not JSON compliant"),
    ],
)
def test_detections_that_do_not_fit_are_not_written(path, found, words):
    data = numbered([BOX], [[0]], ["a", "b"], (10, 10))
    with pytest.raises(ValueError, match=words):
        write_detections(path, [found], data)
    assert not path.exists()
