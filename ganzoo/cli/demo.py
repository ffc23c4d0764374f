"""`demo`: the whole way in two minutes."""

from pathlib import Path
from typing import Annotated

import typer

from ganzoo.cli import app, console


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder for the run and the pictures.")] = Path("runs/demo"),
    images: Annotated[int, typer.Option(min=1_000, help="Real images to train on.")] = 32_000,
) -> None:
    """Train the digits briefly, then load the shipped `cgan-mnist` and draw a labelled grid."""
    from ganzoo import api
    from ganzoo.cli.train import bar, summary

    recipe = api.recipe("cgan-mnist").changed({"training.images": images})
    console.print(
        f"1. training [bold]cgan-mnist[/] for {images:,} images of {recipe.data.name} into {out}", highlight=False
    )
    with bar(images) as advance:
        run = api.train(recipe, out=out / "run", restart=True, on_progress=advance)
    rows = run.metrics()
    for row in (rows[0], rows[len(rows) // 2], rows[-1]):
        losses = "  ".join(f"{key} {value:.3f}" for key, value in row.items() if key.endswith("/loss"))
        console.print(f"   {row['images']:>7,} images  {losses}", highlight=False)
    summary(run)
    run.model().sheet().save(out / "after-a-minute.png")
    console.print("2. loading the shipped [bold]cgan-mnist[/], trained for longer", highlight=False)
    api.load("cgan-mnist").sheet().save(out / "cgan-mnist.png")
    console.print(f"3. look at {out / 'after-a-minute.png'} and {out / 'cgan-mnist.png'}", highlight=False)
