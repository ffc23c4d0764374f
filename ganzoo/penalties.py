"""Gradient penalties that a strategy adds to a discriminator's loss. The condition is passed on to the network."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ganzoo.precision import wide
from ganzoo.straight import straight

Logits = Tensor | Sequence[Tensor]


def squared_gradient_norms(logits: Sequence[Logits], inputs: Sequence[Tensor]) -> list[Tensor]:
    """For each input the squared norm per example of d(score)/d(input), (N,), differentiable again.

    One backward pass serves several inputs. An example's score is the mean of its logits over patches and scales, as
    in the losses. Gradients are widened to float32 before they are squared.
    """
    totals = [_total(logit) for logit in logits]
    gradients = torch.autograd.grad(totals, list(inputs), create_graph=True)
    return [wide(gradient).flatten(1).square().sum(1) for gradient in gradients]


def zero_centered_penalty(D: nn.Module, x: Tensor, *condition: Tensor) -> Tensor:
    """Mean of ||grad D(x)||^2: R1 on real images, R2 on generated ones (Mescheder et al., 2018, eq. 9). A scalar."""
    return _squared(D, x, condition).mean()


def gradient_penalty(D: nn.Module, x: Tensor, *condition: Tensor, target: float = 1.0) -> Tensor:
    """Mean of (||grad D(x)|| - target)^2 (Gulrajani et al., 2017, eq. 3), for x from `interpolate`. A scalar."""
    return ((_squared(D, x, condition) + 1e-12).sqrt() - target).square().mean()  # the root has no finite slope at 0


def interpolate(real: Tensor, fake: Tensor) -> Tensor:
    """A point between each real and its fake, one uniform draw per example, not per pixel."""
    draw = torch.rand(len(real), *[1] * (real.dim() - 1), device=real.device, dtype=real.dtype)
    return torch.lerp(real, fake.detach().to(real.dtype), draw)


def _squared(D: nn.Module, x: Tensor, condition: tuple[Tensor, ...]) -> Tensor:
    x = x.detach().requires_grad_()
    pieces = straight(x)
    with pieces:
        logits = D(x, *condition)
    return pieces.whole(squared_gradient_norms([logits], [x])[0])


def _total(logits: Logits) -> Tensor:
    """The sum of the examples' scores."""
    if not isinstance(logits, Tensor):
        return torch.stack([_total(scale) for scale in logits]).mean()
    return logits.sum() if logits.numel() == len(logits) else logits.flatten(1).mean(1).sum()
