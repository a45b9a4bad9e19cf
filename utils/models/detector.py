"""Object detection in the manner of SSD: anchors, matching, loss, a Keras network, its training.

Boxes are (x1, y1, x2, y2), fractions of the image's width and height from the upper left corner.
Anchors, and boxes as the network sees them, are (cx, cy, w, h): center, width, height.

Source: W. Liu, D. Anguelov, D. Erhan, C. Szegedy, S. Reed, C.-Y. Fu, A. C. Berg (2016), SSD: single
shot multibox detector, arXiv:1512.02325, section 2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy.special import softmax

from utils.metrics import Detections, iou, non_maximum_suppression

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from utils.datasets import Scenes

    Grids = Mapping[int, tuple[float, ...]]

SIZE = 64  # pixels of an image
KINDS = 5
GRIDS: Grids = {8: (0.25, 0.36), 4: (0.40, 0.48)}  # cells along a side → sides of their anchors
ONE_GRID: Grids = {8: (0.25, 0.33, 0.44)}
ASPECT = 1.35  # a wide anchor: 1.35 times as wide, 1/1.35 times as high as the square one
VARIANCES = np.array([0.1, 0.1, 0.2, 0.2], np.float32)  # make typical offsets about 1 in size
BATCH, LR = 32, 3e-3
NEGATIVES = 3  # for each positive
PRIOR = 5.0  # ≈ ln(30·5): 30 negatives for each positive, five kinds
MININGS = ("hard", "random", "light", "focal", "all")

# ---------------------------------------------------------------- anchors and boxes


def make_anchors(grids: Grids = GRIDS) -> np.ndarray:
    """Anchors (A, 4): grid by grid, row by row, cell by cell; for each side a square and a wide."""
    anchors = []
    for cells, sides in grids.items():
        centers = (np.arange(cells) + 0.5) / cells
        shapes = [(s * a, s / a) for s in sides for a in (1, ASPECT)]
        anchors += [(x, y, w, h) for y in centers for x in centers for w, h in shapes]
    return np.array(anchors, np.float32)


def to_corners(boxes: np.ndarray) -> np.ndarray:
    """Return (cx, cy, w, h) as (x1, y1, x2, y2), in the last axis."""
    center, size = boxes[..., :2], boxes[..., 2:]
    return np.concatenate([center - size / 2, center + size / 2], axis=-1)


def to_centers(boxes: np.ndarray) -> np.ndarray:
    """Return (x1, y1, x2, y2) as (cx, cy, w, h), in the last axis."""
    low, high = boxes[..., :2], boxes[..., 2:]
    return np.concatenate([(low + high) / 2, high - low], axis=-1)


def encode(boxes: np.ndarray, anchors: np.ndarray) -> np.ndarray:
    """What leads from anchors (A, 4) to boxes (A, 4), row by row: shift and stretch (A, 4)."""
    b = to_centers(boxes)
    shift = (b[..., :2] - anchors[..., :2]) / anchors[..., 2:]
    stretch = np.log(b[..., 2:] / anchors[..., 2:])
    return np.concatenate([shift, stretch], axis=-1) / VARIANCES


def decode(offsets: np.ndarray, anchors: np.ndarray) -> np.ndarray:
    """Boxes of the offsets (…, A, 4): the inverse of `encode`."""
    shift, stretch = np.split(offsets * VARIANCES, 2, axis=-1)
    center = anchors[..., :2] + shift * anchors[..., 2:]
    size = anchors[..., 2:] * np.exp(np.clip(stretch, -2, 2))  # an untrained net must not overflow
    return to_corners(np.concatenate([center, size], axis=-1))


def match(
    anchors: np.ndarray, boxes: np.ndarray, labels: np.ndarray, least: float = 0.5
) -> tuple[np.ndarray, np.ndarray]:
    """Say what each anchor must answer for an image with these boxes (n, 4) and labels (n,).

    An anchor answers for the object that it overlaps most if their IoU is `least` or more. Besides,
    the best anchor of each object answers for it, so that none is forgotten.

    Returns:
        classes (A,), 0 for background and 1 + label for an object; offsets (A, 4), 0 there.

    """
    classes = np.zeros(len(anchors), np.int8)
    offsets = np.zeros((len(anchors), 4), np.float32)
    if len(boxes):
        overlap = iou(to_corners(anchors), boxes)
        mine = overlap.argmax(axis=1)
        positive = overlap.max(axis=1) >= least
        for j in overlap.max(axis=0).argsort(kind="stable"):  # a better match has the last word
            best = overlap[:, j].argmax()
            positive[best], mine[best] = True, j
        classes[positive] = 1 + labels[mine[positive]]
        offsets[positive] = encode(boxes[mine[positive]], anchors[positive])
    return classes, offsets


# ---------------------------------------------------------------- without anchors


def make_points(cells: int = 8) -> np.ndarray:
    """Points (cells², 2): the middle of each cell, row by row."""
    centers = (np.arange(cells) + 0.5) / cells
    return np.array([(x, y) for y in centers for x in centers], np.float32)


def match_points(
    points: np.ndarray, boxes: np.ndarray, labels: np.ndarray, middle: float = 0.5
) -> tuple[np.ndarray, np.ndarray]:
    """Like `match`, without anchors: a point answers for the object in whose middle it lies.

    The middle is `middle` times as wide and high as the box; of several objects the smallest
    counts. The point nearest to an object's center answers for it in any case. The offsets are the
    distances to the left, upper, right and lower side, in quarters of the image, minus 1/2.

    Source: Z. Tian, C. Shen, H. Chen, T. He (2019), FCOS: fully convolutional one-stage object
    detection, arXiv:1904.01355, section 3.1, with center sampling.
    """
    classes = np.zeros(len(points), np.int8)
    offsets = np.zeros((len(points), 4), np.float32)
    centered = to_centers(boxes)
    for j in np.argsort(-centered[:, 2] * centered[:, 3], kind="stable"):  # the smallest last
        away = np.abs(points - centered[j, :2])
        answers = (away <= middle / 2 * centered[j, 2:]).all(axis=1)
        answers[(away**2).sum(axis=1).argmin()] = True
        sides = np.concatenate([points - boxes[j, :2], boxes[j, 2:] - points], axis=1)
        classes[answers] = 1 + labels[j]
        offsets[answers] = ((4 * sides - 0.5) / VARIANCES)[answers]
    return classes, offsets


def decode_points(offsets: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Boxes of the offsets (…, P, 4) of `match_points`; one turned inside out has no area."""
    sides = np.maximum((offsets * VARIANCES + 0.5) / 4, 0)
    return np.concatenate([points - sides[..., :2], points + sides[..., 2:]], axis=-1)


