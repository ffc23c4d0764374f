"""An autoencoder for a discriminator."""

from typing import Literal

from pydantic import Field
from torch import Tensor, nn

from ganzoo import Architecture, Discriminator
from ganzoo_vanilla.architectures import DCGAN, DCGANDiscriminator, DCGANGenerator


class BEGAN(Architecture):
    """Generator and decoder of one shape; the discriminator is encoder and decoder (Berthelot et al., 2017, fig. 1)."""

    class Config(DCGAN.Config):
        latent_size: int = Field(64, ge=1, le=4096, description="length of a latent, and of the autoencoder's")
        discriminator_norm: Literal["none"] = Field("none", description="there are no batch statistics in it")

    def build(self, network: str) -> nn.Module:
        return BEGANGenerator(self.config) if network == "generator" else Autoencoder(self.config)


class BEGANGenerator(DCGANGenerator):
    """Latents (N, latent_size) to images (N, channels, size, size) in [-1, 1]."""

    def norm(self, channels: int) -> nn.Module:
        return nn.GroupNorm(1, channels)


class Autoencoder(Discriminator):
    """Images to logits (N,): minus the mean absolute error of giving them back."""

    def __init__(self, config: BEGAN.Config):
        super().__init__()
        self.encoder = DCGANDiscriminator(config)
        self.encoder.head = nn.Linear(self.encoder.features_size, config.latent_size)
        self.decoder = BEGANGenerator(config)

    def forward(self, images: Tensor) -> Tensor:
        given_back = self.decoder(self.encoder.head(self.encoder.features(images)))
        return -(images - given_back).abs().flatten(1).mean(1)
