"""Architectures of translation: one way with a paired discriminator, both ways, and one way with contrastive heads."""

from typing import Annotated, Literal

from pydantic import Field, model_validator
from torch import nn

from ganzoo import Architecture, Settings
from ganzoo_style.networks import Heads, PatchGAN, ResNet, UNet, small_weights

Norm = Literal["batch", "instance", "none"]
Side = Annotated[int, Field(ge=32, le=512, multiple_of=32)]


class Common(Settings):
    """What all of them have."""

    size: int = Field(ge=8, le=4096, description="side of the training images in pixels")
    channels: Literal[1, 3] = Field(3, description="1 grey, 3 colour; a recipe takes it from its data")
    width: int = Field(
        64, ge=4, le=512, description="channels of the generator at full size; halvings double them, up to 8x"
    )
    discriminator_width: int = Field(64, ge=4, le=512, description="channels of the discriminator's first layer")
    discriminator_depth: int = Field(
        3, ge=1, le=6, description="its halvings; a logit sees 38 pixels a side at 3 of them, 78 at 4 (the papers: 70)"
    )
    scales: int = Field(1, ge=1, le=4, description="discriminators, each on images of half the size")
    norm: Norm = Field("instance", description="normalisation in the generator; batch mixes a batch's images")
    discriminator_norm: Norm = Field("instance", description="normalisation in the discriminator")
    backbone: str = Field(
        "",
        max_length=200,
        description="a frozen feature network, such as effnet-lite0: its features are judged beside the patches",
    )
    resolutions: list[Side] = Field(
        [64], min_length=1, max_length=4, description="sides to which images are brought for it, each judged apart"
    )
    mixed: int = Field(32, ge=4, le=512, description="channels of its features once they are mixed")

    @model_validator(mode="after")
    def _patches(self):
        if self.size >> (self.discriminator_depth + self.scales - 1) < 2:
            raise ValueError(
                f"discriminator_depth: {self.discriminator_depth} halvings at {self.scales} scales are too many for "
                f"images of {self.size} pixels"
            )
        return self


class EitherGenerator(Common):
    """With the choice of a generator."""

    generator: Literal["unet", "resnet"] = Field(
        "unet", description="unet: skips at each scale; resnet: blocks at a quarter of the size"
    )
    depth: int = Field(4, ge=1, le=10, description="halvings of the unet")
    blocks: int = Field(6, ge=1, le=32, description="residual blocks of the resnet")
    dropout: float = Field(0.5, ge=0, le=0.9, description="noise of the unet while it trains")
    residual: bool = Field(
        False, description="the unet changes the picture, at first by nothing, instead of drawing it anew"
    )
    padding: Literal["zeros", "replicate"] = Field(
        "zeros", description="what the unet sees beyond the border; replicate repeats it, so that no border shows"
    )
    keep_white: bool = Field(False, description="white stays white: for things on a white background; residual")

    @model_validator(mode="after")
    def _fits(self):
        if self.keep_white and not (self.residual and self.generator == "unet"):
            raise ValueError("keep_white: only a unet with residual = true knows what it changes")
        multiple = 2**self.depth if self.generator == "unet" else 4
        if self.size % multiple:
            raise ValueError(f"size: {self.size} is no multiple of {multiple}, which the {self.generator} needs")
        if self.generator == "unet" and self.norm == "instance" and self.size < 2 * multiple:
            raise ValueError(
                f"size: {self.depth} halvings leave one pixel of {self.size}, which has no deviation for the instance "
                f'norm; take a size of {2 * multiple} or more, a smaller depth, or norm = "none"'
            )
        return self


class Pix2Pix(Architecture):
    """A generator, and a discriminator that sees its input beside its output (Isola et al., 2017)."""

    Config = EitherGenerator
    channels_last = True

    def __init__(self, config=None):
        super().__init__(config)
        self.per_sample = "batch" not in (self.config.norm, self.config.discriminator_norm)

    def build(self, network: str) -> nn.Module:
        return generator(self.config) if network == "generator" else judge(self.config, 2 * self.config.channels)


class WithoutNoise(EitherGenerator):
    """Where two passes through the generator are compared, noise would be part of the difference."""

    dropout: float = Field(0.0, ge=0, le=0.9, description="noise of the unet while it trains")


class CycleGAN(Pix2Pix):
    """A generator for each direction, a discriminator for each domain (Zhu et al., 2017)."""

    Config = WithoutNoise
    networks = "a_to_b", "b_to_a", "discriminator_a", "discriminator_b"
    published = "a_to_b", "b_to_a"

    def build(self, network: str) -> nn.Module:
        return generator(self.config) if "_to_" in network else judge(self.config, self.config.channels)


class CUT(Pix2Pix):
    """A generator, a discriminator of its domain, and heads that embed patches of its features (Park et al., 2020)."""

    class Config(WithoutNoise):
        embedding: int = Field(64, ge=4, le=1024, description="length of a patch's vector")
        free: int = Field(
            0, ge=0, le=3, description="features that may change: 1 the picture's colours, 2 the first layer's too, ..."
        )

    networks = "generator", "discriminator", "heads"

    def build(self, network: str) -> nn.Module:
        if network == "discriminator":
            return judge(self.config, self.config.channels)
        translator = generator(self.config)
        if network == "generator":
            return translator
        return Heads(translator.widths[self.config.free :], self.config.embedding)


def generator(config: EitherGenerator) -> nn.Module:
    """The translator that the settings choose."""
    if config.generator == "resnet":
        return ResNet(config.channels, config.width, config.blocks, config.norm).apply(small_weights)
    c = config
    network = UNet(c.channels, c.width, c.depth, c.norm, c.dropout, c.residual, c.padding, c.keep_white)
    network.apply(small_weights)
    if config.residual:  # it adds nothing yet
        nn.init.zeros_(network.last.weight)
        nn.init.zeros_(network.last.bias)
    return network


def judge(config: Common, channels: int) -> nn.Module:
    """The discriminator of patches with so many channels, with a `backbone` of its features too."""
    c = config
    patches = PatchGAN(channels, c.discriminator_width, c.discriminator_depth, c.scales, c.discriminator_norm)
    patches.apply(small_weights)
    if not c.backbone:
        return patches
    from ganzoo_projected.architectures import ProjectedDiscriminator, frozen  # timm takes a second
    from ganzoo_style.judges import PatchesAndFeatures

    backbone = frozen(c.backbone)
    return PatchesAndFeatures(patches, [ProjectedDiscriminator(backbone, side, c.mixed) for side in c.resolutions])
