"""Networks of the first GANs: fully connected, and deep convolutional."""

import math
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, relu

from ganzoo import Architecture, Discriminator, Generator, Settings, recomputed
from ganzoo.architecture import laid_out


class MLP(Architecture):
    """Fully connected generator and discriminator (Goodfellow et al., 2014), for small images."""

    class Config(Settings):
        size: int = Field(ge=4, le=128, description="side of the images in pixels")
        channels: Literal[1, 3] = Field(3, description="1 grey, 3 colour; a recipe takes it from its data")
        latent_size: int = Field(100, ge=1, le=4096, description="length of a latent")
        width: int = Field(256, ge=1, le=8192, description="units of a hidden layer")
        depth: int = Field(2, ge=1, le=16, description="hidden layers of each network")

    def build(self, network: str) -> nn.Module:
        return MLPGenerator(self.config) if network == "generator" else MLPDiscriminator(self.config)


class MLPGenerator(Generator):
    """Latents (N, latent_size) to images (N, channels, size, size) in [-1, 1]."""

    def __init__(self, config: MLP.Config, extra: int = 0):
        super().__init__()
        self.latent_size = config.latent_size
        self.shape = (config.channels, config.size, config.size)
        self.layers = layers(config.latent_size + extra, math.prod(self.shape), config.width, config.depth)

    def forward(self, latents: Tensor) -> Tensor:
        return torch.tanh(self.layers(latents)).unflatten(1, self.shape)


class MLPDiscriminator(Discriminator):
    """Images (N, channels, size, size) to logits (N,)."""

    def __init__(self, config: MLP.Config, extra: int = 0):
        super().__init__()
        self.layers = layers(config.channels * config.size**2 + extra, 1, config.width, config.depth)

    def forward(self, images: Tensor) -> Tensor:
        return self.layers(images.flatten(1)).squeeze(1)


def layers(inputs: int, outputs: int, width: int, depth: int) -> nn.Sequential:
    """Linear layers with leaky ReLUs between them."""
    parts: list[nn.Module] = []
    for _ in range(depth):
        parts += [nn.Linear(inputs, width), nn.LeakyReLU(0.2)]
        inputs = width
    return nn.Sequential(*parts, nn.Linear(inputs, outputs))


class DCGAN(Architecture):
    """Convolutional generator and discriminator that double and halve the resolution (Radford et al., 2016)."""

    class Config(Settings):
        size: Literal[28, 32, 64, 128, 256] = Field(description="side of the images in pixels")
        channels: Literal[1, 3] = Field(3, description="1 grey, 3 colour; a recipe takes it from its data")
        latent_size: int = Field(100, ge=1, le=4096, description="length of a latent")
        width: int = Field(
            64, ge=4, le=512, description="channels beside the image; each halving doubles them, up to 8x"
        )
        discriminator_norm: Literal["batch", "none"] = Field("batch", description="none where a gradient is penalised")
        discriminator_hidden: int = Field(
            0, ge=0, le=8192, description="units of a dense layer before the score; 0: none"
        )
        recompute: bool = Field(False, description="keep no activations, for less memory: backward computes them again")

    per_sample = False  # the generator's batch norm
    channels_last = True

    def build(self, network: str) -> nn.Module:
        return DCGANGenerator(self.config) if network == "generator" else DCGANDiscriminator(self.config)


class DCGANGenerator(Generator):
    """Latents (N, latent_size) to images (N, channels, size, size) in [-1, 1]."""

    def __init__(self, config: DCGAN.Config, extra: int = 0):
        super().__init__()
        self.latent_size, self.recompute = config.latent_size, config.recompute
        widths = [*reversed(stages(config)), config.channels]
        side = config.size >> len(stages(config))
        self.shape = (widths[0], side, side)
        self.project = nn.Linear(config.latent_size + extra, math.prod(self.shape), bias=False)
        self.norms = nn.ModuleList(self.norm(width) for width in widths[:-1])
        self.ups = nn.ModuleList(nn.ConvTranspose2d(a, b, 4, 2, 1, bias=b == widths[-1]) for a, b in pairwise(widths))
        self.apply(small_weights)

    def norm(self, channels: int) -> nn.Module:
        return nn.BatchNorm2d(channels)

    def forward(self, latents: Tensor, *condition: Tensor) -> Tensor:
        x = laid_out(self.project(latents).unflatten(1, self.shape), self.ups[0].weight)
        for norm, up in zip(self.norms, self.ups, strict=True):
            x = stage(self, partial(grow, norm, up), x, *condition)
        return torch.tanh(x)


class DCGANDiscriminator(Discriminator):
    """Images (N, channels, size, size) to logits (N,)."""

    def __init__(self, config: DCGAN.Config):
        super().__init__()
        batch = config.discriminator_norm == "batch"
        self.per_sample, self.recompute = not batch, config.recompute
        widths = [config.channels, *stages(config)]
        self.downs = nn.ModuleList(nn.Conv2d(a, b, 4, 2, 1) for a, b in pairwise(widths))
        self.norms = nn.ModuleList(
            nn.BatchNorm2d(width) if batch and i else nn.Identity() for i, width in enumerate(widths[1:])
        )
        side = config.size >> len(self.downs)
        self.features_size = config.discriminator_hidden or widths[-1] * side * side
        self.hidden = nn.Linear(widths[-1] * side * side, self.features_size) if config.discriminator_hidden else None
        self.head = nn.Linear(self.features_size, 1)
        if batch:  # without a norm such small weights would leave no signal
            self.apply(small_weights)

    def features(self, images: Tensor) -> Tensor:
        for down, norm in zip(self.downs, self.norms, strict=True):
            images = stage(self, partial(shrink, norm, down), images)
        features = images.permute(0, 2, 3, 1).flatten(1)  # as they lie in memory
        return features if self.hidden is None else leaky_relu(self.hidden(features), 0.2)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.features(images)).squeeze(1)


def grow(norm: nn.Module, up: nn.Module, x: Tensor, *condition: Tensor) -> Tensor:
    return up(relu(norm(x, *condition)))


def shrink(norm: nn.Module, down: nn.Module, x: Tensor) -> Tensor:
    return leaky_relu(norm(down(x)), 0.2)


def stage(network: nn.Module, compute: Callable[..., Tensor], *inputs: Tensor) -> Tensor:
    return recomputed(network, compute, *inputs) if network.recompute else compute(*inputs)


def stages(config: DCGAN.Config) -> list[int]:
    """Channels at each halving of the image, down to 7x7 for 28 and 4x4 for the others."""
    halvings = 2 if config.size == 28 else int(math.log2(config.size // 4))
    return [min(config.width * 2**i, config.width * 8) for i in range(halvings)]


def small_weights(module: nn.Module) -> None:
    """Weights from N(0, 0.02), as the DCGAN paper starts."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
        nn.init.normal_(module.weight, 0.0, 0.02)
