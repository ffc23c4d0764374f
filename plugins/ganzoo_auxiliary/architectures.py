"""Convolutional networks whose discriminator has a second head."""

from types import SimpleNamespace

import torch
from pydantic import Field
from torch import Tensor, nn

from ganzoo import Architecture
from ganzoo_conditional.architectures import ConditionalDCGAN, ConditionalDCGANGenerator
from ganzoo_vanilla.architectures import DCGAN, DCGANDiscriminator, DCGANGenerator


class ACGAN(ConditionalDCGAN):
    """A generator that is told the label, a discriminator that names it (Odena et al., 2017)."""

    offers = ("classes",)

    def build(self, network: str) -> nn.Module:
        return ConditionalDCGANGenerator(self.config) if network == "generator" else NamingDiscriminator(self.config)


class NamingDiscriminator(DCGANDiscriminator):
    """Images to logits (N,); `outputs` adds logits of each class, (N, classes). It doesn't look at the label."""

    def __init__(self, config: ACGAN.Config):
        super().__init__(config)
        self.classes = nn.Linear(self.features_size, config.classes)

    def forward(self, images: Tensor, *label: Tensor) -> Tensor:
        return super().forward(images)

    def outputs(self, images: Tensor, *label: Tensor) -> SimpleNamespace:
        features = self.features(images)
        return SimpleNamespace(logits=self.head(features).squeeze(1), classes=self.classes(features))


class InfoGAN(Architecture):
    """Latents end with a code: one category and some values, which the discriminator finds (Chen et al., 2016)."""

    class Config(DCGAN.Config):
        latent_size: int = Field(62, ge=1, le=4096, description="length of the noise before the code")
        categories: int = Field(10, ge=2, le=1000, description="values of the code's category")
        values: int = Field(2, ge=1, le=100, description="the code's continuous values, uniform in [-1, 1]")

    per_sample = False  # the generator's batch norm
    channels_last = True
    offers = ("code",)

    def build(self, network: str) -> nn.Module:
        return CodedGenerator(self.config) if network == "generator" else FindingDiscriminator(self.config)


class CodedGenerator(DCGANGenerator):
    """Latents (N, latent_size + categories + values) to images (N, channels, size, size) in [-1, 1]."""

    def __init__(self, config: InfoGAN.Config):
        self.sizes = config.latent_size, config.categories, config.values
        super().__init__(config, extra=config.categories + config.values)

    def latent(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        noise = super().latent(count, generator)
        device = noise.device if generator is None else generator.device
        category = torch.randint(self.sizes[1], (count,), generator=generator, device=device).to(noise.device)
        chosen = category[:, None] == torch.arange(self.sizes[1], device=noise.device)
        values = torch.rand(count, self.sizes[2], generator=generator, device=device, dtype=torch.float32)
        return torch.cat([noise, chosen.to(noise.dtype), (2 * values - 1).to(noise)], 1)

    def between(self, start: Tensor, end: Tensor, way: Tensor) -> Tensor:
        noise = super().between(start[:, : self.sizes[0]], end[:, : self.sizes[0]], way)
        code = torch.lerp(start[:, self.sizes[0] :], end[:, self.sizes[0] :], way[:, None].to(start.dtype))
        return torch.cat([noise, code], 1)

    def code(self, latents: Tensor) -> tuple[Tensor, Tensor]:
        """The category (N,) and the values (N, values) in latents."""
        _, category, values = latents.split(self.sizes, 1)
        return category.argmax(1), values


class FindingDiscriminator(DCGANDiscriminator):
    """Images to logits (N,); `outputs` adds the code: logits of the category, and the values."""

    def __init__(self, config: InfoGAN.Config):
        super().__init__(config)
        self.sizes = config.categories, config.values
        self.recover = nn.Sequential(
            nn.Linear(self.features_size, 128), nn.LeakyReLU(0.1), nn.Linear(128, sum(self.sizes))
        )

    def outputs(self, images: Tensor) -> SimpleNamespace:
        features = self.features(images)
        code = self.recover(features).split(self.sizes, 1)
        return SimpleNamespace(logits=self.head(features).squeeze(1), code=code)
