"""How low-resolution pictures come about."""

import numpy as np
from PIL import Image


def bicubic(picture: np.ndarray, scale: int) -> np.ndarray:
    """Pillow's antialiased bicubic reduction of a uint8 picture (H, W, C) whose sides are multiples of `scale`."""
    height, width = picture.shape[:2]
    image = Image.fromarray(picture[:, :, 0] if picture.shape[2] == 1 else picture)
    small = np.asarray(image.resize((width // scale, height // scale), Image.Resampling.BICUBIC))
    return small.reshape(height // scale, width // scale, -1)
