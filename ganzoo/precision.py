"""Sums, squares, roots and logarithms want float32 at least; and what bf16 costs where there is no GPU for it."""

import time

import torch
from torch import Tensor
from torch.nn.functional import conv2d


def wide(values: Tensor) -> Tensor:
    """Half precision as float32, all else as it is: what is computed in double precision stays double."""
    return values.float() if values.dtype in (torch.bfloat16, torch.float16) else values


def bf16_over_float32() -> float:
    """What a convolution in bf16 takes on this CPU over what it takes in float32, measured in some milliseconds.

    About 0.5 where the CPU multiplies bf16 by itself (x86: avx512_bf16 or amx_bf16), 2 and more where software does.
    """
    images, weight = torch.ones(8, 64, 16, 16), torch.ones(64, 64, 3, 3)
    pairs = [(images.to(dtype), weight.to(dtype)) for dtype in (torch.bfloat16, torch.float32)]
    times: list[list[float]] = [[], []]
    for _ in range(5):  # the first prepares
        for (given, kernel), took in zip(pairs, times, strict=True):
            began = time.process_time()  # other programs aren't counted
            conv2d(given, kernel, padding=1)
            took.append(time.process_time() - began)
    return min(times[0]) / min(times[1])
