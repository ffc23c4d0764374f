"""The loop: steps, averages, log, sample grids, checkpoints, signals; and what happens when a step goes bad."""

import logging
import math
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from ganzoo.engine import checkpoint as checkpoints
from ganzoo.engine.export import export, sample_grid
from ganzoo.engine.measure import Measuring
from ganzoo.engine.observers import Observers
from ganzoo.engine.optimizers import Average, NetworkOptimizer
from ganzoo.engine.processes import Processes
from ganzoo.engine.randomness import key
from ganzoo.engine.signals import Signals
from ganzoo.engine.start import freeze, start_from
from ganzoo.engine.updates import Step, Stepper
from ganzoo.errors import RunError, Stopped, TrainingError
from ganzoo.files import sweep, to_json
from ganzoo.folder import ModelFiles
from ganzoo.resolve import Parts
from ganzoo.run import Run
from ganzoo.strategy import Progress

log = logging.getLogger("ganzoo")
ATTEMPTS = 3


class Engine:
    """Trains a recipe into a run."""

    def __init__(
        self,
        parts: Parts,
        run: Run,
        processes: Processes,
        observers: Observers,
        base: Callable[[], ModelFiles] | None = None,
        fresh: bool = True,
    ):
        self.parts, self.run, self.processes, self.observers = parts, run, processes, observers
        self.training = training = parts.recipe.training
        device = processes.device
        if training.deterministic:
            torch.use_deterministic_algorithms(True, warn_only=True)
        self.networks = {name: self._build(name) for name in parts.strategy.networks}
        self.strategy = parts.strategy.to(device)
        self.lineage: list[dict[str, Any]] = [] if fresh else run.lineage
        if parts.recipe.start_from and fresh:  # a run that goes on has its own weights, and needs the source no more
            self.lineage = start_from(parts.recipe.start_from, self.networks, base() if base else None)
        freeze(self.networks, training.freeze)
        processes.broadcast(self.networks.values())
        self.optimizers = {n: NetworkOptimizer(net, training.optimizer.of(n)) for n, net in self.networks.items()}
        self.averages = {name: Average(self.networks[name], ema) for name, ema in training.ema.items()}
        dataset, columns = parts.dataset.to(device), parts.columns
        self.stepper = Stepper(
            self.strategy,
            self.networks,
            self.optimizers,
            self._reader(lambda start, stop: dataset.read(columns, training.seed, start, stop)),
            processes,
            training.batch_size,
            training.accumulate,
            training.precision,
            training.seed,
        )
        self.measuring = Measuring(parts, run)
        self.steps = self.images = self.attempt = 0
        self.seconds = 0.0
        self.window: dict[str, list[Tensor]] = {}
        self.updates: list[tuple[int, str, Tensor]] = []

    def _build(self, name: str) -> nn.Module:
        order = self.parts.architecture.networks.index(name)
        torch.manual_seed(key(self.training.seed, -1, order))
        network = self.parts.architecture.build(name).to(self.processes.device)
        if self.training.channels_last:
            network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return network

    def _reader(self, read: Callable[[int, int], tuple[Tensor, ...]]) -> Callable[[int, int], tuple[Tensor, ...]]:
        if not self.training.channels_last:
            return read

        def channels_last(start: int, stop: int) -> tuple[Tensor, ...]:
            return tuple(
                t.contiguous(memory_format=torch.channels_last) if t.dim() == 4 else t for t in read(start, stop)
            )

        return channels_last

    def train(self) -> None:
        """Train until the budget is spent, from the newest checkpoint if there is one."""
        sweep(self.run.checkpoints)
        sweep(self.run.exports)
        found = checkpoints.newest(self.run.checkpoints)
        if found is None:
            self._log_start()
            self._save()
        else:
            self._restore(found)
        self.observers.call("ganzoo_training_started", run=self.run)
        with Signals() as signals:
            while self.images < self.training.images:
                before = self.images
                self._step()
                if self._crossed(before, self.training.log_every) or self.images >= self.training.images:
                    self._log()
                if signals.received is not None:
                    self._stop(signals.received)
                if self._crossed(before, self.training.sample_every):
                    self._sample()
                self._measure(before)
                if self._crossed(before, self.training.checkpoint_every) and self.images < self.training.images:
                    self._save()
        self._save()
        if self.processes.is_main:
            export(self.run, self.parts, self.published(), self.steps, self.images, self.seconds)
        self.observers.call("ganzoo_training_finished", run=self.run)

    def published(self) -> dict[str, nn.Module]:
        """The networks that a model folder holds: averaged where the recipe averages them."""
        names = self.parts.architecture.published
        return {n: self.averages[n].network if n in self.averages else self.networks[n] for n in names}

    def _step(self) -> None:
        began = time.perf_counter()
        fraction = min(1.0, self.images / self.training.images)
        self.strategy.__dict__["progress"] = Progress(self.steps, self.images, fraction)
        step = self.stepper.step(self.attempt)
        if not step.drawn:
            raise TrainingError(f"strategy {self.parts.recipe.strategy.name!r} drew no batch in step {self.steps}")
        self.steps += 1
        self.images += step.drawn
        for average in self.averages.values():
            average.update(self.images, step.drawn)
        self._remember(step)
        self.seconds += time.perf_counter() - began
        self.observers.progress(self.images, self.training.images)

    def _remember(self, step: Step) -> None:
        for name, values in step.metrics.items():
            self.window.setdefault(name, []).extend(values)
        self.updates.extend((self.steps, networks, total) for networks, total in step.updates)

    def _crossed(self, before: int, every: int) -> bool:
        return self.images // every > before // every

    def _log(self) -> None:
        """Write the window's means: the only place where the host waits for the device."""
        self._check()
        if not self.window:
            return
        means = torch.stack([torch.stack(values).float().mean() for values in self.window.values()]).tolist()
        row: dict[str, Any] = {"step": self.steps, "images": self.images, "seconds": round(self.seconds, 3)}
        row |= dict(zip(self.window, means, strict=True))
        self.window = {}
        if self.processes.is_main:
            with self.run.log.open("a") as file:
                file.write(to_json(row).replace("\n", "") + "\n")
            self.observers.call("ganzoo_metrics_logged", run=self.run, step=self.steps, metrics=row)

    def _check(self) -> None:
        """Find the first update since the last look that wasn't finite, and go back to the last good checkpoint."""
        if not self.updates:
            return
        totals = torch.stack([total.float() for *_, total in self.updates]).tolist()
        bad = [
            (step, networks)
            for (step, networks, _), t in zip(self.updates, totals, strict=True)
            if not math.isfinite(t)
        ]
        self.updates = []
        if bad:
            step, networks = bad[0]
            found = checkpoints.newest(self.run.checkpoints)
            attempt = self.attempt + 1
            what = f"step {step} gave a loss or gradient of {networks} that is not finite"
            if found is None or attempt > ATTEMPTS:
                raise TrainingError(
                    f"training diverged: {what}, {attempt} times; lower training.optimizer.lr, or set clip_norm"
                )
            log.warning("%s; going back to step %d with other noise (attempt %d)", what, found.step, attempt)
            self._restore(found)
            self.attempt = attempt

    def _stop(self, number: int) -> None:
        self._save()
        raise Stopped(number, f"stopped at step {self.steps} after saving a checkpoint; the same command resumes")

    def _sample(self) -> None:
        if self.processes.is_main and self.parts.recipe.task == "generate":
            sheet = sample_grid(self.parts, self.published())
            sheet.save(self.run.samples / f"{self.images:09d}.png")

    def _measure(self, before: int) -> None:
        """Measure when it is due; a checkpoint is taken where the result is the best so far."""
        wanted = self.training.measure
        if wanted is None or not (self._crossed(before, wanted.every) or self.images >= self.training.images):
            return
        self._check()
        if self.processes.is_main:
            row = self.measuring.now(self.published(), self.steps, self.images, self.seconds)
            self.observers.call("ganzoo_metrics_logged", run=self.run, step=self.steps, metrics=row)
            if self.measuring.best_step() == self.steps:
                self._save()

    def _log_start(self) -> None:
        if self.processes.is_main:
            self.run.log.write_text("")

    def _save(self) -> None:
        self._check()
        if not self.processes.is_main:
            return
        tensors: dict[str, dict[str, Tensor]] = {"strategy": self.strategy.state_dict()}
        tensors |= {f"networks/{name}": network.state_dict() for name, network in self.networks.items()}
        tensors |= {f"ema/{name}": average.network.state_dict() for name, average in self.averages.items()}
        tensors["window"] = {name: torch.stack(values) for name, values in self.window.items()}
        facts = {
            "images": self.images,
            "attempt": self.attempt,
            "seconds": self.seconds,
            "log_bytes": self.run.log.stat().st_size,
            "world_size": self.processes.count,
            "recipe": self.parts.recipe.tables(),
        }
        states = {f"optimizers/{name}": optimizer.state_dict() for name, optimizer in self.optimizers.items()}
        saved = checkpoints.save(self.run.checkpoints, self.steps, tensors, states, facts)
        checkpoints.prune(self.run.checkpoints, self.training.keep, spare=self.measuring.best_step())
        self.observers.call("ganzoo_checkpoint_saved", run=self.run, step=self.steps, path=saved.path)

    def _restore(self, saved: checkpoints.Checkpoint) -> None:
        manifest = saved.manifest
        if manifest["world_size"] != self.processes.count:
            raise RunError(
                f"this run was trained by {manifest['world_size']} processes and now there are {self.processes.count}; "
                "start as many"
            )
        for name, network in self.networks.items():
            network.load_state_dict(saved.tensors(f"networks/{name}"))
            self.optimizers[name].load_state_dict(saved.state(f"optimizers/{name}"))
        for name, average in self.averages.items():
            average.network.load_state_dict(saved.tensors(f"ema/{name}"))
        self.strategy.load_state_dict(saved.tensors("strategy"))
        device = self.processes.device
        self.window = {name: list(values.to(device)) for name, values in saved.tensors("window").items()}
        self.updates = []
        self.steps, self.images = saved.step, int(manifest["images"])
        self.attempt, self.seconds = int(manifest["attempt"]), float(manifest["seconds"])
        if self.processes.is_main:
            with self.run.log.open("r+b") as file:
                file.truncate(manifest["log_bytes"])
