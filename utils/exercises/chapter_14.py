"""Exercises of chapter 14, Image-to-image translation."""

from __future__ import annotations

import itertools
from collections import Counter
from contextlib import suppress
from fractions import Fraction
from functools import cache, partial

import numpy as np

from utils.exercises._agree import agree
from utils.exercises._answer import Answer
from utils.exercises._compare import Wrong, numbers, sizes
from utils.exercises._exercise import exercise
from utils.exercises._frameworks import OnTensors, in_a_child, tensorflow


# ---------------------------------------------------------------- 14.1
@exercise(
    "14.1",
    hints=(
        "How dark a pixel is, says its largest channel: `picture.max(axis=-1)` is (H, W).",
        "`dark` becomes 0 and `light` becomes 1: subtract `dark`, divide by `light - dark`, and "
        "cut off what lies beyond with `np.clip(…, 0, 1)`.",
        "The picture holds bytes: 10 − 40 is 226 there. Make it floats before you subtract.",
    ),
    why="A vivid red has one large channel, so it counts as paper; only what is dark in all three "
    "channels is a line. Bytes know no negative numbers, 10 − 40 wraps round to 226, which is why "
    "a float must come in first.",
)
def outline(picture, dark, light):
    """Outline (H, W) of a picture in bytes (H, W, 3): 0 up to `dark`, 1 from `light` on."""
    brightest = picture.max(axis=-1).astype(float)
    return np.clip((brightest - dark) / (light - dark), 0, 1)


@outline.check
def _(answer, rng):
    def attempt(picture, dark, light):
        expected = [
            [float(min(max(Fraction(max(p) - dark, light - dark), 0), 1)) for p in row]
            for row in picture.tolist()
        ]
        agree(answer, (picture, dark, light), np.array(expected), "the outline")

    for dark, light in ((40, 150), (25, 225), (100, 110)):
        H, W = sizes(rng, 2)
        picture = rng.integers(256, size=(H, W, 3)).astype(np.uint8)
        picture[0] //= 3  # a dark row, a gray one, and one that the range just holds
        picture[1] = picture[1, :, :1]
        picture[2, :2, 0] = dark, light
        picture[2, :2, 1:] = 0
        attempt(picture, dark, light)
    attempt(np.array([[[0, 0, 0], [255, 255, 255], [255, 0, 0]]], np.uint8), 40, 150)
    attempt(np.array([[[40, 9, 3]], [[95, 60, 95]], [[9, 150, 9]]], np.uint8), 40, 150)


@outline.mistakes
def _(picture, dark, light):
    levels = picture.astype(float)
    brightest = levels.max(axis=2)

    def scaled(gray):
        return np.clip((gray - dark) / (light - dark), 0, 1)

    return {
        "bytes know no negative numbers: 10 − 40 wraps round to 226. Make floats of them first": (
            np.clip((picture.max(axis=2) - np.uint8(dark)) / (light - dark), 0, 1)
        ),
        "the mean of the channels makes vivid red dark: take the largest": scaled(levels.mean(2)),
        "the smallest channel makes every color dark: take the largest": scaled(levels.min(2)),
        "the middle channel is no measure of darkness: take the largest": (
            scaled(np.median(levels, axis=2))
        ),
        "the brightness that the eye sees makes blue dark: take the largest channel": (
            scaled(levels @ [0.299, 0.587, 0.114])
        ),
        "only the red channel is looked at: take the largest": scaled(levels[..., 0]),
        "what lies beyond dark and light must be cut off at 0 and 1": (
            (brightest - dark) / (light - dark)
        ),
        "nothing is cut off at 1": np.maximum((brightest - dark) / (light - dark), 0),
        "nothing is cut off at 0": np.minimum((brightest - dark) / (light - dark), 1),
        "black and white have changed places: 0 is a line, 1 is paper": 1 - scaled(brightest),
        "dark is not subtracted": np.clip(brightest / (light - dark), 0, 1),
        "divide by light − dark, not by light": np.clip((brightest - dark) / light, 0, 1),
        "divide by light − dark, not by 255": np.clip((brightest - dark) / 255, 0, 1),
        "dark and light are not used: this is the largest channel over 255": brightest / 255,
        "dark and light are used as the smallest and the largest that there are: they are given": (
            (brightest - brightest.min()) / max(np.ptp(brightest), 1)
        ),
        "this is a decision, line or paper: keep the grays between": (
            (brightest > (dark + light) / 2).astype(float)
        ),
    }


# ---------------------------------------------------------------- 14.2
OURS = ((4, 2), (4, 2), (4, 1))
THE_PAPERS = ((4, 2), (4, 2), (4, 2), (4, 1), (4, 1))


@exercise(
    "14.2",
    hints=(
        "Begin at the end: one score is a patch of side 1. How many numbers of the layer before "
        "does the last layer need for it?",
        "For `side` neighbors a layer needs (side − 1) · stride + kernel numbers: the first one "
        "needs `kernel`, each further one `stride` more.",
        "Go through the layers from the last one to the first. The step from one patch to the next "
        "is the product of the strides.",
    ),
    why="Three layers give 22 pixels every 4, the paper's five give 70 every 8: neighbors overlap "
    "a lot, so a pixel is judged many times. The gradient of a single score agrees: for our "
    "PatchGAN it is 0 outside a square of 22 × 22 pixels.",
)
def patch(layers):
    """Side and step, in pixels, of the patches that scores see; layers (L, 2): kernel, stride."""
    side = step = 1
    for kernel, stride in layers[::-1]:
        side = (side - 1) * stride + kernel
        step = step * stride
    return side, step


def _seen(layers, score):
    """First and last pixel that a score sees, from layer to layer."""
    first = last = score
    for kernel, stride in reversed(layers):
        first, last = first * stride, last * stride + kernel - 1
    return first, last


@patch.check
def _(answer, rng):
    def attempt(layers):
        (first, last), (following, _) = _seen(layers, 5), _seen(layers, 6)
        expected = {"the side": last - first + 1, "the step": following - first}
        agree(answer, (np.array(layers).reshape(-1, 2),), expected, quote="all")

    for length in (3, 4, 2, 5, 3):
        kernels, strides = rng.integers(2, 6, length), rng.integers(1, 4, length)
        attempt(list(zip(kernels.tolist(), strides.tolist(), strict=True)))
    for layers in (OURS, THE_PAPERS, OURS[::-1], ((3, 1),), ((2, 2), (2, 2)), ((1, 1),), ((5, 3),)):
        attempt(layers)


@patch.mistakes
def _(layers):
    kernels, strides = layers.T.tolist()
    right, step = patch.reference(layers)

    def run(rows, rule, start=1):
        side = start
        for kernel, stride in rows:
            side = rule(side, kernel, stride)
        return side

    reach, last = 1, 1
    for kernel, stride in layers.tolist():  # the step taken one layer too early
        last *= stride
        reach += (kernel - 1) * last
    backward = layers[::-1].tolist()
    return {
        "begin at the end: from one score back to the pixels": (
            run(layers.tolist(), lambda side, k, s: (side - 1) * s + k), ...,
        ),
        "the first of `side` neighbors needs the kernel, only the others a stride: side − 1": (
            run(backward, lambda side, k, s: side * s + k), ...,
        ),
        "the first of `side` neighbors needs the kernel, only the others a stride; and begin "
        "with 1": (run(backward, lambda side, k, s: side * s + k, 0), ...),
        "begin with one score, a side of 1": (
            run(backward, lambda side, k, s: (side - 1) * s + k, 2), ...,
        ),
        "the strides are not used": (1 + sum(kernels) - len(kernels), ...),
        "a layer's own stride counts only for the layers after it": (reach, ...),
        "the kernel counts whole: k, not k − 1": (
            run(backward, lambda side, k, s: (side - 1) * s + k - 1), ...,
        ),
        "this is the kernel times all strides": (kernels[-1] * step, ...),
        "the kernels are multiplied": (int(np.prod(kernels)), ...),
        "this is the area of the patch: its side is asked for": (right**2, ...),
        "the strides multiply: two layers with stride 2 make steps of 4": (..., sum(strides)),
        "the step is that of all layers, not of the last one": (..., strides[-1]),
        "the step is that of all layers, not of the first one": (..., strides[0]),
        "this is how far patches overlap: the step from one to the next is asked for": (
            ..., right - step,
        ),
        "patches overlap: the step is not the side": (..., right),
    }  # fmt: skip


