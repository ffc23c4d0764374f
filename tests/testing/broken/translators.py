"""Broken translators, and broken strategies that train other networks on other inputs, beside good ones."""

import torch
from pydantic import Field
from torch import nn
from torch.nn.functional import interpolate, l1_loss

from ganzoo import Architecture, Settings, Strategy, Translator, Update
from tests.testing.broken.marks import caught_by


class Enlarges(Architecture):
    """Twice as large by one convolution (Dong et al., 2014)."""

    class Config(Settings):
        scale: int = Field(2, ge=2, le=2, description="how much larger the result is")
        channels: int = Field(3, ge=1, le=3, description="of the images")

    networks = ("generator",)

    def build(self, network):
        return self.maker(self.config)

    class maker(Translator):
        scale, context = 2, 1

        def __init__(self, config):
            super().__init__()
            self.layer = nn.Conv2d(config.channels, 4 * config.channels, 3, padding=1)

        def forward(self, images):
            return torch.pixel_shuffle(self.layer(images), 2)


@caught_by("shapes", "any_size")
class SaysNoScale(Enlarges):
    class maker(Enlarges.maker):
        scale = 1


@caught_by("any_size")
class LooksFurther(Enlarges):
    class maker(Enlarges.maker):
        def forward(self, images):
            return super().forward(images + images.mean((2, 3), keepdim=True))


@caught_by("any_size", "model_folder", "torch_export", "onnx")
class NeedsMultiples(Enlarges):
    class maker(Enlarges.maker):
        context = None

        def forward(self, images):
            return super().forward(interpolate(nn.functional.avg_pool2d(images, 8), scale_factor=8) + images)


@caught_by("determinism", "state", "model_folder", "torch_export", "onnx", also=["any_size"])
class NoiseInEval(Enlarges):
    class maker(Enlarges.maker):
        def forward(self, images):
            return nn.functional.dropout(super().forward(images), 0.5, training=True)


@caught_by("gradients")
class IdleWeights(Enlarges):
    class maker(Enlarges.maker):
        def __init__(self, config):
            super().__init__(config)
            self.other = nn.Conv2d(3, 3, 1)


@caught_by("per_sample")
class MixesPictures(Enlarges):
    class maker(Enlarges.maker):
        def forward(self, images):
            return super().forward(images - images.mean(0) if self.training else images)


class Paints(Enlarges):
    """Masks of one channel to pictures twice as large (Isola et al., 2017)."""

    class maker(Translator):
        scale, context, channels = 2, 1, 1

        def __init__(self, config):
            super().__init__()
            self.layer = nn.Conv2d(1, 4 * config.channels, 3, padding=1)

        def forward(self, masks):
            return torch.pixel_shuffle(self.layer(masks), 2)


class TwoWays(Enlarges):
    """Two translators of one picture (Zhu et al., 2017)."""

    networks = published = ("forward", "backward")


class Restores(Strategy):
    """One update down the distance to the original (Dong et al., 2014)."""

    networks, inputs, needs_loss = ("generator",), ("low", "high"), False

    def step(self, nets, batches):
        low, high = next(batches)
        yield Update(nets.generator, self.distance(nets.generator(low), high))

    def distance(self, made, wanted):
        return l1_loss(made, wanted)


@caught_by("shards_equal")
class SumsPixels(Restores):
    def distance(self, made, wanted):
        return l1_loss(made, wanted, reduction="sum") / 1000


REFUSED = "steps", "trains_all", "overfits", "determinism", "exact_resume", "shards_equal", "bf16"


@caught_by(*REFUSED)
class DetachedPicture(Restores):
    def distance(self, made, wanted):
        return l1_loss(made.detach(), wanted)


@caught_by("named_networks_only", also=["overfits"])
class ChangesTheOriginal(Restores):
    def distance(self, made, wanted):
        return l1_loss(made, wanted.mul_(0.5))


@caught_by("exact_resume")
class ForgetsItsWeight(Restores):
    def __init__(self, config=None, loss=None):
        super().__init__(config, loss)
        self.weight = 1.0

    def distance(self, made, wanted):
        return self.weight * l1_loss(made, wanted)

    def after_step(self, means):
        self.weight *= 0.9


class Both(Strategy):
    """Both translators in one update (Zhu et al., 2017)."""

    networks, inputs, needs_loss = ("forward", "backward"), ("low", "high"), False

    def step(self, nets, batches):
        low, high = next(batches)
        yield Update(
            (nets.forward, nets.backward), l1_loss(nets.forward(low), high) + l1_loss(nets.backward(low), -high)
        )


@caught_by("trains_all")
class ForgetsOne(Both):
    def step(self, nets, batches):
        low, high = next(batches)
        yield Update(nets.forward, l1_loss(nets.forward(low), high))


@caught_by("shards_equal", "no_values_in_step")
class PartsByValue(Both):
    def step(self, nets, batches):
        low, high = next(batches)
        yield Update(nets.forward, l1_loss(nets.forward(low), high))
        if low.mean() > high[0].mean():
            yield Update(nets.forward, l1_loss(nets.forward(low), high))
        yield Update(nets.backward, l1_loss(nets.backward(low), -high))
