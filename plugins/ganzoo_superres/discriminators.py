"""Discriminators of enlarged pictures: one score a picture, or one a pixel. They take pictures of any size."""

from torch import Tensor, nn
from torch.nn.functional import interpolate, leaky_relu

from ganzoo import Discriminator


class VGGDiscriminator(Discriminator):
    """Pairs of convolutions, each pair halving the resolution, to one logit a picture, (N,) (Ledig et al., 2017).

    Without batch norm, which would mix the pictures of a batch; the mean over places stands for the dense layers, so
    that pictures may have any size from 16 pixels.
    """

    def __init__(self, channels: int, width: int):
        super().__init__()
        widths = [width, 2 * width, 4 * width, 8 * width]
        inputs = [channels, *widths[:-1]]
        self.same = nn.ModuleList(nn.Conv2d(a, b, 3, padding=1) for a, b in zip(inputs, widths, strict=True))
        self.halve = nn.ModuleList(nn.Conv2d(b, b, 4, 2, 1) for b in widths)
        self.score = nn.Linear(widths[-1], 1)

    def forward(self, images: Tensor) -> Tensor:
        for same, halve in zip(self.same, self.halve, strict=True):
            images = leaky_relu(halve(leaky_relu(same(images), 0.2)), 0.2)
        return self.score(images.mean((2, 3))).squeeze(1)


class UNetDiscriminator(Discriminator):
    """Down and up again with a logit for each pixel, (N, 1, H, W) (Schönfeld et al., 2020; Wang et al., 2021)."""

    def __init__(self, channels: int, width: int):
        super().__init__()
        widths = [width, 2 * width, 4 * width, 8 * width]
        self.first = nn.Conv2d(channels, width, 3, padding=1)
        self.downs = nn.ModuleList(nn.Conv2d(a, 2 * a, 4, 2, 1) for a in widths[:-1])
        self.ups = nn.ModuleList(nn.Conv2d(2 * a, a, 3, padding=1) for a in reversed(widths[:-1]))
        self.last = nn.Conv2d(width, width, 3, padding=1)
        self.score = nn.Conv2d(width, 1, 3, padding=1)

    def forward(self, images: Tensor) -> Tensor:
        x = leaky_relu(self.first(images), 0.2)
        passed = []
        for down in self.downs:
            passed.append(x)
            x = leaky_relu(down(x), 0.2)
        for up in self.ups:
            beside = passed.pop()
            x = interpolate(x, size=beside.shape[2:], mode="bilinear", align_corners=False)
            x = leaky_relu(up(x), 0.2) + beside
        return self.score(leaky_relu(self.last(x), 0.2))


def discriminator(kind: str, channels: int, width: int) -> nn.Module:
    """`vgg` or `unet`, for pictures (N, channels, H, W) in [-1, 1]."""
    return (UNetDiscriminator if kind == "unet" else VGGDiscriminator)(channels, width)
