"""Networks of the families that the benchmark compares: the same modules are trained on every side of a comparison."""

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, conv2d, interpolate, leaky_relu, relu
from torch.nn.utils.parametrizations import spectral_norm

from ganzoo import Discriminator, Generator


class DenseGenerator(Generator):
    """Latents (N, 100) to images (N, C, S, S) by five linear layers; told labels where `classes`."""

    def __init__(self, channels: int, size: int, classes: int = 0):
        super().__init__()
        self.latent_size = 100
        self.embed = nn.Embedding(classes, classes) if classes else None
        layers: list[nn.Module] = [nn.Linear(self.latent_size + classes, 128), nn.LeakyReLU(0.2)]
        for a, b in pairwise((128, 256, 512, 1024)):
            layers += [nn.Linear(a, b), nn.BatchNorm1d(b), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers, nn.Linear(1024, channels * size**2), nn.Tanh())
        self.shape = channels, size, size

    def forward(self, latents: Tensor, label: Tensor | None = None) -> Tensor:
        x = latents if self.embed is None else torch.cat([latents, self.embed(label)], 1)
        return self.layers(x).unflatten(1, self.shape)


class DenseDiscriminator(Discriminator):
    """Images (N, C, S, S) to logits (N,) by linear layers of these widths; told labels where `classes`."""

    def __init__(self, channels: int, size: int, *widths: int, classes: int = 0):
        super().__init__()
        self.embed = nn.Embedding(classes, classes) if classes else None
        layers: list[nn.Module] = []
        for a, b in pairwise((channels * size**2 + classes, *widths)):
            layers += [nn.Linear(a, b), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers, nn.Linear(widths[-1], 1))

    def forward(self, images: Tensor, label: Tensor | None = None) -> Tensor:
        x = images.flatten(1)
        return self.layers(x if self.embed is None else torch.cat([x, self.embed(label)], 1)).squeeze(1)


class ResNetGenerator(Generator):
    """Latents (N, 128) to images (N, 3, 32, 32): residual blocks with batch norm (Miyato et al., 2018, table 3a)."""

    def __init__(self, width: int):
        super().__init__()
        self.latent_size = 128
        self.project = nn.Linear(self.latent_size, width * 16)
        self.blocks = nn.Sequential(*[UpBlock(width) for _ in range(3)], nn.BatchNorm2d(width), nn.ReLU())
        self.image = nn.Conv2d(width, 3, 3, 1, 1)

    def forward(self, latents: Tensor) -> Tensor:
        x = self.project(latents).unflatten(1, (-1, 4, 4))
        return torch.tanh(self.image(self.blocks(x)))


