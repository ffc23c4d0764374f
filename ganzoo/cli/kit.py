"""For plugin authors and for machines: `new-plugin`, `doctor`, `export`."""

import shlex
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from ganzoo.cli import app, console
from ganzoo.errors import GanzooError


@app.command("new-plugin")
def new_plugin(
    name: Annotated[str, typer.Argument(help="What the plugin is called; the package is ganzoo-NAME.")],
    out: Annotated[Path | None, typer.Option(help="Folder of the package; ganzoo-NAME by default.")] = None,
) -> None:
    """Begin a plugin package: a loss, a strategy, a recipe, tests, a README, a workflow and a licence."""
    from ganzoo.scaffold import new_plugin

    folder = out or Path(f"ganzoo-{name}")
    for path in new_plugin(name, folder):
        console.print(f"  {folder / path}", highlight=False, markup=False, soft_wrap=True)
    place = shlex.quote(str(folder))
    console.print(
        f"next: cd {place}; pip install --editable '.[test]'; pytest; ganzoo train {name}-mnist --out runs/{name}",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )


@app.command()
def export(
    name: Annotated[str, typer.Argument(help="A model: its name, or file:PATH of a model folder or a run.")],
    out: Annotated[Path, typer.Option(help="The file to write, such as digits.onnx or digits.pt2.")],
    format: Annotated[
        str | None, typer.Option(help="onnx or torch-export; by default what --out ends in, .onnx or .pt2.")
    ] = None,
    network: Annotated[str | None, typer.Option(help="Which of a model's networks, where it has several.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite what is there.")] = False,
) -> None:
    """Write a model's network as a file for other programs, and compare what it gives with the model, on the spot.

    A model that generates takes `latents` and gives `images` of any count; one that transforms takes `images` of any
    count and size and gives `result`; labels are indices. Images are in [0, 1].
    """
    if out.exists() and not force:
        raise GanzooError(f"{str(out)!r} exists; choose another name, or overwrite it with --force")
    from ganzoo import api, portable

    format = portable.format_of(out, format)
    model = api.load(name, device="cpu")
    difference = portable.export(model, out, format, network)
    runner = "onnxruntime" if format == "onnx" else "torch.export"
    console.print(
        f"wrote {out}; by {runner} its images are the model's to {difference:.1e}",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )


@app.command()
def doctor() -> None:
    """Look at the environment and say what to do about what is wrong with it. Exit code 1 when something is."""
    from ganzoo.doctor import examine

    colours = {"ok": "green", "note": "yellow", "wrong": "red"}
    found = list(examine())
    for finding in found:
        console.print(
            f"[{colours[finding.state]}]{finding.state:>5}[/] {escape(finding.words)}", highlight=False, soft_wrap=True
        )
    if any(finding.state == "wrong" for finding in found):
        raise typer.Exit(1)
