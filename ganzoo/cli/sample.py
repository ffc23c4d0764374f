"""`sample`: pictures from a trained model."""

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from ganzoo.cli import app, console
from ganzoo.errors import GanzooError


@app.command()
def sample(
    name: Annotated[str, typer.Argument(help="A model: its name, or file:PATH of a model folder or a run.")],
    out: Annotated[Path, typer.Option(help="A folder for single images, or a .png file with --grid.")],
    count: Annotated[int | None, typer.Option(help="Number of images; with --grid ten a class, or a hundred.")] = None,
    label: Annotated[str | None, typer.Option(help="A class, by name or index; left out they take turns.")] = None,
    seed: Annotated[int, typer.Option(help="Same seed, same images.")] = 0,
    interpolate: Annotated[
        bool, typer.Option("--interpolate", help="A walk between --count latents, as a .gif.")
    ] = False,
    frames: Annotated[int, typer.Option(min=2, max=200, help="Pictures from one latent to the next.")] = 12,
    grid: Annotated[bool, typer.Option("--grid", help="One contact sheet instead of single images.")] = False,
    device: Annotated[str | None, typer.Option(help="cpu, cuda, ...; the fastest there is by default.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite what is there.")] = False,
) -> None:
    """Make images with a trained model: `ganzoo sample cgan-mnist --grid --out digits.png`."""
    from ganzoo import api, images

    if interpolate:
        _check_gif(out, grid, count, force)
    else:
        _check(out, grid, force)
    model = api.load(name, device=device)
    conditions = _label(model, label)
    if interpolate:
        from ganzoo.walk import walk

        animation = images.gif(walk(model, count or 6, frames, seed=seed, **conditions))
        _written(out, lambda part: part.write_bytes(animation))
        return
    if grid and count is None and label is None:
        sheet = model.sheet(seed=seed)
    elif grid:
        sheet = images.grid(model.sample(100 if count is None else count, seed=seed, **conditions), 10)
    else:
        made = model.sample(16 if count is None else count, seed=seed, **conditions)
    if grid:
        _written(out, sheet.save)
        return
    try:
        out.mkdir(parents=True, exist_ok=True)
        for i, image in enumerate(made):
            images.to_pil(image).save(out / f"{i:05d}.png")
        console.print(f"wrote {len(made)} images to {out}", highlight=False, markup=False, soft_wrap=True)
    except OSError as error:
        raise GanzooError(f"{str(out)!r} can't be written: {error.strerror or error}") from None


def _written(out: Path, write: Callable[[Path], object]) -> None:
    part = out.with_name(f".{out.stem}.part{out.suffix}")  # what stands there stays whole until the last moment
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        write(part)
        part.replace(out)
    except OSError as error:
        raise GanzooError(f"{str(out)!r} can't be written: {error.strerror or error}") from None
    console.print(f"wrote {out}", highlight=False, markup=False, soft_wrap=True)


def _check_gif(out: Path, grid: bool, count: int | None, force: bool) -> None:
    if grid or out.suffix.lower() != ".gif":
        raise GanzooError(
            f"--interpolate writes an animation; give --out a name such as walk.gif, not {str(out)!r}, no --grid"
        )
    if count is not None and not 2 <= count <= 1000:
        raise GanzooError(f"--count {count} is no number of latents to walk between; give 2 to 1000")
    if out.exists() and not force:
        raise GanzooError(f"{str(out)!r} exists; choose another name, or overwrite it with --force")


def _check(out: Path, grid: bool, force: bool) -> None:
    if grid and out.suffix.lower() not in (".png", ".jpg", ".jpeg", ".webp"):
        raise GanzooError(f"--out {str(out)!r} must be a picture's name such as samples.png with --grid")
    if not grid and out.suffix.lower() in (".png", ".jpg", ".jpeg", ".webp"):
        raise GanzooError(f"--out {str(out)!r} is one file; name a folder for single images, or add --grid for a sheet")
    taken = out.exists() and (out.is_file() or any(out.iterdir()))
    if taken and not force:
        raise GanzooError(f"{str(out)!r} exists; choose another name, or overwrite it with --force")


def _label(model: Any, label: str | None) -> dict[str, Any]:
    if label is None:
        return {}
    if label not in model.labels:
        with contextlib.suppress(ValueError):
            return {"label": int(label)}
    return {"label": label}
