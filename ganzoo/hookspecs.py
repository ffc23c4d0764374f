"""The hooks of ganzoo. A plugin implements those that it needs, marked with `from ganzoo import hookimpl`.

Contributions are names and import strings: `{"dcgan": "ganzoo_vanilla.architectures:DCGAN"}`. Nothing behind a name is
imported before somebody uses it, so a plugin's own module should stay light (no torch).
"""

from collections.abc import Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from ganzoo.run import Run

hookspec = pluggy.HookspecMarker("ganzoo")
hookimpl = pluggy.HookimplMarker("ganzoo")


@hookspec
def ganzoo_architectures() -> Mapping[str, str]:  # type: ignore[empty-body]
    """Architectures: `{name: "module:Class"}` of `ganzoo.Architecture`."""


@hookspec
def ganzoo_losses() -> Mapping[str, str]:  # type: ignore[empty-body]
    """Losses: `{name: "module:Class"}` of `ganzoo.Loss`."""


@hookspec
def ganzoo_strategies() -> Mapping[str, str]:  # type: ignore[empty-body]
    """Strategies: `{name: "module:Class"}` of `ganzoo.Strategy`."""


@hookspec
def ganzoo_regularizers() -> Mapping[str, str]:  # type: ignore[empty-body]
    """Regularisers for any adversarial strategy: `{name: "module:Class"}` of `ganzoo.Regularizer`."""


@hookspec
def ganzoo_datasets() -> Mapping[str, str]:  # type: ignore[empty-body]
    """Datasets: `{name: "module:Class"}` of `ganzoo.Dataset`."""


@hookspec
def ganzoo_features() -> Mapping[str, str]:  # type: ignore[empty-body]
    """Named feature networks, for metrics and perceptual losses: `{name: "module:Class"}` of `ganzoo.Features`."""


@hookspec
def ganzoo_metrics() -> Mapping[str, str]:  # type: ignore[empty-body]
    """Metrics: `{name: "module:Class"}` of `ganzoo.Metric`."""


@hookspec
def ganzoo_recipes() -> Mapping[str, Traversable]:  # type: ignore[empty-body]
    """Recipes: `{name: TOML file}`; `return files_in(__name__, "recipes", ".toml")` gives a whole folder."""


@hookspec
def ganzoo_models() -> Mapping[str, Traversable]:  # type: ignore[empty-body]
    """Trained models: `{name: folder}`, laid out like a Hub repository (README.md, config.json, model.safetensors)."""


@hookspec
def ganzoo_training_started(run: "Run") -> None:
    """Training starts or resumes. Observers run on the main process; what one raises is logged once, never fatal."""


@hookspec
def ganzoo_metrics_logged(run: "Run", step: int, metrics: Mapping[str, float]) -> None:
    """A line went into the run's log."""


@hookspec
def ganzoo_checkpoint_saved(run: "Run", step: int, path: Path) -> None:
    """A checkpoint is complete on the disk."""


@hookspec
def ganzoo_training_finished(run: "Run") -> None:
    """The budget is spent and the model is exported."""


@hookspec
def ganzoo_card_sections(run: "Run") -> Mapping[str, str]:  # type: ignore[empty-body]
    """Sections for a model's card, written at its export: `{title: Markdown}`. Raw HTML in them is escaped."""


def files_in(package: str, folder: str, suffix: str) -> dict[str, Traversable]:
    """The files of a folder inside a package, by their name without the suffix: a plugin's recipes in one line."""
    there = (files(package) / folder).iterdir()
    return {item.name.removesuffix(suffix): item for item in there if item.name.endswith(suffix)}
