"""The order of updates for restoring pictures: by distance alone, or with a discriminator."""

from typing import Literal

import torch
from pydantic import Field
from torch.nn.functional import cosine_similarity

from ganzoo import Settings, Strategy, Update, wide
from ganzoo.evaluation.parts import features

Distance = Literal["l1", "charbonnier", "mse"]


class Pixel(Strategy):
    """One update down the distance of the enlarged picture to the original (Dong et al., 2014; Lim et al., 2017)."""

    class Config(Settings):
        distance: Distance = Field("l1", description="l1, charbonnier (l1, smooth near 0) or mse")

    networks = ("generator",)
    inputs = "low", "high"
    needs_loss = False

    def step(self, nets, batches):
        low, high, *condition = next(batches)
        made = nets.generator(low, *condition)
        yield Update(nets.generator, distance(self.config.distance, made, high))


class SRGAN(Strategy):
    """The distance to the original, that of features, and a discriminator (Ledig et al., 2017).

    With the loss `relativistic` it is near to ESRGAN (Wang et al., 2018), whose loss is the relativistic average: it
    holds each picture against the mean score of the other kind, where ours pairs each fake with its real.
    """

    class Config(Settings):
        distance: Distance = Field("l1", description="l1, charbonnier (l1, smooth near 0) or mse")
        pixel: float = Field(1.0, ge=0, le=1e6, description="weight of the distance to the original")
        perceptual: float = Field(1.0, ge=0, le=1e6, description="weight of the distance of features; 0: none")
        adversarial: float = Field(0.01, ge=0, le=1e6, description="weight of the adversarial loss")
        network: str = Field("effnet-lite0,size=96", max_length=200, description="feature network, with its settings")

    inputs = "low", "high"

    def __init__(self, config=None, loss=None):
        super().__init__(config, loss)
        self.features = features(self.config.network) if self.config.perceptual else None

    def step(self, nets, batches):
        G, D, weights = nets.generator, nets.discriminator, self.config
        low, high, *condition = next(batches)
        fake = G(low, *condition)
        real_logits, fake_logits = self.logits(D, (high, fake.detach()))
        yield Update(D, self.loss.discriminator(real_logits, fake_logits), gap=(real_logits - fake_logits).mean())
        adversarial = self.loss.generator(D(fake), self.real_logits(D, high))
        pixel = distance(weights.distance, fake, high)
        loss = weights.pixel * pixel + weights.adversarial * adversarial
        metrics = {"pixel": pixel, "adversarial": adversarial}
        if self.features is not None:
            metrics["perceptual"] = features_apart(self.features, fake, high, self.progress.step)
            loss = loss + weights.perceptual * metrics["perceptual"]
        yield Update(G, loss, **metrics)


def distance(kind, made, wanted):
    """The mean over pixels, a scalar, of images in [-1, 1]."""
    difference = wide(made) - wanted
    if kind == "mse":
        return difference.square().mean()
    return difference.abs().mean() if kind == "l1" else (difference.square() + 1e-6).sqrt().mean()


def features_apart(network, made, wanted, step=0):
    """1 less the cosine of a frozen network's features at each place, mean over layers (Johnson et al., 2016).

    Images (N, C, H, W) in [-1, 1]. Both are rolled, each step another way: seen always in one place, the strides of the
    network let a chequered pattern through.
    """
    shift = step * 13 % 32, step * 7 // 3 % 32  # no random numbers, which micro-batches would not share
    made, wanted = (images.roll(shift, (2, 3)) for images in (made, wanted))
    network.beside(made)
    with torch.no_grad():
        target = network.maps(network.prepare((wanted + 1) / 2))
    found = network.maps(network.prepare((made + 1) / 2))
    return torch.stack([1 - cosine_similarity(a, b).mean() for a, b in zip(found, target, strict=True)]).mean()
