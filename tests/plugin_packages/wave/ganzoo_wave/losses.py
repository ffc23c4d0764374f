"""A loss that saturates on both sides."""

import torch

from ganzoo import Loss


class Wave(Loss):
    """The squared sigmoid of the logit: flat where the discriminator is right (after Ma et al., 2018)."""

    def discriminator_loss(self, real, fake):
        return torch.sigmoid(-real).square().mean() + torch.sigmoid(fake).square().mean()

    def generator_loss(self, fake, real):
        return torch.sigmoid(-fake).square().mean()
