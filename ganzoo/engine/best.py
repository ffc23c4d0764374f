"""The best checkpoint of a run, by one value of its log: kept whatever else goes, and exported as exports/best."""

import copy
import logging
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from torch import nn

from ganzoo.engine import checkpoint as checkpoints
from ganzoo.engine.export import export
from ganzoo.engine.measure import PREFIX, decisive
from ganzoo.engine.unfinished import model_of
from ganzoo.errors import GanzooError, ModelError
from ganzoo.files import from_json, read_regular
from ganzoo.resolve import Parts
from ganzoo.run import Run

log = logging.getLogger("ganzoo")


class Best:
    """By `training.best`; where that is left out by the first metric of `[training.measure]`; else there is none."""

    def __init__(self, parts: Parts, run: Run):
        self.parts, self.run = parts, run
        training = parts.recipe.training
        metric = decisive(parts)  # checked even where another value decides
        self.better: Callable[[float, float], bool] | None = None
        self.key = ""
        if training.best is not None:
            direction, _, self.key = training.best.partition(":")
            self._prefer(higher=direction == "max")
        elif training.measure is not None and metric is not None:
            self.key = PREFIX + training.measure.metrics[0]
            self._prefer(higher=metric.higher_is_better)

    def _prefer(self, higher: bool) -> None:
        self.better = float.__gt__ if higher else float.__lt__

    def path(self) -> Path | None:
        """The best checkpoint there is; of equals the oldest, since a value stays the latest until the next one."""
        found: tuple[float, Path] | None = None
        for path in sorted(self.run.checkpoints.glob("step-*")):
            value = checkpoints.latest_of(path, self.key) if self.better else None
            if value is not None and self.better and (found is None or self.better(value, found[0])):
                found = value, path
        return found[1] if found else None

    def is_now(self, latest: Mapping[str, Any]) -> bool:
        """Whether a checkpoint with these latest values would be better than all that there are."""
        value = latest.get(self.key)
        if self.better is None or value is None or not math.isfinite(value):
            return False
        there = self.path()
        before = checkpoints.latest_of(there, self.key) if there else None
        return before is None or self.better(float(value), before)

    def export(self, networks: Mapping[str, nn.Module], step: int, images: int, seconds: float) -> None:
        """Write exports/best from copies, since sampling changes modes. A full disk costs the export, no training."""
        try:
            export(self.run, self.parts, copy.deepcopy(dict(networks)), step, images, seconds, name="best")
        except (OSError, ModelError) as error:
            log.warning("the best model can't be exported: %s", error)

    def catch_up(self) -> None:
        """Export the best checkpoint anew where a kill or a full disk came between it and its export."""
        there = self.path()
        if there is None or checkpoints.name(self._exported()) == there.name:
            return
        try:
            saved = checkpoints.read(there)
            networks = model_of(self.run, saved).networks
        except (OSError, ValueError, GanzooError) as error:
            log.warning("the best model can't be exported: %s", error)
            return
        self.export(networks, saved.step, saved.manifest["images"], saved.manifest["seconds"])

    def _exported(self) -> int:
        try:
            return int(from_json(read_regular(self.run.exports / "best" / "config.json"))["trained"]["steps"])
        except (OSError, ValueError, KeyError, TypeError):
            return -1

    def check(self, latest: Mapping[str, Any]) -> None:
        """Say at the end of a run when the value that decides was never there."""
        if self.better and self.key not in latest:
            there = ", ".join(name for name in latest if "/" in name) or "none"
            log.warning("no checkpoint is the best: the log has no value %r (there are %s)", self.key, there)
