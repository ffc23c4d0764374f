"""Broken strategies, beside a good one, each wrong in one line."""

import random
import time

import numpy as np
import torch

from ganzoo import Strategy, Update
from ganzoo.penalties import gradient_penalty
from tests.testing.broken.marks import caught_by


class Fine(Strategy):
    """One discriminator update, then one generator update (Goodfellow et al., 2014)."""

    def step(self, nets, batches):
        G, D = nets.generator, nets.discriminator
        real, *condition = next(batches)
        fake = G(G.latent(len(real)), *condition)
        yield self.judge(D, real, fake.detach(), condition)
        yield self.make(G, D, real, fake, condition)

    def judge(self, D, real, fake, condition):
        return Update(D, self.loss.discriminator(D(real, *condition), D(fake, *condition)))

    def make(self, G, D, real, fake, condition):
        return Update(G, self.loss.generator(D(fake, *condition), self.real_logits(D, real, *condition)))


@caught_by("direction")
class WrongSign(Fine):
    def make(self, G, D, real, fake, condition):
        update = super().make(G, D, real, fake, condition)
        return Update(G, -update.loss)


@caught_by("direction", "takes_a_relativistic_loss")
class Swapped(Fine):
    def judge(self, D, real, fake, condition):
        return Update(D, self.loss.discriminator(D(fake, *condition), D(real, *condition)))

    def make(self, G, D, real, fake, condition):
        return Update(G, self.loss.generator(D(fake, *condition)))


# an update that the engine refuses fails wherever steps are taken
REFUSED = "steps", "trains_all", "direction", "overfits", "label_sensitivity", "determinism", "exact_resume"
REFUSED = *REFUSED, "shards_equal", "takes_a_relativistic_loss"


@caught_by(*REFUSED, "bf16")
class DetachedGenerator(Fine):
    def make(self, G, D, real, fake, condition):
        return super().make(G, D, real, fake.detach(), condition)


@caught_by(*REFUSED)
class StaleGraph(Fine):
    def step(self, nets, batches):
        G, D = nets.generator, nets.discriminator
        real, *condition = next(batches)
        fake = G(G.latent(len(real)), *condition)
        late = self.make(G, D, real, fake, condition)
        yield self.judge(D, real, fake.detach(), condition)
        yield late


@caught_by(*REFUSED, "bf16", "state_in_after_step")
class AssignsToSelf(Fine):
    def step(self, nets, batches):
        self.count = 1
        yield from super().step(nets, batches)


@caught_by("state_in_after_step")
class AppendsToSelf(Fine):
    def __init__(self, config=None, loss=None):
        super().__init__(config, loss)
        self.seen = []

    def step(self, nets, batches):
        self.seen.append(1)
        yield from super().step(nets, batches)


@caught_by("state_in_after_step")
class MovesItsBuffer(Fine):
    def __init__(self, config=None, loss=None):
        super().__init__(config, loss)
        self.register_buffer("steps", torch.zeros(()))

    def step(self, nets, batches):
        self.steps.add_(1)
        yield from super().step(nets, batches)


@caught_by("exact_resume")
class StateNotSaved(Fine):
    def __init__(self, config=None, loss=None):
        super().__init__(config, loss)
        self.weight = 1.0

    def make(self, G, D, real, fake, condition):
        return Update(G, self.weight * super().make(G, D, real, fake, condition).loss)

    def after_step(self, means):
        self.weight *= 0.9


@caught_by("label_sensitivity")
class LabelIgnored(Fine):
    def step(self, nets, batches):
        yield from super().step(nets, ((real, *(c * 0 for c in condition)) for real, *condition in batches))


@caught_by("determinism", "exact_resume", "shards_equal", also=["overfits"])
class HiddenRandomness(Fine):
    def make(self, G, D, real, fake, condition):
        return Update(G, (1 + random.random()) * super().make(G, D, real, fake, condition).loss)


@caught_by("determinism", "exact_resume", "shards_equal", also=["overfits"])
class HiddenNumpy(Fine):
    def make(self, G, D, real, fake, condition):
        return Update(G, (1 + np.random.rand()) * super().make(G, D, real, fake, condition).loss)  # noqa: NPY002


