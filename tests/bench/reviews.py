"""Film reviews, good or bad: an LSTM on one core beside the bags that beat it.

Run ``COURSE_REAL_DATA=FOLDER python -m tests.bench.reviews``; FOLDER holds imdb-train.jsonl.xz, the
25,000 labeled training reviews of IMDB. Its test reviews are not there, so the last 2,500 of each
kind, by their number, are kept unseen: reviews of one film stand side by side, and a random split
would put most films into both parts. Time is CPU seconds of training; the LSTM and the bag of
embeddings stop after so many and let their step size follow the clock.
"""

from __future__ import annotations

import json
import lzma
import re
import sys
from collections import Counter

import numpy as np
import torch
from torch import nn

from tests.bench._race import Contestant, Race, Result, Stopwatch, real_data
from utils.text import batches_by_length

FILE = "imdb-train.jsonl.xz"
UNSEEN = 2500  # of each kind
TOKEN = re.compile(r"[a-z0-9']+|[!?.]")
VOCABULARY, LONGEST = 10_000, 400  # words; the last tokens of a review
PADDING, OTHER = 0, 1


def load() -> tuple[list[str], np.ndarray, list[str], np.ndarray]:
    """Texts and labels, 20,000 to learn from and 5,000 unseen."""
    kinds: dict[str, list[tuple[int, str]]] = {"neg": [], "pos": []}
    with lzma.open(real_data(FILE), "rt", encoding="utf-8") as lines:
        for line in lines:
            review = json.loads(line)
            kind, number = re.search(r"(neg|pos)/(\d+)_", review["file"]).groups()
            kinds[kind].append((int(number), review["text"].replace("<br />", "\n")))
    parts: list[tuple[list[str], list[int]]] = [([], []), ([], [])]
    for label, reviews in enumerate(kinds.values()):
        texts = [text for _, text in sorted(reviews)]
        for (x, y), chosen in zip(parts, (texts[:-UNSEEN], texts[-UNSEEN:]), strict=True):
            x += chosen
            y += [label] * len(chosen)
    (x, y), (x_new, y_new) = parts
    return x, np.array(y), x_new, np.array(y_new)


def encode(texts: list[str], vocabulary: dict[str, int]) -> list[np.ndarray]:
    """The last tokens of each text as numbers."""
    return [
        np.array([vocabulary.get(token, OTHER) for token in TOKEN.findall(text.lower())[-LONGEST:]])
        for text in texts
    ]


class Pooled(nn.Module):
    """Embedding, perhaps a recurrent layer, mean and maximum over the real steps, a linear layer.

    The embedding starts at deviation 0.1: at PyTorch's 1 rare words stay noise for too long. In
    training a fifth of the words become `OTHER`, and vectors and pooled outputs lose half of their
    numbers: without all that the LSTM knows its 20,000 reviews by heart after three epochs.
    """

    def __init__(self, width: int, hidden: int | None) -> None:
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, width, PADDING)
        nn.init.normal_(self.embedding.weight, std=0.1)
        self.core = nn.LSTM(width, hidden, batch_first=True) if hidden else None
        self.dropout = nn.Dropout(0.5)
        self.head = nn.Linear(2 * (hidden or width), 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Scores (N,) of numbers (N, T)."""
        padding = (x == PADDING)[..., None]
        if self.training:
            x = torch.where((torch.rand(x.shape) < 0.2) & (x != PADDING), OTHER, x)
        y = self.dropout(self.embedding(x))
        if self.core is not None:
            y, _ = self.core(y)
        mean = y.masked_fill(padding, 0).sum(1) / (~padding).sum(1)
        largest = y.masked_fill(padding, -torch.inf).amax(1)
        return self.head(self.dropout(torch.cat([mean, largest], 1)))[:, 0]


def batch_of(reviews: list[np.ndarray], rows: np.ndarray) -> torch.Tensor:
    """Some reviews as one array, padded at the end to the longest of them."""
    chosen = [torch.from_numpy(reviews[row]) for row in rows]
    return nn.utils.rnn.pad_sequence(chosen, batch_first=True, padding_value=PADDING)


def pooled(seed: int, seconds: float, peak: float, hidden: int | None) -> Result:
    """Train a `Pooled` for so many CPU seconds: AdamW, warm-up, linear decay, clipped gradients."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    texts, y, new_texts, y_new = load()
    counts = Counter(token for text in texts for token in TOKEN.findall(text.lower()))
    kept = [word for word, _ in counts.most_common(VOCABULARY - 2)]
    vocabulary = {word: number for number, word in enumerate(kept, start=2)}
    x, x_new = encode(texts, vocabulary), encode(new_texts, vocabulary)
    lengths, labels = np.array([len(review) for review in x]), torch.tensor(y, dtype=torch.float32)
    model = Pooled(32, hidden)
    optimizer = torch.optim.AdamW(model.parameters(), lr=peak, weight_decay=0.1)
    loss, watch, seen = nn.BCEWithLogitsLoss(), Stopwatch(), 0
    with watch:
        while watch.so_far() < seconds:
            for rows in batches_by_length(lengths, 64, rng):
                done = watch.so_far() / seconds
                if done >= 1:
                    break
                optimizer.param_groups[0]["lr"] = peak * min(done / 0.05 + 0.01, (1 - done) / 0.95)
                optimizer.zero_grad()
                loss(model(batch_of(x, rows)), labels[rows]).backward()
                nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                optimizer.step()
                seen += len(rows)
    model.eval()
    right = 0
    with torch.no_grad():
        for rows in batches_by_length(np.array([len(review) for review in x_new]), 250, rng):
            right += ((model(batch_of(x_new, rows)) > 0).numpy() == y_new[rows]).sum()
    return {"right": right / len(y_new), "seconds": watch.seconds, "epochs": seen / len(x)}


def bag_of_words(seed: int, longest: int) -> Result:
    """Weighted counts of groups of up to `longest` words, and a linear classifier; no chance."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    texts, y, new_texts, y_new = load()
    with Stopwatch() as watch:
        counts = TfidfVectorizer(
            token_pattern=TOKEN.pattern, ngram_range=(1, longest), min_df=3, sublinear_tf=True
        )
        linear = LogisticRegression(C=10, max_iter=200).fit(counts.fit_transform(texts), y)
    return {"right": linear.score(counts.transform(new_texts), y_new), "seconds": watch.seconds}


RACE = Race(
    "reviews",
    "IMDB, 20,000 reviews to learn from, 5,000 unseen",
    {"right": "{:.1%}", "seconds": "{:.1f}", "epochs": "{:.1f}"},
    {
        "lstm": Contestant(
            "LSTM of 32 units, pooled, 60 s",
            lambda seed: pooled(seed, 60, 4e-3, 32),
            "≥ 86% in 60 s",
        ),
        "embeddings": Contestant(
            "the same without the LSTM: a bag of embeddings, 20 s",
            lambda seed: pooled(seed, 20, 4e-3, None),
        ),
        "words": Contestant("bag of words, linear", lambda seed: bag_of_words(seed, 1)),
        "pairs": Contestant("bag of words and pairs, linear", lambda seed: bag_of_words(seed, 2)),
    },
    headline="**Film reviews** (chapter 09): an LSTM judges {lstm[right]} rightly after "
    "{lstm[seconds]} s, a linear model on words and pairs {pairs[right]} after "
    "{pairs[seconds]} s. We say so.",
    needs=FILE,
)

if __name__ == "__main__":
    sys.exit(RACE.main(sys.argv[1:]))
