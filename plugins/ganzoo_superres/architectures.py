"""Networks that enlarge pictures. All of their work is done at the low resolution, where it is cheap."""

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import conv2d, pad, pixel_shuffle, relu

from ganzoo import Architecture, Settings, Translator


class Upscaler(Translator):
    """Pictures (N, channels, H, W) in [-1, 1] to (N, channels, scale H, scale W): bicubic, and what it lacks.

    A subclass sets `body` (features at the low resolution) and calls `finish` with their count.
    """

    def __init__(self, scale: int, channels: int):
        super().__init__()
        self.scale, self.channels = scale, channels
        self.register_buffer("bicubic", bicubic_phases(scale), persistent=False)

    def finish(self, width: int) -> None:
        self.tail = nn.Conv2d(width, self.channels * self.scale**2, 3, padding=1)
        nn.init.zeros_(self.tail.weight)  # training starts from the bicubic picture
        nn.init.zeros_(self.tail.bias)

    def enlarged(self, images: Tensor) -> Tensor:
        """The bicubic enlargement, as Pillow computes it."""
        count, channels, height, width = images.shape
        around = pad(images.reshape(-1, 1, height, width), (2, 2, 2, 2), mode="replicate")
        return pixel_shuffle(conv2d(around, self.bicubic.to(images)), self.scale).reshape(
            count, channels, height * self.scale, width * self.scale
        )

    def features(self, images: Tensor) -> Tensor:
        raise NotImplementedError

    def forward(self, images: Tensor) -> Tensor:
        return pixel_shuffle(self.tail(self.features(images)), self.scale) + self.enlarged(images)


def bicubic_phases(scale: int) -> Tensor:
    """Kernels of the cubic convolution (Keys, 1981, a = -1/2) for each place in an enlarged pixel: (scale^2, 1, 5, 5)."""
    places = (torch.arange(scale) + 0.5) / scale - 0.5  # in low-resolution pixels from the middle one
    x = (torch.arange(-2, 3)[None] - places[:, None]).abs().double()
    near, far = 1.5 * x**3 - 2.5 * x**2 + 1, -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    lines = torch.where(x <= 1, near, torch.where(x < 2, far, 0.0))
    kernels = lines[:, None, :, None] * lines[None, :, None, :]
    return kernels.reshape(scale**2, 1, 5, 5).float()


class SRResNet(Architecture):
    """Residual blocks at the low resolution (Ledig et al., 2017), without batch norm (Lim et al., 2017)."""

    class Config(Settings):
        scale: Literal[2, 3, 4] = Field(4, description="how much larger the result is; taken from the data")
        channels: Literal[1, 3] = Field(3, description="1 grey, 3 colour; taken from the data")
        width: int = Field(48, ge=4, le=512, description="channels between the blocks")
        depth: int = Field(8, ge=1, le=64, description="residual blocks")
        expansion: int = Field(1, ge=1, le=8, description="how much wider a block is inside (Yu et al., 2018)")

    def build(self, network: str) -> nn.Module:
        return SRResNetGenerator(self.config)


class SRResNetGenerator(Upscaler):
    def __init__(self, config: SRResNet.Config):
        super().__init__(config.scale, config.channels)
        self.head = nn.Conv2d(config.channels, config.width, 3, padding=1)
        self.blocks = nn.Sequential(*(Residual(config.width, config.expansion) for _ in range(config.depth)))
        self.finish(config.width)
        self.context = 2 * config.depth + 3

    def features(self, images: Tensor) -> Tensor:
        x = self.head(images)
        return self.blocks(x) + x


class Residual(nn.Module):
    def __init__(self, width: int, expansion: int):
        super().__init__()
        self.first = nn.Conv2d(width, width * expansion, 3, padding=1)
        self.second = nn.Conv2d(width * expansion, width, 3, padding=1)
        with torch.no_grad():
            self.second.weight.mul_(0.3)  # blocks start close to the identity, so that many train together

    def forward(self, x: Tensor) -> Tensor:
        return x + self.second(relu(self.first(x)))
