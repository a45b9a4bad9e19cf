"""Annotations in the form that COCO made common: one JSON file of images, boxes and classes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np


class Coco(NamedTuple):
    """Boxes and labels of N images in C classes.

    Boxes are float32 (n, 4): x1, y1, x2, y2 as fractions of width and height, labels int64 (n,)
    indices into `class_names`, in lists of N. A crowd is one box around many objects: it is no
    truth to be found, so it stands apart, in lists of N, too.

    `sizes` int64 (N, 2) are width and height in pixels; `image_ids` (N,) and `category_ids` (C,)
    what the file calls images and classes. COCO's own 80 classes have numbers from 1 to 90.
    """

    file_names: Sequence[str]
    sizes: np.ndarray
    boxes: Sequence[np.ndarray]
    labels: Sequence[np.ndarray]
    crowd_boxes: Sequence[np.ndarray]
    crowd_labels: Sequence[np.ndarray]
    class_names: Sequence[str]
    image_ids: np.ndarray
    category_ids: np.ndarray


def numbered(
    boxes: Sequence[np.ndarray],
    labels: Sequence[np.ndarray],
    class_names: Sequence[str],
    size: tuple[int, int],
) -> Coco:
    """Give images of one `size` (width, height) and classes their numbers from 1, and names.

    `boxes` and `labels` are lists of N as in `Coco`, and as in `utils.datasets.Scenes`.
    """
    n = len(boxes)
    return Coco(
        file_names=[f"{i:06}.png" for i in range(1, n + 1)],
        sizes=np.tile(np.array(size, np.int64), (n, 1)),
        boxes=boxes,
        labels=labels,
        crowd_boxes=[np.zeros((0, 4), np.float32)] * n,
        crowd_labels=[np.zeros(0, np.int64)] * n,
        class_names=class_names,
        image_ids=np.arange(1, n + 1),
        category_ids=np.arange(1, len(class_names) + 1),
    )


# ---- reading ---------------------------------------------------------------------------------


def read_coco(path: str | Path) -> Coco:
    """Read a file of annotations, images in its order, classes by their numbers.

    Boxes are cut at the image's edges; one that has no area then is left out. Masks, key points and
    captions are not read.

    Source: https://cocodataset.org/#format-data

    Raises:
        OSError: the file cannot be read.
        ValueError: it is not JSON, lacks something, uses a number twice, or names an image or a
            category that it does not have; the message says where.

    """
    path = Path(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path.name} is not JSON: {error}") from None
    try:
        return _from_content(content)
    except ValueError as error:
        raise ValueError(f"{path.name} is not in COCO's form: {error}") from None


def _from_content(content: Any) -> Coco:
    images = _entries(content, "images", {"id": int, "file_name": str, "width": int, "height": int})
    categories = _entries(content, "categories", {"id": int, "name": str})
    annotations = _entries(
        content, "annotations", {"image_id": int, "category_id": int, "bbox": list}
    )
    categories.sort(key=lambda category: category["id"])
    row_of, label_of = _index(images, "images"), _index(categories, "categories")
    for i, image in enumerate(images):
        if min(image["width"], image["height"]) < 1:
            raise ValueError(f"images[{i}] has no pixels")
    found: dict[bool, list[list]] = {crowd: [[] for _ in images] for crowd in (False, True)}
    for i, annotation in enumerate(annotations):
        row = row_of.get(annotation["image_id"])
        label = label_of.get(annotation["category_id"])
        if row is None or label is None:
            name = "image_id" if row is None else "category_id"
            raise ValueError(f"annotations[{i}]: there is no {name} {annotation[name]}")
        box = _fractions(annotation["bbox"], images[row], f"annotations[{i}]")
        if (box[:2] < box[2:]).all():
            found[bool(annotation.get("iscrowd", 0))][row].append((box, label))
    lists = {}
    for crowd, prefix in ((False, ""), (True, "crowd_")):
        lists[f"{prefix}boxes"] = [
            np.array([box for box, _ in objects], np.float32).reshape(-1, 4)
            for objects in found[crowd]
        ]
        lists[f"{prefix}labels"] = [
            np.array([label for _, label in objects], np.int64) for objects in found[crowd]
        ]
    return Coco(
        file_names=[image["file_name"] for image in images],
        sizes=np.array([(i["width"], i["height"]) for i in images], np.int64).reshape(-1, 2),
        **lists,
        class_names=[category["name"] for category in categories],
        image_ids=np.array(list(row_of), np.int64),
        category_ids=np.array(list(label_of), np.int64),
    )


def _entries(content: Any, name: str, kinds: dict[str, type]) -> list[dict]:
    """One of the file's lists, whose entries have at least these fields."""
    entries = content.get(name) if isinstance(content, dict) else None
    if not isinstance(entries, list):
        raise ValueError(f"it has no list {name!r}")
    for i, entry in enumerate(entries):
        for field, kind in kinds.items():
            value = entry.get(field) if isinstance(entry, dict) else None
            if type(value) is not kind:
                raise ValueError(f"{name}[{i}]: {field} is {value!r}, not of type {kind.__name__}")
    return entries


