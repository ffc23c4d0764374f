"""What was seen since the last line of the log, in one piece of memory."""

import itertools
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor


class Window(Mapping[str, list[Tensor]]):
    """The values of each metric by name, and flags, on their device: the host waits for it in `means` and `flags`.

    Small tensors that outlive the large ones of their step would break up the heap, and it would grow by a third.
    """

    def __init__(self, device: torch.device):
        self.numbers = torch.zeros(1024, dtype=torch.float32, device=device)
        self.clear()

    def clear(self) -> None:
        self.places: defaultdict[str, list[int]] = defaultdict(list)
        self.used = 0

    def add(self, values: Mapping[str, Sequence[Tensor]], flags: Sequence[Tensor] = ()) -> range:
        """Take in scalars without a graph; returns where the flags are."""
        added = [*itertools.chain.from_iterable(values.values()), *flags]
        start, end = self.used, self.used + len(added)
        while end > len(self.numbers):
            self.numbers = torch.cat([self.numbers, torch.zeros_like(self.numbers)])
        if added:
            torch.stack(added, out=self.numbers[start:end])
        for name, some in values.items():
            after = start + len(some)
            self.places[name] += range(start, after)
            start = after
        self.used = end
        return range(start, end)

    def means(self) -> dict[str, float]:
        numbers = self.numbers[: self.used].tolist()
        return {name: sum(numbers[i] for i in places) / len(places) for name, places in self.places.items()}

    def flags(self, places: Sequence[int]) -> list[float]:
        numbers = self.numbers[: self.used].tolist()
        return [numbers[i] for i in places]

    def __getitem__(self, name: str) -> list[Tensor]:
        if name not in self.places:
            raise KeyError(name)
        return [self.numbers[i] for i in self.places[name]]

    def __iter__(self) -> Iterator[str]:
        return iter(self.places)

    def __len__(self) -> int:
        return len(self.places)
