"""What training starts from: other networks' weights, and parts that stay as they are."""

import logging
from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor, nn

from ganzoo.dataset import Spec
from ganzoo.engine import checkpoint as checkpoints
from ganzoo.errors import GanzooError, RunError
from ganzoo.folder import ModelFiles
from ganzoo.model import Model
from ganzoo.resolve import architecture_of
from ganzoo.run import Run

log = logging.getLogger("ganzoo")
ENOUGH = 0.9


def freeze(networks: dict[str, nn.Module], paths: Sequence[str]) -> None:
    """Keep networks or parts of them (`network.module`) from training. Raises GanzooError."""
    for path in paths:
        name, dot, part = path.partition(".")
        chosen = [
            parameter
            for key, parameter in networks[name].named_parameters()
            if not dot or key == part or key.startswith(part + ".")
        ]
        if not chosen:
            parts = ", ".join(child for child, _ in networks[name].named_children())
            raise GanzooError(f"training.freeze: {path!r} names no weights; {name!r} has the parts {parts}")
        for parameter in chosen:
            parameter.requires_grad_(False)
        modules = dict(networks[name].named_modules())
        if part in modules:
            modules[part].eval()  # running statistics are kept as they are too


def find(source: str, base: Callable[[], ModelFiles] | None) -> None:
    """Raise GanzooError where there is nothing to start from."""
    if base is not None:
        base()
    elif not any(Run(source.removeprefix("file:")).checkpoints.glob("step-*")):
        raise _no_checkpoint(source)


def start_from(source: str, networks: dict[str, nn.Module], base: ModelFiles | None) -> list[dict[str, Any]]:
    """Load networks of the same name, key by key; what doesn't match is listed, below 90 % of values is refused.

    `base` is the model that `source` names, `file:RUN` needs none. Returns the lineage: ancestors and their licences.
    """
    states, lineage = _run_states(source) if base is None else _model_states(source, base)
    if not states.keys() & networks.keys():
        raise GanzooError(
            f"start_from {source!r} holds {', '.join(states)}, none of the recipe's networks ({', '.join(networks)})"
        )
    for name, state in states.items():
        if name not in networks:
            continue
        own = networks[name].state_dict()
        fitting = {k: v for k, v in state.items() if k in own and own[k].shape == v.shape}
        total = sum(value.numel() for value in own.values())
        share = sum(value.numel() for value in fitting.values()) / max(total, 1)
        missing = sorted(set(own) - set(fitting))
        if share < ENOUGH:
            raise GanzooError(
                f"start_from {source!r} fits only {share:.0%} of {name!r} (90 % are needed); "
                f"without a match: {', '.join(missing[:8])}{' ...' if len(missing) > 8 else ''}"
            )
        networks[name].load_state_dict({**own, **fitting})
        if missing:
            log.warning("start_from %s: %s keeps its own %s", source, name, ", ".join(missing))
    return lineage


def _run_states(source: str) -> tuple[dict[str, dict[str, Tensor]], list[dict[str, Any]]]:
    run = Run(source.removeprefix("file:"))
    found = checkpoints.newest(run.checkpoints)
    if found is None:
        raise _no_checkpoint(source)
    parts = [n.removesuffix(".safetensors") for n in found.manifest["files"] if n.startswith("networks/")]
    mine = {"model": run.recipe.name, "own": True, "data": [_data(run.spec)]}
    return {part.removeprefix("networks/"): found.tensors(part) for part in parts}, [mine, *run.lineage]


def _no_checkpoint(source: str) -> RunError:
    return RunError(f"run {source.removeprefix('file:')!r} has no complete checkpoint to start from")


def _model_states(source: str, base: ModelFiles) -> tuple[dict[str, dict[str, Tensor]], list[dict[str, Any]]]:
    model = Model.read(base, device="cpu")
    config = model.config
    local = config.name if source.startswith("file:") else source  # its folder is this machine's affair
    name = base.name if base.name.startswith("hf://") else local
    mine = {"model": name, "licence": config.licence, "data": [_data(config.spec)]}
    if not base.has("training.safetensors"):
        log.info("start_from %s: it has no training.safetensors, so only what it publishes is loaded", source)
        states = {name: dict(network.state_dict()) for name, network in model.networks.items()}
    else:
        states = base.load_training(architecture_of(config.architecture), config)
    return states, [mine, *(ancestor.model_dump(mode="json") for ancestor in config.lineage)]


def _data(spec: Spec) -> dict[str, Any]:
    return spec.model_dump(mode="json", include={"name", "licence", "attribution"})
