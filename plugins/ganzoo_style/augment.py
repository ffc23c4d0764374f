"""Augmentation on the device. Each example's draws depend on the seed and its position, whoever asks."""

import torch
from pydantic import Field
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from ganzoo import Settings

DRAWS = 5


class Augment(Settings):
    """How far training pictures are changed; both of a pair in the same way."""

    shift: int = Field(0, ge=0, le=64, description="whole pixels that a picture is moved by at most, each way")
    zoom: float = Field(0.0, ge=0, le=0.5, description="largest change of size, as a fraction")
    flip: bool = Field(False, description="mirror half of them, left to right")
    brightness: float = Field(0.0, ge=0, le=1, description="largest change of brightness, as a fraction")

    @property
    def idle(self) -> bool:
        return self == Augment()


def augmented(images: Tensor, how: Augment, draws: Tensor) -> Tensor:
    """Images (N, C, H, W) in [-1, 1], moved by `draws`, (N, 5) in [0, 1). What comes in at a side repeats its edge."""
    if how.idle:
        return images
    count, _, height, width = images.shape
    right, down, zoom, flip, bright = draws.unbind(1)
    size = 1 + how.zoom * (2 * zoom - 1)
    theta = torch.zeros(count, 2, 3, device=images.device)
    theta[:, 0, 0] = torch.where(flip < 0.5, -size, size) if how.flip else size
    theta[:, 1, 1] = size
    theta[:, 0, 2] = _whole(right, how.shift) * 2 / width
    theta[:, 1, 2] = _whole(down, how.shift) * 2 / height
    grid = affine_grid(theta, list(images.shape), align_corners=False)
    moved = grid_sample(images, grid, padding_mode="border", align_corners=False)
    factor = 1 + how.brightness * (2 * bright - 1)
    return ((moved + 1) * factor[:, None, None, None] - 1).clamp(-1, 1)


def _whole(draw: Tensor, most: int) -> Tensor:
    return (draw * (2 * most + 1)).floor() - most


def uniform(seed: int, positions: Tensor, count: int = DRAWS) -> Tensor:
    """Draws in [0, 1) for int64 positions (N,): (N, count), by the mixing of splitmix64 (Steele et al., 2014)."""
    x = (positions[:, None] * count + torch.arange(count, device=positions.device)) * _signed(0x9E3779B97F4A7C15)
    x = x + _signed((seed * 0xD1342543DE82EF95 + 1) % 2**64)
    x = (x ^ _right(x, 30)) * _signed(0xBF58476D1CE4E5B9)
    x = (x ^ _right(x, 27)) * _signed(0x94D049BB133111EB)
    return _right(x ^ _right(x, 31), 40).float() / 2**24


def _right(x: Tensor, bits: int) -> Tensor:
    """A shift that brings in zeros; torch's brings in the sign."""
    return (x >> bits) & ((1 << (64 - bits)) - 1)


def _signed(value: int) -> int:
    return value - 2**64 if value >= 2**63 else value
