"""What a capture is made of: what can't be captured is found by watching, what can is recorded by CUDA."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

Replay = Callable[[], None]
Record = Callable[[Replay], Replay]  # runs work once, or records it only, and gives what repeats it

aten = torch.ops.aten
READS = {aten._local_scalar_dense.default, aten.nonzero.default, aten.equal.default, aten.masked_select.default}


class NotCapturable(Exception):
    """Why a step can't be a graph, in words that follow "steps are not captured: "."""


class Placed(Iterator[tuple[Tensor, ...]]):
    """The batches of a plan, one after the other."""

    def __init__(self, inputs: list[tuple[Tensor, ...]]):
        self.inputs = iter(inputs)

    def __next__(self) -> tuple[Tensor, ...]:
        try:
            return next(self.inputs)
        except StopIteration:
            raise NotCapturable("the number of batches changes from step to step") from None


class Watch(TorchDispatchMode):
    """Notes what the host would wait for, which no capture allows."""

    def __init__(self, reasons: list[str]):
        super().__init__()  # type: ignore[no-untyped-call]
        self.reasons = reasons

    def __torch_dispatch__(self, op: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = op(*args, **(kwargs or {}))
        if op in READS:
            self.reasons.append(f"the step reads a value from the device ({op})")
        elif op in (aten._to_copy.default, aten.copy_.default):
            given = args[1] if op is aten.copy_.default else args[0]
            if given.device.type != made.device.type:
                self.reasons.append("the step moves data between host and device")
        return made


def watched(reasons: list[str]) -> Record:
    def record(work: Replay) -> Replay:
        with Watch(reasons):
            work()
        return work

    return record


def cuda_recorder() -> Record:
    """Captures with torch's CUDA graphs, all in one pool of memory."""
    pool = torch.cuda.graph_pool_handle()

    def record(work: Replay) -> Replay:
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=pool, capture_error_mode="thread_local"):
            work()
        return graph.replay

    return record


def first_words(error: BaseException) -> str:
    """What went wrong first: leaving a broken capture raises another error."""
    while error.__context__ is not None and not isinstance(error, NotCapturable):
        error = error.__context__
    return (str(error).strip() or type(error).__name__).splitlines()[0]
