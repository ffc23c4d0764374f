"""`evaluate`: measured numbers, each with its protocol."""

import json
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from ganzoo.cli import app, console, errors


@app.command()
def evaluate(
    name: Annotated[str, typer.Argument(help="A model: its name, or file:PATH of a model folder or a run.")],
    metrics: Annotated[list[str] | None, typer.Option(help="Which; may be repeated.")] = None,
    seeds: Annotated[int, typer.Option(min=1, max=100, help="Repetitions, for the spread.")] = 3,
    count: Annotated[int, typer.Option(min=2, help="Samples of each seed.")] = 10_000,
    features: Annotated[str | None, typer.Option(help="Feature network; what suits the pictures by default.")] = None,
    device: Annotated[str | None, typer.Option(help="cpu, cuda, ...; the fastest there is by default.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for a script.")] = False,
) -> None:
    """Measure a model against the held-out part of its data."""
    from ganzoo import api
    from ganzoo.evaluation import gates

    with Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), console=errors, transient=True
    ) as progress:
        tasks: dict[str, Any] = {}

        def tick(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = progress.add_task(what, total=total)
            progress.update(tasks[what], completed=done)

        report = api.evaluate(
            name, metrics, seeds=range(seeds), count=count, features=features, device=device, tick=tick
        )
    if as_json:
        found = {metric: m.model_dump(mode="json") for metric, m in report.measurements.items()}
        console.print_json(json.dumps(found))
        return
    for note in report.notes:
        errors.print(f"note: {note}", highlight=False)
    _show(report)
    if {"label-accuracy", "class-coverage", "copies", "classifier-accuracy"} <= set(report.measurements):
        console.print("\ngate: conditional")
        for check in gates.conditional(report):
            console.print(f"  {check}", highlight=False)


def _show(report: Any) -> None:
    table = Table(box=None, pad_edge=False)
    for heading in ("measured", "value", "per class, worst first", "details"):
        table.add_column(heading)
    for measurement in report.measurements.values():
        worst = sorted(
            measurement.per_class.items(), key=lambda item: item[1], reverse=not measurement.higher_is_better
        )
        table.add_row(
            measurement.title,
            str(measurement),
            "  ".join(f"{label} {value:.3f}" for label, value in worst[:10]),
            "  ".join(f"{key} {value:.4g}" for key, value in measurement.details.items()),
        )
    console.print(table)
