"""Turn a recipe's names into components: registry look-up in two passes, and every mistake in one message."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from ganzoo.architecture import CONDITIONS, Architecture
from ganzoo.dataset import Dataset, Spec
from ganzoo.errors import GanzooError, PluginError, RecipeError, meant
from ganzoo.files import encodable, typed
from ganzoo.loss import Loss
from ganzoo.places import places
from ganzoo.recipes import PARTS, Data, Part, Recipe, configure
from ganzoo.registry import registry
from ganzoo.regularized import discriminators, regularize
from ganzoo.regularizer import Regularizer
from ganzoo.strategy import Strategy
from ganzoo.text import plain


@dataclass(frozen=True)
class Parts:
    """A recipe's components, ready for the engine, and the recipe with every setting filled in."""

    recipe: Recipe
    spec: Spec
    dataset: Dataset
    architecture: Architecture
    loss: Loss | None
    strategy: Strategy

    @property
    def columns(self) -> tuple[str, ...]:
        """What a batch holds: the strategy's inputs, then the recipe's conditions."""
        return (*self.strategy.inputs, *self.recipe.data.conditions)

    @property
    def exact(self) -> bool:
        """A big batch equals the same examples in micro-batches or processes."""
        parts = self.architecture, self.loss, self.strategy, *self.strategy.regularizers.values()
        return all(part.per_sample for part in parts if part is not None)


def resolve(recipe: Recipe, before_data: Callable[[], None] = lambda: None) -> Parts:
    """Look up and check every component; open the data; fill in what the data's spec says. Raises RecipeError.

    Data may take long to read, so it is opened only where all else is right, after a call of `before_data`.
    """
    wrong: list[str] = []
    configs: dict[str, Any] = {}
    classes: dict[str, Any] = {}
    for place in ("data", "loss", "strategy"):
        part: Part | None = getattr(recipe, place)
        if part is not None:
            classes[place], configs[place] = configure(place, part.name, part.settings, wrong)
    loss = classes["loss"](configs["loss"]) if configs.get("loss") is not None else None
    strategy = classes["strategy"](configs["strategy"], loss) if configs["strategy"] is not None else None
    regularizers = _regularizers(recipe, wrong)
    wrong += _observers(recipe)
    if strategy is not None:
        wrong += _strategy_mistakes(recipe, strategy)
        wrong += _irregularities(recipe, strategy, regularizers)
        regularize(strategy, regularizers)
    of_architecture: list[str] = []
    configure("architecture", recipe.architecture.name, recipe.architecture.settings, of_architecture, known=False)
    dataset = None
    if not wrong and not of_architecture:
        before_data()
        try:
            dataset = classes["data"](configs["data"])
        except GanzooError as error:
            wrong.append(f"data: {error}")
    lacking = [c for c in recipe.data.conditions if dataset and c not in dataset.columns]
    wrong += [_lacks(recipe, column, dataset) for column in lacking if dataset]
    wrong += [
        f"data.conditions: a model can be asked for {' or '.join(CONDITIONS)}, not for {name!r}"
        for name in recipe.data.conditions
        if name not in (*CONDITIONS, *lacking)
    ]
    settings = recipe.architecture.settings
    facts = dataset.spec.facts() if dataset else {}
    if not recipe.data.conditions:
        facts.pop("classes", None)
    _fill(recipe.architecture, settings, facts, recipe.data.name, wrong)
    classes["architecture"], configs["architecture"] = configure(
        "architecture", recipe.architecture.name, settings, wrong, known=dataset is not None and not lacking
    )
    architecture = classes["architecture"](configs["architecture"]) if configs["architecture"] is not None else None
    wrong += _disagreements(recipe, dataset, architecture, strategy)
    if wrong or dataset is None or architecture is None or strategy is None:
        raise RecipeError(recipe.name, wrong)
    return Parts(_filled(recipe, configs, regularizers), dataset.spec, dataset, architecture, loss, strategy)


def dataset_of(recipe: Recipe) -> Dataset:
    """The recipe's data alone."""
    wrong: list[str] = []
    component, config = configure("data", recipe.data.name, recipe.data.settings, wrong)
    if wrong:
        raise RecipeError(recipe.name, wrong)
    dataset: Dataset = component(config)
    return dataset


