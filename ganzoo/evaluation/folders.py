"""Pictures in a folder: found, each read once to see whether it can be, and decoded a few at a time."""

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ganzoo.errors import GanzooError
from ganzoo.evaluation.pictures import BATCH, Pictures
from ganzoo.files import typed
from ganzoo.photos import SIXTEEN, eight_bits, pictures_in, read

log = logging.getLogger("ganzoo")
GREY = {"1", "L", "F", *SIXTEEN}


class Folder(Pictures):
    """The pictures under a folder, by name; a subfolder is a class, where there are at least two.

    Grey when all are, colour otherwise; turned as EXIF says, 16 bits become 8, what is transparent becomes white, as
    in training. With `size` each is cut to the square in its middle and resized. Those that can't be read to their
    end are counted, named and left out.
    """

    def __init__(self, path: str | Path, size: int | None = None):
        root = typed(path)
        found = pictures_in(root)
        self.root, self.size, self.name = root, size, root.resolve().name or str(root)
        heads = [(file, *_seen(file)) for file in found]
        self.unreadable = [file for file, mode, _ in heads if not mode]
        if self.unreadable:
            names = ", ".join(str(f.relative_to(root)) for f in self.unreadable[:5])
            more = ", ..." if len(self.unreadable) > 5 else ""
            log.warning("%d of %d pictures can't be read: %s%s", len(self.unreadable), len(found), names, more)
        heads = [head for head in heads if head[1]]
        if not heads:
            raise GanzooError(f"none of the {len(found)} pictures in {str(root)!r} can be read")
        self.files = [file for file, _, _ in heads]
        self.sizes = [size_of for _, _, size_of in heads]
        self.count, self.channels = len(heads), 1 if all(mode in GREY for _, mode, _ in heads) else 3
        if size is not None:
            self.treatment = {"crop": "middle square", "resize": f"Pillow bicubic to {size}x{size}"}
        self._classes()

    def _classes(self) -> None:
        tops = [file.relative_to(self.root).parts[0] for file in self.files]
        names = tuple(sorted(set(tops)))
        if len(names) > 1 and all(file.parent != self.root for file in self.files):
            self.label_names, self.labels = names, torch.tensor([names.index(top) for top in tops])

    @property
    def keys(self) -> list[str]:
        """What pairs a picture with one of another folder: its place under the folder, without the suffix."""
        return [str(file.relative_to(self.root).with_suffix("")) for file in self.files]

    def require_alike(self) -> None:
        """Raise GanzooError unless all pictures have one size."""
        if self.size is None and len(set(self.sizes)) > 1:
            other = next(i for i, size in enumerate(self.sizes) if size != self.sizes[0])
            one, two = (f"{self.files[i].name} is {'x'.join(map(str, self.sizes[i]))}" for i in (0, other))
            raise GanzooError(
                f"pictures of {str(self.root)!r} have unlike sizes ({one}, {two}); --size N makes them one"
            )

    def batches(self) -> Iterator[Tensor]:
        self.require_alike()
        for start in range(0, self.count, BATCH):
            yield torch.stack([self._decoded(file) for file in self.files[start : start + BATCH]])

    def each(self) -> Iterator[Tensor]:
        return (self._decoded(file) for file in self.files)

    def _decoded(self, file: Path) -> Tensor:
        picture = eight_bits(read(file), self.channels)
        if self.size is not None:
            side = min(picture.size)
            left, top = (picture.width - side) // 2, (picture.height - side) // 2
            box = (left, top, left + side, top + side)
            picture = picture.resize((self.size, self.size), Image.Resampling.BICUBIC, box)
        array = np.array(picture)
        return torch.from_numpy(array[None] if array.ndim == 2 else array.transpose(2, 0, 1).copy())


def _seen(file: Path) -> tuple[str, tuple[int, int]]:
    """Mode and size of a picture, the mode empty where it can't be read."""
    try:
        picture = read(file)
    except GanzooError:
        return "", (0, 0)
    return picture.mode, picture.size