# ---------------------------------------------------------------- 14.3
@exercise(
    "14.3",
    hints=(
        "Write down what `seen` holds when the second loop begins, for two layers down. What does "
        "the first way up get beside its own result?",
        "The deepest result goes up; it is nobody's neighbor. And the last way up must meet `x` "
        "itself, so `x` has to be kept, too.",
        "A U is a stack: what was kept last is taken first, `seen.pop()`.",
    ),
    why="Each way up meets what stood there on the way down *before* the layer of the same size "
    "was applied: the deepest result is not among it, the input is. Here all sizes were equal, so "
    "nothing complained; with real sizes the wrong order would have crashed.",
)
def forward_repaired(x, downs, ups, last):
    """What a U-Net of these layers makes of x (N, C, H, W): L layers down, L up, and the last."""
    seen, h = [], x
    for down in downs:
        seen.append(h)
        h = down(h)
    for up in ups:
        h = np.concatenate([up(h), seen.pop()], axis=1)
    return last(h)


class _Mixed:
    """A layer without framework: channels mixed by fixed weights, then bent, then resized."""

    def __init__(self, rng, out, resize=lambda h: h):
        self._phase, self._out, self._resize = rng.normal(size=3), out, resize

    def __call__(self, h):
        a, b, c = self._phase
        weights = np.sin(  # for any number of channels
            a + (2 + b) * np.arange(self._out)[:, None] + (1 + c) * np.arange(h.shape[1])
        )
        mixed = np.tanh(np.einsum("oc,nchw->nohw", weights, h) + 0.5 * np.roll(h[:, :1], 1, axis=3))
        return self._resize(mixed)


def _halved(h):
    return h[..., ::2, ::2]


def _doubled(h):
    return h.repeat(2, axis=2).repeat(2, axis=3)


def _u(x, downs, ups, last, *, bottom=0):
    """The U as a function that calls itself: down, the U below, up, beside what came in."""
    if bottom == len(downs):
        return x
    below = _u(downs[bottom](x), downs, ups, last, bottom=bottom + 1)
    made = np.concatenate([ups[len(downs) - 1 - bottom](below), x], axis=1)
    return made if bottom else last(made)


@forward_repaired.check
def _(answer, rng):
    for length, resizes in ((3, False), (2, False), (4, False), (1, False), (3, True), (2, True)):
        N, C = sizes(rng, 2)
        x = rng.normal(size=(N, C, 8, 8))
        smaller, larger = (_halved, _doubled) if resizes else 2 * (lambda h: h,)
        downs = [_Mixed(rng, C, smaller) for _ in range(length)]
        ups = [_Mixed(rng, C, larger) for _ in range(length)]
        last = _Mixed(rng, 3)
        args = x, downs, ups, last
        agree(answer, args, _u(*args), "the picture", rtol=1e-4, atol=1e-5)


@forward_repaired.mistakes
def _(x, downs, ups, last):
    befores, h = [], x
    for down in downs:
        befores.append(h)
        h = down(h)
    bottom, afters = h, [*befores[1:], h]

    def climb(beside, join=lambda up, h, skip: np.concatenate([up(h), skip], axis=1), h=bottom):
        for up, skip in zip(ups, beside, strict=True):
            h = join(up, h, skip)
        return h

    def made(beside, **options):
        return last(climb(beside, **options))

    right = befores[::-1]
    ways = {
        "the program as it stands: two bugs are to be found": lambda: made(afters),
        "the order is right; what is kept is not: the deepest result meets itself, `x` nothing": (
            lambda: made(afters[::-1])
        ),
        "what is kept is right; the first kept is taken first, but a U takes the last one": (
            lambda: made(befores)
        ),
        "what was kept joins after the way up, not before it": lambda: made(
            right, join=lambda up, h, skip: up(np.concatenate([h, skip], axis=1))
        ),
        "the result of the way up comes first, then what was kept": lambda: made(
            right, join=lambda up, h, skip: np.concatenate([skip, up(h)], axis=1)
        ),
        "both are kept side by side, along the channels: they are not added": lambda: made(
            right, join=lambda up, h, skip: up(h) + skip
        ),
        "nothing of the way down is used on the way up": lambda: made(
            right, join=lambda up, h, skip: up(h)
        ),
        "`last` is missing": lambda: climb(right),
        "the way up begins with `x`: it begins with the deepest result": lambda: made(right, h=x),
        "every way up meets `x`: each meets what had its own size": lambda: made(len(ups) * [x]),
        "the ways up are taken from the last to the first": lambda: _u(x, downs, ups[::-1], last),
    }
    found = {}
    for text, way in ways.items():
        with suppress(ValueError):  # with real sizes some bugs crash
            found[text] = way()
    return found


# ---------------------------------------------------------------- 14.4
@exercise(
    "14.4",
    hints=(
        "Every channel can be chosen by itself. Which number m makes Σ |cₙ − m| least, which one "
        "Σ (cₙ − m)²?",
        "The median and the mean. A color that occurs three times counts three times.",
        "`np.repeat(colors, counts, axis=0)` writes every twin's color down.",
    ),
    why="Move m a little: Σ |cₙ − m| falls as long as more colors lie ahead than behind, so it "
    "stops at the median, which is a color's own number and often as vivid as that color. The mean "
    "is drawn to every color at once and ends between them, where it is grayer.",
)
def best_colors(colors, counts):
    """Which color (3,) L1 paints for twins, and which the squared error; colors (K, 3)."""
    twins = np.repeat(colors, counts, axis=0)
    return np.median(twins, axis=0), twins.mean(axis=0)


@best_colors.check
def _(answer, rng):
    def attempt(colors, counts):
        colors, counts = np.asarray(colors, float), np.asarray(counts)
        costs = np.einsum("k,kmc->mc", counts, np.abs(colors[:, None] - colors))
        least = colors[costs.argmin(axis=0), range(3)]  # one of the colors has the least cost
        expected = {
            "the color of L1": least,
            "the color of the squared error": np.average(colors, axis=0, weights=counts),
        }
        agree(answer, (colors, counts), expected)

    for _ in range(3):
        K = sizes(rng, 1)[0] + 1
        counts = rng.integers(1, 5, size=K)
        counts[0] += counts.sum() % 2 == 0  # an odd number of twins has one median
        attempt(rng.random((K, 3)), counts)
    red, green, blue = np.eye(3)
    attempt([red, green, blue], [1, 1, 1])
    attempt([red, green], [2, 1])
    attempt([red, green, blue], [0, 1, 4])
    attempt([[0.9, 0.5, 0.1]], [1])


