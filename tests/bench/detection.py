"""What small detectors reach in 800 steps: ``python -m tests.bench.detection``.

That was about 60 CPU seconds of a quiet core when it was calibrated. They learn from 4,000 scenes;
they are rated on 400 new scenes of emoji that were in the training scenes
and on 400 of others. A seed changes weights, scenes and the split of the emoji.
"""

from __future__ import annotations

import sys

from tests.bench._race import Contestant, Race, Result, Stopwatch

STEPS = 800


def trained(way: str, seed: int) -> Result:
    """Train in one of the ways of `utils.recorded.detection` and rate the detector."""
    from utils.datasets import load_scenes
    from utils.models.detector import train
    from utils.recorded import detection

    scenes = load_scenes(seed)
    with Stopwatch() as clock:
        detector = train(scenes, steps=STEPS, seed=seed, **detection.options(way))
    result = {"seconds": clock.seconds}
    for part in ("seen", "unseen"):
        images, truths = detection.held_out(scenes, part)
        score = detection.score(detector.detect(images), truths)
        result |= {f"{part} mAP₅₀": score["ap50"], f"{part} mAP₇₅": score["ap75"]}
    return result


RACE = Race(
    "detection",
    "emoji found and named in new scenes, after 800 steps",
    {
        "seen mAP₅₀": "{:.3f}",
        "seen mAP₇₅": "{:.3f}",
        "unseen mAP₅₀": "{:.3f}",
        "unseen mAP₇₅": "{:.3f}",
        "seconds": "{:.0f}",
    },
    {
        "hard": Contestant(
            "chapter 07, SSD with hard negatives in Keras",
            lambda seed: trained("hard", seed),
            "mAP₅₀ ≥ 0.74 and 0.60, mAP₇₅ ≥ 0.42 and 0.33",
        ),
        "free": Contestant("the same, no anchors", lambda seed: trained("no anchors", seed)),
    },
    headline="**Objects in scenes** (chapter 07): after {hard[seconds]} s our detector has a mAP₅₀ "
    "of {hard[seen mAP₅₀]} on emoji that it has seen and of {hard[unseen mAP₅₀]} on others.",
)

if __name__ == "__main__":
    sys.exit(RACE.main(sys.argv[1:]))
