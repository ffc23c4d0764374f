"""`python -m tests.benchmarks.scaling` measures, and writes the tables of docs/scaling.md between its two marks."""

import io
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch

import ganzoo
from ganzoo.engine import checkpoint as checkpoints
from ganzoo.engine import chores, health, report
from ganzoo.engine.export import export
from ganzoo.engine.processes import Processes
from ganzoo.recipes import Recipe
from ganzoo.registry import registry
from tests.benchmarks.engine import by_hand, engine, engine_step, recipes
from tests.benchmarks.pairs import Ratio, compare
from tests.engine.many import together

PAGE = Path(__file__).parents[2] / "docs" / "scaling.md"
MARKS = "<!-- written by python -m tests.benchmarks.scaling -->", "<!-- end -->"


def main() -> None:
    torch.set_num_threads(1)
    text = "\n\n".join([_bytes(), _cost(), _speed(), _everything(), _memory(), _checkpoints()])
    begin, end = MARKS
    page = PAGE.read_text()
    pattern = re.compile(re.escape(begin) + ".*" + re.escape(end), re.S)
    PAGE.write_text(pattern.sub(lambda _: f"{begin}\n\n{text}\n\n{end}", page))
    print(text)


def reduced(recipe: Recipe) -> tuple[int, int, int, float]:
    """Of a recipe's step on these processes: all-reduces, bytes in them, images drawn, seconds a step."""
    made = engine(recipe)
    sizes: list[int] = []
    original = Processes.reduce

    def counted(self: Processes, flat: torch.Tensor) -> None:
        sizes.append(flat.numel() * flat.element_size())
        original(self, flat)

    made._step()
    Processes.reduce = counted  # type: ignore[method-assign]
    before = made.images
    began = time.perf_counter()
    for _ in range(5):
        made._step()
    seconds = (time.perf_counter() - began) / 5
    return len(sizes) // 5, sum(sizes) // 5, (made.images - before) // 5, seconds


def _bytes() -> str:
    lines = ["| recipe | all-reduces a step | MiB a step | images a step |", "| --- | --- | --- | --- |"]
    for name in registry().names("recipe"):
        recipe = ganzoo.recipe(name).changed(start_from=None)
        batch = recipe.training.batch_size  # bytes don't depend on it
        count, size, images, _ = together(2, reduced, recipe.changed({"training.batch_size": 4}), timeout=600)[0]
        lines.append(f"| {name} | {count} | {size / 2**20:.2f} | {images // 4 * batch} |")
    return "Bytes that one process hands to the all-reduces of a step (two processes, gloo):\n\n" + "\n".join(lines)


def over_by_hand(thin: bool) -> Ratio:
    """The engine's step over the one by hand on these processes, by the clock on the wall."""
    recipe = recipes()["host cost (thin networks, batch 2)" if thin else "cgan-mnist, batch 64"]
    return compare(engine_step(recipe), by_hand(recipe), steps=20 if thin else 2, clock=time.perf_counter)


def _cost() -> str:
    lines = ["| `cgan-mnist` | 1 process | 2 processes |", "| --- | --- | --- |"]
    for what, thin in (("as it is, batch 64", False), ("thin networks, batch 2: the host's cost", True)):
        ratios = [together(n, over_by_hand, thin, timeout=900)[0] for n in (1, 2)]
        lines.append(f"| {what} | {' | '.join(map(str, ratios))} |")
    what = "The engine's step (average, finite check, metrics, log) over the same step by hand, 21 interleaved pairs, "
    what += "wall; with two processes the loop by hand reduces its gradients as one tensor, and decides nothing:"
    return f"{what}\n\n" + "\n".join(lines)


