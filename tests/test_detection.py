"""The study of detection: what its measures mean, and that the record holds every plan."""

import numpy as np

from utils.metrics import Detections
from utils.recorded import detection


def box(x):
    return [x, 0.0, x + 0.1, 0.1]


def test_an_object_is_found_whatever_its_name():
    truth = (np.array([box(0), box(0.3), box(0.6)]), np.array([0, 1, 2]))
    found = Detections(
        np.array([box(0), box(0.3), box(0.3), box(0.6), box(0.8)]),
        np.array(
            [0.9, 0.6, 0.8, 0.4, 0.7]
        ),  # the fourth is not sure enough, the last is on nothing
        np.array([0, 1, 3, 2, 4]),  # of the two upon the second object the surer one is wrong
    )
    rated = detection.naming([found], [truth])
    assert rated["found"] == round(2 / 3, 4)
    assert rated["named"] == 1 / 2
    # the surest first: hit, hit, nothing, a duplicate, hit
    best = [1] * 67 + [3 / 5] * 34  # recalls 0 … 0.66, 0.67 … 1
    assert rated["unnamed"] == round(float(np.mean(best)), 4)


def test_a_perfect_detector_scores_one():
    truths = [(np.array([box(k / 8)]), np.array([k])) for k in range(5)]
    found = [Detections(boxes, np.array([0.9]), labels) for boxes, labels in truths]
    assert detection.score(found, truths) == {"ap50": 1, "ap75": 1, "ap": 1, "kinds": [1] * 5}


def test_every_planned_run_is_recorded():
    plans = detection.plans()
    assert len(plans) == len(set(plans)) == 5 + 7 * 3 + 2 * 3
    for way, seed, steps in plans:
        run = detection.runs(way, steps)[seed]
        for part in ("seen", "unseen"):
            assert len(run[part]["by_overlap"]) == len(detection.OVERLAPS)
            right = run[part]["by_overlap"][detection.OVERLAPS.index(0.45)]
            assert right == run[part]["ap50"]
            assert run[part]["unnamed"] > run[part]["ap50"] > run[part]["ap75"] > 0
