"""A detector that runs in the page: its weights, and its raw answers to one scene.

``python -m utils.recorded.detector`` trains it again, some minutes on one core.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from utils import recorded

if TYPE_CHECKING:
    from utils.models.detector import Detector

STEPS, SEED = 2_400, 0
SCENE = 356  # of the new scenes with seen glyphs: two faces and two ships overlap
LEAST = 0.05  # lowest score of a raw answer that is kept


def weights() -> dict[str, np.ndarray]:
    """The folded weights float32, as `fold` names them, with ``mean`` and ``std`` of the input."""
    kept = recorded.load("detector")
    return {name: a.astype(np.float32) for name, a in kept.items() if not name.startswith("board.")}


def board() -> dict[str, np.ndarray]:
    """One scene and all that the detector says about it before suppression.

    Returns:
        ``image`` uint8 (64, 64, 3); ``boxes`` (n, 4), ``scores`` (n,) and ``labels`` (n,), for each
        answer every kind with a score above `LEAST`; ``truth_boxes`` and ``truth_labels``.

    """
    kept = recorded.load("detector")
    return {name[6:]: array for name, array in kept.items() if name.startswith("board.")}


def fold(detector: Detector) -> dict[str, np.ndarray]:
    """Weights with each batch normalization folded into the convolution before it.

    Returns:
        ``conv0.weight`` (3, 3, in, out) and ``conv0.bias`` (out,) to ``conv5``, each followed by a
        ReLU; ``head8`` and ``head4`` likewise, bare; ``mean`` and ``std`` (3,) of the input.
        conv0 has stride 2; a 2 × 2 max pooling follows conv1, conv2, and precedes conv5.

    """
    kept: dict[str, Any] = {"mean": detector.mean, "std": detector.std}
    weight, convolutions, heads = None, 0, iter(detector.head.answers)
    for layer in detector.network.layers:
        kind, values = type(layer).__name__, layer.get_weights()
        if kind == "Conv2D" and not layer.use_bias:
            (weight,) = values
        elif kind == "Conv2D":
            name = f"head{next(heads)}"
            kept[f"{name}.weight"], kept[f"{name}.bias"] = values
        elif kind == "BatchNormalization":
            gamma, beta, mean, variance = values
            factor = gamma / np.sqrt(variance + layer.epsilon)
            kept[f"conv{convolutions}.weight"] = weight * factor
            kept[f"conv{convolutions}.bias"] = beta - mean * factor
            convolutions += 1
    return kept


def record(steps: int = STEPS, seed: int = SEED) -> dict[str, np.ndarray]:
    """Train the detector and return what `weights` and `board` read, as float16 and small ints."""
    from utils.datasets import load_scenes
    from utils.models.detector import detections, train

    scenes = load_scenes(seed)
    detector = train(scenes, steps=steps, seed=seed)
    image = scenes.x_valid[SCENE]
    answers = detector.answers(image[None])
    (raw,) = detections(answers, detector.head, least=LEAST, overlap=None)
    few = {
        "boxes": raw.boxes.astype(np.float16),
        "scores": raw.scores.astype(np.float16),
        "labels": raw.labels.astype(np.uint8),
        "truth_boxes": scenes.boxes_valid[SCENE].astype(np.float16),
        "truth_labels": scenes.y_valid[SCENE].astype(np.uint8),
        "image": image,
    }
    folded = {name: array.astype(np.float16) for name, array in fold(detector).items()}
    return folded | {f"board.{name}": array for name, array in few.items()}


if __name__ == "__main__":
    recorded.make("detector", record, seeds=[SEED])
