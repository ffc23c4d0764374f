"""A recipe: architecture, loss, strategy, data and training settings. Pure data; `ganzoo.resolve` gives it meaning."""

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import ConfigDict, Field, ValidationError, model_validator

from ganzoo.errors import GanzooError, RecipeError, UnknownNameError
from ganzoo.known import package_of, where_to_get
from ganzoo.registry import registry
from ganzoo.settings import Settings, mistakes, no_such

PARTS = {"data": "dataset", "architecture": "architecture", "loss": "loss", "strategy": "strategy"}
NAME = r"^[a-z0-9][a-z0-9._-]{0,95}$"


class Part(Settings):
    """A component's name and its settings, which only the component itself understands."""

    model_config = ConfigDict(extra="allow")
    name: str = Field(min_length=1, max_length=96, description="name in the registry")

    @property
    def settings(self) -> dict[str, Any]:
        return dict(self.model_extra or {})

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> Self:
        """Check a part's name; a `version` among its settings is the component's."""
        return cls.checked(data)


class Data(Part):
    conditions: tuple[str, ...] = Field((), max_length=8, description="columns that the networks are conditioned on")


class Optimizer(Settings):
    """One optimiser a network. A table named after a network overrides these settings for it."""

    model_config = ConfigDict(extra="allow")
    name: Literal["adam", "adamw", "sgd", "rmsprop"] = "adam"
    lr: float = Field(2e-4, gt=0, le=10, description="learning rate")
    betas: tuple[float, float] = Field((0.5, 0.999), description="adam, adamw: decay of the two moments, in [0, 1)")
    eps: float = Field(1e-8, gt=0, le=1)
    weight_decay: float = Field(0.0, ge=0, le=1)
    momentum: float = Field(0.0, ge=0, lt=1, description="sgd, rmsprop")
    alpha: float = Field(0.99, ge=0, lt=1, description="rmsprop: decay of the mean square")
    schedule: Literal["constant", "linear", "cosine"] = Field("constant", description="of the rate, over the budget")
    final: float = Field(0.0, ge=0, le=1, description="what the schedule ends at, as a fraction of lr")
    warmup: int = Field(0, ge=0, description="images over which the rate rises from 0")
    clip_norm: float | None = Field(None, gt=0, description="longest gradient of the network")
    clip_value: float | None = Field(None, gt=0, description="largest entry of a gradient")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not all(0 <= beta < 1 for beta in self.betas):
            raise ValueError("betas: each must be in [0, 1)")
        for name, table in self.overrides.items():
            if not isinstance(table, dict):
                raise ValueError(f"{name}: {no_such(name, Optimizer.model_fields)}")
            lines = [
                f"{name}.{key}: {no_such(key, Optimizer.model_fields)}"
                for key in table
                if key not in Optimizer.model_fields
            ]
            try:
                self.of(name)
            except ValueError as error:  # with a place of its own for each mistake
                lines += [line for line in mistakes(error, name) if line not in lines]
            if lines:
                raise ValueError("\n".join(lines))
        return self

    def shared(self, main: float) -> "Optimizer":
        """Corrected for a network of whose updates the share `main` isn't lazy (Karras et al., 2020, appendix B)."""
        if main == 1:
            return self
        low, high = self.betas
        return self.model_copy(update={"lr": self.lr * main, "betas": (low**main, high**main)})

    @property
    def overrides(self) -> dict[str, Any]:
        return dict(self.model_extra or {})

    def of(self, network: str) -> "Optimizer":
        """The settings for one network."""
        common = self.model_dump(mode="json", include=set(Optimizer.model_fields))
        return Optimizer.read({**common, **self.overrides.get(network, {})})


class Ema(Settings):
    """Exponential moving average of a network's weights (Karras et al., 2018)."""

    half_life: int = Field(10_000, ge=1, description="in images")
    rampup: float | None = Field(
        0.05, gt=0, le=1, description="half-life at most this fraction of the images so far, so short runs export well"
    )


