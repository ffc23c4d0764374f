"""`training.graphs`: a step as CUDA graphs, one for each stretch between two yields, captured once and replayed.

A graph repeats kernels at fixed addresses without the host. So what changes from step to step has to lie on the
device: batches, rates and what a strategy asks for by `varying` are copied to fixed places before a replay; weights,
averages and declared state change in place; noise is torch's, seeded before each graph as before each stretch of an
eager step. Steps that differ by `due` have graphs of their own. What can't be captured runs eagerly, and the log says
once why.
"""

import gc
import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from ganzoo.engine.capture import NotCapturable, Placed, Record, Replay, cuda_recorder, first_words, watched
from ganzoo.engine.updates import Batches, Step, Stepper
from ganzoo.errors import TrainingError

log = logging.getLogger("ganzoo")
RECOVERS = "2.13"  # torch's generators, from a capture that failed; before, they draw nothing any more
MOVES = 32  # steps that are replayed at least between two that are eager for their `moves`
EAGER = 3  # steps of a kind before the first is captured: kernels are chosen, optimisers make their state


@dataclass
class Plan:
    """The graphs of one kind of step, and the places on the device that they read and write."""

    inputs: list[tuple[Tensor, ...]]
    rates: dict[str, Tensor]
    states: dict[str, list[list[Tensor]]]  # of the optimisers: a checkpoint brings others
    numbers: list[Tensor] = field(default_factory=list)
    formulas: list[Callable[[], float]] = field(default_factory=list)
    buffers: list[tuple[nn.Module, str, Tensor]] = field(default_factory=list)
    replays: list[Replay] = field(default_factory=list)
    done: Step = field(default_factory=Step)
    values: Tensor = field(default_factory=lambda: torch.empty(0))  # all metrics and flags, in the order of `done`


