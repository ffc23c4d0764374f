"""Networks that are told a text."""

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

from ganzoo.captions import VOCABULARY
from ganzoo_vanilla.architectures import DCGAN, DCGANDiscriminator, DCGANGenerator


class CaptionedDCGAN(DCGAN):
    """A reading of the caption beside the latent, and projected in the discriminator (after Reed et al., 2016)."""

    class Config(DCGAN.Config):
        caption_length: int = Field(
            128, ge=1, le=4096, description="bytes of a caption; a recipe takes it from its data"
        )
        embedding: int = Field(64, ge=2, le=1024, description="length of what is read from a caption")

    conditions = ("caption",)

    def build(self, network: str) -> nn.Module:
        return CaptionedGenerator(self.config) if network == "generator" else CaptionedDiscriminator(self.config)


class Reader(nn.Module):
    """Captions (N, length) of numbers as `ganzoo.captions.encode` gives them to vectors (N, embedding).

    Two convolutions over the bytes read pieces of five letters, wherever they stand; their mean leaves padding out.
    """

    def __init__(self, embedding: int):
        super().__init__()
        self.embed = nn.Embedding(VOCABULARY, embedding)
        self.first = nn.Conv1d(embedding, embedding, 3, padding=1)
        self.second = nn.Conv1d(embedding, embedding, 3, padding=1)

    def forward(self, caption: Tensor) -> Tensor:
        there = (caption > 0)[:, None].to(self.embed.weight.dtype)
        x = self.embed(caption).transpose(1, 2) * there
        x = leaky_relu(self.second(leaky_relu(self.first(x), 0.2)), 0.2) * there
        return x.sum(2) / there.sum(2).clamp(min=1)


class CaptionedGenerator(DCGANGenerator):
    """Latents (N, latent_size) and captions (N, length) to images (N, channels, size, size) in [-1, 1]."""

    def __init__(self, config: CaptionedDCGAN.Config):
        super().__init__(config, extra=config.embedding)
        self.read = Reader(config.embedding)

    def forward(self, latents: Tensor, caption: Tensor) -> Tensor:
        return super().forward(torch.cat([latents, self.read(caption)], 1))


class CaptionedDiscriminator(DCGANDiscriminator):
    """Images and captions (N, length) to logits (N,): a common score plus how well image and caption agree."""

    def __init__(self, config: CaptionedDCGAN.Config):
        super().__init__(config)
        self.read = nn.Sequential(Reader(config.embedding), nn.Linear(config.embedding, self.features_size, bias=False))

    def forward(self, images: Tensor, caption: Tensor) -> Tensor:
        features = self.features(images)
        agreement = (features * self.read(caption)).sum(1) / self.features_size**0.5
        return self.head(features).squeeze(1) + agreement
