"""BigGAN's generator: one embedding for all norms, and a part of the latent for each block."""

import torch
from pydantic import Field
from torch import Tensor, nn

from ganzoo_resnet.architectures import ConditionalResnet, ProjectionDiscriminator, ResnetGenerator, widths


class BigGAN(ConditionalResnet):
    """Shared class embedding, a chunk of the latent at each block, self-attention (Brock et al., 2019, appendix B).

    It is meant for the regulariser `spectral-norm` and `generator_spectral_norm`. Of the paper's, orthogonal
    initialisation and regularisation aren't here. `sample(truncation=0.5)` is its truncation trick.
    """

    class Config(ConditionalResnet.Config):
        embedding: int = Field(128, ge=1, le=4096, description="length of the shared embedding of a label")
        latent_size: int = Field(20, ge=1, le=1024, description="length of the latent's part for each block")

    def build(self, network: str) -> nn.Module:
        return BigGANGenerator(self.config) if network == "generator" else ProjectionDiscriminator(self.config)


class BigGANGenerator(ResnetGenerator):
    """Latents (N, latent_size x (blocks + 1)) and labels (N,) to images (N, channels, size, size) in [-1, 1]."""

    options = {"truncation": (0.01, 10.0)}

    def __init__(self, config: BigGAN.Config):
        self.chunk, self.embedding = config.latent_size, config.embedding
        super().__init__(config)
        self.latent_size = config.latent_size * len(widths(config))
        self.embed = nn.Embedding(config.classes, config.embedding)

    def inputs(self) -> int:
        return self.chunk

    def norm(self, channels: int) -> nn.Module:
        return ToldBatchNorm(channels, self.embedding + self.chunk)

    def told(self, latents: Tensor, *condition: Tensor) -> tuple[Tensor, list[tuple[Tensor, ...]]]:
        (label,) = condition
        first, *parts = latents.split(self.chunk, 1)
        about = self.embed(label)
        return first, [(torch.cat([about, part], 1),) for part in parts]

    def sample(self, latents: Tensor, *label: Tensor, truncation: float | None = None) -> Tensor:
        """Images in [-1, 1], of latents no value of which is further from 0 than `truncation` (section 3.1).

        Each value goes to the same quantile of the truncated normal distribution, so that what latents make changes
        gradually with it, and none is drawn anew.
        """
        return self(latents if truncation is None else truncated(latents, truncation), *label)


def truncated(z: Tensor, threshold: float) -> Tensor:
    """Values of N(0, 1) as values of N(0, 1) between -threshold and threshold, by way of the host's float64."""
    end = torch.special.ndtr(torch.tensor(threshold, dtype=torch.float64))
    return torch.special.ndtri(1 - end + torch.special.ndtr(z.cpu().double()) * (2 * end - 1)).to(z)


class ToldBatchNorm(nn.Module):
    """Batch norm whose gain and shift are linear in what it is told, (N, inputs)."""

    def __init__(self, channels: int, inputs: int):
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=False)
        self.gain = nn.Linear(inputs, channels, bias=False)
        self.shift = nn.Linear(inputs, channels, bias=False)

    def forward(self, x: Tensor, told: Tensor) -> Tensor:
        return torch.addcmul(self.shift(told)[:, :, None, None], self.norm(x), 1 + self.gain(told)[:, :, None, None])
