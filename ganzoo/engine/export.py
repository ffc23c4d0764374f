"""What a run gives away: a model folder, and the sheet that shows what it makes."""

import contextlib
import logging
import platform
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from PIL import Image
from torch import nn

import ganzoo
from ganzoo import card, folder, images
from ganzoo.config_size import config_text
from ganzoo.dataset import Spec
from ganzoo.errors import RecipeError
from ganzoo.evaluation import translation
from ganzoo.folder import ModelConfig
from ganzoo.model import Model, another_task
from ganzoo.recipes import Recipe
from ganzoo.registry import HERE, registry
from ganzoo.resolve import Parts
from ganzoo.run import Run

log = logging.getLogger("ganzoo")


def export(
    run: Run, parts: Parts, networks: Mapping[str, nn.Module], steps: int, seen: int, seconds: float, name: str = ""
) -> None:
    """Write a model folder of a run: the newest one, or the one of this name."""
    target = run.exports / (name or f"step-{steps:08d}")
    config = describe(parts, networks) | {
        "trained": {"steps": steps, "images": seen, "seconds": round(seconds, 1), "machine": _machine()},
        "lineage": run.lineage,
        "card_sections": card_sections(run),
    }
    model = Model(ModelConfig.read(config), dict(networks), parts.architecture.image_range)
    files = {"README.md": card.render(config).encode()}
    drawn = sheet(model)
    if drawn is not None:
        files["samples.png"] = images.png(drawn)
    folder.write(target, config, networks, files, force=True)


def card_sections(run: Run) -> dict[str, str]:
    """What plugins add to the card; one that fails is logged and left out."""
    sections: dict[str, str] = {}
    for implementation in registry().manager.hook.ganzoo_card_sections.get_hookimpls():
        try:
            found: Any = implementation.function(*[run][: len(implementation.argnames)])
            sections |= {str(title): str(text) for title, text in dict(found or {}).items()}
        except Exception as error:
            log.warning("plugin %r failed in ganzoo_card_sections: %s", implementation.plugin_name, error)
    return sections


def describe(parts: Parts, networks: Mapping[str, nn.Module]) -> dict[str, Any]:
    """The config of a model: what loading needs, and where its parts came from."""
    return description(parts.recipe, parts.spec, networks)


def description(recipe: Recipe, spec: Spec, networks: Mapping[str, nn.Module]) -> dict[str, Any]:
    """The config of a model of this recipe, with all settings filled in, on data of this spec."""
    plugins = [registry().entry(kind, name).plugin for kind, name in recipe.components]
    tables = recipe.tables()
    tables.pop("observers", None)  # their settings may hold keys
    return {
        "schema": 1,
        "name": recipe.name,
        "task": recipe.task,
        "summary": recipe.summary,
        "dtype": "float16",
        "networks": list(networks),
        "spec": spec.model_dump(mode="json"),
        "recipe": tables,
        "requires": sorted({f"{p.distribution}>={p.version}" for p in plugins if p is not HERE}),
    }


def check_loadable(parts: Parts, networks: Mapping[str, nn.Module]) -> None:
    """Refuse to train a model that couldn't be loaded afterwards. Raises ModelError, or RecipeError."""
    task = parts.recipe.task
    if problem := another_task(task, networks):
        other = "generate" if task == "transform" else "transform"
        raise RecipeError(parts.recipe.name, [f"task: {task!r}, but its model {problem}; it must be {other!r}"])
    config_text(describe(parts, networks))


@contextlib.contextmanager
def lent(parts: Parts, networks: Mapping[str, nn.Module]) -> Iterator[Model]:
    """A model of networks that go on training: they are in evaluation mode as long as it is used."""
    config = ModelConfig.read(describe(parts, networks))
    modes = {module: module.training for network in networks.values() for module in network.modules()}
    grads = {name: [p.requires_grad for p in network.parameters()] for name, network in networks.items()}
    try:
        yield Model(config, dict(networks), parts.architecture.image_range)
    finally:
        for module, training in modes.items():  # one by one: a frozen part stays in evaluation mode
            module.training = training
        for name, network in networks.items():
            for parameter, wanted in zip(network.parameters(), grads[name], strict=True):
                parameter.requires_grad_(wanted)


def sheet(model: Model) -> Image.Image | None:
    """What a run shows of itself, always from the same latents or pictures. None for a model that enlarges."""
    if model.task == "generate":
        return model.sheet()
    return translation.sheet(model) if model.directions else None


def _machine() -> str:
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else f"{torch.get_num_threads()} CPU threads"
    return f"{device}, torch {torch.__version__}, ganzoo {ganzoo.__version__}, Python {platform.python_version()}"
