"""A history of translated images (Shrivastava et al., 2017), so that the discriminator doesn't forget old ones."""

import torch
from torch import Tensor, nn

from ganzoo_style.augment import uniform


class Pool(nn.Module):
    """The images that a checkpoint carries: `mixed` reads them in a step, `add` changes them after it."""

    images: Tensor
    added: Tensor

    def __init__(self, size: int):
        super().__init__()
        self.size = size
        self.register_buffer("images", torch.empty(0))  # takes its shape from the first images
        self.register_buffer("added", torch.zeros((), dtype=torch.int64))

    def mixed(self, images: Tensor) -> Tensor:
        """The images, about half of them replaced by older ones."""
        if not len(self.images):
            return images
        old = self.images[torch.randint(len(self.images), (len(images),), device=images.device)]
        return torch.where(torch.rand(len(images), 1, 1, 1, device=images.device) < 0.5, old.to(images.dtype), images)

    def add(self, images: Tensor) -> None:
        """Fill the pool, then replace about half of a stretch of it that begins at a random place."""
        room = self.size - len(self.images)
        if room > 0:
            first = images[:room].clone()
            self.images = torch.cat([self.images, first]) if len(self.images) else first
            images = images[room:]
        images = images[: self.size]
        if len(images):
            draws = uniform(0, self.added + torch.arange(len(images), device=images.device), 2)
            places = (draws[0, 0] * self.size).long() + torch.arange(len(images), device=images.device)
            places = places % self.size
            kept = torch.where(draws[:, 1, None, None, None] < 0.5, images, self.images[places])
            self.images = self.images.index_copy(0, places, kept)
            self.added += len(images)

    def _load_from_state_dict(self, state, prefix, *args):
        self.images = torch.empty_like(state[prefix + "images"], device=self.images.device)
        super()._load_from_state_dict(state, prefix, *args)
