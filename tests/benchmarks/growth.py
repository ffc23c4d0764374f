"""How time and memory grow with the batch, the resolution, the width, the data and the number of registered parts."""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import torch

from ganzoo import ResidentDataset, Spec
from tests.benchmarks.sides import ROOT
from tests.support import distribution

# what one process adds at its highest over its state before the steps, and the least seconds of a step
STEP = """
import re, sys, time, json, torch, ganzoo
from pathlib import Path
torch.set_num_threads(1)
from tests.benchmarks.engine import engine_step
from tests.benchmarks.given import parts
from tests.benchmarks.works import Work, built, noise
size, width, batch = map(int, sys.argv[1:])
networks = built("dcgan", size=size, channels=3, latent_size=64, width=width)
step = engine_step(parts(Work("", "gan", batch, networks, noise(image=(3, size, size)), "non-saturating")))
kib = lambda name: int(re.search(name + r":\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
before = kib("VmRSS")
Path("/proc/self/clear_refs").write_text("5")
step()
times = []
while len(times) < 5 or (sum(times) < 0.5 and len(times) < 50):
    began = time.process_time(); step(); times.append(time.process_time() - began)
print(json.dumps([min(times), (kib("VmHWM") - before) * 1024]))
"""
# seconds to find the plugins, list the losses and be told that one doesn't exist, and the bytes that it takes
NAMES = """
import json, re, time
from pathlib import Path
from ganzoo.registry import registry
from ganzoo.errors import UnknownNameError
kib = lambda: int(re.search(r"VmRSS:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
before, began = kib(), time.process_time()
found = registry()
listed = len(found.names("loss"))
try:
    found.entry("loss", "loss-none")
except UnknownNameError:
    print(json.dumps([time.process_time() - began, (kib() - before) * 1024, listed]))
"""
PLUGIN = """
import ganzoo

@ganzoo.hookimpl
def ganzoo_losses():
    return {{f"loss-{{i}}": "ganzoo_vanilla.losses:Hinge" for i in range({count})}}
"""
DATA = [10**3, 10**4, 10**5, 10**6]
REGISTERED = [10, 100, 1_000, 10_000]


def measure() -> dict[str, Any]:
    batch = [16, 32, 64, 128, 256]
    return {
        "batch": {"x": batch, "rows": [_step(28, 16, n) for n in batch]},
        "resolution": {"x": [32, 64, 128], "rows": [_step(n, 8, 8) for n in (32, 64, 128)]},
        "width": {"x": [8, 16, 32, 64], "rows": [_step(32, n, 16) for n in (8, 16, 32, 64)]},
        "data": {"x": DATA, "rows": [_data(n) for n in DATA]},
        "parts": {"x": REGISTERED, "rows": [_registered(n) for n in REGISTERED]},
    }


def _python(code: str, *arguments: object, path: Path = ROOT) -> Any:
    environment = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{path}", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def _step(size: int, width: int, batch: int) -> dict[str, float]:
    seconds, peak = _python(STEP, size, width, batch)
    return {"images_per_second": batch / seconds, "peak": peak}


def _registered(count: int) -> dict[str, float]:
    """A fresh process that finds its plugins, one of which contributes so many losses."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        distribution(place, "ganzoo-many", "ganzoo_many", ganzoo_many=PLUGIN.format(count=count))
        runs = [_python(NAMES, path=place) for _ in range(3)]
    if min(run[2] for run in runs) < count:
        raise RuntimeError(f"only {runs[0][2]} losses were registered")
    return {"seconds": median(run[0] for run in runs), "peak": median(run[1] for run in runs)}


class _Noise(ResidentDataset):
    def __init__(self, count: int):
        super().__init__()
        self.spec = Spec(name="noise", count=count, licence="CC0-1.0")
        self.hold(image=torch.randint(0, 256, (count, 1, 28, 28), dtype=torch.uint8))


def _data(count: int) -> dict[str, float]:
    """Images a second of a resident dataset of so many digits' size, and the bytes that it holds and adds."""
    torch.set_num_threads(1)
    before = _resident()
    dataset = _Noise(count)
    rates, position = [], 0
    for _ in range(7):
        began = time.process_time()
        for _ in range(100):
            dataset.read(("image",), 0, position, position + 64)
            position += 64
        rates.append(6400 / (time.process_time() - began))
    return {"images_per_second": median(rates), "peak": _resident() - before}


def _resident() -> int:
    return int(re.search(r"VmRSS:\s+(\d+)", Path("/proc/self/status").read_text())[1]) * 1024
