"""The network: a small residual one, 3×3 convolutions, generalised-mean pooling, a linear head."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional as F

MEAN, SPREAD = 127.5, 63.75
"""The mean and the divisor of the channels of an image."""


@dataclass(frozen=True)
class Shape:
    """How wide and deep the network is."""

    stem: int = 32
    widths: tuple[int, ...] = (48, 96, 192)
    blocks: tuple[int, ...] = (1, 2, 3)
    pooled: int = 768
    dims: int = 1024
    power: float = 3.0
    """The exponent of the generalised mean: 1 is the mean, a large one the maximum."""


class Unit(nn.Sequential):
    """Convolution and normalisation, optionally with a ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, active: bool = True) -> None:
        parts: list[nn.Module] = [
            nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
            nn.BatchNorm2d(outputs),
        ]
        super().__init__(*parts, *([nn.ReLU(inplace=True)] if active else []))


class Block(nn.Module):
    """Two units with a skip connection (He et al., "Deep residual learning", CVPR 2016)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = Unit(width, width, 3)
        self.second = Unit(width, width, 3, active=False)
        nn.init.zeros_(self.second[1].weight)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.second(self.first(x)))


class Network(nn.Module):
    """(n, 3, side, side) floats of 0…255 to (n, dims) descriptors, not normalised."""

    def __init__(self, shape: Shape | None = None) -> None:
        super().__init__()
        self.shape = shape or Shape()
        layers: list[nn.Module] = [Unit(3, self.shape.stem, 3, 2)]
        width = self.shape.stem
        for next_width, blocks in zip(self.shape.widths, self.shape.blocks, strict=True):
            layers.append(Unit(width, next_width, 3, 2))
            layers.extend(Block(next_width) for _ in range(blocks))
            width = next_width
        layers.append(Unit(width, self.shape.pooled, 1))
        self.body = nn.Sequential(*layers)
        self.head = nn.Linear(self.shape.pooled, self.shape.dims)

    def forward(self, x: Tensor) -> Tensor:
        maps = self.body((x - MEAN) / SPREAD).float()
        pooled = maps.clamp(min=1e-6).pow(self.shape.power).mean((2, 3)).pow(1 / self.shape.power)
        out: Tensor = self.head(pooled)
        return out