def refilled(recipe: Recipe) -> Recipe:
    """A recorded recipe as the installed parts read it: settings that came later as by default, older ones migrated.

    Raises RecipeError, for example for settings of a newer version than what is installed."""
    wrong: list[str] = []
    configs = {}
    for place in PARTS:
        part: Part | None = getattr(recipe, place)
        if part is not None:
            _, configs[place] = configure(place, part.name, part.settings, wrong)
    regularizers = _regularizers(recipe, wrong)
    if wrong:
        raise RecipeError(recipe.name, wrong)
    return _filled(recipe, configs, regularizers)


def on_folder(recipe: Recipe, folder: str | Path, settings: Mapping[str, Any] | None = None) -> Recipe:
    """The recipe on a person's own folder of images, at the size and channels of the recipe's own data.

    One that enlarges is given a photo-folder, with the recipe's own patches and degradation. `settings` are changed
    as by `changed`, and the summary says what is left of the recipe. Raises GanzooError for a translator's recipe, an
    address, a file and a name that isn't UTF-8.
    """
    place = typed(folder)
    if not place.is_dir() and (place.is_file() or re.match(r"[a-z][a-z0-9+.-]+:/", str(folder), re.IGNORECASE)):
        what = "a file" if place.is_file() else "an address"
        raise GanzooError(
            f"your own data is a folder of pictures, and {str(folder)!r} is {what}; fetch and unpack an archive first, "
            "then give the folder that holds the pictures"
        )
    if not encodable(str(folder)):
        raise GanzooError(f"the name {str(folder)!r} isn't UTF-8, as a recipe is; rename the folder")
    spec = dataset_of(recipe).spec
    if spec.domains:
        raise GanzooError(
            f"recipe {recipe.name!r} translates between two domains, and one folder was given; name two in a recipe "
            'file: data.name = "folder-pairs" or "folder-unpaired", with a and b'
        )
    data: dict[str, Any] = {"name": "image-folder", "path": str(folder), "conditions": list(recipe.data.conditions)}
    if spec.scale:
        data = {"channels": spec.channels, **recipe.data.settings, "scale": spec.scale}
        data |= {"name": "photo-folder", "path": str(folder)}
    elif spec.size:
        data |= {"size": spec.size, "channels": spec.channels}
    made = Recipe.parse(recipe.tables() | {"data": data}, recipe.name).changed(settings)
    parts = [f"networks {made.architecture.name}", *([f"loss {made.loss.name}"] if made.loss else [])]
    parts += [f"strategy {made.strategy.name}", *made.regularizers]
    summary = f"{', '.join(parts)}; trained on the pictures of {typed(folder).resolve().name or 'a disk'}"
    return made.changed({"summary": summary[:500], **(settings or {})})


def architecture_of(part: Part) -> Architecture:
    """The architecture of a recorded recipe: all that loading a model needs."""
    wrong: list[str] = []
    component, config = configure("architecture", part.name, part.settings, wrong)
    if wrong:
        raise RecipeError(part.name, wrong)
    architecture: Architecture = component(config)
    return architecture


def built(name: str, architecture: Architecture, network: str) -> nn.Module:
    """A network of the architecture of this name. Raises PluginError where its plugin can't make one."""
    try:
        made: Any = architecture.build(network)
        problem = "" if isinstance(made, nn.Module) else f"makes {type(made).__name__} of it, which is no torch module"
    except GanzooError:
        raise
    except Exception as error:  # somebody's code, on settings that may be a stranger's
        problem = f"fails with {type(error).__name__}: {plain(error, 200)}"
    if problem:
        plugin = registry().entry("architecture", name).plugin
        raise PluginError(f"architecture {name!r} of {plugin} can't build {network!r}: it {problem}")
    return made  # type: ignore[no-any-return]


def _fill(part: Part, settings: dict[str, Any], facts: dict[str, int], data: str, wrong: list[str]) -> None:
    try:
        fields = registry().get("architecture", part.name).Config.model_fields
    except GanzooError:
        return  # said when the architecture is configured
    for name, value in facts.items():
        if name in fields and settings.setdefault(name, value) != value:
            wrong.append(f"architecture.{name}: {settings[name]!r}, but the data {data!r} has {value}")


def _regularizers(recipe: Recipe, wrong: list[str]) -> dict[str, Regularizer]:
    found = {}
    for name, settings in recipe.regularizers.items():
        kind, config = configure(f"regularizers.{name}", name, settings, wrong, kind="regularizer")
        if config is not None:
            found[name] = kind(config)
    return found


