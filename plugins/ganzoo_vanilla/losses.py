"""Adversarial losses. Each is a formula on logits; `ganzoo.Loss` averages over scales and widens to float32."""

import torch
from torch import Tensor
from torch.nn.functional import relu, softplus

from ganzoo import Loss


class NonSaturating(Loss):
    """Binary cross-entropy; the generator maximises log D(G(z)) (Goodfellow et al., 2014, section 3)."""

    def discriminator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        return softplus(-real).mean() + softplus(fake).mean()

    def generator_loss(self, fake: Tensor, real: Tensor | None) -> Tensor:
        return softplus(-fake).mean()


class Minimax(NonSaturating):
    """Binary cross-entropy; the generator minimises log(1 - D(G(z))) (Goodfellow et al., 2014, eq. 1)."""

    def generator_loss(self, fake: Tensor, real: Tensor | None) -> Tensor:
        return -softplus(fake).mean()


class LeastSquares(Loss):
    """Squared distance to the targets 1 (real) and 0 (fake), halved (Mao et al., 2017, eq. 9)."""

    def discriminator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        return ((real - 1).square().mean() + fake.square().mean()) / 2

    def generator_loss(self, fake: Tensor, real: Tensor | None) -> Tensor:
        return (fake - 1).square().mean() / 2


class Hinge(Loss):
    """Margins at 1 and -1 for the discriminator, the mean logit for the generator (Lim and Ye, 2017)."""

    def discriminator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        return relu(1 - real).mean() + relu(1 + fake).mean()

    def generator_loss(self, fake: Tensor, real: Tensor | None) -> Tensor:
        return -fake.mean()


class Wasserstein(Loss):
    """The critic's difference of means (Arjovsky et al., 2017, eq. 2); needs a gradient penalty."""

    only_differences = needs_slopes = True

    def discriminator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        return fake.mean() - real.mean()

    def generator_loss(self, fake: Tensor, real: Tensor | None) -> Tensor:
        return -fake.mean()


class Relativistic(Loss):
    """Each fake against its real (relativistic pairing; Jolicoeur-Martineau, 2018; Huang et al., 2024, eq. 2)."""

    relativistic = only_differences = True

    def discriminator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        return softplus(fake - real).mean()

    def generator_loss(self, fake: Tensor, real: Tensor | None) -> Tensor:
        return softplus(torch.as_tensor(real) - fake).mean()
