"""Terms of the discriminator's loss. With `every` above 1 a term is an update of its own, every so many steps."""

import torch
from pydantic import Field

from ganzoo import Regularizer, Settings, wide
from ganzoo.penalties import gradient_penalty, interpolate, zero_centered_penalty
from ganzoo_regularizers.augmentations import randomly_shifted

EVERY = Field(1, ge=1, le=1000, description="steps from one to the next; above 1 lazily, with corrected rate and betas")


class R1(Regularizer):
    """Zero-centred gradient penalty on real images (Mescheder et al., 2018, eq. 9)."""

    class Config(Settings):
        gamma: float = Field(1.0, ge=0, le=1e6, description="weight: gamma / 2 times the squared gradient norm")
        every: int = EVERY

    slopes = "penalised"

    def term(self, D, pair):
        return self.config.gamma / 2 * zero_centered_penalty(D, pair.real, *pair.condition)


class R2(R1):
    """Zero-centred gradient penalty on generated images (Mescheder et al., 2018, eq. 10)."""

    def term(self, D, pair):
        return self.config.gamma / 2 * zero_centered_penalty(D, pair.fake, *pair.fake_condition)


class GradientPenalty(Regularizer):
    """The gradient's norm held at a target between real and fake (Gulrajani et al., 2017, eq. 3)."""

    class Config(Settings):
        weight: float = Field(10.0, ge=0, le=1e6, description="of the squared distance from the target")
        target: float = Field(1.0, ge=0, le=1e3, description="norm of the gradient that is aimed at")
        every: int = EVERY

    slopes = "penalised"

    def term(self, D, pair):
        x = interpolate(pair.real, pair.fake)
        return self.config.weight * gradient_penalty(D, x, *pair.between, target=self.config.target)


class DRAGAN(Regularizer):
    """The gradient's norm held at a target around real images (Kodali et al., 2017, section 2.5)."""

    class Config(Settings):
        weight: float = Field(10.0, ge=0, le=1e6, description="of the squared distance from the target")
        target: float = Field(1.0, ge=0, le=1e3, description="norm of the gradient that is aimed at")
        deviation: float = Field(0.5, gt=0, le=2, description="standard deviation of the noise that is added to images")
        every: int = EVERY

    slopes = "penalised"

    def term(self, D, pair):
        x = pair.real + self.config.deviation * torch.randn_like(pair.real)
        return self.config.weight * gradient_penalty(D, x, *pair.condition, target=self.config.target)


class Consistency(Regularizer):
    """The same score for an image and its shifted or mirrored self (Zhang et al., 2020; Zhao et al., 2021)."""

    class Config(Settings):
        weight: float = Field(10.0, ge=0, le=1e6, description="of the squared difference of scores, on real images")
        fake_weight: float = Field(0.0, ge=0, le=1e6, description="the same on generated images; 0: none")
        translation: float = Field(0.125, ge=0, le=1, description="furthest shift, as a share of the side")
        fill: float = Field(0.0, ge=-1, le=1, description="what a shift leaves behind; -1 is black, 0 grey, 1 white")
        flip: bool = Field(False, description="mirror half of them; not where that changes what is shown")
        every: int = EVERY

    def term(self, D, pair):
        real = self.config.weight, pair.real, pair.condition
        fake = self.config.fake_weight, pair.fake, pair.fake_condition
        terms = [w * self.difference(D, x, condition) for w, x, condition in (real, fake) if w]
        return torch.stack(terms).sum() if terms else pair.real.new_zeros(())

    def difference(self, D, images, condition):
        other = randomly_shifted(images, self.config.translation, self.config.fill)
        if self.config.flip:
            mirror = torch.rand(len(images), 1, 1, 1, device=images.device) < 0.5
            other = other.flip(3).where(mirror, other)
        first, second = scales(D(images, *condition)), scales(D(other, *condition))
        apart = [wide(a - b).square().mean() for a, b in zip(first, second, strict=True)]
        return torch.stack(apart).mean()


def scales(logits):
    """Logits as a list, of one scale or several."""
    return [logits] if isinstance(logits, torch.Tensor) else list(logits)
