"""`train`: from a recipe to a run."""

import tomllib
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ganzoo.cli import app, console, errors


@app.command()
def train(
    recipe: Annotated[str, typer.Argument(help="A recipe's name, or a TOML file.")],
    out: Annotated[Path, typer.Option(help="Folder of the run; the same command resumes what it holds.")],
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="A.B=V", help="Change a setting; may be repeated.")
    ] = None,
    data: Annotated[Path | None, typer.Option(help="Your own folder of images, a subfolder per class.")] = None,
    seed: Annotated[int | None, typer.Option(help="Same seed, same run.")] = None,
    device: Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1, mps; the fastest there is by default.")] = None,
    restart: Annotated[bool, typer.Option("--restart", help="Begin anew, deleting the run that is there.")] = False,
) -> None:
    """Train a recipe, or resume it.

    Try `ganzoo train cgan-mnist --out runs/digits --set training.images=100_000`. Interrupt it whenever you like: the
    same command goes on from the last checkpoint.
    """
    from ganzoo.recipes import Recipe

    chosen = Recipe.load(recipe)
    if data is not None:
        from ganzoo.resolve import on_folder

        chosen = on_folder(chosen, data)
    changes = dict(_assignment(text) for text in settings or [])
    if seed is not None:
        changes["training.seed"] = seed
    if changes:
        chosen = chosen.changed(changes)
    errors.print(f"training {chosen.name}: {chosen.training.images:,} images into {out}", highlight=False)
    from ganzoo import api

    with _progress() as progress:
        task = progress.add_task("starting", total=chosen.training.images, rate="", losses="")
        first: list[tuple[float, int]] = []

        def advance(images: int, total: int) -> None:
            import time

            now = time.monotonic()
            first.append((now, images)) if not first else None
            (began, done) = first[0]
            rate = (images - done) / (now - began) if now > began else 0.0
            progress.update(task, completed=min(images, total), rate=f"{rate:,.0f} images/s", description="training")

        run = api.train(chosen, out=out, device=device, restart=restart, on_progress=advance)
    _summary(run)


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        console=errors,
        refresh_per_second=4,
    )


def _summary(run: Any) -> None:
    rows = run.metrics()
    if rows:
        shown = {k: v for k, v in rows[-1].items() if "/" in k}
        console.print("  ".join(f"{name} {value:.3f}" for name, value in shown.items()), highlight=False)
    console.print(
        f"model: file:{run.folder}  (ganzoo sample file:{run.folder} --grid --out samples.png)", highlight=False
    )


def _assignment(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise typer.BadParameter(f"--set wants A.B=VALUE, not {text!r}")
    try:
        return name.strip(), tomllib.loads(f"v = {value}")["v"]
    except tomllib.TOMLDecodeError:
        return name.strip(), value.strip()  # a word without quotes
