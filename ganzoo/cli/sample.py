"""`sample`: pictures from a trained model."""

import contextlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from ganzoo.cli import app, assignment, console
from ganzoo.errors import GanzooError
from ganzoo.files import replaced


@app.command()
def sample(
    name: Annotated[str, typer.Argument(help="A model: its name, or file:PATH of a model folder or a run.")],
    out: Annotated[Path, typer.Option(help="A folder for single images, or a .png file with --grid.")],
    count: Annotated[
        int | None, typer.Option(help="Number of images; 16, with --grid ten a class or a hundred.")
    ] = None,
    label: Annotated[
        list[str] | None,
        typer.Option(help="A class, by name or index. Several, and without any all classes, take turns."),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=V", help="An option of the model such as truncation, or a caption."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Same seed, same images.")] = 0,
    interpolate: Annotated[
        bool, typer.Option("--interpolate", help="A walk between --count latents, as a .gif.")
    ] = False,
    frames: Annotated[int, typer.Option(min=2, max=200, help="Pictures from one latent to the next.")] = 12,
    grid: Annotated[bool, typer.Option("--grid", help="One contact sheet instead of single images.")] = False,
    device: Annotated[str | None, typer.Option(help="cpu, cuda, mps, ...; by default cuda if there is one.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite what is there.")] = False,
) -> None:
    """Make images with a trained model: `ganzoo sample cgan-mnist --grid --out digits.png`."""
    from ganzoo import api, images
    from ganzoo.conditions import whole
    from ganzoo.model import MOST

    labels = label or []
    if interpolate:
        _check_gif(out, grid, count, force, labels)
    else:
        _check(out, grid, force)
    model = api.load(name, device=device)
    if model.task != "generate":
        raise GanzooError(
            f"model {model.name!r} makes pictures of pictures; use `ganzoo transform {name} PICTURES --out FOLDER`"
        )
    given = _settings(model, settings or [])
    if grid and count is None and not labels:
        _written(out, model.sheet(seed=seed, **given).save)
        return
    if grid and count is None and len(labels) > 1:
        labels = [one for one in labels for _ in range(10)]
    if count is None:
        count = 6 if interpolate else len(labels) if len(labels) > 1 else 100 if grid else 16
    count = whole("count", count, 1, MOST)
    given |= _in_turn([_label(model, one) for one in labels], count)
    if interpolate:
        from ganzoo.walk import walk

        animation = images.gif(walk(model, count, frames, seed=seed, **given))
        _written(out, lambda part: part.write_bytes(animation))
        return
    if not grid:
        _check_left(out, count)
    made = model.sample(count, seed=seed, **given)
    if grid:
        _written(out, images.grid(made, 10).save)
        return
    for i, image in enumerate(made):
        with replaced(out / f"{i:05d}.png") as part:
            images.to_pil(image).save(part)
    console.print(f"wrote {len(made)} images to {out}", highlight=False, markup=False, soft_wrap=True)


def _written(out: Path, write: Callable[[Path], object]) -> None:
    with replaced(out) as part:
        write(part)
    console.print(f"wrote {out}", highlight=False, markup=False, soft_wrap=True)


def _check_gif(out: Path, grid: bool, count: int | None, force: bool, labels: list[str]) -> None:
    if grid or out.suffix.lower() != ".gif":
        raise GanzooError(
            f"--interpolate writes an animation; give --out a name such as walk.gif, not {str(out)!r}, no --grid"
        )
    if count is not None and not 2 <= count <= 1000:
        raise GanzooError(f"--count {count} is no number of latents to walk between; give 2 to 1000")
    if len(labels) > 1:
        raise GanzooError("--interpolate takes one --label; without any it shows all classes side by side")
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


def _check_left(out: Path, count: int) -> None:
    """Refuse to write beside pictures of an earlier command, which would look like this one's."""
    numbered = (path.name for path in out.iterdir()) if out.is_dir() else ()
    left = sorted(name for name in numbered if re.fullmatch(r"\d{5,}\.png", name) and int(name[:-4]) >= count)
    if left:
        more = f" and {len(left) - 1} more" if len(left) > 1 else ""
        raise GanzooError(
            f"{str(out)!r} holds {left[0]}{more}, which would stay beside the {count} pictures of this command; delete "
            "what is there, or choose another folder"
        )


def _label(model: Any, label: str) -> str | int:
    if label not in model.labels:
        with contextlib.suppress(ValueError):
            return int(label)
    return label


def _in_turn(labels: list[str | int], count: int) -> dict[str, Any]:
    if len(labels) < 2:
        return {"label": labels[0]} if labels else {}
    return {"label": [labels[i % len(labels)] for i in range(count)]}


def _settings(model: Any, settings: list[str]) -> dict[str, Any]:
    given = {}
    for text in settings:
        name, value = assignment(text, "truncation=0.7")
        words = name in model.conditions and not isinstance(value, str | list)  # a caption may look like a number
        given[name] = text.partition("=")[2].strip() if words else value
    takes = [*model.options, *(name for name in model.conditions if name != "label")]
    for name in given:
        if name not in takes:
            known = (", ".join(takes) or "none") + ("; a class is given by --label" if model.labels else "")
            raise GanzooError(f"model {model.name!r} has no option {name!r} to --set; it takes {known}")
    return given
