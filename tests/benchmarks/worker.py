"""One side of a comparison in a process of its own: `python -m tests.benchmarks.worker WORK SIDE`.

A side whose name ends in BF16 runs its forward passes in bfloat16.

It takes as many steps as a line of its input says, and answers with what they cost. A loop that can't be stepped from
outside (a peer's) calls the gate whenever it draws a batch, and waits there for its next turn.
"""

import contextlib
import json
import os
import sys
import time
from functools import partial
from typing import TextIO

import torch

from ganzoo.products import quick_products
from tests.benchmarks.works import WORKS
from tests.memory import forget_peak, kib

SIDE = 1024  # of the matrices whose product's rate is the limit
BF16 = ", bf16"
quick_square = partial(quick_products, [torch.nn.Linear(SIDE, SIDE)], SIDE)  # its product as quick as a training's


class Gate:
    """Called once for each step (or batch). Returns at once within a turn, else reports and waits."""

    def __init__(self, answers: TextIO):
        self.answers, self.left, self.began = answers, 0, (0.0, 0.0)
        self.resident = kib("VmRSS")
        forget_peak()

    def __call__(self) -> None:
        self.left -= 1
        if self.left > 0:
            return
        cpu, wall = time.process_time() - self.began[0], time.perf_counter() - self.began[1]
        peak = (kib("VmHWM") - self.resident) * 1024
        print(json.dumps({"cpu": cpu, "wall": wall, "peak": peak}), file=self.answers, flush=True)
        line = sys.stdin.readline()
        if not line:
            raise SystemExit
        self.left = int(line)
        self.began = time.process_time(), time.perf_counter()


def main(name: str, side: str) -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a loop prints is not an answer
    work = WORKS[name]
    torch.manual_seed(0)
    short = side.endswith(BF16)
    side = side.removesuffix(BF16)
    held = contextlib.ExitStack()  # to the end of the process
    if side == "ganzoo":
        from tests.benchmarks.engine import engine, step_of
        from tests.benchmarks.given import parts

        made = engine(parts(work, {"training.precision": "bf16" if short else "fp32"}))
        held.enter_context(made.products())
        step = step_of(made)
    elif side == "gemm":
        a, b = torch.randn(2, SIDE, SIDE).to(torch.bfloat16 if short else torch.float32)
        held.enter_context(quick_square())
        step = partial(torch.mm, a, b)
    elif side in ("fast", "plain"):
        from tests.benchmarks import loops, plain

        if side == "fast":
            held.enter_context(quick_products(work.networks().values(), work.batch))
        step = {"fast": loops.FAST, "plain": plain.PLAIN}[side][work.step](work)
        if short:
            step = torch.autocast("cpu", torch.bfloat16)(step)
    else:
        from tests.benchmarks import peers

        with contextlib.redirect_stdout(sys.stderr):
            peers.run(side, work, lambda: Gate(answers), short)
        return
    gate = Gate(answers)
    while True:
        gate()
        step()


if __name__ == "__main__":
    main(*sys.argv[1:])
