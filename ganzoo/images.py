"""Pictures to look at: tensors as PIL images, contact sheets with labels."""

import io
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from ganzoo.errors import GanzooError
from ganzoo.settings import as_int
from ganzoo.text import plain


def to_pil(image: Tensor) -> Image.Image:
    """One image, (C, H, W) in [0, 1] with 1 or 3 channels, as an 8-bit PIL image. Raises GanzooError."""
    _check("one image", image, 3)
    array = image.detach().float().clamp(0, 1).mul(255).round().byte().cpu().permute(1, 2, 0).numpy()
    return Image.fromarray(array[:, :, 0] if array.shape[2] == 1 else array)


def grid(images: Tensor, columns: int = 10, labels: Sequence[str] = (), scale: int = 1) -> Image.Image:
    """A contact sheet of (N, C, H, W) images in [0, 1], row by row, `labels` at their left. Raises GanzooError."""
    _check("images", images, 4)
    for name, number in (("columns", columns), ("scale", scale)):
        if (as_int(number) or 0) < 1:
            raise GanzooError(f"{name} must be a whole number from 1 on, not {number!r}")
    count, _, height, width = images.shape
    labels = [plain(label, 60) for label in labels]  # a stranger's may be as long as a config
    height, width, gap = height * scale, width * scale, 2
    rows = -(-count // columns)
    font = ImageFont.load_default(size=max(10, min(16, height // 2)))
    margin = int(max((font.getlength(label) for label in labels), default=-8)) + 8
    size = (margin + columns * (width + gap) + gap, rows * (height + gap) + gap)
    sheet = Image.new("RGB", size, "white")
    for i, image in enumerate(images):
        row, column = divmod(i, columns)
        tile = to_pil(image).convert("RGB").resize((width, height), Image.Resampling.NEAREST)
        sheet.paste(tile, (margin + gap + column * (width + gap), gap + row * (height + gap)))
    draw = ImageDraw.Draw(sheet)
    for row, label in enumerate(labels):
        draw.text((4, gap + row * (height + gap) + height / 2), label, fill="black", font=font, anchor="lm")
    return sheet


def _check(what: str, given: object, dimensions: int) -> None:
    shape = tuple(given.shape) if isinstance(given, Tensor) else ()
    if len(shape) != dimensions or shape[-3] not in (1, 3, 4) or 0 in shape:
        wanted = "(N, C, H, W)" if dimensions == 4 else "(C, H, W)"
        found = f"a tensor of shape {shape}" if isinstance(given, Tensor) else type(given).__name__
        raise GanzooError(f"{what} must be a tensor {wanted} with 1 or 3 channels, not {found}")


def gif(frames: Sequence[Image.Image], milliseconds: int = 60) -> bytes:
    """The bytes of an animation that repeats for ever."""
    buffer = io.BytesIO()
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:], duration=milliseconds, loop=0)
    return buffer.getvalue()


def png(image: Image.Image) -> bytes:
    """The bytes of a PNG file."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
