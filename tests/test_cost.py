"""What the engine costs beside the same step by hand, counted and not timed: a busy machine changes nothing.

Calls of Python and C functions, and operators that reach a kernel, over ten steps of each side. The bounds lie a little
above what was counted when they were set; a step that does more work has to say why here.
"""

import sys
import threading

import pytest
import torch
from packaging.version import Version
from torch.utils._python_dispatch import TorchDispatchMode

from tests.benchmarks.engine import engine
from tests.benchmarks.given import parts
from tests.benchmarks.loops import FAST
from tests.benchmarks.works import WORKS

STEPS = 10
BOUNDS = {"host-gan": (0.95, 1.10), "host": (0.95, 1.09)}  # calls, operators: engine over loop by hand


class Operators(TorchDispatchMode):
    """Counts what reaches a kernel."""

    count = 0

    def __torch_dispatch__(self, op, types, args=(), kwargs=None):
        self.count += 1
        return op(*args, **(kwargs or {}))


def operators(step):
    with Operators() as seen:
        for _ in range(STEPS):
            step()
    return seen.count / STEPS


def calls(step):
    count, here = 0, threading.get_ident()

    def seen(frame, event, argument):
        nonlocal count
        count += event in ("call", "c_call") and threading.get_ident() == here

    sys.setprofile(seen)
    try:
        for _ in range(STEPS):
            step()
    finally:
        sys.setprofile(None)
    return count / STEPS


@pytest.fixture(params=BOUNDS)
def sides(request):
    work = WORKS[request.param]
    made, by_hand = engine(parts(work)), FAST[work.step](work)
    for step in (made._step, by_hand):  # optimisers make their state; the first step of a window measures more
        step()
    return BOUNDS[request.param], made._step, by_hand


def test_the_engine_calls_little_more_than_the_loop_by_hand(sides):
    (bound, _), ours, by_hand = sides
    ratio = calls(ours) / calls(by_hand)
    assert ratio <= bound, f"{ratio:.2f} times the calls of the loop by hand"


@pytest.mark.skipif(Version(torch.__version__) < Version("2.13"), reason="torch 2.8 counts a detach twice")
def test_the_engine_runs_hardly_more_operators_than_the_loop_by_hand(sides):
    (_, bound), ours, by_hand = sides
    ratio = operators(ours) / operators(by_hand)
    assert ratio <= bound, f"{ratio:.2f} times the operators of the loop by hand"


def test_the_counters_see_a_step_that_does_more(sides):
    _, ours, _ = sides
    extra = torch.zeros(3)

    def more():
        ours()
        extra.add(1).mul(2)

    assert operators(more) == pytest.approx(operators(ours) + 2)
    assert calls(more) > calls(ours) + 1


@pytest.mark.parametrize("name", WORKS)
def test_every_work_of_the_benchmarks_can_be_trained(name):
    assert engine(parts(WORKS[name])).images == 0
