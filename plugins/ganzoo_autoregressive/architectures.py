"""Masked convolutions: what is said of a pixel depends on the pixels above it and to its left."""

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import conv2d, cross_entropy, linear, pad

from ganzoo import Architecture, Generator, Settings, wide


class PixelCNN(Architecture):
    """Masked residual convolutions over a few grey levels (van den Oord et al., 2016, figure 5 and table 1).

    Their pixels lie ever further apart (Yu and Koltun, 2016), so that a few blocks see a whole digit.
    """

    class Config(Settings):
        size: int = Field(ge=4, le=64, description="side of the images in pixels")
        channels: Literal[1] = Field(1, description="grey only")
        levels: int = Field(16, ge=2, le=256, description="grey levels that a pixel can have")
        width: int = Field(32, ge=8, le=1024, description="channels of a layer; a block works on half of them")
        depth: int = Field(6, ge=1, le=64, description="residual blocks")
        dilations: int = Field(
            3, ge=1, le=5, description="a block sees 1 pixel further, the next 2, 4, ..., and after so many 1 again"
        )
        reach: int = Field(3, ge=1, le=15, description="pixels that the first layer sees in each direction")

    networks = ("generator",)
    offers = ("likelihood",)

    def build(self, network: str) -> nn.Module:
        return PixelGenerator(self.config, getattr(self.config, "classes", 0))


class ConditionalPixelCNN(PixelCNN):
    """The same, told the label in every block (van den Oord et al., 2016, "Conditional image generation")."""

    class Config(PixelCNN.Config):
        classes: int = Field(ge=1, le=100_000, description="number of labels")

    conditions = ("label",)


class PixelGenerator(Generator):
    """Latents (N, 1, size, size), uniform in [0, 1), and labels to images (N, 1, size, size) in [-1, 1].

    A latent says for each pixel where in its distribution it lies. `log_likelihood` is what training raises.
    """

    portable = False  # its loop over pixels would be unrolled

    def __init__(self, config: PixelCNN.Config, classes: int):
        super().__init__()
        self.size, self.levels = config.size, config.levels
        half, side = config.width // 2, 2 * config.reach + 1
        self.first = MaskedConv2d(1, config.width, side, own=False)
        spacings = [2 ** (i % config.dilations) for i in range(config.depth)]
        self.blocks = nn.ModuleList(Block(config.width, half, classes, spacing) for spacing in spacings)
        self.last = nn.Sequential(nn.ReLU(), nn.Conv2d(config.width, config.width, 1), nn.ReLU())
        self.head = nn.Conv2d(config.width, config.levels, 1)

    def latent(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        like = self.head.weight
        device = like.device if generator is None else generator.device
        shape = count, 1, self.size, self.size
        return torch.rand(shape, generator=generator, device=device, dtype=like.dtype).to(like.device)

    def between(self, start: Tensor, end: Tensor, way: Tensor) -> Tensor:
        normal = [torch.special.ndtri(latents.double().clamp(1e-9, 1 - 1e-9)) for latents in (start, end)]
        return torch.special.ndtr(super().between(*normal, way)).to(start.dtype)  # uniform again

    def log_likelihood(self, images: Tensor, *label: Tensor) -> Tensor:
        """Log probability in nats of images (N, 1, size, size) in [-1, 1], brought to the grey levels: (N,)."""
        levels = ((images + 1) / 2 * (self.levels - 1)).round()
        x = self.first(self.centred(levels))
        for block in self.blocks:
            x = block(x, *label)
        return -cross_entropy(wide(self.head(self.last(x))), levels.squeeze(1).long(), reduction="none").sum((1, 2))

    def centred(self, levels: Tensor) -> Tensor:
        return levels / (self.levels - 1) * 2 - 1

    @torch.no_grad()
    def forward(self, latents: Tensor, *label: Tensor) -> Tensor:
        """Pixel by pixel; each layer computes its new column alone, from what it kept of its neighbours."""
        masked = [self.first, *(block.middle for block in self.blocks)]
        kept = [latents.new_zeros(len(latents), conv.in_channels, *conv.room(self.size)) for conv in masked]
        matrices = [conv.matrix() for conv in masked]
        made = torch.zeros_like(latents)
        for row in range(self.size):
            for column in range(self.size):
                x = self.first.column(matrices[0], kept[0], row, column)
                for block, matrix, memory in zip(self.blocks, matrices[1:], kept[1:], strict=True):
                    x = block.column(x, matrix, memory, row, column, *label)
                shares = wide(self.head(self.last(x[:, :, None, None]))[:, :, 0, 0]).softmax(1).cumsum(1)
                level = (shares[:, :-1] <= latents[:, :, row, column]).sum(1).to(made.dtype)
                made[:, 0, row, column] = self.centred(level)
                self.first.keep(kept[0], row, column, made[:, :, row, column])
        return made


class MaskedConv2d(nn.Conv2d):
    """A convolution that sees the rows above, and of its own row the left part; its own pixel if it may."""

    def __init__(self, inputs: int, outputs: int, side: int, own: bool, spacing: int = 1):
        super().__init__(inputs, outputs, side)
        middle, self.spacing, self.reach = side // 2, spacing, side // 2 * spacing
        seen = torch.ones(side, side)
        seen[middle, middle + own :] = 0
        seen[middle + 1 :] = 0
        self.register_buffer("seen", seen, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return conv2d(pad(x, [self.reach] * 4), self.weight * self.seen, self.bias, dilation=self.spacing)

    def room(self, size: int) -> tuple[int, int]:
        """Height and width of the memory for `keep`: an image with a frame."""
        return size + 2 * self.reach, size + 2 * self.reach

    def keep(self, memory: Tensor, row: int, column: int, x: Tensor) -> None:
        memory[:, :, row + self.reach, column + self.reach] = x

    def matrix(self) -> Tensor:
        """The weight of the rows that are seen: (outputs, inputs x rows x columns)."""
        return (self.weight * self.seen)[:, :, : self.kernel_size[0] // 2 + 1].flatten(1)

    def column(self, matrix: Tensor, memory: Tensor, row: int, column: int) -> Tensor:
        """What forward gives at one pixel, (N, outputs), from the inputs kept so far."""
        rows, columns = (slice(a, a + n + 1, self.spacing) for a, n in ((row, self.reach), (column, 2 * self.reach)))
        patch = memory[:, :, rows, columns]
        return linear(patch.flatten(1), matrix, self.bias)


class Block(nn.Module):
    """Half the channels, a masked 3x3 convolution, all channels again, added to the input."""

    def __init__(self, width: int, half: int, classes: int, spacing: int):
        super().__init__()
        self.narrow = nn.Conv2d(width, half, 1)
        self.middle = MaskedConv2d(half, half, 3, own=True, spacing=spacing)
        self.wide = nn.Conv2d(half, width, 1)
        self.embed = nn.Embedding(classes, half) if classes else None

    def forward(self, x: Tensor, *label: Tensor) -> Tensor:
        h = self.middle(self.narrow(x.relu()).relu())
        for told in map(self.embed, label):
            h = h + told[:, :, None, None]
        return x + self.wide(h.relu())

    def column(self, x: Tensor, matrix: Tensor, memory: Tensor, row: int, column: int, *label: Tensor) -> Tensor:
        """The same at one pixel, (N, width)."""
        self.middle.keep(memory, row, column, linear(x.relu(), self.narrow.weight.flatten(1), self.narrow.bias).relu())
        h = self.middle.column(matrix, memory, row, column)
        for told in map(self.embed, label):
            h = h + told
        return x + linear(h.relu(), self.wide.weight.flatten(1), self.wide.bias)
