"""The base of every adversarial loss."""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from ganzoo.errors import PluginError
from ganzoo.precision import wide
from ganzoo.settings import Settings

Logits = Tensor | Sequence[Tensor]
Slopes = Literal["free", "penalised", "bounded"]  # penalised: image by image, which batch norm spoils


class Loss(nn.Module):
    """The adversarial term. It sees logits of any shape, (N,), (N, 1) or (N, 1, H, W), and no network.

    A subclass writes `discriminator_loss(real, fake)` and `generator_loss(fake, real)`, which return a scalar.
    `discriminator` and `generator` call them in at least float32 and average over several scales.
    """

    class Config(Settings):
        """Settings of the loss; none by default."""

    relativistic = False  # True: the generator's turn needs the real logits too
    only_differences = False  # True: for the discriminator real less fake counts alone, so a logit's sign says nothing
    per_sample = True  # False: a batch's loss is not the mean of its parts' losses
    needs_slopes = False  # True: it can fall for ever unless something bounds the discriminator's slope

    def __init__(self, config: Any = None):
        super().__init__()
        self.config: Any = config if config is not None else self.Config()

    def discriminator(self, real: Logits, fake: Logits) -> Tensor:
        """What the discriminator minimises: a scalar, small when real logits are high and fake ones low."""
        return _average(self.discriminator_loss, real, fake)

    def generator(self, fake: Logits, real: Logits | None = None) -> Tensor:
        """What the generator minimises: a scalar, small when fake logits are high (relativistic: above real)."""
        if self.relativistic and real is None:
            raise PluginError(
                f"the loss {type(self).__name__} compares real with fake, and the generator's turn gave it no real "
                "logits; write self.loss.generator(fake, self.real_logits(D, real, *condition))"
            )
        return _average(self.generator_loss, fake, real)

    def discriminator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        raise NotImplementedError

    def generator_loss(self, fake: Tensor, real: Tensor | None) -> Tensor:
        raise NotImplementedError


def _average(formula: Callable[..., Tensor], first: Logits, second: Logits | None) -> Tensor:
    if isinstance(first, Tensor):
        return formula(wide(first), None if second is None else wide(second))  # type: ignore[arg-type]
    seconds = [None] * len(first) if second is None else second
    losses = [_average(formula, a, b) for a, b in zip(first, seconds, strict=True)]
    return torch.stack(losses).mean()
