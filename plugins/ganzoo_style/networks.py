"""The networks of translation: a U-Net, a ResNet, a discriminator of patches and heads for contrastive learning."""

from itertools import pairwise
from types import SimpleNamespace

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, dropout, hardtanh, leaky_relu, normalize, relu

from ganzoo import Discriminator, Translator


def norm(kind: str, channels: int) -> nn.Module:
    """A normalisation by name: batch, instance or none.

    It takes away a channel's mean, so the convolution before it has no bias: its gradient would be rounding alone,
    which Adam scales up to steps of full size.
    """
    if kind == "none":
        return nn.Identity()
    return nn.BatchNorm2d(channels) if kind == "batch" else nn.InstanceNorm2d(channels, affine=True)


class UNet(Translator):
    """Images (N, channels, H, W) to images of the same shape in [-1, 1], with skips at each scale (Isola et al., 2017).

    The first and the last convolution keep the size, so fine lines survive. The noise is dropout in the three
    innermost layers of the way up; in evaluation mode there is none, so a picture has one translation. `residual`: what
    it makes is added to the picture (He et al., 2016), so that it starts from the picture itself. `padding`: what the
    convolutions see beyond the border. From "zeros" they learn where it is, and may draw there. With "replicate" they
    see it repeated, and go up by doubling pixels before a convolution (Odena et al., 2016), so that where the picture
    is even nothing tells a border. `keep_white`: of the change as much is added as a pixel is away from white, from an
    eighth on all of it; so a white background stays. It is local unless its norm takes the whole picture's statistics.
    """

    def __init__(
        self,
        channels: int,
        width: int,
        depth: int,
        kind: str,
        noise: float,
        residual: bool,
        padding: str,
        keep_white: bool,
    ):
        super().__init__()
        self.keep_white = keep_white
        self.multiple, self.noise, self.residual = 2**depth, noise, residual
        self.context = None if kind == "instance" else 3 * 2**depth - 1
        widths = [min(width * 2**i, width * 8) for i in range(depth + 1)]
        self.widths = (channels, *widths)
        self.stem = nn.Conv2d(channels, width, 3, padding=1, padding_mode=padding)
        bias = kind == "none"
        self.downs = nn.ModuleList(
            nn.Conv2d(a, b, 4, 2, 1, bias=bias, padding_mode=padding) for a, b in pairwise(widths)
        )
        self.down_norms = nn.ModuleList(norm(kind, b) for b in widths[1:])
        ups = list(pairwise(reversed(widths)))
        # each but the innermost takes what came up beside what came down
        self.ups = nn.ModuleList(doubling(a * (2 if i else 1), b, bias, padding) for i, (a, b) in enumerate(ups))
        self.up_norms = nn.ModuleList(norm(kind, b) for _, b in ups)
        self.last = nn.Conv2d(2 * width, channels, 3, padding=1, padding_mode=padding)

    def features(self, images: Tensor) -> list[Tensor]:
        """The images, the stem's and each halving's output: (N, C, H, W) of several scales."""
        found = [images, self.stem(images)]
        for down, normed in zip(self.downs, self.down_norms, strict=True):
            found.append(normed(down(leaky_relu(found[-1], 0.2))))
        return found

    def forward(self, images: Tensor) -> Tensor:
        _, *skips = self.features(images)
        x = skips.pop()
        for i, (up, normed) in enumerate(zip(self.ups, self.up_norms, strict=True)):
            x = normed(up(relu(x)))
            if i < 3 and self.noise:
                x = dropout(x, self.noise, self.training)
            x = torch.cat([x, skips.pop()], 1)
        made = self.last(relu(x))
        if self.keep_white:
            made = made * (4 * (1 - images).amax(1, keepdim=True)).clamp(max=1)
        return hardtanh(images + made) if self.residual else torch.tanh(made)


def doubling(inputs: int, outputs: int, bias: bool, padding: str) -> nn.Module:
    """A layer from (N, inputs, H, W) to (N, outputs, 2H, 2W)."""
    if padding == "zeros":
        return nn.ConvTranspose2d(inputs, outputs, 4, 2, 1, bias=bias)
    return nn.Sequential(
        nn.Upsample(scale_factor=2), nn.Conv2d(inputs, outputs, 3, padding=1, bias=bias, padding_mode=padding)
    )


