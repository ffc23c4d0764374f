"""The base of every regulariser: what a recipe adds to an adversarial strategy without a line changed in it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from ganzoo.errors import PluginError
from ganzoo.loss import Logits, Slopes
from ganzoo.settings import Settings


@dataclass(frozen=True)
class Pair:
    """The images of one discriminator update, (N, C, H, W), detached: real ones and generated ones.

    `condition` is what real images were scored under, `fake_condition` what generated ones were: mostly the same.
    """

    real: Tensor
    fake: Tensor
    condition: tuple[Tensor, ...] = ()
    fake_condition: tuple[Tensor, ...] = ()

    @property
    def between(self) -> tuple[Tensor, ...]:
        """The condition of what lies between a real and a fake image: that of both. Raises PluginError.

        The same means the same tensors: to compare their values would wait for the device.
        """
        ours, theirs = self.condition, self.fake_condition
        if len(ours) != len(theirs) or not all(a.is_set_to(b) for a, b in zip(ours, theirs, strict=True)):
            raise PluginError(
                "the strategy scores real images under one condition and fakes under another, and there is none for a "
                "point between the two; regularise it by r1, r2 or dragan, or give both calls of the discriminator the "
                "same tensors"
            )
        return ours


class Regularizer(nn.Module):
    """Something that a recipe adds to any strategy whose discriminator has an adversarial loss.

    A subclass writes what it needs of `attach` (once, before training), `augment` (whenever the discriminator sees
    images), `term` (added to the discriminator's loss), `observe` and `after_step` (state, in buffers made in
    `__init__` or `attach`). It may act on several discriminators. What `step` is for a strategy, `augment`, `term` and
    `observe` are here: they read no tensor's value, and assign nothing to self.
    """

    class Config(Settings):
        """Settings of the regulariser; none by default."""

    per_sample = True  # False: what it does to an example depends on the batch
    slopes: Slopes = "free"  # what it does to the slope of a discriminator by an image

    def __init__(self, config: Any = None):
        super().__init__()
        self.config: Any = config if config is not None else self.Config()

    @property
    def every(self) -> int:
        """Steps from one `term` to the next; above 1 it is an update of its own, weighted by `every`."""
        return int(getattr(self.config, "every", 1))

    def attach(self, network: nn.Module) -> None:
        """Change how a discriminator's weights act, once, when it has been built."""

    def augment(self, images: Tensor) -> Tensor:
        """What the discriminator is shown instead of these images, real or generated. Differentiable twice."""
        return images

    def term(self, D: nn.Module, pair: Pair) -> Tensor:
        """A scalar that the discriminator minimises as well; `D(images, *condition)` augments its images."""
        raise NotImplementedError

    def observe(self, real: Logits, fake: Logits) -> Mapping[str, Tensor]:
        """Scalars for the log and for `after_step`, from what the discriminator said.

        Above 0 it took an image for real: where a loss says `only_differences`, logits come less their counterparts'.
        """
        return {}

    def after_step(self, means: Mapping[str, Tensor], images: int) -> None:
        """Change declared state, after a step that began at `images` real images, from each metric's mean."""

    @classmethod
    def has_term(cls) -> bool:
        return cls.term is not Regularizer.term