@best_colors.mistakes
def _(colors, counts):
    twins = np.repeat(colors, counts, axis=0)
    median, mean = best_colors.reference(colors, counts)
    distances = np.einsum("k,km->m", counts, np.linalg.norm(colors[:, None] - colors, axis=2))
    alone = np.median(colors, axis=0), colors.mean(axis=0)
    return {
        "counts is not used: a color that occurs three times counts three times": alone,
        "the two have changed places: the median is for L1": (mean, median),
        "L1 paints the median of each channel, not the mean": (mean, ...),
        "the squared error paints the mean of each channel, not the median": (..., median),
        "L1 does not paint the most frequent color: it takes each channel's median": (
            colors[counts.argmax()], ...,
        ),
        "L1 need not paint one of the colors: it chooses each channel by itself": (
            colors[distances.argmin()], ...,
        ),
        "each channel has a median of its own: axis=0": (np.full(3, np.median(twins)), ...),
        "each channel has a mean of its own: axis=0": (..., np.full(3, twins.mean())),
        "a mean is asked for, not a sum": (..., twins.sum(axis=0)),
        "the middle of the smallest and the largest is for the largest error, not for L1": (
            (twins.min(axis=0) + twins.max(axis=0)) / 2, ...,
        ),
        "divide by the number of twins, not by the number of colors": (
            ..., twins.sum(axis=0) / len(colors),
        ),
        "counts is not used for L1": (alone[0], ...),
        "counts is not used for the squared error": (..., alone[1]),
        "the middle one of the sorted numbers has the index len // 2": (
            np.sort(twins, axis=0)[len(twins) // 2 - 1], ...,
        ),
    }  # fmt: skip


# ---------------------------------------------------------------- 14.5
@exercise(
    "14.5",
    hints=(
        "What does `detach` cut off? The discriminator's own step needs that. Does this one?",
        "The generator wants the discriminator to call its pictures true. Which score is that?",
        "And λ weighs L1, the error of the colors, not the discriminator's opinion.",
    ),
    why="The detached picture has the right score, so the loss looks right, but no gradient comes "
    "back through it: the generator learns from L1 alone and nothing tells. The target of its "
    "scores is 1, that of true pictures; with 0 it would learn to be found out.",
)
def loss_repaired(D, x, fake, y, lam):
    """What G descends: the squared loss of D's scores of (x, fake), plus lam times L1 to y."""
    import torch

    scores = D(torch.cat([x, fake], dim=1))
    adversarial = ((scores - 1) ** 2).mean()
    return adversarial + lam * (fake - y).abs().mean()


class _Critic:
    """A discriminator of tensors (N, 4, H, W), with patches of 3 × 3 and bent scores."""

    def __init__(self, rng):
        self._weight = rng.normal(size=(1, 4, 3, 3)) / 3

    def __call__(self, images):
        import torch

        weight = torch.from_numpy(self._weight).to(images.dtype)
        return 1.5 * torch.tanh(torch.nn.functional.conv2d(images, weight, stride=2))

    def scores(self, x, fake):
        """The same for arrays, in NumPy."""
        windows = np.lib.stride_tricks.sliding_window_view(
            np.concatenate([x, fake], axis=1), (3, 3), axis=(2, 3)
        )[:, :, ::2, ::2]
        return 1.5 * np.tanh(np.einsum("ncijhw,ochw->noij", windows, self._weight))


def _painted(rng):
    """Outlines (N, 1, H, W), two pictures (N, 3, H, W), and a discriminator."""
    N, H, W = sizes(rng, 3)
    x, fake, y = (np.tanh(rng.normal(size=(N % 3 + 1, c, H, W))) for c in (1, 3, 3))
    return _Critic(rng), x, fake, y


@loss_repaired.check
def _(answer, rng):
    import torch

    if not isinstance(answer.function, OnTensors):
        D, *arrays = _painted(rng)
        answer(D, *map(torch.from_numpy, arrays), 1.0)  # tells a stub from an answer
        answer.function = OnTensors(answer.function, torch.from_numpy)
    draws = [(*_painted(rng), lam) for lam in (3.0, 0.5, 10.0, 0.0)]
    for args in draws:
        D, x, fake, y, lam = args
        expected = np.square(D.scores(x, fake) - 1).mean() + lam * np.abs(fake - y).mean()
        agree(answer, args, expected, "the loss")
    for args in draws[:1] if not answer.suspicion else ():
        _check_slope(answer, *args)


def _check_slope(answer, D, x, fake, y, lam):
    """Hold the gradient in `fake` against finite differences of both parts of the loss."""
    import torch

    picture = torch.from_numpy(fake).requires_grad_()
    value = answer(D, x, picture, y, lam)
    if not isinstance(value, torch.Tensor):
        raise Wrong(f"the value is right: return it as a tensor, not as {type(value).__name__}")
    if not value.requires_grad:
        raise Wrong("the value is right, but it has no gradient: is it detached, or made a number?")
    (slope,) = torch.autograd.grad(value, picture, allow_unused=True)
    slope = np.zeros_like(fake) if slope is None else slope.numpy()
    fooled = np.zeros_like(fake)
    for place in np.ndindex(fake.shape):
        step = np.zeros_like(fake)
        step[place] = 1e-6
        up, down = (np.square(D.scores(x, fake + s) - 1).mean() for s in (step, -step))
        fooled[place] = (up - down) / 2e-6
    colors = lam * np.sign(fake - y) / fake.size
    close = partial(np.allclose, slope, rtol=1e-4, atol=1e-7)
    if close(colors):
        raise Wrong(
            "the value is right, but only the gradient of L1 reaches the picture: D sees a "
            "detached one, or under no_grad"
        )
    if close(fooled):
        raise Wrong("the value is right, but the gradient of L1 does not reach the picture")
    if not close(fooled + colors):
        raise Wrong("the value is right, its gradient in the picture is not")


_LOSS_BUGS = {  # of the given program, target and weight, by what is left to repair
    (0, 1): "λ weighs L1, not the discriminator's opinion",
    (1, 0): "G wants to be called true: the target of its scores is 1, not 0",
    (1, 1): "the target of the scores and the place of λ are to be repaired",
}


@loss_repaired.mistakes
def _(D, x, fake, y, lam):
    x, fake, y = (numbers(a, "an argument") for a in (x, fake, y))  # of tensors, too
    scores, error = D.scores(x, fake), np.abs(fake - y)
    fooled, true = np.square(scores - 1).mean(), D.scores(x, y)
    found = {}
    for (target, weight), text in _LOSS_BUGS.items():
        adversarial = np.square(scores).mean() if target else fooled
        found[text] = adversarial * (lam if weight else 1) + error.mean() * (1 if weight else lam)
    return found | {
        "L1 is missing": fooled,
        "the adversarial part is missing": lam * error.mean(),
        "λ is not used": fooled + error.mean(),
        "both parts are weighted with λ: it belongs to L1 alone": lam * (fooled + error.mean()),
        "L1 is the mean of the errors, not their sum": fooled + lam * error.sum(),
        "L1 is the mean of the sizes of the errors, not of their squares": (
            fooled + lam * np.square(fake - y).mean()
        ),
        "errors of both signs cancel: take their sizes": fooled + lam * (fake - y).mean(),
        "the mean over the scores, not their sum": (
            np.square(scores - 1).sum() + lam * error.mean()
        ),
        "square the distance of each score from 1, then take the mean": (
            (scores.mean() - 1) ** 2 + lam * error.mean()
        ),
        "this is the loss of a critic, −E D: here the distance from 1 is squared": (
            -scores.mean() + lam * error.mean()
        ),
        "the adversarial loss must be squared": (
            np.abs(scores - 1).mean() + lam * error.mean()
        ),
        "D must see the painted picture, not the true one": (
            np.square(true - 1).mean() + lam * error.mean()
        ),
        "this is D's loss as well: G has no use for the scores of true pictures": (
            np.square(true - 1).mean() + fooled + lam * error.mean()
        ),
        "the adversarial part is to be added, not subtracted": lam * error.mean() - fooled,
    }  # fmt: skip


@loss_repaired.wrong("only the gradient of L1 reaches the picture")
def _still_detached(D, x, fake, y, lam):
    return loss_repaired.reference(D, x, fake.detach(), y, 0.0) + lam * (fake - y).abs().mean()


@loss_repaired.wrong("the gradient of L1 does not reach the picture")
def _error_detached(D, x, fake, y, lam):
    return loss_repaired.reference(D, x, fake, y, 0.0) + lam * (fake - y).abs().mean().item()


@loss_repaired.wrong("it has no gradient: is it detached")
def _all_detached(D, x, fake, y, lam):
    return loss_repaired.reference(D, x, fake, y, lam).detach()


@loss_repaired.wrong("return it as a tensor, not as float")
def _as_number(D, x, fake, y, lam):
    return loss_repaired.reference(D, x, fake, y, lam).item()


@loss_repaired.wrong("its gradient in the picture is not")
def _half_detached(D, x, fake, y, lam):
    value = loss_repaired.reference(D, x, fake, y, lam)
    return value.detach() / 2 + value / 2


# ---------------------------------------------------------------- 14.6
def _descend(parameters):
    """One plain step along the gradients."""
    import torch

    with torch.no_grad():
        for p in parameters:
            if p.grad is not None:
                p -= 0.01 * p.grad


def _stepped(paint, *, before=lambda G, D: D.zero_grad(), after=lambda G, D: None,
             moved=lambda G, D: D.parameters()):  # fmt: skip
    """A discriminator's step with its own way to paint, to clear gradients and to move."""

    def step(G, D, x, y):
        import torch

        before(G, D)
        real, made = (D(torch.cat([x, picture], dim=1)) for picture in (y, paint(G, x)))
        (((real - 1) ** 2).mean() + (made**2).mean()).backward()
        _descend(moved(G, D))
        after(G, D)

    return step


def _under_no_grad(G, x):
    import torch

    with torch.no_grad():
        return G(x)


def _frozen(G, x):
    for p in G.parameters():
        p.requires_grad_(False)
    made = G(x)
    for p in G.parameters():
        p.requires_grad_(True)
    return made


def _asked_of_D_alone(G, D, x, y):
    import torch

    real, made = (D(torch.cat([x, picture], dim=1)) for picture in (y, G(x)))
    loss = ((real - 1) ** 2).mean() + (made**2).mean()
    weights = list(D.parameters())
    for p, slope in zip(weights, torch.autograd.grad(loss, weights), strict=True):
        p.data -= 0.01 * slope


def _detached_without_effect(G, x):
    made = G(x)
    made.detach()  # the bug: what it returns is thrown away
    return made


def _first_detached(G, x):
    import torch

    made = G(x)
    return torch.cat([made[:1].detach(), made[1:]])


def _clear_kernels(G, D):
    for p in G.parameters():
        if p.ndim > 1:
            p.grad = None


def _all_parameters(G, D):
    return itertools.chain(G.parameters(), D.parameters())


_TIGHT_STEPS = {
    "one that detaches the picture": partial(_stepped, lambda G, x: G(x).detach()),
    "one that paints under no_grad": partial(_stepped, _under_no_grad),
    "one that takes the bare numbers, `.data`": partial(_stepped, lambda G, x: G(x).data),
    "one that freezes the generator while it paints": partial(_stepped, _frozen),
    "one that asks for the gradients of D alone": lambda: _asked_of_D_alone,
    "one that sets the generator's gradients to 0 behind itself": partial(
        _stepped, lambda G, x: G(x), after=lambda G, D: G.zero_grad(set_to_none=False)
    ),
    "one that never clears the gradients of D": partial(
        _stepped, lambda G, x: G(x).detach(), before=lambda G, D: None
    ),
}
_LEAKY_STEPS = {
    "one that does not detach": partial(_stepped, lambda G, x: G(x)),
    "one that calls detach and throws the result away": partial(_stepped, _detached_without_effect),
    "one that detaches the outline, not the picture": partial(
        _stepped, lambda G, x: G(x.detach())
    ),
    "one that clears the generator's gradients before, not behind itself": partial(
        _stepped, lambda G, x: G(x), before=lambda G, D: (D.zero_grad(), G.zero_grad())
    ),
    "one that clears the gradients of D behind itself, not those of G": partial(
        _stepped, lambda G, x: G(x), after=lambda G, D: D.zero_grad()
    ),
    "one that clears the generator's kernels and forgets its biases": partial(
        _stepped, lambda G, x: G(x), after=_clear_kernels
    ),
    "one that detaches the first picture of a batch alone": partial(_stepped, _first_detached),
    "one that moves the generator, too, and clears its gradients": partial(
        _stepped, lambda G, x: G(x), after=lambda G, D: G.zero_grad(), moved=_all_parameters
    ),
    "one whose gradient is a millionth of the usual": partial(
        _stepped, lambda G, x: G(x).detach() + 1e-6 * (G(x) - G(x).detach())
    ),
}  # fmt: skip


@exercise(
    "14.6",
    hints=(
        "Make two small networks, one that takes 1 channel to 3 and one that takes 4 to 1, and "
        "some random x and y of more than one picture. Call `step`, then look at G.",
        "`p.grad` of each `p` in `G.parameters()` is None or all 0 if nothing came through. Not "
        "None alone is no leak: someone may have set zeros.",
        "One step moves G itself and clears the gradients then. So copy G's weights before, "
        "`{p: p.detach().clone() for p in G.parameters()}`, and compare them after.",
    ),
    why="D's loss wants the painted picture to look false. What of its gradient stays in G is "
    "added to G's own at the next step, unless someone clears it in time. All parameters have to "
    "be looked at, biases too, and the weights themselves.",
)
def leaks(step):
    """Whether the discriminator's step(G, D, x, y) moves G or leaves a gradient in it."""
    import torch

    G, D = torch.nn.Conv2d(1, 3, 1), torch.nn.Conv2d(4, 1, 8)
    before = {p: p.detach().clone() for p in G.parameters()}
    step(G, D, torch.rand(5, 1, 8, 8), torch.rand(5, 3, 8, 8))
    for p, old in before.items():
        if not torch.equal(p, old) or (p.grad is not None and p.grad.any()):
            return True
    return False


@leaks.check
def _(answer, rng):
    import torch

    def verdict(make):
        step = make()
        step.__qualname__ = "step"  # as a message about wrong arguments tells it
        said = answer(step)
        if isinstance(said, torch.Tensor) and said.dtype == torch.bool and said.ndim == 0:
            said = bool(said)
        if not isinstance(said, bool | np.bool_):
            raise Wrong(f"return True or False, got {type(said).__name__}")
        return bool(said)

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for name, make in _TIGHT_STEPS.items():
            if verdict(make):
                raise Wrong(f"your test refuses a right step: {name}")
        missed = [name for name, make in _LEAKY_STEPS.items() if not verdict(make)]
    if missed:
        more = f", and {len(missed) - 1} more" if missed[1:] else ""
        raise Wrong(f"your test passes a step that leaks: {missed[0]}{more}")


def _weak_test(found, *, count=5):
    """A test that looks at less: found(G, D, G's old weights) after one step."""

    def test(step):
        import torch

        G, D = torch.nn.Conv2d(1, 3, 3, padding=1), torch.nn.Conv2d(4, 1, 4, stride=2)
        before = [p.detach().clone() for p in G.parameters()]
        step(G, D, torch.rand(count, 1, 8, 8), torch.rand(count, 3, 8, 8))
        return bool(found(G, D, before))

    return test


def _has_gradient(parameters):
    return any(p.grad is not None and p.grad.any() for p in parameters)


def _moved(G, before):
    return any((p != old).any() for p, old in zip(G.parameters(), before, strict=True))


leaks.wrongs(
    {
        "refuses a right step: one that sets the generator's gradients to 0": _weak_test(
            lambda G, D, before: (
                _moved(G, before) or any(p.grad is not None for p in G.parameters())
            )
        ),
        "refuses a right step: one that detaches the picture": lambda step: True,
        "passes a step that leaks: one that does not detach, and 8 more": lambda step: False,
        "passes a step that leaks: one that does not detach, and 7 more": _weak_test(
            lambda G, D, before: _moved(G, before)
        ),
        "passes a step that leaks: one that moves the generator": _weak_test(
            lambda G, D, before: _has_gradient(G.parameters())
        ),
        "passes a step that leaks: one that clears the generator's kernels": _weak_test(
            lambda G, D, before: _moved(G, before) or _has_gradient([G.weight])
        ),
        "passes a step that leaks: one that detaches the first picture of a batch alone": (
            _weak_test(
                lambda G, D, before: _moved(G, before) or _has_gradient(G.parameters()), count=1
            )
        ),
        "passes a step that leaks: one whose gradient is a millionth": _weak_test(
            lambda G, D, before: (
                _moved(G, before)
                or any(p.grad is not None and p.grad.abs().max() > 1e-4 for p in G.parameters())
            )
        ),
        "return True or False, got int": lambda step: 0,
    }
)


# ---------------------------------------------------------------- 14.7
@exercise(
    "14.7",
    hints=(
        "The bin of a hue is the nearest of 0, 1/bins, 2/bins, …: `np.rint(hues * bins)`. And the "
        "hue 0.99 is red, as 0 is.",
        "`% bins` closes the circle. `np.bincount(places, weights=…, minlength=bins)` adds up.",
        "Divide each histogram by its sum; then half of the sum of |p − q|.",
    ),
    why="Half of Σ |p − q| is the share of color that one set would have to repaint to have the "
    "other's hues: 0 if they agree, 1 if no hue is in both. The weights let a pale pixel count "
    "little, and the circle must be closed at red, where 0.99 and 0.01 are neighbors.",
)
def hues_apart(hues, weights, other_hues, other_weights, bins):
    """Total variation of two weighted histograms of hues in [0, 1), with bins around k / bins."""
    shares = []
    for hue, weight in ((hues, weights), (other_hues, other_weights)):
        places = np.rint(hue * bins).astype(int) % bins
        counts = np.bincount(places, weights=weight, minlength=bins)
        shares.append(counts / counts.sum())
    return np.abs(shares[0] - shares[1]).sum() / 2


@hues_apart.check
def _(answer, rng):
    def attempt(hues, weights, others, other_weights, bins):
        shares = []
        for hue, weight in ((hues, weights), (others, other_weights)):
            place = np.exp(2j * np.pi * np.array(hue))  # on the circle: who is near which center?
            center = np.exp(2j * np.pi * np.arange(bins) / bins)
            near = np.abs(place[:, None] - center).argmin(axis=1)
            total = Counter()
            for k, w in zip(near.tolist(), weight, strict=True):
                total[k] += float(w)
            shares.append({k: w / sum(total.values()) for k, w in total.items()})
        p, q = shares
        common = sum(min(p.get(k, 0.0), q.get(k, 0.0)) for k in range(bins))
        args = (*map(np.array, (hues, weights, others, other_weights)), bins)
        agree(answer, args, 1 - common, "the distance", atol=1e-7)

    for bins in (6, 4, 9, 18):
        n, m = sizes(rng, 2)
        hues, others = (
            (rng.integers(bins, size=s) + rng.uniform(-0.45, 0.45, s)) / bins % 1
            for s in (3 * n, 3 * m)
        )
        hues[0], others[0] = 0.4 / bins, 1 - 0.4 / bins  # red on both sides of 0
        attempt(hues, rng.uniform(0.1, 1, 3 * n), others, rng.uniform(0.1, 1, 3 * m), bins)
    attempt([0.98, 0.5], [1.0, 1.0], [0.02, 0.5], [3.0, 3.0], 6)  # the same
    attempt([0.0, 0.01], [0.5, 0.5], [0.5], [0.2], 6)  # nothing in common
    attempt([0.1, 0.4], [0.9, 0.0], [0.1], [0.3], 5)
    attempt([0.3, 0.7, 0.3], [0.2, 0.4, 0.2], [0.3, 0.7, 0.1], [1.0, 2.0, 1.0], 10)


@hues_apart.mistakes
def _(hues, weights, other_hues, other_weights, bins):
    def histograms(place=lambda h: np.rint(h * bins).astype(int) % bins, weigh=lambda w: w):
        return [
            np.bincount(place(h), weights=weigh(w), minlength=bins + 1)
            for h, w in ((hues, weights), (other_hues, other_weights))
        ]

    def shares(**options):
        return [counts / counts.sum() for counts in histograms(**options)]

    def variation(p, q):
        return np.abs(p - q).sum() / 2

    p, q = shares()
    first, second = histograms()
    gap, inside = np.abs(p - q), np.abs(np.cumsum(p - q))
    return {
        "each hue counts once: weigh it": variation(*shares(weigh=np.ones_like)),
        "the bins begin at k / bins: their centers must lie there, so round": variation(
            *shares(place=lambda h: np.floor(h * bins).astype(int))
        ),
        "the circle is open: 0.99 and 0.01 are both red, % bins": variation(
            *shares(place=lambda h: np.rint(h * bins).astype(int))
        ),
        "the half is missing: two sets that share no hue are 1 apart": gap.sum(),
        "make shares of both histograms: divide each by its sum": variation(first, second),
        "divide by the sum of the weights, not by the number of pixels": variation(
            first / len(hues), second / len(other_hues)
        ),
        "divide each histogram by its sum, not by its largest": variation(
            first / first.max(), second / second.max()
        ),
        "a sum over the bins, not a mean": gap.sum() / 2 / bins,
        "this is what they have in common: 1 minus the distance": 1 - gap.sum() / 2,
        "this is the largest gap of a bin: add all up": gap.max(),
        "differences are taken by their size, |p − q|, not squared": np.square(p - q).sum() / 2,
        "this is the length of p − q: add the sizes up, and halve": np.sqrt(np.square(p - q).sum()),
        "this is the earth mover's way: total variation does not ask how far a bin is": (
            inside.sum()
        ),
        "this compares the mean hues": abs(
            hues @ weights / weights.sum() - other_hues @ other_weights / other_weights.sum()
        ),
    }


# ---------------------------------------------------------------- 14.8
@exercise(
    "14.8",
    hints=(
        "Begin with `np.zeros((4, H, W))`; a dab sets a square of all four channels at once, the "
        "first of them to 1.",
        "The square has the rows from i − radius to i + radius, both included: the slice ends "
        "at i + radius + 1.",
        "At the upper and left edge i − radius is negative, and a slice would count it from the "
        "end: `max(i - radius, 0)`. Beyond the other end a slice stops by itself.",
    ),
    why="0 in the three channels of color is a color, middle gray, so the network needs the first "
    "channel to tell a dab from none. A slice such as [-1:2] is empty: without max a dab at the "
    "edge vanishes in silence.",
)
def dabbed(outline, dabs, radius):
    """Input (5, H, W) for outline (H, W) and dabs [(i, j, red, green, blue), …], later on top."""
    hints = np.zeros((4, *outline.shape))
    for i, j, *color in dabs:
        rows = slice(max(i - radius, 0), i + radius + 1)
        columns = slice(max(j - radius, 0), j + radius + 1)
        hints[:, rows, columns] = np.array([1, *color])[:, None, None]
    return np.concatenate([outline[None], hints])


def _pixel_by_pixel(outline, dabs, radius, *, near=max, pick=-1, end=0, mark=1.0, free=0.0,
                    color=lambda c: c, start=0, turn=lambda i, j: (i, j)):  # fmt: skip
    """The truth: for each pixel the last dab that reaches it; or with one rule changed."""
    made = np.zeros((5, *outline.shape))
    made[0], made[2:] = outline, free
    for row, column in np.ndindex(*outline.shape):
        over = [
            rgb
            for i, j, *rgb in dabs
            for i, j in [turn(i, j)]
            if near(abs(row - i), abs(column - j)) <= radius
            and max(row - i, column - j) <= radius - end
            and min(row - i, column - j) >= start - radius
        ]
        if over:
            made[1, row, column], made[2:, row, column] = mark, color(np.array(over[pick]))
    return made


@dabbed.check
def _(answer, rng):
    def attempt(outline, dabs, radius):
        expected = _pixel_by_pixel(outline, dabs, radius)
        agree(answer, (outline, dabs, radius), expected, "the input")

    for radius in (3, 2):
        H, W = sizes(rng, 2)
        outline = rng.choice([-1.0, 1.0], size=(H + 3, W + 3))
        places = [(2, 2), (H, 2), (3, 3), (0, W), (2, W + 2), (H + 2, W + 1)]
        attempt(outline, [(*p, *rng.uniform(-1, 1, 3).tolist()) for p in places], radius)
    paper = np.ones((5, 7))
    attempt(paper, [(1, 2, 0.9, -0.9, 0.1)], 0)
    attempt(paper, [(0, 0, 0.5, 0.0, -1.0), (4, 6, -1.0, 1.0, 1.0)], 1)
    attempt(paper, [(2, 3, 1.0, 1.0, 1.0), (2, 4, 0.0, 0.0, 0.0)], 1)
    attempt(paper, [(2, 4, 0.2, 0.3, 0.4)], 9)
    attempt(-paper, [], 1)


@dabbed.mistakes
def _(outline, dabs, radius):
    variant = partial(_pixel_by_pixel, outline, dabs, radius)
    right = variant()
    wrapped = np.concatenate([outline[None], np.zeros((4, *outline.shape))])
    added = wrapped.copy()
    height, width = outline.shape
    for i, j, *color in dabs:
        hint = np.reshape([1, *color], (4, 1, 1))
        wrapped[1:, i - radius : i + radius + 1, j - radius : j + radius + 1] = hint
        rows, columns = (slice(max(p - radius, 0), p + radius + 1) for p in (i, j))
        added[1:, rows, columns] += hint
    inward = [
        (min(max(i, radius), height - 1 - radius), min(max(j, radius), width - 1 - radius), *color)
        for i, j, *color in dabs
    ]
    whole = [
        dab for dab in dabs
        if radius <= dab[0] < height - radius and radius <= dab[1] < width - radius
    ]  # fmt: skip
    return {
        "a negative start counts from the end, and the dab vanishes: max(i - radius, 0)": wrapped,
        "a slice leaves its end out: i + radius + 1": variant(end=1),
        "a dab is symmetric: it begins at i − radius": variant(start=1),
        "i is a row, j a column: they have changed places": variant(turn=lambda i, j: (j, i)),
        "later dabs lie on top, not earlier ones": variant(pick=0),
        "where dabs overlap the later one lies on top: colors are not added": added,
        "a dab is a square, not a diamond": variant(near=lambda a, b: a + b),
        "a dab is a square, not a circle": variant(near=np.hypot),
        "radius counts to both sides: the side is 2·radius + 1": (
            _pixel_by_pixel(outline, dabs, radius // 2)
        ),
        "a dab at the edge is cut, not moved inward": _pixel_by_pixel(outline, inward, radius),
        "a dab at the edge is cut, not dropped": _pixel_by_pixel(outline, whole, radius),
        "where there is no dab the color is 0, not white": variant(free=1.0),
        "where there is no dab the color is 0, not black": variant(free=-1.0),
        "the first of the four channels is 1 where there is a dab": variant(mark=0.0),
        "colors are in [−1, 1] already": variant(color=lambda c: 2 * c - 1),
        "colors stay in [−1, 1]": variant(color=lambda c: (c + 1) / 2),
        "the mark comes before the color": right[[0, 2, 3, 4, 1]],
        "the outline comes first": right[[1, 2, 3, 4, 0]],
        "the channels come first: (5, H, W)": np.moveaxis(right, 0, -1),
        "the outline is missing: five channels are asked for": right[1:],
        "the outline is not to be painted over": np.concatenate(
            [np.where(right[1], 0, outline)[None], right[1:]]
        ),
    }


# ---------------------------------------------------------------- 14.9
@exercise(
    "14.9",
    hints=(
        "Keep a list of pixels to visit, at first (i, j) alone. Take one out; if it is in the "
        "picture, no line, and new, mark it and put its four neighbors on the list.",
        "A function that calls itself for each neighbor runs too deep in a large region: a list "
        "has no such limit.",
        "Ask `0 <= i < H and 0 <= j < W` first: NumPy takes the index −1 for the last one.",
    ),
    why="Every pixel is marked once, so the work ends. The region that reaches the edge is the "
    "paper; where a line has a gap, a figure's inside belongs to it, and that is where a paint "
    "program's bucket spills.",
)
def fill(outline, i, j):
    """Mask (H, W) of the region of pixel (i, j): no lines (below 0.5), four neighbors each."""
    inside, todo = np.zeros(outline.shape, bool), [(i, j)]
    while todo:
        i, j = todo.pop()
        if not (0 <= i < len(outline) and 0 <= j < len(outline[0])):
            continue
        if outline[i, j] >= 0.5 and not inside[i, j]:
            inside[i, j] = True
            todo += [(i + 1, j), (i - 1, j), (i, j + 1), (i, j - 1)]
    return inside


ROOMS = """
    ########  .....#...  ..........  ...#....
    #..#...#  .###.#.#.  .########.  ...#....
    #.#..#.#  .#...#.#.  .#....#.#.  ...#....
    ##..#..#  .#.###.#.  .#.##.#.#.  ####....
    #..#..##  .#.....#.  .#.#....#.  ....####
    #.#..#.#  .#######.  .#.######.  ....#...
    ########  .........  .#........  ....#...
"""


def _rooms():
    """Drawn outlines: # is a line, . is paper."""
    columns = zip(*(line.split() for line in ROOMS.strip().splitlines()), strict=True)
    for rows in columns:
        yield np.array([[float(c == ".") for c in row] for row in rows])


@fill.check
def _(answer, rng):
    from scipy import ndimage

    def attempt(outline, i, j):
        regions, _ = ndimage.label(outline >= 0.5)
        expected = (regions == regions[i, j]) & (regions > 0)
        agree(answer, (outline, i, j), expected, "the mask")
        mask = answer(outline, i, j)
        if "bool" not in str(getattr(mask, "dtype", "bool")):
            raise Wrong(f"the mask must hold True and False, not {mask.dtype}")

    for _ in range(4):
        H, W = sizes(rng, 2)
        outline = rng.permutation([0.2, 0.2, 0.5, 0.8, 0.9])[rng.integers(5, size=(H + 4, W + 3))]
        outline[1, 1] = 0.9
        attempt(outline, *rng.permutation(np.argwhere(outline > 0.5))[0].tolist())
    for room in _rooms():
        for i, j in ((1, 1), (2, 3), (0, 0), (len(room) - 1, len(room[0]) - 1), (4, 2)):
            attempt(room, i, j)
    attempt(np.array([[0.5, 0.49, 0.5, 0.51]]), 0, 2)  # what is just no line
    attempt(np.ones((60, 60)), 30, 20)  # too deep for a function that calls itself
    attempt(np.zeros((3, 4)), 1, 2)
    attempt(np.ones((1, 1)), 0, 0)


@fill.mistakes
def _(outline, i, j):
    from scipy import ndimage

    cross, square = ndimage.generate_binary_structure(2, 1), np.ones((3, 3), bool)
    paper = outline >= 0.5

    def region(free, shape=cross):
        labels, _ = ndimage.label(free, shape)
        return (labels == labels[i, j]) & free

    def around(free):
        """The same on a torus, as index −1 makes of a picture."""
        inside = np.zeros(outline.shape, bool)
        inside[i, j] = free[i, j]
        while True:
            grown = inside.copy()
            for axis, step in itertools.product((0, 1), (-1, 1)):
                grown |= np.roll(inside, step, axis) & free
            if np.array_equal(grown, inside):
                return inside
            inside = grown

    right, here = region(paper), np.zeros(outline.shape, bool)
    here[i, j] = paper[i, j]
    ray = here.copy()
    for axis in (0, 1):
        labels = np.cumsum(~paper, axis=axis)
        line = (slice(None), j) if axis == 0 else (i, slice(None))
        ray[line] |= (labels[line] == labels[i, j]) & paper[line] & paper[i, j]
    lines = region(~paper)
    return {
        "the paint leaks through corners: only four neighbors are neighbors": region(paper, square),
        "index −1 is the last one: the paint leaves at one edge and comes back at the other": (
            around(paper)
        ),
        "the paint runs along a line: there the mask is empty": right if paper[i, j] else lines,
        "on a line the mask is empty, not that one pixel": (
            right
            if paper[i, j]
            else np.arange(outline.size).reshape(outline.shape) == i * outline.shape[1] + j
        ),
        "lines do not stop the paint": np.ones(outline.shape, bool),
        "all paper is filled: only what is connected with (i, j) counts": (
            paper if paper[i, j] else right
        ),
        "lines are what is below 0.5: 0.5 itself is no line": region(outline > 0.5),
        "the line around the region does not belong to it": ndimage.binary_dilation(right),
        "the lines that touch the region at a side or a corner do not belong to it": (
            ndimage.binary_dilation(right, square)
        ),
        "only the row and the column of (i, j) are filled: each pixel has neighbors": ray,
        "only neighbors of (i, j) are filled: go on from each of them": (
            ndimage.binary_dilation(here) & paper
        ),
        "the mask is turned round: True is what is filled": ~right,
        "lines and paper have changed places: 0 is a line": lines,
    }


# ---------------------------------------------------------------- 14.10
COUNT, READ = 100, 0.2


@exercise(
    "14.10",
    hints=(
        "The cycle asks for one thing: that `back` undoes `there`, and `there` undoes `back`. "
        "Nothing is said about what lies between.",
        "Put the pixels into another order, always the same one: `there` shuffles, `back` sorts.",
        "With `order = np.random.default_rng(0).permutation(1024)` pixel k comes from order[k]; "
        "`np.argsort(order)` is the way back.",
    ),
    why="Whatever can be undone has a cycle error of 0: a shuffle, a swap of 3s and 8s, a code. "
    "That a 7 stays a 7 is asked neither by the cycle nor by the two discriminators, which never "
    "see a pair. In one recorded run with ink the cycle closed, and no digit could be read.",
    is_value=True,
)
def round_trip():
    """Two functions of images (N, 32, 32): each undoes the other, and no digit can be read."""
    order = np.random.default_rng(0).permutation(1024)

    def there(images):
        return images.reshape(len(images), order.size)[:, order].reshape(images.shape)

    def back(images):
        return images.reshape(len(images), order.size)[:, np.argsort(order)].reshape(images.shape)

    return there, back


@cache
def _digits():
    """Digits (COUNT, 32, 32) that nobody was trained on, and their labels."""
    from utils.datasets import load_digits
    from utils.datasets.looks import padded

    digits = load_digits(full=False)
    return padded(digits.x_test[:COUNT]), digits.y_test[:COUNT]


@round_trip.check
def _(answer, rng):
    from utils.datasets.looks import cropped
    from utils.recorded import judge

    def there(images): ...

    def back(images): ...

    if not isinstance(answer, tuple | list) or len(answer) != 2:
        raise Wrong("assign a pair of functions: (there, back)")
    ways = {
        way.__name__: Answer(function, way, lambda images: {}, [])
        for function, way in zip(answer, (there, back), strict=True)
    }

    def through(name, images):
        what = f"the result of {name}"
        made = numbers(ways[name](images.copy()), what, images.shape).astype(float)
        if made.min() < -1e-6 or made.max() > 1 + 1e-6:
            low, high = made.min(), made.max()
            raise Wrong(f"{what} must stay within 0 and 1, it runs from {low:.3g} to {high:.3g}")
        return np.clip(made, 0, 1)

    digits, labels = _digits()
    noise = rng.random((7, 32, 32))
    for images, kind in ((digits, "digits"), (noise, "random images")):
        for one, other in (("there", "back"), ("back", "there")):
            made = through(one, images)
            if not np.allclose(through(one, images[:3]), made[:3], atol=1e-6):
                raise Wrong(
                    f"{one} makes something else of an image when it comes with others: translate "
                    "each by itself"
                )
            error = np.abs(through(other, made) - images).mean()
            if error > 1e-5:
                raise Wrong(f"{one}, then {other}: the error of {kind} is {error:.3g}, not 0")
    made = through("there", digits)
    grays = (np.sort(images.reshape(COUNT, -1), axis=1) for images in (digits, made))
    if not np.allclose(*grays, atol=1e-5):
        raise Wrong(
            "the way back is right, but an image has lost its gray values: keep them, in other "
            "places"
        )
    share = (judge.read(cropped(made).astype(np.float32)) == labels).mean()
    if share > READ:
        raise Wrong(
            f"after `there` the judge still reads {share:.0%} of the digits: {READ:.0%} at most"
        )


def _rolled(rows, axis=1):
    return lambda images: np.roll(images, rows, axis=axis)


round_trip.wrongs(
    {
        "the judge still reads 99% of the digits": (lambda images: images, lambda images: images),
        "the judge still reads 42% of the digits": (lambda a: a[:, ::-1], lambda b: b[:, ::-1]),
        "there, then back: the error of digits": 2 * (_rolled(8),),
        "there, then back: the error of random images": (
            lambda images: np.round(255 * images) / 255,
            lambda images: images,
        ),
        "back, then there: the error of digits": (
            lambda a: a / 2,
            lambda b: np.minimum(2 * b, 1),
        ),
        "translate each by itself": (_rolled(1, axis=0), _rolled(-1, axis=0)),
        "has lost its gray values": 2 * (lambda images: 1 - images,),
        "the result of there must stay within 0 and 1": (
            lambda a: 2 * a - 1,
            lambda b: (b + 1) / 2,
        ),
        "assign a pair of functions": (_rolled(8),),
        "the result of there has shape": (
            lambda a: a.reshape(-1, 1024),
            lambda b: b.reshape(-1, 32, 32),
        ),
    }
)


# ---------------------------------------------------------------- 14.11
@exercise(
    "14.11",
    hints=(
        "TensorFlow's kernels are (4, 4, in, out): height and width first. PyTorch's are "
        "(out, in, 4, 4).",
        "`tf.transpose(weight, (2, 3, 1, 0))` gives them that order.",
        "Padding 1 is a ring of zeros on all sides: `tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]])`, "
        'then `padding="VALID"`. "SAME" pads odd sides in another way.',
    ),
    why="The axes of the kernel are only named in another order, nothing is turned round: both "
    'frameworks compute a correlation. "SAME" pads so that n pixels give ⌈n/2⌉; with kernel 4 '
    "that is one zero on each side of an even side, as in PyTorch, but one and two of an odd one.",
)
def keras_down(x, weight, bias):
    """PyTorch's Conv2d(C, K, 4, stride=2, padding=1) of x (N, H, W, C), in TensorFlow."""
    import tensorflow as tf

    padded = tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]])
    kernel = tf.transpose(weight, (2, 3, 1, 0))
    return tf.nn.conv2d(padded, kernel, strides=2, padding="VALID") + bias


