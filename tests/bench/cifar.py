"""CIFAR-10 on one core: the course's network beside two textbook recipes.

Run ``COURSE_REAL_DATA=FOLDER python -m tests.bench.cifar``; FOLDER holds cifar10-train.npz.xz and
cifar10-test.npz.xz. Ours stops after a number of CPU seconds of training, so its step size follows
the clock; the textbooks train their own number of epochs. With a CUDA GPU, ResNet-18 follows, in
seconds of the wall.
"""

from __future__ import annotations

import io
import lzma
import sys
import time

import numpy as np

from tests.bench._race import Contestant, NotHere, Race, Result, Stopwatch, real_data


def load(part: str) -> tuple[np.ndarray, np.ndarray]:
    """Images uint8 (N, 32, 32, 3) and labels (N,)."""
    from PIL import Image

    with (
        lzma.open(real_data(f"cifar10-{part}.npz.xz")) as file,
        np.load(io.BytesIO(file.read()), allow_pickle=False) as kept,
    ):
        blob, offsets, labels = kept["blob"].tobytes(), kept["offsets"], kept["labels"]
    pictures = (
        Image.open(io.BytesIO(blob[offsets[i] : offsets[i + 1]])) for i in range(len(labels))
    )
    return np.stack([np.asarray(p.convert("RGB")) for p in pictures]), labels.astype(np.int64)


def tensors(part: str) -> tuple:
    """Normalized images (N, 3, 32, 32) and labels, as tensors."""
    import torch

    from utils.transforms import to_tensor

    images, labels = load(part)
    return to_tensor(images / np.float32(255)), torch.from_numpy(labels)


def ours(seed: int, width: int, seconds: float, peak: float = 0.3, batch: int = 128) -> Result:
    """The chapter's network and recipe for so many CPU seconds."""
    import torch

    from utils import optim, transforms
    from utils.models.cnn import SmallCNN
    from utils.training import predict

    torch.set_num_threads(1)
    torch.manual_seed(seed)
    x, y = tensors("train")
    x_new, y_new = tensors("test")
    model = SmallCNN(width, filters=transforms.whitening_filters(x[:2000], width))
    learned = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(learned, lr=peak, momentum=0.9, nesterov=True, weight_decay=5e-4)
    loss = torch.nn.CrossEntropyLoss(label_smoothing=0.1)
    augment = transforms.Compose([transforms.flip, transforms.crop])
    factor = optim.one_cycle(10_000)
    steps = 0
    with Stopwatch() as clock:
        while clock.so_far() < seconds:
            for rows in torch.randperm(len(x)).split(batch):
                used = clock.so_far() / seconds
                if used >= 1:
                    break
                optimizer.param_groups[0]["lr"] = peak * factor(int(10_000 * used))
                optimizer.zero_grad()
                loss(model(augment(x[rows])), y[rows]).backward()
                optimizer.step()
                steps += 1
    right = predict(model, x_new, mirrored=True).argmax(axis=1) == y_new.numpy()
    return {"accuracy": right.mean(), "seconds": clock.seconds, "epochs": steps * batch / len(x)}


def lenet(seed: int) -> Result:
    """LeNet as a well-known tutorial trains it, without worker processes."""
    import torch

    from utils.models.cnn import LeNet
    from utils.training import fit, predict

    torch.set_num_threads(1)
    torch.manual_seed(seed)
    data, (x_new, y_new) = tensors("train"), tensors("test")
    model = LeNet()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)
    rng = np.random.default_rng(seed)
    with Stopwatch() as clock:
        fit(model, data, 2, optimizer, torch.nn.CrossEntropyLoss(), batch_size=4, rng=rng)
    right = predict(model, x_new).argmax(axis=1) == y_new.numpy()
    return {"accuracy": right.mean(), "seconds": clock.seconds, "epochs": 2}


