"""The model of a checkpoint: what a run that hasn't come to its end would publish now. Nothing is written."""

import logging

import torch

from ganzoo.devices import device_of
from ganzoo.engine import checkpoint as checkpoints
from ganzoo.engine.export import description
from ganzoo.errors import RunError
from ganzoo.folder import ModelConfig
from ganzoo.model import Model
from ganzoo.resolve import architecture_of, built
from ganzoo.run import Run

log = logging.getLogger("ganzoo")


def newest_model(run: Run, device: str | torch.device | None = None, dtype: torch.dtype | None = None) -> Model:
    """The model of the newest complete checkpoint, which the log says. Raises RunError when there is none."""
    target, saved = device_of(device), checkpoints.newest(run.checkpoints)
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
            networks[name] = built(recipe.architecture.name, architecture, name)
            held = f"ema/{name}" if saved.has(f"ema/{name}") else f"networks/{name}"
            networks[name].load_state_dict(saved.tensors(held))
    except (OSError, RuntimeError) as error:  # a run that goes on deletes old ones; other versions build other shapes
        words = " ".join(str(error).split())[:300]
        raise RunError(f"checkpoint {str(saved.path)!r} can't be read as a model ({words}); try again") from None
    trained = {"steps": saved.step, "images": saved.manifest["images"], "seconds": round(saved.manifest["seconds"], 1)}
    config = description(recipe, run.spec, networks) | {"trained": trained, "lineage": run.lineage}
    return Model(ModelConfig.read(config), networks, architecture.image_range)