def _strided(x, weight, bias, *, before=1, after=1, stride=2):
    """PyTorch's strided convolution of x (N, H, W, C) by weight (K, C, 4, 4), in NumPy."""
    ring = [(0, 0), (before, after), (before, after), (0, 0)]
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(x, ring), (4, 4), axis=(1, 2))
    return np.einsum("nijchw,kchw->nijk", windows[:, ::stride, ::stride], weight) + bias


@keras_down.check
def _(answer, rng):
    tf = tensorflow()
    draws = []
    for H, W in ((8, 6), (6, 10), (4, 4), (7, 9), (5, 8)):
        N, C, K = sizes(rng, 3)
        shapes = (N % 3 + 1, H, W, C), (K, C, 4, 4), (K,)
        draws.append([rng.normal(size=shape).astype(np.float32) for shape in shapes])
    if not isinstance(answer.function, OnTensors):
        with in_a_child(tf):
            answer(*draws[0])  # tells a stub from an answer
        answer.function = OnTensors(answer.function, lambda a: a, partial(in_a_child, tf))
    for args in draws:
        expected = _strided(*(a.astype(float) for a in args))
        agree(answer, args, expected, "the map", rtol=1e-4, atol=1e-4)
    if not answer.suspicion and not tf.is_tensor(answer(*draws[0])):
        raise Wrong("the values are right: return them as a tensor of TensorFlow")


