"""The base of every architecture, and of the networks that it builds."""

from typing import Any

import torch
from torch import Tensor, nn

from ganzoo.settings import Settings


class Architecture:
    """Builds named networks from settings.

    Settings called `size`, `channels`, `classes` or `scale` that a recipe leaves out are taken from its data.
    """

    class Config(Settings):
        """Settings of the architecture; none by default."""

    networks: tuple[str, ...] = ("generator", "discriminator")
    published: tuple[str, ...] = ("generator",)  # what a model folder holds, and loading builds
    conditions: tuple[str, ...] = ()  # what its networks take after the images or latents, by position
    image_range: tuple[float, float] = (-1.0, 1.0)  # of the images that the published networks make
    per_sample = True  # False: an example's result depends on its batch (batch norm, minibatch statistics)
    channels_last = False  # True: convolutional, and `flatten` or `reshape` where it changes shapes: trained faster so

    def __init__(self, config: Any = None):
        self.config = config if config is not None else self.Config()

    def build(self, network: str) -> nn.Module:
        """A new network, randomly initialised from torch's generator. `network` is one of `networks`."""
        raise NotImplementedError


class Generator(nn.Module):
    """A network that makes images from latents; the prior lives here and nowhere else.

    `forward(latents, *conditions)` is what training calls, `sample` what a published model offers.
    """

    latent_size: int

    def latent(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        """`count` draws from the prior on the network's device: (count, latent_size), standard normal by default."""
        like = next(self.parameters())
        device = like.device if generator is None else generator.device
        draw = torch.randn(count, self.latent_size, generator=generator, device=device, dtype=like.dtype)
        return draw.to(like.device)

    def sample(self, latents: Tensor, *conditions: Tensor) -> Tensor:
        """Images for latents, (N, C, H, W) in the architecture's `image_range`."""
        images: Tensor = self(latents, *conditions)
        return images


class Discriminator(nn.Module):
    """A network that scores images: `forward(images, *conditions)` returns logits, or a list of them."""

    per_sample = True  # False: logits depend on the whole batch, so real and fake are scored apart
