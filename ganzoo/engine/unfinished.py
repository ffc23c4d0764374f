"""The newest model of a run: its export, or that of a checkpoint, which it would publish now. Nothing is written."""

import logging
from pathlib import Path

import torch

from ganzoo.architecture import Architecture
from ganzoo.devices import device_of
from ganzoo.engine import checkpoint as checkpoints
from ganzoo.engine.export import description
from ganzoo.errors import ModelError, RunError
from ganzoo.folder import ModelConfig
from ganzoo.model import Model
from ganzoo.resolve import architecture_of, built
from ganzoo.run import Run
from ganzoo.weights import layout_of, open_weights

log = logging.getLogger("ganzoo")


def newest_model(run: Run, device: str | torch.device | None = None, dtype: torch.dtype | None = None) -> Model:
    """The newest export, or the model of the newest complete checkpoint where that is newer, which the log says. Raises
    RunError when there is neither."""
    target = device_of(device)
    exported = max((path.name for path in run.exports.glob("step-*")), default="")
    newer = any(path.name > exported for path in run.checkpoints.glob("step-*"))
    saved = checkpoints.newest(run.checkpoints) if newer else None
    if exported and (saved is None or saved.path.name <= exported):
        return Model.read(run.exports / exported, device=device, dtype=dtype)
    if saved is None:
        raise RunError(f"run {str(run.folder)!r} has no exported model and no complete checkpoint yet; let it train on")
    model = model_of(run, saved)
    log.warning(
        "run %s is at %s of %s images; this is the model of its newest checkpoint",
        run.folder,
        f"{saved.manifest['images']:,}",
        f"{run.recipe.training.images:,}",
    )
    return model.to(target, dtype)


def model_of(run: Run, saved: checkpoints.Checkpoint) -> Model:
    """The model that a checkpoint holds: averages where the recipe averages. Opens no data; raises RunError."""
    recipe = run.recipe
    architecture = architecture_of(recipe.architecture)
    networks = {}
    try:
        for name in architecture.published:
            held = f"ema/{name}" if saved.has(f"ema/{name}") else f"networks/{name}"
            _check_fit(recipe.architecture.name, architecture, name, saved.path / f"{held}.safetensors")
            networks[name] = built(recipe.architecture.name, architecture, name)
            networks[name].load_state_dict(saved.tensors(held))
        images, seconds = saved.manifest["images"], round(saved.manifest["seconds"], 1)
        trained = {"steps": saved.step, "images": images, "seconds": seconds}
        config = description(recipe, run.spec, networks) | {"trained": trained, "lineage": run.lineage}
        return Model(ModelConfig.read(config), networks, architecture.image_range)
    except (OSError, RuntimeError, ValueError, TypeError, KeyError, ModelError) as error:
        # a run that goes on deletes old ones; other versions build other shapes; a stranger's may hold anything
        words = " ".join(str(error).split())[:300]
        raise RunError(f"checkpoint {str(saved.path)!r} can't be read as a model ({words}); try again") from None


def _check_fit(name: str, architecture: Architecture, network: str, path: Path) -> None:
    """Compare a file's header with the network, before there is memory for either: the run may be a stranger's."""
    with torch.device("meta"):
        skeleton = built(name, architecture, network)
    expected = layout_of({network: skeleton}, "float32")
    with open_weights(path, path.name) as file:
        file.check({key.removeprefix(f"{network}."): about for key, about in expected.items()})
