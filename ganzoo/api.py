"""The verbs: models, recipe, build, train, load, evaluate; publish is `ganzoo.hub.publish`'s own."""

import fnmatch
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganzoo.errors import GanzooError, RecipeError
from ganzoo.recipes import Recipe
from ganzoo.registry import registry

if TYPE_CHECKING:
    import torch
    from torch import nn

    from ganzoo.engine.observers import OnProgress
    from ganzoo.evaluation.measure import Report
    from ganzoo.evaluation.pictures import Pictures
    from ganzoo.hub.client import Hub
    from ganzoo.model import Model
    from ganzoo.run import Run


@dataclass(frozen=True)
class Listed:
    """A name that can be loaded (`trained`), trained (`recipe`) or both."""

    name: str
    task: str
    summary: str
    trained: bool
    recipe: bool
    plugin: str


def models(pattern: str = "*", *, task: str | None = None) -> list[Listed]:
    """Models and recipes whose name matches a shell pattern. Imports no torch."""
    from ganzoo.names import catalogue

    registered = registry()
    trained, recipes = {*registered.names("model"), *catalogue()}, set(registered.names("recipe"))
    found = []
    for name in sorted(trained | recipes):
        if fnmatch.fnmatch(name, pattern):
            listed = _listed(name, name in trained, name in recipes)
            if task is None or listed.task == task:
                found.append(listed)
    return found


def _listed(name: str, trained: bool, has_recipe: bool) -> Listed:
    import tomllib

    from ganzoo.files import from_json
    from ganzoo.names import catalogue

    if not has_recipe and name not in registry().names("model"):
        pinned = catalogue()[name]
        return Listed(name, pinned.task, pinned.summary, trained, False, f"hf://{pinned.repo}")
    kind = "recipe" if has_recipe else "model"
    plugin = "?"
    try:  # only the head is needed, and one bad file must not hide the others
        entry = registry().entry(kind, name)
        plugin, target = str(entry.plugin), entry.target
        content = target.read_text("utf-8") if has_recipe else (target / "config.json").read_text("utf-8")
        about = tomllib.loads(content) if has_recipe else from_json(content)
        return Listed(
            name, str(about.get("task", "generate")), str(about.get("summary", "")), trained, has_recipe, plugin
        )
    except (GanzooError, OSError, ValueError, AttributeError) as error:
        return Listed(name, "?", f"can't be read: {error}", trained, has_recipe, plugin)


def recipe(source: str | Path | Mapping[str, Any]) -> Recipe:
    """A recipe by its name, from a TOML file or from a mapping. Raises RecipeError with every mistake."""
    return Recipe.load(source)


def register(kind: str, name: str, part: type) -> None:
    """Let recipes of this program name a part of its own, a class: `register("loss", "mine", Mine)`.

    `kind` is architecture, loss, strategy, regularizer, dataset, features or metric. It lasts as long as the program,
    and a second class of one name takes the place of the first; what others are to use belongs into a plugin. Raises
    GanzooError for a class of another kind, and for a name that an installed plugin has.
    """
    registry().register(kind, name, part)


def build(name: str, *, network: str | None = None, **settings: Any) -> "nn.Module":
    """An untrained network of an architecture: `build("dcgan", size=64, channels=3)` gives its published one."""
    from pydantic import ValidationError

    from ganzoo.recipes import Part
    from ganzoo.resolve import architecture_of, built
    from ganzoo.settings import mistakes

    try:
        architecture = architecture_of(Part.model_validate({"name": name, **settings}))
    except ValidationError as error:
        raise RecipeError(str(name), mistakes(error, "architecture")) from None
    network = network or architecture.published[0]
    if network not in architecture.networks:
        raise GanzooError(f"architecture {name!r} builds no {network!r}; it builds {', '.join(architecture.networks)}")
    return built(name, architecture, network)


