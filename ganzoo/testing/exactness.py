"""The contract of a strategy, continued: the same again from a seed, after a checkpoint, in parts and in bf16."""

import copy
import pickle
import random
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from ganzoo.engine.processes import Processes
from ganzoo.engine.updates import Read
from ganzoo.errors import PluginError
from ganzoo.testing.bench import Bench, SameNoise, narrowed, walk, weights
from ganzoo.testing.contract import Fault, NotRun, Subject, check, need
from ganzoo.testing.ranks import run

STEPS = 4


@check("strategy")
def determinism(subject: Subject) -> None:
    """The seed fixes the step: no other source of random numbers, and no clock. Another seed gives another step."""
    moved, states = [], pickle.dumps((random.getstate(), np.random.get_state()))  # noqa: NPY002
    for _ in range(2):
        bench = Bench(subject)
        walk(bench.stepper(bench.strategy(), bench.networks), STEPS)
        moved.append(weights(bench.networks))
    quiet = states == pickle.dumps((random.getstate(), np.random.get_state()))  # noqa: NPY002
    need(quiet, subject, "draws from random or numpy, whose state no checkpoint holds; draw from torch")
    same = all(torch.equal(a, b) for a, b in zip(moved[0].values(), moved[1].values(), strict=True))
    need(same, subject, "gives other weights under the same seed; draw from torch's own generator and read no clock")
    other, draws = Bench(subject), _Draws()  # type: ignore[no-untyped-call]
    stepper = other.stepper(other.strategy(), other.networks, seed=1)
    stepper.read = draws.aside(stepper.read)  # which has a seed of its own
    with draws:
        walk(stepper, STEPS)
    if not draws.seen:
        raise NotRun("no random number is drawn, so that there is nothing for the seed to change")
    same = all(torch.equal(a, b) for a, b in zip(moved[0].values(), weights(other.networks).values(), strict=True))
    need(not same, subject, "draws the same numbers under any seed; draw from torch's own generator")


class _Draws(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes whether a random number is drawn, by whatever generator of torch."""

    seen = False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.seen |= torch.Tag.nondeterministic_seeded in func.tags
        return func(*args, **(kwargs or {}))

    def aside(self, read: Read) -> Read:
        """The same, unnoticed."""

        def unnoticed(start: int, stop: int) -> tuple[Tensor, ...]:
            seen, rows = self.seen, read(start, stop)
            self.seen = seen
            return rows

        return unnoticed


@check("strategy")
def exact_resume(subject: Subject) -> None:
    """Stopped and resumed from what a checkpoint holds, it goes on bit for bit."""
    whole = Bench(subject)
    walk(whole.stepper(whole.strategy(), whole.networks, optimizer="adam"), 2 * STEPS)
    first = Bench(subject)
    stepper = first.stepper(first.strategy(), first.networks, optimizer="adam")
    done = walk(stepper, STEPS, of=2 * STEPS)
    then = Bench(subject)
    again = then.stepper(then.strategy(), then.networks, optimizer="adam")
    for name, network in then.networks.items():
        network.load_state_dict(first.networks[name].state_dict())
        again.optimizers[name].load_state_dict(copy.deepcopy(stepper.optimizers[name].state_dict()))
    again.strategy.load_state_dict(stepper.strategy.state_dict())
    walk(again, STEPS, STEPS, sum(step.drawn for step in done))
    pairs = zip(weights(whole.networks).values(), weights(then.networks).values(), strict=True)
    same = all(torch.equal(a, b) for a, b in pairs)
    need(same, subject, "goes on otherwise after a checkpoint; hold its state in buffers (self.register_buffer)")


@check("strategy")
def shards_equal(subject: Subject) -> None:
    """Micro-batches and processes (1x4, 2x2, 4x1) reach the weights of the whole batch by the same updates."""
    whole = Bench(subject)
    steps = STEPS if whole.is_pair else 2
    try:
        shared = {(count, parts): _shared(subject, count, parts, steps) for count, parts in ((1, 4), (2, 2), (4, 1))}
    except PluginError as error:
        raise Fault(f"{subject}: {error}") from error
    if not whole.per_sample:
        raise NotRun("it, or the architecture that it is tried on, says per_sample = False")
    before = weights(whole.networks)
    with SameNoise():
        walk(whole.stepper(whole.strategy(), whole.networks), steps)
    after = weights(whole.networks)
    # a part of the loss may be float32, as logarithms and square roots should be: as much of the way as that gives
    way = max((a - b).abs().max().item() for a, b in zip(after.values(), before.values(), strict=True) if a.numel())
    near = 1e-9 if whole.is_pair else 1e-9 + 1e-4 * way
    for (count, parts), found in shared.items():
        same = all(torch.allclose(a, b, rtol=0, atol=near) for a, b in zip(after.values(), found.values(), strict=True))
        shape = f"in {count} processes of {parts} micro-batches"
        said = f"gives other weights {shape}; take means over examples, or say per_sample = False"
        need(same, subject, said)


def _shared(subject: Subject, count: int, parts: int, steps: int) -> dict[str, Tensor]:
    """The weights that the first of `count` processes reaches, each with `parts` micro-batches."""
    benches = [Bench(subject) for _ in range(count)]

    def work(processes: Processes) -> dict[str, Tensor]:
        bench = benches[processes.rank]
        with SameNoise():
            walk(bench.stepper(bench.strategy(), bench.networks, accumulate=parts, processes=processes), steps)
        return weights(bench.networks)

    first, *others = run(count, work)
    for other in others:
        same = all(torch.equal(first[name], value) for name, value in other.items())
        need(same, subject, "lets processes part ways; let no random number or state be a process's own")
    return first


@check("strategy")
def bf16(subject: Subject) -> None:
    """Two steps in bf16 are finite, and weights stay float32."""
    bench = Bench(subject, dtype=torch.float32)
    done = walk(bench.stepper(bench.strategy(), bench.networks, precision="bf16"), 2)
    finite = not any(bool(bad) for step in done for _, bad in step.updates)
    need(finite, subject, "isn't finite in bf16; widen with ganzoo.wide before squares, roots and sums")
    narrow = narrowed(bench.networks)
    need(not narrow, subject, f"leaves {narrow} in another precision than float32; narrow copies, not the weights")
