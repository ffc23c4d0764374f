"""Measure a translator on held-out pictures, beside three maps that need no training."""

import functools
from collections.abc import Iterator, Sequence

import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import normalize

from ganzoo.errors import GanzooError
from ganzoo.evaluation import parts
from ganzoo.evaluation.evidence import Evidence, Tick, View
from ganzoo.evaluation.kernel import standardised
from ganzoo.evaluation.measure import Report, measure
from ganzoo.evaluation.pictures import Held
from ganzoo.features import Features
from ganzoo.images import grid
from ganzoo.model import Model
from ganzoo.recipes import Recipe
from ganzoo.registry import registry

KERNEL = "kernel-distance,standardise=false"  # few pictures leave rare features that standardising would blow up
PAIRED = ("l1", KERNEL, "retrieval", "content")
UNPAIRED = (KERNEL, "content")


def evaluate(
    model: Model,
    metrics: Sequence[str] | None = None,
    *,
    direction: str | None = None,
    features: str | None = None,
    tick: Tick | None = None,
) -> Report:
    """Measure a direction (the first by default) on the test pictures of the model's data. Raises GanzooError.

    `beside` holds the same of the sources as they are ("untouched"), of the training target whose source is most like
    the test source ("nearest"; without pairs the target that is most like it), and of sources whose colours were moved
    to the training targets' histogram ("histogram"). Their values are details of each measurement, too.
    """
    recipe = Recipe.parse(model.config.recipe)
    test, learned = domains(recipe, "test"), domains(recipe, "train")
    direction = direction or model.directions[0]
    if model.directions.index(direction):
        test, learned = test.turned(), learned.turned()
    network = parts.features(features or parts.GENERAL).to(model.device)
    reference, sources = (View(Held(f"{test.name}, {side}", images), network, True, tick) for side, images in test.both)
    maps = {
        model.name: translated(model, test.a, direction),
        "untouched": test.a,
        "nearest": nearest(test.a, learned, network),
        "histogram": histogram_matched(test.a, learned.b),
    }
    chosen = list(metrics or (PAIRED if test.paired else UNPAIRED))
    reports = {}
    for name, images in maps.items():
        evidence = Evidence(View(Held(name, images), network, tick=tick), reference, None, network, sources)
        reports[name] = measure(name, chosen, functools.partial(_always, evidence), [], [])
    mine = reports.pop(model.name)
    measurements = {
        metric: found.model_copy(
            update={"details": {**found.details, **{other: r[metric].value for other, r in reports.items()}}}
        )
        for metric, found in mine.measurements.items()
    }
    notes = [f"direction {direction}"]
    return Report(model.name, measurements, mine.evidence, notes, reports)


def sheet(model: Model, sides: "Sides", count: int = 14) -> Image.Image:
    """For each direction the source, what the model makes of it and, where they pair, what the other hand drew."""
    places = torch.linspace(0, min(len(sides.a), len(sides.b)) - 1, count).long()
    rows, labels = [], []
    for direction, way in zip(model.directions, (sides, sides.turned()), strict=False):
        source, target = direction.split("-to-")
        drawn = [(f"{source} (source)", way.a[places] / 255), ("made", translated(model, way.a[places], direction))]
        drawn += [(f"{target} (real)", way.b[places] / 255)] if way.paired else []
        labels += [label for label, _ in drawn]
        rows += [images for _, images in drawn]
    return grid(torch.cat(rows), count, labels)


def _always(evidence: Evidence, seed: int) -> Evidence:
    return evidence  # a translation has no seed


class Sides:
    """The pictures of two domains, uint8 (N, C, H, W), in one order if they pair."""

    def __init__(self, name: str, a: Tensor, b: Tensor, paired: bool):
        self.name, self.a, self.b, self.paired = name, a, b, paired

    @property
    def both(self) -> Iterator[tuple[str, Tensor]]:
        """Target, then source, with what they are called."""
        yield from (("target", self.b), ("source", self.a))

    def turned(self) -> "Sides":
        return Sides(self.name, self.b, self.a, self.paired)


def domains(recipe: Recipe, split: str) -> Sides:
    """Both domains of a recipe's data in this split, not augmented. Raises GanzooError."""
    component = registry().get("dataset", recipe.data.name)
    if not {"split", "augment"} <= component.Config.model_fields.keys():
        raise GanzooError(
            f"data {recipe.data.name!r} holds nothing out; measure with --images, --reference and --sources"
        )
    settings = {k: v for k, v in recipe.data.settings.items() if k != "augment"}
    dataset = component(component.Config.read(settings | {"split": split}))
    a, b = dataset.data["a"], dataset.data["b"]
    return Sides(dataset.spec.name, a, b, dataset.paired)


@torch.inference_mode()
def translated(model: Model, images: Tensor, direction: str) -> Tensor:
    """What a direction makes of uint8 images: (N, C, H, W) in [0, 1]."""
    network, (low, high) = model.translator(direction), model.image_range
    like = next(network.parameters())
    made = [network(part.to(like) / 255 * (high - low) + low).float().cpu() for part in torch.split(images, 50)]
    return ((torch.cat(made) - low) / (high - low)).clamp(0, 1)


@torch.inference_mode()
def nearest(sources: Tensor, learned: Sides, network: Features) -> Tensor:
    """For each source the learned target that belongs to the most similar learned source (or is most similar)."""
    like = learned.a if learned.paired else learned.b
    mine, known = (_features(images, network) for images in (sources, like))
    a, b = (normalize(standardised(part, known), dim=1) for part in (mine, known))
    return learned.b[(a @ b.T).argmax(1)]


def _features(images: Tensor, network: Features) -> Tensor:
    return torch.cat([network(part).float().cpu() for part in torch.split(images, 100)])


def histogram_matched(sources: Tensor, targets: Tensor) -> Tensor:
    """Sources, uint8, whose values have the targets' distribution, channel by channel over the whole set."""
    matched = torch.empty_like(sources)
    for channel in range(sources.shape[1]):
        have, want = (
            torch.bincount(x[:, channel].flatten().long(), minlength=256).double() for x in (sources, targets)
        )
        middle = (have.cumsum(0) - have / 2) / have.sum()
        table = torch.searchsorted((want.cumsum(0) / want.sum()).contiguous(), middle).clamp(max=255).byte()
        matched[:, channel] = table[sources[:, channel].long()]
    return matched
