"""The layers of StyleGAN2, from the paper, in plain torch."""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, conv2d, interpolate, leaky_relu, linear, pad

from ganzoo import wide

GAIN = math.sqrt(2)  # a leaky ReLU of unit variance halves it


class EqualLinear(nn.Module):
    """Weights of unit variance, scaled at each use, so that all learn at one rate (Karras et al., 2018, s. 4.1)."""

    def __init__(self, inputs: int, outputs: int, bias: float = 0.0, rate: float = 1.0):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / rate)
        self.bias = nn.Parameter(torch.full((outputs,), bias / rate))
        self.scale, self.rate = rate / math.sqrt(inputs), rate

    def forward(self, x: Tensor) -> Tensor:
        return linear(x, self.weight * self.scale, self.bias * self.rate)


class EqualConv2d(nn.Module):
    """The same for a convolution with an odd kernel."""

    def __init__(self, inputs: int, outputs: int, kernel: int):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.scale, self.padding = 1 / math.sqrt(inputs * kernel**2), kernel // 2

    def forward(self, x: Tensor) -> Tensor:
        return conv2d(x, self.weight * self.scale, self.bias, padding=self.padding)


class ModulatedConv2d(nn.Module):
    """A convolution whose input channels a style scales (Karras et al., 2020, "Analyzing", eq. 1 and 3).

    Scaling the input and then the output is scaling the weight of each image, and needs no weight for each.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, style: int, demodulate: bool = True):
        super().__init__()
        self.style = EqualLinear(style, inputs, bias=1.0)
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel))
        self.scale, self.padding, self.demodulate = 1 / math.sqrt(inputs * kernel**2), kernel // 2, demodulate

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        style, weight = self.style(w), self.weight * self.scale
        x = conv2d(x * style[:, :, None, None].to(x.dtype), weight, padding=self.padding)
        if not self.demodulate:
            return x
        variance = linear(wide(style).square(), wide(weight).square().sum((2, 3)))
        return x * (variance + 1e-8).rsqrt()[:, :, None, None].to(x.dtype)


class StyledConv(nn.Module):
    """A modulated convolution, noise with one learnt strength, a bias, a leaky ReLU."""

    def __init__(self, inputs: int, outputs: int, style: int):
        super().__init__()
        self.conv = ModulatedConv2d(inputs, outputs, 3, style)
        self.strength = nn.Parameter(torch.zeros(()))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: Tensor, w: Tensor, noise: Tensor) -> Tensor:
        x = self.conv(x, w) + self.strength * noise + self.bias[:, None, None]
        return leaky_relu(x, 0.2) * GAIN


def smooth(x: Tensor) -> Tensor:
    """A binomial low pass of four taps' width in effect: [1, 2, 1] / 4 in both directions."""
    taps = (2 - (torch.arange(3, device=x.device, dtype=x.dtype) - 1).abs()) / 4  # numbers of the host would be awaited
    kernel = (taps[:, None] * taps)[None, None].expand(x.shape[1], 1, 3, 3)
    return conv2d(pad(x, (1, 1, 1, 1), mode="replicate"), kernel, groups=x.shape[1])


def up(x: Tensor) -> Tensor:
    """Doubled and smoothed."""
    return smooth(interpolate(x, scale_factor=2))


def down(x: Tensor) -> Tensor:
    """Smoothed and halved."""
    return avg_pool2d(smooth(x), 2)


class DeviationOfBatch(nn.Module):
    """Adds a map of how much the images of a group differ (Karras et al., 2018, section 3)."""

    def __init__(self, group: int = 4):
        super().__init__()
        self.group = group

    def forward(self, x: Tensor) -> Tensor:
        groups = max(1, len(x) // self.group) if len(x) % self.group == 0 else 1
        apart = wide(x).view(-1, groups, *x.shape[1:])
        spread = (apart.var(0, correction=0) + 1e-8).sqrt().mean((1, 2, 3))
        spread = spread.repeat(len(x) // groups).view(-1, 1, 1, 1).to(x.dtype)
        return torch.cat([x, spread.expand(-1, 1, *x.shape[2:])], 1)
