"""StyleGAN2's networks: mapping and synthesis with skip connections, and a residual discriminator."""

import math
from itertools import pairwise
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

from ganzoo import Architecture, Discriminator, Generator, Settings
from ganzoo_stylegan.layers import (
    GAIN,
    DeviationOfBatch,
    EqualConv2d,
    EqualLinear,
    ModulatedConv2d,
    StyledConv,
    down,
    up,
)


class StyleGAN2(Architecture):
    """Modulated convolutions, skip generator, residual discriminator (Karras et al., 2020, "Analyzing and improving").

    A latent holds z and the noise of every layer, so that an image is a function of its latent alone.
    """

    class Config(Settings):
        size: Literal[28, 32, 64, 128, 256, 512, 1024] = Field(description="side of the images in pixels")
        channels: Literal[1, 3] = Field(3, description="1 grey, 3 colour; a recipe takes it from its data")
        latent_size: int = Field(128, ge=2, le=4096, description="length of z, and of a style w")
        width: int = Field(32, ge=4, le=512, description="channels beside the image; each halving doubles them")
        most: int = Field(256, ge=4, le=2048, description="greatest number of channels")
        depth: int = Field(4, ge=1, le=16, description="layers of the mapping network")
        group: int = Field(4, ge=1, le=64, description="images whose differences the discriminator sees together")

    per_sample = False  # the discriminator sees groups of images
    channels_last = True
    offers = ("styles",)

    def build(self, network: str) -> nn.Module:
        return StyleGenerator(self.config) if network == "generator" else StyleDiscriminator(self.config)


class ConditionalStyleGAN2(StyleGAN2):
    """The label joins z before the mapping, and is projected in the discriminator (Karras et al., 2020, "Limited")."""

    class Config(StyleGAN2.Config):
        classes: int = Field(ge=1, le=100_000, description="number of labels")

    conditions = ("label",)

    def build(self, network: str) -> nn.Module:
        return ToldGenerator(self.config) if network == "generator" else ProjectionDiscriminator(self.config)


