"""CIFAR-10 on one core: the course's network beside two textbook recipes.

Run ``COURSE_REAL_DATA=FOLDER python -m tests.bench.cifar``; FOLDER holds cifar10-train.npz.xz and
cifar10-test.npz.xz. Each contestant runs in a process of its own on one thread; its time is CPU
seconds of training. Ours stops after a number of seconds, so its step size follows the clock; the
textbooks train their own number of epochs. With a CUDA GPU, ResNet-18 follows, in seconds of the
wall. Names after the command run only those contestants.
"""

from __future__ import annotations

import io
import json
import lzma
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]
CONTESTANTS = {  # name → what it is; the numbers that are targets stand in the title
    "ours_60": "SmallCNN, 60 s (target 74 %)",
    "ours_180": "SmallCNN, 180 s (target 80 %)",
    "lenet": "LeNet, SGD 1e-3, momentum 0.9, batch 4, 2 epochs",
    "keras": "Keras CNN 32-64-64, Adam, 10 epochs",
    "resnet": "ResNet-18 on a GPU (target 94 %)",
}


def main(names: list[str]) -> int:
    """Run the contestants one after the other and print a table."""
    folder = os.environ.get("COURSE_REAL_DATA")
    if not folder or not (Path(folder) / "cifar10-train.npz.xz").exists():
        print("skipped: COURSE_REAL_DATA names no folder with cifar10-train.npz.xz")
        return 0
    one_thread = {name: "1" for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}
    one_thread |= {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}
    settings = os.environ | one_thread | {"COURSE_QUIET": "1"}
    results = {}
    for name in names or CONTESTANTS:
        command = [sys.executable, "-m", "tests.bench.cifar", "--only", name]
        done = subprocess.run(
            command, cwd=ROOT, env=settings, stdout=subprocess.PIPE, text=True, check=True
        )
        results[name] = json.loads(done.stdout.splitlines()[-1])
        report(name, results)
    return 0


def report(name: str, results: dict[str, dict]) -> None:
    """Print one line; times are also given as multiples of the first contestant's."""
    result = results[name]
    if "why_not" in result:
        print(f"{CONTESTANTS[name]:<50} not run: {result['why_not']}", flush=True)
        return
    ratio = result["seconds"] / next(iter(results.values())).get("seconds", result["seconds"])
    print(
        f"{CONTESTANTS[name]:<50} {result['accuracy']:6.1%}  {result['seconds']:6.1f} s  "
        f"×{ratio:.1f}  {result['epochs']:.1f} epochs",
        flush=True,
    )


def load(part: str) -> tuple[np.ndarray, np.ndarray]:
    """Images uint8 (N, 32, 32, 3) and labels (N,)."""
    from PIL import Image

    path = Path(os.environ["COURSE_REAL_DATA"]) / f"cifar10-{part}.npz.xz"
    with lzma.open(path) as file, np.load(io.BytesIO(file.read()), allow_pickle=False) as kept:
        blob, offsets, labels = kept["blob"].tobytes(), kept["offsets"], kept["labels"]
    pictures = (
        Image.open(io.BytesIO(blob[offsets[i] : offsets[i + 1]])) for i in range(len(labels))
    )
    return np.stack([np.asarray(p.convert("RGB")) for p in pictures]), labels.astype(np.int64)


def tensors(part: str) -> tuple:
    """Normalized images (N, 3, 32, 32) and labels, as tensors."""
    import torch

    from utils.vision import to_tensor

    images, labels = load(part)
    return to_tensor(images / np.float32(255)), torch.from_numpy(labels)


