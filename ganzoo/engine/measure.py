"""Measuring while training goes on: metrics of the published networks every so many images, and the best of them."""

import copy
from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from ganzoo.engine.export import describe, export
from ganzoo.errors import GanzooError, RecipeError
from ganzoo.evaluation import measure, parts
from ganzoo.folder import ModelConfig
from ganzoo.model import Model
from ganzoo.resolve import Parts
from ganzoo.run import Run

PREFIX = "measured/"


class Measuring:
    """Does what `[training.measure]` of a recipe asks for; nothing where it asks for nothing."""

    def __init__(self, parts_: Parts, run: Run):
        self.parts, self.run = parts_, run
        self.wanted = parts_.recipe.training.measure
        if self.wanted is not None:
            self.higher_is_better = _checked(parts_, self.wanted).higher_is_better

    def now(
        self,
        networks: Mapping[str, nn.Module],
        step: int,
        images: int,
        seconds: float,
        append: Callable[[dict[str, Any]], None],
    ) -> dict[str, Any]:
        """Measure copies of the networks, write a line into the run's log, and export them when they are the best."""
        assert self.wanted is not None
        own = {name: copy.deepcopy(network) for name, network in networks.items()}
        model = Model(ModelConfig.read(describe(self.parts, own)), own, self.parts.architecture.image_range)
        report = measure.evaluate_model(
            model, self.wanted.metrics, seeds=(0,), count=self.wanted.count, features=self.wanted.features
        )
        row: dict[str, Any] = {"step": step, "images": images, "seconds": round(seconds, 3)}
        row |= {PREFIX + name: found.value for name, found in report.measurements.items()}
        append(row)
        if self.best_step() == step:
            export(self.run, self.parts, own, step, images, seconds, name="best")
        return row

    def best_step(self) -> int | None:
        """The step that scored best in the run's log; None where nothing was measured."""
        if self.wanted is None:
            return None
        key = PREFIX + self.wanted.best
        rows = [row for row in self.run.metrics() if key in row]
        if not rows:
            return None
        sign = 1 if self.higher_is_better else -1
        return int(max(rows, key=lambda row: sign * row[key])["step"])


def _checked(parts_: Parts, wanted: Any) -> Any:
    """The metric that decides, once every metric and the feature network are known to exist."""
    try:
        if parts_.recipe.task != "generate":
            raise GanzooError("only recipes that generate can be measured while they train")
        if wanted.features is not None:
            parts.features(wanted.features)
        first, *_ = [parts.metric(name) for name in wanted.metrics]
        return first
    except GanzooError as error:
        raise RecipeError(parts_.recipe.name, [f"training.measure: {error}"]) from None
