"""Pictures of noise in every mode."""

import numpy as np
import torch
from PIL import Image


def noise(*shape):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0))


def picture(mode, width=40, height=24):
    levels = (noise(height, width, 4) * 255).byte().numpy()
    if mode == "I;16":
        return Image.fromarray((levels[:, :, 0].astype(np.uint16) << 8) + levels[:, :, 1])
    return (
        Image.fromarray(levels, "RGBA").convert("L").convert(mode)
        if mode == "LA"
        else Image.fromarray(levels).convert(mode)
    )
