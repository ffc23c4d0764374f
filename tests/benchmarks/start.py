"""From `ganzoo train` to the first step, and how fast resident data is delivered."""

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import torch

import ganzoo
from ganzoo.resolve import dataset_of

CODE = """
import sys, time
from ganzoo.engine import loop
step = loop.Engine._step
def first(self):
    step(self)
    print("first step", time.process_time(), flush=True)
    raise SystemExit(0)
loop.Engine._step = first
from ganzoo.__main__ import main
sys.argv = ["ganzoo", "train", "cgan-mnist", "--out", sys.argv[1], "--device", "cpu"]
main()
"""
TIMES = 3


def measure() -> dict[str, Any]:
    return {"first_step": _first_step(), "data": _data()}


def _first_step() -> dict[str, Any]:
    """Seconds of a fresh process until the first step of `cgan-mnist` is taken: wall and CPU."""
    wall, cpu = [], []
    for _ in range(TIMES):
        with tempfile.TemporaryDirectory() as folder:
            began = time.perf_counter()
            done = subprocess.run(
                [sys.executable, "-c", CODE, str(Path(folder) / "run")], capture_output=True, text=True, check=False
            )
            wall.append(time.perf_counter() - began)
        said = [line for line in done.stdout.splitlines() if line.startswith("first step")]
        if not said:
            raise RuntimeError(f"training didn't reach its first step: {done.stderr[-300:]}")
        cpu.append(float(said[0].split()[-1]))
    return {"wall": median(wall), "cpu": median(cpu), "times": TIMES}


def _data() -> dict[str, Any]:
    """Images a second of one thread that a resident dataset delivers in batches of 64, floats in [-1, 1]."""
    torch.set_num_threads(1)
    dataset = dataset_of(ganzoo.recipe("cgan-mnist")).to("cpu")
    rates = []
    for _ in range(9):
        began = time.process_time()
        for i in range(300):
            dataset.read(("image", "label"), 0, i * 64, (i + 1) * 64)
        rates.append(300 * 64 / (time.process_time() - began))
    return {"images_per_second": median(rates), "best": max(rates)}
