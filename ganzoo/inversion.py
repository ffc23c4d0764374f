"""From pictures back to latents, by optimisation (Zhu et al., 2016, section 4.1; "GAN inversion")."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import avg_pool2d

from ganzoo.conditions import conditions_of, pictures_of, whole
from ganzoo.errors import ModelError
from ganzoo.photos import squared

if TYPE_CHECKING:
    from ganzoo.model import Model

DRAWS = 256  # latents that are looked at first
KEPT = 8  # the best of them, which are then optimised
AT_ONCE = 64  # images made at a time
RATE = 0.1  # Adam's at the beginning; it falls to 0 along a cosine
USUAL = 0.01  # weight of how far the length of a latent is from that of a drawn one
SMALLEST = 8  # side of the coarsest scale at which images are compared


@torch.inference_mode(False)
@torch.enable_grad()
def invert(model: "Model", images: Any, shared: bool, steps: int, seed: int, conditions: Mapping[str, Any]) -> Tensor:
    """What `Model.invert` does."""
    drawn, steps = model.latents(seed, 0, DRAWS).float(), whole("steps", steps, 1, 10**6)
    if options := [name for name in conditions if name in model.options]:
        raise ModelError(f"invert takes no {options[0]}: it looks for latents of images as training made them")
    wanted = _pictures(model, images)
    given = conditions_of(model, len(wanted), conditions)
    groups = [slice(0, len(wanted))] if shared else [slice(i, i + 1) for i in range(len(wanted))]
    found = [_Search(model, wanted[group], [c[group] for c in given]).latent(drawn, steps) for group in groups]
    return torch.cat(found)


def _pictures(model: "Model", images: Any) -> Tensor:
    """Pictures as the model makes them: a tensor as it is, PIL's scaled and cropped as data are."""
    channels, size = model.channels or 3, model.size
    if isinstance(images, Image.Image):
        images = [images]
    if isinstance(images, Sequence) and images and all(isinstance(one, Image.Image) for one in images):
        side = size or max(images[0].size)
        images = torch.from_numpy(np.stack([squared(one, side, channels) for one in images])).permute(0, 3, 1, 2)
    if not isinstance(images, Tensor):
        kind = type(images).__name__
        raise ModelError(f"invert takes PIL pictures or a tensor of images, not {kind}; Image.open(path) gives one")
    wanted = pictures_of(model, images, channels)
    if size and tuple(wanted.shape[2:]) != (size, size):
        shape = tuple(wanted.shape)
        raise ModelError(f"images of shape {shape} were given; model {model.name!r} makes {size}x{size}")
    return wanted


class _Search:
    """For the one latent whose images are most like some pictures, (N, C, H, W) in [0, 1]."""

    def __init__(self, model: "Model", wanted: Tensor, conditions: list[Tensor]):
        self.model, self.like = model, next(model.network.parameters())
        self.scales = _scales(wanted.to(self.like.device))
        self.conditions = [c.to(self.like.device) for c in conditions]
        self.pictures = len(wanted)
        self.part = max(1, AT_ONCE // self.pictures)  # latents at a time

    def latent(self, drawn: Tensor, steps: int) -> Tensor:
        if not self.distances(drawn[:1].clone().requires_grad_()).requires_grad:
            raise ModelError(f"model {self.model.name!r} can't be inverted: no gradient of an image reaches its latent")
        z = drawn[self.measured(drawn).topk(KEPT, largest=False).indices].requires_grad_()
        length = drawn.square().mean()
        adam = torch.optim.Adam([z], RATE)
        for step in range(steps):
            adam.param_groups[0]["lr"] = RATE * (1 + math.cos(math.pi * step / steps)) / 2
            adam.zero_grad()
            for part in self.parts(z):
                unusual = (part.square().flatten(1).mean(1) / length - 1).square()
                (self.distances(part) + USUAL * unusual).sum().backward()  # type: ignore[no-untyped-call]
            adam.step()
        return z.detach()[self.measured(z).argmin()][None].cpu()

    @torch.no_grad()
    def measured(self, z: Tensor) -> Tensor:
        return torch.cat([self.distances(part) for part in self.parts(z)])

    def parts(self, z: Tensor) -> Iterator[Tensor]:
        return (z[i : i + self.part] for i in range(0, len(z), self.part))

    def distances(self, z: Tensor) -> Tensor:
        """Mean squared difference of the pictures and what each latent makes, summed over scales: (N,)."""
        low, high = self.model.image_range
        repeated = (c.repeat(len(z), *[1] * (c.dim() - 1)) for c in self.conditions)
        made = self.model.network(z.repeat_interleave(self.pictures, 0).to(self.like), *repeated)
        made = (made.float() - low) / (high - low)
        total = torch.zeros(len(z), device=made.device)
        for ours, theirs in zip(_scales(made), self.scales, strict=True):
            difference = ours.view(len(z), *theirs.shape) - theirs
            total = total + difference.square().flatten(1).mean(1)
        return total


def _scales(images: Tensor) -> list[Tensor]:
    """Images, and their halves as long as no side is shorter than the least."""
    found = [images]
    while min(found[-1].shape[2:]) >= 2 * SMALLEST:
        found.append(avg_pool2d(found[-1], 2))
    return found
