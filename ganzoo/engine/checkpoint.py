"""Checkpoints: directories that are complete by their manifest, or don't exist."""

import hashlib
import io
import logging
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load as load_safetensors
from safetensors.torch import save as save_safetensors
from torch import Tensor

from ganzoo.errors import RunError
from ganzoo.files import from_json, open_regular, read_regular, remove, staged, to_json, write

log = logging.getLogger("ganzoo")
SCHEMA = 1


@dataclass(frozen=True)
class Checkpoint:
    """A complete checkpoint: where it is and what its manifest says."""

    path: Path
    manifest: dict[str, Any]

    @property
    def step(self) -> int:
        return int(self.manifest["step"])

    def tensors(self, part: str) -> dict[str, Tensor]:
        """A part's tensors by name, on the CPU."""
        return load_safetensors((self.path / f"{part}.safetensors").read_bytes())

    def state(self, part: str) -> Any:
        """A part's state dictionary, read without unpickling code."""
        return torch.load(self.path / f"{part}.pt", map_location="cpu", weights_only=True)

    def has(self, part: str) -> bool:
        return f"{part}.safetensors" in self.manifest["files"]


def name(step: int) -> str:
    """The folder of a step's checkpoint."""
    return f"step-{step:08d}"


def save(
    folder: Path,
    step: int,
    tensors: Mapping[str, Mapping[str, Tensor]],
    states: Mapping[str, Any],
    facts: Mapping[str, Any],
) -> Checkpoint:
    """Write `folder/step-00001234/`: `tensors` as safetensors, `states` (optimisers) for a `weights_only` load."""
    target = folder / name(step)
    with staged(target, replace=True) as staging:  # one that is there is invalid, or the same step taken again
        files = {}
        for part, named in tensors.items():
            # copies, since a file can't hold two names for one tensor
            plain = {key: tensor.detach().to("cpu", copy=True).contiguous() for key, tensor in named.items()}
            files[f"{part}.safetensors"] = save_safetensors(plain)
        for part, state in states.items():
            buffer = io.BytesIO()
            torch.save(state, buffer)
            files[f"{part}.pt"] = buffer.getvalue()
        listed = {}
        for file, content in files.items():
            path = staging / file
            path.parent.mkdir(exist_ok=True)
            write(path, content)
            listed[file] = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
        manifest = {"schema": SCHEMA, "step": step, **facts, "files": listed}
        write(staging / "manifest.json", to_json(manifest | {"checksum": _checksum(manifest)}).encode())
    return Checkpoint(target, manifest)


def check_room(
    folder: Path, tensors: Mapping[str, Mapping[str, Tensor]], states: Mapping[str, Any], times: int
) -> None:
    """Raise OSError unless so many times a checkpoint's size is free: one never ends half way for want of space."""
    values = [tensor for named in tensors.values() for tensor in named.values()]
    values += [v for state in states.values() for s in state["state"].values() for v in s.values()]
    wanted = times * sum(value.nbytes for value in values if isinstance(value, Tensor))
    free = shutil.disk_usage(folder).free
    if free < wanted:
        raise OSError(f"{free / 2**20:,.0f} MiB are free, and a checkpoint wants {wanted / 2**20:,.0f}")


def newest(folder: Path) -> Checkpoint | None:
    """The latest complete checkpoint; damaged ones are passed over and said so in the log."""
    for path in sorted(folder.glob("step-*"), reverse=True):
        try:
            return read(path)
        except (OSError, ValueError) as error:
            log.warning("checkpoint %s is damaged (%s); using the one before it", path.name, error)
    return None


def read(path: Path) -> Checkpoint:
    """Verify a checkpoint against its manifest. Raises ValueError or OSError when it is damaged."""
    text = read_regular(path / "manifest.json").decode()
    manifest = from_json(text)
    whole = isinstance(manifest, dict) and to_json(manifest) == text
    if not whole or manifest.pop("checksum", None) != _checksum(manifest):
        raise ValueError("manifest.json is not what was written")
    if manifest.get("schema") != SCHEMA:
        raise RunError(
            f"checkpoint {path} has schema {manifest.get('schema')} and this ganzoo reads {SCHEMA}; "
            "upgrade torch-ganzoo"
        )
    _check_facts(manifest)
    for file, expected in manifest["files"].items():
        with open_regular(path / file) as part:
            same = os.fstat(part.fileno()).st_size == expected.get("size")
            if not same or hashlib.file_digest(part, "sha256").hexdigest() != expected.get("sha256"):
                raise ValueError(f"{file} is not what the manifest says")
    return Checkpoint(path, manifest)


def _check_facts(manifest: dict[str, Any]) -> None:
    """Refuse what no ganzoo writes: the folder may be a stranger's, and its checksum holds no secret."""
    files = manifest.get("files")
    if not isinstance(files, dict) or type(manifest.get("step")) is not int:
        raise ValueError("manifest.json lacks what every manifest says")
    for file, about in files.items():
        if not re.fullmatch(r"(\w[\w.-]*/)?\w[\w.-]*\.(safetensors|pt)", file) or not isinstance(about, dict):
            raise ValueError(f"{file[:200]!r} is no file of a checkpoint")


def _checksum(manifest: dict[str, Any]) -> str:
    return hashlib.sha256(to_json(manifest).encode()).hexdigest()


def set_aside(folder: Path, after: int) -> None:
    """Give checkpoints after a step, which are damaged or not wanted any more, names that are none of a checkpoint."""
    for path in folder.glob("step-*"):
        if path.name > name(after):
            target = folder / f"damaged-{path.name}"
            shutil.rmtree(target, ignore_errors=True)
            path.rename(target)


def prune(folder: Path, keep: int, spare: Path | None = None) -> None:
    """Delete all but the newest `keep` checkpoints and the one to spare."""
    for old in sorted(folder.glob("step-*"))[:-keep]:
        if old != spare:
            remove(old)


def latest_of(path: Path, name: str) -> float | None:
    """A value of the log as it stood when a checkpoint was taken; None where there is none."""
    try:
        value = from_json(read_regular(path / "manifest.json").decode())["latest"].get(name)
        return None if value is None else float(value)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
