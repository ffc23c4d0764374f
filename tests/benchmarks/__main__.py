"""`python -m tests.benchmarks` measures and writes docs/benchmarks.md."""

import os
import platform
import re
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

import torch

import ganzoo
from tests.benchmarks.engine import by_hand, engine_step, recipes
from tests.benchmarks.pairs import compare

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"
PAIRS = 21
HEAD = """\
# Benchmarks

Written by `make bench` (`python -m tests.benchmarks`); none of it is typed in. Ratios are within one run: both sides do
the same work in turn, {pairs} interleaved pairs, CPU time of one thread, median with 95 % bounds (bootstrap). Absolute
times belong to this machine ({machine}) at this moment.

## The engine against the loop by hand

The same training step, with the engine (averages, metrics, finite checks and the log on) and written by hand in plain
torch as fast as we can: one generator forward for both updates, the discriminator on both batches at once, gradients of
one player only, fused Adam, multi-tensor average, nothing read from the device.

| step | ganzoo over the loop by hand | ganzoo, ms | by hand, ms |
| --- | --- | --- | --- |
"""


def main() -> None:
    page = HEAD.format(pairs=PAIRS, machine=_machine())
    torch.set_num_threads(1)
    for name, recipe in recipes().items():
        ratio = compare(engine_step(recipe), by_hand(recipe), steps=4 if "64" in name else 60, pairs=PAIRS)
        page += f"| {name} | {ratio} | {ratio.first * 1e3:.2f} | {ratio.second * 1e3:.2f} |\n"
        print(page.splitlines()[-1], flush=True)
    peaks = {side: median(_peak(side) for _ in range(3)) for side in ("engine_step", "by_hand")}
    ratio = peaks["engine_step"] / peaks["by_hand"]
    page += (
        f"\nPeak memory that thirty steps of `cgan-mnist` add to a process (median of three): "
        f"{peaks['engine_step'] / 2**20:.0f} MiB, by hand {peaks['by_hand'] / 2**20:.0f} MiB, ratio {ratio:.2f}.\n"
        "\n## Sampling\n\n"
        f"10,000 digits of `cgan-mnist` on two threads: {_sampling():.1f} s wall.\n"
    )
    PAGE.write_text(page)
    print(page)


def _machine() -> str:
    cpu = re.search(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text())
    return f"{os.cpu_count()} x {cpu[1] if cpu else platform.processor()}, torch {torch.__version__}"


def _sampling() -> float:
    torch.set_num_threads(2)
    model = ganzoo.load("cgan-mnist", device="cpu")
    model.sample(100, seed=0)
    began = time.perf_counter()
    model.sample(10_000, seed=0)
    return time.perf_counter() - began


def _peak(side: str) -> int:
    """Bytes that 30 steps add at their highest to a fresh process whose data and networks exist already (Linux)."""
    code = f"""
import re, torch
from pathlib import Path
torch.set_num_threads(1)
from tests.benchmarks.engine import {side}, recipes
step = {side}(recipes()["cgan-mnist, batch 64"])
kib = lambda name: int(re.search(name + r":\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
before = kib("VmRSS")
Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
for _ in range(30): step()
print((kib("VmHWM") - before) * 1024)
"""
    return int(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout)


if __name__ == "__main__":
    main()