@keras_down.mistakes
def _(x, weight, bias):
    turned = weight[:, :, ::-1, ::-1]
    found = {
        "the kernel is not to be turned round: both frameworks correlate": _strided(
            x, turned, bias
        ),
        "height and width of the kernel have changed places: (2, 3, 1, 0)": _strided(
            x, weight.swapaxes(2, 3), bias
        ),
        "the bias is missing": _strided(x, weight, 0),
        "the bias is subtracted": _strided(x, weight, -bias),
        "the padding is missing: a ring of one zero": _strided(x, weight, bias, before=0, after=0),
        "the ring of zeros is one pixel wide, not two": _strided(
            x, weight, bias, before=2, after=2
        ),
        "the zeros stand before the first pixel alone: one on each side": _strided(
            x, weight, bias, before=2, after=0
        ),
        "the zeros stand behind the last pixel alone: one on each side": _strided(
            x, weight, bias, before=0, after=2
        ),
        "the stride is 2": _strided(x, weight, bias, stride=1),
        "the convolution alone is asked for, without the leaky ReLU": (
            np.maximum(_strided(x, weight, bias), 0.2 * _strided(x, weight, bias))
        ),
        "the result is to be channels last, (N, H, W, K)": _strided(x, weight, bias).transpose(
            0, 3, 1, 2
        ),
    }
    sides = [(1, 1 + side % 2) for side in x.shape[1:3]]  # what "SAME" adds
    wide = np.pad(x, [(0, 0), *sides, (0, 0)])
    found['"SAME" adds one zero and two to an odd side: pad by yourself, then "VALID"'] = _strided(
        wide, weight, bias, before=0, after=0
    )
    with suppress(ValueError):
        found["in and out have changed places: (2, 3, 1, 0)"] = _strided(
            x, weight.swapaxes(0, 1), bias
        )
    return found


