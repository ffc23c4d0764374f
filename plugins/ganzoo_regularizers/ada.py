"""Augmentation whose strength follows how far the discriminator overfits."""

import math

import torch
from pydantic import Field
from torch import Tensor

from ganzoo import Regularizer, Settings, wide
from ganzoo_regularizers.augmentations import randomly_shifted, scaled, square, uniform


class ADA(Regularizer):
    """Adaptive discriminator augmentation (Karras et al., 2020, "Limited data", sections 2 and 3, appendix B).

    Each transformation happens to an image with probability p, and p follows the mean sign of D on real images; with a
    loss that knows differences alone (`only_differences`) that of D on a real image less D on the fake beside it. What
    a flip, a turn or an inversion does is drawn first, and to do nothing is one of the outcomes, so that pictures as
    they are stay the most frequent (appendix B). Of the paper's, those that move or colour pixels are here; those that
    resample the image aren't.
    """

    class Config(Settings):
        target: float = Field(0.6, ge=-1, le=1, description="mean sign of D on real images that p aims at")
        speed: int = Field(500_000, ge=1, le=10**9, description="images over which p can rise from 0 to 1")
        start: float = Field(0.0, ge=0, le=1, description="probability in the beginning")
        most: float = Field(0.8, ge=0, le=1, description="greatest probability; beyond 0.8 augmentations leak")
        flips: bool = Field(True, description="mirror and turn by quarters; false where these change what is shown")
        translation: float = Field(0.125, ge=0, le=1, description="furthest shift, as a share of the side")
        fill: float = Field(0.0, ge=-1, le=1, description="what a shift leaves behind; -1 is black, 0 grey, 1 white")
        colour: bool = Field(True, description="brightness, contrast, inverted lightness, hue, saturation")
        cutout: float = Field(
            0.0, ge=0, le=1, description="side of the grey square, as a share of the image's; 0: none"
        )

    def __init__(self, config=None):
        super().__init__(config)
        self.register_buffer("p", torch.tensor(self.config.start))
        self.register_buffer("images", torch.zeros((), dtype=torch.int64))

    def observe(self, real, fake):
        signs = [wide(scale.detach().sign()).mean() for scale in ([real] if isinstance(real, Tensor) else real)]
        return {"real_sign": torch.stack(signs).mean(), "ada_p": self.p.clone()}

    def after_step(self, means, images):
        seen = [value for name, value in means.items() if name.endswith("/real_sign")]
        if not seen:  # the discriminator isn't trained in every step
            return
        way = (torch.stack(seen).mean() - self.config.target).sign() * (images - self.images) / self.config.speed
        self.p.add_(way).clamp_(0, self.config.most)
        self.images.fill_(images)

    def augment(self, images):
        c = self.config
        if c.flips:
            images = images.flip(3).where(self.chosen(images) & coin(images), images)
            turns = self.sometimes(images, (4 * uniform(images)).floor(), 0)
            if images.shape[2] == images.shape[3]:
                images = images.rot90(1, (2, 3)).where(turns % 2 == 1, images)
            images = images.flip((2, 3)).where(turns >= 2, images)
        if c.translation:
            images = randomly_shifted(images, c.translation, c.fill).where(self.chosen(images), images)
        if c.colour:
            images = self.coloured(images)
        return images * ~(square(images, c.cutout) & self.chosen(images)) if c.cutout else images

    def coloured(self, images):
        x = images + self.sometimes(images, 0.2 * normal(images), 0)
        x = scaled(x, 0, self.sometimes(images, torch.exp2(0.5 * normal(images)), 1))
        grey = x.mean(1, keepdim=True)
        x = x - 2 * grey * (self.chosen(images) & coin(images))  # inverts the lightness, keeps the colour
        if x.shape[1] != 3:
            return x
        x = torch.einsum("nij,njhw->nihw", turn(self.sometimes(images, 2 * math.pi * uniform(images), 0)), x)
        return scaled(x, x.mean(1, keepdim=True), self.sometimes(images, torch.exp2(normal(images)), 1))

    def chosen(self, images):
        """True for the images to which the next transformation happens: (N, 1, 1, 1)."""
        return uniform(images) < self.p

    def sometimes(self, images, values, otherwise):
        return values.where(self.chosen(images), otherwise)


def coin(images):
    """A fair coin for each image: (N, 1, 1, 1)."""
    return uniform(images) < 0.5


def normal(images):
    """A draw from N(0, 1) for each image: (N, 1, 1, 1)."""
    return torch.randn(len(images), 1, 1, 1, device=images.device, dtype=images.dtype)


def turn(angle):
    """The rotations of colour by these angles (N, 1, 1, 1) about the grey axis (Rodrigues' formula): (N, 3, 3)."""
    angle = angle.view(-1, 1, 1)
    one = torch.eye(3, device=angle.device, dtype=angle.dtype)
    cross = 3**-0.5 * (one.roll(1, 0) - one.roll(1, 1))
    return one * angle.cos() + cross * angle.sin() + (1 - angle.cos()) / 3
