"""What the convolutions of a step reach of the rate of a matrix product, and whether another route would be quicker."""

from statistics import median
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from tests.benchmarks.limit import rate
from tests.benchmarks.loops import FAST
from tests.benchmarks.pairs import fastest
from tests.benchmarks.worker import SIDE, quick_square
from tests.benchmarks.works import WORKS

aten = torch.ops.aten
CONVOLVED = "cgan-mnist", "dcgan-64", "sngan-32", "wgan-gp-32", "cyclegan-64", "srgan-64", "stylegan2-64"


def measure() -> dict[str, Any]:
    """For each work the fractions of the product's rate that its convolutions reach, and what im2col would save."""
    torch.set_num_threads(1)
    with quick_square():
        return {name: _measured(name) for name in CONVOLVED}


def _measured(name: str) -> dict[str, float]:
    work = WORKS[name]
    step = FAST[work.step](work)
    step()
    a, b = torch.randn(2, SIDE, SIDE)
    product = rate(median(fastest(lambda: torch.mm(a, b)) for _ in range(9)), SIDE)
    whole = median(fastest(step, 1) for _ in range(3))
    with _Timed() as timed:
        step()
    found = {kind: timed.flops[kind] / timed.seconds[kind] / product for kind in timed.flops}
    return found | {"saved": timed.saved / whole}


class _Timed(TorchDispatchMode):
    """Times every convolution alone, its gradients apart, and each gradient of weights by both routes."""

    def __init__(self) -> None:
        super().__init__()
        self.flops = dict.fromkeys(("forward", "inputs", "weights"), 0.0)
        self.seconds = dict(self.flops)
        self.saved = 0.0

    def __torch_dispatch__(self, op: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = op(*args, **(kwargs or {}))
        if op is aten.convolution.default:
            self._add("forward", op, args, out)
        elif op is aten.convolution_backward.default:
            for i, kind in enumerate(("inputs", "weights")):
                if args[-1][i]:
                    alone = (*args[:-1], [i == 0, i == 1, False])
                    spent = self._add(kind, op, alone, op(*alone))
                    if kind == "weights":
                        self.saved += max(0.0, spent - fastest(lambda: by_product(*args[:8])))
        return out

    def _add(self, kind: str, op: Any, args: Any, out: Any) -> float:
        spent = fastest(lambda: op(*args))
        self.seconds[kind] += spent
        self.flops[kind] += flop_registry[op._overloadpacket](*args, out_val=out)
        return spent


def by_product(
    gradient: Tensor,
    x: Tensor,
    weight: Tensor,
    _bias: Any,
    stride: list[int],
    padding: list[int],
    _dilation: Any,
    transposed: bool,
) -> Tensor:
    """The gradient of a convolution's weights as one product with its input's patches laid out in rows (im2col)."""
    if transposed:  # the roles of the input and of the outputs' gradient are swapped
        gradient, x = x, gradient
    x = pad(x, (padding[1], padding[1], padding[0], padding[0])).contiguous(memory_format=torch.channels_last)
    (count, channels), (height, width), sides = x.shape[:2], gradient.shape[2:], weight.shape[2:]
    image, channel, row, column = x.stride()
    shape = (count, height, width, *sides, channels)
    patches = x.as_strided(shape, (image, row * stride[0], column * stride[1], row, column, channel))
    outputs = gradient.permute(1, 0, 2, 3).flatten(1)
    return (outputs @ patches.reshape(outputs.shape[1], -1)).unflatten(1, (*sides, channels)).permute(0, 3, 1, 2)
