"""`python -m tests.benchmarks.comparison` trains every adversarial loss with every regulariser and writes the page.

The same networks, budget and data in every cell; each cell with several seeds. What is done is kept: the same command
again goes on where it stopped, also in the middle of a training. A second process beside it, with `--backwards`, shares
the work.
"""

import argparse
import json
import shutil
from itertools import product
from pathlib import Path
from statistics import mean

import torch

import ganzoo
from ganzoo.errors import TrainingError
from ganzoo.files import to_json
from ganzoo.registry import registry
from tests.benchmarks.heat_map import heat_map

DOCS = Path(__file__).parents[2] / "docs"
METRICS = {"frechet-distance": False, "label-accuracy": True}  # and whether higher is better
BATCH, RATE = 32, 1e-3
LAZY = 1  # every step: the cells differ in what is penalised, not in how often
REGULARIZERS = {
    "none": {},
    "r1": {"r1": {"every": LAZY}},
    "r1 + r2": {"r1": {"every": LAZY}, "r2": {"every": LAZY}},
    "gradient-penalty": {"gradient-penalty": {"every": LAZY}},
    "dragan": {"dragan": {"every": LAZY}},
    "spectral-norm": {"spectral-norm": {}},
    "consistency": {"consistency": {"fill": -1.0}},
    "diffaugment": {"diffaugment": {"fill": -1.0}},
    "ada": {"ada": {"flips": False, "fill": -1.0, "speed": 100_000}},
}
# the last sentence is of the numbers that stand there, and goes when `ada` is measured anew
HEAD = """\
# Comparison: every adversarial loss with every regulariser

Written by `{command}`; none of it is typed in. Each cell is one of ganzoo's
losses with one (or two) of its [regularisers](recipes.md#regularisers), everything else alike: the architecture
`conditional-dcgan` (width {width}, no norm in the discriminator), the strategy `gan`, {images:,} images in batches of
{batch}, Adam with a rate of {rate:g} and betas of 0 and 0.99, averaged weights. A cell is the mean over {seeds} seeds,
in brackets the distance from the least to the greatest; a seed's model was measured by {samples:,} samples against the
held-out part of its data. `failed` is a training that diverged.

The budget is small ({steps:,} steps), so that all {trainings} trainings fit into two hours of two cores: the page says
which cell is ahead early, on small networks, and not where each would end. `--images` and `--width` raise it.

The row `ada` is older than its code: a grey square was cut out by default then, and lightness inverted twice as often,
and with `relativistic` and `wasserstein` its probability followed the sign of scores whose 0 those losses leave open.
"""


def main() -> None:
    asked = arguments()
    cells = list(product(asked.data, registry().names("loss"), REGULARIZERS, range(asked.seeds)))
    for number, cell in enumerate(cells[::-1] if asked.backwards else cells):
        path = _path(asked, cell)
        if not path.exists():
            found = measured(asked, *cell)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(to_json(found))
        said = ", ".join(f"{name} {value}" for name, value in json.loads(path.read_text()).items())
        print(f"{number + 1}/{len(cells)} {path.stem}: {said}", flush=True)
    results = {cell: json.loads(_path(asked, cell).read_text()) for cell in cells}
    asked.page.write_text(page(asked, results))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.comparison", description=__doc__)
    parser.add_argument("--data", nargs="+", default=["mnist-10k", "glyphs"], help="data sets with labels")
    parser.add_argument("--images", type=int, default=16_000, help="budget of a training")
    parser.add_argument("--samples", type=int, default=2_000, help="images that measure a model")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--width", type=int, default=16, help="of the networks")
    parser.add_argument("--device", default=None)
    parser.add_argument("--backwards", action="store_true", help="the last cell first, beside a process that does not")
    parser.add_argument("--out", type=Path, default=Path("runs/comparison"), help="where results are kept")
    parser.add_argument("--page", type=Path, default=DOCS / "comparison.md")
    return parser.parse_args()


def _path(asked: argparse.Namespace, cell: tuple) -> Path:
    return asked.out / "results" / ("-".join(map(str, cell)).replace(" ", "") + ".json")


def recipe(asked: argparse.Namespace, data: str, loss: str, regularizer: str, seed: int) -> ganzoo.Recipe:
    adam = {"name": "adam", "lr": RATE, "betas": [0.0, 0.99]}
    return ganzoo.recipe(
        {
            "name": "comparison",
            "summary": f"{loss} with {regularizer} on {data}",
            "architecture": {"name": "conditional-dcgan", "width": asked.width, "discriminator_norm": "none"},
            "loss": {"name": loss},
            "strategy": {"name": "gan"},
            "regularizers": REGULARIZERS[regularizer],
            "data": {"name": data, "conditions": ["label"]},
            "training": {
                "images": asked.images,
                "batch_size": BATCH,
                "seed": seed,
                "checkpoint_every": min(asked.images, 100_000),
                "sample_every": asked.images,
                "optimizer": adam,
                "ema": {"generator": {"half_life": 10_000, "rampup": 0.05}},
            },
        }
    )