def _everything() -> str:
    recipe = ganzoo.recipe("cgan-mnist")
    made, training = engine(recipe), recipe.training
    for _ in range(3):
        began = time.perf_counter()
        made._step()
        seconds = time.perf_counter() - began
    made._log()
    steps = training.images / training.batch_size
    own = made.run, made.parts, made.published()
    often = {
        "checkpoint, written and read back": (made.save, training.images // training.checkpoint_every + 2),
        "sample grid": (lambda: chores.sample(made), training.images // training.sample_every),
        "export": (lambda: export(*own, 1, 1, 1.0), 1),
        "health report": (lambda: health.examine(*own, made.networks), 1),
        "report.html": (lambda: report.write(made.run), 1),
    }
    lines = ["| `cgan-mnist` | ms | times in a run | share of its steps |", "| --- | --- | --- | --- |"]
    total = 0.0
    for what, (work, times) in often.items():
        milliseconds = _milliseconds(work)
        share = milliseconds / 1e3 * times / (seconds * steps)
        total += share
        lines.append(f"| {what} | {milliseconds:.0f} | {times} | {share:.3%} |")
    lines.append(f"| together | | | {total:.3%} |")
    return "What a run does besides its steps (one process, median of 9):\n\n" + "\n".join(lines)


def _speed() -> str:
    load = os.getloadavg()[0]
    lines = ["| recipe | 1 process, ms | 2 processes, ms | speed-up |", "| --- | --- | --- | --- |"]
    for name in ("gan-mnist", "r3gan-mnist"):
        one, two = (median(together(n, reduced, ganzoo.recipe(name))[0][3] for _ in range(5)) for n in (1, 2))
        lines.append(f"| {name} | {one * 1e3:.1f} | {two * 1e3:.1f} | {one / two:.2f} |")
    what = f"A step of one and of two processes, one thread each, on {os.cpu_count()} cores (wall, median of 5 runs; "
    what += f"{load:.1f} other processes were running on them):"
    return f"{what}\n\n" + "\n".join(lines)


def _memory() -> str:
    lines = ["| strategy | accumulate 1 | 2 | 4 |", "| --- | --- | --- | --- |"]
    kinds = {
        "r1r2, one generator forward for both updates": ("r3gan-mnist", {}),
        "the same with architecture.recompute": ("r3gan-mnist", {"architecture.recompute": True}),
        "wgan-gp, none shared": ("wgan-gp-mnist", {}),
    }
    for what, (name, more) in kinds.items():
        peaks = [_peak(name, accumulate, more) for accumulate in (1, 2, 4)]
        lines.append(f"| {what} | " + " | ".join(f"{live:.0f} / {resident:.0f} MiB" for live, resident in peaks) + " |")
    return (
        "Memory that a step adds at its highest, the batch the same (1024 images, CPU): what torch holds, by its "
        "profiler / what the process does, the freed memory that it keeps included (median of 3):\n\n"
        + "\n".join(lines)
    )


def _peak(name: str, accumulate: int, more: dict[str, bool]) -> tuple[float, float]:
    """MiB that torch's tensors take at most in a step, and that the process grows by."""
    code = f"""
import torch, ganzoo
from torch.profiler import profile
from tests.memory import forget_peak, kib
torch.set_num_threads(1)
from tests.benchmarks.engine import engine
changes = {{"training.batch_size": 1024, "training.accumulate": {accumulate}}} | {more!r}
made = engine(ganzoo.recipe({name!r}).changed(changes))
before = kib("VmRSS")
forget_peak()
for _ in range(2): made._step()
resident = kib("VmHWM") - before
with profile(profile_memory=True) as found: made._step()
events = [event for event in found.profiler.kineto_results.events() if event.name() == "[memory]"]
held = most = 0
for event in sorted(events, key=lambda event: event.start_ns()):
    held += event.nbytes()
    most = max(most, held)
print(most / 2**20, resident / 2**10)
"""
    runs = (subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True) for _ in range(3))
    live, resident = zip(*(map(float, run.stdout.split()[-2:]) for run in runs), strict=True)
    return median(live), median(resident)


def _checkpoints() -> str:
    made = engine(ganzoo.recipe("cgan-mnist"))
    made._step()
    tensors, states = made.saver._parts()
    folder = Path(tempfile.mkdtemp())

    def bare() -> None:
        buffer = io.BytesIO()
        torch.save({"tensors": tensors, "states": states}, buffer)
        with (folder / "bare.pt").open("wb") as file:
            file.write(buffer.getvalue())
            os.fsync(file.fileno())

    def ours() -> None:
        checkpoints.save(folder, 1, tensors, states, {})

    def verified() -> None:
        ours()
        checkpoints.read(folder / checkpoints.name(1))

    lines = ["| `cgan-mnist` | ms | MiB |", "| --- | --- | --- |"]
    for what, work in {"torch.save, fsync": bare, "checkpoint": ours, "checkpoint, read back": verified}.items():
        path = folder / ("bare.pt" if work is bare else checkpoints.name(1))
        lines.append(f"| {what} | {_milliseconds(work):.0f} | {_size(path) / 2**20:.2f} |")
    return "A checkpoint against `torch.save` of the same values into one file (median of 9):\n\n" + "\n".join(lines)


def _milliseconds(work: Callable[[], None]) -> float:
    times = []
    for _ in range(9):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return median(times) * 1e3


def _size(path: Path) -> int:
    return sum(p.stat().st_size for p in (path.rglob("*") if path.is_dir() else [path]) if p.is_file())


if __name__ == "__main__":
    main()
