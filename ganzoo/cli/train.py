"""`train`: from a recipe to a run."""

import contextlib
import shlex
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ganzoo.cli import app, assignment, console, errors, is_main
from ganzoo.interrupts import leaving_at_once

if TYPE_CHECKING:
    from ganzoo.engine.observers import OnProgress
    from ganzoo.run import Run


@app.command()
@leaving_at_once()
def train(
    recipe: Annotated[str, typer.Argument(help="A recipe's name, or a TOML file.")],
    out: Annotated[Path, typer.Option(help="Folder of the run; the same command resumes what it holds.")],
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="A.B=V", help="Change a setting; may be repeated.")
    ] = None,
    data: Annotated[
        str | None, typer.Option(metavar="FOLDER", help="Your own folder of images, a subfolder per class.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Same seed, same run.")] = None,
    device: Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1, mps; the fastest there is by default.")] = None,
    restart: Annotated[bool, typer.Option("--restart", help="Begin anew, deleting the run that is there.")] = False,
    allow_world_size_change: Annotated[
        bool, typer.Option("--allow-world-size-change", help="Go on with another number of processes.")
    ] = False,
    tracker: Annotated[
        list[str] | None,
        typer.Option(help="tensorboard, wandb or trackio (extras of the same names); may be repeated."),
    ] = None,
) -> None:
    """Train a recipe, or resume it.

    Try `ganzoo train cgan-mnist --out runs/digits --set training.images=100_000`. Interrupt it whenever you like: the
    same command goes on from the last checkpoint. On N processes: `torchrun --standalone --nproc-per-node N -m ganzoo
    train ...`.
    """
    from ganzoo.recipes import Recipe

    chosen = Recipe.load(recipe)
    changes = dict(assignment(text) for text in settings or [])
    if seed is not None:
        changes["training.seed"] = seed
    if data is not None:
        from ganzoo.resolve import on_folder

        chosen = on_folder(chosen, data, changes)
    elif changes:
        chosen = chosen.changed(changes)
    from ganzoo import api

    def start(advance: "OnProgress | None") -> "Run":
        return api.train(
            chosen,
            out=out,
            device=device,
            restart=restart,
            allow_world_size_change=allow_world_size_change,
            trackers=tracker or (),
            on_progress=advance,
        )

    if not is_main():
        start(None)
        return
    errors.print(f"training {chosen.name}: {chosen.training.images:,} images into {escape(str(out))}", highlight=False)
    with bar(chosen.training.images) as advance:
        run = start(advance)
    summary(run)


@contextlib.contextmanager
def bar(total: int) -> Iterator["OnProgress"]:
    """A progress bar with images/s, the time that is left and the latest losses."""
    columns = "{task.description}", "{task.fields[rate]}", "{task.fields[losses]}"
    text, rate, losses = (TextColumn(column) for column in columns)
    shown = (text, BarColumn(), MofNCompleteColumn(), rate, TimeRemainingColumn(), losses)
    with Progress(*shown, console=errors, refresh_per_second=4) as progress:
        task = progress.add_task("starting", total=total, rate="", losses="")
        begun: list[tuple[float, int]] = []

        def advance(images: int, total: int, metrics: Mapping[str, float]) -> None:
            now = time.monotonic()
            if not begun:
                begun.append((now, images))
            began, before = begun[0]
            per_second = (images - before) / (now - began) if now > began else 0.0
            progress.update(
                task,
                completed=min(images, total),
                description="training",
                rate=f"{per_second:,.0f} images/s",
                losses="  ".join(
                    f"{key.removesuffix('/loss')} {v:.3f}" for key, v in metrics.items() if "/loss" in key
                ),
            )

        yield advance


def summary(run: "Run") -> None:
    """The last row of the log, and what to do next."""
    rows = run.metrics()
    if rows:
        shown = {k: v for k, v in rows[-1].items() if "/" in k}
        console.print("  ".join(f"{name} {value:.3f}" for name, value in shown.items()), highlight=False)
    for finding in run.health().get("findings", []):
        errors.print(
            f"health: {finding['seen']}; try {finding['try']} ({finding['paper']})", style="yellow", markup=False
        )
    line = f"model: file:{run.folder}  (ganzoo sample {shlex.quote(f'file:{run.folder}')} --grid --out samples.png)"
    console.print(line, highlight=False, markup=False, soft_wrap=True)