# ---------------------------------------------------------------- the network


class Head(NamedTuple):
    """What the last layers answer, and how an answer is meant.

    Attributes:
        answers: cells along a side of a map → answers a cell.
        match: (boxes, labels) of an image → the classes and offsets that are due, see `match`.
        decode: offsets (…, A, 4) → boxes.

    """

    answers: dict[int, int]
    match: Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
    decode: Callable[[np.ndarray], np.ndarray]


def anchor_head(grids: Grids = GRIDS, least: float = 0.5) -> Head:
    """Return a head with `make_anchors(grids)`, matched from an IoU of `least`."""
    anchors = make_anchors(grids)
    return Head(
        {cells: 2 * len(sides) for cells, sides in grids.items()},
        lambda boxes, labels: match(anchors, boxes, labels, least),
        lambda offsets: decode(offsets, anchors),
    )


def point_head(cells: int = 8) -> Head:
    """Return a head without anchors: one answer a cell."""
    points = make_points(cells)
    return Head(
        {cells: 1},
        lambda boxes, labels: match_points(points, boxes, labels),
        lambda offsets: decode_points(offsets, points),
    )


def build_network(head: Head, prior: float = 0.0) -> Any:
    """Return images (N, 64, 64, 3) → answers (N, A, 1 + KINDS + 4), a Keras model.

    An answer is the logits of background and of each kind, and four offsets.

    Args:
        head: what it answers.
        prior: the logit of background at the start; `PRIOR` makes it as likely as it is. (Source:
            T.-Y. Lin et al. (2017), arXiv:1708.02002, section 3.3.)

    """
    from utils.runtime import import_tensorflow

    keras = import_tensorflow().keras
    L = keras.layers

    def block(x: Any, channels: int, stride: int = 1) -> Any:
        x = L.Conv2D(channels, 3, stride, padding="same", use_bias=False)(x)
        return L.ReLU()(L.BatchNormalization(momentum=0.95, epsilon=1e-5)(x))

    image = keras.Input((SIZE, SIZE, 3))
    x = block(image, 16, stride=2)  # 32 × 32
    x = L.MaxPool2D()(block(x, 32))  # 16 × 16
    x = L.MaxPool2D()(block(x, 64))  # 8 × 8
    x = block(block(x, 64), 64)
    maps = {8: x, 4: block(L.MaxPool2D()(x), 64)}
    small = keras.initializers.RandomNormal(stddev=0.01)  # no answer is sure at first
    bias = [prior, *[0.0] * (KINDS + 4)]
    answers = []
    for cells, count in head.answers.items():
        layer = L.Conv2D(count * len(bias), 3, padding="same", kernel_initializer=small)
        answers.append(L.Reshape((cells * cells * count, len(bias)))(layer(maps[cells])))
        layer.bias.assign(bias * count)
    return keras.Model(image, L.Concatenate(axis=1)(answers) if answers[1:] else answers[0])


