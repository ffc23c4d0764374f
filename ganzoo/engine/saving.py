"""Put a training on the disk and take it back: what a checkpoint holds, and what happens when the disk is full."""

import contextlib
import logging
import math
import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ganzoo.engine import checkpoint as checkpoints
from ganzoo.errors import RunError, TrainingError
from ganzoo.files import to_json
from ganzoo.registry import registry

if TYPE_CHECKING:
    from ganzoo.engine.loop import Engine

log = logging.getLogger("ganzoo")
FAILURES = 3


class Saver:
    """Saves and restores an engine. The main process writes; all know whether it went well."""

    def __init__(self, engine: "Engine", allow_world_size_change: bool = False):
        self.engine, self.allow_world_size_change = engine, allow_world_size_change
        self.failures = 0
        self.gone_back: Counter[int] = Counter()  # after steps that were bad, to the checkpoint of each step

    def newest(self) -> checkpoints.Checkpoint | None:
        """The newest complete checkpoint, the same one for all processes."""
        folder, processes = self.engine.run.checkpoints, self.engine.processes

        def look() -> str | None:
            found = checkpoints.newest(folder)
            return found.path.name if found else None

        name = processes.first(look)
        return None if name is None else processes.each(lambda: _read(folder / name))

    def save(self, must: bool = False) -> Path | None:
        """Write a checkpoint; the path, or None when the disk refused it. Raises TrainingError after three failures,
        and at once when it `must` be or none stands behind it."""
        problem = self.engine.processes.first(self._try)
        if problem is None:
            self.failures = 0
            return self.engine.run.checkpoints / checkpoints.name(self.engine.steps)
        self.failures += 1
        if must or not self.engine.steps or self.failures >= FAILURES:
            raise TrainingError(
                f"checkpoint {self.engine.steps} can't be written ({problem}); make room in "
                f"{str(self.engine.run.folder)!r} and give the same command again to go on from the one before it"
            )
        if self.engine.processes.is_main:
            log.warning(
                "checkpoint %d can't be written (%s); training goes on, the one before it stays (failure %d of %d)",
                self.engine.steps,
                problem,
                self.failures,
                FAILURES,
            )
        return None

    def _try(self) -> str | None:
        folder, training = self.engine.run.checkpoints, self.engine.training
        try:
            tensors, states = self._parts()
            # at the start optimisers have no state yet, which will be twice the networks
            checkpoints.check_room(folder, tensors, states, times=2 if self.engine.steps else 4)
            saved = checkpoints.save(folder, self.engine.steps, tensors, states, self._facts())
            checkpoints.read(saved.path)  # nothing older goes before this one is known to be good
            checkpoints.prune(folder, training.keep, self.engine.best.path())
        except (OSError, ValueError) as error:
            return str(getattr(error, "strerror", None) or error)
        return None

    def _parts(self) -> tuple[dict[str, dict[str, Tensor]], dict[str, Any]]:
        e = self.engine
        tensors: dict[str, dict[str, Tensor]] = {"strategy": e.strategy.state_dict()}
        tensors |= {f"networks/{name}": network.state_dict() for name, network in e.networks.items()}
        tensors |= {f"ema/{name}": average.network.state_dict() for name, average in e.averages.items()}
        tensors["window"] = {name: torch.stack(values) for name, values in e.window.items()}
        return tensors, {f"optimizers/{name}": optimizer.state_dict() for name, optimizer in e.optimizers.items()}

    def _facts(self) -> dict[str, Any]:
        e = self.engine
        return {
            "images": e.images,
            "attempt": e.attempt,
            "seconds": e.seconds,
            "due": e.due,
            "log_bytes": e.run.log.stat().st_size,
            "world_size": e.processes.count,
            "accumulate": e.stepper.accumulate,
            "latest": e.latest,
            "recipe": e.parts.recipe.tables(),
            "plugins": self._plugins(),
        }

    def _plugins(self) -> dict[str, str]:
        plugins = [registry().entry(kind, name).plugin for kind, name in self.engine.parts.recipe.components]
        return {p.distribution: p.version for p in plugins}

    def append(self, row: dict[str, Any]) -> None:
        """A line of the log. A disk that refuses it costs the line, never the training."""
        if not self.engine.processes.is_main:
            return
        bad = [name for name, value in row.items() if not math.isfinite(value)]
        if bad:
            log.warning("step %d: %s not finite, and left out of the log", row["step"], ", ".join(bad))
            row = {name: value for name, value in row.items() if name not in bad}
        path, size = self.engine.run.log, None
        try:
            with path.open("a", encoding="utf-8") as file:
                size = file.tell()
                file.write(to_json(row).replace("\n", "") + "\n")
        except OSError as error:
            log.warning("a line of the log can't be written: %s", error.strerror)
            with contextlib.suppress(OSError):
                if size is not None:
                    os.truncate(path, size)

    def resume(self, saved: checkpoints.Checkpoint) -> None:
        """Go on from a checkpoint of an earlier process. Raises RunError when that would be another training."""
        e, manifest = self.engine, saved.manifest
        then, now = int(manifest["world_size"]), e.processes.count
        micro_batches = int(manifest.get("accumulate", e.stepper.accumulate))
        if self.allow_world_size_change:
            if (then, micro_batches) != (now, e.stepper.accumulate) and e.processes.is_main:
                same = then * micro_batches == now * e.stepper.accumulate and e.parts.exact
                log.warning(
                    "going on with %d x %d instead of %d x %d processes x micro-batches: %s",
                    now,
                    e.stepper.accumulate,
                    then,
                    micro_batches,
                    "the same training up to rounding" if same else "another order of noise, so another training",
                )
        elif then != now:
            raise RunError(
                f"this run was trained by {then} processes and now there are {now}; start as many, or allow it with "
                "--allow-world-size-change"
            )
        else:
            e.stepper.check(micro_batches)
            e.stepper.accumulate = micro_batches  # smaller since a process ran out of memory
        changed = self._versions(manifest)
        if changed and e.processes.is_main:
            log.warning("this run was begun with %s: it may go on otherwise than it would have", changed)
        try:
            self.restore(saved)
        except (RuntimeError, KeyError, ValueError) as error:  # shapes or names that the parts have no more
            why = f"; the run was begun with {changed}" if changed else ""
            words = " ".join(str(error).split())[:300]
            raise RunError(
                f"checkpoint {saved.path.name} doesn't fit what its plugins build now ({words}){why}; "
                "install the versions that it was trained with, or begin anew with --restart"
            ) from None
        e.attempt, e.due = int(manifest["attempt"]), list(manifest.get("due", []))

    def _versions(self, manifest: dict[str, Any]) -> str:
        """Plugins that have another version than when a checkpoint was written."""
        then = manifest.get("plugins", {})
        return ", ".join(
            f"{name} {then[name]} and goes on with {now}"
            for name, now in self._plugins().items()
            if then.get(name, now) != now
        )

    def restore(self, saved: checkpoints.Checkpoint) -> None:
        """Be where a checkpoint says, in every process; `attempt` stays."""
        e, manifest = self.engine, saved.manifest
        for name, network in e.networks.items():
            network.load_state_dict(saved.tensors(f"networks/{name}"))
            e.optimizers[name].load_state_dict(saved.state(f"optimizers/{name}"))
        for name, average in e.averages.items():
            average.network.load_state_dict(saved.tensors(f"ema/{name}"))
        e.strategy.load_state_dict(saved.tensors("strategy"))
        e.window.clear()
        e.window.add({n: values.to(e.processes.device).unbind() for n, values in saved.tensors("window").items()})
        e.updates = []
        e.latest = dict(manifest.get("latest", {}))
        e.steps, e.images, e.seconds = saved.step, int(manifest["images"]), float(manifest["seconds"])
        e.processes.first(lambda: self._clean(saved))

    def _clean(self, saved: checkpoints.Checkpoint) -> None:
        """The folder as it was when the checkpoint was written; of a log that a crash cut, the lines that are whole."""
        try:
            checkpoints.set_aside(self.engine.run.checkpoints, saved.step)
            with self.engine.run.log.open("a+b") as file:
                file.seek(0)
                file.truncate(file.read(int(saved.manifest["log_bytes"])).rfind(b"\n") + 1)
        except OSError as error:
            raise RunError(f"run {str(self.engine.run.folder)!r} can't be written: {error.strerror}") from None


def _read(path: Path) -> checkpoints.Checkpoint:
    try:
        return checkpoints.read(path)
    except (OSError, ValueError) as error:
        raise RunError(
            f"checkpoint {str(path)!r} can't be read here ({error}); all processes need the same run folder"
        ) from None
