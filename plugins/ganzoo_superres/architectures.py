"""Networks that enlarge pictures. All of their work is done at the low resolution, where it is cheap."""

from itertools import pairwise
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import conv2d, leaky_relu, pad, pixel_shuffle, relu

from ganzoo import Architecture, Settings, Translator
from ganzoo_superres.discriminators import discriminator


class Upscaling(Architecture):
    """The base of the architectures that enlarge: a generator, and a discriminator for those who train with one."""

    class Config(Settings):
        scale: Literal[2, 3, 4] = Field(4, description="how much larger the result is; taken from the data")
        channels: Literal[1, 3] = Field(3, description="1 grey, 3 colour; taken from the data")
        discriminator: Literal["vgg", "unet"] = Field("unet", description="a score for the picture, or for each pixel")
        discriminator_width: int = Field(32, ge=2, le=512, description="its channels at full resolution")

    channels_last = True
    generator: type[nn.Module]

    def build(self, network: str) -> nn.Module:
        if network == "generator":
            return self.generator(self.config)
        return discriminator(self.config.discriminator, self.config.channels, self.config.discriminator_width)


class Upscaler(Translator):
    """Pictures (N, channels, H, W) in [-1, 1] to (N, channels, scale H, scale W): bicubic, and what it lacks.

    A subclass makes `features` at the low resolution and calls `finish` with their count.
    """

    def __init__(self, config: Upscaling.Config):
        super().__init__()
        self.scale, self.channels = config.scale, config.channels
        self.register_buffer("bicubic", bicubic_phases(config.scale), persistent=False)

    def finish(self, width: int) -> None:
        self.tail = nn.Conv2d(width, self.channels * self.scale**2, 3, padding=1)
        nn.init.zeros_(self.tail.weight)  # training starts from the bicubic picture
        nn.init.zeros_(self.tail.bias)

    def enlarged(self, images: Tensor) -> Tensor:
        """The bicubic enlargement, away from the border the same as Pillow's."""
        around = pad(images, (2, 2, 2, 2), mode="replicate").flatten(0, 1).unsqueeze(1)
        return pixel_shuffle(conv2d(around, self.bicubic), self.scale).squeeze(1).unflatten(0, images.shape[:2])

    def features(self, images: Tensor) -> Tensor:
        raise NotImplementedError

    def forward(self, images: Tensor) -> Tensor:
        return pixel_shuffle(self.tail(self.features(images)), self.scale) + self.enlarged(images)


def bicubic_phases(scale: int) -> Tensor:
    """Cubic convolution (Keys, 1981, a = -1/2) for each place within an enlarged pixel: kernels (scale^2, 1, 5, 5)."""
    places = (torch.arange(scale) + 0.5) / scale - 0.5  # in low-resolution pixels from the middle one
    x = (torch.arange(-2, 3)[None] - places[:, None]).abs().double()
    near, far = 1.5 * x**3 - 2.5 * x**2 + 1, -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    lines = torch.where(x <= 1, near, torch.where(x < 2, far, 0.0))
    kernels = lines[:, None, :, None] * lines[None, :, None, :]
    return kernels.reshape(scale**2, 1, 5, 5).float()


class SRResNetGenerator(Upscaler):
    def __init__(self, config: "SRResNet.Config"):
        super().__init__(config)
        self.head = nn.Conv2d(config.channels, config.width, 3, padding=1)
        self.blocks = nn.Sequential(*(Residual(config.width, config.expansion) for _ in range(config.depth)))
        self.finish(config.width)
        self.context = 2 * config.depth + 2

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


class SRResNet(Upscaling):
    """Residual blocks at the low resolution (Ledig et al., 2017), without batch norm (Lim et al., 2017)."""

    class Config(Upscaling.Config):
        width: int = Field(32, ge=4, le=512, description="channels between the blocks")
        depth: int = Field(16, ge=1, le=64, description="residual blocks")
        expansion: int = Field(1, ge=1, le=8, description="how much wider a block is inside (Yu et al., 2018)")

    generator = SRResNetGenerator


class RRDBGenerator(Upscaler):
    def __init__(self, config: "RRDB.Config"):
        super().__init__(config)
        self.head = nn.Conv2d(config.channels, config.width, 3, padding=1)
        self.blocks = nn.ModuleList(
            nn.Sequential(*(Dense(config.width, config.growth) for _ in range(3))) for _ in range(config.depth)
        )
        self.join = nn.Conv2d(config.width, config.width, 3, padding=1)
        self.finish(config.width)
        self.context = 15 * config.depth + 3

    def features(self, images: Tensor) -> Tensor:
        first = x = self.head(images)
        for block in self.blocks:
            x = x + 0.2 * block(x)
        return first + self.join(x)


class Dense(nn.Module):
    """Five convolutions, each of which sees all before it; a fifth of the result is added."""

    def __init__(self, width: int, growth: int):
        super().__init__()
        outputs = [growth] * 4 + [width]
        self.layers = nn.ModuleList(nn.Conv2d(width + i * growth, out, 3, padding=1) for i, out in enumerate(outputs))
        with torch.no_grad():
            for layer in self.layers:
                layer.weight.mul_(0.1)  # as the paper starts

    def forward(self, x: Tensor) -> Tensor:
        seen = x
        for layer in self.layers[:-1]:
            seen = torch.cat([seen, leaky_relu(layer(seen), 0.2)], 1)
        return x + 0.2 * self.layers[-1](seen)


class RRDB(Upscaling):
    """Residual blocks of residual dense blocks (ESRGAN, Wang et al., 2018), without upsampling layers."""

    class Config(Upscaling.Config):
        width: int = Field(64, ge=4, le=512, description="channels between the blocks")
        depth: int = Field(23, ge=1, le=64, description="blocks of three dense blocks")
        growth: int = Field(32, ge=4, le=256, description="channels that each dense convolution adds")

    generator = RRDBGenerator


class CompactGenerator(Upscaler):
    def __init__(self, config: "Compact.Config"):
        super().__init__(config)
        widths = [config.channels] + [config.width] * (config.depth + 1)
        self.layers = nn.ModuleList(nn.Conv2d(a, b, 3, padding=1) for a, b in pairwise(widths))
        self.slopes = nn.ModuleList(nn.PReLU(config.width, init=0.2) for _ in self.layers)
        self.finish(config.width)
        self.context = config.depth + 2

    def features(self, images: Tensor) -> Tensor:
        for layer, slope in zip(self.layers, self.slopes, strict=True):
            images = slope(layer(images))
        return images


class Compact(Upscaling):
    """A plain chain of convolutions, small and fast (Shi et al., 2016, with the PReLU of Dong et al., 2016)."""

    class Config(Upscaling.Config):
        width: int = Field(24, ge=4, le=512, description="channels of each convolution")
        depth: int = Field(6, ge=1, le=64, description="convolutions between the first and the last")

    generator = CompactGenerator
