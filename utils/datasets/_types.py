"""What the loaders return: frozen records of read-only NumPy arrays, checked when they are made.

Everywhere `x` is what a model is given and `y` what it should answer, as in Keras. Pictures are
float32 in [0, 1], or uint8 in 0 … 255 where a class says so, (N, H, W) gray or (N, H, W, 3) color;
labels are int64 indices into `class_names`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

Tokens = tuple[tuple[str, ...], ...]


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class DataSet:
    """What every data set carries: where it comes from, its license, whether it is the full one.

    Arrays are kept as read-only views, so that a lesson cannot spoil them by accident.

    Raises:
        TypeError, ValueError: a field breaks its class's promise; the message names the field, what
            was expected and what was found.

    """

    source: str
    license: str
    is_full: bool
    _pixels: ClassVar[str] = "float32"

    def __post_init__(self) -> None:
        for field in ("source", "license"):
            value = getattr(self, field)
            if not isinstance(value, str) or not value:
                raise self._wrong(field, "a text that is not empty", repr(value))
        if not isinstance(self.is_full, bool):
            raise self._wrong("is_full", "True or False", repr(self.is_full))
        self._check()

    def __repr__(self) -> str:
        extent = "full" if self.is_full else "embedded"
        return f"{type(self).__name__}: {self._describe()}, {extent}"

    def _check(self) -> None:
        """Check the fields of the subclass and freeze them."""
        raise NotImplementedError

    def _describe(self) -> str:
        raise NotImplementedError

    def _set(self, field: str, value: Any) -> None:
        object.__setattr__(self, field, value)  # the dataclass is frozen, but not yet finished

    def _wrong(self, field: str, expected: str, found: str, kind: type = ValueError) -> Exception:
        return kind(f"{type(self).__name__}.{field}: expected {expected}, got {found}")

    def _freeze(self, field: str, dtype: str, dimensions: tuple[int, ...], what: str) -> np.ndarray:
        """Replace the array of `field` by a read-only view and return it."""
        array = getattr(self, field)
        if not isinstance(array, np.ndarray):
            raise self._wrong(field, f"an array, {what}", type(array).__name__, TypeError)
        if array.dtype != dtype or array.ndim not in dimensions or not array.size:
            raise self._wrong(field, what, f"{array.dtype} of shape {array.shape}")
        view = array.view()
        view.setflags(write=False)
        self._set(field, view)
        return view

    def _freeze_images(self, field: str) -> np.ndarray:
        what = f"{self._pixels} images (N, H, W) or (N, H, W, 3)"
        images = self._freeze(field, self._pixels, (3, 4), what)
        if images.ndim == 4 and images.shape[3] != 3:
            raise self._wrong(field, "color images (N, H, W, 3)", f"shape {images.shape}")
        low, high = images.min(), images.max()
        if self._pixels == "float32" and not (low >= 0 and high <= 1):  # also true of NaN
            raise self._wrong(field, "values from 0 to 1", f"{low:g} to {high:g}")
        return images

    def _freeze_image_pair(self, train: str, test: str) -> None:
        seen, unseen = self._freeze_images(train), self._freeze_images(test)
        if seen.shape[1:] != unseen.shape[1:]:
            raise self._wrong(
                test, f"images of {_size(seen)} as in {train}", f"images of {_size(unseen)}"
            )

    def _freeze_labels(self, field: str, inputs: str) -> None:
        labels = self._freeze(field, "int64", (1,), "int64 labels (N,)")
        self._match_lengths(field, inputs)
        self._check_classes(field, labels)

    def _check_classes(self, field: str, labels: np.ndarray) -> None:
        classes = len(self.class_names)
        if labels.size and not (labels.min() >= 0 and labels.max() < classes):
            expected = f"labels from 0 to {classes - 1}, one for each of class_names"
            raise self._wrong(field, expected, f"{labels.min()} to {labels.max()}")

    def _match_lengths(self, field: str, other: str) -> None:
        expected, found = len(getattr(self, other)), len(getattr(self, field))
        if found != expected:
            raise self._wrong(field, f"{expected:,} items as in {other}", f"{found:,}")

    def _freeze_texts(self, field: str) -> None:
        texts = getattr(self, field)
        if not _is_sequence(texts) or not texts or not all(isinstance(t, str) for t in texts):
            raise self._wrong(field, "a list of one or more texts", type(texts).__name__, TypeError)
        self._set(field, tuple(texts))

    def _freeze_class_names(self) -> None:
        self._freeze_texts("class_names")
        if len(set(self.class_names)) < len(self.class_names):
            raise self._wrong("class_names", "names that differ", repr(self.class_names))


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class LabeledImages(DataSet):
    """Images and one label for each: `x` (N, H, W) or (N, H, W, 3), `y` (N,)."""

    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    class_names: Sequence[str]

    def _check(self) -> None:
        self._freeze_class_names()
        self._freeze_image_pair("x_train", "x_test")
        self._freeze_labels("y_train", "x_train")
        self._freeze_labels("y_test", "x_test")

    def _describe(self) -> str:
        return (
            f"{len(self.x_train):,} training and {len(self.x_test):,} test images of "
            f"{_size(self.x_train)}, {len(self.class_names)} classes"
        )


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Scenes(DataSet):
    """Images, and for each the boxes and labels of its objects.

    `x` (N, H, W) or (N, H, W, 3); `boxes` N arrays of float32 (n, 4): x1, y1, x2, y2 as fractions
    of width and height, from the upper left corner; `y` N arrays of labels (n,).
    """

    x_train: np.ndarray
    boxes_train: Sequence[np.ndarray]
    y_train: Sequence[np.ndarray]
    x_test: np.ndarray
    boxes_test: Sequence[np.ndarray]
    y_test: Sequence[np.ndarray]
    class_names: Sequence[str]

    def _check(self) -> None:
        self._freeze_class_names()
        self._freeze_image_pair("x_train", "x_test")
        for part in ("train", "test"):
            self._freeze_objects(f"boxes_{part}", f"y_{part}", f"x_{part}")

    def _freeze_objects(self, boxes_field: str, labels_field: str, images_field: str) -> None:
        all_boxes = self._freeze_list(boxes_field, images_field, "float32 boxes (n, 4)")
        all_labels = self._freeze_list(labels_field, images_field, "int64 labels (n,)")
        for i, (boxes, labels) in enumerate(zip(all_boxes, all_labels, strict=True)):
            here = f"{boxes_field}[{i}]"
            if boxes.dtype != "float32" or boxes.shape[1:] != (4,):
                found = f"{boxes.dtype} of shape {boxes.shape}"
                raise self._wrong(here, "float32 boxes (n, 4)", found)
            low, high = boxes[:, :2], boxes[:, 2:]
            if not ((low >= 0) & (low < high) & (high <= 1)).all():
                raise self._wrong(here, "0 ≤ x1 < x2 ≤ 1 and 0 ≤ y1 < y2 ≤ 1", f"{boxes.tolist()}")
            here = f"{labels_field}[{i}]"
            if labels.dtype != "int64" or labels.shape != (len(boxes),):
                found = f"{labels.dtype} of shape {labels.shape}"
                raise self._wrong(here, f"int64 labels ({len(boxes)},), one a box", found)
            self._check_classes(here, labels)

    def _freeze_list(self, field: str, images: str, what: str) -> tuple[np.ndarray, ...]:
        """Replace a list of arrays, one an image, by read-only views and return them."""
        arrays = getattr(self, field)
        if not _is_sequence(arrays) or not all(isinstance(a, np.ndarray) for a in arrays):
            raise self._wrong(field, f"a list of arrays, {what}", type(arrays).__name__, TypeError)
        self._match_lengths(field, images)
        views = tuple(array.view() for array in arrays)
        for view in views:
            view.setflags(write=False)
        self._set(field, views)
        return views

    def _describe(self) -> str:
        seen, unseen = (sum(map(len, labels)) for labels in (self.y_train, self.y_test))
        return (
            f"{len(self.x_train):,} training and {len(self.x_test):,} test images of "
            f"{_size(self.x_train)}, {seen:,} and {unseen:,} boxes, "
            f"{len(self.class_names)} classes"
        )


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Pairs(DataSet):
    """Sources `x` and targets `y`, pair by pair: two arrays of images, or two lists of sequences.

    Images (N, H, W) or (N, H, W, 3) may differ in size and color between `x` and `y`. A sequence is
    a tuple of tokens (texts that are not empty); lengths vary.
    """

    x_train: np.ndarray | Tokens
    y_train: np.ndarray | Tokens
    x_test: np.ndarray | Tokens
    y_test: np.ndarray | Tokens

    def _check(self) -> None:
        for side in "xy":
            train, test = f"{side}_train", f"{side}_test"
            if isinstance(getattr(self, train), np.ndarray):
                self._freeze_image_pair(train, test)
            else:
                self._freeze_tokens(train)
                self._freeze_tokens(test)
        self._match_lengths("y_train", "x_train")
        self._match_lengths("y_test", "x_test")

    def _freeze_tokens(self, field: str) -> None:
        what, sequences = "a list of token sequences, or an array of images", getattr(self, field)
        if not _is_sequence(sequences) or not sequences:
            raise self._wrong(field, what, type(sequences).__name__, TypeError)
        for i, tokens in enumerate(sequences):
            # A bare text would pass as a sequence of its letters.
            if not _is_sequence(tokens) or not tokens:
                raise self._wrong(f"{field}[{i}]", "a sequence of tokens", repr(tokens), TypeError)
            if not all(isinstance(token, str) and token for token in tokens):
                raise self._wrong(f"{field}[{i}]", "tokens that are texts", repr(tokens), TypeError)
        self._set(field, tuple(tuple(tokens) for tokens in sequences))

    def _describe(self) -> str:
        kinds = [
            f"images of {_size(side)}" if isinstance(side, np.ndarray) else "token sequences"
            for side in (self.x_train, self.y_train)
        ]
        return (
            f"{len(self.x_train):,} training and {len(self.x_test):,} test pairs, "
            f"{kinds[0]} → {kinds[1]}"
        )


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Series(DataSet):
    """One quantity over time, a value for every month or every year, without a gap.

    `values` float64 (T,) in `unit`; `times` datetime64[M] or datetime64[Y] (T,).
    """

    name: str
    unit: str
    values: np.ndarray
    times: np.ndarray

    def _check(self) -> None:
        for field in ("name", "unit"):
            value = getattr(self, field)
            if not isinstance(value, str) or not value:
                raise self._wrong(field, "a text that is not empty", repr(value))
        values = self._freeze("values", "float64", (1,), "float64 values (T,)")
        if not np.isfinite(values).all():
            found = f"{int((~np.isfinite(values)).sum())} that are not"
            raise self._wrong("values", "finite numbers", found)
        monthly = getattr(self.times, "dtype", None) == "datetime64[M]"
        dtype = "datetime64[M]" if monthly else "datetime64[Y]"
        times = self._freeze("times", dtype, (1,), "datetime64[M] or datetime64[Y] (T,)")
        self._match_lengths("times", "values")
        steps = np.diff(times.astype("int64"))
        if not (steps == 1).all():
            gap = int(np.flatnonzero(steps != 1)[0])
            every = "month" if monthly else "year"
            raise self._wrong(
                "times", f"one value each {every}", f"{times[gap]} followed by {times[gap + 1]}"
            )

    def _describe(self) -> str:
        every = "monthly" if self.times.dtype == "datetime64[M]" else "yearly"
        return (
            f"{self.name} in {self.unit}, {len(self.values):,} {every} values from "
            f"{self.times[0]} to {self.times[-1]}"
        )


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Texts(DataSet):
    """Texts and one label for each: `x` N texts, `y` (N,)."""

    x_train: Sequence[str]
    y_train: np.ndarray
    x_test: Sequence[str]
    y_test: np.ndarray
    class_names: Sequence[str]

    def _check(self) -> None:
        self._freeze_class_names()
        for part in ("train", "test"):
            self._freeze_texts(f"x_{part}")
            self._freeze_labels(f"y_{part}", f"x_{part}")

    def _describe(self) -> str:
        return (
            f"{len(self.x_train):,} training and {len(self.x_test):,} test texts, "
            f"{len(self.class_names)} classes"
        )


def _is_sequence(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _size(images: np.ndarray) -> str:
    return " × ".join(map(str, images.shape[1:]))
