"""The engine: runs a recipe, and makes a run."""

import contextlib
import shutil
from collections.abc import Callable
from pathlib import Path

from ganzoo.engine.loop import Engine
from ganzoo.engine.observers import Observers, OnProgress
from ganzoo.engine.processes import Processes
from ganzoo.errors import RunError
from ganzoo.folder import ModelFiles
from ganzoo.recipes import Recipe
from ganzoo.resolve import Parts, resolve
from ganzoo.run import Run


def train(
    recipe: Recipe,
    folder: str | Path,
    *,
    device: str | None = None,
    restart: bool = False,
    base: Callable[[], ModelFiles] | None = None,
    on_progress: OnProgress | None = None,
) -> Run:
    """Train a recipe into `folder`, or resume it there. Raises GanzooError before anything is changed.

    `base` gives the files of the model that the recipe starts from; it is asked only when training begins.
    """
    processes = Processes(device)
    parts = resolve(recipe)
    run = Run(folder)
    if processes.is_main:
        run.check_place()
    with run.locked() if processes.is_main else contextlib.nullcontext():
        if run.exists and not restart:
            _same(run, parts)
        fresh = restart or not any(run.checkpoints.glob("step-*"))
        engine = Engine(parts, run, processes, Observers(processes.is_main, on_progress), base, fresh)
        if processes.is_main:
            if restart:
                for part in (run.checkpoints, run.samples, run.exports):
                    shutil.rmtree(part, ignore_errors=True)
            run.begin(parts.recipe, parts.spec, engine.lineage)
        engine.train()
    return run


def _same(run: Run, parts: Parts) -> None:
    changed = _differences("", run.recipe.identity(), parts.recipe.identity())
    changed += _differences("data", run.spec.model_dump(), parts.spec.model_dump())
    if changed:
        raise RunError(
            f"this run was trained with other settings: {'; '.join(changed)}; "
            "use another folder, or begin anew with --restart"
        )


def _differences(place: str, old: object, new: object) -> list[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        keys = sorted({*old, *new})
        return [d for k in keys for d in _differences(f"{place}.{k}".lstrip("."), old.get(k), new.get(k))]
    return [] if old == new else [f"{place} was {old!r} and is now {new!r}"]
