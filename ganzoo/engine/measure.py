"""Measuring while training goes on: metrics of the published networks every so many images."""

from collections.abc import Mapping

from torch import nn

from ganzoo.engine.export import lent
from ganzoo.errors import GanzooError, RecipeError
from ganzoo.evaluation import measure, parts, transformed
from ganzoo.metric import Metric
from ganzoo.resolve import Parts

PREFIX = "measured/"


def measured(parts_: Parts, networks: Mapping[str, nn.Module]) -> dict[str, float]:
    """What `[training.measure]` of the recipe asks for, of the published networks."""
    wanted = parts_.recipe.training.measure
    assert wanted is not None
    with lent(parts_, networks) as model:
        report = measure.evaluate_model(model, wanted.metrics, seeds=(0,), count=wanted.count, features=wanted.features)
    return {PREFIX + name: found.value for name, found in report.measurements.items()}


def decisive(parts_: Parts) -> Metric | None:
    """The first metric to measure, once all of them and the feature network are known to exist. Raises RecipeError."""
    wanted = parts_.recipe.training.measure
    if wanted is None:
        return None
    try:
        if parts_.recipe.task != "generate":
            transformed.test_pairs(parts_.recipe)
        if wanted.features is not None:
            parts.features(wanted.features)
        first, *_ = [parts.metric(name) for name in wanted.metrics]
        return first
    except GanzooError as error:
        raise RecipeError(parts_.recipe.name, [f"training.measure: {error}"]) from None