@keras_down.wrong("return them as a tensor of TensorFlow")
def _down_in_numpy(x, weight, bias):
    return _strided(x, weight, bias)


# ---------------------------------------------------------------- 14.12
COLOR_ERROR = 0.15
WORLDS = {"": [0, 1, 2], " in a world where the channels have changed places": [1, 2, 0]}


@exercise(
    "14.12",
    hints=(
        "The nearest outline by L2 misses what is shifted by a pixel. Blur the outlines before you "
        "compare them, each by `scipy.ndimage.gaussian_filter(one, 2.0)`.",
        "One neighbor is a gamble. Ask the ten nearest for their colors, and only their colored "
        "pixels, whose channels are more than 0.12 apart: their white tells nothing.",
        "One color for the whole picture, the median of all those pixels, is nearly enough. Lines "
        "are dark whatever the color: multiply the color by the outline.",
    ),
    why="Where the truth has a color, white is the most expensive guess, so a mean over neighbors "
    "that are partly paper loses. The median over colored pixels of several neighbors is what L1 "
    "asks for, and most emoji are mostly of one color: 0.147. It spoils the paper, which this "
    "measure does not see; a U-Net keeps the paper white and needs long training to get as far.",
)
def guess(outlines, x_train, y_train):
    """Pictures (N, 64, 64, 3) in [0, 1] for outlines (N, 64, 64), from training pairs."""
    from scipy.ndimage import gaussian_filter

    blurred, known = (
        np.stack([gaussian_filter(one, 2.0).ravel() for one in x]) for x in (outlines, x_train)
    )
    distances = (known**2).sum(axis=1) - 2 * blurred @ known.T
    is_colored = np.ptp(y_train, axis=3) > 0.12
    pictures = np.empty((len(outlines), *y_train.shape[1:]))
    for k, distance in enumerate(distances):
        near = np.argsort(distance)[:10]
        color = np.median(y_train[near][is_colored[near]], axis=0)
        pictures[k] = color * outlines[k][..., None]
    return pictures


