"""`python -m tests.benchmarks.gpu` measures what a GPU adds: its ceilings, then each way of training in turn.

All ways live in one process and take turns, so that their ratios to eager fp32 mean something while the clock of the
card moves. `--batch` sets another batch than the works have, which are small for a GPU. What is measured is written
after each work, to `tests/benchmarks/results/gpu.json` or `--out`; the same command again adds what is missing. A way
that fails says so in its place and ends nothing.
"""

import argparse
import gc
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

from ganzoo.engine.graphs import EAGER
from ganzoo.engine.loop import Engine
from tests.benchmarks import limit, networks, results
from tests.benchmarks.engine import engine
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
CHOSEN = "stylegan2-64", "mlp-gan", "dcgan-64", "mlp-cgan", "sngan-32", "wgan-gp-32", "wgan-gp-mlp"
SIDE = 8192
TURN = 0.3  # seconds that a way trains before the next takes over
PROFILED = 20  # steps
COUNTED = 4  # images of the step whose operations are counted, on the CPU: they are proportional to the batch

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
    arguments.add_argument("--rounds", type=int, default=7)
    arguments.add_argument("--seconds", type=float, default=540.0, help="no work is begun later than this")
    arguments.add_argument("--out", type=Path, help="a folder that the result is copied to as well")
    given = arguments.parse_args()
    if not torch.cuda.is_available():
        raise SystemExit("not run: this needs a CUDA device, and there is none here")
    began = time.monotonic()
    found: dict[str, Any] = {"works": {}} | (results.read("gpu") or {})
    found |= {"machine": results.machine(), "device": torch.cuda.get_device_name()}
    found["rates"] = {str(dtype)[6:]: rate(dtype, SIDE, "cuda") for dtype in (torch.float32, torch.bfloat16)}
    found["tf32"] = {"convolutions": torch.backends.cudnn.allow_tf32, "products": torch.backends.cuda.matmul.allow_tf32}
    for name in given.names:
        work = (WORKS | WIDE)[name]
        work = replace(work, batch=given.batch) if given.batch else work
        row = f"{name}, batch {work.batch}"
        if row in found["works"]:
            continue
        if time.monotonic() - began > given.seconds:
            print(f"not measured, for want of time: {row}", flush=True)
            continue
        found["works"][row] = measured(work, WAYS, "cuda", given.rounds)
        gc.collect()
        torch.cuda.empty_cache()
        results.write("gpu", found)
        if given.out:
            shutil.copy(results.FOLDER / "gpu.json", given.out)
        print(f"{time.monotonic() - began:.0f} s: {row}", found["works"][row], flush=True)


def rate(dtype: torch.dtype, side: int, device: str) -> float:
    """Operations a second of a product of square matrices."""
    a = torch.randn(side, side, device=device).to(dtype)
    seconds = min(_timed(lambda: a @ a, 10, device) for _ in range(5))
    return limit.rate(seconds, side)


def measured(work: Work, ways: dict[str, dict[str, Any]], device: str, rounds: int) -> dict[str, Any]:
    """Images/s of each way and its ratio to the first, the launches' share of eager time, operations a step."""
    steps: dict[str, Callable[[], None]] = {}
    fell: dict[str, str] = {}
    for way, changes in ways.items():
        try:
            made = engine(parts(work, changes | {"training.log_every": 10**9}), device)
            for _ in range((EAGER + 3) * work.multiple * 2):
                _step(made)
            steps[way], why = made._step, _fell(made)
        except Exception as error:  # the other ways are worth their numbers
            why = f"failed: {type(error).__name__}: {str(error).strip().splitlines()[:1]}"
        if why:
            fell[way] = why
    first = steps[next(iter(ways))]
    count = max(1, round(TURN / _timed(first, work.multiple, device) / work.multiple)) * work.multiple
    times = [{way: _timed(step, count, device) for way, step in steps.items()} for _ in range(rounds)]
    plain = next(iter(steps))
    return {
        "title": work.title,
        "batch": work.batch,
        "draws": work.draws,
        "steps": count,
        "images": {way: work.batch * work.draws / median(t[way] for t in times) for way in steps},
        "faster": {way: median(t[plain] / t[way] for t in times) for way in steps},
        "fell": fell,
        "busy": _busy(first, work.multiple, device),
        "flops": limit.flops(replace(work, batch=COUNTED)) * work.batch / COUNTED,
    }


def _step(made: Engine) -> None:
    try:
        made._step()
    except Exception as error:
        if not made.compiler.gives_up(error):
            raise


def _fell(made: Engine) -> str:
    """Why a way didn't run as it was asked to; empty if it did."""
    training, why = made.training, []
    if training.graphs and not made.graphs.plans:
        why.append("not captured")
    if training.compile and not made.compiler.compiled:
        why.append("not compiled")
    elif training.compile and (left := set(made.networks) - set(made.compiler.compiled)):
        why.append(f"{', '.join(sorted(left))} not compiled")
    return ", ".join(why)


def _timed(step: Callable[[], Any], count: int, device: str) -> float:
    """Seconds a step, the device's work included."""
    _wait(device)
    began = time.perf_counter()
    for _ in range(count):
        step()
    _wait(device)
    return (time.perf_counter() - began) / count


def _busy(step: Callable[[], None], multiple: int, device: str) -> float:
    """The fraction of an eager step in which the device computes; the rest is launching."""
    count = -(-PROFILED // multiple) * multiple
    seconds = _timed(step, count, device)
    kinds = [ProfilerActivity.CUDA] if device == "cuda" else [ProfilerActivity.CPU]
    with profile(activities=kinds) as profiler:
        _timed(step, count, device)
    events = profiler.key_averages()
    spent = sum(e.self_device_time_total if device == "cuda" else e.self_cpu_time_total for e in events)
    return spent / 1e6 / count / seconds


def _wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def section() -> str:
    """Of the page."""
    found = results.read("gpu")
    if found is None:
        return NOT_RUN
    rates = ", ".join(f"{kind} {rate / 1e12:,.0f} TFLOP/s" for kind, rate in found["rates"].items())
    short = [what for what, on in found["tf32"].items() if on]
    text = (
        f"\n## On a GPU\n\n`python -m tests.benchmarks.gpu` on {found['device']}, torch {found['machine']['torch']}; a "
        f"product of matrices: {rates}. By torch's defaults fp32 means TF32 in {' and '.join(short) or 'nothing'}.\n\n"
    )
    ways = list(dict.fromkeys(way for row in found["works"].values() for way in row["images"]))
    text += f"| step (batch) | {' | '.join(ways)} | busy in eager fp32 | of the bf16 rate |\n"
    text += "| --- |" + " --- |" * (len(ways) + 2) + "\n"
    for row in found["works"].values():
        cells = [_cell(row, way) for way in ways]
        part = max(row["images"].values()) / (row["batch"] * row["draws"]) * row["flops"] / found["rates"]["bfloat16"]
        text += f"| {row['title']} ({row['batch']}) | {' | '.join(cells)} | {row['busy']:.0%} | {part:.1%} |\n"
    return text


def _cell(row: dict[str, Any], way: str) -> str:
    fell = f"; {row['fell'][way]}" if way in row["fell"] else ""
    if way not in row["images"]:
        return fell.removeprefix("; ")
    return f"{row['images'][way]:,.0f} images/s ({row['faster'][way]:.2f}{fell})"


if __name__ == "__main__":
    main()