def widths(config: StyleGAN2.Config) -> dict[int, int]:
    """Channels of the feature maps by their side, the smallest first: 7 for 28 and 4 for the others."""
    least = 7 if config.size == 28 else 4
    sides = [least << i for i in range(int(math.log2(config.size // least)) + 1)]
    return {side: min(config.width * config.size // side, config.most) for side in sides}


class Mapping(nn.Module):
    """z (N, inputs) to styles w (N, latent_size), with the running mean of w for truncation."""

    def __init__(self, config: StyleGAN2.Config, inputs: int):
        super().__init__()
        sizes = [inputs] + [config.latent_size] * config.depth
        self.layers = nn.ModuleList(EqualLinear(a, b, rate=0.01) for a, b in pairwise(sizes))
        self.register_buffer("mean", torch.zeros(config.latent_size))

    def forward(self, z: Tensor, *label: Tensor) -> Tensor:
        w = self.given(z, *label)
        for layer in self.layers:
            w = leaky_relu(layer(w), 0.2) * GAIN
        if self.training:
            self.mean.lerp_(w.detach().mean(0).to(self.mean.dtype), 0.002)
        return w

    def given(self, z: Tensor) -> Tensor:
        """What the first layer sees."""
        return unit(z)


def unit(x: Tensor) -> Tensor:
    """Rows (N, values) whose values have a mean square of 1."""
    return x * (x.square().mean(1, keepdim=True) + 1e-8).rsqrt()


class StyleGenerator(Generator):
    """Latents (N, latent_size + noise) to images (N, channels, size, size), about [-1, 1]."""

    options = {"truncation": (0.0, 1.0)}

    def __init__(self, config: StyleGAN2.Config):
        super().__init__()
        self.z_size = config.latent_size
        plan = widths(config)
        sides, channels = list(plan), list(plan.values())
        self.sides = [sides[0], *[side for side in sides[1:] for _ in range(2)]]  # of each layer's noise
        self.latent_size = config.latent_size + sum(side**2 for side in self.sides)
        self.mapping = self.mapping_of(config)
        self.constant = nn.Parameter(torch.randn(1, channels[0], sides[0], sides[0]))
        pairs = [(channels[0], channels[0]), *[p for a, b in pairwise(channels) for p in ((a, b), (b, b))]]
        self.convs = nn.ModuleList(StyledConv(a, b, config.latent_size) for a, b in pairs)
        self.images = nn.ModuleList(
            ModulatedConv2d(width, config.channels, 1, config.latent_size, demodulate=False) for width in channels
        )
        self.bias = nn.Parameter(torch.zeros(config.channels, 1, 1))

    def mapping_of(self, config: StyleGAN2.Config) -> nn.Module:
        return Mapping(config, config.latent_size)

    @property
    def layers(self) -> int:
        """Styles that an image has: one for each convolution, and one for the last image layer."""
        return len(self.convs) + 1

    def styles(self, latents: Tensor, *label: Tensor) -> Tensor:
        """The style of each layer, all alike: (N, layers, latent_size)."""
        return self.mapping(latents[:, : self.z_size], *label)[:, None].expand(-1, self.layers, -1)

    def noise(self, latents: Tensor) -> list[Tensor]:
        """The noise of each convolution, (N, 1, side, side)."""
        parts = latents[:, self.z_size :].split([side**2 for side in self.sides], 1)
        return [part.unflatten(1, (1, side, side)) for part, side in zip(parts, self.sides, strict=True)]

    def synthesize(self, styles: Tensor, noise: list[Tensor]) -> Tensor:
        """Styles (N, layers, latent_size) and noise to images."""
        w = styles.unbind(1)
        x = self.convs[0](self.constant.expand(styles.shape[0], -1, -1, -1), w[0], noise[0])
        image = self.images[0](x, w[1])
        for i, to_image in enumerate(self.images[1:]):
            first = 2 * i + 1
            x = self.convs[first](up(x), w[first], noise[first])
            x = self.convs[first + 1](x, w[first + 1], noise[first + 1])
            image = up(image) + to_image(x, w[first + 2])
        return image + self.bias

    def forward(self, latents: Tensor, *label: Tensor) -> Tensor:
        return self.synthesize(self.styles(latents, *label), self.noise(latents))

    def sample(self, latents: Tensor, *label: Tensor, truncation: float = 1.0) -> Tensor:
        """Images in [-1, 1]; styles go only this share of their way from the mean style (Karras et al., 2019)."""
        styles = self.styles(latents, *label)
        styles = self.mapping.mean.to(styles.dtype).lerp(styles, truncation)
        return self.synthesize(styles, self.noise(latents)).clamp(-1, 1)


class ToldMapping(Mapping):
    """z and a label to styles; each is brought to one length by itself."""

    def __init__(self, config: ConditionalStyleGAN2.Config):
        super().__init__(config, 2 * config.latent_size)
        self.embed = nn.Embedding(config.classes, config.latent_size)

    def given(self, z: Tensor, label: Tensor) -> Tensor:
        return torch.cat([unit(z), unit(self.embed(label))], 1)


class ToldGenerator(StyleGenerator):
    """Latents and labels (N,) to images (N, channels, size, size), about [-1, 1]."""

    def mapping_of(self, config: ConditionalStyleGAN2.Config) -> nn.Module:
        return ToldMapping(config)


class ResidualDown(nn.Module):
    """Two convolutions, halved, added to the halved input, of unit variance again."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.first, self.second = EqualConv2d(inputs, inputs, 3), EqualConv2d(inputs, outputs, 3)
        self.shortcut = EqualConv2d(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        h = leaky_relu(self.first(x), 0.2) * GAIN
        h = leaky_relu(self.second(down(h)), 0.2) * GAIN
        return (h + self.shortcut(down(x))) / GAIN


class StyleDiscriminator(Discriminator):
    """Images (N, channels, size, size) to logits (N,)."""

    per_sample = False  # the deviation within a group

    def __init__(self, config: StyleGAN2.Config):
        super().__init__()
        plan = dict(reversed(widths(config).items()))
        channels, last = list(plan.values()), list(plan)[-1]
        self.first = EqualConv2d(config.channels, channels[0], 1)
        self.blocks = nn.Sequential(*(ResidualDown(a, b) for a, b in pairwise(channels)))
        self.deviation = DeviationOfBatch(config.group)
        self.conv = EqualConv2d(channels[-1] + 1, channels[-1], 3)
        self.dense = EqualLinear(channels[-1] * last**2, channels[-1])
        self.features_size = channels[-1]
        self.head = EqualLinear(self.features_size, 1)

    def features(self, images: Tensor) -> Tensor:
        x = self.deviation(self.blocks(leaky_relu(self.first(images), 0.2) * GAIN))
        x = leaky_relu(self.conv(x), 0.2) * GAIN
        x = x.permute(0, 2, 3, 1).flatten(1)  # as it lies in memory
        return leaky_relu(self.dense(x), 0.2) * GAIN

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.features(images)).squeeze(1)


class ProjectionDiscriminator(StyleDiscriminator):
    """Images and labels (N,) to logits (N,)."""

    def __init__(self, config: ConditionalStyleGAN2.Config):
        super().__init__(config)
        self.embed = nn.Embedding(config.classes, self.features_size)

    def forward(self, images: Tensor, label: Tensor) -> Tensor:
        features = self.features(images)
        score = (features * self.embed(label)).sum(1) / math.sqrt(self.features_size)
        return self.head(features).squeeze(1) + score