def _irregularities(recipe: Recipe, strategy: Strategy, regularizers: Mapping[str, Regularizer]) -> list[str]:
    name = recipe.strategy.name
    if regularizers and not discriminators(strategy):
        trained = ", ".join(strategy.networks)
        return [f"regularizers: they act on a discriminator, and strategy {name!r} has none (it trains {trained})"]
    acting = [
        one
        for one, regularizer in regularizers.items()
        if regularizer.has_term() or type(regularizer).observe is not Regularizer.observe
    ]
    if not type(strategy).needs_loss:
        return [f"regularizers.{one}: strategy {name!r} has no adversarial loss that it could act on" for one in acting]
    frozen = [network for network in discriminators(strategy) if network in recipe.training.freeze]
    return [
        f"regularizers.{one}: it acts on the loss of {frozen[0]!r}, which training.freeze keeps as it is; leave one of "
        "the two out, or freeze parts of it"
        for one in acting
        if frozen
    ]


def _observers(recipe: Recipe) -> list[str]:
    names = [plugin.name for plugin in registry().plugins]
    return [
        "; ".join(filter(None, [f"observers.{name}: there is no plugin of this name", meant(name, names)]))
        for name in recipe.observers
        if name not in names
    ]


def _filled(recipe: Recipe, configs: Mapping[str, Any], regularizers: Mapping[str, Regularizer]) -> Recipe:
    tables = recipe.model_dump(mode="json", by_alias=True)
    for place, config in configs.items():
        head = {k: v for k, v in tables[place].items() if k in ("name", "conditions")}
        tables[place] = head | config.record()
    tables["data"] |= places(Data.read(tables["data"]))
    tables["regularizers"] = {name: regularizer.config.record() for name, regularizer in regularizers.items()}
    return Recipe.parse(tables, recipe.name)


def _lacks(recipe: Recipe, column: str, dataset: Dataset) -> str:
    return f"data: {recipe.data.name!r} has no {column!r}, which this recipe needs: {dataset.without(column)}"


def _disagreements(
    recipe: Recipe, dataset: Dataset | None, architecture: Architecture | None, strategy: Strategy | None
) -> list[str]:
    """What the parts say of each other, as far as they could be made."""
    wrong: list[str] = []
    if strategy is not None and architecture is not None:
        name, built = recipe.architecture.name, ", ".join(architecture.networks)
        wrong += [
            f"strategy: {recipe.strategy.name!r} trains a network {network!r} that architecture {name!r} doesn't build "
            f"(it builds {built})"
            for network in strategy.networks
            if network not in architecture.networks
        ]
        wrong += [
            f"strategy: {recipe.strategy.name!r} needs networks with {need!r}, and architecture {name!r} has "
            f"{', '.join(architecture.offers) or 'nothing of that kind'}; {_offering(need)}"
            for need in strategy.needs
            if need not in architecture.offers
        ]
    if strategy is not None and dataset is not None:
        wrong += [_lacks(recipe, column, dataset) for column in strategy.inputs if column not in dataset.columns]
    if architecture is not None and recipe.data.conditions != architecture.conditions:
        wanted = ", ".join(architecture.conditions) or "none"
        given = ", ".join(recipe.data.conditions) or "none"
        wrong.append(
            f"data.conditions: {given}, but architecture {recipe.architecture.name!r} is conditioned on {wanted}"
        )
    return wrong


def _offering(need: str) -> str:
    found = []
    for name in registry().names("architecture"):
        try:
            found += [name] if need in registry().get("architecture", name).offers else []
        except GanzooError:
            continue  # somebody's broken architecture must not hide this mistake
    return f"these have it: {', '.join(found)}" if found else "no installed architecture has it"


def _strategy_mistakes(recipe: Recipe, strategy: Strategy) -> list[str]:
    wrong = []
    if recipe.loss is None and type(strategy).needs_loss:
        losses = ", ".join(registry().names("loss"))
        wrong.append(f"loss: strategy {recipe.strategy.name!r} needs one; there are: {losses}")
    if recipe.loss is not None and not type(strategy).needs_loss:
        wrong.append(f"loss: strategy {recipe.strategy.name!r} has no adversarial loss; leave it out")
    training = recipe.training
    named = [(f"training.optimizer.{n}", n) for n in training.optimizer.overrides]
    named += [(f"training.ema.{n}", n) for n in training.ema]
    named += [("training.freeze", path.split(".")[0]) for path in training.freeze]
    wrong += [
        f"{place}: there is no network {network!r} (there are {', '.join(strategy.networks)})"
        for place, network in named
        if network not in strategy.networks
    ]
    return wrong
