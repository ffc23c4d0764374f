"""Networks whose hidden units are sines."""

import math

import torch
from pydantic import Field
from torch import nn

from ganzoo import Architecture, Discriminator, Generator, Settings


class Wave(Architecture):
    """One hidden layer of sines (after Sitzmann et al., 2020)."""

    class Config(Settings):
        size: int = Field(ge=4, le=64, description="side of the images in pixels")
        channels: int = Field(ge=1, le=3, description="1 grey, 3 colour")
        latent_size: int = Field(8, ge=1, le=512, description="length of a latent")
        width: int = Field(32, ge=2, le=1024, description="hidden units")

    def build(self, network):
        return WaveGenerator(self.config) if network == "generator" else WaveDiscriminator(self.config)


class Sine(nn.Module):
    """sin(x)."""

    def forward(self, x):
        return torch.sin(x)


def layers(inputs, width, outputs):
    """A hidden layer of sines."""
    return nn.Sequential(nn.Linear(inputs, width), Sine(), nn.Linear(width, outputs))


class WaveGenerator(Generator):
    """Latents (N, latent_size) to images (N, channels, size, size) in [-1, 1]."""

    def __init__(self, config):
        super().__init__()
        self.latent_size = config.latent_size
        self.shape = (config.channels, config.size, config.size)
        self.layers = layers(config.latent_size, config.width, math.prod(self.shape))

    def forward(self, latents):
        return torch.tanh(self.layers(latents)).unflatten(1, self.shape)


class WaveDiscriminator(Discriminator):
    """Images (N, channels, size, size) to logits (N,)."""

    def __init__(self, config):
        super().__init__()
        self.layers = layers(config.channels * config.size**2, config.width, 1)

    def forward(self, images):
        return self.layers(images.flatten(1)).squeeze(1)
