"""Pictures translated after two minutes: ``python -m tests.bench.translation``.

The steps are those that took 90 CPU seconds where they were calibrated. The painters of chapter 14
color 200 outlines of emoji that no training saw, with and without dabs of true color; its CycleGAN
turns neon signs into digits, of which a judge reads 1,000. A seed changes weights, batches and
augmentation, and who belongs to which world.
"""

from __future__ import annotations

import sys

from tests.bench._race import Contestant, Race, Result, Stopwatch


def painted(name: str, steps: int, seed: int) -> Result:
    """Train in one of the settings of `utils.recorded.translation` and rate the paintings."""
    from utils.recorded import translation

    with Stopwatch() as clock:
        G = translation.train(name, seed, steps)
    row = translation.run(name, seed, G)
    result = {"color error": row["color"], "kinds": row["kind"], "seconds": clock.seconds}
    if "dabs" in row:
        result["with 3 dabs"] = row["dabs"][translation.DABS.index(3)]
    return result


def translated(name: str, seed: int) -> Result:
    """Train in one of the settings of `utils.recorded.cycle` and let the digits be read."""
    from utils.recorded import cycle

    with Stopwatch() as clock:
        game = cycle.train(name, seed)
    return {"digits": cycle.run(name, seed, game)["accuracy"], "seconds": clock.seconds}


def recolored() -> Result:
    """The best of the programs that recolor each pixel by itself, on the same signs."""
    from utils.datasets.looks import load_worlds
    from utils.recorded import cycle

    read = cycle.baselines(load_worlds("neon"))
    return {"digits": max(read["affine"], read["histogram"], read["from the frame"])}


RACE = Race(
    "translation",
    "outlines painted and neon signs read",
    {
        "color error": "{:.3f}",
        "with 3 dabs": "{:.3f}",
        "kinds": "{:.0%}",
        "digits": "{:.0%}",
        "seconds": "{:.0f}",
    },
    {
        "L1": Contestant(
            "chapter 14, U-Net by L1 and a bucket", lambda seed: painted("L1", 1860, seed), "≤ 0.17"
        ),
        "critic": Contestant(
            "the same with a critic, λ = 50", lambda seed: painted("λ = 50", 1340, seed)
        ),
        "hints": Contestant(
            "a U-Net that takes dabs",
            lambda seed: painted("L1, dabs", 1600, seed),
            "≤ 0.12 with 3 dabs",
        ),
        "neon": Contestant(
            "CycleGAN, neon", lambda seed: translated("neon, long", seed), "≥ 45% of the digits"
        ),
        "recolored": Contestant("neon, each pixel recolored", lambda seed: recolored()),
    },
    headline="**Outlines and neon signs** (chapter 14): after {hints[seconds]} s a U-Net paints "
    "unseen emoji with a color error of {hints[color error]}, with three dabs of "
    "{hints[with 3 dabs]}; a CycleGAN without pairs turns neon signs into digits, of which "
    "{neon[digits]} are read.",
)

if __name__ == "__main__":
    sys.exit(RACE.main(sys.argv[1:]))
