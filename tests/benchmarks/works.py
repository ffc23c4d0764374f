"""What is compared: networks, data, batch and optimiser of each configuration. Nothing here depends on a side."""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

import ganzoo
from ganzoo.recipes import Recipe
from ganzoo.resolve import resolve
from tests.benchmarks import networks

R1_EVERY = 4  # the lazy penalty of the StyleGAN2-class step, so that a turn of four steps has one of each kind
COUNT = 2048
VEGANS = "vegans", "vegans, losses kept", "vegans, losses kept and shown"


@dataclass(frozen=True)
class Work:
    """One training step: `step` says its kind (a key of `loops.FAST`), `networks` builds its modules."""

    title: str
    step: str
    batch: int
    networks: Callable[[], dict[str, nn.Module]]
    data: Callable[[], dict[str, Tensor]]
    loss: str | None = None
    lr: float = 2e-4
    betas: tuple[float, float] = (0.5, 0.999)
    averaged: tuple[str, ...] = ("generator",)
    channels_last: bool = True  # of the fast loop; ganzoo chooses for itself
    draws: int = 1  # batches a step
    multiple: int = 1  # a turn has a multiple of so many steps
    perception: Callable[[], nn.Module] = networks.Perception
    peers: tuple[str, ...] = field(default=())


def digits(*columns: str) -> Callable[[], dict[str, Tensor]]:
    """Columns of the digits that ganzoo ships."""
    return lambda: {n: resolve(ganzoo.recipe("cgan-mnist")).dataset.data[n] for n in columns}


def noise(**shapes: tuple[int, ...]) -> Callable[[], dict[str, Tensor]]:
    """Random uint8 images; what they show costs no time."""
    return lambda: {n: torch.randint(0, 256, (COUNT, *shape), dtype=torch.uint8) for n, shape in shapes.items()}


def pair(generator: Callable[[], nn.Module], discriminator: Callable[[], nn.Module]):
    return lambda: {"generator": generator(), "discriminator": discriminator()}


def built(name: str, **settings) -> Callable[[], dict[str, nn.Module]]:
    """The networks of one of ganzoo's own architectures."""
    return lambda: {n: ganzoo.build(name, network=n, **settings) for n in ("generator", "discriminator")}


def recorded(name: str, **changes) -> Callable[[], dict[str, nn.Module]]:
    """The networks of one of ganzoo's own recipes."""
    recipe: Recipe = ganzoo.recipe(name).changed(changes)
    return lambda: {n: resolve(recipe).architecture.build(n) for n in ("generator", "discriminator")}


def _cyclegan() -> dict[str, nn.Module]:
    return {
        "ab": networks.Translator(),
        "ba": networks.Translator(),
        "d_a": networks.Patches(),
        "d_b": networks.Patches(),
    }


WORKS = {
    "mlp-gan": Work(
        "MLP GAN, MNIST",
        "gan",
        64,
        pair(lambda: networks.DenseGenerator(1, 28), lambda: networks.DenseDiscriminator(1, 28, 512, 256)),
        digits("image"),
        "non-saturating",
        peers=("torchgan", *VEGANS, "lightning"),
        channels_last=False,
    ),
    "mlp-cgan": Work(
        "cGAN MLP, MNIST",
        "gan",
        64,
        pair(
            lambda: networks.DenseGenerator(1, 28, 10),
            lambda: networks.DenseDiscriminator(1, 28, 512, 512, 512, classes=10),
        ),
        digits("image", "label"),
        "non-saturating",
        peers=("torchgan", "lightning"),
        channels_last=False,
    ),
    "wgan-gp-mlp": Work(
        "WGAN-GP MLP, 32x32 RGB",
        "wgan-gp",
        64,
        pair(lambda: networks.DenseGenerator(3, 32), lambda: networks.DenseDiscriminator(3, 32, 512, 256)),
        noise(image=(3, 32, 32)),
        "wasserstein",
        1e-4,
        (0.0, 0.9),
        draws=5,
        peers=("torchgan", "mimicry"),
        channels_last=False,
    ),
    "cgan-mnist": Work(
        "`cgan-mnist`, the recipe as shipped",
        "r1r2",
        64,
        recorded("cgan-mnist"),
        digits("image", "label"),
        "relativistic",
        4e-4,
        (0.0, 0.99),
    ),
    "host": Work(
        "host cost: `cgan-mnist`, thin networks",
        "r1r2",
        2,
        recorded("cgan-mnist", **{"architecture.width": 4, "architecture.latent_size": 4}),
        digits("image", "label"),
        "relativistic",
        4e-4,
        (0.0, 0.99),
        channels_last=False,
    ),
    "host-gan": Work(
        "host cost: MLP GAN, thin networks",
        "gan",
        2,
        built("mlp", size=28, channels=1, latent_size=4, width=4),
        digits("image"),
        "non-saturating",
        peers=("torchgan", *VEGANS, "lightning"),
        channels_last=False,
    ),
    "dcgan-64": Work(
        "DCGAN, 64x64 RGB",
        "gan",
        32,
        built("dcgan", size=64, channels=3, latent_size=100, width=64),
        noise(image=(3, 64, 64)),
        "non-saturating",
        peers=("torchgan", *VEGANS, "lightning"),
    ),
    "sngan-32": Work(
        "SNGAN ResNet, 32x32 RGB",
        "gan",
        16,
        pair(lambda: networks.ResNetGenerator(256), lambda: networks.ResNetDiscriminator(128, True)),
        noise(image=(3, 32, 32)),
        "hinge",
        betas=(0.0, 0.9),
        peers=("mimicry", "lightning"),
    ),
    "wgan-gp-32": Work(
        "WGAN-GP ResNet, 32x32 RGB",
        "wgan-gp",
        16,
        pair(lambda: networks.ResNetGenerator(256), lambda: networks.ResNetDiscriminator(128, False)),
        noise(image=(3, 32, 32)),
        "wasserstein",
        1e-4,
        (0.0, 0.9),
        draws=5,
        peers=("mimicry",),
    ),
    "cyclegan-64": Work(
        "CycleGAN ResNet-9, 64x64 RGB",
        "cyclegan",
        1,
        _cyclegan,
        noise(a=(3, 64, 64), b=(3, 64, 64)),
        averaged=("ab", "ba"),
        channels_last=False,
    ),
    "srgan-64": Work(
        "SRGAN, 16x16 to 64x64, VGG-19",
        "srgan",
        4,
        pair(networks.SRResNet, networks.SRDiscriminator),
        noise(low=(3, 16, 16), high=(3, 64, 64)),
        betas=(0.9, 0.999),
    ),
    "stylegan2-64": Work(
        "StyleGAN2-class, 64x64 RGB",
        "stylegan2",
        8,
        pair(lambda: networks.StyleGenerator(32), lambda: networks.StyleDiscriminator(32)),
        noise(image=(3, 64, 64)),
        betas=(0.0, 0.99),
        multiple=R1_EVERY,
    ),
}