# ---------------------------------------------------------------- loss and training


def multibox_loss(answers: Any, classes: Any, offsets: Any, mining: str = "hard") -> Any:
    """Cross-entropy of the classes and smooth L1 of the positives' offsets, each positive.

    Args:
        answers: of the network (N, A, 1 + KINDS + 4), a TensorFlow tensor.
        classes: due classes (N, A), 0 for background.
        offsets: due offsets (N, A, 4).
        mining: ``"hard"`` counts, of the negatives of the batch, the three times as many as
            there are positives that cost most; ``"random"`` as many at random; ``"all"`` counts
            all; ``"light"`` counts all, but so lightly that they weigh together as much as three
            times the positives; ``"focal"`` weighs each by (1 − p)², p the probability of what
            is due.

    Sources: Liu et al. (2016), section 2.2; focal loss: T.-Y. Lin et al. (2017), Focal loss for
    dense object detection, arXiv:1708.02002, eq. 5, with α = 0.75 for objects, times 4.

    Raises:
        ValueError: another kind of mining.

    """
    from utils.runtime import import_tensorflow

    tf = import_tensorflow()
    classes = tf.cast(classes, tf.int32)
    positive = tf.cast(classes > 0, tf.float32)
    count = tf.maximum(tf.reduce_sum(positive), 1)
    each = tf.nn.sparse_softmax_cross_entropy_with_logits(classes, answers[..., : 1 + KINDS])
    if mining in ("hard", "random"):
        cost = each if mining == "hard" else tf.random.uniform(tf.shape(each))
        cost = tf.reshape(tf.where(positive > 0, -1.0, cost), [-1])
        most = tf.minimum(tf.cast(NEGATIVES * count, tf.int32), tf.size(cost))
        chosen = tf.gather(tf.reshape(each * (1 - positive), [-1]), tf.math.top_k(cost, most)[1])
        of_classes = tf.reduce_sum(each * positive) + tf.reduce_sum(chosen)
    elif mining == "all":
        of_classes = tf.reduce_sum(each)
    elif mining == "light":
        weight = NEGATIVES * count / tf.reduce_sum(1 - positive)
        of_classes = tf.reduce_sum(each * (positive + weight * (1 - positive)))
    elif mining == "focal":
        weight = 4 * (0.25 + 0.5 * positive) * (1 - tf.exp(-each)) ** 2
        of_classes = tf.reduce_sum(weight * each)
    else:
        raise ValueError(f"mining must be one of {', '.join(MININGS)}; got {mining!r}")
    away = tf.abs(answers[..., 1 + KINDS :] - tf.cast(offsets, tf.float32))
    smooth = tf.reduce_sum(tf.where(away < 1, away**2 / 2, away - 0.5), axis=-1)
    return (of_classes + tf.reduce_sum(smooth * positive)) / count


class Detector:
    """A network with its head and the colors that it was made for.

    Args:
        images: training images uint8 (N, 64, 64, 3), whose mean and spread it takes.
        head: what it answers.
        seed: of its weights.
        prior: as in `build_network`.

    Attributes:
        network: the Keras model of `build_network`.
        head: as given.
        mean: (3,) of the images in [0, 1].
        std: (3,) likewise.

    """

    def __init__(
        self, images: np.ndarray, head: Head | None = None, seed: int = 0, prior: float = 0.0
    ) -> None:
        from utils.runtime import import_tensorflow

        import_tensorflow().keras.utils.set_random_seed(seed)
        self.head = head or anchor_head()
        self.network = build_network(self.head, prior)
        some = images[:500].astype(np.float32) / 255  # enough for six numbers
        self.mean, self.std = some.mean((0, 1, 2)), some.std((0, 1, 2))

    def prepare(self, images: Any) -> Any:
        """Images uint8 as the network takes them, a TensorFlow tensor."""
        from utils.runtime import import_tensorflow

        tf = import_tensorflow()
        return (tf.cast(images, tf.float32) / 255 - self.mean) / self.std

    def answers(self, images: np.ndarray) -> np.ndarray:
        """Answers (N, A, 1 + KINDS + 4) for images uint8 (N, 64, 64, 3), in inference mode."""
        parts = np.split(images, range(100, len(images), 100))
        return np.concatenate([self.network(self.prepare(part)).numpy() for part in parts])

    def detect(self, images: np.ndarray, **limits: Any) -> list[Detections]:
        """Detections of each image; `limits` are those of `detections`."""
        return detections(self.answers(images), self.head, **limits)


