"""Convolutional networks as PyTorch modules; all take images (N, 3, 32, 32)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class LeNet(nn.Sequential):
    """LeNet-5's descendant of the textbooks: ReLU and max pooling, three dense layers at the end.

    Source: Y. LeCun et al. (1998), doi:10.1109/5.726791, with today's bend and pooling.
    """

    def __init__(self, classes: int = 10) -> None:
        super().__init__(
            nn.Conv2d(3, 6, 5),
            nn.ReLU(),
            nn.MaxPool2d(2),  # 32 → 28 → 14
            nn.Conv2d(6, 16, 5),
            nn.ReLU(),
            nn.MaxPool2d(2),  # 14 → 10 → 5
            nn.Flatten(),
            nn.Linear(16 * 5 * 5, 120),
            nn.ReLU(),
            nn.Linear(120, 84),
            nn.ReLU(),
            nn.Linear(84, classes),
        )


class SmallCNN(nn.Module):
    """Four convolutions, global max pooling and a dense layer; made for seconds on one core.

    The stem's kernels, 4 × 4 with stride 2, are either learned or given and then kept as they are.

    Args:
        width: channels of the stem; the other layers have 1, 2 and 4 times as many.
        classes: number of scores.
        filters: (width, 3, 4, 4) for a frozen stem, as `transforms.whitening_filters` makes them.
        normalize: whether batch normalization follows each of the other convolutions.

    Raises:
        ValueError: `filters` has another shape.

    """

    def __init__(
        self,
        width: int = 24,
        classes: int = 10,
        filters: Tensor | None = None,
        normalize: bool = True,
    ) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, width, 4, stride=2, padding=1, bias=False)
        if filters is not None:
            if filters.shape != self.stem.weight.shape:
                raise ValueError(
                    f"filters must have shape {tuple(self.stem.weight.shape)}, "
                    f"got {tuple(filters.shape)}; call whitening_filters(images, width)"
                )
            self.stem.weight = nn.Parameter(filters.clone(), requires_grad=False)
        norm = nn.BatchNorm2d if normalize else (lambda channels: nn.Identity())
        self.body = nn.Sequential(
            nn.ReLU(),  # 16 × 16 pixels
            *(_conv(width, width, normalize), nn.MaxPool2d(2), norm(width), nn.ReLU()),
            *(_conv(width, 2 * width, normalize), norm(2 * width), nn.ReLU()),  # 8 × 8
            *(_conv(2 * width, 4 * width, normalize), nn.MaxPool2d(2), norm(4 * width), nn.ReLU()),
            *(nn.AdaptiveMaxPool2d(1), nn.Flatten()),  # 4 × 4 → 1 × 1
        )
        self.head = nn.Linear(4 * width, classes, bias=False)
        self.to(memory_format=torch.channels_last)

    def features(self, x: Tensor) -> Tensor:
        """What the last layer sees: images (N, 3, 32, 32) → (N, 4·width)."""
        return self.body(self.stem(x.contiguous(memory_format=torch.channels_last)))

    def forward(self, x: Tensor) -> Tensor:
        """Scores (N, classes) of images (N, 3, 32, 32)."""
        return self.head(self.features(x)) / 8  # small scores at first: calm first steps


def _conv(channels: int, out: int, normalized: bool) -> nn.Conv2d:
    """A 3 × 3 convolution that keeps the size; a normalization behind it makes a bias useless."""
    return nn.Conv2d(channels, out, 3, padding=1, bias=not normalized)


class Block(nn.Module):
    """A residual block: two convolutions, added to a shortcut past them.

    Where shape changes, the shortcut is a 1 × 1 convolution; else it is the identity.

    Source: K. He, X. Zhang, S. Ren, J. Sun (2016), arXiv:1512.03385, figure 2 and section 3.3.
    """

    def __init__(self, channels: int, out: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, out, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(out)
        self.conv2 = nn.Conv2d(out, out, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(out)
        self.shortcut = nn.Sequential()
        if stride != 1 or channels != out:
            self.shortcut = nn.Sequential(
                nn.Conv2d(channels, out, 1, stride, bias=False), nn.BatchNorm2d(out)
            )

    def forward(self, x: Tensor) -> Tensor:
        """Compute y = ReLU(s(x) + F(x)): F the two convolutions, s the shortcut."""
        f = torch.relu(self.bn1(self.conv1(x)))
        f = self.bn2(self.conv2(f))
        return torch.relu(self.shortcut(x) + f)


class ResNet(nn.Module):
    """A residual network; the defaults are ResNet-18 in its CIFAR form, 11,173,962 parameters.

    Source: He et al. (2016), arXiv:1512.03385, table 1, with the stem of their section 4.2.

    Args:
        blocks: residual blocks in each stage; every stage but the first halves the maps.
        width: channels of the first stage, doubled from stage to stage.
        classes: number of scores.
        stem: ``"cifar"``, a 3 × 3 convolution; ``"imagenet"``, 7 × 7 with stride 2 and a pooling.

    Raises:
        ValueError: another stem.

    """

    def __init__(
        self,
        blocks: Sequence[int] = (2, 2, 2, 2),
        width: int = 64,
        classes: int = 10,
        stem: str = "cifar",
    ) -> None:
        super().__init__()
        if stem not in ("cifar", "imagenet"):
            raise ValueError(f"stem must be 'cifar' or 'imagenet', got {stem!r}")
        kernel, stride = (3, 1) if stem == "cifar" else (7, 2)
        self.stem = nn.Sequential(
            nn.Conv2d(3, width, kernel, stride, padding=kernel // 2, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Identity() if stem == "cifar" else nn.MaxPool2d(3, stride=2, padding=1),
        )
        stages, channels = [], width
        for stage, count in enumerate(blocks):
            for i in range(count):
                out = width * 2**stage
                stages.append(Block(channels, out, stride=2 if stage and i == 0 else 1))
                channels = out
        self.stages = nn.Sequential(*stages)
        self.head = nn.Linear(channels, classes)
        self.to(memory_format=torch.channels_last)

    def maps(self, x: Tensor) -> Tensor:
        """The last feature maps, before they are averaged: (N, channels, height, width)."""
        return self.stages(self.stem(x.contiguous(memory_format=torch.channels_last)))

    def forward(self, x: Tensor) -> Tensor:
        """Scores (N, classes) of images (N, 3, H, W)."""
        return self.head(self.maps(x).mean(dim=(2, 3)))
