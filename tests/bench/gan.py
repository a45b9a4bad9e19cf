"""What generators of digits reach in 60 seconds of one core, on the embedded digits.

Run ``python -m tests.bench.gan``. Each contestant stops after so many CPU seconds of training, so
its step size follows the clock. 1,000 generated images are judged by `utils.recorded.judge`; the
distance is on its own scale, so the last row gives that of 1,000 real unseen digits.
"""

from __future__ import annotations

import sys

import numpy as np

from tests.bench._race import Contestant, Race, Result, Stopwatch

SECONDS = 60.0


def scores(images: np.ndarray) -> Result:
    """What the judge says of images (N, 28, 28): digits with 1 % or more, distance, confidence."""
    from utils.recorded import judge

    return {
        "digits": int((judge.coverage(images) >= 0.01).sum()),
        "distance": judge.frechet_distance(images),
        "confidence": judge.confidence(images),
    }


def judged(G, epochs: float, seconds: float) -> Result:
    """Scores of a generator, with the epochs and seconds that it took."""
    from utils.models import gan
    from utils.recorded import generator

    images = gan.generate(G, gan.latents(generator.JUDGED))
    return scores(images) | {"epochs": epochs, "seconds": seconds}


def unseen(seed: int) -> Result:
    """The 1,000 real test digits; nothing is random."""
    from utils.datasets import load_digits

    return scores(load_digits(full=False).x_test)


def by_the_clock(n: int, step, seed: int) -> tuple[float, float]:
    """Call ``step(rows, share of the time used)`` until the time is up: epochs, seconds."""
    from utils.models import gan

    rng, done = np.random.default_rng(seed), 0
    with Stopwatch() as clock:
        while clock.so_far() < SECONDS:
            for rows in gan.batches(n, rng):
                used = clock.so_far() / SECONDS
                if used >= 1:
                    break
                step(rows, used)
                done += 1
    return done * gan.BATCH / n, clock.seconds


def dcgan(seed: int) -> Result:
    """The DCGAN of chapter 13 in Keras, one compiled step for both players."""
    from utils.datasets import load_digits
    from utils.models import gan
    from utils.runtime import import_tensorflow

    tf = import_tensorflow()
    tf.keras.utils.set_random_seed(seed)
    digits, rng = load_digits(full=False).x_train, np.random.default_rng(100 + seed)
    G, D = gan.keras_generator(), gan.keras_discriminator()
    players = [tf.keras.optimizers.Adam(gan.LR, beta_1=0.5) for _ in "GD"]
    move = gan.dcgan_step(G, D, *players)
    x = tf.constant(2 * digits[..., None] - 1)

    def step(rows, used: float) -> None:
        for optimizer in players:
            optimizer.learning_rate.assign(gan.LR * (1 - used))
        noise = rng.normal(size=(gan.BATCH, gan.LATENT)).astype(np.float32)
        move(tf.gather(x, rows), noise)

    return judged(G, *by_the_clock(len(digits), step, seed))


def in_torch(kind: str, seed: int) -> Result:
    """LSGAN or WGAN-GP of chapter 13 in PyTorch."""
    import torch

    from utils.datasets import load_digits
    from utils.models import gan

    torch.set_num_threads(1)
    torch.manual_seed(seed)
    game, digits = gan.TorchGame(kind), load_digits(full=False).x_train
    x = torch.tensor(2 * digits[:, None] - 1)
    spent = by_the_clock(len(x), lambda rows, used: game.step(x[rows], left=1 - used), seed)
    return judged(game.G, *spent)


RACE = Race(
    "gan",
    "generated digits after 60 s",
    {
        "digits": "{:.0f}",
        "distance": "{:.2f}",
        "confidence": "{:.2f}",
        "epochs": "{:.0f}",
        "seconds": "{:.0f}",
    },
    {
        "dcgan": Contestant("chapter 13, DCGAN in Keras", dcgan, "≥ 9 digits, distance < 4"),
        "lsgan": Contestant("LSGAN in PyTorch", lambda seed: in_torch("LSGAN", seed)),
        "wgan_gp": Contestant("WGAN-GP in PyTorch", lambda seed: in_torch("WGAN-GP", seed)),
        "real": Contestant("1,000 real unseen digits", unseen),
    },
    headline="**New digits** (chapter 13): after {dcgan[seconds]} s our DCGAN draws all "
    "{dcgan[digits]}, at a Fréchet distance of {dcgan[distance]}; real unseen digits have "
    "{real[distance]}.",
)

if __name__ == "__main__":
    sys.exit(RACE.main(sys.argv[1:]))
