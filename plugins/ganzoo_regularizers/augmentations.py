"""Differentiable augmentation: what the discriminator sees of real and generated images, never what is generated.

Every transformation is differentiable twice, so that gradient penalties go through it.
"""

import torch
from pydantic import Field
from torch import Tensor

from ganzoo import Regularizer, Settings


class DiffAugment(Regularizer):
    """The same kinds of random augmentation for real and fake images (Zhao et al., 2020)."""

    class Config(Settings):
        translation: float = Field(0.125, ge=0, le=1, description="furthest shift, as a share of the side; 0: none")
        fill: float = Field(0.0, ge=-1, le=1, description="what a shift leaves behind; -1 is black, 0 grey, 1 white")
        cutout: float = Field(
            0.0, ge=0, le=1, description="side of the grey square, as a share of the image's; 0: none"
        )
        brightness: float = Field(0.0, ge=0, le=2, description="width of the range of the added value; the paper: 1")
        saturation: float = Field(0.0, ge=0, le=2, description="half width of the range of the factor; the paper: 1")
        contrast: float = Field(0.0, ge=0, le=1, description="half width of the range of the factor; the paper: 0.5")

    def augment(self, images: Tensor) -> Tensor:
        c = self.config
        if c.brightness:
            images = images + c.brightness * (uniform(images) - 0.5)
        if c.saturation:
            images = scaled(images, images.mean(1, keepdim=True), 1 + c.saturation * (2 * uniform(images) - 1))
        if c.contrast:
            middle = images.mean((1, 2, 3), keepdim=True)
            images = scaled(images, middle, 1 + c.contrast * (2 * uniform(images) - 1))
        if c.translation:
            images = randomly_shifted(images, c.translation, c.fill)
        return images * ~square(images, c.cutout) if c.cutout else images


def uniform(images: Tensor) -> Tensor:
    """A draw from [0, 1) for each image: (N, 1, 1, 1)."""
    return torch.rand(len(images), 1, 1, 1, device=images.device, dtype=images.dtype)


def whole(images: Tensor, most: float) -> Tensor:
    """A whole number from -most to most for each image: (N,)."""
    most = int(most + 0.5)
    return (torch.rand(len(images), device=images.device) * (2 * most + 1)).floor().long() - most


def scaled(images: Tensor, middle: Tensor, factor: Tensor) -> Tensor:
    """The distance from `middle` times `factor`."""
    return middle + (images - middle) * factor


def square(images: Tensor, share: float) -> Tensor:
    """True in a square of `share` of the side around a random point of each image: (N, 1, H, W)."""
    inside = torch.ones((), dtype=torch.bool, device=images.device)
    for dimension in (2, 3):
        side = images.shape[dimension]
        centre = torch.rand(len(images), 1, 1, 1, device=images.device) * side
        places = torch.arange(side, device=images.device).view([-1 if d == dimension else 1 for d in range(4)])
        inside = inside & ((places + 0.5 - centre).abs() < share * side / 2)
    return inside


def randomly_shifted(images: Tensor, most: float, fill: float = 0.0) -> Tensor:
    """Each image moved by whole pixels, at most this share of its side, with `fill` where nothing is left."""
    down, right = (whole(images, most * side) for side in images.shape[2:])
    return shifted(images - fill, down, right) + fill if fill else shifted(images, down, right)


def shifted(images: Tensor, down: Tensor, right: Tensor) -> Tensor:
    """Each image moved by whole pixels, (N,) each, with 0 where nothing is left."""
    moved: Tensor = _Shift.apply(images, down, right)
    return moved


class _Shift(torch.autograd.Function):
    """Its adjoint is the shift back, so it is differentiated any number of times, and never scatters."""

    @staticmethod
    def forward(ctx, images, down, right):
        ctx.save_for_backward(down, right)
        _, channels, height, width = images.shape
        rows = torch.arange(height, device=images.device) - down[:, None]
        columns = torch.arange(width, device=images.device) - right[:, None]
        inside = ((rows >= 0) & (rows < height))[:, :, None] & ((columns >= 0) & (columns < width))[:, None, :]
        places = (rows * width)[:, :, None] + columns[:, None, :]
        index = places.where(inside, 0).flatten(1)[:, None].expand(-1, channels, -1)
        return images.flatten(2).gather(2, index).view_as(images) * inside[:, None]

    @staticmethod
    def backward(ctx, gradient):
        down, right = ctx.saved_tensors
        return _Shift.apply(gradient, -down, -right), None, None
