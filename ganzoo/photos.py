"""A person's photographs: opened with suspicion, turned as their camera said, transformed tile by tile, written."""

import contextlib
import functools
import io
import logging
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import ExifTags, Image, ImageCms, ImageOps
from torch import Tensor, nn

from ganzoo import tiling
from ganzoo.errors import GanzooError
from ganzoo.features import grey
from ganzoo.files import replaced

log = logging.getLogger("ganzoo")
READ = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm")
WRITTEN = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")
MOST = 100_000_000  # pixels of a picture that is opened
SIXTEEN = ("I;16", "I;16L", "I;16B", "I;16N", "I")


def pictures_in(folder: Path, of: str = "") -> list[Path]:
    """The files below a folder, however deep, that are pictures by their suffix, in the order of their paths.

    A folder may be a link, but for one that leads back up. What is hidden is no picture. Raises GanzooError, with what
    the folder is `of`, when it isn't one or holds none.
    """
    if folder.is_file():
        raise GanzooError(
            f"{str(folder)!r}{of} is a file; give the folder that holds the pictures (unpack it, if it's an archive)"
        )
    if not folder.is_dir():
        raise GanzooError(f"there is no folder {str(folder)!r}{of}")
    found = []
    for here, folders, files in os.walk(folder, followlinks=True):
        place = Path(here)
        folders[:] = [name for name in folders if not is_hidden(name) and not _leads_up(place / name)]
        found += [place / name for name in files if not is_hidden(name)]
    pictures = sorted(file for file in found if file.suffix.lower() in READ and file.is_file())
    if not pictures:
        raise GanzooError(f"folder {str(folder)!r}{of} holds no pictures ({', '.join(sorted(READ))})")
    return pictures


def is_hidden(name: str) -> bool:
    """Whether a file or folder of this name is a program's own: `.ipynb_checkpoints`, a Mac's `._0.png`."""
    return name.startswith(".") or name == "__MACOSX"


def _leads_up(folder: Path) -> bool:
    """Whether this is a link to a folder that it lies in: a walk through it would never end."""
    if not folder.is_symlink():
        return False
    target = folder.resolve()
    return any(above.resolve().is_relative_to(target) for above in folder.parents)


