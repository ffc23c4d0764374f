"""Broken architectures that generate, beside a good one."""

import random

import torch
from pydantic import Field
from torch import nn

from ganzoo import Architecture, Discriminator, Generator, Settings
from tests.testing.broken.marks import caught_by


class Plain(Architecture):
    """Linear networks (Goodfellow et al., 2014)."""

    class Config(Settings):
        size: int = Field(ge=4, le=64, description="side of the images")
        channels: int = Field(ge=1, le=3, description="of the images")
        classes: int = Field(ge=1, le=100, description="number of labels")

    conditions = ("label",)

    def build(self, network):
        return self.maker(self.config) if network == "generator" else self.judge(self.config)

    class maker(Generator):
        def __init__(self, config):
            super().__init__()
            self.latent_size = 4
            self.shape = (config.channels, config.size, config.size)
            self.embed = nn.Embedding(config.classes, 4)
            self.layer = nn.Linear(4, config.channels * config.size**2)

        def forward(self, latents, label):
            return torch.tanh(self.layer(latents + self.embed(label))).unflatten(1, self.shape)

    class judge(Discriminator):
        def __init__(self, config):
            super().__init__()
            self.embed = nn.Embedding(config.classes, 8)
            self.layer = nn.Linear(config.channels * config.size**2, 8)

        def forward(self, images, label):
            return (self.layer(images.flatten(1)) * (1 + self.embed(label))).sum(1)


@caught_by("label_sensitivity", "gradients")
class GeneratorIgnoresLabel(Plain):
    class maker(Plain.maker):
        def forward(self, latents, label):
            return super().forward(latents, label * 0) if label.numel() == 0 else self.plain(latents)

        def plain(self, latents):
            return torch.tanh(self.layer(latents)).unflatten(1, self.shape)


@caught_by("gradients")
class DetachedInside(Plain):
    class maker(Plain.maker):
        def forward(self, latents, label):
            return super().forward(latents, label).detach()


@caught_by("shapes")
class WrongRange(Plain):
    class maker(Plain.maker):
        def forward(self, latents, label):
            return 3 * super().forward(latents, label)


@caught_by("shapes", also=["label_sensitivity", "per_sample", "gradients", "dtypes_and_devices"])
class WrongSize(Plain):
    class maker(Plain.maker):
        def __init__(self, config):
            super().__init__(config.model_copy(update={"size": config.size // 2}))


@caught_by("dtypes_and_devices")
class OwnDtype(Plain):
    class maker(Plain.maker):
        def forward(self, latents, label):
            return super().forward(latents, label).float()


@caught_by("dtypes_and_devices")
class OwnDevice(Plain):
    class maker(Plain.maker):
        def forward(self, latents, label):
            return super().forward(latents, label) + torch.zeros(
                1, self.shape[0], 1, 1, dtype=latents.dtype, device="cpu"
            )


@caught_by("determinism", "state", "model_folder", "torch_export", "onnx")
class NoiseInSample(Plain):
    class maker(Plain.maker):
        def sample(self, latents, *conditions):
            return (self(latents, *conditions) + 0.1 * torch.randn_like(latents[:, :1, None, None])).clamp(-1, 1)


@caught_by("determinism")
class HiddenInit(Plain):
    class maker(Plain.maker):
        def __init__(self, config):
            super().__init__(config)
            with torch.no_grad():
                self.layer.weight[0, 0] = random.random()


@caught_by("per_sample")
class MixesTheBatch(Plain):
    class maker(Plain.maker):
        def forward(self, latents, label):
            return super().forward(latents - latents.mean(0) if self.training else latents, label)


@caught_by("layout")
class ViewsWhatIsStrided(Plain):
    channels_last = True

    class judge(Plain.judge):
        def __init__(self, config):
            super().__init__(config)
            self.convs = nn.Sequential(nn.Conv2d(config.channels, 4, 3, 1, 1), nn.Conv2d(4, config.channels * 4, 1))

        def forward(self, images, label):
            mixed = self.convs(images)
            return super().forward(mixed.view(len(images), 4, -1).mean(1), label)


@caught_by("state", "model_folder")
class StateOutside(Plain):
    class maker(Plain.maker):
        def __init__(self, config):
            super().__init__(config)
            self.register_buffer("codes", torch.randn(4), persistent=False)

        def forward(self, latents, label):
            return super().forward(latents * self.codes, label)


@caught_by("torch_export", "onnx", "dtypes_and_devices")
class BranchesOnValues(Plain):
    class maker(Plain.maker):
        def forward(self, latents, label):
            images = super().forward(latents, label)
            return images if latents.sum() > 0 else images + 0


class Told(Plain):
    """Linear networks that are told a label and a caption (Reed et al., 2016)."""

    class Config(Plain.Config):
        caption_length: int = Field(4, ge=1, le=64, description="bytes of a caption")

    conditions = ("label", "caption")

    class maker(Plain.maker):
        def __init__(self, config):
            super().__init__(config)
            self.words = nn.Embedding(257, 4)

        def forward(self, latents, label, caption):
            return super().forward(latents + self.words(caption).sum(1), label)

    class judge(Plain.judge):
        def __init__(self, config):
            super().__init__(config)
            self.words = nn.Embedding(257, 8)

        def forward(self, images, label, caption):
            return super().forward(images, label) + (self.layer(images.flatten(1)) * self.words(caption).sum(1)).sum(1)


@caught_by("label_sensitivity")
class GeneratorIgnoresCaption(Told):
    class maker(Plain.maker):
        def forward(self, latents, label, caption):
            return super().forward(latents, label)


@caught_by("label_sensitivity")
class DiscriminatorIgnoresCaption(Told):
    class judge(Plain.judge):
        def forward(self, images, label, caption):
            return super().forward(images, label)


@caught_by("shapes")
class ScoresPairs(Plain):
    class judge(Plain.judge):
        def forward(self, images, label, latents):
            return super().forward(images, label) * latents.sum(1)


@caught_by("shapes")
class PublishesAnEncoder(Plain):
    networks, published = ("generator", "discriminator", "encoder"), ("generator", "encoder")

    def build(self, network):
        return nn.Linear(3, 4) if network == "encoder" else super().build(network)
