"""Make a model folder ready to publish, and refuse one that isn't; asks no network, changes nothing."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from ganzoo import card
from ganzoo.errors import GanzooError, GateError, PublishError
from ganzoo.files import git_hash, open_regular, sha256, to_json
from ganzoo.folder import MOST, PUBLISHED, ModelConfig, ModelFiles, store
from ganzoo.hub.licences import carried, problems
from ganzoo.model import Model
from ganzoo.places import portable, portable_value
from ganzoo.registry import HERE, registry
from ganzoo.run import Run
from ganzoo.settings import Settings, mistakes
from ganzoo.text import plain, tokens_in

Gate = Callable[[Path], list[str]]
PNG = b"\x89PNG\r\n\x1a\n"


class Measured(Settings):
    """A metric as config.json records it. The hash ties it to the weights that it was measured on."""

    metric: str = Field(min_length=1, max_length=200)
    value: float
    spread: float | None = Field(None, ge=0)
    protocol: str | dict[str, Any]
    weights_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


@dataclass(frozen=True)
class Prepared:
    """A folder of final files, its card, and the hashes under which the Hub will list them."""

    folder: Path
    card: str
    sizes: Mapping[str, int]
    hashes: Mapping[str, tuple[str, str]]  # git's hash (empty for the large ones) and sha256


def prepare(
    source: Path,
    staging: Path,
    repo: str,
    gate: Gate | None,
    licence: str | None = None,
    data_licence: str | None = None,
    run: Run | None = None,
    leaks: Callable[[bytes], bool] = lambda content: False,
) -> Prepared:
    """Copy the model folder `source` into `staging` as it will be published. `gate` None says it is skipped.

    A run adds `training.safetensors`. Raises PublishError, GateError or ModelError.
    """
    names = _regular_files(source)
    files = ModelFiles.of(source)
    about = files.config()
    config, architecture = about.tables(), about.architecture.name
    Model.read(files, device="cpu")  # what nobody could load is not published
    if registry().entry("architecture", architecture).plugin is HERE:
        raise PublishError(
            f"{repo} can't be published: its architecture {architecture!r} is of this program alone, so nobody else "
            "could load it; put it into a plugin, which `ganzoo new-plugin` begins"
        )
    try:
        for name in names:
            with open_regular(source / name) as old, (staging / name).open("wb") as new:
                shutil.copyfileobj(old, new, 1024 * 1024)
    except OSError as error:
        raise PublishError(f"{str(source)!r} can't be copied to {str(staging)!r}: {error.strerror or error}") from None
    weights = sha256(staging / "model.safetensors")
    config["weights"] = {"sha256": weights, "size": (staging / "model.safetensors").stat().st_size}
    config |= {"licence": licence or config.get("licence")}
    if data_licence:
        config["spec"] = {**config["spec"], "licence": data_licence}
    config["recipe"] = portable(config["recipe"])
    if config.get("metrics"):
        config["metrics"] = portable_value(config["metrics"])
    _check_metrics(config, weights)
    for problem in problems(config["licence"], carried(config)):
        raise PublishError(f"{repo} can't be published: {problem}")
    if run is not None:
        config["training"] = _training(run, source, staging)
    config |= {"gate": _passed(gate, source, repo), "repository": repo}
    config = ModelConfig.read(config).tables()  # in one order, so that publishing again gives the same bytes
    (staging / "config.json").write_text(to_json(config), "utf-8")
    try:
        text = card.render(config)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        said = plain(f"{type(error).__name__}: {error}", 200)
        raise PublishError(f"config.json holds what no card can show ({said}); publish what ganzoo exported") from None
    (staging / "README.md").write_text(text, "utf-8")
    final = [name for name in PUBLISHED if (staging / name).is_file()]
    for name in final:
        _check_content(staging / name, leaks)
    sizes = {name: (staging / name).stat().st_size for name in final}
    return Prepared(staging, text, sizes, {name: _hashes(staging / name) for name in final})


def _regular_files(source: Path) -> list[str]:
    present = [name for name in PUBLISHED if (source / name).is_symlink() or (source / name).exists()]
    for name in present:
        if (source / name).is_symlink() or not (source / name).is_file():
            raise PublishError(f"{str(source / name)!r} is no regular file; symlinks and devices are not published")
        _check_size(source / name)
    for name in ("config.json", "model.safetensors", "samples.png"):
        if name not in present and not (name == "samples.png" and "transform" in _text(source / "config.json")):
            raise PublishError(f"{str(source)!r} has no {name}; publish what `ganzoo train` exported")
    return present


def _text(path: Path) -> str:
    return path.read_bytes()[: MOST["config.json"]].decode(errors="replace") if path.is_file() else ""


def _check_metrics(config: Mapping[str, Any], weights: str) -> None:
    for metric in config.get("metrics") or ():
        try:
            measured = Measured.read(metric)
        except (ValidationError, ValueError, TypeError) as error:
            said = plain("; ".join(mistakes(error, "metrics")), 400)
            raise PublishError(f"a metric in config.json is not as `ganzoo evaluate` writes it: {said}") from None
        if measured.weights_sha256 != weights:
            raise PublishError(
                f"metric {measured.metric!r} was not measured on these weights (on {measured.weights_sha256[:12]}..., "
                f"and these are {weights[:12]}...); measure again with `ganzoo evaluate`"
            )


def _passed(gate: Gate | None, source: Path, repo: str) -> str:
    if gate is None:
        return "skipped"
    try:
        reasons = gate(source)
    except GanzooError as error:
        raise PublishError(
            f"{repo} can't be published: its gate can't judge it ({error}); publish it with --no-gate and a card that "
            "says so"
        ) from None
    if reasons:
        raise GateError(
            f"{repo} can't be published: it failed its gate ({'; '.join(reasons)}); train longer, or publish it with "
            "--no-gate and a card that says so"
        )
    return "passed"


def _training(run: Run, source: Path, staging: Path) -> dict[str, Any]:
    from ganzoo.engine.checkpoint import read

    try:
        saved = read(run.checkpoints / source.name)
    except (OSError, ValueError):
        raise PublishError(f"run {str(run.folder)!r} no longer has the checkpoint of {source.name}") from None
    parts = [n.removesuffix(".safetensors") for n in saved.manifest["files"] if n.startswith("networks/")]
    states = {part.removeprefix("networks/"): saved.tensors(part) for part in parts}
    about = store(staging / "training.safetensors", states, "float32")
    return {**about, "networks": sorted(states)}


def _check_size(path: Path) -> None:
    name, size = path.name, path.stat().st_size
    if size > MOST[name]:
        raise PublishError(f"{name} is {size} bytes and at most {MOST[name]} are published")


def _check_content(path: Path, leaks: Callable[[bytes], bool]) -> None:
    _check_size(path)
    name = path.name
    found = []
    overlap = b""
    with path.open("rb") as file:
        while chunk := file.read(8 * 1024**2):
            piece = overlap + chunk
            found += tokens_in(piece, binary=path.suffix in (".safetensors", ".png"))
            found += ["your token"] if leaks(piece) else []
            overlap = piece[-256:]
    if found:
        raise PublishError(f"{name} holds what looks like {found[0]}; remove it (and renew it), then publish")
    if path.suffix == ".png" and path.open("rb").read(8) != PNG:
        raise PublishError(f"{name} is no PNG picture")


def _hashes(path: Path) -> tuple[str, str]:
    small = path.stat().st_size <= MOST["samples.png"]  # whether it is stored as a large file is the Hub's to say
    return (git_hash(path.read_bytes()) if small else "", sha256(path))
