"""The order of updates: one discriminator and one generator step, with or without a gradient penalty."""

import math

import torch
from pydantic import Field
from torch import Tensor

from ganzoo import Settings, Strategy, Update
from ganzoo.penalties import gradient_penalty, interpolate


class GAN(Strategy):
    """One discriminator update, then one generator update on the same fakes (Goodfellow et al., 2014)."""

    def step(self, nets, batches):
        G, D = nets.generator, nets.discriminator
        real, *condition = next(batches)
        fake = G(G.latent(len(real)), *condition)
        real_logits, fake_logits = self.logits(D, (real, fake.detach()), *condition)
        yield Update(D, self.loss.discriminator(real_logits, fake_logits), gap=gap(real_logits, fake_logits))
        yield Update(G, self.loss.generator(D(fake, *condition), self.real_logits(D, real, *condition)))


class WGANGP(Strategy):
    """Critic updates with a penalty between real and fake, then one of the generator (Gulrajani et al., 2017)."""

    class Config(Settings):
        critic_steps: int = Field(
            5, ge=1, le=100, description="critic updates per generator update, each on a fresh batch"
        )
        penalty: float = Field(10.0, ge=0, le=1e6, description="weight of the gradient penalty")

    slopes = "penalised"

    def step(self, nets, batches):
        G, D = nets.generator, nets.discriminator
        for _ in range(self.config.critic_steps):
            real, *condition = next(batches)
            fake = G(G.latent(len(real)), *condition).detach()
            real_logits, fake_logits = self.logits(D, (real, fake), *condition)
            penalty = gradient_penalty(D, interpolate(real, fake), *condition)
            loss = self.loss.discriminator(real_logits, fake_logits) + self.config.penalty * penalty
            yield Update(D, loss, penalty=penalty, gap=gap(real_logits, fake_logits))
        fake = G(G.latent(len(real)), *condition)
        yield Update(G, self.loss.generator(D(fake, *condition), self.real_logits(D, real, *condition)))


class R1R2(Strategy):
    """Zero-centred gradient penalties on real (R1) and fake (R2) images (Huang et al., 2024, eq. 3 and 4)."""

    class Config(Settings):
        gamma: float = Field(1.0, ge=0, le=1e6, description="weight: gamma / 2 times the squared gradient norm")
        final_gamma: float | None = Field(None, ge=0, le=1e6, description="what gamma ends at; left out: it stays")
        burn_in: float = Field(0.3, gt=0, le=1, description="fraction of the budget over which gamma falls (cosine)")

    slopes = "penalised"

    def gamma(self):
        start, end = self.config.gamma, self.config.final_gamma
        way = min(1.0, self.progress.fraction / self.config.burn_in)
        return start if end is None else end + (start - end) * (1 + math.cos(math.pi * way)) / 2

    def step(self, nets, batches):
        G, D = nets.generator, nets.discriminator
        real, *condition = next(batches)
        fake = G(G.latent(len(real)), *condition)
        logits, slopes = self.logits_and_slopes(D, (real, fake.detach()), *condition)
        r1, r2 = (squared.mean() for squared in slopes)
        loss = self.loss.discriminator(*logits) + self.varying(self.gamma) / 2 * (r1 + r2)
        yield Update(D, loss, r1=r1, r2=r2, gap=gap(*logits))
        yield Update(G, self.loss.generator(D(fake, *condition), self.real_logits(D, real, *condition)))


def gap(real, fake):
    """Mean real logit less mean fake logit, over all scales: how far apart the discriminator holds them."""
    if not isinstance(real, Tensor):
        return torch.stack([gap(*scale) for scale in zip(real, fake, strict=True)]).mean()
    return (real.detach() - fake.detach()).mean()
