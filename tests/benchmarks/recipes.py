"""`python -m tests.benchmarks.recipes` trains every recipe for the digits as long, measures it, and writes the table.

As long is so much CPU time of one thread, of a process of its own and of everything that a run does in it. What is done
is kept in `results/recipes.json`; names on the command line are measured anew, all with `--all`, and the table stands
in docs/recipes.md.
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
RESULTS, PAGE = Path(__file__).parent / "results" / "recipes.json", ROOT / "docs" / "recipes.md"
SECONDS = 120.0
SAMPLES = 2_000  # as many as there are held-out digits
TRIAL = 8.0  # seconds of steps that show what a step takes
METRICS = ("frechet-distance", "coverage", "label-accuracy")
BEGIN, END = "<!-- written by python -m tests.benchmarks.recipes -->\n", "<!-- to here -->\n"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.recipes", description=__doc__)
    parser.add_argument("names", nargs="*", help="recipes to measure anew")
    parser.add_argument("--all", action="store_true", help="measure every one anew")
    asked = parser.parse_args()
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for name in digits():
        if asked.all or name in asked.names or name not in results:
            results[name] = measured(name)
            RESULTS.write_text(to_json({n: results[n] for n in digits() if n in results}))
            print(name, results[name], flush=True)
    before, _, rest = PAGE.read_text().partition(BEGIN)
    PAGE.write_text(before + BEGIN + page(results) + END + rest.partition(END)[2])


def digits() -> list[str]:
    """The recipes of this distribution that learn the digits."""
    names = [name for name in registry().names("recipe") if registry().entry("recipe", name).plugin.first_party]
    return [name for name in names if ganzoo.recipe(name).data.name == "mnist-10k"]


def measured(name: str) -> dict[str, float | None]:
    """Train a recipe for as many images as SECONDS of CPU time allow, and measure its model."""
    batch = ganzoo.recipe(name).training.batch_size
    with tempfile.TemporaryDirectory() as place:
        start, batches, taken = trained(name, batch, Path(place) / "start"), 4, 0.0
        while taken < TRIAL:
            batches *= 4
            taken = trained(name, batches * batch, Path(place) / str(batches)) - start
        images = max(1, int((SECONDS - start) / taken * (batches - 1))) * batch
        run = Path(place) / "run"
        seconds = trained(name, images, run)
        model = ganzoo.load(f"file:{run}", device="cpu")
        metrics = METRICS if family(model) == "conditional" else METRICS[:2]
        report = ganzoo.evaluate(model, list(metrics), seeds=(0,), count=SAMPLES)
    values = {metric: found.value for metric, found in report.measurements.items()}
    real = report["frechet-distance"].details["real_distance"]
    return {"images": images, "seconds": seconds, "real": real, **values}


def trained(name: str, images: int, out: Path) -> float:
    """The CPU seconds of `ganzoo train`."""
    settings = [f"training.images={images}", f"training.sample_every={images}", f"training.checkpoint_every={images}"]
    command = [sys.executable, "-m", "ganzoo", "train", name, "--out", str(out), "--device", "cpu"]
    command += [part for setting in settings for part in ("--set", setting)]
    before = _children()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=os.environ | {"OMP_NUM_THREADS": "1"}, cwd=ROOT)
    return _children() - before


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def page(results: dict[str, dict[str, float | None]]) -> str:
    """The table, the nearest to the real digits first."""
    real = next(iter(results.values()))["real"]
    text = f"The training digits themselves have a distance of {real:.2f}.\n\n"
    text += "| recipe | images | Fréchet distance (digits-cnn) | coverage | label accuracy |\n"
    text += "| --- | --- | --- | --- | --- |\n"
    for name, row in sorted(results.items(), key=lambda item: item[1]["frechet-distance"] or 0):
        accuracy = row.get("label-accuracy")
        shown = f"{accuracy:.3f}" if accuracy is not None else ""
        text += f"| `{name}` | {row['images']:,} | {row['frechet-distance']:.2f} | {row['coverage']:.3f} | {shown} |\n"
    return text


if __name__ == "__main__":
    main()