def _index(entries: list[dict], name: str) -> dict[int, int]:
    """The place of each number in a list."""
    index = {entry["id"]: i for i, entry in enumerate(entries)}
    for i, entry in enumerate(entries):
        if index[entry["id"]] != i:
            raise ValueError(f"{name} has the id {entry['id']} twice")
    return index


def _fractions(bbox: list, image: dict, where: str) -> np.ndarray:
    """COCO's x, y, width, height in pixels → x1, y1, x2, y2 as fractions, cut at the edges."""
    if len(bbox) != 4 or not all(type(number) in (int, float) for number in bbox):
        raise ValueError(f"{where}: bbox is {bbox}, not x, y, width, height")
    corner, extent = np.array(bbox[:2], float), np.array(bbox[2:], float)
    if not (np.isfinite(bbox).all() and (extent >= 0).all()):
        raise ValueError(f"{where}: bbox is {bbox}, where width and height must not be negative")
    size = image["width"], image["height"]
    return np.clip(np.concatenate([corner, corner + extent]) / (*size, *size), 0, 1)


# ---- writing ---------------------------------------------------------------------------------


def write_coco(path: str | Path, coco: Coco) -> None:
    """Write annotations so that `read_coco` and the program pycocotools read them.

    Raises:
        OSError: the file cannot be written.
        ValueError: lists of different lengths, labels without a class, numbers that are not finite.

    """
    annotations = []
    for crowd, boxes, labels in (
        (0, coco.boxes, coco.labels),
        (1, coco.crowd_boxes, coco.crowd_labels),
    ):
        for box in _rows(coco, boxes, labels):
            area = box["bbox"][2] * box["bbox"][3]
            # from 1, because pycocotools takes 0 for "no match"
            annotations.append({"id": len(annotations) + 1, **box, "area": area, "iscrowd": crowd})
    images = [
        {"id": id, "file_name": name, "width": width, "height": height}
        for id, name, (width, height) in zip(
            coco.image_ids.tolist(), coco.file_names, coco.sizes.tolist(), strict=True
        )
    ]
    categories = [
        {"id": id, "name": name}
        for id, name in zip(coco.category_ids.tolist(), coco.class_names, strict=True)
    ]
    _write(
        path,
        {"info": {}, "images": images, "annotations": annotations, "categories": categories},
    )


def write_detections(
    path: str | Path, detections: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]], coco: Coco
) -> None:
    """Write what a detector found, boxes, scores and labels of each image of `coco`, in its order.

    pycocotools reads the file by ``COCO(truths).loadRes(path)``.

    Raises:
        OSError, ValueError: as in `write_coco`.

    """
    boxes, scores, labels = ([image[part] for image in detections] for part in range(3))
    _check_lengths("scores", scores, boxes)
    flat = (score for of_image in scores for score in np.asarray(of_image).tolist())
    rows = zip(_rows(coco, boxes, labels), flat, strict=True)
    _write(path, [{**row, "score": score} for row, score in rows])


def _rows(
    coco: Coco, boxes: Sequence[np.ndarray], labels: Sequence[np.ndarray]
) -> Iterator[dict[str, Any]]:
    """Image, category and pixels of each box."""
    if len(boxes) != len(coco.image_ids):
        raise ValueError(f"expected boxes of {len(coco.image_ids)} images, got {len(boxes)}")
    _check_lengths("labels", labels, boxes)
    classes = len(coco.category_ids)
    for i, (image_id, size) in enumerate(zip(coco.image_ids.tolist(), coco.sizes, strict=True)):
        of_image = np.asarray(labels[i], np.int64)
        if not ((of_image >= 0) & (of_image < classes)).all():
            raise ValueError(f"labels[{i}]: expected 0 to {classes - 1}, got {of_image.tolist()}")
        corners = np.asarray(boxes[i], float).reshape(-1, 2, 2)
        corner, extent = corners[:, 0] * size, (corners[:, 1] - corners[:, 0]) * size
        pixels = np.concatenate([corner, extent], axis=1).tolist()
        for bbox, category in zip(pixels, coco.category_ids[of_image].tolist(), strict=True):
            yield {"image_id": image_id, "category_id": category, "bbox": bbox}


def _check_lengths(name: str, lists: Sequence, boxes: Sequence) -> None:
    lengths, expected = ([len(each) for each in part] for part in (lists, boxes))
    if lengths != expected:
        raise ValueError(f"{name}: expected one a box, of each image {expected}, got {lengths}")


def _write(path: str | Path, content: Any) -> None:
    Path(path).write_text(json.dumps(content, allow_nan=False), encoding="utf-8")
