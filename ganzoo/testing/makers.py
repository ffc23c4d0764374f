"""What an architecture publishes, as the checks use it: from latents or images, whatever kind of network it is."""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ganzoo.architecture import Architecture, Generator, Translator
from ganzoo.captions import encode
from ganzoo.dataset import Spec
from ganzoo.errors import GanzooError
from ganzoo.folder import ModelConfig
from ganzoo.model import Model
from ganzoo.portable import Portable, portable
from ganzoo.testing.contract import NotRun, Subject, needs_settings

COUNT = 6
SIDE = 16  # of the pictures that a translator is tried on, at least


@dataclass(frozen=True)
class Maker:
    """A published network that makes images, and inputs for it."""

    name: str
    network: nn.Module
    architecture: Architecture

    @property
    def generates(self) -> bool:
        """From latents; else from images."""
        return hasattr(self.network, "latent") and hasattr(self.network, "sample")

    @property
    def trains_as_it_samples(self) -> bool:
        """`sample` is `forward`: what training moves is what makes the images."""
        return not self.generates or getattr(type(self.network), "sample", None) is Generator.sample

    def given(self, count: int = COUNT, seed: int = 1, extra: int = 0) -> Tensor:
        """Latents, or square images; with `extra` larger by so many multiples, and wider than high."""
        generator = torch.Generator().manual_seed(seed)
        if self.generates:
            return self.network.latent(count, generator=generator)  # type: ignore[operator, no-any-return]
        multiple = int(getattr(self.network, "multiple", 1))
        least = -(-(getattr(self.architecture.config, "size", None) or SIDE) // multiple)
        height, width = (least + extra) * multiple, (least + 2 * extra) * multiple
        low, high = self.architecture.image_range
        channels = getattr(self.network, "channels", None) or getattr(self.architecture.config, "channels", None) or 3
        return torch.rand(count, channels, height, width, generator=generator) * (high - low) + low

    def make(self, given: Tensor, condition: list[Tensor]) -> Tensor:
        """Images as a published model makes them."""
        call = self.network.sample if self.generates else self.network
        images: Tensor = call(given, *condition)  # type: ignore[operator]
        return images


def built(subject: Subject) -> tuple[Architecture, dict[str, nn.Module]]:
    """The architecture at its smallest, and every network of it."""
    try:
        architecture = subject.target(subject.config())
    except ValueError as error:
        raise needs_settings(error) from None
    torch.manual_seed(0)
    try:
        return architecture, {name: architecture.build(name) for name in architecture.networks}
    except GanzooError as error:  # pretrained weights that aren't installed, say
        raise NotRun(f"it can't be built here ({error})") from None


def makers(architecture: Architecture, networks: Mapping[str, nn.Module]) -> list[Maker]:
    """The published networks that make images."""
    found = [Maker(name, networks[name], architecture) for name in architecture.published if name in networks]
    found = [maker for maker in found if maker.generates or isinstance(maker.network, Translator)]
    if not found:
        raise NotRun("it publishes no network that makes images of latents or of images")
    return found


def conditions(architecture: Architecture, count: int = COUNT) -> list[Tensor]:
    """A value of each condition for `count` images."""
    classes = classes_of(architecture)
    length = getattr(architecture.config, "caption_length", None) or 8
    known = {"label": torch.arange(count) % classes, "caption": encode([str(i) for i in range(count)], length)}
    unknown = [name for name in architecture.conditions if name not in known]
    if unknown:
        raise NotRun(f"the kit makes no {', '.join(unknown)}, on which this architecture is conditioned")
    return [known[name] for name in architecture.conditions]


def classes_of(architecture: Architecture) -> int:
    return getattr(architecture.config, "classes", None) or 2


def discriminator_of(architecture: Architecture, networks: Mapping[str, nn.Module]) -> nn.Module | None:
    """The network of this name, where it is called on images and the architecture's conditions."""
    found = networks.get("discriminator")
    try:
        if found is not None:
            inspect.signature(found.forward).bind(None, *architecture.conditions)
    except TypeError:
        return None
    return found


def model_of(subject: Subject) -> Model:
    """A model of the architecture, as training would export it."""
    architecture, networks = built(subject)
    every, config = makers(architecture, networks), architecture.config
    conditions(architecture)
    facts = {
        name: getattr(config, name) for name in ("size", "channels", "scale", "caption_length") if hasattr(config, name)
    }
    labels = tuple(f"class {i}" for i in range(getattr(config, "classes", 0) or 0))
    about = {
        "schema": 1,
        "name": "contract",
        "task": "generate" if every[0].generates else "transform",
        "dtype": "float32",
        "networks": list(architecture.published),
        "spec": Spec(name="contract", count=1, labels=labels, licence="CC0-1.0", **facts).model_dump(mode="json"),
        "recipe": {
            "architecture": {"name": subject.name, **config.record()},
            "data": {"conditions": list(architecture.conditions)},
        },
    }
    with torch.no_grad():
        for maker in every:
            maker.make(maker.given(), conditions(architecture))  # what is made at the first use is there then
    published = {name: networks[name] for name in architecture.published}
    return Model(ModelConfig.read(about), published, architecture.image_range)


def portables(model: Model) -> list[Portable]:
    """Every network of a model that makes images, between tensors of images in [0, 1]."""
    made = [name for name, n in model.networks.items() if hasattr(n, "latent") or isinstance(n, Translator)]
    return [portable(model, name) for name in made]


@torch.inference_mode()
def images_of(model: Model, count: int = 3) -> list[Tensor]:
    """Images that a model makes, the same each time: samples, or what becomes of made-up pictures."""
    if model.task == "generate":
        return [model.sample(count, seed=0)]
    return [module(*module.inputs(count)) for module in portables(model)]


def stir(*networks: nn.Module) -> None:
    """Move the weights, as if they had learned: embeddings and last layers often begin at zero."""
    with torch.no_grad():
        for network in networks:
            for parameter in network.parameters():
                parameter.add_(torch.randn_like(parameter) * 0.2)
