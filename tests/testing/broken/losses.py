"""Broken losses, beside a good one."""

import torch
from pydantic import Field
from torch.nn.functional import softplus

from ganzoo import Loss, Settings
from tests.testing.broken.marks import caught_by


class Good(Loss):
    """Binary cross-entropy (Goodfellow et al., 2014)."""

    def discriminator_loss(self, real, fake):
        return softplus(-real).mean() + softplus(fake).mean()

    def generator_loss(self, fake, real):
        return softplus(-fake).mean()


@caught_by("sign")
class DiscriminatorSign(Good):
    def discriminator_loss(self, real, fake):
        return -super().discriminator_loss(real, fake)


@caught_by("sign")
class GeneratorSign(Good):
    def generator_loss(self, fake, real):
        return softplus(fake).mean()


@caught_by("slope")
class HalfDetached(Good):
    def generator_loss(self, fake, real):
        return softplus(-fake).mean() - 0.5 * fake.detach().mean()


@caught_by("slope")
class InPlace(Good):
    def discriminator_loss(self, real, fake):
        with torch.no_grad():
            fake.add_(0.0).clamp_(min=0.2)
        return super().discriminator_loss(real, fake)


@caught_by("scalar", "slope", "sign", "says_what_it_is")
class NotReduced(Good):
    def discriminator_loss(self, real, fake):
        return softplus(-real) + softplus(fake)


@caught_by("scalar")
class LogOfZero(Good):
    def generator_loss(self, fake, real):
        return -torch.sigmoid(fake).log().mean()


@caught_by("scalar", "says_what_it_is")
class OwnTurn(Good):
    def discriminator(self, real, fake):
        real, fake = (x if torch.is_tensor(x) else torch.cat(list(x)) for x in (real, fake))
        return self.discriminator_loss(real, fake)


@caught_by("says_what_it_is")
class SecretlyRelativistic(Good):
    def generator_loss(self, fake, real):
        return softplus(-fake if real is None else real - fake).mean()


@caught_by("says_what_it_is")
class SecretlyDifferences(Good):
    def discriminator_loss(self, real, fake):
        return softplus(fake - real).mean()


@caught_by("says_what_it_is")
class DifferencesByNameAlone(Good):
    only_differences = True


@caught_by("says_what_it_is")
class AverageOfBatch(Good):
    only_differences = True

    def discriminator_loss(self, real, fake):
        return softplus(fake.mean() - real).mean() + softplus(fake - real.mean()).mean()


@caught_by("says_what_it_is")
class Noisy(Good):
    per_sample = False

    def discriminator_loss(self, real, fake):
        return super().discriminator_loss(real, fake) * (1 + 1e-12 * torch.rand((), dtype=real.dtype))


@caught_by("bounded")
class Unbounded(Good):
    class Config(Settings):
        margin: float = Field(1.0, ge=0, description="of the hinge")


@caught_by("documented")
class Undescribed(Good):
    class Config(Settings):
        margin: float = Field(1.0, ge=0, le=9)


@caught_by("settings_round_trip")
class NoWayBack(Good):
    class Config(Settings):
        version = 2
