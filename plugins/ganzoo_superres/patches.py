"""Patches of photographs with their low-resolution counterparts, resident and cut in batches."""

from collections.abc import Iterable
from typing import Literal

import numpy as np
import torch
from PIL import Image
from pydantic import Field
from torch import Tensor
from torch.nn.functional import avg_pool2d

from ganzoo import Dataset, GanzooError, Settings
from ganzoo.dataset import hash_of
from ganzoo_superres.degradations import Chain, as_array, as_image, bicubic, realistic

BLOCK = 4096  # examples whose random numbers are drawn together


class PatchPairs(Dataset):
    """Aligned patches `low` and `high` of pictures that stay in memory as uint8.

    Each picture is degraded once as a whole, so no patch has a border effect; with the realistic degradation it is
    held in several `versions`. A subclass sets `spec` and calls `hold`.
    """

    class Config(Settings):
        split: Literal["train", "test"] = Field("train", description="test is for measuring, never for training")
        scale: Literal[2, 3, 4] = Field(4, description="how much larger the originals are")
        patch: int = Field(32, ge=4, le=512, description="side of a low-resolution patch in pixels")
        sizes: tuple[float, ...] = Field(
            (1.0,), min_length=1, max_length=8, description="each picture of training is used at these sizes"
        )
        emphasis: float = Field(
            0.0, ge=0, le=4, description="0: every place alike; above: the more detail, the more often"
        )
        augment: bool = Field(True, description="flips and quarter turns")
        degradation: Literal["bicubic", "realistic"] = Field(
            "bicubic", description="Pillow's bicubic, or blur, resize, noise and JPEG"
        )
        chain: Chain = Field(Chain(), description="ranges of the realistic degradation")
        passes: int = Field(1, ge=1, le=2, description="realistic: 2 repeats the chain (Wang et al., 2021)")
        versions: int = Field(4, ge=1, le=64, description="realistic: how often each picture is degraded anew")

    columns = ("low", "high")

    def hold(self, pictures: Iterable[np.ndarray]) -> None:
        """Keep these uint8 pictures (H, W, C), all with the same channels, at every size asked for."""
        side, scale = self.config.patch, self.config.scale
        lows, highs, weights, places = [], [], [], []
        low_start = high_start = 0
        self._draws: dict[tuple[int, int], Tensor] = {}
        self.wholes: list[tuple[np.ndarray, np.ndarray]] = []
        for picture in pictures:
            for size in self.config.sizes if self.config.split == "train" else (1.0,):
                high = cropped(resized(picture, size), scale)
                if min(high.shape[:2]) < side * scale:
                    continue
                plain, versions = bicubic(high, scale), self._versions(high, len(places))
                self.wholes.append((versions[0], high))
                weight = detail(plain, high, side).flatten() ** self.config.emphasis
                for low in versions:
                    places.append([*low.shape[:2], low_start, high_start])
                    weights.append(weight)
                    lows.append(torch.from_numpy(low.transpose(2, 0, 1).copy()).flatten())
                    low_start += low.size
                highs.append(torch.from_numpy(high.transpose(2, 0, 1).copy()).flatten())
                high_start += high.size
        if not places:
            raise GanzooError(f"no picture has {side * scale} pixels a side, which patch = {side} needs; lower it")
        self.low, self.high, self.places = torch.cat(lows), torch.cat(highs), torch.tensor(places)
        self.firsts = torch.tensor([0, *(len(w) for w in weights)]).cumsum(0)
        self.cumulative = torch.cat(weights).double().cumsum(0)
        self.channels = self.wholes[0][1].shape[2]

    def _versions(self, high: np.ndarray, number: int) -> list[np.ndarray]:
        c = self.config
        if c.degradation == "bicubic":
            return [bicubic(high, c.scale)]
        generator = torch.Generator().manual_seed(number)
        return [realistic(high, c.scale, c.chain, c.passes, generator) for _ in range(c.versions)]

    def whole(self, column: str) -> list[Tensor]:
        """The pictures in full, uint8 (C, H, W): what a model is measured on."""
        which = self.columns.index(column)
        return [torch.from_numpy(pair[which].transpose(2, 0, 1).copy()) for pair in self.wholes]

    def fingerprint(self) -> str:
        return hash_of({"low": self.low, "high": self.high, "places": self.places})

    def to(self, device: torch.device | str) -> "PatchPairs":
        for name in ("low", "high", "places", "firsts"):
            setattr(self, name, getattr(self, name).to(device))
        self._draws.clear()
        return self

    def read(self, columns: tuple[str, ...], seed: int, start: int, stop: int) -> tuple[Tensor, ...]:
        where, turn = self._drawn(seed, start, stop)
        photo = torch.searchsorted(self.firsts, where, right=True) - 1
        place = self.places[photo]
        across = place[:, 1] - self.config.patch + 1
        y, x = (where - self.firsts[photo]) // across, (where - self.firsts[photo]) % across
        turn = turn if self.config.augment else torch.zeros_like(turn)
        return tuple(self._cut(name, place, y, x, turn) for name in columns)

    def _cut(self, name: str, place: Tensor, y: Tensor, x: Tensor, turn: Tensor) -> Tensor:
        scale = 1 if name == "low" else self.config.scale
        side = self.config.patch * scale
        height, width, first = place[:, 0] * scale, place[:, 1] * scale, place[:, 2 if name == "low" else 3]
        line = torch.arange(side, device=place.device)
        down, right = line[None, :, None], line[None, None, :]
        transposed, mirrored, upside = (((turn >> bit) & 1).bool()[:, None, None] for bit in range(3))
        row, column = torch.where(transposed, right, down), torch.where(transposed, down, right)
        row, column = torch.where(upside, side - 1 - row, row), torch.where(mirrored, side - 1 - column, column)
        index = (first + y * scale * width + x * scale)[:, None, None] + row * width[:, None, None] + column
        channels = torch.arange(self.channels, device=place.device)
        index = index[:, None] + channels[None, :, None, None] * (height * width)[:, None, None, None]
        return getattr(self, name)[index].float().mul_(2 / 255).sub_(1)

    def _drawn(self, seed: int, start: int, stop: int) -> Tensor:
        """Which patches the examples `start` to `stop` are, turned in which of 8 ways, (2, N): as the seed has it.

        They are drawn on the host, since not every device has the float64 that so many patches need.
        """
        parts = []
        while start < stop:
            block, first = divmod(start, BLOCK)
            if (seed, block) not in self._draws:
                while len(self._draws) > 1:
                    del self._draws[next(iter(self._draws))]
                generator = torch.Generator().manual_seed((seed * 1_000_003 + block) % 2**63)
                drawn = torch.rand(BLOCK, 4, generator=generator, dtype=torch.float64)
                where = torch.searchsorted(self.cumulative, drawn[:, 0] * self.cumulative[-1], right=True)
                where = where.clamp(max=len(self.cumulative) - 1)
                self._draws[seed, block] = torch.stack([where, (drawn[:, 1] * 8).long()]).to(self.low.device)
            last = min(BLOCK, first + stop - start)
            parts.append(self._draws[seed, block][:, first:last])
            start += last - first
        return torch.cat(parts, 1)


def cropped(picture: np.ndarray, multiple: int) -> np.ndarray:
    """The picture with its right and lower edge cut to multiples."""
    height, width = picture.shape[:2]
    return picture[: height - height % multiple, : width - width % multiple]


def resized(picture: np.ndarray, size: float) -> np.ndarray:
    if size == 1:
        return picture
    height, width = (round(side * size) for side in picture.shape[:2])
    return as_array(as_image(picture).resize((width, height), Image.Resampling.LANCZOS))


def detail(low: np.ndarray, high: np.ndarray, side: int) -> Tensor:
    """What a plain enlargement misses in the patch at each place of the low picture: mean difference, plus 1."""
    scale = high.shape[0] // low.shape[0]
    large = as_image(low).resize((high.shape[1], high.shape[0]), Image.Resampling.BICUBIC)
    plain = as_array(large).astype(np.float32)
    missed = torch.from_numpy(np.abs(plain - high).mean(2))[None, None]
    rows = avg_pool2d(avg_pool2d(missed, scale), (side, 1), stride=1)  # a square mean is one of rows, then of columns
    return avg_pool2d(rows, (1, side), stride=1)[0, 0] + 1