def detections(
    answers: np.ndarray,
    head: Head,
    *,
    least: float = 0.02,
    overlap: float | None = 0.45,
    by_kind: bool = True,
) -> list[Detections]:
    """Boxes with scores above `least`, after non-maximum suppression.

    Args:
        answers: of the network (N, A, 1 + KINDS + 4).
        head: that gave them.
        least: lowest score, a probability.
        overlap: the IoU beyond which the lower score is dropped; None keeps all.
        by_kind: a score is that of a kind, and each kind is suppressed by itself. Else a score is
            that of any object, 1 minus the background's, all boxes are suppressed together, and
            the label is the likeliest kind.

    """
    scores = softmax(answers[..., : 1 + KINDS], axis=-1)[..., 1:]
    found = []
    for score, boxes in zip(scores, head.decode(answers[..., 1 + KINDS :]), strict=True):
        if by_kind:
            groups = [(score[:, kind], np.full(len(score), kind)) for kind in range(KINDS)]
        else:
            groups = [(score.sum(axis=1), score.argmax(axis=1))]
        kept = []
        for sure, labels in groups:
            rows = np.flatnonzero(sure > least)
            if overlap is not None:
                rows = rows[non_maximum_suppression(boxes[rows], sure[rows], overlap)]
            kept.append((boxes[rows], sure[rows], labels[rows]))
        found.append(Detections(*map(np.concatenate, zip(*kept, strict=True))))
    return found


def train(
    scenes: Scenes,
    *,
    steps: int,
    seed: int = 0,
    head: Head | None = None,
    mining: str = "hard",
    prior: float = 0.0,
    after: Callable[[int, float], None] = lambda step, loss: None,
) -> Detector:
    """Train a detector on the training scenes and their mirror images.

    Adam; the step size rises to 3e-3 in the first tenth of the steps and falls to 0 as a cosine
    does. In each batch the colors of each image are mixed by I + 0.15·N(0, 1), since a kind
    is no color.

    Args:
        scenes: with images uint8.
        steps: batches of 32.
        seed: of weights, order and mixing.
        head: as `anchor_head()` by default.
        mining: as in `multibox_loss`.
        prior: as in `build_network`.
        after: called with the number of steps done and the loss.

    """
    from utils.runtime import import_tensorflow

    tf = import_tensorflow()
    detector = Detector(scenes.x_train, head, seed, prior)
    classes, offsets = targets(detector.head, scenes.boxes_train, scenes.y_train)
    fall = tf.keras.optimizers.schedules.CosineDecay(
        0.0, steps - steps // 10, warmup_target=LR, warmup_steps=steps // 10
    )
    step = training_step(detector, tf.keras.optimizers.Adam(fall), mining)
    rng = np.random.default_rng(seed)
    n = len(scenes.x_train)
    for done in range(1, steps + 1):
        rows = rng.choice(2 * n, BATCH, replace=2 * n < BATCH)
        images = scenes.x_train[rows % n]
        images[rows >= n] = images[rows >= n, :, ::-1]
        loss = step(images, classes[rows], offsets[rows])
        after(done, loss)
    return detector


def targets(
    head: Head, boxes: Sequence[np.ndarray], labels: Sequence[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Due classes (2N, A) and offsets float16 (2N, A, 4): of N images, then of these mirrored."""
    mirrored = [np.column_stack([1 - b[:, 2], b[:, 1], 1 - b[:, 0], b[:, 3]]) for b in boxes]
    due = [head.match(*each) for each in zip([*boxes, *mirrored], [*labels] * 2, strict=True)]
    classes = np.stack([each for each, _ in due])
    offsets = np.stack([each.astype(np.float16) for _, each in due])  # half the memory
    return classes, offsets


def training_step(detector: Detector, optimizer: Any, mining: str = "hard") -> Callable[..., Any]:
    """One compiled step, ``step(images uint8, classes, offsets) -> loss``."""
    from utils.runtime import import_tensorflow

    tf = import_tensorflow()
    network = detector.network
    optimizer.build(network.trainable_variables)

    @tf.function(autograph=False)
    def step(images: Any, classes: Any, offsets: Any) -> Any:
        mix = tf.eye(3) + 0.15 * tf.random.normal([tf.shape(images)[0], 3, 3])
        x = tf.einsum("nhwc,ncd->nhwd", detector.prepare(images), mix)
        with tf.GradientTape() as tape:
            loss = multibox_loss(network(x, training=True), classes, offsets, mining)
        gradients = tape.gradient(loss, network.trainable_variables)
        optimizer.apply_gradients(zip(gradients, network.trainable_variables, strict=True))
        return loss

    return step
