"""Networks that are told a label: by embedding, by conditional batch norm, by projection."""

import torch
from pydantic import Field
from torch import Tensor, nn

from ganzoo_vanilla.architectures import (
    DCGAN,
    MLP,
    DCGANDiscriminator,
    DCGANGenerator,
    MLPDiscriminator,
    MLPGenerator,
)


class ConditionalMLP(MLP):
    """Fully connected networks that see an embedding of the label beside their input (Mirza and Osindero, 2014)."""

    class Config(MLP.Config):
        classes: int = Field(ge=1, le=100_000, description="number of labels")
        embedding: int = Field(16, ge=1, le=1024, description="length of a label's embedding")

    conditions = ("label",)

    def build(self, network: str) -> nn.Module:
        return (
            ConditionalMLPGenerator(self.config) if network == "generator" else ConditionalMLPDiscriminator(self.config)
        )


class ConditionalMLPGenerator(MLPGenerator):
    """Latents (N, latent_size) and labels (N,) to images (N, channels, size, size) in [-1, 1]."""

    def __init__(self, config: ConditionalMLP.Config):
        super().__init__(config, extra=config.embedding)
        self.embed = nn.Embedding(config.classes, config.embedding)

    def forward(self, latents: Tensor, label: Tensor) -> Tensor:
        return super().forward(torch.cat([latents, self.embed(label)], 1))


class ConditionalMLPDiscriminator(MLPDiscriminator):
    """Images (N, channels, size, size) and labels (N,) to logits (N,)."""

    def __init__(self, config: ConditionalMLP.Config):
        super().__init__(config, extra=config.embedding)
        self.embed = nn.Embedding(config.classes, config.embedding)

    def forward(self, images: Tensor, label: Tensor) -> Tensor:
        return super().forward(torch.cat([images.flatten(1), self.embed(label)], 1))


class ConditionalDCGAN(DCGAN):
    """Conditional batch norm (de Vries et al., 2017) and a projection discriminator (Miyato and Koyama, 2018)."""

    class Config(DCGAN.Config):
        classes: int = Field(ge=1, le=100_000, description="number of labels")
        embedding: int = Field(16, ge=1, le=1024, description="length of the label's embedding beside the latent")
        told_latent: bool = Field(False, description="each norm follows the latent too, not the label alone")

    conditions = ("label",)

    def build(self, network: str) -> nn.Module:
        return (
            ConditionalDCGANGenerator(self.config) if network == "generator" else ProjectionDiscriminator(self.config)
        )


class ConditionalDCGANGenerator(DCGANGenerator):
    """Latents (N, latent_size) and labels (N,) to images (N, channels, size, size) in [-1, 1]."""

    def __init__(self, config: ConditionalDCGAN.Config):
        self.classes, self.told = config.classes, config.latent_size if config.told_latent else 0
        super().__init__(config, extra=config.embedding)
        self.embed = nn.Embedding(config.classes, config.embedding)

    def norm(self, channels: int) -> nn.Module:
        if self.told:
            return LatentBatchNorm(channels, self.classes, self.told)
        return ConditionalBatchNorm(channels, self.classes)

    def forward(self, latents: Tensor, label: Tensor) -> Tensor:
        condition = (label, latents) if self.told else (label,)
        return super().forward(torch.cat([latents, self.embed(label)], 1), *condition)


class ConditionalBatchNorm(nn.Module):
    """Batch norm whose gain and shift belong to the label."""

    def __init__(self, channels: int, classes: int):
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=False)
        self.gain = nn.Embedding(classes, channels)
        self.shift = nn.Embedding(classes, channels)
        nn.init.ones_(self.gain.weight)
        nn.init.zeros_(self.shift.weight)

    def forward(self, x: Tensor, label: Tensor) -> Tensor:
        return self.moved(x, self.gain(label), self.shift(label))

    def moved(self, x: Tensor, gain: Tensor, shift: Tensor) -> Tensor:
        return torch.addcmul(shift[:, :, None, None], self.norm(x), gain[:, :, None, None])


class LatentBatchNorm(ConditionalBatchNorm):
    """The latent is told to every layer, and moves gain and shift linearly (as in BigGAN; Brock et al., 2019)."""

    def __init__(self, channels: int, classes: int, latent_size: int):
        super().__init__(channels, classes)
        self.by_latent = nn.Linear(latent_size, 2 * channels, bias=False)

    def forward(self, x: Tensor, label: Tensor, latents: Tensor) -> Tensor:
        gain, shift = self.by_latent(latents).chunk(2, 1)
        return self.moved(x, self.gain(label) + gain, self.shift(label) + shift)


class ProjectionDiscriminator(DCGANDiscriminator):
    """Images (N, channels, size, size) and labels (N,) to logits (N,): a common score plus the label's own."""

    def __init__(self, config: ConditionalDCGAN.Config):
        super().__init__(config)
        self.embed = nn.Embedding(config.classes, self.features_size)
        nn.init.normal_(self.embed.weight, 0.0, self.features_size**-0.5)

    def forward(self, images: Tensor, label: Tensor) -> Tensor:
        features = self.features(images)
        return self.head(features).squeeze(1) + (features * self.embed(label)).sum(1)
