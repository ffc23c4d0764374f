"""Checkpoints: directories that are complete by their manifest, or don't exist."""

import hashlib
import io
import logging
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
from ganzoo.files import from_json, sha256, staged, to_json

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


def save(
    folder: Path,
    step: int,
    tensors: Mapping[str, Mapping[str, Tensor]],
    states: Mapping[str, Any],
    facts: Mapping[str, Any],
) -> Checkpoint:
    """Write `folder/step-00001234/`: `tensors` as safetensors, `states` (optimisers) for a `weights_only` load."""
    target = folder / f"step-{step:08d}"
    with staged(target, replace=True) as staging:  # one that is there is invalid, or the same step taken again
        files = {}
        for part, named in tensors.items():
            plain = {name: tensor.detach().cpu().contiguous() for name, tensor in named.items()}
            files[f"{part}.safetensors"] = save_safetensors(plain)
        for part, state in states.items():
            buffer = io.BytesIO()
            torch.save(state, buffer)
            files[f"{part}.pt"] = buffer.getvalue()
        listed = {}
        for name, content in files.items():
            path = staging / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content)
            listed[name] = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
        manifest = {"schema": SCHEMA, "step": step, **facts, "files": listed}
        (staging / "manifest.json").write_text(to_json(manifest))
    return Checkpoint(target, manifest)


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
    manifest = from_json((path / "manifest.json").read_text())
    if not isinstance(manifest, dict) or not isinstance(manifest.get("files"), dict):
        raise ValueError("the manifest is no manifest")
    if manifest.get("schema") != SCHEMA:
        raise RunError(
            f"checkpoint {path} has schema {manifest.get('schema')} and this ganzoo reads {SCHEMA}; "
            "upgrade torch-ganzoo"
        )
    for name, expected in manifest["files"].items():
        part = path / name
        if part.stat().st_size != expected["size"] or sha256(part) != expected["sha256"]:
            raise ValueError(f"{name} is not what the manifest says")
    return Checkpoint(path, manifest)


def prune(folder: Path, keep: int, spare: int | None = None) -> None:
    """Delete all but the newest `keep` checkpoints, and the one of step `spare`."""
    for old in sorted(folder.glob("step-*"))[:-keep]:
        if spare is None or old.name != f"step-{spare:08d}":
            shutil.rmtree(old, ignore_errors=True)
