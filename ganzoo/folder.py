"""A model folder: written atomically, read with suspicion.

Its files are `README.md`, `config.json`, `model.safetensors`, `samples.png` and, for fine-tuning,
`training.safetensors`: the layout of a Hub repository.
"""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

import torch
from pydantic import ConfigDict, Field, ValidationError, model_validator
from safetensors.torch import save
from torch import Tensor, nn

from ganzoo.architecture import Architecture
from ganzoo.config_size import CONFIG, check_size, config_text
from ganzoo.dataset import Spec
from ganzoo.errors import GanzooError, ModelError, RecipeError
from ganzoo.files import from_json, read_regular, sha256, staged
from ganzoo.known import another_package, newer, where_to_get
from ganzoo.recipes import NAME, Part
from ganzoo.registry import registry
from ganzoo.resolve import architecture_of
from ganzoo.settings import Settings, mistakes
from ganzoo.text import plain
from ganzoo.weights import DTYPES, Weights, check_hashes, compare, layout_of, open_weights

FILES = ("README.md", "config.json", "model.safetensors", "samples.png")
PUBLISHED = (*FILES, "training.safetensors")  # all that is ever published or downloaded
MOST = {  # bytes of each that are read or published
    "README.md": 64 * 1024,
    "config.json": CONFIG,
    "samples.png": 16 * 1024**2,
    "model.safetensors": 8 * 1024**3,
    "training.safetensors": 8 * 1024**3,
}
SCHEMA = 1


class Stored(Settings):
    """A weights file as the config records it."""

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    size: int = Field(ge=0, le=2**40)
    networks: tuple[str, ...] = Field((), max_length=32)


class Credit(Settings):
    """Data that a model descends from, with the credit it asks for."""

    name: str = Field(max_length=200)
    licence: str = Field(max_length=500)
    attribution: str = Field("", max_length=5000)


class Ancestor(Settings):
    """A model that training started from; `own` when it was a run of the same author and never published."""

    model: str = Field(max_length=1000)
    licence: str | None = Field(None, max_length=500)
    own: bool = False
    data: tuple[Credit, ...] = Field((), max_length=64)


