"""Variational inference: an encoder and a generator under one bound, alone or with a discriminator as the judge."""

import math
from typing import Literal

import torch
from pydantic import Field
from torch.nn.functional import binary_cross_entropy

from ganzoo import Settings, Strategy, Update, wide


class VAE(Strategy):
    """Maximises the evidence lower bound (Kingma and Welling, 2014, eq. 10), weighted by beta (Higgins et al., 2017).

    With a recipe's conditions it is the conditional VAE (Sohn et al., 2015, eq. 4).
    """

    class Config(Settings):
        beta: float = Field(1.0, ge=0, le=1e4, description="weight of the rate, the divergence from the prior")
        likelihood: Literal["normal", "bernoulli"] = Field(
            "normal", description="of the pixels; bernoulli: black or white with the chance that their grey says"
        )
        deviation: float = Field(0.6, gt=0, le=10, description="of normal pixels around the mean, in [-1, 1]")

    networks = "encoder", "generator"
    needs = ("posterior",)
    needs_loss = False

    def step(self, nets, batches):
        E, G = nets.encoder, nets.generator
        real, *condition = next(batches)
        latents, rate = posterior(*E(real, *condition))
        made = G(latents, *condition)
        if self.config.likelihood == "bernoulli":
            distortion, constant = surprise(made, real), 0.0
        else:
            distortion = distance(made / self.config.deviation, real / self.config.deviation)
            constant = math.log(self.config.deviation * math.sqrt(2 * math.pi))
        nats = (distortion + rate) / real[0].numel() + constant
        yield Update(
            (E, G), distortion + self.config.beta * rate, rate=rate, distortion=distortion, nats_per_value=nats
        )


class VAEGAN(Strategy):
    """Distances are measured in the discriminator's features, and fakes have to convince it (Larsen et al., 2016).

    The three networks move together, as in the paper's algorithm 1. Where that adds the adversarial terms of the two
    fakes, of reconstructions and of samples, their mean is taken here: fakes weigh as much as real images, and
    `content` twice as much as the paper's gamma.
    """

    class Config(Settings):
        content: float = Field(1e-3, ge=0, le=1e4, description="the generator's weight of the distance (half of gamma)")

    networks = "encoder", "generator", "discriminator"
    needs = "posterior", "features"

    def step(self, nets, batches):
        E, G, D = nets.encoder, nets.generator, nets.discriminator
        real, *condition = next(batches)
        latents, rate = posterior(*E(real, *condition))
        seen = [D.outputs(x, *condition) for x in (real, G(latents, *condition), G(G.latent(len(real)), *condition))]
        content = distance(seen[1].features, seen[0].features)
        fooled = [self.loss.discriminator(seen[0].logits, fake.logits) for fake in seen[1:]]
        fooling = [self.loss.generator(fake.logits, seen[0].logits) for fake in seen[1:]]
        yield (
            Update(E, rate + content, rate=rate, content=content),
            Update(G, self.config.content * content + torch.stack(fooling).mean()),
            Update(D, torch.stack(fooled).mean()),
        )


def posterior(mean, log_variance):
    """A latent from each posterior, and the mean divergence from N(0, 1) in nats (Kingma and Welling, appendix B)."""
    divergence = (wide(mean).square() + wide(log_variance).exp() - 1 - wide(log_variance)).sum(1) / 2
    return mean + (log_variance / 2).exp() * torch.randn_like(mean), divergence.mean()


def surprise(made, real):
    """Cross-entropy in nats of an example in the mean, of greys in [-1, 1] as chances of white (appendix C.1)."""
    chance, white = ((wide(x) + 1) / 2 for x in (made, real))
    return binary_cross_entropy(chance.clamp(1e-6, 1 - 1e-6), white, reduction="sum") / len(real)


def distance(a, b):
    """Half the squared distance of two examples, in the mean."""
    return (wide(a) - wide(b)).square().flatten(1).sum(1).mean() / 2
