"""Code writer: begin some Python, and a GPT that runs in the page writes on, token by token."""

from __future__ import annotations

import base64
import itertools
import operator
import re
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np
import traitlets

from utils import plotting
from utils.byte_pairs import PIECE
from utils.recorded import code_writer as record
from utils.widgets._hero import Hero, Numbers, script
from utils.widgets._random import uniforms

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from utils.byte_pairs import BytePairs
    from utils.models.transformer import GPT

# each ends where one of the network's own tokens ends: a line's end and its indentation are one
BEGINNINGS = {
    "a function": "def read_lines(path):\n    ",
    "a class": "class Stack:\n    ",
    "imports": "import os\n\n",
    "a loop": "for name in names:\n    ",
    "your own text": "",
}
FIRST = "\n"  # what is read where nothing stands
SHAPE = {"vocabulary": 1280, "d": 128, "layers": 4, "heads": 4, "context": 128}
TOP_K = (
    1,
    2,
    3,
    4,
    5,
    7,
    10,
    15,
    20,
    30,
    50,
    70,
    100,
    200,
    500,
    SHAPE["vocabulary"],
)  # of the slider
LONGEST, MOST = 4_000, 256  # letters of the beginning; tokens written
BARS = 10
EXPECTED, SURPRISING = 0, 8  # bits: the ends of the tint
LINES, LINE = 12, 64  # lines of the printed picture, and letters in each
ADVANCE = 0.602  # width of a letter of DejaVu Sans Mono, in sizes of the font

# ---------------------------------------------------------------- tokens and texts


class Code(traitlets.Unicode):
    """A text that UTF-8 can write; lines end as on Linux.

    Raises:
        traitlets.TraitError: another kind of value, half of a character, too long.

    """

    def validate(self, obj: Any, value: Any) -> str:
        """Return the text with line feeds alone."""
        text = re.sub("\r\n?", "\n", value) if isinstance(value, str) else None
        if text is None or len(text) > LONGEST or re.search("[\ud800-\udfff]", text):
            raise traitlets.TraitError(
                f"{self.name} must be at most {LONGEST:,} letters, for instance "
                f"{self.name} = 'import os\\n'; got {value!r:.80}"
            )
        return text


class Tokens(traitlets.Tuple):
    """Numbers of tokens, at most `MOST`.

    Raises:
        traitlets.TraitError: anything else.

    """

    def validate(self, obj: Any, value: Any) -> tuple[int, ...]:
        """Return the tokens as a tuple of plain numbers."""
        try:
            tokens = np.asarray(value if len(value) else np.empty(0, int))
        except (TypeError, ValueError):
            tokens = np.empty(0)
        if (
            tokens.dtype.kind not in "iu"
            or tokens.ndim != 1
            or len(tokens) > MOST
            or not ((tokens >= 0) & (tokens < SHAPE["vocabulary"])).all()
        ):
            raise traitlets.TraitError(
                f"{self.name} must be at most {MOST} tokens, whole numbers from 0 to "
                f"{SHAPE['vocabulary'] - 1}, for instance {self.name} = writer.coder.encode(b'if');"
                f" got {value!r:.80}"
            )
        return tuple(tokens.tolist())


def label(word: bytes) -> str:
    """A token's bytes as a short text in which spaces and line ends are seen."""
    try:
        text = word.decode()
    except UnicodeDecodeError:
        return "".join(f"\\x{byte:02x}" for byte in word)
    text = re.sub("  +", lambda run: f"␣×{len(run[0])}", text)
    seen = text.replace(" ", "␣").replace("\n", "↵").replace("\t", "⇥")
    return re.sub("[\x00-\x1f]", lambda sign: chr(0x2400 + ord(sign[0])), seen)


# ---------------------------------------------------------------- what the network says


class Continuation(NamedTuple):
    """What was written after the beginning, and what comes next.

    Attributes:
        tokens: written, fixed ones first.
        surprises: of each, −log₂ of its probability at temperature 1, in bits.
        scores: of the token that follows, float64 (vocabulary,).

    """

    tokens: list[int]
    surprises: list[float]
    scores: np.ndarray