class ModelConfig(Settings):
    """What `config.json` says. Loading interprets these fields and `recipe.architecture`; the rest it only carries."""

    model_config = ConfigDict(extra="allow")
    schema_version: int = Field(1, alias="schema", ge=1, le=1)
    name: str = Field(pattern=NAME)
    task: Literal["generate", "transform"]
    summary: str = Field("", max_length=500)
    dtype: Literal["float16", "bfloat16", "float32"]
    networks: tuple[str, ...] = Field(min_length=1, max_length=32)
    spec: Spec
    recipe: dict[str, Any]
    requires: tuple[str, ...] = Field((), max_length=64)
    weights: Stored | None = None
    training: Stored | None = None
    licence: str | None = Field(None, max_length=200)
    lineage: tuple[Ancestor, ...] = Field((), max_length=64, description="what it was fine-tuned from, nearest first")

    @model_validator(mode="after")
    def _check(self) -> Self:
        architecture, data = self.recipe.get("architecture"), self.recipe.get("data", {})
        if not isinstance(architecture, dict):
            raise ValueError("recipe.architecture: this table is needed")
        conditions = data.get("conditions", []) if isinstance(data, dict) else None
        if not isinstance(conditions, list) or not all(isinstance(name, str) for name in conditions):
            raise ValueError("recipe.data.conditions: this must be a list of names")
        try:
            Part.model_validate(architecture)
        except ValueError as error:
            raise ValueError("\n".join(mistakes(error, "recipe.architecture"))) from None
        return self

    @property
    def architecture(self) -> Part:
        return Part.model_validate(self.recipe["architecture"])  # with its version, which the component migrates

    @property
    def conditions(self) -> tuple[str, ...]:
        return tuple(self.recipe.get("data", {}).get("conditions", ()))

    def tables(self) -> dict[str, Any]:
        """The content of config.json."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)


@dataclass(frozen=True)
class ModelFiles:
    """Where the files of a model are: a folder, or what was downloaded. `name` is what errors call it.

    `hashes` are those that a Hub gave, by file: sha256, or git's for small files. Nothing is read without a check.
    """

    name: str
    paths: Mapping[str, Path]
    hashes: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, folder: Path) -> "ModelFiles":
        """The files of a local folder, which is trusted no more than a stranger's."""
        if not folder.is_dir():
            raise ModelError(f"there is no model folder {str(folder)!r}")
        return cls(repr(str(folder)), {name: folder / name for name in PUBLISHED})

    def title(self, name: str) -> str:
        """What errors call one file."""
        return f"{name} of {self.name}"

    def has(self, name: str) -> bool:
        """Whether this file is there."""
        path = self.paths.get(name)
        return path is not None and path.is_file() and not path.is_symlink()

    def read(self, name: str) -> bytes:
        """A small file's content. Raises ModelError, or ChecksumError."""
        if name not in self.paths:
            raise ModelError(f"there is no {self.title(name)}")
        try:
            content = read_regular(self.paths[name], MOST[name])
        except OSError:
            raise ModelError(f"there is no regular file {self.title(name)}") from None
        except ValueError:
            raise ModelError(f"{self.title(name)} is larger than {MOST[name]} bytes") from None
        check_hashes(self.title(name), content, *self._known(name))
        return content

    def verify(self, name: str) -> None:
        """Compare a file of any size with the hash that a Hub gave. Raises ModelError, or ChecksumError."""
        for known in self._known(name):
            if len(known) == 40:
                self.read(name)
            else:
                compare(self.title(name), known, sha256(self.paths[name]))

    def config(self) -> ModelConfig:
        """The checked `config.json`. Raises ModelError."""
        content = self.read("config.json")
        tables: dict[str, Any] = {}
        try:
            tables = _table(from_json(content.decode()))
            check_size(tables, len(content))
            if isinstance(tables.get("schema"), int) and tables["schema"] > SCHEMA:
                raise ValueError(f"schema: {tables['schema']}, and this ganzoo reads {SCHEMA}; upgrade torch-ganzoo")
            return ModelConfig.read(tables)
        except (ValidationError, ValueError, TypeError, GanzooError) as error:
            said = plain("; ".join(mistakes(error)[:5]), 600)
            raise ModelError(
                f"{self.title('config.json')} is no model's config: {said}{newer(tables.get('requires'))}"
            ) from None

    def architecture(self, config: ModelConfig) -> Architecture:
        """The architecture that a config names, if it fits what else the config says. Raises ModelError."""
        part = config.architecture
        if part.name not in registry().names("architecture"):
            where = where_to_get("architecture", part.name)
            raise ModelError(f"{self.name} can't be built: {where}{newer(config.requires)}")
        if problem := another_package("architecture", part.name, config.requires):
            raise ModelError(f"{self.name} can't be built: {problem}")
        try:
            architecture = architecture_of(part)
        except RecipeError as error:
            said = plain("; ".join(error.mistakes), 600)
            raise ModelError(f"{self.name} can't be built: {said}{newer(config.requires)}") from None
        wrong = list(_disagreements(config, architecture))
        if wrong:
            raise ModelError(f"the config of {self.name} contradicts itself: {plain('; '.join(wrong), 600)}")
        if not set(config.networks) <= set(architecture.published):
            given, published = plain(", ".join(config.networks)), ", ".join(architecture.published)
            raise ModelError(f"{self.name} holds {given}, networks that its architecture doesn't publish ({published})")
        return architecture

    def load(self, skeletons: Mapping[str, nn.Module], config: ModelConfig) -> dict[str, dict[str, Tensor]]:
        """The weights by network, after the file fits the skeletons, which are on the meta device."""
        hashes = [*self._known("model.safetensors"), *([config.weights.sha256] if config.weights else [])]
        with self.weights("model.safetensors") as file:
            file.check(layout_of(skeletons, config.dtype))
            return by_network(file.read(*hashes))

    def load_training(self, architecture: Architecture, config: ModelConfig) -> dict[str, dict[str, Tensor]]:
        """The raw networks of `training.safetensors`, by name. Raises ModelError."""
        if config.training is None or not set(config.training.networks) <= set(architecture.networks):
            raise ModelError(f"{self.title('config.json')} doesn't say which networks its training.safetensors holds")
        with torch.device("meta"):
            skeletons = {name: architecture.build(name) for name in config.training.networks}
        with self.weights("training.safetensors") as file:
            file.check(layout_of(skeletons, "float32"))
            return by_network(file.read(*self._known("training.safetensors"), config.training.sha256))

    def weights(self, name: str) -> AbstractContextManager[Weights]:
        """A weights file, open, with its header read."""
        return open_weights(self.paths.get(name, Path(name)), self.title(name))

    def _known(self, name: str) -> list[str]:
        return [self.hashes[name]] if name in self.hashes else []


