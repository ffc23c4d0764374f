"""`python -m tests.benchmarks.recipes` trains every recipe for the digits as long, measures it, and writes the table.

As long is so much CPU time of one thread, of a process of its own and of everything that a run does in it. What is done
is kept in `results/recipes.json`; names on the command line are measured anew, all with `--all`, and the table stands
in docs/recipes.md. `--bf16` does the same with `training.precision=bf16`, for a CPU that multiplies bf16 by itself.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import ganzoo
from ganzoo.evaluation.gates import family
from ganzoo.files import to_json
from ganzoo.registry import registry

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "recipes.md"
RESULTS = {p: Path(__file__).parent / "results" / f"recipes{k}.json" for p, k in (("fp32", ""), ("bf16", "-bf16"))}
SECONDS = 120.0
SAMPLES = 2_000  # as many as there are held-out digits
TRIAL = 8.0  # seconds of steps that show what a step takes
METRICS = ("frechet-distance", "coverage", "label-accuracy")
Results = dict[str, dict[str, float | None]]
BEGIN, END = "<!-- written by python -m tests.benchmarks.recipes -->\n", "<!-- to here -->\n"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.recipes", description=__doc__)
    parser.add_argument("names", nargs="*", help="recipes to measure anew")
    parser.add_argument("--all", action="store_true", help="measure every one anew")
    parser.add_argument("--bf16", action="store_true", help="train in bf16")
    asked = parser.parse_args()
    precision = "bf16" if asked.bf16 else "fp32"
    found = results()
    rows = found[precision]
    for name in digits():
        if asked.all or name in asked.names or name not in rows:
            rows[name] = measured(name, precision)
            RESULTS[precision].write_text(to_json({n: rows[n] for n in digits() if n in rows}))
            print(name, rows[name], flush=True)
    before, _, rest = PAGE.read_text().partition(BEGIN)
    PAGE.write_text(before + BEGIN + page(found) + END + rest.partition(END)[2])


def results() -> dict[str, Results]:
    """What is measured, by precision and recipe."""
    return {p: json.loads(path.read_text()) if path.exists() else {} for p, path in RESULTS.items()}


def digits() -> list[str]:
    """The recipes of this distribution that learn the digits."""
    names = [name for name in registry().names("recipe") if registry().entry("recipe", name).plugin.first_party]
    return [name for name in names if ganzoo.recipe(name).data.name == "mnist-10k"]


def measured(name: str, precision: str) -> dict[str, float | None]:
    """Train a recipe for as many images as SECONDS of CPU time allow, and measure its model."""
    batch = ganzoo.recipe(name).training.batch_size
    with tempfile.TemporaryDirectory() as place:
        start, batches, taken = trained(name, precision, batch, Path(place) / "start"), 4, 0.0
        while taken < TRIAL:
            batches *= 4
            taken = trained(name, precision, batches * batch, Path(place) / str(batches)) - start
        images = max(1, int((SECONDS - start) / taken * (batches - 1))) * batch
        run = Path(place) / "run"
        seconds = trained(name, precision, images, run)
        model = ganzoo.load(f"file:{run}", device="cpu")
        metrics = METRICS if family(model) == "conditional" else METRICS[:2]
        report = ganzoo.evaluate(model, list(metrics), seeds=(0,), count=SAMPLES)
    values = {metric: found.value for metric, found in report.measurements.items()}
    real = report["frechet-distance"].details["real_distance"]
    return {"images": images, "seconds": seconds, "real": real, **values}


def trained(name: str, precision: str, images: int, out: Path) -> float:
    """The CPU seconds of `ganzoo train`."""
    settings = [f"training.images={images}", f"training.sample_every={images}", f"training.checkpoint_every={images}"]
    settings.append(f"training.precision={precision}")
    command = [sys.executable, "-m", "ganzoo", "train", name, "--out", str(out), "--device", "cpu"]
    command += [part for setting in settings for part in ("--set", setting)]
    before = _children()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=os.environ | {"OMP_NUM_THREADS": "1"}, cwd=ROOT)
    return _children() - before


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def page(results: dict[str, Results]) -> str:
    """The table, the nearest to the real digits first, with what bf16 reaches beside it."""
    rows, short = results["fp32"], results["bf16"]
    real = next(iter(rows.values()))["real"]
    text = f"The training digits themselves have a distance of {real:.2f}.\n\n"
    heads = ["images", "Fréchet distance (digits-cnn)", "coverage", "label accuracy"]
    heads += [f"{head}, bf16" for head in ("images", "distance", "coverage", "label accuracy")] if short else []
    text += f"| recipe | {' | '.join(heads)} |\n|{' --- |' * (len(heads) + 1)}\n"
    for name, row in sorted(rows.items(), key=lambda item: item[1]["frechet-distance"] or 0):
        cells = shown(row) + (shown(short.get(name)) if short else [])
        text += f"| `{name}` | {' | '.join(cells)} |\n"
    return text


def shown(row: dict[str, float | None] | None) -> list[str]:
    if row is None:
        return [""] * 4
    accuracy = row.get("label-accuracy")
    return [
        f"{row['images']:,}",
        f"{row['frechet-distance']:.2f}",
        f"{row['coverage']:.3f}",
        f"{accuracy:.3f}" if accuracy is not None else "",
    ]


if __name__ == "__main__":
    main()
