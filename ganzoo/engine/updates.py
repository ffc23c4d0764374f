"""Run a strategy's generator: micro-batches in lock-step, gradients of the named networks only, one step an update."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace

import torch
from torch import Tensor, nn

from ganzoo import regularized
from ganzoo.engine.finite import moved, norm, not_finite
from ganzoo.engine.optimizers import NetworkOptimizer
from ganzoo.engine.processes import Exhausted, Processes
from ganzoo.engine.randomness import seed
from ganzoo.engine.reduction import Gradients, agree_on, average
from ganzoo.engine.refused import refused
from ganzoo.errors import GanzooError, PluginError
from ganzoo.precision import wide
from ganzoo.strategy import OVER, Strategy, Update, together

Read = Callable[[int, int], tuple[Tensor, ...]]


class Batches:
    """What one micro-batch of a step sees: its k-th `next` is its slice of the step's k-th batch."""

    def __init__(self, read: Read, position: int, batch_size: int, shard: int, shards: int):
        self.read, self.position, self.batch_size = read, position, batch_size
        self.size = batch_size // shards
        self.offset = shard * self.size
        self.drawn = 0

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        return self

    def __next__(self) -> tuple[Tensor, ...]:
        start = self.position + self.drawn * self.batch_size + self.offset
        self.drawn += 1
        return self.read(start, start + self.size)


@dataclass
class Step:
    """What one step did: images drawn, a value for each metric, for each update its networks and whether it was bad.

    `moves`, when asked for, are gradient norms and how far each update moved a network, as a fraction of its length.
    """

    drawn: int = 0
    metrics: dict[str, list[Tensor]] = field(default_factory=dict)
    updates: list[tuple[str, Tensor]] = field(default_factory=list)
    moves: dict[str, list[Tensor]] = field(default_factory=dict)
    examples: dict[tuple[int, int, str], list[Tensor]] = field(default_factory=dict)  # by segment, update and name