class UpBlock(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.norms = nn.ModuleList(nn.BatchNorm2d(width) for _ in range(2))
        self.convs = nn.ModuleList(nn.Conv2d(width, width, 3, 1, 1) for _ in range(2))
        self.skip = nn.Conv2d(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.convs[0](interpolate(relu(self.norms[0](x)), scale_factor=2.0))
        y = self.convs[1](relu(self.norms[1](y)))
        return y + interpolate(self.skip(x), scale_factor=2.0)  # a 1x1 convolution and nearest scaling commute


class ResNetDiscriminator(Discriminator):
    """Images (N, 3, 32, 32) to logits (N,) (Miyato et al., 2018, table 3b); spectral norm where `spectral`."""

    def __init__(self, width: int, spectral: bool):
        super().__init__()
        wrap = spectral_norm if spectral else lambda layer: layer
        self.blocks = nn.Sequential(
            DownBlock(3, width, wrap, True, first=True),
            DownBlock(width, width, wrap, True),
            *[DownBlock(width, width, wrap, False) for _ in range(2)],
        )
        self.head = wrap(nn.Linear(width, 1))

    def forward(self, images: Tensor) -> Tensor:
        return self.head(relu(self.blocks(images)).sum((2, 3))).squeeze(1)


class DownBlock(nn.Module):
    def __init__(self, inputs: int, width: int, wrap, down: bool, first: bool = False):
        super().__init__()
        self.down, self.first = down, first
        self.convs = nn.ModuleList(wrap(nn.Conv2d(i, width, 3, 1, 1)) for i in (inputs, width))
        self.skip = wrap(nn.Conv2d(inputs, width, 1)) if down else None

    def forward(self, x: Tensor) -> Tensor:
        y = self.convs[0](x if self.first else relu(x))
        y = self.convs[1](relu(y))
        if not self.down:
            return y + x
        return avg_pool2d(y, 2) + self.skip(avg_pool2d(x, 2))


class Translator(nn.Module):
    """Images (N, 3, S, S) to images of another domain: nine residual blocks with instance norm (Zhu et al., 2017)."""

    def __init__(self, width: int = 64, blocks: int = 9):
        super().__init__()
        w, layers = width, [nn.Conv2d(3, width, 7, 1, 3, padding_mode="reflect"), nn.InstanceNorm2d(width), nn.ReLU()]
        for i in (1, 2):
            layers += [nn.Conv2d(w * i, w * i * 2, 3, 2, 1), nn.InstanceNorm2d(w * i * 2), nn.ReLU()]
        layers += [InstanceBlock(w * 4) for _ in range(blocks)]
        for i in (2, 1):
            layers += [nn.ConvTranspose2d(w * i * 2, w * i, 3, 2, 1, 1), nn.InstanceNorm2d(w * i), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.Conv2d(w, 3, 7, 1, 3, padding_mode="reflect"), nn.Tanh())

    def forward(self, images: Tensor) -> Tensor:
        return self.layers(images)


class InstanceBlock(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        convs = [nn.Conv2d(width, width, 3, 1, 1, padding_mode="reflect") for _ in range(2)]
        norms = [nn.InstanceNorm2d(width) for _ in range(2)]
        self.layers = nn.Sequential(convs[0], norms[0], nn.ReLU(), convs[1], norms[1])

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


class Patches(Discriminator):
    """Images (N, 3, S, S) to logits of overlapping patches (N, 1, S/8 - 2, S/8 - 2) (Isola et al., 2017)."""

    def __init__(self, width: int = 64):
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(3, width, 4, 2, 1), nn.LeakyReLU(0.2)]
        for a, b, stride in ((1, 2, 2), (2, 4, 2), (4, 8, 1)):
            layers += [nn.Conv2d(width * a, width * b, 4, stride, 1), nn.InstanceNorm2d(width * b), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers, nn.Conv2d(width * 8, 1, 4, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        return self.layers(images)


class SRResNet(nn.Module):
    """Images (N, 3, S, S) to (N, 3, 4S, 4S) (Ledig et al., 2017)."""

    def __init__(self, width: int = 64, blocks: int = 16):
        super().__init__()
        self.head = nn.Sequential(nn.Conv2d(3, width, 9, 1, 4), nn.PReLU())
        self.blocks = nn.ModuleList(SRBlock(width) for _ in range(blocks))
        self.merge = nn.Sequential(nn.Conv2d(width, width, 3, 1, 1), nn.BatchNorm2d(width))
        up = [nn.Conv2d(width, width * 4, 3, 1, 1), nn.PixelShuffle(2), nn.PReLU()]
        self.up = nn.Sequential(*up, nn.Conv2d(width, width * 4, 3, 1, 1), nn.PixelShuffle(2), nn.PReLU())
        self.image = nn.Conv2d(width, 3, 9, 1, 4)

    def forward(self, images: Tensor) -> Tensor:
        x = y = self.head(images)
        for block in self.blocks:
            y = block(y)
        return torch.tanh(self.image(self.up(x + self.merge(y))))


class SRBlock(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        convs, norms = [nn.Conv2d(width, width, 3, 1, 1) for _ in "ab"], [nn.BatchNorm2d(width) for _ in "ab"]
        self.layers = nn.Sequential(convs[0], norms[0], nn.PReLU(), convs[1], norms[1])

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


class SRDiscriminator(Discriminator):
    """Images (N, 3, 64, 64) to logits (N,) (Ledig et al., 2017, figure 4), without its batch norm."""

    def __init__(self, width: int = 64):
        super().__init__()
        layers: list[nn.Module] = []
        inputs = 3
        for i, stride in enumerate((1, 2) * 4):
            outputs = width << i // 2
            layers += [nn.Conv2d(inputs, outputs, 3, stride, 1), nn.LeakyReLU(0.2)]
            inputs = outputs
        self.layers = nn.Sequential(*layers, nn.Flatten(), nn.Linear(inputs * 16, 1024), nn.LeakyReLU(0.2))
        self.head = nn.Linear(1024, 1)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.layers(images)).squeeze(1)


class Perception(nn.Module):
    """The layers of VGG-19 up to its last convolution, with random weights: time, not quality, is compared here."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inputs = 3
        for stage, (outputs, depth) in enumerate(((64, 2), (128, 2), (256, 4), (512, 4), (512, 4))):
            layers += [nn.MaxPool2d(2)] if stage else []
            for _ in range(depth):
                layers += [nn.Conv2d(inputs, outputs, 3, 1, 1), nn.ReLU()]
                inputs = outputs
        self.layers = nn.Sequential(*layers[:-1]).eval().requires_grad_(False)

    def forward(self, images: Tensor) -> Tensor:
        return self.layers(images)


class StyleGenerator(Generator):
    """Latents (N, 128) to images (N, 3, 64, 64): modulated convolutions with noise and image skips (Karras et al.,
    2020)."""

    def __init__(self, width: int):
        super().__init__()
        self.latent_size = 128
        self.mapping = nn.Sequential(*[m for _ in range(4) for m in (nn.Linear(128, 128), nn.LeakyReLU(0.2))])
        self.start = nn.Parameter(torch.randn(1, width * 4, 4, 4))
        sides = [4, 8, 16, 32, 64]
        widths = [min(width * 4, width * 64 // side) for side in sides]
        self.first = StyledConv(widths[0], widths[0], 4, up=False)
        pairs = list(zip(widths, widths[1:], sides[1:], strict=False))
        self.ups = nn.ModuleList(StyledConv(a, b, side, up=True) for a, b, side in pairs)
        self.convs = nn.ModuleList(StyledConv(b, b, side, up=False) for _, b, side in pairs)
        self.images = nn.ModuleList(Modulated(width_, 3, 1, demodulate=False) for width_ in widths)

    def forward(self, latents: Tensor) -> Tensor:
        style = self.mapping(latents * (latents.square().mean(1, keepdim=True) + 1e-8).rsqrt())
        x = self.first(self.start.expand(len(latents), -1, -1, -1), style)
        image = self.images[0](x, style)
        for up, conv, to_image in zip(self.ups, self.convs, self.images[1:], strict=True):
            x = conv(up(x, style), style)
            image = interpolate(image, scale_factor=2.0, mode="bilinear") + to_image(x, style)
        return image


class StyledConv(nn.Module):
    def __init__(self, inputs: int, outputs: int, side: int, up: bool):
        super().__init__()
        self.up, self.side = up, side
        self.conv = Modulated(inputs, outputs, 3)
        self.noise = nn.Parameter(torch.zeros(()))
        self.bias = nn.Parameter(torch.zeros(outputs, 1, 1))

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        if self.up:
            x = interpolate(x, scale_factor=2.0, mode="bilinear")
        x = self.conv(x, style)
        noise = torch.randn(len(x), 1, self.side, self.side, device=x.device, dtype=x.dtype)
        return leaky_relu(x + self.noise * noise + self.bias, 0.2)


class Modulated(nn.Module):
    """A convolution whose inputs and outputs are scaled per example: the same as scaling its weights."""

    def __init__(self, inputs: int, outputs: int, kernel: int, demodulate: bool = True):
        super().__init__()
        self.demodulate = demodulate
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel) / math.sqrt(inputs * kernel**2))
        self.style = nn.Linear(128, inputs)
        nn.init.ones_(self.style.bias)

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        scale = self.style(style)
        x = conv2d(x * scale[:, :, None, None], self.weight, padding=self.weight.shape[-1] // 2)
        if self.demodulate:
            norm = torch.addmm(scale.new_full((), 1e-8), scale.square(), self.weight.square().sum((2, 3)).t())
            x = x * norm.rsqrt()[:, :, None, None]
        return x


class StyleDiscriminator(Discriminator):
    """Images (N, 3, 64, 64) to logits (N,): residual blocks, the batch's standard deviation (Karras et al., 2020)."""

    per_sample = False

    def __init__(self, width: int):
        super().__init__()
        widths = [min(width * 4, width * 64 // side) for side in (64, 32, 16, 8, 4)]
        self.image = nn.Conv2d(3, widths[0], 1)
        pairs = list(pairwise(widths))
        self.convs = nn.ModuleList(nn.Conv2d(a, a, 3, 1, 1) for a, _ in pairs)
        self.downs = nn.ModuleList(nn.Conv2d(a, b, 3, 2, 1) for a, b in pairs)
        self.skips = nn.ModuleList(nn.Conv2d(a, b, 1, bias=False) for a, b in pairs)
        self.last = nn.Conv2d(widths[-1] + 1, widths[-1], 3, 1, 1)
        self.dense = nn.Linear(widths[-1] * 16, widths[-1])
        self.head = nn.Linear(widths[-1], 1)

    def forward(self, images: Tensor) -> Tensor:
        x = leaky_relu(self.image(images), 0.2)
        for conv, down, skip in zip(self.convs, self.downs, self.skips, strict=True):
            y = leaky_relu(down(leaky_relu(conv(x), 0.2)), 0.2)
            x = (y + skip(avg_pool2d(x, 2))) * 0.5**0.5
        groups = x.unflatten(0, (-1, min(4, len(x))))
        spread = (groups.var(1, unbiased=False) + 1e-8).sqrt().mean((1, 2, 3))
        spread = spread.repeat_interleave(groups.shape[1])[:, None, None, None].expand(-1, 1, 4, 4)
        x = leaky_relu(self.last(torch.cat([x, spread], 1)), 0.2)
        return self.head(leaky_relu(self.dense(x.flatten(1)), 0.2)).squeeze(1)
