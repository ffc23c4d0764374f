"""Sets of pictures to measure: in memory, sampled from a model, or files. All are 8-bit and delivered in batches."""

import hashlib
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from ganzoo.dataset import Dataset
from ganzoo.errors import GanzooError
from ganzoo.model import Model

BATCH = 250


class Pictures:
    """`count` uint8 images (N, C, H, W) under a name, with a label each where they have labels."""

    name: str
    count: int
    label_names: tuple[str, ...] = ()
    labels: Tensor | None = None
    treatment: Mapping[str, str] = {}  # what was done to the pictures before they came here, for the protocol
    mixed = False  # True: each stretch of them is like the whole; others may stand by class, or by file name

    def batches(self) -> Iterator[Tensor]:
        """The images in order, a few hundred at a time."""
        raise NotImplementedError

    def each(self) -> Iterator[Tensor]:
        """The images one by one, (C, H, W); they may differ in size where `batches` can't give them."""
        for batch in self.batches():
            yield from batch

    @property
    def keys(self) -> list[str]:
        """What pairs a picture with one of another set."""
        return [str(i) for i in range(self.count)]

    def require_alike(self) -> None:
        """Raise GanzooError unless all pictures have one size."""

    @cached_property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width."""
        channels, height, width = next(self.each()).shape
        return channels, height, width

    @cached_property
    def sha256(self) -> str:
        """The hash of shapes, pixels and labels."""
        digest = hashlib.sha256(str(self.count).encode())
        for image in self.each():
            digest.update(repr(tuple(image.shape)).encode())
            digest.update(image.numpy().tobytes())
        if self.labels is not None:
            digest.update(self.labels.numpy().tobytes())
        return digest.hexdigest()


class Held(Pictures):
    """Images in memory: uint8, or float in [0, 1], which are rounded to 8 bits.

    Those that were made `of` other pictures, one by one, pair as these do.
    """

    def __init__(
        self,
        name: str,
        images: Tensor,
        labels: Tensor | None = None,
        label_names: tuple[str, ...] = (),
        of: Pictures | None = None,
    ):
        if images.dim() != 4 or not len(images):
            raise GanzooError(f"{name} must be images (N, C, H, W), not a tensor of shape {tuple(images.shape)}")
        if labels is not None and len(labels) != len(images):
            raise GanzooError(f"{name} has {len(images)} images and {len(labels)} labels")
        self.name, self.images, self.labels, self.label_names = name, to_bytes(images), labels, label_names
        self.count, self.of = len(images), of

    @property
    def keys(self) -> list[str]:
        return super().keys if self.of is None else self.of.keys

    def batches(self) -> Iterator[Tensor]:
        yield from torch.split(self.images, BATCH)


class Sampled(Pictures):
    """What a model makes of a seed, made again each time it is asked for.

    Where it knows labels they take turns, or are as frequent as in the real pictures that it is compared with.
    """

    mixed = True

    def __init__(
        self,
        model: Model,
        count: int,
        seed: int,
        real: Pictures | None = None,
        options: Mapping[str, float] | None = None,
    ):
        self.model, self.count, self.seed, self.options = model, count, seed, dict(options or {})
        self.name = f"{model.name}, seed {seed}"
        if model.labels:
            self.labels, self.label_names = torch.arange(count) % len(model.labels), model.labels
            self.treatment = {"labels": "in turn"}
            if real is not None and real.labels is not None:
                self.labels, self.treatment = in_proportion(real.labels, count), {"labels": f"as in {real.name}"}
        if options:
            said = ", ".join(f"{name}={value:g}" for name, value in sorted(options.items()))
            self.treatment = {**self.treatment, "options": said}

    @property
    def keys(self) -> list[str]:
        """What is made of noise is the counterpart of no other picture."""
        return [f"{self.name}, {i}" for i in range(self.count)]

    def batches(self) -> Iterator[Tensor]:
        for start in range(0, self.count, BATCH):
            stop = min(start + BATCH, self.count)
            given: dict[str, Any] = {} if self.labels is None else {"label": self.labels[start:stop]}
            given |= self.options
            latents = self.model.latents(self.seed, start, stop)
            yield to_bytes(self.model.sample(stop - start, latents=latents, batch_size=BATCH, **given))


class FromDataset(Pictures):
    """One pass over a column of a dataset's images, at most `most` examples, in the order of seed 0."""

    mixed = True

    def __init__(self, dataset: Dataset, most: int = 50_000, column: str = "image"):
        spec = dataset.spec
        self.dataset, self.name, self.count = dataset.to("cpu"), spec.name, min(spec.count, most)
        self.column = column
        if column != "image":
            self.name += f", {column}"
        if "label" in dataset.columns:
            parts = (dataset.read(("label",), 0, *ends)[0] for ends in self._ends())
            self.labels, self.label_names = torch.cat(list(parts)), spec.labels

    @property
    def keys(self) -> list[str]:
        """Pictures of unpaired domains have no counterparts in each other's."""
        return super().keys if getattr(self.dataset, "paired", True) else [f"{self.name} {k}" for k in super().keys]

    def _ends(self) -> Iterator[tuple[int, int]]:
        for start in range(0, self.count, BATCH):
            yield start, min(start + BATCH, self.count)

    def batches(self) -> Iterator[Tensor]:
        for start, stop in self._ends():
            yield to_bytes((self.dataset.read((self.column,), 0, start, stop)[0] + 1) / 2)


def in_proportion(labels: Tensor, count: int) -> Tensor:
    """`count` labels as frequent as among `labels` (N,), in every stretch of them as nearly as can be.

    The i-th is the quantile at the fraction of i times the golden ratio, a sequence of low discrepancy.
    """
    quantiles = torch.arange(count, dtype=torch.float64) * ((5**0.5 - 1) / 2) % 1
    return labels.sort().values[(quantiles * len(labels)).long()]


def to_bytes(images: Tensor) -> Tensor:
    """Images in [0, 1] as the 8 bits that a PNG would hold; uint8 as they are."""
    if images.dtype == torch.uint8:
        return images.cpu()
    return images.float().clamp(0, 1).mul(255).round().byte().cpu()
