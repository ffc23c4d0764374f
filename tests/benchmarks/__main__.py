"""`python -m tests.benchmarks`: prints the tables of docs/benchmarks.md (one thread, CPU time)."""

import subprocess
import sys
import time

import torch

import ganzoo
from tests.benchmarks.engine import by_hand, engine_step, recipes
from tests.benchmarks.pairs import compare


def main() -> None:
    torch.set_num_threads(1)
    print(f"torch {torch.__version__}, one thread, CPU time; 21 interleaved pairs\n")
    print("| step | ganzoo over the loop by hand | ganzoo, ms | by hand, ms |\n| --- | --- | --- | --- |")
    for name, recipe in recipes().items():
        steps = 4 if "64" in name else 60
        ratio = compare(engine_step(recipe), by_hand(recipe), steps=steps)
        print(f"| {name} | {ratio} | {ratio.first * 1e3:.2f} | {ratio.second * 1e3:.2f} |", flush=True)
    peaks = {side: _peak(side) for side in ("engine_step", "by_hand")}
    shown = " against ".join(f"{peak / 2**20:.0f} MiB" for peak in peaks.values())
    print(f"\npeak memory of training above start-up: {shown}, ratio {peaks['engine_step'] / peaks['by_hand']:.3f}")
    torch.set_num_threads(2)
    model = ganzoo.load("cgan-mnist", device="cpu")
    model.sample(100, seed=0)
    began = time.perf_counter()
    model.sample(10_000, seed=0)
    print(f"10,000 digits sampled on two threads in {time.perf_counter() - began:.2f} s (wall)")


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