class Graphs:
    """Takes steps as graphs where it may. `record` runs work once under capture and gives what repeats it."""

    def __init__(self, stepper: Stepper, wanted: bool, record: Record | None = None):
        self.stepper, self.strategy, self.wanted = stepper, stepper.strategy, wanted
        self.device = device = stepper.processes.device
        self.on_cuda = wanted and record is None and device.type == "cuda"
        self.record = cuda_recorder(device) if self.on_cuda else record
        self.plans: dict[tuple[bool, ...], Plan] = {}
        self.eager: Counter[tuple[bool, ...]] = Counter()
        self.drawn: dict[tuple[bool, ...], int] = {}
        self.intervals: set[int] = set()
        self.reasons: list[str] = []
        self.replayed = 0  # since the last eager step
        self.shapes: list[torch.Size] = []
        if wanted:
            self.strategy.__dict__["due"] = self._due
            if self.record is None:
                self.give_up(f"CUDA graphs are for CUDA devices, and this trains on {device.type}")
            elif stepper.processes.count > 1:
                self.give_up("several processes exchange gradients within a step")
            elif hosted := [n for n, o in stepper.optimizers.items() if o.parameters and o.kernel is None]:
                self.give_up(f"the optimiser of {', '.join(hosted)} isn't Adam or AdamW, and counts on the host")

    def give_up(self, why: str) -> None:
        log.warning("steps are not captured: %s", why)
        self.wanted = False
        self.forget()
        self.strategy.__dict__.pop("due", None)
        if self.on_cuda:
            gc.collect()
            torch.cuda.empty_cache()

    def forget(self) -> None:
        """Begin anew: tensors were replaced that graphs know by their address."""
        self.plans.clear()
        self.eager.clear()
        if self.on_cuda:  # the pool of memory of graphs that are gone can't be taken again
            self.record = cuda_recorder(self.device) if self.wanted else None

    def step(self, attempt: int, moves: bool) -> Step:
        """`Stepper.step`, by graphs if there are any. One that is asked for `moves` is eager, unless one just was."""
        if self.wanted and self.stepper.accumulate > 1:
            self.give_up("a batch is taken in several parts")
        if not self.wanted:
            return self.stepper.step(attempt, moves)
        shapes = [b.shape for b in self.strategy.buffers()]
        if shapes != self.shapes:  # a pool that still grows
            self.shapes = shapes
            self.forget()
        kind = tuple(self.strategy.progress.step % k == 0 for k in sorted(self.intervals))
        self.replayed += 1
        if self.eager[kind] < EAGER or (moves and self.replayed > MOVES):
            self.replayed = 0
            done = self.stepper.step(attempt, moves)
            self.eager[kind] += 1
            self.drawn[kind] = done.drawn // self.stepper.batch_size
            return done
        try:
            plan = self.plans.get(kind)
            if plan is None or any(self.stepper.optimizers[n].state is not s for n, s in plan.states.items()):
                plan = self.plans[kind] = self._captured(self._place(self.drawn[kind]), attempt)
            return self._replayed(plan, attempt)
        except NotCapturable as error:
            why = str(error)
        self.give_up(why)  # only here, where the error holds no graph any more
        return self.stepper.step(attempt, moves)

    def _place(self, batches: int) -> Plan:
        """Fixed places for what a step is given."""
        stepper, device = self.stepper, self.stepper.processes.device
        unready = [n for n, o in stepper.optimizers.items() if o.parameters and not o.state]
        if unready:
            raise NotCapturable(f"a weight of {', '.join(unready)} has had no gradient yet")
        return Plan(
            inputs=[tuple(t.clone() for t in batch) for batch in self._batches(batches)],
            rates={name: torch.zeros((), device=device) for name in stepper.optimizers},
            states={name: o.state for name, o in stepper.optimizers.items()},
            buffers=[
                (module, name, buffer)
                for owner in (self.strategy, *stepper.networks.values())
                for module in owner.modules()
                for name, buffer in module._buffers.items()
                if buffer is not None
            ],
        )

    def _batches(self, count: int) -> list[tuple[Tensor, ...]]:
        stepper = self.stepper
        batches = Batches(stepper.read, self.strategy.progress.images, stepper.batch_size, 0, 1)
        return [next(batches) for _ in range(count)]

    def _captured(self, plan: Plan, attempt: int) -> Plan:
        """A pass that is watched, and undone; then the one that is captured, in which nothing runs."""
        assert self.record is not None
        kept = self._kept(plan)
        try:
            segments = self._pass(plan, attempt, watched(self.reasons), None)
        except Exception as error:
            raise NotCapturable(self.reasons[0] if self.reasons else first_words(error)) from error
        finally:
            for tensor, copy in kept:
                tensor.detach().copy_(copy)
        if self.reasons:
            raise NotCapturable(self.reasons[0])
        try:
            self._pass(plan, attempt, self.record, segments)
        except Exception as error:
            if self.on_cuda and not isinstance(error, NotCapturable) and torch.__version__ < RECOVERS:
                raise TrainingError(
                    f"a step can't be captured, which torch {torch.__version__} doesn't recover from: "
                    f"{first_words(error)}; train with training.graphs=false and --restart, or with torch {RECOVERS}"
                ) from error
            raise NotCapturable(first_words(error)) from error
        return plan

    def _pass(self, plan: Plan, attempt: int, record: Record, segments: int | None) -> int:
        """Go through the step, each stretch by `record`. Returns how many there are; `segments`, where known."""
        stepper, plan.done, plan.formulas, plan.replays = self.stepper, Step(), [], []
        stepper.progress, stepper.rates = self.strategy.progress, plan.rates
        turn = stepper.turn(Placed(plan.inputs))
        found = 0
        names: list[tuple[str, ...]] = [()]

        def work() -> None:
            nonlocal names
            names = stepper.segment(found, [turn], plan.done, None)
            if found + 1 == segments:
                done = plan.done
                values = [v for some in done.metrics.values() for v in some] + [bad for _, bad in done.updates]
                plan.values = torch.stack([v.detach().reshape(()).float() for v in values])

        self._fill(plan)
        with _Sealed(self, plan):
            while names and found != segments:
                stepper.seed_noise(attempt, found)
                state = torch.default_generator.get_state()
                plan.replays.append(record(work))
                if stepper.processes.device.type != "cpu" and not state.equal(torch.default_generator.get_state()):
                    raise NotCapturable("the strategy draws random numbers on the host")
                found += bool(names)
            if segments and stepper.segment(found, [turn], plan.done, None):
                raise NotCapturable("the order of updates changes from step to step")
        return found

    def _kept(self, plan: Plan) -> list[tuple[Tensor, Tensor]]:
        """All that a step changes, and a copy of it."""
        changed: list[Tensor] = [p for net in self.stepper.networks.values() for p in net.parameters()]
        changed += [b for *_, b in plan.buffers]
        changed += [t for state in plan.states.values() for some in state for t in some]
        return [(t, t.detach().clone()) for t in changed]

    @torch.no_grad()
    def _fill(self, plan: Plan) -> None:
        progress = self.strategy.progress
        for name, rate in plan.rates.items():
            rate.fill_(self.stepper.optimizers[name].rate(progress.images, progress.fraction))
        for formula, number in zip(plan.formulas, plan.numbers, strict=False):
            number.fill_(formula())
        for module, name, tensor in plan.buffers:
            now = module._buffers[name]
            if now is not tensor:  # somebody assigned the state instead of changing it in place
                assert now is not None
                module._buffers[name] = tensor.copy_(now)

    @torch.no_grad()
    def _replayed(self, plan: Plan, attempt: int) -> Step:
        stepper = self.stepper
        stepper.progress = self.strategy.progress
        for placed, batch in zip(plan.inputs, self._batches(len(plan.inputs)), strict=True):
            torch._foreach_copy_(list(placed), list(batch))
        self._fill(plan)
        for segment, replay in enumerate(plan.replays):
            stepper.seed_noise(attempt, segment)
            replay()
        values = iter(plan.values.clone().unbind())
        done = Step(
            drawn=len(plan.inputs) * stepper.batch_size,
            metrics={name: [next(values) for _ in some] for name, some in plan.done.metrics.items()},
            updates=[(networks, next(values)) for networks, _ in plan.done.updates],
            examples={name: [t.clone() for t in some] for name, some in plan.done.examples.items()},
        )
        stepper.finish(done)
        return done

    def _due(self, every: int) -> bool:
        if every not in self.intervals:
            self.intervals.add(every)
            self.forget()
        return self.stepper.progress.step % every == 0


class _Sealed:
    """Within it a strategy reads its progress by `varying` and `due` alone; all else is a reason not to capture."""

    def __init__(self, graphs: Graphs, plan: Plan):
        self.graphs, self.plan = graphs, plan
        self.place, self.progress = graphs.strategy.__dict__, graphs.strategy.progress

    def __enter__(self) -> None:
        self.place.update(progress=self, varying=self._varying)

    def __exit__(self, *_: object) -> None:
        del self.place["varying"]
        self.place["progress"] = self.progress

    def __getattr__(self, name: str) -> Any:
        self.graphs.reasons.append(f"the strategy reads progress.{name} itself, not by `varying` or `due`")
        return getattr(self.progress, name)

    def _varying(self, formula: Callable[[], float]) -> Tensor:
        plan = self.plan
        plan.formulas.append(formula)
        if len(plan.numbers) < len(plan.formulas):  # in the pass that is watched
            self.place["progress"] = self.progress
            plan.numbers.append(plan.rates[next(iter(plan.rates))].new_full((), formula()))
            self.place["progress"] = self
        return plan.numbers[len(plan.formulas) - 1]
