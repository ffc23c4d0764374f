"""What training starts from: other networks' weights, and parts that stay as they are."""

import logging
from collections.abc import Sequence
from pathlib import Path

from torch import Tensor, nn

from ganzoo.engine import checkpoint as checkpoints
from ganzoo.errors import GanzooError, RunError
from ganzoo.model import Model
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


def start_from(source: str, networks: dict[str, nn.Module]) -> None:
    """Load networks of the same name, key by key; what doesn't match is listed, below 90 % of values is refused."""
    states = _states(source)
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


def _states(source: str) -> dict[str, dict[str, Tensor]]:
    if source.startswith("file:") and (run := Run(Path(source.removeprefix("file:")))).exists:
        found = checkpoints.newest(run.checkpoints)
        if found is None:
            raise RunError(f"run {str(run.folder)!r} has no complete checkpoint to start from")
        parts = [n.removesuffix(".safetensors") for n in found.manifest["files"] if n.startswith("networks/")]
        return {part.removeprefix("networks/"): found.tensors(part) for part in parts}
    from ganzoo.names import model_folder_of

    model = Model.read(model_folder_of(source), device="cpu")
    return {name: network.state_dict() for name, network in model.networks.items()}
