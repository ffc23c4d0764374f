"""Residual generator and discriminator, told a label or not."""

import math
from itertools import pairwise
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import relu
from torch.nn.utils.parametrizations import spectral_norm

from ganzoo import Architecture, Discriminator, Generator, Settings
from ganzoo.architecture import laid_out
from ganzoo_conditional.architectures import ConditionalBatchNorm
from ganzoo_resnet.blocks import DownBlock, SelfAttention, UpBlock


class Resnet(Architecture):
    """Residual networks with batch norm in the generator and none in the discriminator (Miyato et al., 2018, app. B).

    With the regulariser `spectral-norm` it is SNGAN, with `attention` and `generator_spectral_norm` too SAGAN (Zhang et
    al., 2019). With the strategy `wgan-gp` it is near to Gulrajani et al. (2017), whose critic has one width throughout
    and takes a mean where this one sums.
    """

    class Config(Settings):
        size: Literal[28, 32, 64, 128, 256] = Field(description="side of the images in pixels")
        channels: Literal[1, 3] = Field(3, description="1 grey, 3 colour; a recipe takes it from its data")
        latent_size: int = Field(128, ge=1, le=4096, description="length of a latent")
        width: int = Field(
            64, ge=4, le=512, description="channels beside the image; each halving doubles them, up to 8x"
        )
        attention: int = Field(0, ge=0, le=128, description="side of the feature maps with self-attention; 0: none")
        generator_spectral_norm: bool = Field(
            False, description="linear layers and convolutions of the generator divided by their largest singular value"
        )

    per_sample = False  # the generator's batch norm
    channels_last = True

    def build(self, network: str) -> nn.Module:
        return ResnetGenerator(self.config) if network == "generator" else ResnetDiscriminator(self.config)


def widths(config: Resnet.Config) -> dict[int, int]:
    """Channels of the feature maps by their side, the image's first: down to 7 for 28 and to 4 for the others."""
    least = 7 if config.size == 28 else 4
    sides = [config.size >> i for i in range(int(math.log2(config.size // least)) + 1)]
    return {side: min(config.width * (config.size // side), config.width * 8) for side in sides}


class ResnetGenerator(Generator):
    """Latents (N, latent_size) to images (N, channels, size, size) in [-1, 1]."""

    def __init__(self, config: Resnet.Config):
        super().__init__()
        self.latent_size = config.latent_size
        plan = dict(reversed(widths(config).items()))
        (side, width), *_ = plan.items()
        self.shape = width, side, side
        self.project = nn.Linear(self.inputs(), math.prod(self.shape))
        self.blocks = nn.ModuleList(UpBlock(a, b, self.norm) for a, b in pairwise(plan.values()))
        self.attend = nn.ModuleList(attention(config, side, width) for side, width in list(plan.items())[1:])
        self.last = self.last_norm(config.width)
        self.image = nn.Conv2d(config.width, config.channels, 3, padding=1)
        if config.generator_spectral_norm:  # Zhang et al., 2019, section 4.1
            for layer in [*self.modules()]:
                if isinstance(layer, nn.Linear | nn.Conv2d):
                    spectral_norm(layer)

    def inputs(self) -> int:
        """Length of what the first layer sees."""
        return self.latent_size

    def norm(self, channels: int) -> nn.Module:
        return nn.BatchNorm2d(channels)

    def last_norm(self, channels: int) -> nn.Module:
        return nn.BatchNorm2d(channels)

    def told(self, latents: Tensor, *condition: Tensor) -> tuple[Tensor, list[tuple[Tensor, ...]]]:
        """What the first layer sees, and what the norms of each block are told."""
        return latents, [condition] * len(self.blocks)

    def forward(self, latents: Tensor, *condition: Tensor) -> Tensor:
        first, rest = self.told(latents, *condition)
        stored = max(self.image.parameters(), key=Tensor.dim)  # reading `weight` may be a power iteration
        x = laid_out(self.project(first).unflatten(1, self.shape), stored)
        for block, attend, told in zip(self.blocks, self.attend, rest, strict=True):
            x = attend(block(x, *told))
        return torch.tanh(self.image(relu(self.last(x))))


class ResnetDiscriminator(Discriminator):
    """Images (N, channels, size, size) to logits (N,)."""

    def __init__(self, config: Resnet.Config):
        super().__init__()
        plan = widths(config)
        channels = [config.channels, *plan.values()]
        self.blocks = nn.ModuleList(
            DownBlock(a, b, first=not i, halve=i + 1 < len(plan)) for i, (a, b) in enumerate(pairwise(channels))
        )
        halved = [*list(plan)[1:], list(plan)[-1]]
        self.attend = nn.ModuleList(attention(config, s, w) for s, w in zip(halved, plan.values(), strict=True))
        self.features_size = channels[-1]
        self.head = nn.Linear(self.features_size, 1)

    def features(self, images: Tensor) -> Tensor:
        for block, attend in zip(self.blocks, self.attend, strict=True):
            images = attend(block(images))
        return relu(images).sum((2, 3))

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.features(images)).squeeze(1)


def attention(config: Resnet.Config, side: int, width: int) -> nn.Module:
    return SelfAttention(width) if side == config.attention else nn.Identity()


class ConditionalResnet(Resnet):
    """Conditional batch norm (de Vries et al., 2017) and a projection discriminator (Miyato and Koyama, 2018)."""

    class Config(Resnet.Config):
        classes: int = Field(ge=1, le=100_000, description="number of labels")

    conditions = ("label",)

    def build(self, network: str) -> nn.Module:
        return ConditionalGenerator(self.config) if network == "generator" else ProjectionDiscriminator(self.config)


class ConditionalGenerator(ResnetGenerator):
    """Latents (N, latent_size) and labels (N,) to images (N, channels, size, size) in [-1, 1]."""

    def __init__(self, config: ConditionalResnet.Config):
        self.classes = config.classes
        super().__init__(config)

    def norm(self, channels: int) -> nn.Module:
        return ConditionalBatchNorm(channels, self.classes)


class ProjectionDiscriminator(ResnetDiscriminator):
    """Images (N, channels, size, size) and labels (N,) to logits (N,): a common score plus the label's own."""

    def __init__(self, config: ConditionalResnet.Config):
        super().__init__(config)
        self.embed = nn.Embedding(config.classes, self.features_size)
        nn.init.normal_(self.embed.weight, 0.0, self.features_size**-0.5)

    def forward(self, images: Tensor, label: Tensor) -> Tensor:
        features = self.features(images)
        return self.head(features).squeeze(1) + (features * self.embed(label)).sum(1)