def window_start(count: int) -> int:
    """Where the window begins when `count` tokens are there.

    It moves by half a context whenever it is full, so that at least half of one is before a token,
    as `language_model.bits_per_byte` counts.
    """
    half = SHAPE["context"] // 2
    return half * max(0, -(-(count - SHAPE["context"]) // half))


def go_on(
    model: GPT,
    given: Sequence[int],
    fixed: Sequence[int],
    count: int,
    seed: int,
    **options: Any,
) -> Continuation:
    """Append `fixed`, then `count` tokens that are drawn; the page draws the same.

    Token k after `given` is drawn with number k of this seed: the likeliest token is taken if the
    number lies below its probability, the second if below the sum of both, and so on.

    Args:
        model: the GPT.
        given: tokens of the beginning, at least one.
        fixed: tokens that follow it in any case.
        count: of the tokens that are drawn.
        seed: of the draws.
        options: `temperature`, `top_k` and `top_p` of `transformer.next_probabilities`.

    """
    import torch

    from utils.models.transformer import Cache, next_probabilities

    places, draws = len(fixed) + count, uniforms(seed, len(fixed) + count)
    tokens, surprises, start, read = list(given), [], -1, 0
    with torch.no_grad():
        for k in range(places + 1):
            if window_start(len(tokens)) != start:
                start = read = window_start(len(tokens))
                caches = [Cache() for _ in model.blocks]
            scores = model(torch.tensor([tokens[read:]]), caches)[0, -1]
            read = len(tokens)
            if k == places:
                break
            if k < len(fixed):
                token = fixed[k]
            else:
                order = scores.argsort(descending=True, stable=True)
                p = next_probabilities(scores, **options)[order]
                token = int(order[(p.cumsum(0) <= draws[k]).sum()])
            surprises.append(-float(scores.log_softmax(0)[token]) / np.log(2))
            tokens.append(token)
    return Continuation(tokens[len(given) :], surprises, scores.numpy())


def pack(kept: Mapping[str, np.ndarray]) -> tuple[str, str]:
    """Bytes of all matrices, and all other numbers as float32, each as base64, in their order.

    Raises:
        ValueError: a GPT of another shape than `SHAPE`.

    """
    d = SHAPE["d"]
    found = [array.shape for array in kept.values() if array.dtype == np.int8]
    block = [(3 * d, d), (d, d), (4 * d, d), (d, 4 * d)]
    if found != [(SHAPE["vocabulary"], d), *(SHAPE["layers"] * block)]:
        raise ValueError(
            f"CodeWriter needs a GPT with {SHAPE['vocabulary']} tokens, {SHAPE['layers']} layers "
            f"and d = {d}; got matrices of {', '.join(map(str, found))}"
        )
    whole = [array.ravel() for array in kept.values() if array.dtype == np.int8]
    rest = [array.ravel() for array in kept.values() if array.dtype != np.int8]
    parts = np.concatenate(whole), np.concatenate(rest).astype("<f4")
    return tuple(base64.b64encode(part.tobytes()).decode("ascii") for part in parts)


# ---------------------------------------------------------------- the widget


class CodeWriter(Hero):
    """Begin some Python; a GPT that runs in the page writes on, and shows what may come next.

    Written tokens follow from the state: another temperature writes all of them anew with the same
    draws, but for those that are fixed.

    ```python
    writer = CodeWriter(start="import os", count=60, temperature=0.5)
    writer.written, writer.probabilities
    ```

    Args:
        model: a GPT of `SHAPE` with rotary positions; its matrices are rounded to bytes. None takes
            the recorded one.
        coder: the byte pairs with which it was trained.
        **state: `start`, `fixed`, `count`, `temperature`, `top_k`, `top_p`, `seed`, `caption`,
            `alt`.

    Attributes:
        start: the beginning, at most 4,000 letters; where it is empty a line's end is read.
        fixed: tokens after it that no slider changes: a click on a bar fixes all so far.
        count: of the tokens drawn after those, at most 256.
        temperature: divides the scores, 0 … 1.5; 0 takes the likeliest token.
        top_k: so many of the likeliest tokens stay; 1,280 are all.
        top_p: of the likeliest only so many stay as are needed to reach this probability.
        seed: which random numbers are taken, 0 … 99.
        coder: encodes and decodes.

    Raises:
        ValueError: a model of another shape, or one without its coder.
        traitlets.TraitError: a state that is out of range or of the wrong kind.

    """

    STATE = ("start", "fixed", "count", "temperature", "top_k", "top_p", "seed")
    CONSTANTS: ClassVar = {
        "BEGINNINGS": BEGINNINGS,
        "FIRST": FIRST,
        "PIECE": PIECE.pattern.decode(),
        "SHAPE": SHAPE,
        "TOP_K": TOP_K,
        "LONGEST": LONGEST,
        "BARS": BARS,
        "TINT": (EXPECTED, SURPRISING),
    }
    _esm = script("code_writer")

    start = Code(BEGINNINGS["a function"]).tag(sync=True)
    fixed = Tokens(()).tag(sync=True)
    count = traitlets.Int(80, min=0, max=MOST).tag(sync=True)
    temperature = Numbers(0.7, 0, 1.5).tag(sync=True)
    top_k = traitlets.Int(SHAPE["vocabulary"], min=1, max=SHAPE["vocabulary"]).tag(sync=True)
    top_p = Numbers(1.0, 0.05, 1).tag(sync=True)
    seed = Numbers(1, 0, 99).tag(sync=True)
    whole = traitlets.Unicode(read_only=True).tag(sync=True)
    rest = traitlets.Unicode(read_only=True).tag(sync=True)
    merges = traitlets.Unicode(read_only=True).tag(sync=True)

    def __init__(
        self, model: GPT | None = None, coder: BytePairs | None = None, **state: Any
    ) -> None:
        if (model is None) != (coder is None):
            raise ValueError("give a model together with the coder with which it was trained")
        kept = record.weights() if model is None else record.rounded(model)
        for name, text in zip(("whole", "rest"), pack(kept), strict=True):
            self.set_trait(name, text)
        self.coder = coder or record.coder()
        merges = np.array(self.coder.merges, "<u2")
        self.set_trait("merges", base64.b64encode(merges.tobytes()).decode("ascii"))
        self._model = record.restored(kept)
        self._known: tuple[Any, Continuation] | None = None
        super().__init__(**state)

    @property
    def tokens(self) -> list[int]:
        """The tokens written after `start`."""
        return self._continuation.tokens

    @property
    def surprises(self) -> np.ndarray:
        """How many bits the network itself, at temperature 1, needs for each written token."""
        return np.array(self._continuation.surprises)

    @property
    def written(self) -> str:
        """The text written after `start`; bytes that are no UTF-8 become �."""
        return self.coder.decode(self.tokens).decode("utf-8", "replace")

    @property
    def probabilities(self) -> np.ndarray:
        """From which the next token is drawn, (1280,): 0 where top-k or top-p has cut it off."""
        return self._probabilities(top_k=self.top_k, top_p=self.top_p)

    @property
    def uncut(self) -> np.ndarray:
        """The same before top-k and top-p."""
        return self._probabilities()

    @property
    def left(self) -> int:
        """How many tokens top-k and top-p leave; at temperature 0 it is one."""
        if self.temperature and self.top_p == 1:
            return self.top_k
        return int((self.probabilities > 0).sum())

    @property
    def entropy(self) -> float:
        """How open the next token is, in bits."""
        p = self.probabilities
        return float(-(p * np.log2(np.maximum(p, 1e-300))).sum())

    def describe(self) -> str:
        """Return the present state in words."""
        p, k = self.probabilities, self.top_k
        said = " ".join((self.start + self.written).split())
        return (
            f"A GPT writes Python on. So far: {said} … At temperature {self.temperature:.2f}, "
            f"{'without top-k' if k == SHAPE['vocabulary'] else f'top-k {k}'} and "
            f"{'without top-p' if self.top_p == 1 else f'top-p {self.top_p:.2f}'} the likeliest "
            f"next token is “{label(self.coder.words[p.argmax()])}” with probability {p.max():.2f}."
        )

    def draw(self) -> Figure:
        """Return the text, its written tokens colored by their surprise, and the bars."""
        fig, (left, right) = plotting.figure(1, 2, width=8.5, height=3.1, width_ratios=(5, 3))
        left.set(xlim=(0, LINE), ylim=(LINES, 0), title=f"temperature {self.temperature:g}")
        left.set_axis_off()
        self._draw_bars(right)
        fig.draw_without_rendering()  # now the letters' width is known
        self._draw_text(left, left.get_window_extent().width / LINE)
        return fig

    @property
    def _continuation(self) -> Continuation:
        state = tuple(getattr(self, name) for name in self.STATE)
        if self._known is None or self._known[0] != state:
            given = self.coder.encode((self.start or FIRST).encode())
            options = {name: getattr(self, name) for name in ("temperature", "top_k", "top_p")}
            made = go_on(
                self._model, given.tolist(), self.fixed, self.count, int(self.seed), **options
            )
            self._known = state, made
        return self._known[1]

    def _probabilities(self, **cut: Any) -> np.ndarray:
        import torch

        from utils.models.transformer import next_probabilities

        scores = torch.from_numpy(self._continuation.scores)
        return next_probabilities(scores, self.temperature, **cut).numpy()

    def _draw_text(self, ax: Axes, pixels: float) -> None:
        """Write the last lines on a grid of letters so wide, each token in its color."""
        from matplotlib.colors import to_rgb

        blue, orange = (np.array(to_rgb(color)) for color in (plotting.BLUE, plotting.ORANGE))
        look = {"family": "monospace", "fontsize": pixels / ax.figure.dpi * 72 / ADVANCE}
        for row, line in enumerate(self._lines()[-LINES:]):
            column = 0
            for bits, run in itertools.groupby(line, key=operator.itemgetter(1)):
                text = "".join(letter if letter.isprintable() else "�" for letter, _ in run)
                color = plotting.GRAY
                if bits is not None:
                    share = np.clip((bits - EXPECTED) / (SURPRISING - EXPECTED), 0, 1)
                    color = (1 - share) * blue + share * orange
                ax.text(column, row + 0.7, text, color=color, **look).set_in_layout(False)
                column += len(text)

    def _lines(self) -> list[list[tuple[str, float | None]]]:
        """The text's lines, letter by letter with the surprise of its token; long ones are cut."""
        letters: list[tuple[str, float | None]] = [(letter, None) for letter in self.start]
        written, seen = b"", 0
        for token, bits in zip(self.tokens, self.surprises, strict=True):
            written += self.coder.words[token]
            text = written.decode("utf-8", "replace")
            letters += [(letter, bits) for letter in text[seen:]]
            seen = len(text)
        lines: list[list[tuple[str, float | None]]] = [[]]
        for letter, bits in letters:
            if letter == "\n" or len(lines[-1]) == LINE:
                lines.append([])
            if letter != "\n":
                lines[-1].append((letter, bits))
        return lines

    def _draw_bars(self, ax: Axes) -> None:
        after, before = self.probabilities, self.uncut
        best = np.argsort(-self._continuation.scores, kind="stable")[:BARS]
        shown = np.where(after > 0, after, before)[best]
        looks = [plotting.BLUE if value > 0 else plotting.GRAY for value in after[best]]
        ax.barh(range(BARS), shown, color=looks)
        ax.set_yticks(range(BARS), [label(self.coder.words[token]) for token in best])
        ax.set(ylim=(BARS - 0.5, -0.5), xlim=(0, max(0.25, shown.max())))
        ax.set(title="next token", xlabel="probability")
