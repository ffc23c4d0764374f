"""What a capture is made of: what can't be captured is found by watching, what can is recorded by CUDA."""

import contextlib
import gc
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

Replay = Callable[[], None]
Record = Callable[[Replay], Replay]  # runs work once, or records it only, and gives what repeats it

aten = torch.ops.aten
READS = {
    aten._local_scalar_dense.default,
    aten._unique2.default,
    aten.equal.default,
    aten.masked_select.default,
    aten.nonzero.default,
}
OF_HOST = {torch.tensor, torch.as_tensor, torch.asarray, torch.from_numpy, Tensor.new_tensor}


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


def waits(op: Any, args: Any) -> bool:
    """Whether the host has to wait for a device's values. A mask as an index is read, to know how many it chooses."""
    if op in READS:
        return True
    places = args[1] if op in (aten.index.Tensor, aten.index_put_.default, aten.index_put.default) else ()
    masked = any(t is not None and t.dtype in (torch.bool, torch.uint8) for t in places)
    return masked and (op is aten.index.Tensor or args[2].numel() != 1)  # one value for all is filled in without


class Watch(TorchDispatchMode):
    """Notes what the host would wait for, which no capture allows."""

    def __init__(self, reasons: list[str]):
        super().__init__()  # type: ignore[no-untyped-call]
        self.reasons = reasons

    def __torch_dispatch__(self, op: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = op(*args, **(kwargs or {}))
        if waits(op, args):
            self.reasons.append(f"the step reads a value from the device ({op})")
        elif op in (aten._to_copy.default, aten.copy_.default):
            given = args[1] if op is aten.copy_.default else args[0]
            if given.device.type != made.device.type:
                self.reasons.append("the step moves data between host and device")
        return made


class WatchHost(TorchFunctionMode):
    """Notes tensors made of numbers of the host: no capture lets them be copied, nor would they ever change."""

    def __init__(self, reasons: list[str]):
        super().__init__()
        self.reasons = reasons

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in OF_HOST and not (args and isinstance(args[0], Tensor) and func is not Tensor.new_tensor):
            self.reasons.append(f"the step makes a tensor of numbers of the host ({func.__name__})")
        return func(*args, **(kwargs or {}))


def watched(reasons: list[str]) -> Record:
    def record(work: Replay) -> Replay:
        with WatchHost(reasons), Watch(reasons):
            work()
        return work

    return record


def cuda_recorder(device: torch.device) -> Record:
    """Captures with torch's CUDA graphs, all in one pool of memory and on a stream of their own.

    On the stream that torch shares among all captures, graphs of another engine that end could take with them what
    these still use.
    """
    pool, stream = torch.cuda.graph_pool_handle(), torch.cuda.Stream(device)  # type: ignore[no-untyped-call]

    def record(work: Replay) -> Replay:
        graph = torch.cuda.CUDAGraph()
        before = torch.cuda.current_stream(device)
        try:
            with _no_garbage(), torch.cuda.graph(graph, pool=pool, stream=stream, capture_error_mode="thread_local"):
                work()
        finally:
            torch.cuda.set_stream(before)  # torch stays on the other one when a capture fails
        return graph.replay

    return record


@contextlib.contextmanager
def _no_garbage() -> Iterator[None]:
    """Collect it before, and none within: a graph that is deleted while another is captured breaks that one."""
    gc.collect()
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def first_words(error: BaseException) -> str:
    """What went wrong first: leaving a broken capture raises another error."""
    while error.__context__ is not None and not isinstance(error, NotCapturable):
        error = error.__context__
    return (str(error).strip() or type(error).__name__).splitlines()[0]
