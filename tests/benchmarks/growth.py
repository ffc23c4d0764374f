"""How time and memory grow with the batch, the resolution, the width, the data and the number of registered parts."""

import io
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from PIL import Image

from ganzoo import ResidentDataset, Spec
from tests.benchmarks.sides import ROOT
from tests.memory import kib
from tests.support import archive, distribution

# what one process adds at its highest over its state before the steps, and the least seconds of a step
STEP = """
import sys, time, json, torch, ganzoo
from tests.memory import forget_peak, kib
torch.set_num_threads(1)
from tests.benchmarks.engine import engine_step
from tests.benchmarks.given import parts
from tests.benchmarks.works import Work, built, noise
size, width, batch = map(int, sys.argv[1:])
networks = built("dcgan", size=size, channels=3, latent_size=64, width=width)
step = engine_step(parts(Work("", "gan", batch, networks, noise(image=(3, size, size)), "non-saturating")))
before = kib("VmRSS")
forget_peak()
step()
times = []
while len(times) < 5 or (sum(times) < 0.5 and len(times) < 50):
    began = time.process_time(); step(); times.append(time.process_time() - began)
print(json.dumps([min(times), (kib("VmHWM") - before) * 1024]))
"""
# seconds to find the plugins, list the losses and be told that one doesn't exist, and the bytes that it takes
NAMES = """
import json, time
from tests.memory import kib
from ganzoo.registry import registry
from ganzoo.errors import UnknownNameError
before, began = kib("VmRSS"), time.process_time()
found = registry()
listed = len(found.names("loss"))
try:
    found.entry("loss", "loss-none")
except UnknownNameError:
    print(json.dumps([time.process_time() - began, (kib("VmRSS") - before) * 1024, listed]))
"""
# images a second of one whole pass over tar shards of 64-pixel pictures, and what it adds at its highest
PASS = """
import sys, time, json, torch
from tests.memory import forget_peak, kib
from ganzoo.registry import registry
torch.set_num_threads(1)
kind = registry().get("dataset", "webdataset")
count = int(sys.argv[2])
data = kind(kind.Config.read({"urls": sys.argv[1], "size": 64, "channels": 3, "count": count, "licence": "CC0-1.0"}))
data.read(("image",), 0, 0, 64)
before, began = kib("VmRSS"), time.process_time()
forget_peak()
for start in range(64, count - 64, 64):
    data.read(("image",), 0, start, start + 64)
print(json.dumps([(count - 128) / (time.process_time() - began), (kib("VmHWM") - before) * 1024]))
"""
PLUGIN = """
import ganzoo

@ganzoo.hookimpl
def ganzoo_losses():
    return {{f"loss-{{i}}": "ganzoo_vanilla.losses:Hinge" for i in range({count})}}
"""
DATA = [10**3, 10**4, 10**5, 10**6]
STREAMED = [2_000, 8_000, 32_000]
SHARD = 1_000  # pictures in a tar
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


def streams() -> dict[str, Any]:
    """A whole pass over more and more pictures of noise, which no codec makes smaller, as tar shards on disk."""
    rows = []
    for count in STREAMED:
        with tempfile.TemporaryDirectory() as folder:
            for shard in range(count // SHARD):
                archive(Path(folder, f"{shard:03d}.tar"), _pictures(shard))
            size = sum(path.stat().st_size for path in Path(folder).iterdir())
            rate, peak = _python(PASS, f"{folder}/{{000..{count // SHARD - 1:03d}}}.tar", count)
        rows.append({"images_per_second": rate, "peak": peak, "size": size})
    return {"stream": {"x": STREAMED, "rows": rows}}


def _pictures(shard: int) -> Iterator[tuple[str, bytes]]:
    noise = np.random.default_rng(shard)
    for i in range(SHARD):
        content = io.BytesIO()
        Image.fromarray(noise.integers(0, 256, (64, 64, 3), np.uint8)).save(content, "PNG", compress_level=1)
        yield f"{shard:03d}{i:05d}.png", content.getvalue()


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
    before = kib("VmRSS")
    dataset = _Noise(count)
    rates, position = [], 0
    for _ in range(7):
        began = time.process_time()
        for _ in range(100):
            dataset.read(("image",), 0, position, position + 64)
            position += 64
        rates.append(6400 / (time.process_time() - began))
    return {"images_per_second": median(rates), "peak": (kib("VmRSS") - before) * 1024}
