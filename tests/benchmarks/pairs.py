"""Measure two ways of doing the same work side by side, interleaved, and say how sure the ratio is."""

import random
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Ratio:
    """First over second: the median of the pairs, with its 95 % bounds (bootstrap), and seconds a step of each."""

    median: float
    low: float
    high: float
    first: float
    second: float

    def __str__(self) -> str:
        return f"{self.median:.3f} (95 % {self.low:.3f} to {self.high:.3f})"


def compare(
    first: Callable[[], None],
    second: Callable[[], None],
    *,
    steps: int,
    pairs: int = 21,
    clock: Callable[[], float] = time.process_time,
) -> Ratio:
    """Time of `steps` calls of each, `pairs` times in turn; which one goes first alternates. CPU time by default."""
    first(), second()  # warm up
    times: list[tuple[float, float]] = []
    for i in range(pairs):
        order = [(0, first), (1, second)]
        spent = [0.0, 0.0]
        for place, work in order if i % 2 else reversed(order):
            began = clock()
            for _ in range(steps):
                work()
            spent[place] = (clock() - began) / steps
        times.append((spent[0], spent[1]))
    ratios = [a / b for a, b in times]
    draw = random.Random(0)
    medians = sorted(statistics.median(draw.choices(ratios, k=len(ratios))) for _ in range(2000))
    least = [min(t[i] for t in times) for i in (0, 1)]
    return Ratio(statistics.median(ratios), medians[50], medians[1949], least[0], least[1])


def fastest(work: Callable[[], Any], times: int = 3) -> float:
    """CPU seconds of the quickest of some calls."""
    spent = []
    for _ in range(times):
        began = time.process_time()
        work()
        spent.append(time.process_time() - began)
    return min(spent)
