"""Residual blocks that double or halve the resolution, and self-attention."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate, max_pool2d, relu


class UpBlock(nn.Module):
    """Norm, ReLU, doubled, convolved, norm, ReLU, convolved; the shortcut is doubled (Gulrajani et al., 2017)."""

    def __init__(self, inputs: int, outputs: int, norm: Callable[[int], nn.Module]):
        super().__init__()
        self.norms = nn.ModuleList([norm(inputs), norm(outputs)])
        self.first = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.shortcut = nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor, *condition: Tensor) -> Tensor:
        h = self.first(interpolate(relu(self.norms[0](x, *condition)), scale_factor=2))
        h = self.second(relu(self.norms[1](h, *condition)))
        return h + interpolate(self.shortcut(x), scale_factor=2)  # a 1x1 convolution costs a quarter before doubling


class DownBlock(nn.Module):
    """The mirror image without norms; `first` is for images, which no ReLU may cut (Miyato et al., 2018, figure 9)."""

    def __init__(self, inputs: int, outputs: int, first: bool = False, halve: bool = True):
        super().__init__()
        self.is_first, self.halve = first, halve
        self.first = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.shortcut = nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        h = self.second(relu(self.first(x if self.is_first else relu(x))))
        if not self.halve:
            return h + self.shortcut(x)
        return avg_pool2d(h, 2) + self.shortcut(avg_pool2d(x, 2))


class SelfAttention(nn.Module):
    """Each place adds what it finds elsewhere, scaled by a gain that begins at 0 (Zhang et al., 2019, eq. 1 to 3).

    Written out, since fused attention can't be differentiated twice.
    """

    def __init__(self, channels: int):
        super().__init__()
        narrow = max(1, channels // 8)
        self.query = nn.Conv2d(channels, narrow, 1, bias=False)
        self.key = nn.Conv2d(channels, narrow, 1, bias=False)
        self.value = nn.Conv2d(channels, max(1, channels // 2), 1, bias=False)
        self.out = nn.Conv2d(max(1, channels // 2), channels, 1, bias=False)
        self.gain = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        query = self.query(x).flatten(2)
        key, value = (max_pool2d(layer(x), 2).flatten(2) for layer in (self.key, self.value))
        weights = (query.transpose(1, 2) @ key).softmax(2)
        found = (value @ weights.transpose(1, 2)).unflatten(2, x.shape[2:])
        return x + self.gain * self.out(found)
