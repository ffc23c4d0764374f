"""A walk between latents, as the frames of a loop."""

import math
from typing import Any

import torch
from PIL import Image

from ganzoo.images import grid
from ganzoo.model import Model

SHOWN = 128  # pixels that an image's side is enlarged to, at least


def walk(model: Model, stops: int = 6, frames: int = 12, *, seed: int = 0, **conditions: Any) -> list[Image.Image]:
    """Frames of a closed walk through `stops` latents of a seed, `frames` from each to the next.

    A model with labels shows all of its classes side by side (at most 36), on the same walk, unless `label` is given.
    The way is the network's own: `between(latents, latents, way)`. Raises ModelError.
    """
    anchors = model.latents(seed, 0, stops)
    ways = torch.arange(frames) / frames
    between: Any = model.network.between
    pieces = [
        between(anchors[i : i + 1].expand(frames, *anchors.shape[1:]), _next(anchors, i, frames), ways)
        for i in range(stops)
    ]
    latents = torch.cat(pieces)
    told: list[dict[str, Any]] = [conditions]
    if model.labels and "label" not in conditions:
        told = [conditions | {"label": label} for label in model.labels[:36]]
    shown = torch.stack([model.sample(len(latents), latents=latents, **each) for each in told], 1)
    columns = math.ceil(math.sqrt(len(told)))
    scale = max(1, SHOWN // shown.shape[-1]) if len(told) == 1 else 1
    return [grid(frame, columns, scale=scale) for frame in shown]


def _next(anchors: torch.Tensor, i: int, frames: int) -> torch.Tensor:
    after = anchors[(i + 1) % len(anchors)]
    return after[None].expand(frames, *after.shape)
