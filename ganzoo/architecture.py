"""The base of every architecture, and of the networks that it builds."""

import contextlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ganzoo.settings import Settings

CONDITIONS = ("label", "caption")  # what a model can be asked for


class Architecture:
    """Builds named networks from settings.

    Settings called `size`, `channels`, `classes` or `scale` that a recipe leaves out are taken from its data.
    """

    class Config(Settings):
        """Settings of the architecture; none by default."""

    networks: tuple[str, ...] = ("generator", "discriminator")
    published: tuple[str, ...] = ("generator",)  # what a model folder holds, and loading builds
    conditions: tuple[str, ...] = ()  # of CONDITIONS: what its networks take after images or latents, by position
    offers: tuple[str, ...] = ()  # what its networks can do beyond forward, for strategies that need it: "classes", ...
    image_range: tuple[float, float] = (-1.0, 1.0)  # of the images that the published networks make
    per_sample = True  # False: an example's result depends on its batch (batch norm, minibatch statistics)
    channels_last = False  # True: convolutional, and `flatten` or `reshape` where it changes shapes: trained faster so

    def __init__(self, config: Any = None):
        self.config: Any = config if config is not None else self.Config()

    def build(self, network: str) -> nn.Module:
        """A new network, randomly initialised from torch's generator. `network` is one of `networks`."""
        raise NotImplementedError


def laid_out(x: Tensor, weight: Tensor) -> Tensor:
    """Feature maps, (N, C, H, W), in the layout of a convolution's weights, so that no later step mixes layouts."""
    last = weight.is_contiguous(memory_format=torch.channels_last)
    return x.contiguous(memory_format=torch.channels_last) if last else x


class Generator(nn.Module):
    """A network that makes images from latents; the prior lives in this module and nowhere else.

    `forward(latents, *conditions)` is what training calls, `sample` what a published model offers.
    """

    latent_size: int
    options: Mapping[str, tuple[float, float]] = {}  # numbers that `sample` takes by name, with their bounds
    portable = True  # False: too large a graph for torch.export and ONNX

    def latent(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        """`count` draws from the prior on the network's device: (count, latent_size), standard normal by default.

        Drawn in float32 whatever the network's dtype, in which torch would draw other numbers from the same seed.
        """
        like = next(self.parameters())
        device = like.device if generator is None else generator.device
        draw = torch.randn(count, self.latent_size, generator=generator, device=device, dtype=torch.float32)
        return draw.to(like)

    def between(self, start: Tensor, end: Tensor, way: Tensor) -> Tensor:
        """Latents on the way from `start` (way 0) to `end` (way 1), as likely as they are: (N, ...), way (N,).

        Along a great circle by default, as suits normal latents (White, 2016).
        """
        a, b = start.flatten(1), end.flatten(1)
        cosine = torch.nn.functional.cosine_similarity(a, b, dim=1).clamp(-0.9999, 0.9999)
        angle = cosine.arccos()
        first, second = ((1 - way) * angle).sin() / angle.sin(), (way * angle).sin() / angle.sin()
        return (first[:, None] * a + second[:, None] * b).view_as(start)

    def sample(self, latents: Tensor, *conditions: Tensor) -> Tensor:
        """Images for latents, (N, C, H, W) in the architecture's `image_range`."""
        images: Tensor = self(latents, *conditions)
        return images


def latents_of(network: Any, seeds: Iterable[int]) -> Tensor:
    """A latent of each seed, drawn on the CPU: (N, ...) on the network's device."""
    draws, generator, like = [], torch.Generator(), next(network.parameters())
    usual = type(network).latent is Generator.latent  # then no seed has to ask for it
    for seed in seeds:
        generator.manual_seed(seed)
        if usual:
            draws.append(torch.randn(1, network.latent_size, generator=generator, device="cpu", dtype=torch.float32))
        else:
            draws.append(network.latent(1, generator=generator))
    return torch.cat(draws).to(like)


class Discriminator(nn.Module):
    """A network that scores images: `forward(images, *conditions)` returns logits, or a list of them.

    One that says more has `outputs(images, *conditions)` too: an object with `logits` and what its architecture
    `offers`, such as `classes` (logits of each class), `code` or `features`.
    """

    per_sample = True  # False: logits depend on the whole batch, so real and fake are scored apart


class Translator(nn.Module):
    """A network that makes a picture of a picture: `forward(images, *conditions)`, both (N, C, H, W) in `image_range`.

    What a published one says of itself is all that `Model.transform` needs to feed it pictures of any size.
    """

    scale = 1  # how much larger the result is than what it was made of
    multiple = 1  # sides of its input must be multiples of this
    channels: int | None = None  # of its input, such as 1 for masks; None: as many as the data's images have
    context: int | None = None  # input pixels around a place that its result depends on; None: all of them


def recomputed(network: nn.Module, compute: Callable[..., Tensor], *inputs: Tensor) -> Tensor:
    """`compute(*inputs)`, a part of the network's forward, whose activations aren't kept: the backward pass computes
    them again (Chen et al., 2016). Second derivatives work, and batch norm's running statistics move once."""
    if not (network.training and torch.is_grad_enabled()):
        return compute(*inputs)
    result: Tensor = checkpoint(
        compute, *inputs, use_reentrant=False, context_fn=lambda: (contextlib.nullcontext(), _Still(network))
    )
    return result


class _Still:
    """Running statistics stay as they are; entered once for every derivative that is taken."""

    def __init__(self, network: nn.Module):
        norms = [m for m in network.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
        self.kept = [(norm, norm.momentum, norm.num_batches_tracked) for norm in norms]

    def __enter__(self) -> None:
        for norm, _, _ in self.kept:
            norm.momentum, norm.num_batches_tracked = 0.0, None

    def __exit__(self, *_: object) -> None:
        for norm, momentum, count in self.kept:
            norm.momentum, norm.num_batches_tracked = momentum, count
