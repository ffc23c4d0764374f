"""Gradients of gradients without the work that torch wastes on them.

The slope of a network by its input doesn't change with the values that come to a ReLU, a pooling or a convolution.
Differentiating a penalty of that slope, torch sends zeros back through the whole forward pass all the same, and finds a
convolution's gradient of its weights by a convolution of transposed tensors, which takes longer than the kernel that is
made for it. A network called within `straight(x)` is spared both; gradients are the same up to rounding.
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function, grad
from torch.autograd.graph import get_gradient_edge
from torch.nn import functional
from torch.overrides import TorchFunctionMode

SMALLEST = 2**14  # values that go into a piece; below, Python would take longer than what is spared
CONVOLUTIONS: set[Callable[..., Any]] = {
    torch.conv1d,
    torch.conv2d,
    torch.conv3d,
    torch.conv_transpose1d,
    torch.conv_transpose2d,
    torch.conv_transpose3d,
}
POOLINGS: set[Callable[..., Any]] = {torch.max_pool2d, functional.avg_pool2d, functional.adaptive_avg_pool2d}
KINKS: dict[Callable[..., Any], Callable[..., float | None]] = {  # the slope below zero; None: it works in place
    torch.relu: lambda input: 0.0,
    Tensor.relu: lambda input: 0.0,
    functional.relu: lambda input, inplace=False: None if inplace else 0.0,
    functional.leaky_relu: lambda input, negative_slope=0.01, inplace=False: None if inplace else negative_slope,
}
PIECES = {*CONVOLUTIONS, *POOLINGS, *KINKS}  # their slope by the first argument is constant in it, but at kinks


class straight(TorchFunctionMode):
    """For the call of a network whose slope by the leaf `x` will be penalised."""

    def __init__(self, x: Tensor) -> None:
        super().__init__()
        self.x = x
        self.sources: list[Tensor] = []  # what came to the pieces

    def __torch_function__(self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in PIECES and self._worthwhile(*args[:1]):
            x, *others = args
            slope = KINKS[func](*args, **kwargs) if func in KINKS else None
            if slope is not None and slope >= 0:
                self.sources.append(x)
                return _applied(_Kink, x, slope)
            if func in POOLINGS or (func in CONVOLUTIONS and not self._made_of_x(*others[:1], **kwargs)):
                self.sources.append(x)
                inner = x.detach().requires_grad_()
                return _applied(_Joined, x, func(inner, *others, **kwargs), inner, x is self.x)
        return func(*args, **kwargs)

    def _worthwhile(self, x: Tensor | None = None) -> bool:
        return x is not None and x.requires_grad and x.numel() >= SMALLEST and torch.is_grad_enabled()

    def _made_of_x(self, weight: Tensor, **_: Any) -> bool:
        return not weight.is_leaf and self.x in _leaves([weight])

    def whole(self, penalty: Tensor) -> Tensor:
        """The penalty, with a gradient of zeros for each leaf to which torch would have brought zeros."""
        missing = _leaves(self.sources) - {self.x}
        if missing:
            missing -= _leaves([penalty])
        return _applied(_Zeros, penalty, *missing) if missing else penalty


class _Kink(Function):
    """ReLU or leaky ReLU; which side of zero a value lies on is no function of anything."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, slope: float) -> Tensor:
        y = functional.leaky_relu(x, slope) if slope else torch.relu(x)
        ctx.save_for_backward(y)
        ctx.slope = slope
        return y

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        y = ctx.saved_tensors[0].detach()
        if ctx.slope:
            return torch.ops.aten.leaky_relu_backward(gradient, y, ctx.slope, True), None
        return torch.ops.aten.threshold_backward(gradient, y, 0), None


class _Joined(Function):
    """What a pooling or a convolution `made` of `inner`, which stands for x, as a function of x."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, made: Tensor, inner: Tensor, last: bool) -> Tensor:
        ctx.made, ctx.inner, ctx.last = get_gradient_edge(made), inner, last
        return made.data  # no view of `made`, so that what follows may work in place

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor, None, None]:
        again = torch.is_grad_enabled()
        if ctx.last and not again:
            return None, gradient, None, None
        node = ctx.made.node
        if again and node.name() == "ConvolutionBackward0" and _is(node.next_functions[0][0], ctx.inner):
            slope = _applied(_Slope, gradient, node._saved_weight, ctx.inner.detach(), node)
        else:
            (slope,) = grad([ctx.made], ctx.inner, gradient, retain_graph=True, create_graph=again)
        return slope, gradient, None, None


def _applied(function: type[Function], *arguments: Any) -> Tensor:
    found: Tensor = function.apply(*arguments)  # type: ignore[no-untyped-call]
    return found


def _is(node: Any, leaf: Tensor) -> bool:
    return getattr(node, "variable", None) is leaf


class _Slope(Function):
    """A convolution's gradient by its input, as a function of its output's gradient and of its weights."""

    @staticmethod
    def forward(ctx: Any, gradient: Tensor, weight: Tensor, x: Tensor, node: Any) -> Tensor:
        ctx.save_for_backward(gradient, weight)
        ctx.how = (
            node._saved_stride,
            node._saved_padding,
            node._saved_dilation,
            node._saved_transposed,
            node._saved_output_padding,
            node._saved_groups,
        )
        slope: Tensor = _backward(gradient, x, weight, ctx.how, 0)
        return slope

    @staticmethod
    def backward(ctx: Any, again: Tensor) -> tuple[Tensor, Tensor, None, None]:
        gradient, weight = ctx.saved_tensors
        by_gradient = torch.ops.aten.convolution(again, weight, None, *ctx.how)
        return by_gradient, _backward(gradient, again, weight, ctx.how, 1), None, None


def _backward(gradient: Tensor, x: Tensor, weight: Tensor, how: Any, which: int) -> Tensor:
    mask = [which == 0, which == 1, False]
    found: Tensor = torch.ops.aten.convolution_backward(gradient, x, weight, None, *how, mask)[which]
    return found


class _Zeros(Function):
    @staticmethod
    def forward(ctx: Any, value: Tensor, *leaves: Tensor) -> Tensor:
        ctx.save_for_backward(*leaves)
        return value.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, ...]:
        return gradient, *map(torch.zeros_like, ctx.saved_tensors)


def _leaves(tensors: Iterable[Tensor]) -> set[Tensor]:
    """The leaves that these depend on."""
    seen = {t.grad_fn for t in tensors if t.grad_fn is not None}
    left, found = list(seen), set()
    while left:
        node = left.pop()
        if hasattr(node, "variable"):
            found.add(node.variable)
        new = {after for after, _ in node.next_functions if after is not None} - seen
        seen |= new
        left += new
    return found