def keras_textbook(seed: int) -> Result:
    """The CNN of the Keras beginners' tutorial: 32-64-64 filters, a dense layer of 64."""
    from utils.runtime import import_tensorflow, setup

    setup(seed)
    tf = import_tensorflow()
    layers = tf.keras.layers
    (x, y), (x_new, y_new) = load("train"), load("test")
    model = tf.keras.Sequential(
        [
            layers.Input((32, 32, 3)),
            *(layers.Conv2D(32, 3, activation="relu"), layers.MaxPooling2D()),
            *(layers.Conv2D(64, 3, activation="relu"), layers.MaxPooling2D()),
            *(layers.Conv2D(64, 3, activation="relu"), layers.Flatten()),
            *(layers.Dense(64, activation="relu"), layers.Dense(10)),
        ]
    )
    loss = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, metrics=["accuracy"])
    with Stopwatch() as clock:
        model.fit(x / np.float32(255), y, epochs=10, verbose=0)
    _, accuracy = model.evaluate(x_new / np.float32(255), y_new, verbose=0)
    return {"accuracy": accuracy, "seconds": clock.seconds, "epochs": 10}


def resnet(seed: int, epochs: int = 30, batch: int = 256) -> Result:
    """ResNet-18 by `fit` in mixed precision, where there is a CUDA GPU."""
    import torch

    if not torch.cuda.is_available():
        raise NotHere("there is no CUDA GPU")
    from utils import optim, transforms
    from utils.models.cnn import ResNet
    from utils.training import fit, predict

    torch.manual_seed(seed)
    (x, y), (x_new, y_new) = tensors("train"), tensors("test")
    model = ResNet().cuda()
    optimizer = torch.optim.SGD(
        model.parameters(), lr=0.2, momentum=0.9, nesterov=True, weight_decay=5e-4
    )
    augment = transforms.Compose([transforms.flip, lambda x: transforms.crop(x, 4)])
    start = time.perf_counter()
    fit(
        model,
        (x, y),
        epochs,
        optimizer,
        torch.nn.CrossEntropyLoss(label_smoothing=0.1),
        batch_size=batch,
        schedule=optim.one_cycle(epochs * -(-len(x) // batch)),
        augment=augment,
        rng=np.random.default_rng(seed),
    )
    seconds = time.perf_counter() - start
    right = predict(model, x_new, mirrored=True).argmax(axis=1) == y_new.numpy()
    return {"accuracy": right.mean(), "seconds": seconds, "epochs": epochs}


RACE = Race(
    "cifar",
    "CIFAR-10, 10,000 unseen photos",
    {"accuracy": "{:.1%}", "seconds": "{:.0f}", "epochs": "{:.1f}"},
    {
        "ours_60": Contestant(
            "chapter 06, 59,000 weights, 60 s",
            lambda seed: ours(seed, 24, 60),
            "≥ 74% in 60 s",
            "lenet",
        ),
        "ours_180": Contestant(
            "chapter 06, 105,000 weights, 180 s",
            lambda seed: ours(seed, 32, 180),
            "≥ 80% in 180 s",
            "keras",
        ),
        "lenet": Contestant("textbook LeNet: SGD 1e-3, momentum 0.9, batch 4, 2 epochs", lenet),
        "keras": Contestant("textbook Keras CNN 32-64-64: Adam, 10 epochs", keras_textbook),
        "resnet": Contestant("ResNet-18 on a GPU, 30 epochs", resnet, "≥ 94%"),
    },
    headline="**Photos** (chapter 06): {ours_60[accuracy]} of CIFAR-10's unseen photos in "
    "{ours_60[seconds]} s, {ours_180[accuracy]} in {ours_180[seconds]} s; the textbook "
    "LeNet has {lenet[accuracy]} after {lenet[seconds]} s, the textbook Keras CNN "
    "{keras[accuracy]} after {keras[seconds]} s.",
    needs="cifar10-train.npz.xz",
)

if __name__ == "__main__":
    sys.exit(RACE.main(sys.argv[1:]))
