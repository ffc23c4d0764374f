"""Encoders, and generators without batch statistics."""

from types import SimpleNamespace
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from ganzoo import Architecture
from ganzoo_vanilla.architectures import DCGAN, DCGANDiscriminator, DCGANGenerator


class VAE(Architecture):
    """Convolutional encoder and generator (Kingma and Welling, 2014; layers as in Radford et al., 2016)."""

    class Config(DCGAN.Config):
        latent_size: int = Field(16, ge=1, le=4096, description="length of a latent")
        width: int = Field(24, ge=4, le=512, description="channels beside the image; each halving doubles them")
        discriminator_norm: Literal["none"] = Field("none", description="there are no batch statistics in it")

    networks = "encoder", "generator"
    offers = ("posterior",)
    channels_last = True

    def build(self, network: str) -> nn.Module:
        extra = getattr(self.config, "embedding", 0)
        return Encoder(self.config, extra) if network == "encoder" else Decoder(self.config, extra)


class Decoder(DCGANGenerator):
    """Latents (N, latent_size), and labels where there are any, to images (N, channels, size, size) in [-1, 1]."""

    def __init__(self, config: VAE.Config, extra: int):
        super().__init__(config, extra)
        self.embed = nn.Embedding(config.classes, extra) if extra else None

    def norm(self, channels: int) -> nn.Module:
        return nn.GroupNorm(1, channels)

    def forward(self, latents: Tensor, *label: Tensor) -> Tensor:
        return super().forward(torch.cat([latents, *map(self.embed, label)], 1) if label else latents)


class Encoder(nn.Module):
    """Images (N, channels, size, size), and labels, to mean and log variance of latents, (N, latent_size) each."""

    def __init__(self, config: VAE.Config, extra: int):
        super().__init__()
        self.body = DCGANDiscriminator(config)
        self.body.head = None
        self.embed = nn.Embedding(config.classes, extra) if extra else None
        self.head = nn.Linear(self.body.features_size + extra, 2 * config.latent_size)

    def forward(self, images: Tensor, *label: Tensor) -> tuple[Tensor, ...]:
        return self.head(torch.cat([self.body.features(images), *map(self.embed, label)], 1)).chunk(2, 1)


class ConditionalVAE(VAE):
    """Encoder and generator that are told the label (Sohn et al., 2015)."""

    class Config(VAE.Config):
        classes: int = Field(ge=1, le=100_000, description="number of labels")
        embedding: int = Field(16, ge=1, le=1024, description="length of a label's embedding")

    conditions = ("label",)


class VAEGAN(VAE):
    """Encoder, generator, and a discriminator whose features measure distances (Larsen et al., 2016)."""

    networks = "encoder", "generator", "discriminator"
    offers = "posterior", "features"

    def build(self, network: str) -> nn.Module:
        return FeatureDiscriminator(self.config) if network == "discriminator" else super().build(network)


class FeatureDiscriminator(DCGANDiscriminator):
    """Images to logits (N,); `outputs` adds what the last layer but one says of them, (N, features_size)."""

    def outputs(self, images: Tensor) -> SimpleNamespace:
        features = self.features(images)
        return SimpleNamespace(logits=self.head(features).squeeze(1), features=features)
