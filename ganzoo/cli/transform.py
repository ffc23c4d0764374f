"""`transform`: files, folders and globs of pictures through a model."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ganzoo.cli import app, console, errors, say
from ganzoo.errors import GanzooError


@app.command()
def transform(
    name: Annotated[str, typer.Argument(help="A model: its name, or file:PATH of a model folder or a run.")],
    inputs: Annotated[list[str], typer.Argument(help="Pictures, folders of them, or quoted patterns such as '*.jpg'.")],
    out: Annotated[Path, typer.Option(help="A folder, or a picture's name for a single picture.")],
    direction: Annotated[str | None, typer.Option(help="One of the model's directions, where it has several.")] = None,
    ensemble: Annotated[
        bool, typer.Option("--ensemble", help="Mean over 8 flips and turns; 8 times the work.")
    ] = False,
    tile: Annotated[int | None, typer.Option(help="Side of a tile in pixels; less takes less memory.")] = None,
    device: Annotated[str | None, typer.Option(help="cpu, cuda, mps, ...; by default cuda if there is one.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite what is there.")] = False,
    skip_existing: Annotated[
        bool, typer.Option("--skip-existing", help="Go on after an interruption: what is there stays.")
    ] = False,
) -> None:
    """Enlarge or restyle pictures: `ganzoo transform srresnet-photos-x4 holiday/ --out large/`.

    A picture that fails is named and the others go on (exit code 1).
    """
    from ganzoo import api, photos

    if force and skip_existing:
        raise GanzooError("--force overwrites what is there, and --skip-existing leaves it; give one of the two")
    asked = _jobs(inputs, out, force or skip_existing)
    jobs = [(source, target) for source, target in asked if not (skip_existing and target.exists())]
    skipped = f"; {len(asked) - len(jobs)} were there" if len(jobs) < len(asked) else ""
    if not jobs:
        console.print(f"wrote nothing{skipped}", highlight=False)
        return
    model = api.load(name, device=device)
    if model.task != "transform":
        raise GanzooError(f"model {model.name!r} makes images of nothing; use `ganzoo sample {name}`")
    model.translator(direction)
    failed: list[GanzooError] = []
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=errors, transient=True) as progress:
        for source, target in progress.track(jobs, description="transforming"):
            try:
                photo = photos.read(source)
                photos.write(model.transform(photo, direction=direction, ensemble=ensemble, tile=tile), target)
            except GanzooError as error:
                failed.append(error)
    if failed and len(jobs) == 1:
        raise failed[0]
    for trouble in failed:
        say("red", "error", trouble)
    done = len(jobs) - len(failed)
    where = jobs[0][1] if len(jobs) == 1 else out
    said = f"wrote {where} ({done} of {len(jobs)} pictures{skipped})"
    console.print(said, highlight=False, markup=False, soft_wrap=True)
    if failed:
        raise typer.Exit(1)


def _jobs(inputs: list[str], out: Path, force: bool) -> list[tuple[Path, Path]]:
    """Each picture and where its result goes. Raises GanzooError before anything is done."""
    from ganzoo.photos import READ, WRITTEN

    found = list(dict.fromkeys(pair for text in inputs for pair in _found(text)))
    to_file = out.suffix.lower() in WRITTEN and not out.is_dir()
    if to_file and len(found) > 1:
        raise GanzooError(f"--out {str(out)!r} is one file and there are {len(found)} pictures; name a folder")
    if to_file:
        jobs = [(found[0][0], out)]
    elif not out.exists() and out.suffix and not any(Path(text).is_dir() for text in inputs) and len(found) == 1:
        raise GanzooError(
            f"--out {str(out)!r} ends in none of {', '.join(WRITTEN)}; name a picture so, or a folder without a dot"
        )
    elif out.suffix.lower() in READ and not out.exists():
        raise GanzooError(f"--out {str(out)!r} is one file and there are {len(found)} pictures; name a folder")
    elif out.is_file():
        raise GanzooError(f"--out {str(out)!r} is a file; name a folder, or a picture such as large.png")
    else:
        jobs = [(source, out / _named(inside)) for source, inside in found]
    targets: dict[Path, Path] = {}
    for source, target in jobs:
        if target in targets:
            raise GanzooError(f"{str(targets[target])!r} and {str(source)!r} would both become {str(target)!r}")
        if target.exists() and source.exists() and target.samefile(source):
            raise GanzooError(f"{str(target)!r} is the picture itself; choose another --out")
        targets[target] = source
    taken = [target for target in targets if target.exists()]
    if taken and not force:
        raise GanzooError(f"{str(taken[0])!r} exists; choose another --out, overwrite with --force, or --skip-existing")
    return jobs


def _named(inside: Path) -> Path:
    from ganzoo.photos import WRITTEN

    return inside if inside.suffix.lower() in WRITTEN else inside.with_name(inside.name + ".png")


def _found(text: str) -> Iterator[tuple[Path, Path]]:
    """The pictures that an argument means, each with its path inside the results."""
    import glob

    from ganzoo.photos import READ, pictures_in

    path = Path(text)
    if path.is_dir():
        yield from ((file, file.relative_to(path)) for file in pictures_in(path))
    elif path.exists() or not glob.has_magic(text):
        yield path, Path(path.name)
    else:
        matches = sorted(Path(match) for match in glob.glob(text, recursive=True))  # noqa: PTH207  (Path.glob takes no absolute pattern)
        files = [match for match in matches if match.is_file() and match.suffix.lower() in READ]
        if not files:
            raise GanzooError(f"no picture matches {text!r}")
        yield from ((file, Path(file.name)) for file in files)
