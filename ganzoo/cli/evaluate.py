"""`evaluate`: measured numbers, each with its protocol."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from ganzoo.cli import app, assignment, console, errors, print_json
from ganzoo.errors import GanzooError
from ganzoo.text import plain


@app.command()
def evaluate(
    name: Annotated[str | None, typer.Argument(help="A model: its name, or file:PATH of a folder or a run.")] = None,
    images: Annotated[Path | None, typer.Option(help="A folder of pictures to measure instead of a model.")] = None,
    reference: Annotated[Path | None, typer.Option(help="A folder of real pictures, or of the originals.")] = None,
    training: Annotated[Path | None, typer.Option(help="A folder of what the model learned from.")] = None,
    sources: Annotated[Path | None, typer.Option(help="A folder of what the pictures were made from.")] = None,
    size: Annotated[int | None, typer.Option(min=4, help="Cut the pictures square and resize them to this.")] = None,
    metrics: Annotated[
        list[str] | None, typer.Option(help="NAME or NAME,SETTING=VALUE such as coverage,k=3; may be repeated.")
    ] = None,
    features: Annotated[
        str | None, typer.Option(help="Feature network, as effnet-lite0,size=128; what suits by default.")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=V", help="An option of the model to sample with, such as truncation."),
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, max=100, help="Repetitions of a model's samples.")] = 3,
    count: Annotated[int, typer.Option(min=1, help="Samples of each seed.")] = 10_000,
    device: Annotated[str | None, typer.Option(help="cpu, cuda, mps, ...; by default cuda if there is one.")] = None,
    out: Annotated[Path | None, typer.Option(help="A .png for the best and the worst, and nearest neighbours.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite what is there.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for a script.")] = False,
) -> None:
    """Measure a model, or any folder of pictures, and say by which protocol.

    `ganzoo evaluate cgan-mnist`, or `ganzoo evaluate --images DIR --reference DIR`.
    """
    from ganzoo import api
    from ganzoo.evaluation.measure import evaluate_model, evaluate_pictures

    if out is not None and ((out.exists() and not force) or out.is_dir() or out.suffix.lower() != ".png"):
        raise GanzooError(f"--out {str(out)!r} must be a new .png file, or overwrite it with --force")
    if (name is None) == (images is None):
        raise GanzooError("name a model, or a folder with --images; not both")
    if name is not None and (sources or (training and not reference) or (size and not reference)):
        raise GanzooError("with a model, --training and --size belong to --reference, and --sources to --images")
    if settings and name is None:
        raise GanzooError("--set is of a model's sampling; --images are measured as they are")
    options = dict(assignment(text, "truncation=0.7") for text in settings or [])
    if out is not None:
        if name is None and reference is None and training is None:
            raise GanzooError("--out shows pictures beside real ones; name those with --reference or --training")
        try:
            out.parent.mkdir(parents=True, exist_ok=True)  # what would fail fails now, not after the measuring
        except OSError as error:
            raise GanzooError(f"--out {str(out)!r} can't be written: {error.strerror or error}") from None
    with _progress() as tick:
        made, real, learned, given = _folders(size, images, reference, training, sources)
        model = api.load(name, device=device) if name is not None else None
        if model is not None:
            how = {"features": features, "reference": real, "training": learned, "options": options, "tick": tick}
            report = evaluate_model(model, metrics, seeds=range(seeds), count=count, **how)
        else:
            if real is None and given is None and metrics is None:
                raise GanzooError("--images needs --reference, a folder to compare with, unless --metrics needs none")
            report = evaluate_pictures(
                made, real, metrics, features=features, training=learned, sources=given, tick=tick
            )
    _print(report, as_json)
    if model is not None and not (metrics or reference or options or as_json):
        _gate(model, report)
    if out is not None:
        from ganzoo import photos
        from ganzoo.evaluation.picture import sheet

        photos.write(sheet(report), out)
        errors.print(f"wrote {out}", highlight=False, markup=False, soft_wrap=True)


def _folders(size: int | None, *paths: Path | None) -> Any:
    from ganzoo.evaluation.folders import Folder

    return [Folder(path, size) if path is not None else None for path in paths]


@contextmanager
def _progress() -> Iterator[Any]:
    columns = TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn()
    with Progress(*columns, console=errors, transient=True) as progress:
        tasks: dict[str, Any] = {}

        def tick(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = progress.add_task(what, total=total)
            progress.update(tasks[what], completed=done)

        yield tick


def _print(report: Any, as_json: bool) -> None:
    for note in report.notes:
        errors.print(f"note: {plain(note)}", highlight=False, markup=False, soft_wrap=True)
    if as_json:
        found = {metric: m.model_dump(mode="json") for metric, m in report.measurements.items()}
        print_json(found)
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("measured", "value", "per class, worst first", "details"):
        table.add_column(heading, no_wrap=heading in ("measured", "value"))
    for measurement in report.measurements.values():
        worst = sorted(
            measurement.per_class.items(), key=lambda item: item[1], reverse=not measurement.higher_is_better
        )
        cells = (
            measurement.title,
            str(measurement),
            "  ".join(f"{plain(label, 100)} {value:.3f}" for label, value in worst[:10]),
            "  ".join(f"{key} {value:.4g}" for key, value in measurement.details.items()),
        )
        table.add_row(*map(Text, cells))  # classes are named by whoever made the model
    console.print(table)
    protocols = {
        (m.protocol.features, m.protocol.labels): m.protocol
        for m in report.measurements.values()
        if m.protocol.features != "none"
    }
    for protocol in protocols.values():
        console.print(
            f"features {protocol.features} ({protocol.features_sha256[:12]}), reference {plain(protocol.reference)} "
            f"({protocol.reference_count}), {protocol.count} samples, labels {protocol.labels}, "
            f"options {protocol.options}, resize {protocol.resize}, {protocol.colour}, {protocol.depth}, "
            f"seeds {list(protocol.seeds)}",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )


def _gate(model: Any, report: Any) -> None:
    from ganzoo.evaluation import gates

    try:
        verdict = gates.judge(gates.family(model), report)
    except GanzooError as error:
        errors.print(f"note: no verdict, since {error}", highlight=False, markup=False, soft_wrap=True)
        return
    console.print(f"gate of {verdict.family} models: {'passed' if verdict.passed else 'failed'}", highlight=False)
    for check in [*verdict.checks, *verdict.bars]:
        state = Text("ok    ", "green") if check.passed else Text("missed", "red")
        console.print(Text.assemble("  ", state, f" {check}"), highlight=False)
    for note in verdict.notes:
        console.print(f"  note: {note}", highlight=False, markup=False)