def _disagreements(config: ModelConfig, architecture: Architecture) -> Iterator[str]:
    if config.conditions != architecture.conditions:
        yield f"its conditions are {config.conditions}, and its architecture's {architecture.conditions}"
    if "label" in config.conditions and not config.spec.labels:
        yield "it is conditioned on labels and names none"
    facts = config.spec.facts()
    for name in facts if config.conditions else facts.keys() - {"classes"}:
        if getattr(architecture.config, name, facts[name]) != facts[name]:
            yield f"spec.{name} is {facts[name]}, and recipe.architecture.{name} {getattr(architecture.config, name)}"


def by_network(tensors: Mapping[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    """`{"generator.project.weight": t}` as `{"generator": {"project.weight": t}}`."""
    networks: dict[str, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        network, _, rest = key.partition(".")
        networks.setdefault(network, {})[rest] = value
    return networks


def write(
    target: Path,
    config: Mapping[str, Any],
    networks: Mapping[str, nn.Module],
    files: Mapping[str, bytes],
    force: bool = False,
) -> None:
    """Write a model folder: `config` completed by the weights' hash and size, `networks` cast to its dtype, or in
    float32 where a number is too large for that."""
    if target.exists():
        _replaceable(target, force)
    states = {name: network.state_dict() for name, network in networks.items()}
    config = {**config, "networks": list(networks), "dtype": _that_holds(states, config["dtype"])}
    try:
        with staged(target, replace=force) as staging:
            about = store(staging / "model.safetensors", states, config["dtype"])
            (staging / "config.json").write_text(config_text({**config, "weights": about}), "utf-8")
            for name, content in files.items():
                (staging / name).write_bytes(content)
    except OSError as error:
        raise ModelError(f"{str(target)!r} can't be written: {error.strerror or error}") from error


def _replaceable(target: Path, force: bool) -> None:
    if not force:
        raise ModelError(f"{str(target)!r} exists; choose another folder, or overwrite it with force")
    foreign = (
        [item.name for item in target.iterdir() if item.name not in PUBLISHED] if target.is_dir() else [target.name]
    )
    if foreign or target.is_symlink():  # replacing a model must not delete anything else
        raise ModelError(
            f"{str(target)!r} is no model folder that can be replaced ({', '.join(sorted(foreign)[:5]) or 'a link'}); "
            "choose another"
        )


def store(path: Path, states: Mapping[str, Mapping[str, Tensor]], dtype: str) -> dict[str, Any]:
    """Write networks' tensors to a safetensors file; what a config records of it."""
    wanted = DTYPES[dtype][1]
    tensors = {f"{name}.{key}": _cast(value, wanted) for name, state in states.items() for key, value in state.items()}
    path.write_bytes(save(tensors))
    return {"sha256": sha256(path), "size": path.stat().st_size}


def _that_holds(states: Mapping[str, Mapping[str, Tensor]], dtype: str) -> str:
    """This dtype, or float32 where it would make a finite number infinite."""
    floats = [value for state in states.values() for value in state.values() if value.is_floating_point()]
    lost = any(bool((value.isfinite() & value.to(DTYPES[dtype][1]).isinf()).any()) for value in floats)
    return "float32" if lost else dtype


def _cast(value: Tensor, dtype: Any) -> Tensor:
    """A copy of its own on the CPU: a file can't hold two names for one tensor."""
    return value.detach().cpu().to(dtype if value.is_floating_point() else None, copy=True).contiguous()


def _table(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("it is no table")
    return value
