"""Two stacks of convolutions: what is said of a pixel depends on the pixels above it and to its left."""

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, linear, pad

from ganzoo import Architecture, Generator, Settings, wide


class PixelCNN(Architecture):
    """Gated PixelCNN over a few grey levels (van den Oord et al., 2016, "Conditional image generation", figure 2).

    One stack of layers sees the rows above, one the pixels to the left and what the first says: together all that came
    before, where a single masked one has a blind spot. The pixels that a layer sees lie ever further apart (Yu and
    Koltun, 2016), so that a few layers see a whole digit.
    """

    class Config(Settings):
        size: int = Field(ge=4, le=64, description="side of the images in pixels")
        channels: Literal[1] = Field(1, description="grey only")
        levels: int = Field(16, ge=2, le=256, description="grey levels that a pixel can have")
        width: int = Field(24, ge=4, le=1024, description="channels of a layer")
        depth: int = Field(6, ge=1, le=64, description="layers")
        dilations: int = Field(
            3, ge=1, le=5, description="a layer sees 1 pixel further, the next 2, 4, ..., and after so many 1 again"
        )
        reach: int = Field(3, ge=1, le=15, description="pixels that the first layer sees up, left and right")

    networks = ("generator",)
    offers = ("likelihood",)

    def build(self, network: str) -> nn.Module:
        return PixelGenerator(self.config, getattr(self.config, "classes", 0))


class ConditionalPixelCNN(PixelCNN):
    """Gated PixelCNN, told the label in every layer and at every place (van den Oord et al., 2016, section 2.3)."""

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
        c = config
        self.size, self.levels, self.reach = c.size, c.levels, c.reach
        self.above = nn.Conv2d(1, c.width, (c.reach, 2 * c.reach + 1))
        self.left = nn.Conv2d(1, c.width, (1, c.reach))
        self.places = nn.Parameter(torch.zeros(max(classes, 1), c.width, c.size, c.size))  # for each label its own
        self.layers = nn.ModuleList(Layer(c.width, classes, 2 ** (i % c.dilations)) for i in range(c.depth))
        self.last = nn.Sequential(nn.ReLU(), nn.Conv2d(c.width, 2 * c.width, 1), nn.ReLU())
        self.head = nn.Conv2d(2 * c.width, c.levels, 1)

    def latent(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        like = self.head.weight
        device = like.device if generator is None else generator.device
        shape = count, 1, self.size, self.size
        draw = torch.rand(shape, generator=generator, device=device, dtype=torch.float32)
        return draw.to(like).clamp_(max=1 - torch.finfo(like.dtype).eps / 2)  # 1 itself is none, where it is rounded

    def between(self, start: Tensor, end: Tensor, way: Tensor) -> Tensor:
        ends = (latents.cpu().double().clamp(1e-9, 1 - 1e-9) for latents in (start, end))  # not every device has it
        normal = [torch.special.ndtri(latents) for latents in ends]
        return torch.special.ndtr(super().between(*normal, way.cpu())).to(start)  # uniform again

    def log_likelihood(self, images: Tensor, *label: Tensor) -> Tensor:
        """Log probability in nats of images (N, 1, size, size) in [-1, 1], brought to the grey levels: (N,)."""
        levels = ((images + 1) / 2 * (self.levels - 1)).round()
        x, places = self.centred(levels), self.places_of(*label)
        rows = self.above(pad(x, (self.reach, self.reach, self.reach, 0)))[:, :, : self.size] + places
        row = self.left(pad(x, (self.reach, 0)))[:, :, :, : self.size] + places
        for layer in self.layers:
            rows, said = layer.down(pad(rows, (0, 0, layer.spacing, 0)), *label)
            row = layer.along(row, said)
        return -cross_entropy(wide(self.head(self.last(row))), levels.squeeze(1).long(), reduction="none").sum((1, 2))

    def places_of(self, *label: Tensor) -> Tensor:
        return self.places[label[0]] if label else self.places

    def centred(self, levels: Tensor) -> Tensor:
        return levels / (self.levels - 1) * 2 - 1

    @torch.no_grad()
    def forward(self, latents: Tensor, *label: Tensor) -> Tensor:
        """Row by row, and in a row pixel by pixel; each layer computes what is new, from what it kept."""
        n, width, size, reach = len(latents), self.left.out_channels, self.size, self.reach
        places = self.places_of(*label)
        made = latents.new_zeros(n, 1, reach + size, size + 2 * reach)  # in a frame of what isn't there
        kept = [latents.new_zeros(n, width, layer.spacing + size, size) for layer in self.layers]
        for y in range(size):
            rows = self.above(made[:, :, y : y + reach]) + places[:, :, y : y + 1]
            said = []
            for layer, memory in zip(self.layers, kept, strict=True):
                memory[:, :, layer.spacing + y] = rows[:, :, 0]
                rows, new = layer.down(memory[:, :, y : y + layer.spacing + 1], *label)
                said.append(new[:, :, 0])
            before = [latents.new_zeros(n, width, layer.spacing + size) for layer in self.layers]
            for x in range(size):
                seen = made[:, 0, reach + y, x : x + reach]
                pixel = linear(seen, self.left.weight.flatten(1), self.left.bias) + places[:, :, y, x]
                for layer, memory, new in zip(self.layers, before, said, strict=True):
                    memory[:, :, layer.spacing + x] = pixel
                    pixel = layer.pixel(memory[:, :, x], pixel, new[:, :, x])
                shares = wide(self.head(self.last(pixel[:, :, None, None]))[:, :, 0, 0]).softmax(1).cumsum(1)
                level = (shares[:, :-1] <= latents[:, :, y, x]).sum(1).to(made.dtype)
                made[:, 0, reach + y, reach + x] = self.centred(level)
        return made[:, :, reach:, reach : reach + size]


class Layer(nn.Module):
    """A gated convolution of the rows above, one of the row so far, and what the first tells the second."""

    def __init__(self, width: int, classes: int, spacing: int):
        super().__init__()
        self.spacing = spacing
        self.above = nn.Conv2d(width, 2 * width, (2, 3), dilation=spacing, padding=(0, spacing))
        self.tell = nn.Conv2d(2 * width, 2 * width, 1)
        self.left = nn.Conv2d(width, 2 * width, (1, 2), dilation=spacing)
        self.out = nn.Conv2d(width, width, 1)
        self.embed = nn.Embedding(classes, 2 * width) if classes else None

    def down(self, rows: Tensor, *label: Tensor) -> tuple[Tensor, Tensor]:
        """Rows (N, width, spacing + H, W) to their next features (N, width, H, W), and what the row stack is told."""
        new = self.above(rows)
        for told in map(self.embed, label):
            new = new + told[:, :, None, None]
        return rows[:, :, self.spacing :] + gated(new), self.tell(new)

    def along(self, row: Tensor, said: Tensor) -> Tensor:
        """The next features of each pixel from those of its own row up to it: (N, width, H, W)."""
        return row + self.out(gated(self.left(pad(row, (self.spacing, 0))) + said))

    def pixel(self, before: Tensor, pixel: Tensor, said: Tensor) -> Tensor:
        """The same at one pixel, (N, width)."""
        new = linear(torch.cat([before, pixel], 1), torch.cat(self.left.weight[:, :, 0].unbind(2), 1), self.left.bias)
        return pixel + linear(gated(new + said), self.out.weight.flatten(1), self.out.bias)


def gated(x: Tensor) -> Tensor:
    """Half the channels, each let through by its counterpart (ibid., equation 2)."""
    value, gate = x.chunk(2, 1)
    return value.tanh() * gate.sigmoid()
