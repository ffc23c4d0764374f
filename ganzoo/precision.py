"""Sums, squares, roots and logarithms want float32 at least."""

import torch
from torch import Tensor


def wide(values: Tensor) -> Tensor:
    """Half precision as float32, all else as it is: what is computed in double precision stays double."""
    return values.float() if values.dtype in (torch.bfloat16, torch.float16) else values
