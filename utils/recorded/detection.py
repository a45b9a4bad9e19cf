"""The study of detection: the same small detector trained in several ways, over seeds.

``python -m utils.recorded.detection`` trains all again, half an hour or more on one core.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from utils import recorded
from utils.metrics import average_precision, iou, precision_recall

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from utils.metrics import Detections
    from utils.models.detector import Detector, Head

    Truths = Sequence[tuple[np.ndarray, np.ndarray]]

SEEDS = range(5)  # of weights, scenes and the split of the glyphs
STEPS, SHORT, LONG = 700, 400, 1200  # of the chapter's recipe; of the comparisons; of a control
OVERLAPS = (0.1, 0.2, 0.3, 0.45, 0.6, 0.75, 0.9, None)  # IoU from which a score is suppressed
SURE = 0.5  # an object whose score is at least this counts as found
WAYS = {  # name → mining, head, and whether background is as likely at the start as it is
    "hard": ("hard", "two scales", False),
    "random": ("random", "two scales", False),
    "light": ("light", "two scales", False),
    "all": ("all", "two scales", False),
    "all, prior": ("all", "two scales", True),
    "one scale": ("hard", "one scale", False),
    "no anchors": ("hard", "points", False),
}


def head(name: str) -> Head:
    """The head of this name: ``"two scales"``, ``"one scale"`` or ``"points"``."""
    from utils.models.detector import ONE_GRID, anchor_head, point_head

    makers: dict[str, Callable[[], Head]] = {
        "two scales": anchor_head,
        "one scale": lambda: anchor_head(ONE_GRID),
        "points": point_head,
    }
    return makers[name]()


def options(way: str) -> dict[str, Any]:
    """What `detector.train` needs to train in this one of the `WAYS`."""
    from utils.models.detector import PRIOR

    mining, name, knows = WAYS[way]
    return {"head": head(name), "mining": mining, "prior": PRIOR if knows else 0.0}


def score(found: Sequence[Detections], truths: Truths) -> dict[str, Any]:
    """Rate detections by their average precision.

    Returns:
        Means over the kinds: ``ap50``, ``ap75``, ``ap`` (of ten IoU thresholds); ``kinds``,
        the ap50 of each kind.

    """
    each = average_precision(found, truths, 5)
    numbers = {"ap50": each[0].mean(), "ap75": each[5].mean(), "ap": each.mean()}
    return {name: round(float(number), 4) for name, number in numbers.items()} | {
        "kinds": [round(float(number), 4) for number in each[0]]
    }


def naming(found: Sequence[Detections], truths: Truths, sure: float = SURE) -> dict[str, float]:
    """How well objects are found, whatever they are, and how often the found ones are named right.

    Args:
        found: detections whose scores are those of any object (``by_kind=False``).
        truths: boxes and labels.
        sure: an object is found if a detection with at least this score has an IoU of 0.5 or more
            with it; the surest such detection gives the name.

    Returns:
        ``unnamed``, the ap50 of all objects as one kind; ``found``, the share of objects that are
        found; ``named``, the share of these with the right name.

    """
    plain = [one._replace(labels=0 * one.labels) for one in found]
    truly = [(boxes, 0 * labels) for boxes, labels in truths]
    objects, names = 0, []
    for one, (boxes, labels) in zip(found, truths, strict=True):
        objects += len(boxes)
        overlap = iou(boxes, one.boxes) >= 0.5
        for near, label in zip(overlap & (one.scores >= sure), labels, strict=True):
            if near.any():
                names.append(one.labels[np.where(near, one.scores, -1).argmax()] == label)
    return {
        "unnamed": round(float(average_precision(plain, truly, 1)[0, 0]), 4),
        "found": round(len(names) / objects, 4),
        "named": round(float(np.mean(names)), 4),
    }


def run(way: str, seed: int, steps: int) -> dict[str, Any]:
    """Train in one of the `WAYS` and rate on new scenes, of seen and of unseen glyphs.

    Returns:
        ``way``, ``seed``, ``steps``; ``seen`` and ``unseen``, as `score` and `naming` rate them,
        with ``precision`` and ``recall``, means over the kinds, of scores from 0.5, and
        ``by_overlap``, the ap50 for each of `OVERLAPS`.

    """
    from utils.datasets import load_scenes
    from utils.models.detector import train

    scenes = load_scenes(seed)
    detector = train(scenes, steps=steps, seed=seed, **options(way))
    return {"way": way, "seed": seed, "steps": steps} | {
        part: _rate(detector, *held_out(scenes, part)) for part in ("seen", "unseen")
    }


def held_out(scenes: Any, part: str) -> tuple[np.ndarray, Truths]:
    """New scenes of ``"seen"`` or of ``"unseen"`` glyphs: images, and the truth of each."""
    name = {"seen": "valid", "unseen": "test"}[part]
    boxes, labels = (getattr(scenes, f"{what}_{name}") for what in ("boxes", "y"))
    return getattr(scenes, f"x_{name}"), list(zip(boxes, labels, strict=True))


def _rate(detector: Detector, images: np.ndarray, truths: Truths) -> dict[str, Any]:
    from utils.models.detector import detections

    answers, head = detector.answers(images), detector.head
    found = detections(answers, head)
    curves = [precision_recall(found, truths, kind).at(0.5) for kind in range(5)]
    rated = score(found, truths) | naming(detections(answers, head, by_kind=False), truths)
    for name, share in zip(("precision", "recall"), np.nanmean(curves, axis=0), strict=True):
        rated[name] = round(float(share), 4)
    rated["by_overlap"] = [
        score(detections(answers, head, overlap=overlap), truths)["ap50"] for overlap in OVERLAPS
    ]
    return rated


def runs(way: str = "hard", steps: int = SHORT) -> dict[int, dict[str, Any]]:
    """The recorded runs of one way and so many steps, by seed."""
    return recorded.by_seed("detection", way=way, steps=steps)


def study() -> list[dict[str, Any]]:
    """Train all `plans`."""
    return [run(*plan) for plan in plans()]


def plans() -> list[tuple[str, int, int]]:
    """All runs, as (way, seed, steps): five of the chapter's recipe, three of each other plan."""
    recipe = [("hard", seed, STEPS) for seed in SEEDS]
    short = [(way, seed, SHORT) for way in WAYS for seed in SEEDS[:3]]
    long = [(way, seed, LONG) for way in ("hard", "all") for seed in SEEDS[:3]]
    return recipe + short + long


if __name__ == "__main__":
    recorded.make("detection", study, seeds=SEEDS)