def read(path: Path) -> Image.Image:
    """The decoded picture, turned as its EXIF says. Raises GanzooError."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the bound is our own
            with Image.open(path) as image:
                if image.width * image.height > MOST:
                    raise GanzooError(
                        f"picture {str(path)!r} says that it has {image.width}x{image.height} pixels, more than the "
                        f"{MOST:,} that are opened; make it smaller first"
                    )
                image.load()
                turned = ImageOps.exif_transpose(image)
                if image.format != "MPO":  # a telephone's, with a preview
                    with contextlib.suppress(Exception):  # what is damaged further on is not taken
                        _say_frames(str(path), getattr(image, "n_frames", 1))
                return _of_floats(np.asarray(turned), f"picture {str(path)!r}") if turned.mode == "F" else turned
    except FileNotFoundError:
        raise GanzooError(f"there is no picture {str(path)!r}") from None
    except GanzooError:
        raise
    except Image.DecompressionBombError:
        raise GanzooError(f"picture {str(path)!r} is far too large to open; make it smaller first") from None
    except MemoryError:
        raise GanzooError(f"picture {str(path)!r} doesn't fit into memory; make it smaller first") from None
    except Exception as error:  # Pillow's decoders raise all sorts of things on damaged files
        said = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise GanzooError(f"picture {str(path)!r} can't be read ({said}); is it damaged?") from None


@functools.cache  # once: pictures that are measured are read several times
def _say_frames(path: str, count: int) -> None:
    if count > 1:
        log.warning("picture %r has %d frames, and only the first is taken", path, count)


def eight_bits(image: Image.Image, channels: int) -> Image.Image:
    """Grey (1) or in colour (3), 8 bits a channel, what is transparent on white: as data and metrics take pictures."""
    if image.mode == "F":
        image = _of_floats(np.asarray(image))
    if image.mode in SIXTEEN:  # which Pillow would clip
        image = _eight_bits(image)
    if image.has_transparency_data:
        image = _on_white(image)
    return image.convert("L" if channels == 1 else "RGB")


def upright(image: Image.Image) -> Image.Image:
    """The picture turned as its EXIF says; itself, without a copy, where it says nothing."""
    turned = image.getexif().get(ExifTags.Base.Orientation, 1) != 1
    return ImageOps.exif_transpose(image) if turned else image


def squared(image: Image.Image, size: int, channels: int) -> np.ndarray:
    """A picture upright, scaled and cropped to a square in its middle, uint8 (size, size, channels)."""
    array = np.asarray(ImageOps.fit(eight_bits(upright(image), channels), (size, size), Image.Resampling.LANCZOS))
    return array[:, :, None] if array.ndim == 2 else array


def of_array(array: np.ndarray) -> Image.Image:
    """The picture in an array (H, W) or (H, W, C), as `numpy.asarray(picture)` gives it, or of floats in [0, 1].

    Raises GanzooError.
    """
    flat = array[:, :, 0] if array.ndim == 3 and array.shape[2] == 1 else array
    if flat.size:
        try:
            if flat.dtype.kind == "f":
                return _of_floats(flat, "the array")
            return Image.fromarray(flat)
        except (TypeError, ValueError):
            pass
    raise GanzooError(
        f"an array of shape {array.shape} and type {array.dtype} is no picture; give uint8 (H, W), (H, W, 3) or "
        "(H, W, 4), or floats in [0, 1]"
    )


def write(image: Image.Image, path: Path) -> None:
    """Write a picture whole or not at all, in the format of its name's end. Raises GanzooError."""
    end, colours = path.suffix.lower(), image.info.get("icc_profile")
    if image.mode in SIXTEEN and end not in (".png", ".tif", ".tiff"):  # Pillow would clip it, or refuse
        image = _eight_bits(image)
    if image.mode in ("LA", "RGBA") and end in (".jpg", ".jpeg", ".bmp"):  # no alpha there
        image = _on_white(image)
    about: dict[str, Any] = {"quality": 95} if end in (".jpg", ".jpeg", ".webp") else {}
    if _describes(colours, "RGB" if end == ".webp" else image.mode):  # where grey is stored as colour
        about["icc_profile"] = colours
    with replaced(path) as part:
        image.save(part, **about)


def transformed(
    image: Image.Image,
    network: nn.Module,
    call: Callable[[Tensor], Tensor],
    channels: int,
    side: int | None = None,
    coloured: bool = False,
) -> Image.Image:
    """What `call` makes of a picture, tile by tile; grey stays grey, 16 bits stay 16, alpha is enlarged alike, and the
    colour profile stays.

    `call` takes (1, channels, H, W) in [0, 1], and gives the same, `network.scale` times as large. With `coloured` it
    gives colour for grey, and so does this, in 8 bits.
    """
    profile = image.info.get("icc_profile")
    image, scale = _plain(upright(image)), int(getattr(network, "scale", 1))
    if coloured:
        image = (_eight_bits(image) if image.mode in SIXTEEN else image).convert("RGBA" if "A" in image.mode else "RGB")
    alpha = image.getchannel("A") if image.mode in ("LA", "RGBA") else None
    colours = {"LA": "L", "RGBA": "RGB"}.get(image.mode, image.mode)
    result = Image.new(image.mode, (image.width * scale, image.height * scale))
    with tiling.held(network, image.height * image.width):
        for tile in tiling.tiles(image.height, image.width, network, side):
            top, bottom, left, right = tile.read
            given = _tensor(image.crop((left, top, right, bottom)).convert(colours), channels)
            made = tile.inside(tiling.whole(network, call, given), scale)
            top, bottom, left, right = tile.keep
            piece = _picture(made, colours)
            if alpha is not None:
                box = (left, top, right, bottom)
                piece.putalpha(alpha.resize(piece.size, Image.Resampling.BICUBIC, box=box))
            result.paste(piece, (left * scale, top * scale))
    if _describes(profile, image.mode):
        result.info["icc_profile"] = profile
    return result


