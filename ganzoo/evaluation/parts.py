"""From the names of metrics and feature networks to their objects; what suits a set of pictures when none is named."""

from collections.abc import Sequence
from typing import Any

from ganzoo.errors import GanzooError, NothingHeldOut
from ganzoo.evaluation.pictures import Pictures
from ganzoo.features import Features
from ganzoo.metric import Metric
from ganzoo.model import Model
from ganzoo.recipes import Recipe
from ganzoo.registry import registry
from ganzoo.settings import mistakes
from ganzoo.text import toml_value

GENERAL = "effnet-lite0"  # for pictures that no classifier of their own is known for
SETS = ("frechet-distance", "kernel-distance", "precision", "recall", "density", "coverage")
NAMED = ("classifier-accuracy", "label-accuracy")  # by what tells the classes
WITHIN = ("class-coverage", "class-frechet-distance")
OWN = ("copies", "duplicates")


def metric(spelled: str) -> Metric:
    """A metric by name, with settings where they are spelled: `coverage,k=3`. Raises GanzooError."""
    made: Metric = _made("metric", *_spelled(spelled))
    return made


def features(spelled: str) -> Features:
    """A feature network by name, with settings where they are spelled: `effnet-lite0,size=128`. Raises GanzooError."""
    name, settings = _spelled(spelled)
    made: Features = _made("features", name, settings)
    made.name = name
    return made


def _spelled(text: str) -> tuple[str, dict[str, Any]]:
    name, *pairs = text.split(",")
    settings: dict[str, Any] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals:
            raise GanzooError(f"{text!r} should be NAME or NAME,SETTING=VALUE, such as coverage,k=3")
        settings[key.strip()] = toml_value(value)
    return name.strip(), settings


def _made(kind: str, name: str, settings: dict[str, Any]) -> Any:
    component = registry().get(kind, name)
    try:
        return component(component.Config.read(settings))
    except ValueError as error:
        raise GanzooError(
            f"{kind} {name!r} can't be used so: {'; '.join(mistakes(error, kind=component.Config))}"
        ) from None


def features_for(labels: Sequence[str], size: int | None, channels: int | None) -> str:
    """The feature network that classifies pictures of this kind, or the general one."""
    for name in registry().names("features"):
        found = registry().get("features", name)
        if found.labels and (found.labels, found.size, found.channels) == (tuple(labels), size, channels):
            return name
    return GENERAL


def network_for(
    metrics: Sequence[str] | None, spelled: str | None, labels: Sequence[str], size: int | None, channels: int | None
) -> Features | None:
    """The feature network that was asked for, or what suits; None where no metric that was asked for needs one."""
    if spelled or not metrics or any("features" in metric(name).needs for name in metrics):
        return features(spelled or features_for(labels, size, channels))
    return None


def metrics_for(
    labels: Sequence[str], network: Features | None, reference: Pictures | None, training: Pictures | None
) -> list[str]:
    """What is worth measuring of such samples."""
    chosen: list[str] = []
    if reference is not None:
        teachers = [known for known in (network and network.labels, training and training.label_names) if known]
        chosen = [*SETS, *(NAMED if labels and tuple(labels) in teachers else ()), *(WITHIN if labels else ())]
    return [*chosen, *(OWN if training else OWN[1:])]


def recipe_of(model: Model) -> Recipe:
    """What a model was trained by, but for `[training]`, which doesn't matter here and may be a later version's."""
    return Recipe.parse({**model.config.recipe, "training": {"images": 1}})


def held_out(recipe: Recipe) -> Any:
    """The recipe's data in its `test` split, or None where the dataset has none."""
    component = registry().get("dataset", recipe.data.name)
    try:
        return component(component.Config.read(recipe.data.settings | {"split": "test"}))
    except (ValueError, NothingHeldOut):
        return None
