"""Crops side by side: what was given, its bicubic enlargement, what the model made, the original."""

import torch
from PIL import Image
from torch.nn.functional import interpolate

from ganzoo.evaluation import transformed
from ganzoo.images import grid
from ganzoo.model import Model

SIDE = 128  # of a crop, in pixels of the original


def sheet(model: Model, count: int = 8) -> Image.Image:
    """A column for each held-out picture, cropped in the middle, of a model that enlarges."""
    held, scale = transformed.held_out(model, count), model.scale or 1
    views = [held.sources, transformed.enlarged(held.sources, scale)]
    views += [transformed.transformed(model, held.sources), held.wanted]
    rows = []
    for view in views:
        for image in view.each():
            large = interpolate(image[None].float(), scale_factor=scale)[0] if view is held.sources else image.float()
            top, left = ((side - SIDE) // 2 // scale * scale for side in large.shape[1:])
            rows.append(large[:, top : top + SIDE, left : left + SIDE] / 255)
    return grid(torch.stack(rows), held.sources.count, ("given", "bicubic", "made", "original"))
