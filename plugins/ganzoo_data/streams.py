"""Data that doesn't fit in memory: read in lanes, each a stream of its own shards, at any position."""

import io
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ganzoo import Dataset, GanzooError
from ganzoo.captions import encode
from ganzoo.photos import squared

Example = dict[str, Any]


class StreamedDataset(Dataset):
    """Examples in lanes: blocks of `block` examples are dealt to `lanes` streams in turn.

    Where an example stands in the order depends on the seed and its position alone, as for any dataset. When a
    process's share of a batch is a whole number of blocks and `lanes` a multiple of the shares, a process opens the
    shards of its own lanes and no others. Going on is free; a jump is made by reading up to it, undecoded.
    """

    device: torch.device | str = "cpu"

    def lane(self, lane: int, seed: int, epoch: int) -> Iterator[Example]:
        """One pass over a lane's shards: examples with "image" (bytes), "label" (an index), "caption" (text)."""
        raise NotImplementedError

    def to(self, device):
        self.device = device
        return self

    def read(self, columns: tuple[str, ...], seed: int, start: int, stop: int) -> tuple[Tensor, ...]:
        examples = [self._example(seed, position) for position in range(start, stop)]
        return self.tensors(columns, examples)

    def tensors(self, columns: tuple[str, ...], examples: list[Example]) -> tuple[Tensor, ...]:
        """A batch of undecoded examples."""
        return tuple(self._stacked(name, [example[name] for example in examples]).to(self.device) for name in columns)

    def _stacked(self, name: str, values: list[Any]) -> Tensor:
        if name == "image":
            pictures = torch.from_numpy(np.stack(list(self._pool().map(self._decoded, values))))
            return pictures.permute(0, 3, 1, 2).contiguous().float().mul_(2 / 255).sub_(1)
        return encode(values, self.config.caption_length) if name == "caption" else torch.tensor(values)

    def _pool(self) -> ThreadPoolExecutor:
        if "_threads" not in self.__dict__:
            self._threads = ThreadPoolExecutor(4)
        return self._threads

    def _decoded(self, content: bytes) -> np.ndarray:
        return decoded(content, self.config)

    def _example(self, seed: int, position: int) -> Example:
        lanes, block = self.config.lanes, self.config.block
        turn, place = divmod(position, lanes * block)
        lane, offset = divmod(place, block)
        return self._streams(seed)[lane].at(turn * block + offset)

    def _streams(self, seed: int) -> list["Stream"]:
        if self.__dict__.get("_seed") != seed:
            self._seed, self._opened = seed, [Stream(self, lane, seed) for lane in range(self.config.lanes)]
        return self._opened


class Stream:
    """The endless sequence of one lane, and where it is."""

    def __init__(self, data: StreamedDataset, lane: int, seed: int):
        self.data, self.lane, self.seed = data, lane, seed
        self.restart()

    def restart(self) -> None:
        self.next, self.examples = 0, self._endless()

    def at(self, index: int) -> Example:
        if index < self.next:
            self.restart()
        example = next(islice(self.examples, index - self.next, None))
        self.next = index + 1
        return example

    def _endless(self) -> Iterator[Example]:
        epoch = 0
        while True:
            here = shuffled(
                self.data.lane(self.lane, self.seed, epoch),
                self.data.config.buffer,
                f"{self.seed} {epoch} {self.lane}",
            )
            first = next(here, None)
            if first is None:
                raise GanzooError(f"{self.data.spec.name} has no examples in lane {self.lane}; use fewer lanes")
            yield first
            yield from here
            epoch += 1


def shuffled(examples: Iterator[Example], size: int, seed: str) -> Iterator[Example]:
    """Each example swapped with one of the last `size`: memory stays flat."""
    draw, held = random.Random(seed), []
    for example in examples:
        if len(held) < size:
            held.append(example)
            continue
        place = draw.randrange(size)
        yield held[place]
        held[place] = example
    draw.shuffle(held)
    yield from held


def decoded(content: bytes, config: Any) -> np.ndarray:
    """The bytes of a picture file as a square, (size, size, channels) uint8."""
    try:
        with Image.open(io.BytesIO(content)) as image:
            image.draft("RGB", (config.size, config.size))
            return squared(image, config.size, config.channels)
    except Exception as error:  # Pillow's decoders raise all sorts of things on damaged files
        raise GanzooError(
            f"an image of the data can't be read ({type(error).__name__}: {error}); leave it out"
        ) from None
