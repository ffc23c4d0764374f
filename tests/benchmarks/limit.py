"""The limit of a step: the operations of the fast loop at the rate of a matrix product; and where the time goes."""

import time
from collections.abc import Callable
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from tests.benchmarks.engine import engine, step_of
from tests.benchmarks.given import parts
from tests.benchmarks.loops import FAST
from tests.benchmarks.works import Work

# operators by the start of their names; the first that fits takes them
KINDS = {
    "convolution": ("aten::mkldnn_convolution", "aten::convolution", "aten::conv", "aten::slow_conv", "aten::_conv"),
    "matrix product": ("aten::mm", "aten::addmm", "aten::bmm", "aten::linear", "aten::mkldnn_linear"),
    "norm": ("aten::native_batch_norm", "aten::batch_norm", "aten::instance_norm", "aten::native_layer"),
    "optimiser and average": ("aten::_fused_adam", "aten::_foreach", "aten::lerp", "Optimizer"),
    "memory": ("aten::copy", "aten::clone", "aten::cat", "aten::fill", "aten::zero", "aten::contiguous", "aten::empty"),
}


def flops(work: Work) -> float:
    """Of one step: products and convolutions, forward and backward, two operations a multiplication."""
    step = FAST[work.step](work)
    step()
    with _Operations() as counter:
        for _ in range(work.multiple):
            step()
    return counter.total / work.multiple


class _Operations(TorchDispatchMode):
    """Adds up by torch's own formulas. (Its counter's hooks don't survive a gradient of a gradient.)"""

    total = 0.0

    def __torch_dispatch__(self, op: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = op(*args, **(kwargs or {}))
        if op._overloadpacket in flop_registry:
            self.total += flop_registry[op._overloadpacket](*args, **(kwargs or {}), out_val=out)
        return out


def shares(work: Work) -> dict[str, float]:
    """Where the engine's step spends its time: shares by kind of operator, and what lies outside of operators."""
    made = engine(parts(work))
    with made.products():
        return _shares(work, step_of(made))


def _shares(work: Work, step: Callable[[], None]) -> dict[str, float]:
    for _ in range(2 * work.multiple):
        step()
    began, count = time.perf_counter(), 0
    while count < work.multiple or time.perf_counter() - began < 0.3:
        step()
        count += 1
    count -= count % work.multiple
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        began = time.perf_counter()
        for _ in range(count):
            step()
        spent = (time.perf_counter() - began) * 1e6
    found: dict[str, Any] = dict.fromkeys([*KINDS, "elementwise and other"], 0.0)
    for event in profiler.key_averages():
        if event.key.startswith(("aten::", "Optimizer", "fused")) or "Backward" in event.key:
            kind = next((k for k, names in KINDS.items() if event.key.startswith(names)), "elementwise and other")
            found[kind] += event.self_cpu_time_total / spent
    found["Python and autograd"] = max(0.0, 1 - sum(found.values()))
    return found


def rate(seconds: float, side: int) -> float:
    """Operations a second of a product of square matrices."""
    return 2 * side**3 / seconds


if __name__ == "__main__":
    from tests.benchmarks.works import WORKS

    torch.set_num_threads(1)
    for name, work in WORKS.items():
        print(name, f"{flops(work) / 1e9:.2f} GFLOP", {k: round(v, 3) for k, v in shares(work).items()}, flush=True)