def ours(width: int, seconds: float, peak: float = 0.3, batch: int = 128) -> dict:
    """The chapter's network and recipe for so many CPU seconds."""
    import torch

    from utils import optim, vision
    from utils.models import SmallCNN

    torch.set_num_threads(1)
    torch.manual_seed(0)
    x, y = tensors("train")
    x_new, y_new = tensors("test")
    model = SmallCNN(width, filters=vision.whitening_filters(x[:2000], width))
    learned = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(learned, lr=peak, momentum=0.9, nesterov=True, weight_decay=5e-4)
    loss = torch.nn.CrossEntropyLoss(label_smoothing=0.1)
    augment, factor = vision.chain(vision.flip, vision.crop), optim.one_cycle(10_000)
    steps, used, start = 0, 0.0, time.process_time()
    while used < seconds:
        for rows in torch.randperm(len(x)).split(batch):
            used = time.process_time() - start
            if used >= seconds:
                break
            optimizer.param_groups[0]["lr"] = peak * factor(int(10_000 * used / seconds))
            optimizer.zero_grad()
            loss(model(augment(x[rows])), y[rows]).backward()
            optimizer.step()
            steps += 1
    right = vision.predict(model, x_new, mirrored=True).argmax(axis=1) == y_new.numpy()
    return {"accuracy": right.mean(), "seconds": used, "epochs": steps * batch / len(x)}


def lenet() -> dict:
    """LeNet as a well-known tutorial trains it, without worker processes."""
    import torch

    from utils.models import LeNet
    from utils.training import fit
    from utils.vision import predict

    torch.set_num_threads(1)
    torch.manual_seed(0)
    data, (x_new, y_new) = tensors("train"), tensors("test")
    model = LeNet()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)
    start = time.process_time()
    fit(model, data, 2, optimizer, torch.nn.CrossEntropyLoss(), batch_size=4)
    seconds = time.process_time() - start
    right = predict(model, x_new).argmax(axis=1) == y_new.numpy()
    return {"accuracy": right.mean(), "seconds": seconds, "epochs": 2}


def keras_textbook() -> dict:
    """The CNN of the Keras beginners' tutorial: 32-64-64 filters, a dense layer of 64."""
    from utils.runtime import import_tensorflow

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
    start = time.process_time()
    model.fit(x / np.float32(255), y, epochs=10, verbose=0)
    seconds = time.process_time() - start
    _, accuracy = model.evaluate(x_new / np.float32(255), y_new, verbose=0)
    return {"accuracy": accuracy, "seconds": seconds, "epochs": 10}


def resnet(epochs: int = 30, batch: int = 256) -> dict:
    """ResNet-18 by `fit` in mixed precision, where there is a CUDA GPU."""
    import torch

    if not torch.cuda.is_available():
        return {"why_not": "there is no CUDA GPU"}
    from utils import optim, vision
    from utils.models import ResNet
    from utils.training import fit

    torch.manual_seed(0)
    (x, y), (x_new, y_new) = tensors("train"), tensors("test")
    model = ResNet().cuda()
    optimizer = torch.optim.SGD(
        model.parameters(), lr=0.2, momentum=0.9, nesterov=True, weight_decay=5e-4
    )
    augment = vision.chain(vision.flip, lambda x: vision.crop(x, 4))
    start = time.perf_counter()
    fit(
        model, (x, y), epochs, optimizer, torch.nn.CrossEntropyLoss(label_smoothing=0.1),
        batch_size=batch, schedule=optim.one_cycle(epochs * -(-len(x) // batch)), augment=augment,
    )  # fmt: skip
    seconds = time.perf_counter() - start
    right = vision.predict(model, x_new, mirrored=True).argmax(axis=1) == y_new.numpy()
    return {"accuracy": right.mean(), "seconds": seconds, "epochs": epochs}


RUNS = {
    "ours_60": lambda: ours(24, 60),
    "ours_180": lambda: ours(32, 180),
    "lenet": lenet,
    "keras": keras_textbook,
    "resnet": resnet,
}

if __name__ == "__main__":
    if sys.argv[1:2] == ["--only"]:
        print(json.dumps(RUNS[sys.argv[2]](), default=float))
    else:
        sys.exit(main(sys.argv[1:]))