class Measure(Settings):
    """What to measure while training goes on; the first metric decides which checkpoint is the best."""

    metrics: tuple[str, ...] = Field(min_length=1, max_length=32, description="NAME or NAME,SETTING=VALUE")
    every: int = Field(ge=1, description="images between two measurements; the end is measured too")
    count: int = Field(1_000, ge=2, le=1_000_000, description="samples of one measurement")
    features: str | None = Field(None, max_length=200, description="feature network; what suits the data by default")


class Training(Settings):
    images: int = Field(ge=1, description="budget: real images consumed, all draws counted")
    batch_size: int = Field(64, ge=1, le=1_000_000, description="global: over all processes and micro-batches")
    accumulate: int = Field(1, ge=1, le=4096, description="micro-batches a process takes for one step")
    precision: Literal["fp32", "bf16"] = "fp32"
    seed: int = Field(0, ge=0, lt=2**53)
    deterministic: bool = Field(False, description="only deterministic kernels, for exact resume on a GPU")
    sync_batch_norm: bool = Field(
        False, description="batch norm over all processes (CUDA); not where a gradient is penalised"
    )
    channels_last: bool | None = Field(None, description="memory layout of images; left out: what is faster")
    compile: bool | None = Field(
        None, description="torch.compile, of networks whose gradient isn't penalised; left out: no"
    )
    graphs: bool | None = Field(None, description="steps as CUDA graphs, where they can be captured; left out: no")
    optimizer: Optimizer = Optimizer()
    ema: dict[str, Ema] = Field({}, max_length=32, description="networks to average")
    freeze: tuple[str, ...] = Field((), max_length=1000, description="networks or parts (`network.module`) kept as is")
    log_every: int = Field(2_000, ge=1, description="images between two lines of the log")
    sample_every: int = Field(100_000, ge=1, description="images between two sample grids")
    checkpoint_every: int = Field(100_000, ge=1, description="images between two checkpoints")
    measure: Measure | None = None
    keep: int = Field(2, ge=1, le=1000, description="checkpoints kept")
    best: str | None = Field(
        None,
        pattern=r"^(min|max):\S+$",
        description="keep the best checkpoint by this value of the log, min:NAME; left out: by what is measured first",
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.batch_size % self.accumulate:
            raise ValueError(f"batch_size: {self.batch_size} is not divisible by accumulate = {self.accumulate}")
        return self


# what may change when a run goes on: how long, how often, how much is kept
FREE = ("images", "log_every", "sample_every", "checkpoint_every", "measure", "keep", "best")


class Recipe(Settings):
    """What to train and how; the engine turns it into a run."""

    schema_version: int = Field(1, alias="schema", ge=1, le=1)
    name: str = Field(pattern=NAME)
    task: Literal["generate", "transform"] = "generate"
    summary: str = Field("", max_length=500)
    start_from: str | None = Field(
        None, max_length=1000, description="model or run whose networks training starts from"
    )
    architecture: Part
    loss: Part | None = None
    strategy: Part
    regularizers: dict[str, dict[str, Any]] = Field(
        {}, max_length=16, description="settings of each, by name; they act in this order"
    )
    data: Data
    training: Training
    observers: dict[str, dict[str, Any]] = Field({}, max_length=32)

    @classmethod
    def load(cls, source: "str | Path | Mapping[str, Any] | Recipe") -> "Recipe":
        """A registered recipe by its name, a TOML file, or a mapping of the same shape."""
        if isinstance(source, Recipe):
            return source
        if isinstance(source, Mapping):
            return cls.parse(source)
        if isinstance(source, Path) or str(source).endswith(".toml"):
            path = Path(source)
            if not path.is_file():
                raise GanzooError(f"there is no recipe file {str(path)!r}; `ganzoo models` lists the recipes")
            return cls.parse(_toml(path.read_bytes(), str(path)), str(path))
        name = str(source)  # whatever it is
        return cls.parse(_toml(registry().get("recipe", name).read_bytes(), name), name)

    @classmethod
    def parse(cls, tables: Mapping[str, Any], where: str | None = None) -> "Recipe":
        """Check the recipe's own tables; components check theirs in `resolve`."""
        where = where or str(tables.get("name", "?"))
        try:
            return cls.read(tables)
        except (ValidationError, ValueError) as error:
            raise RecipeError(where, [*mistakes(error, kind=cls), *component_mistakes(tables)]) from None

    @property
    def components(self) -> list[tuple[str, str]]:
        """Kind and name of each of its parts."""
        parts = [(kind, part.name) for place, kind in PARTS.items() if (part := getattr(self, place)) is not None]
        return parts + [("regularizer", name) for name in self.regularizers]

    def tables(self) -> dict[str, Any]:
        """The recipe as plain values, as TOML and JSON hold it; `parse` takes it back."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)

    def changed(self, settings: Mapping[str, Any] | None = None, **tables: Any) -> "Recipe":
        """A copy with other settings: `changed({"training.images": 1000})` or `changed(training={"images": 1000})`."""
        new = json.loads(json.dumps(self.tables()))
        _merge(new, tables)
        for path, value in (settings or {}).items():
            *parents, last = path.split(".")
            table = new
            for parent in parents:
                table = table.setdefault(parent, {})
                if not isinstance(table, dict):
                    raise RecipeError(self.name, [f"{path}: {parent} is no table"])
            table[last] = value
        return Recipe.parse(new, self.name)

    def identity(self) -> dict[str, Any]:
        """The part of the recipe that makes two runs the same work."""
        tables = self.model_dump(mode="json", by_alias=True, exclude={"observers", "summary"})
        tables["training"] = {name: value for name, value in tables["training"].items() if name not in FREE}
        return tables


def _toml(content: bytes, where: str) -> dict[str, Any]:
    try:
        return tomllib.loads(content.decode())
    except (ValueError, RecursionError) as error:  # also a number of more digits than Python reads
        raise RecipeError(where, [f"this is not TOML: {error}"]) from None


def _merge(old: dict[str, Any], new: Mapping[str, Any]) -> None:
    for key, value in new.items():
        if isinstance(value, Mapping) and isinstance(old.get(key), dict):
            _merge(old[key], value)
        else:
            old[key] = value


def component_mistakes(tables: Mapping[str, Any]) -> list[str]:
    """What the components say of a recipe whose own tables are already wrong."""
    wrong: list[str] = []
    for place in PARTS:
        table = tables.get(place)
        if isinstance(table, Mapping) and isinstance(table.get("name"), str) and 0 < len(table["name"]) <= 96:
            settings = {k: v for k, v in table.items() if k not in ("name", *(["conditions"] * (place == "data")))}
            configure(place, table["name"], settings, wrong, known=False)
    given = tables.get("regularizers")
    for name, settings in given.items() if isinstance(given, Mapping) else ():
        if isinstance(settings, Mapping):
            configure(f"regularizers.{name}", str(name), dict(settings), wrong, kind="regularizer")
    return wrong


def configure(
    place: str, name: str, settings: dict[str, Any], wrong: list[str], known: bool = True, kind: str | None = None
) -> tuple[Any, Any]:
    """The class and checked settings of a part, or two None and lines added to `wrong`."""
    component: Any = None
    try:
        component = registry().get(kind or PARTS[place], name)
        return component, component.Config.read(settings)
    except GanzooError as error:
        lacking = isinstance(error, UnknownNameError) and package_of(kind or PARTS[place], name)
        wrong.append(f"{place}.name: {where_to_get(kind or PARTS[place], name) if lacking else error}")
    except (ValidationError, ValueError) as error:
        lines = mistakes(error, place, component.Config)
        if not known:  # without the data nobody knows what its spec would have filled in
            lines = [line for line in lines if not line.endswith("this setting is needed")]
        wrong.extend(lines)
    return None, None
