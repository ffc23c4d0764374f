"""Pictures to look at: tensors as PIL images, contact sheets with labels."""

import io
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from ganzoo.text import plain


def to_pil(image: Tensor) -> Image.Image:
    """One image, (C, H, W) in [0, 1] with 1 or 3 channels, as an 8-bit PIL image."""
    array = image.detach().float().clamp(0, 1).mul(255).round().byte().cpu().permute(1, 2, 0).numpy()
    return Image.fromarray(array[:, :, 0] if array.shape[2] == 1 else array)


def grid(images: Tensor, columns: int = 10, labels: Sequence[str] = (), scale: int = 1) -> Image.Image:
    """A contact sheet of (N, C, H, W) images in [0, 1], row by row, `labels` at the left of the rows."""
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