def _describes(profile: bytes | None, mode: str) -> bool:
    """Whether a colour profile is one for pictures of this mode: grey, or red, green and blue."""
    return profile is not None and profile[16:20] == (b"GRAY" if mode in ("1", "L", "LA", *SIXTEEN) else b"RGB ")


def _plain(image: Image.Image) -> Image.Image:
    """In one of the modes L, LA, RGB, RGBA and I;16."""
    if image.mode == "F":
        return _of_floats(np.asarray(image))
    if image.mode == "CMYK" and image.info.get("icc_profile"):
        with contextlib.suppress(OSError, ImportError, ImageCms.PyCMSError):  # not understood, or no lcms
            inks = ImageCms.ImageCmsProfile(io.BytesIO(image.info["icc_profile"]))
            return ImageCms.profileToProfile(image, inks, ImageCms.createProfile("sRGB"), outputMode="RGB") or image
    if image.mode in SIXTEEN:
        if image.mode == "I;16":
            return image
        return Image.fromarray(np.asarray(image).clip(0, 65535).astype(np.uint16))
    if image.mode in ("L", "RGB") and "transparency" not in image.info:
        return image
    if image.mode in ("1", "L"):
        return image.convert("LA" if "transparency" in image.info else "L")
    return image.convert(
        "LA"
        if image.mode in ("LA", "La")
        else "RGBA"
        if image.mode in ("RGBA", "RGBa", "PA") or "transparency" in image.info
        else "RGB"
    )


def _tensor(image: Image.Image, channels: int) -> Tensor:
    array = np.asarray(image)
    most = 65535 if array.dtype == np.uint16 else 255
    tensor = torch.from_numpy(array.astype(np.float32)).div_(most)
    tensor = tensor[None, None] if tensor.dim() == 2 else tensor.permute(2, 0, 1)[None]
    if tensor.shape[1] != channels:
        tensor = tensor.expand(-1, 3, -1, -1) if tensor.shape[1] == 1 else grey(tensor)
    return tensor


def _picture(made: Tensor, mode: str) -> Image.Image:
    if mode in ("L", "I;16") and made.shape[1] == 3:
        made = grey(made)
    if mode == "RGB" and made.shape[1] == 1:
        made = made.expand(-1, 3, -1, -1)
    most, kind = (65535, np.uint16) if mode == "I;16" else (255, np.uint8)
    array = made[0].mul(most).round_().permute(1, 2, 0).cpu().numpy().astype(kind)
    return Image.fromarray(array[:, :, 0] if array.shape[2] == 1 else array)


def _eight_bits(image: Image.Image) -> Image.Image:
    return Image.fromarray((np.asarray(image, dtype=np.float64) / 257).round().clip(0, 255).astype(np.uint8))


def _of_floats(array: np.ndarray, what: str = "the picture") -> Image.Image:
    """Floats in [0, 1], of which Pillow would make black, as grey of 16 bits or colours of 8. Raises GanzooError."""
    low, high = array.min(), array.max()
    if not (low >= 0 and high <= 1):  # nor NaN
        raise GanzooError(
            f"{what} holds floats from {low:g} to {high:g}, and only those in [0, 1] are taken; scale them, or use "
            "whole numbers of 8 or 16 bits"
        )
    most, kind = (65535, np.uint16) if array.ndim == 2 else (255, np.uint8)
    return Image.fromarray((array.astype(np.float64) * most).round().astype(kind))


def _on_white(image: Image.Image) -> Image.Image:
    image = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
