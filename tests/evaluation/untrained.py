"""A model folder on the disk whose generator learned nothing: quick to make and to measure."""

import torch

from ganzoo import folder as model_folder
from ganzoo import recipe
from ganzoo.engine.export import describe
from ganzoo.resolve import resolve


def write(target, name="cgan-mnist", seed=0):
    """Write the untrained generator of a recipe as a model folder; another seed gives other weights."""
    parts = resolve(recipe(name))
    torch.manual_seed(seed)
    networks = {"generator": parts.architecture.build("generator").eval()}
    trained = {"steps": 0, "images": 0, "seconds": 0.0, "machine": "none"}
    config = describe(parts, networks) | {"trained": trained}
    model_folder.write(target, config, networks, {"README.md": b"", "samples.png": b""}, force=True)
    return target
