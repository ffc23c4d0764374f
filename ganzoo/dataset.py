"""The base of every dataset. What a batch holds depends on the seed and the position alone."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from pydantic import Field
from torch import Tensor

from ganzoo.settings import Settings


class Spec(Settings):
    """What a dataset holds, as a run and a model record it."""

    name: str = Field(max_length=200, description="the dataset and its split")
    count: int = Field(ge=1, description="examples in one pass")
    size: int | None = Field(default=None, ge=1, le=65536, description="side of the square images in pixels")
    channels: int | None = Field(default=None, ge=1, le=4, description="1 grey, 3 colour")
    labels: tuple[str, ...] = Field(default=(), max_length=100_000, description="name of each class")
    domains: tuple[str, ...] = Field(
        default=(), max_length=100, description="names of the image domains, for translation"
    )
    scale: int | None = Field(
        default=None, ge=1, le=64, description="how much larger the output is, for super-resolution"
    )
    caption_length: int | None = Field(
        default=None, ge=1, le=4096, description="bytes of a caption, where there are any"
    )
    licence: str = Field(max_length=500, description="SPDX expression of the data, or the words of its terms")
    attribution: str = Field(default="", max_length=5000, description="credit that the licence asks for")
    repository: str = Field(
        default="",
        max_length=200,
        pattern=r"^([\w.-]+/[\w.-]+)?$",
        description="user/name of the data set, where the Hub has it",
    )

    def facts(self) -> dict[str, int]:
        """What an architecture's settings of the same name are taken from."""
        named = {"size": self.size, "channels": self.channels, "classes": len(self.labels), "scale": self.scale}
        if self.caption_length:
            named["caption_length"] = self.caption_length
        return {name: value for name, value in named.items() if value}


class Dataset:
    """A source of training batches.

    `columns` names what an example has ("image", "label", ...). Examples stand in an endless order that the seed
    fixes; `read` returns any stretch of it, so a run can resume anywhere and processes can share a batch.
    """

    class Config(Settings):
        """Settings of the dataset; none by default."""

    spec: Spec
    columns: tuple[str, ...]

    def __init__(self, config: Any = None):
        self.config: Any = config if config is not None else self.Config()

    @classmethod
    def is_place(cls, setting: str, value: str) -> bool:
        """Whether a setting names a folder or file of this computer: only its last part is published."""
        return setting == "path"

    def to(self, device: torch.device | str) -> "Dataset":
        """Deliver batches on this device from now on."""
        raise NotImplementedError

    def fingerprint(self) -> str:
        """A hash of every example, by which a run that goes on knows its data; empty where reading them takes long."""
        return ""

    def without(self, column: str) -> str:
        """Why there is no such column, for a person whose recipe needs it."""
        return f"it has {', '.join(self.columns)}"

    def read(self, columns: tuple[str, ...], seed: int, start: int, stop: int) -> tuple[Tensor, ...]:
        """Examples `start` to `stop` of the seed's order, one tensor a column.

        Images are float32 in [-1, 1], (N, C, H, W); labels int64, (N,); captions int64, (N, length), as
        `ganzoo.captions.encode` gives them.
        """
        raise NotImplementedError


class ResidentDataset(Dataset):
    """A dataset that fits in memory: uint8 images and int64 labels, indexed and normalised on the device.

    Each pass over the data is a new permutation. A subclass sets `spec` and calls `hold`.
    """

    def hold(self, **columns: Tensor) -> None:
        """Keep these columns, all of one length; images as uint8 (N, C, H, W)."""
        self.data = columns
        self.columns = tuple(columns)
        self._orders: dict[tuple[int, int, int], Tensor] = {}

    def fingerprint(self) -> str:
        return hash_of(self.data, self.spec.labels)

    def to(self, device: torch.device | str) -> "ResidentDataset":
        self.data = {name: column.to(device) for name, column in self.data.items()}
        self._orders.clear()
        return self

    def read(self, columns: tuple[str, ...], seed: int, start: int, stop: int) -> tuple[Tensor, ...]:
        rows = self._rows(seed, start, stop)
        return tuple(self._column(name, rows) for name in columns)

    def _column(self, name: str, rows: Tensor) -> Tensor:
        values = self.data[name][rows]
        return values.float().mul_(2 / 255).sub_(1) if values.dtype == torch.uint8 else values

    def _rows(self, seed: int, start: int, stop: int, count: int | None = None) -> Tensor:
        """Rows of examples `start` to `stop`; `count` is the length of a column that is shuffled by itself."""
        count = count or self.spec.count
        pieces = []
        while start < stop:
            epoch, first = divmod(start, count)
            last = min(count, first + stop - start)
            pieces.append(self._order(seed, epoch, count)[first:last])
            start += last - first
        return pieces[0] if len(pieces) == 1 else torch.cat(pieces)

    def _order(self, seed: int, epoch: int, count: int) -> Tensor:
        if (seed, epoch, count) not in self._orders:
            while len(self._orders) > 3:  # a batch spans at most two passes of two columns, unless the data is tiny
                del self._orders[next(iter(self._orders))]
            device = next(iter(self.data.values())).device
            generator = torch.Generator().manual_seed((seed * 1_000_003 + epoch) % 2**63)
            self._orders[seed, epoch, count] = torch.randperm(count, generator=generator).to(device)
        return self._orders[seed, epoch, count]


def hash_of(columns: Mapping[str, Tensor], labels: Sequence[str] = ()) -> str:
    """The sha256 of tensors, their names and what their labels are called."""
    digest = hashlib.sha256(repr(tuple(labels)).encode())
    for name, column in columns.items():
        digest.update(repr((name, column.dtype, tuple(column.shape))).encode())
        digest.update(column.cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()