@guess.check
def _(answer, rng):
    from utils.datasets import load_sketches
    from utils.metrics import color_error

    data = load_sketches()
    for world, channels in WORLDS.items():
        truth, y_train = data.y_test[..., channels], data.y_train[..., channels]
        made = answer(data.x_test.copy(), data.x_train.copy(), y_train)
        painted = numbers(made, "the array of pictures", truth.shape).astype(float)
        low, high = painted.min(), painted.max()
        if low < -0.01 or high > 1.01:
            unit = "[0, 255]" if high > 2 else "[−1, 1]"
            raise Wrong(
                f"the pictures run from {low:.3g} to {high:.3g}: [0, 1] is asked for, not {unit}"
            )
        error = color_error(painted, truth)
        if not error < COLOR_ERROR:
            cause = _guessed_by(painted, data.x_test, data.x_train, y_train)
            raise Wrong(
                f"{cause}the color error is {error:.3f}{world}: less than {COLOR_ERROR} is due"
            )


def _guessed_by(painted, outlines, x_train, y_train):
    """Name a guess that the chapter has already made, with a colon; otherwise nothing."""
    from utils.metrics import COLORED, chroma

    flat, known = outlines.reshape(len(outlines), -1), x_train.reshape(len(x_train), -1)
    nearest = ((known**2).sum(axis=1) - 2 * flat @ known.T).argmin(axis=1)
    color = np.median(y_train[chroma(y_train) > COLORED], axis=0)
    guesses = {
        "white paper": np.ones(3),
        "the outline itself": outlines[..., None],
        "one color for all": color,
        "one color between the lines": color * outlines[..., None],
        "the picture of the nearest outline": y_train[nearest],
        "the mean of all training pictures": y_train.mean(axis=0),
    }
    for name, pictures in guesses.items():
        if np.abs(painted - pictures).mean() < 1e-3:
            return f"this is {name}: "
    return ""


