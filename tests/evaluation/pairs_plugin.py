"""A plugin of pairs made of the digits: half size and whole, thin and thick; and networks to be judged on them."""

from typing import Literal

import torch
from pydantic import Field
from torch import nn
from torch.nn.functional import interpolate, l1_loss, max_pool2d

from ganzoo import Architecture, ResidentDataset, Settings, Spec, Strategy, Translator, Update, hookimpl
from ganzoo_data.mnist import MNIST10k


class Split(Settings):
    split: Literal["train", "test"] = Field("train", description="test is for measuring")


class Halves(ResidentDataset):
    """Digits at half their size, and whole."""

    Config = Split

    def __init__(self, config=None):
        super().__init__(config)
        digits = MNIST10k(MNIST10k.Config(split=self.config.split)).data["image"][:1000]
        self.pair(digits)

    def pair(self, digits):
        low = nn.functional.avg_pool2d(digits.float(), 2).round().byte()
        self.hold(low=low, high=digits)
        self.spec = Spec(name=f"halves ({self.config.split})", count=len(low), channels=1, scale=2, licence="CC0-1.0")


class Thick(Halves):
    """Digits, and others drawn with a thicker pen."""

    def pair(self, digits):
        thick = max_pool2d(digits.float(), 3, 1, 1).byte()
        self.hold(a=digits, b=thick.roll(1, 0))
        self.spec = Spec(
            name=f"thick ({self.config.split})",
            count=len(digits),
            channels=1,
            domains=("thin", "thick"),
            licence="CC0-1.0",
        )


class Enlarging(Architecture):
    """The nearest pixel, and a convolution of what that misses (Dong et al., 2014)."""

    class Config(Settings):
        scale: int = Field(1, ge=1, le=2, description="how much larger the result is")

    networks = ("generator",)

    def build(self, network):
        return Enlarger(self.config.scale)


class Enlarger(Translator):
    def __init__(self, scale):
        super().__init__()
        self.scale = scale
        self.layers = nn.Sequential(nn.Conv2d(1, 16, 5, padding=2), nn.ReLU(), nn.Conv2d(16, scale**2, 3, padding=1))
        nn.init.zeros_(self.layers[2].weight), nn.init.zeros_(self.layers[2].bias)

    def forward(self, images):
        missed = torch.pixel_shuffle(self.layers(images), self.scale)
        return interpolate(images, scale_factor=self.scale) + missed if self.scale > 1 else images + missed


class Flat(MNIST10k):
    """The digits, which go by other names in training than in its test split."""

    def __init__(self, config=None):
        super().__init__(config)
        if self.config.split == "train":
            self.hold(low=self.data["image"], high=self.data["image"])


class Near(Strategy):
    """One update down the distance to the original (Dong et al., 2014)."""

    networks, inputs, needs_loss = ("generator",), ("low", "high"), False

    def step(self, nets, batches):
        low, high = next(batches)
        yield Update(nets.generator, l1_loss(nets.generator(low), high))


@hookimpl
def ganzoo_strategies():
    return {"near": f"{__name__}:Near"}


@hookimpl
def ganzoo_architectures():
    return {"enlarging": f"{__name__}:Enlarging"}


@hookimpl
def ganzoo_datasets():
    return {"halves": f"{__name__}:Halves", "thick": f"{__name__}:Thick", "flat": f"{__name__}:Flat"}
