"""The loop: steps, averages, log, sample grids, checkpoints, signals; and what happens when a step goes bad."""

import contextlib
import logging
import math
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from ganzoo.engine import building, chores, health, report, trouble
from ganzoo.engine.best import Best
from ganzoo.engine.collapse import Watch
from ganzoo.engine.compiled import Compiler
from ganzoo.engine.export import check_loadable, export
from ganzoo.engine.graphs import Graphs
from ganzoo.engine.observers import Observers
from ganzoo.engine.optimizers import Average, NetworkOptimizer
from ganzoo.engine.processes import Exhausted, Processes
from ganzoo.engine.saving import Saver
from ganzoo.engine.signals import Signals
from ganzoo.engine.start import freeze, start_from
from ganzoo.engine.updates import Step, Stepper
from ganzoo.engine.window import Window
from ganzoo.errors import ModelError, RunError, Stopped, TrainingError
from ganzoo.folder import ModelFiles
from ganzoo.memory import keep_freed_memory
from ganzoo.products import quick_products
from ganzoo.regularized import main_share
from ganzoo.resolve import Parts
from ganzoo.run import Run
from ganzoo.strategy import Progress

log = logging.getLogger("ganzoo")


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
        allow_world_size_change: bool = False,
    ):
        self.parts, self.run, self.processes, self.observers = parts, run, processes, observers
        self.fresh = fresh
        self.training = training = parts.recipe.training
        device = processes.device
        if training.deterministic:
            torch.use_deterministic_algorithms(True, warn_only=True)
        if device.type == "cpu":
            keep_freed_memory()
        self.channels_last = building.is_channels_last(parts, self.micro_batch)
        self.networks = building.networks(parts, processes, self.channels_last)
        self.strategy = building.strategy(parts, processes, self.channels_last)
        self.lineage: list[dict[str, Any]] = [] if fresh else run.lineage
        if parts.recipe.start_from and fresh:  # a run that goes on has its own weights, and needs the source no more
            source = parts.recipe.start_from
            self.lineage = processes.each(lambda: start_from(source, self.networks, base() if base else None))
        freeze(self.networks, training.freeze)
        processes.broadcast(self.networks.values())
        self.optimizers = {
            n: NetworkOptimizer(net, training.optimizer.of(n).shared(main_share(self.strategy, n)))
            for n, net in self.networks.items()
        }
        self.averages = {name: Average(self.networks[name], ema) for name, ema in training.ema.items()}
        processes.each(lambda: check_loadable(parts, self.published()))
        self.dataset = parts.dataset.to(device)
        self.stepper = Stepper(
            self.strategy,
            self.networks,
            self.optimizers,
            self._read,
            processes,
            training.batch_size,
            training.accumulate,
            training.precision,
            training.seed,
        )
        self.graphs = Graphs(self.stepper, wanted=bool(training.graphs))
        self.compiler = Compiler(self.networks, wanted=bool(training.compile))
        self.best = Best(parts, run)
        self.watch = Watch(parts)
        self.steps = self.images = self.attempt = 0
        self.seconds = 0.0
        self.window = Window(device)
        self.updates: list[tuple[int, int, str, int]] = []  # step, update, networks, where in the window its flag is
        self.latest: dict[str, Any] = {}
        self.due: list[str] = []  # what a signal broke off, to be done when the run goes on
        self.signals = Signals()
        self.saver = Saver(self, allow_world_size_change)

    @property
    def micro_batch(self) -> int:
        """Images of an update that go through the networks at once, as the recipe says."""
        return self.training.batch_size // (self.processes.count * self.training.accumulate)

    def products(self) -> contextlib.AbstractContextManager[None]:
        """Within it steps multiply matrices as quickly as this CPU can."""
        return quick_products(self.networks.values(), self.micro_batch)

    def _read(self, start: int, stop: int) -> tuple[Tensor, ...]:
        rows = self.dataset.read(self.parts.columns, self.training.seed, start, stop)
        return building.in_channels_last(rows) if self.channels_last else rows

    def train(self) -> None:
        """Train until the budget is spent, from the newest checkpoint if there is one."""
        with self.signals, self.products():
            self.processes.signal = lambda: self.signals.received or 0
            try:
                self._train()
            finally:
                self.processes.signal = lambda: 0

    def _train(self) -> None:
        found = self.saver.newest()
        if found is None and not self.fresh:
            raise RunError(
                f"no checkpoint in {str(self.run.checkpoints)!r} is complete; begin anew with --restart, "
                "or use another folder"
            )
        if found is None:
            self._log_start()
            self.save()
        else:
            self.saver.resume(found)
            self.processes.first(self.best.catch_up)
        self.observers.call("ganzoo_training_started", run=self.run)
        if self.due:
            chores.do(self)
            self.save()  # going back would lose what was done
        while self.images < self.training.images:
            before = self.images
            try:
                self._step()
            except Exhausted as error:
                trouble.smaller_batches(self, error)
                continue
            except Exception as error:
                if self.processes.count > 1 or not self.compiler.gives_up(error):
                    raise
                trouble.back(self)  # the step is half done
                continue
            if self.crossed(before, self.training.log_every) or self.images >= self.training.images:
                self._log()
            if chores.due(self, before):
                trouble.check(self)  # which may go back to where nothing is due
            self.due = chores.due(self, before)
            if self.processes.stop:
                self.stop(self.processes.stop)
            chores.do(self)
            if self.crossed(before, self.training.checkpoint_every) and self.images < self.training.images:
                self.save()
        self.save(must=True)
        self._finish()

    def _finish(self) -> None:
        self.processes.agree()
        if self.processes.stop:
            self.stop(self.processes.stop)

        def write() -> None:
            try:
                export(self.run, self.parts, self.published(), self.steps, self.images, self.seconds)
            except (OSError, ModelError) as error:
                refused = isinstance(error.__cause__ or error, OSError)  # by the system: a disk is full, say
                more = "; make room there and give the same command again" if refused else ""
                raise TrainingError(f"{error}{more}") from None
            self.best.catch_up()
            self.best.check(self.latest)
            health.examine(self.run, self.parts, self.published(), self.networks)
            report.write(self.run)

        self.processes.first(write)
        self.observers.call("ganzoo_training_finished", run=self.run)

    def published(self) -> dict[str, nn.Module]:
        """The networks that a model folder holds: averaged where the recipe averages them."""
        names = self.parts.architecture.published
        return {n: self.averages[n].network if n in self.averages else self.networks[n] for n in names}

    def _step(self) -> None:
        began = time.perf_counter()
        fraction = min(1.0, self.images / self.training.images)
        self.strategy.__dict__["progress"] = Progress(self.steps, self.images, fraction)
        step = self.graphs.step(self.attempt, moves=not self.window)
        if not step.drawn:
            raise TrainingError(f"strategy {self.parts.recipe.strategy.name!r} drew no batch in step {self.steps}")
        self.steps += 1
        self.images += step.drawn
        for average in self.averages.values():
            average.update(self.images, step.drawn)
        self._remember(step)
        self.compiler.stepped()
        self.seconds += time.perf_counter() - began
        self.observers.progress(self.images, self.training.images)

    def _remember(self, step: Step) -> None:
        flags = self.window.add(step.metrics | step.moves, [bad for _, bad in step.updates])
        for i, (place, (networks, _)) in enumerate(zip(flags, step.updates, strict=True)):
            self.updates.append((self.steps, i, networks, place))

    def crossed(self, before: int, every: int) -> bool:
        """Whether the step that began after so many images reached or passed a multiple of `every`."""
        return self.images // every > before // every

    def _log(self) -> None:
        """Write the window's means: the only place where the host waits for the device."""
        if trouble.check(self) or not self.window:  # having gone back, no line is due
            return
        means = self.window.means()
        self.window.clear()
        self.tell(means)

    def tell(self, metrics: dict[str, float]) -> None:
        """A line of the log, for the observers too."""
        row = {"step": self.steps, "images": self.images, "seconds": round(self.seconds, 3)} | metrics
        self.latest |= {name: value for name, value in row.items() if math.isfinite(value)}
        self.saver.append(row)
        self.observers.call("ganzoo_metrics_logged", run=self.run, step=self.steps, metrics=row)

    def stop(self, number: int) -> None:
        """Save, and end the training as the signal of this number asks. Raises Stopped."""
        self.save(must=True)
        stopped = Stopped(number, f"stopped at step {self.steps} after saving a checkpoint; the same command resumes")
        stopped.elsewhere = not self.processes.is_main
        raise stopped

    def _log_start(self) -> None:
        if self.processes.is_main:
            self.run.log.write_text("", "utf-8")

    def save(self, must: bool = False) -> None:
        """A checkpoint, and the report of the run so far; when it must, a disk that refuses it ends the training."""
        trouble.check(self)
        best = self.processes.first(lambda: self.best.is_now(self.latest))
        saved = self.saver.save(must)
        if saved is not None and best:
            self.processes.first(lambda: self.best.export(self.published(), self.steps, self.images, self.seconds))
        if self.processes.is_main:
            self.watch.look(self.published(), self.images)
            report.write(self.run)
        if saved is not None:
            self.observers.call("ganzoo_checkpoint_saved", run=self.run, step=self.steps, path=saved)
