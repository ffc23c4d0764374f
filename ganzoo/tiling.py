"""Pictures of any size through a network: cut into tiles that overlap, so that no seam shows."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from itertools import pairwise, product

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from ganzoo.memory import kept_for_now

Call = Callable[[Tensor], Tensor]
LEAST = 16  # pixels a side that a network with a `multiple` is given, or more (`least`)
SIDE = 1024  # of a tile, in input pixels
CPU_SIDE = 512  # there, for the memory of the activations
SMALL_SIDE = 192  # where the result itself takes much memory
LARGE = 100_000_000  # pixels of a result from which tiles are small
HELD = 2**16  # pixels given from which memory is held: giving it back takes milliseconds


@dataclass(frozen=True)
class Tile:
    """What to read and what of its result to keep, in input pixels: (top, bottom, left, right)."""

    read: tuple[int, int, int, int]
    keep: tuple[int, int, int, int]

    def inside(self, result: Tensor, scale: int) -> Tensor:
        """The part of the network's result on `read` that is kept."""
        top, left = (scale * (self.keep[i] - self.read[i]) for i in (0, 2))
        height, width = (scale * (self.keep[i + 1] - self.keep[i]) for i in (0, 2))
        return result[..., top : top + height, left : left + width]


def tiles(height: int, width: int, network: nn.Module, side: int | None = None) -> Iterator[Tile]:
    """Tiles of about `side` that cover a picture; one, where the network's result depends on the whole picture."""
    context, multiple = getattr(network, "context", None), int(getattr(network, "multiple", 1))
    if context is None:
        yield Tile((0, height, 0, width), (0, height, 0, width))
        return
    side = side or _fitting(height, width, network)
    side, context = (max(multiple, -(-n // multiple) * multiple) for n in (side, context))
    for (top, bottom), (left, right) in product(_cuts(height, side, multiple), _cuts(width, side, multiple)):
        read = max(0, top - context), min(height, bottom + context), max(0, left - context), min(width, right + context)
        yield Tile(read, (top, bottom, left, right))


def _fitting(height: int, width: int, network: nn.Module) -> int:
    """The side of a tile that suits a picture and the device of the network."""
    if _is_large(network, height * width):
        return SMALL_SIDE
    return CPU_SIDE if _on_cpu(network) else SIDE


def _on_cpu(network: nn.Module) -> bool:
    like = next(network.parameters(), None)
    return like is not None and like.device.type == "cpu"


def _is_large(network: nn.Module, pixels: int) -> bool:
    return pixels * int(getattr(network, "scale", 1)) ** 2 > LARGE


def held(network: nn.Module, pixels: int) -> AbstractContextManager[None]:
    """What layers free on a CPU is used by the next ones, within the block, unless the result needs the memory."""
    holds = pixels >= HELD and _on_cpu(network) and not _is_large(network, pixels)
    return kept_for_now() if holds else nullcontext()


def _cuts(length: int, side: int, multiple: int) -> list[tuple[int, int]]:
    """Parts of nearly the same length in whole multiples, none above `side`, which is one of them too."""
    parts, multiples = -(-length // side), -(-length // multiple)
    ends = [multiples * i // parts * multiple for i in range(parts)] + [length]
    return list(pairwise(ends))


def least(network: nn.Module) -> int:
    """Pixels a side that a network with a `multiple` is given at least.

    Two multiples where it takes the whole picture's statistics: of one pixel there are none.
    """
    multiple = int(getattr(network, "multiple", 1))
    wanted = max(LEAST, 2 * multiple) if getattr(network, "context", None) is None else LEAST
    return -(-wanted // multiple) * multiple


def whole(network: nn.Module, call: Call, images: Tensor) -> Tensor:
    """The network's result on images of any size: (N, C, H, W) to (N, C, scale H, scale W)."""
    multiple, scale = int(getattr(network, "multiple", 1)), int(getattr(network, "scale", 1))
    height, width = images.shape[2:]
    if multiple > 1:
        down, right = (-(-max(n, least(network)) // multiple) * multiple - n for n in (height, width))
        images = pad(images, (0, right, 0, down), mode="replicate") if down or right else images
    return call(images)[..., : height * scale, : width * scale]


def ensemble(call: Call) -> Call:
    """The mean result over the eight flips and quarter turns of a picture (Timofte et al., 2016)."""

    def turned(images: Tensor) -> Tensor:
        total = None
        for number in range(8):
            axes = [axis for bit, axis in ((1, 2), (2, 3)) if number & bit]
            given = images.transpose(2, 3) if number & 4 else images
            made = call(given.flip(axes) if axes else given)
            made = made.flip(axes) if axes else made
            made = made.transpose(2, 3) if number & 4 else made
            total = made if total is None else total + made
        assert total is not None
        return total / 8

    return turned


def transformed(network: nn.Module, call: Call, images: Tensor, side: int | None = None) -> Tensor:
    """The result on images (N, C, H, W), tile by tile, on the images' device."""
    scale = int(getattr(network, "scale", 1))
    count, _, height, width = images.shape
    result = None
    with held(network, count * height * width):
        for tile in tiles(height, width, network, side):
            top, bottom, left, right = tile.read
            made = tile.inside(whole(network, call, images[:, :, top:bottom, left:right]), scale)
            if tile.keep == (0, height, 0, width):  # one tile is the result, and needs no copy
                return made.contiguous()
            if result is None:
                result = torch.empty(count, made.shape[1], height * scale, width * scale, device=images.device)
            top, bottom, left, right = (scale * edge for edge in tile.keep)
            result[:, :, top:bottom, left:right] = made
    assert result is not None
    return result
