"""A model folder: written atomically, read with suspicion.

Its files are `README.md`, `config.json`, `model.safetensors` and `samples.png`, the layout of a Hub repository.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

import torch
from pydantic import ConfigDict, Field, ValidationError, model_validator
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from ganzoo.dataset import Spec
from ganzoo.errors import ModelError
from ganzoo.files import from_json, sha256, staged, to_json
from ganzoo.recipes import NAME, Part
from ganzoo.settings import Settings, mistakes

FILES = ("README.md", "config.json", "model.safetensors", "samples.png")
MAX_CONFIG = 256 * 1024
MAX_HEADER = 1024 * 1024
MAX_TENSORS = 10_000
DTYPES = {"float16": ("F16", torch.float16), "bfloat16": ("BF16", torch.bfloat16), "float32": ("F32", torch.float32)}


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

    @model_validator(mode="after")
    def _check(self) -> Self:
        architecture, data = self.recipe.get("architecture"), self.recipe.get("data", {})
        if not isinstance(architecture, dict):
            raise ValueError("recipe.architecture: this table is needed")
        conditions = data.get("conditions", []) if isinstance(data, dict) else None
        if not isinstance(conditions, list) or not all(isinstance(name, str) for name in conditions):
            raise ValueError("recipe.data.conditions: this must be a list of names")
        try:
            Part.read(architecture)
        except ValueError as error:
            raise ValueError("\n".join(mistakes(error, "recipe.architecture"))) from None
        return self

    @property
    def architecture(self) -> Part:
        return Part.read(self.recipe["architecture"])

    @property
    def conditions(self) -> tuple[str, ...]:
        return tuple(self.recipe.get("data", {}).get("conditions", ()))

    def tables(self) -> dict[str, Any]:
        """The content of config.json."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)


def write(
    target: Path,
    config: Mapping[str, Any],
    networks: Mapping[str, nn.Module],
    files: Mapping[str, bytes],
    force: bool = False,
) -> None:
    """Write a model folder: `config` completed by the weights' hash and size, `networks` cast to its dtype."""
    if target.exists():
        _replaceable(target, force)
    dtype = DTYPES[config["dtype"]][1]
    tensors = {
        f"{n}.{key}": _cast(value, dtype) for n, net in networks.items() for key, value in net.state_dict().items()
    }
    try:
        with staged(target, replace=force) as staging:
            weights = staging / "model.safetensors"
            weights.write_bytes(save(tensors))
            about = {"sha256": sha256(weights), "size": weights.stat().st_size}
            (staging / "config.json").write_text(to_json({**config, "networks": list(networks), "weights": about}))
            for name, content in files.items():
                (staging / name).write_bytes(content)
    except OSError as error:
        raise ModelError(f"{str(target)!r} can't be written: {error.strerror or error}") from None


def _replaceable(target: Path, force: bool) -> None:
    if not force:
        raise ModelError(f"{str(target)!r} exists; choose another folder, or overwrite it with force")
    foreign = [item.name for item in target.iterdir() if item.name not in FILES] if target.is_dir() else [target.name]
    if foreign or target.is_symlink():  # replacing a model must not delete anything else
        raise ModelError(
            f"{str(target)!r} is no model folder that can be replaced ({', '.join(sorted(foreign)[:5]) or 'a link'}); "
            "choose another"
        )


def _cast(value: Tensor, dtype: torch.dtype) -> Tensor:
    value = value.detach().cpu().contiguous()
    return value.to(dtype) if value.is_floating_point() else value


def read_config(folder: Path) -> ModelConfig:
    """The checked `config.json` of a model folder. Raises ModelError."""
    path = folder / "config.json"
    if not folder.is_dir():
        raise ModelError(f"there is no model folder {str(folder)!r}")
    try:
        content = _regular(path, MAX_CONFIG).read_bytes()
        return ModelConfig.read(from_json(content.decode()))
    except ModelError:
        raise
    except (OSError, ValidationError, ValueError, TypeError) as error:
        raise ModelError(f"{str(path)!r} is no model's config: {'; '.join(mistakes(error))}") from None


def load_weights(folder: Path, config: ModelConfig, networks: Mapping[str, nn.Module]) -> None:
    """Load the weights into networks that were built normally, strictly, widened to the networks' dtype."""
    try:
        tensors = load_file(folder / "model.safetensors")
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{str(folder / 'model.safetensors')!r} can't be read: {error}") from None
    for name, network in networks.items():
        own = {k.removeprefix(f"{name}."): v for k, v in tensors.items() if k.startswith(f"{name}.")}
        network.load_state_dict(own, strict=True)


def check_weights(folder: Path, config: ModelConfig, skeletons: Mapping[str, nn.Module]) -> None:
    """Compare the file's header with networks built on the meta device, before anything is allocated."""
    path = _regular(folder / "model.safetensors", 2**40)
    header = _header(path)
    stored = DTYPES[config.dtype][0]
    expected = {
        f"{name}.{key}": (list(value.shape), stored if value.is_floating_point() else _NAMES[value.dtype])
        for name, skeleton in skeletons.items()
        for key, value in skeleton.state_dict().items()
    }
    wrong = sorted(set(header) ^ set(expected)) or [
        key for key, (shape, dtype) in expected.items() if header[key] != (shape, dtype)
    ]
    if wrong:
        key = wrong[0]
        have = "{1} {0}".format(*header[key]) if key in header else "absent"
        want = "{1} {0}".format(*expected[key]) if key in expected else "absent"
        raise ModelError(
            f"{str(path)!r} doesn't fit its config: {key!r} is {have} and should be {want}"
            + (f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else "")
        )
    size = sum(math.prod(shape) * _SIZES[dtype] for shape, dtype in header.values())
    if size > path.stat().st_size:
        raise ModelError(f"{str(path)!r} is shorter than its header says")


_NAMES = {torch.int64: "I64", torch.int32: "I32", torch.uint8: "U8", torch.bool: "BOOL"}
_SIZES = {"F16": 2, "BF16": 2, "F32": 4, "I64": 8, "I32": 4, "U8": 1, "BOOL": 1}


def _header(path: Path) -> dict[str, tuple[list[int], str]]:
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > MAX_HEADER:
            raise ModelError(f"{str(path)!r} has a header of {length} bytes; at most {MAX_HEADER} are read")
        try:
            table = from_json(file.read(length).decode())
            table.pop("__metadata__", None)
            if len(table) > MAX_TENSORS:
                raise ModelError(f"{str(path)!r} has {len(table)} tensors; at most {MAX_TENSORS} are read")
            return {str(k): ([int(n) for n in v["shape"]], str(v["dtype"])) for k, v in table.items()}
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
            raise ModelError(f"{str(path)!r} is no safetensors file: {error}") from None


def _regular(path: Path, most: int) -> Path:
    """A plain file of bounded size: symlinks, devices and folders are refused."""
    if path.is_symlink() or not path.is_file():
        raise ModelError(f"there is no regular file {str(path)!r}")
    if path.stat().st_size > most:
        raise ModelError(f"{str(path)!r} is larger than {most} bytes")
    return path