@caught_by("determinism", "exact_resume", "shards_equal", also=["overfits"])
class ReadsTheClock(Fine):
    def make(self, G, D, real, fake, condition):
        return Update(G, (1 + time.time_ns() % 1000 / 1000) * super().make(G, D, real, fake, condition).loss)


@caught_by("interpolates_per_example")
class AlphaPerPixel(Fine):
    def judge(self, D, real, fake, condition):
        update = super().judge(D, real, fake, condition)
        between = real + torch.rand_like(real) * (fake - real)
        return Update(D, update.loss + gradient_penalty(D, between, *condition))


@caught_by("shards_equal")
class SumsOverTheBatch(Fine):
    def make(self, G, D, real, fake, condition):
        return Update(G, super().make(G, D, real, fake, condition).loss * len(real))


@caught_by("shards_equal", "no_values_in_step")
class DependsOnValues(Fine):
    def step(self, nets, batches):
        G, D = nets.generator, nets.discriminator
        real, *condition = next(batches)
        fake = G(G.latent(len(real)), *condition)
        yield self.judge(D, real, fake.detach(), condition)
        if real[0, 0, 0, 0] > 0.5:
            yield self.judge(D, real, fake.detach(), condition)
        yield self.make(G, D, real, fake.detach() * 0 + G(G.latent(len(real)), *condition), condition)


@caught_by("no_values_in_step")
class CallsItem(Fine):
    def make(self, G, D, real, fake, condition):
        update = super().make(G, D, real, fake, condition)
        update.loss.item()
        return update


@caught_by("named_networks_only")
class ChangesTheBatch(Fine):
    def judge(self, D, real, fake, condition):
        return super().judge(D, real.mul_(0.5), fake, condition)


@caught_by("named_networks_only")
class CallsBackward(Fine):
    def make(self, G, D, real, fake, condition):
        update = super().make(G, D, real, fake, condition)
        update.loss.backward(retain_graph=True)
        return update


@caught_by("takes_a_relativistic_loss")
class ForgetsTheReal(Fine):
    def make(self, G, D, real, fake, condition):
        return Update(G, self.loss.generator(D(fake, *condition)))


@caught_by("trains_all", "direction", "label_sensitivity")
class NeverTheGenerator(Fine):
    def step(self, nets, batches):
        yield next(super().step(nets, batches))


@caught_by("determinism")
class IgnoresTheSeed(Fine):
    def step(self, nets, batches):
        G, D = nets.generator, nets.discriminator
        real, *condition = next(batches)
        latents = torch.randn(len(real), 4, generator=torch.Generator().manual_seed(0), dtype=real.dtype)
        fake = G(latents, *condition)
        yield self.judge(D, real, fake.detach(), condition)
        yield self.make(G, D, real, fake, condition)


@caught_by("bf16")
class NarrowsItsWeights(Fine):
    def step(self, nets, batches):
        if torch.is_autocast_enabled("cpu"):
            nets.generator.bfloat16()
        yield from super().step(nets, batches)


class FineInPhases(Fine):
    """The generator alone learns the mean picture, then both play: nothing is wrong with it."""

    def step(self, nets, batches):
        if self.progress.fraction < 0.5:
            real, *condition = next(batches)
            yield Update(
                nets.generator, (nets.generator(nets.generator.latent(len(real)), *condition) - real).square().mean()
            )
        else:
            yield from super().step(nets, batches)


@caught_by("direction")
class WrongSignLater(FineInPhases):
    def make(self, G, D, real, fake, condition):
        return Update(G, -super().make(G, D, real, fake, condition).loss)


@caught_by("label_sensitivity")
class LabelIgnoredLater(FineInPhases):
    def step(self, nets, batches):
        late = self.progress.fraction > 0.5
        yield from super().step(nets, ((real, *(c * (not late) for c in condition)) for real, *condition in batches))


@caught_by("no_values_in_step")
class CallsItemLater(FineInPhases):
    def judge(self, D, real, fake, condition):
        update = super().judge(D, real, fake, condition)
        update.loss.item()
        return update