def _few_nearest(outlines, x_train, y_train):
    flat, known = outlines.reshape(len(outlines), -1), x_train.reshape(len(x_train), -1)
    order = np.argsort((known**2).sum(axis=1) - 2 * flat @ known.T, axis=1)
    return y_train[order[:, :5]].mean(axis=1)


def _from_before(outlines, x_train, y_train):
    """As a network that was trained before, on other colors."""
    from utils.datasets import load_sketches

    return guess.reference(outlines, x_train, load_sketches().y_train)


guess.wrongs(
    {
        "this is white paper": lambda x, x_train, y_train: np.ones((*x.shape, 3)),
        "this is the outline itself": lambda x, x_train, y_train: np.repeat(
            x[..., None], 3, axis=3
        ),
        "this is one color for all": lambda x, x_train, y_train: np.broadcast_to(
            np.median(y_train[np.ptp(y_train, axis=3) > 0.12], axis=0), (*x.shape, 3)
        ),
        "this is one color between the lines": lambda x, x_train, y_train: (
            np.median(y_train[np.ptp(y_train, axis=3) > 0.12], axis=0) * x[..., None]
        ),
        "this is the picture of the nearest outline": lambda x, x_train, y_train: y_train[
            ((x_train**2).sum(axis=(1, 2)) - 2 * np.einsum("nhw,mhw->nm", x, x_train)).argmin(
                axis=1
            )
        ],
        "this is the mean of all training pictures": lambda x, x_train, y_train: np.broadcast_to(
            y_train.mean(axis=0), (*x.shape, 3)
        ),
        "the color error is 0.255:": _few_nearest,
        "in a world where the channels have changed places: less": _from_before,
        "not [0, 255]": lambda *args: 255 * guess.reference(*args),
        "not [−1, 1]": lambda *args: 2 * guess.reference(*args) - 1,
        "the axes stand in another order": lambda *args: guess.reference(*args).transpose(
            0, 3, 1, 2
        ),
    }
)
