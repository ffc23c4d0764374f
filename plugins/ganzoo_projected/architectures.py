"""A discriminator at each resolution of a frozen feature network."""

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import conv2d, interpolate, leaky_relu

from ganzoo import Discriminator
from ganzoo.precision import exact_on_cpu
from ganzoo_metrics.networks import EffNetLite0, Timm
from ganzoo_resnet.architectures import ConditionalGenerator, Resnet, ResnetGenerator

SCALES = 4  # feature maps of the backbone, its last ones


class Projected(Resnet):
    """Four discriminators on randomly mixed features of a frozen network (Sauer et al., 2021, section 3).

    Give it the loss `hinge`, and the regularisers `diffaugment` and `spectral-norm`, as the paper does.
    """

    class Config(Resnet.Config):
        backbone: str = Field(
            "effnet-lite0",
            max_length=200,
            description="effnet-lite0, whose weights a package brings, or a name in timm",
        )
        resolution: int = Field(
            64, ge=32, le=512, multiple_of=32, description="side to which images are brought for it"
        )
        mixed: int = Field(32, ge=4, le=512, description="channels of the mixed features")

    def build(self, network: str) -> nn.Module:
        c = self.config
        if network == "generator":
            return ResnetGenerator(c)
        return ProjectedDiscriminator(frozen(c.backbone), c.resolution, c.mixed)


class ConditionalProjected(Projected):
    """Conditional batch norm in the generator; each discriminator projects its features on the label's embedding.

    The paper has no labels; their projection is that of Miyato and Koyama (2018), at every place of a feature map.
    """

    class Config(Projected.Config):
        classes: int = Field(ge=1, le=100_000, description="number of labels")

    conditions = ("label",)

    def build(self, network: str) -> nn.Module:
        c = self.config
        if network == "generator":
            return ConditionalGenerator(c)
        return ProjectedDiscriminator(frozen(c.backbone), c.resolution, c.mixed, c.classes)


def frozen(backbone: str) -> EffNetLite0 | Timm:
    """The feature network of this name, for one discriminator or several."""
    return EffNetLite0() if backbone == "effnet-lite0" else Timm(Timm.Config(model=backbone))


class ProjectedDiscriminator(Discriminator):
    """Images (N, channels, size, size), with `classes` also labels (N,), to logits of four scales, (N, 1, h, w) each.

    The feature network is no part of the state: its weights are known by its name.
    """

    def __init__(self, found: EffNetLite0 | Timm, resolution: int, mixed: int, classes: int = 0):
        super().__init__()
        self.resolution = resolution
        self.__dict__["backbone"] = found.network
        # effnet-lite0 takes (x - 127) / 128 of bytes
        mean, deviation = (found.mean, found.deviation) if isinstance(found, Timm) else (127 / 255, 128 / 255)
        self.register_buffer("mean", torch.as_tensor(mean).float().reshape(-1, 1, 1), persistent=False)
        self.register_buffer("deviation", torch.as_tensor(deviation).float().reshape(-1, 1, 1), persistent=False)
        channels = [stage["num_chs"] for stage in list(found.network.feature_info)[-SCALES:]]
        for i, inputs in enumerate(channels):  # fixed, but drawn anew for each training: so they are state
            self.register_buffer(f"across_{i}", torch.randn(mixed, inputs, 1, 1) * (1 / inputs) ** 0.5)
            self.register_buffer(f"down_{i}", torch.randn(mixed, mixed, 3, 3) * (1 / (9 * mixed)) ** 0.5)
        self.heads = nn.ModuleList(Head(mixed, classes) for _ in channels)

    def _apply(self, fn, recurse=True):
        self.backbone._apply(fn)
        return super()._apply(fn, recurse)

    def features(self, images: Tensor) -> list[Tensor]:
        """The mixed features, the largest map first; each has something of all those below it."""
        images = images.to(self.mean.dtype)
        images = interpolate((images + 1) / 2, (self.resolution, self.resolution), mode="bilinear", align_corners=False)
        images = (images.expand(-1, 3, -1, -1) - self.mean) / self.deviation
        found = self.backbone.forward_intermediates(images, indices=SCALES, intermediates_only=True)
        mixed: list[Tensor] = []
        for i in reversed(range(len(found))):
            x = conv2d(found[i], getattr(self, f"across_{i}"))
            if mixed:
                x = x + interpolate(mixed[-1], x.shape[2:], mode="bilinear", align_corners=False)
            mixed.append(conv2d(x, getattr(self, f"down_{i}"), padding=1))
        return mixed[::-1]

    def forward(self, images: Tensor, *label: Tensor) -> list[Tensor]:
        with exact_on_cpu():
            return [head(x, *label) for head, x in zip(self.heads, self.features(images), strict=True)]


class Head(nn.Module):
    """Features (N, mixed, h, w), with `classes` also labels (N,), to logits (N, 1, h', w')."""

    def __init__(self, channels: int, classes: int):
        super().__init__()
        self.first = nn.Conv2d(channels, 2 * channels, 3, 2, 1)
        self.second = nn.Conv2d(2 * channels, 2 * channels, 3, 1, 1)
        self.last = nn.Conv2d(2 * channels, 1, 1)
        if classes:
            self.embed = nn.Embedding(classes, 2 * channels)
            nn.init.normal_(self.embed.weight, 0.0, (2 * channels) ** -0.5)

    def forward(self, x: Tensor, *label: Tensor) -> Tensor:
        x = leaky_relu(self.second(leaky_relu(self.first(x), 0.2)), 0.2)
        told = [(x * self.embed(one)[:, :, None, None]).sum(1, keepdim=True) for one in label]
        return sum(told, self.last(x))