class ResNet(Translator):
    """Images (N, channels, H, W) to images of the same shape in [-1, 1]; H and W are multiples of 4.

    Two halvings, residual blocks, two doublings (Johnson et al., 2016; Zhu et al., 2017). It is local unless its norm
    takes the whole picture's statistics. `features` are what contrastive learning compares.
    """

    multiple = 4

    def __init__(self, channels: int, width: int, blocks: int, kind: str):
        super().__init__()
        # the first and last convolution, two halvings, two convolutions a block at a quarter of the size, two doublings
        self.context = None if kind == "instance" else 3 + 1 + 2 + 8 * blocks + 4 + 2 + 3
        w, bias = width, kind == "none"
        self.layers = nn.ModuleList(
            [
                nn.Sequential(nn.ReflectionPad2d(3), nn.Conv2d(channels, w, 7, bias=bias), norm(kind, w), nn.ReLU()),
                nn.Sequential(nn.Conv2d(w, 2 * w, 3, 2, 1, bias=bias), norm(kind, 2 * w), nn.ReLU()),
                nn.Sequential(nn.Conv2d(2 * w, 4 * w, 3, 2, 1, bias=bias), norm(kind, 4 * w), nn.ReLU()),
                *(Residual(4 * w, kind) for _ in range(blocks)),
                nn.Sequential(nn.ConvTranspose2d(4 * w, 2 * w, 4, 2, 1, bias=bias), norm(kind, 2 * w), nn.ReLU()),
                nn.Sequential(nn.ConvTranspose2d(2 * w, w, 4, 2, 1, bias=bias), norm(kind, w), nn.ReLU()),
                nn.Sequential(nn.ReflectionPad2d(3), nn.Conv2d(w, channels, 7), nn.Tanh()),
            ]
        )
        half = 3 + blocks // 2  # the image itself, both halvings, the middle and the end of the blocks
        self.taps = {1: 2 * w, 2: 4 * w, half - 1: 4 * w, 2 + blocks: 4 * w}
        self.widths = (channels, *self.taps.values())

    def forward(self, images: Tensor) -> Tensor:
        for layer in self.layers:
            images = layer(images)
        return images

    def features(self, images: Tensor) -> list[Tensor]:
        """The images, and what the layers up to the last residual block made of them: (N, C, H, W) each."""
        found = [images]
        for i, layer in enumerate(self.layers[: max(self.taps) + 1]):
            images = layer(images)
            if i in self.taps:
                found.append(images)
        return found


class Residual(nn.Module):
    """Two convolutions beside the identity."""

    def __init__(self, width: int, kind: str):
        super().__init__()
        self.layers = nn.Sequential(
            nn.ReflectionPad2d(1),
            nn.Conv2d(width, width, 3, bias=kind == "none"),
            norm(kind, width),
            nn.ReLU(),
            nn.ReflectionPad2d(1),
            nn.Conv2d(width, width, 3, bias=kind == "none"),
            norm(kind, width),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


class PatchGAN(Discriminator):
    """Logits (N, 1, h, w), one for each overlapping patch (Isola et al., 2017); a list of them at several scales.

    It judges images, (N, channels, H, W), alone or beside the picture that they were made from. At several scales each
    network sees the images at half the size of the one before (Wang et al., 2018).
    """

    def __init__(self, channels: int, width: int, depth: int, scales: int, kind: str):
        super().__init__()
        self.per_sample = kind != "batch"
        self.scales = nn.ModuleList(Patches(channels, width, depth, kind) for _ in range(scales))

    def outputs(self, images: Tensor, *given: Tensor) -> SimpleNamespace:
        """`logits` as `forward` gives them, and `features`: for each scale those of its layers."""
        x, seen = torch.cat([images, *given], 1), []
        for i, patches in enumerate(self.scales):
            seen.append(patches(avg_pool2d(x, 2**i) if i else x))
        logits = [part[-1] for part in seen]
        return SimpleNamespace(logits=logits if len(logits) > 1 else logits[0], features=[part[:-1] for part in seen])

    def forward(self, images: Tensor, *given: Tensor) -> Tensor | list[Tensor]:
        return self.outputs(images, *given).logits


class Patches(nn.Module):
    """The discriminator of one scale: the outputs of its layers, the logits last."""

    def __init__(self, channels: int, width: int, depth: int, kind: str):
        super().__init__()
        widths = [min(width * 2**i, width * 8) for i in range(depth)]
        layers = [nn.Sequential(nn.Conv2d(channels, width, 4, 2, 1), nn.LeakyReLU(0.2))]
        for a, b in pairwise(widths):
            layers.append(
                nn.Sequential(nn.Conv2d(a, b, 4, 2, 1, bias=kind == "none"), norm(kind, b), nn.LeakyReLU(0.2))
            )
        self.layers = nn.ModuleList([*layers, nn.Conv2d(widths[-1], 1, 3, padding=1)])

    def forward(self, x: Tensor) -> list[Tensor]:
        found = []
        for layer in self.layers:
            x = layer(x)
            found.append(x)
        return found


class Heads(nn.Module):
    """For each layer's features at some places, (N, places, width), unit vectors of one length (Park et al., 2020).

    Of a longer list than there are heads it takes the last: what the first layers see may change.
    """

    def __init__(self, widths: tuple[int, ...], length: int):
        super().__init__()
        self.heads = nn.ModuleList(
            nn.Sequential(nn.Linear(width, length), nn.ReLU(), nn.Linear(length, length)) for width in widths
        )

    def forward(self, features: list[Tensor]) -> list[Tensor]:
        deep = features[-len(self.heads) :]
        return [normalize(head(x), dim=-1) for head, x in zip(self.heads, deep, strict=True)]


def small_weights(module: nn.Module) -> None:
    """Weights from N(0, 0.02), as the papers start."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
        nn.init.normal_(module.weight, 0.0, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