def train(
    source: str | Path | Mapping[str, Any] | Recipe,
    *,
    out: str | Path,
    device: str | None = None,
    restart: bool = False,
    allow_world_size_change: bool = False,
    trackers: Sequence[str] = (),
    on_progress: "OnProgress | None" = None,
    hub: "Hub | None" = None,
) -> "Run":
    """Train a recipe into the folder `out`, or resume what was begun there. Returns the run.

    A recipe whose `start_from` is `hf://user/repo` starts from the commit that this is now, and records it.

    `device` is cpu, cuda, cuda:1 or mps, the fastest there is by default. `on_progress(images, total, metrics)`
    is called after every step with the latest row of the log. Started by `torchrun`, it trains with all processes;
    going on with another number of them needs `allow_world_size_change`. `trackers` are any of tensorboard, wandb and
    trackio. Raises GanzooError for bad input,
    TrainingError when it ran and failed, Stopped after a signal.
    """
    from ganzoo import engine
    from ganzoo.hub.base import base_of, pinned

    chosen = pinned(Recipe.load(source), Path(out), restart, hub)
    return engine.train(
        chosen,
        out,
        device=device,
        restart=restart,
        allow_world_size_change=allow_world_size_change,
        trackers=trackers,
        base=base_of(chosen.start_from, hub),
        on_progress=on_progress,
    )


def load(
    name: str | Path, *, device: str | None = None, dtype: "torch.dtype | None" = None, hub: "Hub | None" = None
) -> "Model":
    """A trained model: a short name, `hf://user/repo[@revision]`, or `file:PATH` (a `Path`) of a model folder or run.

    A run that is still training, or was stopped, gives the model of its newest checkpoint.

    float32, on a CUDA GPU where there is one, unless said otherwise. `hub` says which Hub, token and cache; by default
    the environment does. Nothing that a model names is imported or installed. Raises ModelError, UnknownNameError or
    HubError.
    """
    from ganzoo.hub.download import files_of
    from ganzoo.model import Model
    from ganzoo.run import Run

    name = f"file:{name}" if isinstance(name, Path) else name
    if isinstance(name, str) and name.startswith("file:") and (run := Run(name.removeprefix("file:"))).exists:
        return run.model(device, dtype)
    return Model.read(files_of(name, hub), device=device, dtype=dtype)


def evaluate(
    source: "str | Path | Model | Run",
    metrics: str | Sequence[str] | None = None,
    *,
    seeds: Sequence[int] = (0, 1, 2),
    count: int = 10_000,
    features: str | None = None,
    reference: "str | Path | Pictures | None" = None,
    training: "str | Path | Pictures | None" = None,
    options: Mapping[str, Any] | None = None,
    device: str | None = None,
    tick: Callable[[str, int, int], None] | None = None,
) -> "Report":
    """Measure a model's samples against the held-out part of its data; each number carries its protocol.

    The model is named as for `load`, or is one in memory, or a run's. `metrics` (one or several) and `features` are
    chosen by what the model makes unless named; `reference` and `training`, folders or pictures, replace the data of
    the model's recipe. `options` are those of `Model.sample`, such as `{"truncation": 0.7}`. Raises GanzooError.
    """
    from ganzoo.conditions import whole
    from ganzoo.evaluation.measure import evaluate_model
    from ganzoo.model import MOST, Model
    from ganzoo.run import Run

    metrics, seeds = [metrics] if isinstance(metrics, str) else metrics, _seeds(seeds)
    if metrics is not None and not list(metrics):
        raise GanzooError("metrics names none; name one or several, or leave it out for those that suit the model")
    count = whole("count", count, 1, MOST)
    reference, training = _pictures("reference", reference), _pictures("training", training)
    if isinstance(source, Model):
        model = source.to(device)
    else:
        model = source.model(device) if isinstance(source, Run) else load(source, device=device)
    return evaluate_model(
        model,
        metrics,
        seeds=seeds,
        count=count,
        features=features,
        reference=reference,
        training=training,
        options=options,
        tick=tick,
    )


def _seeds(given: Sequence[int]) -> tuple[int, ...]:
    from ganzoo.conditions import whole

    seeds = tuple(given) if isinstance(given, Iterable) else ()
    if not seeds:
        raise GanzooError(f"seeds must be one whole number or several, such as [0] or range(3), not {given!r}")
    return tuple(whole("a seed", seed, 0, 2**53 - 1) for seed in seeds)


def _pictures(what: str, given: "str | Path | Pictures | None") -> "Pictures | None":
    from ganzoo.evaluation.folders import Folder
    from ganzoo.evaluation.pictures import Pictures

    if given is None or isinstance(given, Pictures):
        return given
    if isinstance(given, str | Path):
        return Folder(given)
    raise GanzooError(
        f"{what} must be a folder or ganzoo's Pictures, not {type(given).__name__}; a folder of PNGs will do"
    )