def measured(asked: argparse.Namespace, *cell) -> dict:
    """Train one cell with one seed, or go on with it, and measure it. The run is removed when that is done."""
    folder = asked.out / ("backwards" if asked.backwards else "run")
    chosen = recipe(asked, *cell)
    begun = ganzoo.Run(folder).recipe if ganzoo.Run(folder).exists else None
    same = begun is not None and (begun.summary, begun.training.seed) == (chosen.summary, chosen.training.seed)
    try:
        ganzoo.train(chosen, out=folder, device=asked.device, restart=folder.exists() and not same)
    except TrainingError as error:
        shutil.rmtree(folder)
        return {"failed": str(error)}
    torch.manual_seed(0)
    report = ganzoo.evaluate(f"file:{folder}", list(METRICS), seeds=(0,), count=asked.samples, device=asked.device)
    shutil.rmtree(folder)
    return {name: found.value for name, found in report.measurements.items()}


def page(asked: argparse.Namespace, results: dict) -> str:
    """The page: for each data set and metric a table and a picture, then what follows."""
    command = "python -m tests.benchmarks.comparison"
    told = {k: getattr(asked, k) for k in ("width", "images", "seeds", "samples")}
    told |= {"batch": BATCH, "rate": RATE, "steps": asked.images // BATCH, "trainings": len(results)}
    text = HEAD.format(command=command, **told)
    losses, tables = registry().names("loss"), []
    for data, (metric, rises) in product(asked.data, METRICS.items()):
        table = {
            (r, loss): [results[data, loss, r, seed].get(metric) for seed in range(asked.seeds)]
            for r, loss in product(REGULARIZERS, losses)
        }
        drawing = asked.page.with_name(f"comparison-{data}-{metric}.svg")
        means = {cell: mean(values) for cell, values in table.items() if None not in values}
        drawing.write_text(heat_map(means, list(REGULARIZERS), losses, rises))
        text += f"\n## {data}, {metric} ({'higher' if rises else 'lower'} is better)\n\n"
        text += f"![{metric} of each cell]({drawing.name})\n\n"
        text += f"| | {' | '.join(f'`{loss}`' for loss in losses)} |\n|{' --- |' * (len(losses) + 1)}\n"
        for r in REGULARIZERS:
            text += f"| {r} | {' | '.join(shown(table[r, loss]) for loss in losses)} |\n"
        text += "\n" + lessons(means, losses, rises)
        tables.append((means, rises))
    return text + together(tables, losses)


def shown(values: list[float | None]) -> str:
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return f"failed ({len(values) - len(known)} of {len(values)})"
    return f"{mean(known):.3g} ({max(known) - min(known):.2g})"


def lessons(means: dict, losses: list[str], rises: bool) -> str:
    """Which cell is the best, and how each loss and regulariser ranks among its like, on average."""
    if not means:
        return "No training lived.\n"
    best = (max if rises else min)(means, key=means.get)
    lines = [f"The best cell is {best[0]} with `{best[1]}` ({means[best]:.3g})."]
    for kind, found in ranks(means, losses, rises).items():
        lines.append(f"Mean rank of each {kind}: {_in_order(found)}.")
    return "\n".join(lines) + "\n"


def ranks(means: dict, losses: list[str], rises: bool) -> dict[str, dict[str, list[int]]]:
    """The places of each regulariser among all with the same loss, and of each loss with the same regulariser."""
    worst = float("-inf") if rises else float("inf")
    places: dict[str, dict[str, list[int]]] = {"regulariser": {}, "loss": {}}
    for kind, names, others in (("regulariser", list(REGULARIZERS), losses), ("loss", losses, list(REGULARIZERS))):
        for other in others:
            cells = {n: (n, other) if kind == "regulariser" else (other, n) for n in names}
            order = sorted(names, key=lambda n, c=cells: means.get(c[n], worst), reverse=rises)
            for name in names:
                places[kind].setdefault(name, []).append(order.index(name) + 1)
    return places


def _in_order(places: dict[str, list[int]]) -> str:
    return ", ".join(f"{name} {mean(places[name]):.1f}" for name in sorted(places, key=lambda name: mean(places[name])))


def together(tables: list[tuple[dict, bool]], losses: list[str]) -> str:
    """The ranks over every table."""
    text = "\n## All tables together\n\n"
    for kind in ("regulariser", "loss"):
        merged: dict[str, list[int]] = {}
        for means, rises in tables:
            for name, places in ranks(means, losses, rises)[kind].items():
                merged.setdefault(name, []).extend(places)
        text += f"Mean rank of each {kind}: {_in_order(merged)}.\n"
    return text


if __name__ == "__main__":
    main()
