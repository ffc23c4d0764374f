"""How low-resolution pictures come about: Pillow's bicubic reduction, or what cameras and the web do to it."""

import io

import numpy as np
import torch
from PIL import Image, ImageFilter
from pydantic import Field

from ganzoo import Settings

FILTERS = Image.Resampling.BICUBIC, Image.Resampling.BILINEAR, Image.Resampling.BOX


class Chain(Settings):
    """Ranges of one pass of blur, resize, noise and JPEG (Wang et al., 2021, section 3); each draw is uniform."""

    blur: tuple[float, float] = Field((0.0, 1.5), description="deviation of a Gaussian in low-resolution pixels")
    resize: tuple[float, float] = Field((0.7, 1.3), description="factor of a resize that the end undoes")
    noise: tuple[float, float] = Field((0.0, 10.0), description="deviation of Gaussian noise in grey levels of 255")
    jpeg: tuple[int, int] = Field((50, 95), description="quality")


def bicubic(picture: np.ndarray, scale: int) -> np.ndarray:
    """Pillow's antialiased bicubic reduction of a uint8 picture (H, W, C) whose sides are multiples of `scale`."""
    size = picture.shape[1] // scale, picture.shape[0] // scale
    return as_array(as_image(picture).resize(size, Image.Resampling.BICUBIC))


def worn(
    picture: np.ndarray, size: tuple[int, int], chain: Chain, generator: torch.Generator, blur: float = 1.0
) -> np.ndarray:
    """One pass of the chain to `size` (width, height); a second order is a second call on the result.

    `blur` is how many pixels of `picture` one of the result covers.
    """
    draw = torch.rand(5, generator=generator).tolist()
    sigma, factor, noise, quality = (
        low + (high - low) * share
        for (low, high), share in zip((chain.blur, chain.resize, chain.noise, chain.jpeg), draw, strict=False)
    )
    image = as_image(picture).filter(ImageFilter.GaussianBlur(sigma * blur))
    between = tuple(max(1, round(side * factor)) for side in size)
    image = image.resize(between, FILTERS[int(draw[4] * len(FILTERS))])
    array = as_array(image).astype(np.float32)
    array += torch.randn(array.shape, generator=generator).numpy() * noise
    image = as_image(array.round().clip(0, 255).astype(np.uint8))
    compressed = io.BytesIO()
    image.save(compressed, "JPEG", quality=round(quality))
    with Image.open(compressed) as decoded:
        return as_array(decoded.resize(size, Image.Resampling.BICUBIC))


def realistic(picture: np.ndarray, scale: int, chain: Chain, passes: int, generator: torch.Generator) -> np.ndarray:
    """The chain once, or twice as Real-ESRGAN does, from the picture (H, W, C) to a `scale`-th of its size."""
    size = picture.shape[1] // scale, picture.shape[0] // scale
    for number in range(passes):
        picture = worn(picture, size, chain, generator, blur=scale if number == 0 else 1.0)
    return picture


def as_image(picture: np.ndarray) -> Image.Image:
    return Image.fromarray(picture[:, :, 0] if picture.shape[2] == 1 else picture)


def as_array(image: Image.Image) -> np.ndarray:
    return np.asarray(image).reshape(image.height, image.width, -1)