class Stepper:
    """The executor of the strategy contract."""

    def __init__(
        self,
        strategy: Strategy,
        networks: dict[str, nn.Module],
        optimizers: dict[str, NetworkOptimizer],
        read: Read,
        processes: Processes,
        batch_size: int,
        accumulate: int = 1,
        precision: str = "fp32",
        seed: int = 0,
    ):
        self.strategy, self.networks, self.optimizers, self.read = strategy, networks, optimizers, read
        self.processes, self.batch_size, self.accumulate, self.seed = processes, batch_size, accumulate, seed
        self.bf16 = precision == "bf16"
        self.called = type(strategy).__name__
        self.nets = SimpleNamespace(**networks)
        self.names = {id(network): name for name, network in networks.items()}
        self.parameters = {name: optimizer.parameters for name, optimizer in optimizers.items()}
        self.buffers = [b for net in networks.values() for b in net.buffers() if b.is_floating_point()]
        self.progress = strategy.progress  # of this step, as the strategy may not see it
        self.rates: Mapping[str, float | Tensor] = {}  # of this step, a network's learning rate
        self.stateful = type(strategy).after_step is not Strategy.after_step or bool(strategy.regularizers)
        self.check(accumulate)

    def check(self, accumulate: int) -> None:
        """Refuse a number of micro-batches that can't share the batch."""
        batch_size, processes = self.batch_size, self.processes
        shards = processes.count * accumulate
        if batch_size % shards:
            raise GanzooError(
                f"a batch of {batch_size} can't be shared by {processes.count} processes x {accumulate} micro-batches; "
                f"use a multiple of {shards}"
            )

    def step(self, attempt: int = 0, moves: bool = False) -> Step:
        """One whole pass of the strategy's generator, from `strategy.progress`. Raises Exhausted on all processes."""
        try:
            return self._step(attempt, moves)
        except Exception as error:
            memory = _is_memory(error)
            if not isinstance(error, Exhausted) and getattr(error, "elsewhere", None) is None:
                self.processes.fail(memory)
            if memory:
                raise Exhausted(str(error)) from error
            raise

    def _step(self, attempt: int, moves: bool) -> Step:
        batches, turns = self.begin()
        done, segment = Step(), 0
        while names := self.segment(segment, turns, done, attempt, moves):
            segment += 1
        if self.processes.count > 1:
            agree_on(self.processes, self.called, segment, names)
        done.drawn = batches[0].drawn * self.batch_size
        self.finish(done)
        if self.processes.count > 1 and (self.stateful or done.examples):
            self.processes.agree()  # here whoever failed in it is heard; elsewhere nobody listens
        return done

    def begin(self) -> tuple[list[Batches], list[Iterator[Update | tuple[Update, ...]]]]:
        """What each micro-batch of the next step draws from, and its pass of the strategy's generator."""
        self.progress = progress = self.strategy.progress
        shards = self.processes.count * self.accumulate
        self.rates = {name: o.rate(progress.images, progress.fraction) for name, o in self.optimizers.items()}
        first = self.processes.rank * self.accumulate
        batches = [
            Batches(self.read, progress.images, self.batch_size, first + i, shards) for i in range(self.accumulate)
        ]
        return batches, [self.turn(b) for b in batches]

    def turn(self, batches: Iterator[tuple[Tensor, ...]]) -> Iterator[Update | tuple[Update, ...]]:
        return iter(regularized.updates(self.strategy, self.nets, batches))

    def seed_noise(self, attempt: int, segment: int, micro_batch: int = 0) -> None:
        """Noise depends on the place in the training alone, so nothing of it needs to be stored."""
        shard = self.processes.rank * self.accumulate + micro_batch
        seed(self.processes.device, self.seed, attempt, self.progress.step, segment, shard)

    def segment(
        self,
        number: int,
        turns: Sequence[Iterator[Update | tuple[Update, ...]]],
        done: Step,
        attempt: int | None,
        moves: bool = False,
    ) -> list[tuple[str, ...]]:
        """From one yield to the next, and the update that it asks for: the networks of it; nothing at the step's end.

        Without an `attempt` noise goes on from where it is.
        """
        names: list[tuple[str, ...]] | None = None
        gradients: Gradients = {}
        metrics: dict[str, Tensor] = {}
        for i, turn in enumerate(turns):
            if attempt is not None:
                self.seed_noise(attempt, number, i)
            updates = self._advance(turn)
            here = [tuple(self._name(n) for n in update.networks) for update in updates]
            if names is not None and here != names:
                raise PluginError(
                    f"strategy {self.called} updates {names} in micro-batch 0 and {here} in "
                    f"micro-batch {i} (segment {number} of a step); its yields must not depend on a tensor's value"
                )
            names = here
            self._differentiate(updates, here, number, gradients, metrics)
            for place, update in enumerate(updates):
                for name, rows in update.examples.items():
                    done.examples.setdefault((number, place, name), []).append(rows)
        if names:
            with torch.no_grad():
                self._apply(names, number, gradients, metrics, done, moves)
        return names or []

    def _advance(self, turn: Iterator[Update | tuple[Update, ...]]) -> tuple[Update, ...]:
        """The code between two yields. An empty tuple: the step is over."""
        context = torch.autocast(self.processes.device.type, torch.bfloat16) if self.bf16 else contextlib.nullcontext()
        self.strategy.__dict__["_stepping"] = True
        try:
            with context:
                yielded = next(turn, OVER)
        finally:
            self.strategy.__dict__["_stepping"] = False
        return () if yielded is OVER else together(self.strategy, yielded)

    def _name(self, network: nn.Module) -> str:
        try:
            return self.names[id(network)]
        except KeyError:
            raise PluginError(
                f"strategy {self.called} updates a {type(network).__name__} that is none of its "
                f"networks ({', '.join(self.names.values())})"
            ) from None

    def _differentiate(
        self,
        updates: tuple[Update, ...],
        names: list[tuple[str, ...]],
        segment: int,
        gradients: Gradients,
        metrics: dict[str, Tensor],
    ) -> None:
        """Add this micro-batch's share of the mean gradient, and of the mean metrics."""
        for i, (update, networks) in enumerate(zip(updates, names, strict=True)):
            parameters = [p for name in networks for p in self.parameters[name]]
            found = self._gradients(update, parameters, networks, segment, keep=i + 1 < len(updates))
            end = 0
            for name in networks:
                start, end = end, end + len(self.parameters[name])
                share = found[start:end]
                if not share:  # wholly frozen
                    continue
                if all(g is None for g in share):
                    raise PluginError(
                        f"strategy {self.called}: the loss of update {segment} doesn't depend on "
                        f"{name!r}, which it names; is something detached?"
                    )
                gradients[name] = _sum(gradients.get(name), share, 1 / self.accumulate)
            loss = update.loss.data  # the look at it later is one in place, which no graph is to know of
            whose = "+".join(networks)
            for metric, value in {update.called: loss, **update.metrics}.items():
                key = f"{whose}/{metric}"
                value = wide(value) if self.accumulate == 1 else wide(value) / self.accumulate
                metrics[key] = metrics[key] + value if key in metrics else value

    def _gradients(
        self, update: Update, parameters: list[nn.Parameter], networks: tuple[str, ...], segment: int, keep: bool
    ) -> tuple[Tensor | None, ...]:
        def wrong(what: str) -> PluginError:
            return PluginError(f"strategy {self.called}, update {segment} of {'+'.join(networks)}: {what}")

        if update.loss.dim():
            raise wrong(f"the loss has shape {tuple(update.loss.shape)}, and must be a scalar")
        if not parameters:
            return ()
        if not update.loss.requires_grad:
            raise wrong("the loss depends on no weight; is something detached, or under no_grad?")
        try:
            return torch.autograd.grad(update.loss, parameters, retain_graph=keep, allow_unused=True)
        except RuntimeError as error:
            early = not segment or any(p.grad is not None for p in parameters)
            if why := refused(str(error), self.networks, early):
                raise wrong(why) from error
            raise

    def _apply(
        self,
        names: list[tuple[str, ...]],
        segment: int,
        gradients: Gradients,
        metrics: dict[str, Tensor],
        done: Step,
        moves: bool,
    ) -> None:
        if self.processes.count > 1:
            average(self.processes, self.called, segment, names, self.parameters, gradients, metrics, self.buffers)
        for key, value in metrics.items():
            done.metrics.setdefault(key, []).append(value)
        if not gradients:  # all frozen
            return
        dense = {name: self.optimizers[name].dense(part) for name, part in gradients.items()}
        # an infinite loss with finite gradients is bad too
        looked_at = [value for key, value in metrics.items() if key.endswith("/loss")]
        for part in dense.values():
            looked_at += [g for g in part if g is not None]
        bad = not_finite(looked_at)
        for name, part in dense.items():
            optimizer, rate = self.optimizers[name], self.rates[name]
            before = [p.detach().clone() for p in optimizer.parameters] if moves else []
            optimizer.step(part, bad, rate)
            if moves:
                done.moves.setdefault(f"{name}/gradient_norm", []).append(norm([g for g in part if g is not None]))
                done.moves.setdefault(f"{name}/update_ratio", []).append(moved(before, optimizer.parameters))
        done.updates.append((" and ".join("+".join(n) for n in names), bad))

    def finish(self, done: Step) -> None:
        """Let the strategy and its regularisers change their state, after the last update of a step."""
        if not done.examples and not self.stateful:
            return
        with torch.no_grad():
            rows: dict[str, list[Tensor]] = {}
            for (_, _, name), parts in done.examples.items():
                rows.setdefault(name, []).append(self.processes.collect(torch.cat(parts)))
            if rows:
                self.strategy.keep({name: torch.cat(some) for name, some in rows.items()})
            if self.stateful:
                means = {name: torch.stack(v).mean() for name, v in done.metrics.items()}
                regularized.after_step(self.strategy, means)


def _sum(old: list[Tensor | None] | None, new: Sequence[Tensor | None], weight: float) -> list[Tensor | None]:
    if weight != 1:
        new = [None if g is None else g * weight for g in new]
    if old is None:
        return list(new)
    return [b if a is None else a if b is None else a + b for a, b in zip(old, new, strict=True)]


def _is_memory(error: BaseException) -> bool:
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or "can't allocate memory" in str(error)
