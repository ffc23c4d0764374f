"""Two domains in memory: pairs, or any two pictures; augmented on the device, both of a pair in the same way."""

import torch
from torch import Tensor

from ganzoo import ResidentDataset
from ganzoo_style.augment import Augment, augmented, uniform


class Domains(ResidentDataset):
    """Columns `a` and `b`, uint8 (N, C, H, W). A subclass sets `spec` and gives the columns to `hold`.

    Unpaired, each domain is shuffled and augmented by itself, and they may differ in length. Its settings have an
    `augment`, for all splits but "test"; what is drawn depends on the seed and the position alone.
    """

    paired = True

    def read(self, columns: tuple[str, ...], seed: int, start: int, stop: int) -> tuple[Tensor, ...]:
        return tuple(self._pictures(name, seed, start, stop) for name in columns)

    def _pictures(self, name: str, seed: int, start: int, stop: int) -> Tensor:
        own = 2 * seed + (name == "b" and not self.paired)
        values = self.data[name]
        images = values[self._rows(own, start, stop, len(values))].float().mul_(2 / 255).sub_(1)
        augment = Augment() if getattr(self.config, "split", "train") == "test" else self.config.augment
        return augmented(images, augment, uniform(own, torch.arange(start, stop, device=images.device)))
