"""The engine: runs a recipe, and makes a run."""

import contextlib
import functools
import logging
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from ganzoo.engine import cautions
from ganzoo.engine.loop import Engine
from ganzoo.engine.observers import Observers, OnProgress
from ganzoo.engine.processes import Processes
from ganzoo.engine.start import find
from ganzoo.engine.trackers import Tracker
from ganzoo.errors import GanzooError, RunError
from ganzoo.files import sweep
from ganzoo.folder import ModelFiles
from ganzoo.places import places
from ganzoo.precision import say_if_slow
from ganzoo.recipes import Recipe
from ganzoo.registry import registry
from ganzoo.resolve import Parts, refilled, resolve
from ganzoo.run import Run

log = logging.getLogger("ganzoo")


def train(
    recipe: Recipe,
    folder: str | Path,
    *,
    device: str | None = None,
    restart: bool = False,
    allow_world_size_change: bool = False,
    trackers: Sequence[str] = (),
    base: Callable[[], ModelFiles] | None = None,
    on_progress: OnProgress | None = None,
) -> Run:
    """Train a recipe into `folder`, or resume it there. Raises GanzooError before anything is changed.

    `base` gives the files of the model that the recipe starts from; it is asked only when training begins.
    """
    processes = Processes(device)
    if restart and any(processes.gather(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0") != "0")):
        log.warning("torchrun brought the processes back, so the run goes on; only their first start begins it anew")
        restart = False
    watchers = processes.each(lambda: [Tracker(name) for name in trackers])
    run = Run(folder)
    source, base = recipe.start_from, functools.cache(base) if base else None

    def before_data() -> None:
        if source and (restart or not run.exists):
            find(source, base)

    parts = processes.each(lambda: resolve(recipe, before_data))
    _say_what_was_refused(parts)
    if processes.is_main and processes.device.type == "cpu" and parts.recipe.training.precision == "bf16":
        say_if_slow(torch.bfloat16, "train with training.precision=fp32 here")
    fingerprint = processes.first(parts.dataset.fingerprint)
    with contextlib.ExitStack() as held:

        def prepare() -> bool:
            run.check_place()
            held.enter_context(run.locked())
            for folder in (run.checkpoints, run.exports):
                sweep(folder)
            if run.exists and not restart:
                _same(run, parts, fingerprint, allow_world_size_change)
            return restart or not any(run.checkpoints.glob("step-*"))

        fresh = processes.first(prepare)
        observers = Observers(processes.is_main, on_progress, watchers)
        engine = Engine(parts, run, processes, observers, base, fresh, allow_world_size_change)
        processes.first(lambda: _begin(run, parts, engine.lineage, fingerprint, restart))
        if fresh:
            processes.first(lambda: cautions.say(parts, engine.networks))
        engine.train()
    return run


def _begin(run: Run, parts: Parts, lineage: list[dict[str, Any]], fingerprint: str, restart: bool) -> None:
    if restart:
        run.clear()
    run.begin(parts.recipe, parts.spec, lineage, fingerprint)


def _say_what_was_refused(parts: Parts) -> None:
    """A recipe's plugin may have wanted a name of ganzoo's own for a part; then it isn't that part which trains."""
    name = parts.recipe.name
    with contextlib.suppress(GanzooError):
        plugin = registry().entry("recipe", name).plugin
        for said in plugin.refused:
            if said.startswith(tuple(f"{kind} {part!r} " for kind, part in parts.recipe.components)):
                log.warning(
                    "recipe %r doesn't train what %s has under that name: %s; rename it there", name, plugin, said
                )


def _same(run: Run, parts: Parts, fingerprint: str, allow_world_size_change: bool) -> None:
    before = refilled(run.recipe)
    if before.name != parts.recipe.name:
        raise RunError(
            f"{str(run.folder)!r} is a run of {before.name}, not of {parts.recipe.name}; use another folder, or begin "
            "anew with --restart"
        )
    old, new = before.identity(), parts.recipe.identity()
    old_spec, new_spec = run.spec.model_dump(), parts.spec.model_dump()
    if allow_world_size_change:  # micro-batches may then make up for processes
        old["training"]["accumulate"] = new["training"]["accumulate"]
    here = places(parts.recipe.data)
    known = bool(fingerprint and run.fingerprint)
    for name in here.keys() & places(before.data).keys():
        if known or _one_place(old["data"][name], new["data"][name]):  # the data itself tells, or the folder does
            old["data"][name] = new["data"][name]
    if known:
        old_spec["name"] = new_spec["name"]  # by its folder
    changed = _differences("", old, new) + _differences("data", old_spec, new_spec)
    problem = f"settings: {'; '.join(changed)}" if changed else ""
    if known and not changed and fingerprint != run.fingerprint:
        where = ", ".join(repr(place) for place in here.values()) or repr(parts.spec.name)
        problem = f"data: the examples of {where} aren't those that it began with"
    if problem:
        raise RunError(f"this run was trained with other {problem}; use another folder, or begin anew with --restart")


def _one_place(then: object, now: object) -> bool:
    try:
        return isinstance(then, str) and isinstance(now, str) and Path(then).samefile(now)
    except (OSError, ValueError):
        return False


def _differences(place: str, old: object, new: object) -> list[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        keys = sorted({*old, *new})
        return [d for k in keys for d in _differences(f"{place}.{k}".lstrip("."), old.get(k), new.get(k))]
    return [] if old == new else [f"{place} was {old!r} and is now {new!r}"]
