"""Sums, squares, roots and logarithms want float32 at least; and what half precision costs on a CPU."""

import contextlib
import logging
import time
from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn.functional import conv2d

log = logging.getLogger("ganzoo")
SLOW = 1.2  # times what float32 takes


def wide(values: Tensor) -> Tensor:
    """Half precision as float32, all else as it is: what is computed in double precision stays double."""
    return values.float() if values.dtype in (torch.bfloat16, torch.float16) else values


@contextlib.contextmanager
def exact_on_cpu() -> Iterator[None]:
    """In bf16 training on a CPU: float32 for what is called here, given float32.

    What torch 2.13 is bad at in bf16: gradients of depthwise convolutions with strides take twenty times as long, and
    those of a 3x3 convolution's weights, with a stride of 2 on a map of one pixel, aren't always finite.
    """
    if torch.is_autocast_enabled("cpu"):
        with torch.autocast("cpu", enabled=False):
            yield
    else:
        yield


def say_if_slow(dtype: torch.dtype, advice: str) -> None:
    """One line of the log where this CPU computes in a dtype by software."""
    if (cost := over_float32(dtype)) > SLOW:
        log.warning("this CPU takes %.1f times as long for %s as for float32: %s", cost, str(dtype)[6:], advice)


def over_float32(dtype: torch.dtype) -> float:
    """What a convolution in a dtype takes on this CPU over what it takes in float32, measured in some milliseconds.

    About 0.5 where the CPU multiplies it by itself (bfloat16 on x86: avx512_bf16 or amx_bf16), 2 to 100 elsewhere.
    """
    images, weight = torch.ones(8, 64, 16, 16), torch.ones(64, 64, 3, 3)
    pairs = [(images.to(kind), weight.to(kind)) for kind in (dtype, torch.float32)]
    times: list[list[float]] = [[], []]
    for _ in range(5):  # the first prepares
        for (given, kernel), took in zip(pairs, times, strict=True):
            began = time.process_time()  # other programs aren't counted
            conv2d(given, kernel, padding=1)
            took.append(time.process_time() - began)
    return min(times[0]) / min(times[1])
