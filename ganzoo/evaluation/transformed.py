"""What a model that transforms makes of held-out pictures, beside what they should become."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from PIL import Image
from torch import Tensor

from ganzoo.dataset import Dataset
from ganzoo.errors import GanzooError
from ganzoo.evaluation import parts
from ganzoo.evaluation.evidence import Tick
from ganzoo.evaluation.measure import Report, evaluate_pictures
from ganzoo.evaluation.pictures import FromDataset, Pictures, to_bytes
from ganzoo.model import Model
from ganzoo.portable import portable
from ganzoo.recipes import Data, Recipe
from ganzoo.resolve import dataset_of

TRAINING = 10_000  # training pictures that copies are looked for in, at most
COLUMNS = ("low", "high"), ("a", "b")  # what is given, and what it should become


@dataclass(frozen=True)
class Held:
    """Held-out pictures: what a model is given, what that should become, and what it learned from."""

    sources: Pictures
    wanted: Pictures
    training: Pictures | None

    def turned(self, training: Pictures | None) -> "Held":
        """The other direction, and what was learned of it."""
        return Held(self.wanted, self.sources, training)


class Made(Pictures):
    """Pictures that are made of others, one by one, whenever they are asked for."""

    def __init__(self, name: str, sources: Pictures, make: Callable[[Tensor], Tensor]):
        self.name, self.sources, self.make, self.count = name, sources, make, sources.count
        self.labels, self.label_names, self.treatment = sources.labels, sources.label_names, sources.treatment

    @property
    def keys(self) -> list[str]:
        return self.sources.keys

    def batches(self) -> Iterator[Tensor]:
        return (to_bytes(self.make(batch.float() / 255)) for batch in self.sources.batches())

    def each(self) -> Iterator[Tensor]:
        return (to_bytes(self.make(image[None].float() / 255))[0] for image in self.sources.each())

    def require_alike(self) -> None:
        self.sources.require_alike()


class Photographs(Pictures):
    """Whole pictures of any size, uint8 (C, H, W), which a dataset offers by `whole(column)`."""

    def __init__(self, name: str, images: list[Tensor]):
        self.name, self.images, self.count = f"{name}, whole", images, len(images)

    def each(self) -> Iterator[Tensor]:
        return iter(self.images)

    def require_alike(self) -> None:
        if len({image.shape for image in self.images}) > 1:
            raise GanzooError(f"pictures of {self.name} have unlike sizes, and this metric compares alike ones")


def transformed(model: Model, sources: Pictures, network: str | None = None) -> Made:
    """What a model's network (the first one) makes of pictures."""
    module = portable(model, network or next(iter(model.networks)))

    @torch.inference_mode()
    def make(images: Tensor) -> Tensor:
        labels = [torch.zeros(len(images), dtype=torch.long) for _ in module.conditions]
        parts_ = (part.to(model.device) for part in (images, *labels))
        made: Tensor = module(*parts_).cpu()
        return made

    return Made(model.name, sources, make)


def enlarged(sources: Pictures, scale: int) -> Made:
    """Pillow's bicubic enlargement."""

    def make(images: Tensor) -> Tensor:
        return torch.stack([_bicubic(image, scale) for image in to_bytes(images)])

    return Made("bicubic", sources, make)


def _bicubic(image: Tensor, scale: int) -> Tensor:
    size = image.shape[2] * scale, image.shape[1] * scale
    planes = [Image.fromarray(plane.numpy()).resize(size, Image.Resampling.BICUBIC) for plane in image]
    return torch.stack([torch.frombuffer(bytearray(plane.tobytes()), dtype=torch.uint8) for plane in planes]).view(
        len(image), size[1], size[0]
    )


def held_out(model: Model, most: int) -> Held:
    """The held-out part of a model's own data, at most so many pictures. Raises GanzooError where there is none."""
    recipe = parts.recipe_of(model)
    test, given, wanted = test_pairs(recipe)
    if hasattr(test, "whole"):
        sources, originals = (Photographs(test.spec.name, test.whole(column)[:most]) for column in (given, wanted))
        return Held(sources, originals, None)
    training = FromDataset(learned(recipe), TRAINING, wanted)
    return Held(FromDataset(test, most, given), FromDataset(test, most, wanted), training)


def learned(recipe: Recipe) -> Dataset:
    """The training part of a recipe's data, its pictures as they are: not augmented."""
    plain = {key: value for key, value in recipe.data.model_dump(mode="json").items() if key != "augment"}
    return dataset_of(recipe.model_copy(update={"data": Data.read(plain)}))


def test_pairs(recipe: Recipe) -> tuple[Dataset, str, str]:
    """The held-out part of a recipe's data, and the columns of what is given and what it should become."""
    test: Dataset | None = parts.held_out(recipe)
    if test is None:
        raise GanzooError(f"data {recipe.data.name!r} holds nothing out, so no model of it can be judged by it")
    return test, *columns_of(test)


def columns_of(dataset: Dataset) -> tuple[str, str]:
    """Which columns of the data are given to a model, and what they should become."""
    for pair in COLUMNS:
        if set(pair) <= set(dataset.columns):
            return pair
    known = " or ".join(" and ".join(pair) for pair in COLUMNS)
    raise GanzooError(f"{dataset.spec.name} has {', '.join(dataset.columns)}; a model that transforms needs {known}")


def evaluate(
    model: Model,
    metrics: Sequence[str] | None = None,
    *,
    count: int,
    features: str | None = None,
    tick: Tick | None = None,
) -> Report:
    """Measure what a model makes of the held-out part of its data against what that should become.

    `beside` holds the same of what needs no model: bicubic for one that enlarges, else the untouched sources.
    """
    held = held_out(model, count)
    chosen = list(metrics or suited(model, held))
    report = measured(transformed(model, held.sources), held, chosen, features, tick)
    name = "bicubic" if model.scale else "untouched"
    other: Pictures = enlarged(held.sources, model.scale) if model.scale else held.sources
    return replace(report, beside={name: measured(other, held, chosen, features, tick)})


def suited(model: Model, held: Held) -> list[str]:
    """The metrics that suit what a model does. Copies are told from new pictures by a hundred of these at least."""
    own = list(parts.OWN) if held.training is not None and held.sources.count >= 100 else []
    if model.scale:
        return [f"{name},channel=Y,border={model.scale}" for name in ("psnr", "ssim")] + ["spectrum-distance", *own]
    return ["content", "kernel-distance,standardise=false", *own]


def measured(
    made: Pictures, held: Held, metrics: Sequence[str], features: str | None = None, tick: Tick | None = None
) -> Report:
    """Measure pictures that were made of held-out ones."""
    return evaluate_pictures(
        made, held.wanted, metrics, features=features, training=held.training, sources=held.sources, tick=tick
    )
