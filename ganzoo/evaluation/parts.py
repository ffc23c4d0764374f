"""From the names of metrics and feature networks to their objects; what suits a set of pictures when none is named."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from ganzoo.errors import GanzooError
from ganzoo.features import Features
from ganzoo.metric import Metric
from ganzoo.recipes import Recipe
from ganzoo.registry import registry
from ganzoo.settings import mistakes

GENERAL = "effnet-lite0"  # for pictures that no classifier of their own is known for
SETS = ("frechet-distance", "kernel-distance", "precision", "recall", "density", "coverage")
CLASSES = ("classifier-accuracy", "label-accuracy", "class-coverage", "class-frechet-distance")
OWN = ("copies", "duplicates")


def metric(name: str, settings: Mapping[str, Any] | None = None) -> Metric:
    """A metric by name. Raises UnknownNameError, or GanzooError for wrong settings."""
    made: Metric = _made("metric", name, settings)
    return made


def features(name: str, settings: Mapping[str, Any] | None = None) -> Features:
    """A feature network by name, its weights loaded. Raises UnknownNameError, or GanzooError where they can't be."""
    made: Features = _made("features", name, settings)
    made.name = name
    return made


def _made(kind: str, name: str, settings: Mapping[str, Any] | None) -> Any:
    component = registry().get(kind, name)
    try:
        return component(component.Config.read(settings or {}))
    except (ValidationError, ValueError) as error:
        raise GanzooError(f"{kind} {name!r} can't be used so: {'; '.join(mistakes(error))}") from None


def features_for(labels: Sequence[str], size: int | None, channels: int | None) -> str:
    """The feature network that classifies pictures of this kind, or the general one."""
    for name in registry().names("features"):
        found = registry().get("features", name)
        if found.labels and (found.labels, found.size, found.channels) == (tuple(labels), size, channels):
            return name
    return GENERAL


def metrics_for(labels: Sequence[str], network: Features, reference: bool, training: bool) -> list[str]:
    """What is worth measuring of such samples."""
    chosen = list(SETS) if reference else []
    if labels:
        chosen += [n for n in CLASSES if network.labels == tuple(labels) or n not in CLASSES[:2]] if reference else []
    return [*chosen, *(OWN if training else OWN[1:])]


def held_out(recipe: Recipe) -> Any:
    """The recipe's data in its `test` split, or None where the dataset has none."""
    component = registry().get("dataset", recipe.data.name)
    try:
        return component(component.Config.read(recipe.data.settings | {"split": "test"}))
    except (ValidationError, ValueError):
        return None
