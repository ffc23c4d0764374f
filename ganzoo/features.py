"""The base of every feature network: images in, feature vectors (and logits) out, for metrics and perceptual losses."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from ganzoo.errors import GanzooError
from ganzoo.precision import wide
from ganzoo.settings import Settings

LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601


class Features:
    """A frozen network whose weights are known by their hash.

    A subclass sets `network`, `weights_sha256` and the attributes below, and defines `embed`. Neither a checkpoint nor
    a model holds it: it is no `nn.Module`, so it stays out of every `state_dict`.
    """

    class Config(Settings):
        """Settings of the feature network; none by default."""

    name: str = ""  # under which the registry gave it
    size: int | None = None  # side of the images that it takes; None takes any
    channels: int = 3
    width: int  # length of a feature vector
    labels: tuple[str, ...] = ()  # what its logits stand for; empty when it classifies nothing
    antialias = True  # of the resize to `size`
    resize = "bicubic"
    licence: str  # of the weights
    weights_sha256: str
    network: nn.Module

    def __init__(self, config: Any = None):
        self.config: Any = config if config is not None else self.Config()

    def embed(self, images: Tensor) -> Tensor:
        """Features, (N, width), of images as `prepare` gives them. Gradients flow to the images."""
        raise NotImplementedError

    def classify(self, features: Tensor) -> Tensor:
        """Logits, (N, classes), from `embed`'s features. Raises GanzooError when the network is no classifier."""
        raise GanzooError(f"feature network {type(self).__name__} doesn't classify")

    def maps(self, images: Tensor) -> list[Tensor]:
        """What some layers make of images as `prepare` gives them, (N, C, H, W) each, for perceptual losses."""
        raise GanzooError(f"feature network {type(self).__name__} gives no maps of its layers")

    def to(self, device: str | torch.device) -> "Features":
        """Move the network, and return the feature network."""
        self.network.to(device)
        return self

    def beside(self, images: Tensor) -> "Features":
        """Move the network to where images are trained on, in their precision but float32 at least; return this."""
        dtype = wide(images).dtype
        if self.device != images.device or self.dtype != dtype:
            self.network.to(images.device, dtype)
        return self

    @property
    def device(self) -> torch.device:
        return next(self.network.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        return next(self.network.parameters()).dtype

    def frozen(self, network: nn.Module) -> nn.Module:
        """Evaluation mode and no gradients for the weights, those for the images stay; laid out as is quicker."""
        quick: nn.Module = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return quick.eval().requires_grad_(False)

    def prepare(self, images: Tensor) -> Tensor:
        """Images (N, C, H, W) in [0, 1], or uint8, at the size and channels that `embed` takes."""
        scale = 255 if images.dtype == torch.uint8 else 1
        images = images.to(self.device, self.dtype) / scale
        if images.shape[1] != self.channels:
            images = images.expand(-1, 3, -1, -1) if images.shape[1] == 1 else grey(images)
        if self.size is not None and tuple(images.shape[2:]) != (self.size, self.size):
            size = (self.size, self.size)
            images = interpolate(images, size, mode=self.resize, antialias=self.antialias, align_corners=False)
            images = images.clamp(0, 1)
        return images

    def preparation(self, channels: int, height: int, width: int) -> dict[str, str]:
        """What `prepare` does to images of this shape, in words for a protocol."""
        colour = "as is" if channels == self.channels else "grey repeated" if channels == 1 else "BT.601 luma"
        resized = self.size is not None and (height, width) != (self.size, self.size)
        how = f"torch {self.resize}{', antialiased' if self.antialias else ''}"
        return {
            "colour": f"{channels} channels, {colour}",
            "resize": f"{height}x{width} to {self.size}x{self.size}, {how}" if resized else f"{height}x{width}, none",
        }

    def __call__(self, images: Tensor) -> Tensor:
        return self.embed(self.prepare(images))


def grey(images: Tensor) -> Tensor:
    """Luma (BT.601) of colour images: (N, 3, H, W) to (N, 1, H, W), in the same range."""
    weights = torch.tensor(LUMA, dtype=images.dtype, device=images.device)
    return (images[:, :3] * weights[:, None, None]).sum(1, keepdim=True)
