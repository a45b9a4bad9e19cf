"""Mistake browser: the confusion matrix, and the mistakes a classifier is surest of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from utils import plotting
from utils.metrics import confusion_matrix, surest_mistakes
from utils.widgets._live import live

if TYPE_CHECKING:
    from collections.abc import Sequence

    from utils.widgets._live import Live

SHOWN = 8  # mistakes on a page
EVERY = "every class"


def mistake_browser(
    images: np.ndarray, labels: np.ndarray, probabilities: np.ndarray, class_names: Sequence[str]
) -> Live:
    """Return a widget: choose a true class and a page, see the mistakes in it.

    Args:
        images: (N, H, W, 3) in [0, 1].
        labels: (N,) the true classes.
        probabilities: (N, C) of a classifier.
        class_names: C names.

    Raises:
        ValueError: the lengths do not fit together.

    """
    if not len(images) == len(labels) == len(probabilities):
        raise ValueError(
            "images, labels and probabilities must be equally long, got "
            f"{len(images)}, {len(labels)} and {len(probabilities)}"
        )
    if probabilities.shape[1] != len(class_names):
        raise ValueError(f"{probabilities.shape[1]} columns but {len(class_names)} class names")
    names, answers = list(class_names), probabilities.argmax(axis=1)
    counts = confusion_matrix(labels, answers, len(names))
    pages = max(1, -(-len(surest_mistakes(labels, probabilities)) // SHOWN))

    fig, matrix = plotting.figure(width=9, height=4.2)
    fig.set_layout_engine("none")  # titles come and go; nothing else may move
    matrix.set_position((0.17, 0.33, 0.33, 0.65))
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    matrix.imshow(np.sqrt(shares), cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(counts):
        if count:
            color = "white" if shares[row, column] > 0.3 else "black"
            matrix.text(column, row, count, ha="center", va="center", fontsize=7, color=color)
    matrix.set_xticks(range(len(names)), names, rotation=90, fontsize=9)
    matrix.set_yticks(range(len(names)), names, fontsize=9)
    matrix.set(xlabel="the network says", ylabel="it is")
    frame = matrix.axhspan(-0.5, 0.5, fill=False, edgecolor=plotting.ORANGE, linewidth=2.5)
    corners = [(0.54 + 0.115 * column, row) for row in (0.6, 0.1) for column in range(SHOWN // 2)]
    places = [fig.add_axes((x, y, 0.1, 0.22)) for x, y in corners]
    pictures = [ax.imshow(np.zeros_like(images[0])) for ax in places]
    for ax in places:
        ax.set_axis_off()

    def browse(true_class: str, page: int) -> str:
        label = None if true_class == EVERY else names.index(true_class)
        found = surest_mistakes(labels, probabilities, label)
        frame.set_visible(label is not None)
        frame.set_y((label or 0) - 0.5)
        chosen = found[SHOWN * (page - 1) : SHOWN * page]
        for place, (ax, picture) in enumerate(zip(places, pictures, strict=True)):
            picture.set_visible(place < len(chosen))
            ax.set_title("")
            if place < len(chosen):
                i = chosen[place]
                picture.set_data(images[i])
                sure = probabilities[i].max()
                ax.set_title(f"{names[labels[i]]}:\n{names[answers[i]]}?\n{sure:.0%}", fontsize=9)
        last = SHOWN * (page - 1) + len(chosen)
        return (
            f"{true_class}: {len(found)} mistakes; shown {min(last, SHOWN * (page - 1) + 1)} to "
            f"{last}, surest first"
            if len(chosen)
            else f"{true_class}: {len(found)} mistakes; none is left for page {page}"
        )

    return live(fig, browse, true_class=[EVERY, *names], page=(1, pages, 1))
