"""The order of updates for restoring pictures: by distance alone, or with a discriminator."""

from typing import Literal

import torch
from pydantic import Field

from ganzoo import Settings, Strategy, Update

Distance = Literal["l1", "charbonnier", "mse"]


class Pixel(Strategy):
    """One update down the distance of the enlarged picture to the original (Dong et al., 2014; Lim et al., 2017)."""

    class Config(Settings):
        distance: Distance = Field("l1", description="l1, charbonnier (l1, smooth near 0) or mse")

    networks = ("generator",)
    inputs = ("low", "high")
    needs_loss = False

    def step(self, nets, batches):
        low, high, *condition = next(batches)
        yield Update(nets.generator, distance(self.config.distance, nets.generator(low, *condition), high))


def distance(kind, made, wanted):
    """The mean over pixels, as a scalar, of images in [-1, 1]."""
    difference = made.float() - wanted
    if kind == "mse":
        return difference.square().mean()
    return difference.abs().mean() if kind == "l1" else (difference.square() + 1e-6).sqrt().mean()
