"""Whether values are finite, told on their device: the host never waits for the answer."""

import functools
from collections.abc import Sequence

import torch
from torch import Tensor

# one kernel for all tensors; it also multiplies them by one, so they must be dense and no graph may hold them
_check = torch._amp_foreach_non_finite_check_and_unscale_
_HAS_CHECK = "cpu", "cuda"
LARGE = 2**16  # bytes; on a CPU such a tensor is read faster by a sum, which isn't finite if one of them isn't


def not_finite(tensors: list[Tensor]) -> Tensor:
    """1.0 when some value is infinite or not a number, else 0.0. The tensors are real, dense, without a graph, on one
    device. On a CPU a large tensor whose sum overflows counts too."""
    device = tensors[0].device
    if device.type == "cpu":
        tensors = [t.sum() if t.nbytes >= LARGE and t.element_size() >= 4 else t for t in tensors]
    bad = torch.zeros((), dtype=torch.float32, device=device)
    if device.type in _HAS_CHECK:
        _check(tensors, bad, one(device))
        return bad
    return bad + (~torch.stack([t.isfinite().all() for t in tensors]).all())


@functools.cache
def one(device: torch.device) -> Tensor:
    """The number 1 on a device, made once: nobody changes it."""
    with torch.inference_mode(False):
        return torch.ones((), dtype=torch.float32, device=device)


def norm(tensors: list[Tensor]) -> Tensor:
    """The length of all tensors together."""
    length: Tensor = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(tensors)))
    return length


@torch.no_grad()
def moved(before: list[Tensor], after: Sequence[Tensor]) -> Tensor:
    """Length of the move over length of the weights; healthy runs lie near 1e-3. `before` holds the move then."""
    length = norm(before)
    torch._foreach_sub_(before, list(after))
    return norm(before) / (length + 1e-12)
