"""The vision transformer in PyTorch: an image as a sequence of patches.

Source: A. Dosovitskiy et al. (2021), An image is worth 16×16 words, arXiv:2010.11929; the mean of
the tokens in the place of their class token: L. Beyer, X. Zhai, A. Kolesnikov (2022), Better plain
ViT baselines for ImageNet-1k, arXiv:2205.01580.
"""

from __future__ import annotations

from torch import Tensor, nn

from utils.models.transformer import SPREAD, Block

POSITIONS = ("learned", "none")


class ViT(nn.Module):
    """Cuts an image into patches, which are its tokens; the mean of what they become is classified.

    Every pixel goes into one patch, and one linear map makes a vector of each. Blocks with the norm
    before each part follow, in which all tokens see each other.

    Args:
        size: height and width of an image, a multiple of `patch`.
        patch: height and width of a patch.
        channels: of an image.
        classes: number of scores.
        d: length of a token's vector.
        layers: number of blocks.
        heads: of each.
        positions: ``"learned"``, a vector for each place, or ``"none"``: the image is then a bag of
            patches.

    Raises:
        ValueError: other positions, patches that do not fill the image, or heads that do not
            divide d.

    """

    def __init__(
        self,
        size: int = 28,
        patch: int = 4,
        channels: int = 1,
        classes: int = 10,
        d: int = 64,
        layers: int = 4,
        heads: int = 4,
        positions: str = "learned",
    ) -> None:
        super().__init__()
        if positions not in POSITIONS:
            raise ValueError(f"positions must be one of {', '.join(POSITIONS)}, got {positions!r}")
        if size % patch:
            raise ValueError(f"patches of {patch} pixels do not fill an image of {size}")
        self.positions = positions
        # a convolution whose steps are as long as its kernel is one linear map for all patches
        self.patches = nn.Conv2d(channels, d, patch, stride=patch)
        if positions == "learned":
            self.places = nn.Embedding((size // patch) ** 2, d)
            nn.init.normal_(self.places.weight, std=SPREAD)
        self.blocks = nn.Sequential(*(Block(d, heads) for _ in range(layers)))
        self.norm = nn.LayerNorm(d)
        self.head = nn.Linear(d, classes)

    def tokens(self, x: Tensor) -> Tensor:
        """A vector for each patch of images (N, C, H, W), row by row: (N, T, d)."""
        tokens = self.patches(x).flatten(2).mT
        return tokens + self.places.weight if self.positions == "learned" else tokens

    def forward(self, x: Tensor) -> Tensor:
        """Scores (N, classes) of images (N, C, H, W)."""
        return self.head(self.norm(self.blocks(self.tokens(x))).mean(dim=1))
