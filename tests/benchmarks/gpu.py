"""`python -m tests.benchmarks.gpu` measures what a GPU adds: its ceilings, then each way of training in turn.

All ways live in one process and take turns, so that their ratios to eager fp32 mean something while the clock of the
card moves. `--batch` sets another batch than the works have, which are small for a GPU. The result goes to
`tests/benchmarks/results/gpu.json`, and from there to docs/benchmarks.md.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from statistics import median
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

from ganzoo.engine.graphs import EAGER
from tests.benchmarks import limit, networks, results
from tests.benchmarks.engine import engine_step
from tests.benchmarks.given import parts
from tests.benchmarks.works import WORKS, Work, pair

WAYS: dict[str, dict[str, Any]] = {
    "fp32": {},
    "fp32, graphs": {"training.graphs": True},
    "bf16": {"training.precision": "bf16"},
    "bf16, graphs": {"training.precision": "bf16", "training.graphs": True},
    "bf16, compile": {"training.precision": "bf16", "training.compile": True},
    "bf16, compile, graphs": {"training.precision": "bf16", "training.compile": True, "training.graphs": True},
}
WIDE = {  # as wide as the networks that are trained on such cards
    "stylegan2-64": replace(
        WORKS["stylegan2-64"],
        title="StyleGAN2-class, 64x64 RGB, 512 to 128 channels",
        networks=pair(lambda: networks.StyleGenerator(128), lambda: networks.StyleDiscriminator(128)),
        batch=32,
    )
}
CHOSEN = "mlp-gan", "mlp-cgan", "wgan-gp-mlp", "dcgan-64", "sngan-32", "stylegan2-64"
SIDE = 8192
TURN = 0.5  # seconds that a way trains before the next takes over

NOT_RUN = """
## On a GPU

Not run: no GPU was at hand. bf16, channels_last, fused optimisers and averages, data on the device and steps that
read nothing from it are in the engine and tested on the CPU (`tests/test_no_sync.py`); no number is claimed for them.
`training.compile` is a setting, compared with eager training on the CPU (`tests/engine/test_compiled.py`), and so is
`training.graphs`, steps as CUDA graphs, whose captures the tests act on the CPU (`tests/engine/test_graphs.py`).
Neither has run on a GPU: they are off unless a recipe asks for them. Where there is one,
`python -m tests.benchmarks.gpu` measures its ceilings, every way of training, and how far each is from the limit.
"""


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("names", nargs="*", metavar="NAME", default=CHOSEN, help=", ".join(WORKS))
    arguments.add_argument("--batch", type=int)
    arguments.add_argument("--rounds", type=int, default=15)
    given = arguments.parse_args()
    if not torch.cuda.is_available():
        raise SystemExit("not run: this needs a CUDA device, and there is none here")
    found: dict[str, Any] = {"machine": results.machine(), "device": torch.cuda.get_device_name()}
    found["rates"] = {str(dtype)[6:]: rate(dtype, SIDE, "cuda") for dtype in (torch.float32, torch.bfloat16)}
    found["works"] = {}
    for name in given.names:
        work = (WORKS | WIDE)[name]
        work = replace(work, batch=given.batch) if given.batch else work
        found["works"][name] = measured(work, WAYS, "cuda", given.rounds)
        results.write("gpu", found)
        print(name, found["works"][name], flush=True)


def rate(dtype: torch.dtype, side: int, device: str) -> float:
    """Operations a second of a product of square matrices."""
    a = torch.randn(side, side, device=device).to(dtype)
    seconds = min(_timed(lambda: a @ a, 10, device) for _ in range(5))
    return limit.rate(seconds, side)


def measured(work: Work, ways: dict[str, dict[str, Any]], device: str, rounds: int) -> dict[str, Any]:
    """Images/s of each way and its ratio to the first, the launches' share of eager time, operations a step."""
    steps: dict[str, Callable[[], None]] = {}
    for way, changes in ways.items():
        made = parts(work)
        steps[way] = engine_step(replace(made, recipe=made.recipe.changed(changes)), device)
        for _ in range((EAGER + 3) * work.multiple * 2):
            steps[way]()
    first = next(iter(steps.values()))
    count = max(1, round(TURN / _timed(first, work.multiple, device) / work.multiple)) * work.multiple
    times = [{way: _timed(step, count, device) for way, step in steps.items()} for _ in range(rounds)]
    plain = next(iter(steps))
    return {
        "title": work.title,
        "batch": work.batch,
        "steps": count,
        "images": {way: work.batch * work.draws / median(t[way] for t in times) for way in steps},
        "faster": {way: median(t[plain] / t[way] for t in times) for way in steps},
        "busy": _busy(first, work.multiple, device),
        "flops": limit.flops(work),
    }


def _timed(step: Callable[[], Any], count: int, device: str) -> float:
    """Seconds a step, the device's work included."""
    _wait(device)
    began = time.perf_counter()
    for _ in range(count):
        step()
    _wait(device)
    return (time.perf_counter() - began) / count


def _busy(step: Callable[[], None], count: int, device: str) -> float:
    """The fraction of an eager step in which the device computes; the rest is launching."""
    kinds = [ProfilerActivity.CUDA] if device == "cuda" else [ProfilerActivity.CPU]
    with profile(activities=kinds) as profiler:
        wall = _timed(step, count, device) * count
    events = profiler.key_averages()
    spent = sum(e.self_device_time_total if device == "cuda" else e.self_cpu_time_total for e in events)
    return spent / 1e6 / wall


def _wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def section() -> str:
    """Of the page."""
    found = results.read("gpu")
    if found is None:
        return NOT_RUN
    rates = ", ".join(f"{kind} {rate / 1e12:,.0f} TFLOP/s" for kind, rate in found["rates"].items())
    text = (
        f"\n## On a GPU\n\n`python -m tests.benchmarks.gpu` on {found['device']}; a product of matrices: {rates}.\n\n"
    )
    ways = list(dict.fromkeys(way for row in found["works"].values() for way in row["images"]))
    text += f"| step (batch) | {' | '.join(ways)} | busy in eager fp32 | of the bf16 rate |\n"
    text += "| --- |" + " --- |" * (len(ways) + 2) + "\n"
    for name, row in found["works"].items():
        cells = [f"{row['images'][w]:,.0f} images/s ({row['faster'][w]:.2f})" for w in ways]
        draws = row["batch"] * WORKS[name].draws
        part = max(row["images"].values()) / draws * row["flops"] / found["rates"]["bfloat16"]
        text += f"| {row['title']} ({row['batch']}) | {' | '.join(cells)} | {row['busy']:.0%} | {part:.1%} |\n"
    return text


if __name__ == "__main__":
    main()
