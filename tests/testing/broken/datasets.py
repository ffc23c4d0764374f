"""Broken data, beside good data."""

import torch

from ganzoo import Dataset, ResidentDataset, Spec
from tests.testing.broken.marks import caught_by


class Colours(ResidentDataset):
    """Plain colours."""

    def __init__(self, config=None):
        super().__init__(config)
        generator = torch.Generator().manual_seed(0)
        self.hold(image=torch.randint(0, 256, (20, 3, 8, 8), generator=generator, dtype=torch.uint8))
        self.spec = Spec(name="colours", count=20, size=8, channels=3, licence="CC0-1.0")


@caught_by("spec")
class NoLicence(Colours):
    def __init__(self, config=None):
        super().__init__(config)
        self.spec = self.spec.model_copy(update={"licence": " "})


@caught_by("spec")
class WrongSpec(Colours):
    def __init__(self, config=None):
        super().__init__(config)
        self.spec = self.spec.model_copy(update={"size": 16})


@caught_by("spec")
class NotNormalised(Colours):
    def read(self, columns, seed, start, stop):
        return tuple(t + 1 for t in super().read(columns, seed, start, stop))


@caught_by("order", "batches_are_copies")
class RandomOrder(Colours):
    def read(self, columns, seed, start, stop):
        return tuple(t[torch.randperm(len(t))] for t in super().read(columns, seed, start, stop))


@caught_by("order")
class OneOrder(Colours):
    def read(self, columns, seed, start, stop):
        return super().read(columns, 0, start, stop)


@caught_by("batches_are_copies")
class Views(Dataset):
    """Hands out its own memory."""

    columns = ("image",)

    def __init__(self, config=None):
        super().__init__(config)
        self.spec = Spec(name="views", count=4, size=8, channels=1, licence="CC0-1.0")
        self.images = torch.randn(64, 1, 8, 8, generator=torch.Generator().manual_seed(0)).clamp(-1, 1)

    def to(self, device):
        return self

    def read(self, columns, seed, start, stop):
        return (self.images[start:stop],)


class Halves(ResidentDataset):
    """Pictures, and themselves at half the size."""

    def __init__(self, config=None):
        super().__init__(config)
        high = torch.randint(0, 256, (24, 3, 32, 32), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
        self.hold(low=high[:, :, ::2, ::2].contiguous(), high=high)
        self.spec = Spec(name="halves", count=24, channels=3, scale=2, licence="CC0-1.0")


class Masked(ResidentDataset):
    """Pictures with a mask of one channel, at half their size."""

    def __init__(self, config=None):
        super().__init__(config)
        image = torch.randint(0, 256, (20, 3, 8, 8), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
        self.hold(image=image, mask=image[:, :1, ::2, ::2].contiguous())
        self.spec = Spec(name="masked", count=20, size=8, channels=3, licence="CC0-1.0")
