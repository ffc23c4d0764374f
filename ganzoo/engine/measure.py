"""Measuring while training goes on: metrics of the published networks every so many images."""

import logging
from collections.abc import Mapping

from torch import nn

from ganzoo.engine.export import lent
from ganzoo.errors import GanzooError, RecipeError
from ganzoo.evaluation import measure, parts, transformed
from ganzoo.metric import Metric
from ganzoo.resolve import Parts

log = logging.getLogger("ganzoo")
PREFIX = "measured/"


def measured(parts_: Parts, networks: Mapping[str, nn.Module]) -> dict[str, float]:
    """What `[training.measure]` of the recipe asks for, of the published networks. What fails here costs the
    measurement, not the run."""
    wanted = parts_.recipe.training.measure
    assert wanted is not None
    names, count, features = wanted.metrics, wanted.count, wanted.features
    try:
        with lent(parts_, networks) as model:
            report = measure.evaluate_model(model, names, seeds=(0,), count=count, features=features)
    except Exception as error:
        log.warning("what training.measure asks for can't be measured now: %s", error)
        return {}
    return {PREFIX + name: found.value for name, found in report.measurements.items()}


def decisive(parts_: Parts) -> Metric | None:
    """The first metric to measure, once all of them and the feature network are known to exist and the count is known
    to be enough. Raises RecipeError."""
    wanted = parts_.recipe.training.measure
    if wanted is None:
        return None
    try:
        if parts_.recipe.task != "generate":
            transformed.test_pairs(parts_.recipe)
        if wanted.features is not None:
            parts.features(wanted.features)
        metrics = {name: parts.metric(name) for name in wanted.metrics}
        for name, metric in metrics.items():
            if metric.minimum > wanted.count:
                raise GanzooError(
                    f"metric {name!r} needs at least {metric.minimum} pictures, and count is {wanted.count}"
                )
        return metrics[wanted.metrics[0]]
    except GanzooError as error:
        raise RecipeError(parts_.recipe.name, [f"training.measure: {error}"]) from None
