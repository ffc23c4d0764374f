"""A person's own folder of images."""

import logging
import os
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from PIL import Image
from pydantic import Field

from ganzoo import GanzooError, ResidentDataset, Settings, Spec
from ganzoo.files import encodable, typed
from ganzoo.photos import is_hidden, pictures_in, squared
from ganzoo_data.held_out import part_of

log = logging.getLogger("ganzoo")
SPLITS = {"train", "training", "val", "valid", "validation", "test", "testing", "dev"}


class ImageFolder(ResidentDataset):
    """Images of a folder, the class being the name of the subfolder; scaled and cropped in the middle to a square.

    Everything is decoded once, before training starts; files that can't be read are named and left out. About an eighth
    is held out for measuring where that leaves enough; a picture's name alone decides, so more pictures move none.
    """

    class Config(Settings):
        path: str = Field(min_length=1, max_length=4096, description="a subfolder per class, or images directly")
        size: int = Field(ge=4, le=4096, description="side of the squares in pixels")
        channels: Literal[1, 3] = Field(3, description="1 grey, 3 colour")
        licence: str = Field("unknown", max_length=500, description="licence of the images, for the model's card")
        split: Literal["train", "test"] = Field("train", description="test is for measuring, never for training")
        held_out: bool = Field(True, description="keep an eighth for measuring, from about 800 pictures on")

    def __init__(self, config):
        super().__init__(config)
        root = typed(self.config.path)
        files = pictures_in(root)
        self.classes = sorted({file.relative_to(root).parts[0] for file in files if file.parent != root})
        if self.classes and any(file.parent == root for file in files):
            files = [file for file in files if file.parent != root]
            log.warning("images beside the class folders of %s are left out", root)
        if tables := [path.name for path in sorted(root.glob("metadata.*")) if path.is_file()]:
            said = "%s beside the images isn't read; captions in it are taken by data huggingface, path imagefolder"
            log.warning(said, " and ".join(tables))
        if wrong := [name for name in self.classes if not encodable(name)]:
            raise GanzooError(f"the names of the class folders {wrong[:5]} in {str(root)!r} aren't UTF-8; rename them")
        (files,), part = part_of(self.config, {root: files}, self.classes)
        fits(len(files), self.config)
        arrays, kept = _decode(files, self.config)
        columns = {"image": torch.from_numpy(np.stack(arrays)).permute(0, 3, 1, 2).contiguous()}
        self._say(root, part, kept)
        if len(self.classes) > 1:
            places = [self.classes.index(file.relative_to(root).parts[0]) for file in kept]
            columns["label"] = torch.tensor(places)
        self.hold(**columns)
        self.spec = Spec(
            name=f"image-folder ({root.resolve().name}{part})"[:200],
            count=len(kept),
            size=self.config.size,
            channels=self.config.channels,
            labels=tuple(self.classes) if len(self.classes) > 1 else (),
            licence=self.config.licence,
        )

    def _say(self, root: Path, part: str, files: list[Path]) -> None:
        of_class = Counter(file.relative_to(root).parts[0] for file in files)
        found = f"{len(files):,} picture{'s' if len(files) > 1 else ''}"
        if self.classes:
            counts = [f"{name}: {of_class[name]:,}" for name in self.classes]
            found += f" in {len(counts)} class{'es' if len(counts) > 1 else ''} ({_first(counts, 12)})"
            folders = {item.name for item in root.iterdir() if item.is_dir() and not is_hidden(item.name)}
            if empty := sorted(name for name in folders if not of_class[name]):
                log.warning("class folders without a picture that can be read: %s", _first(empty, 12))
        if len(self.classes) > 1 and SPLITS.issuperset(name.lower() for name in self.classes):
            one = next((name for name in self.classes if "train" in name.lower()), self.classes[0])
            log.warning(
                "the subfolders %s of %s look like parts of a data set, and are taken as its classes; give one of them "
                "as the folder instead, such as %s",
                ", ".join(self.classes),
                root,
                root / one,
            )
        form = f"{self.config.size}x{self.config.size} {'grey' if self.config.channels == 1 else 'in colour'}"
        log.info("%s%s: %s, as %s", root, part, found, form)

    def without(self, column):
        if column != "label":
            return super().without(column)
        found = f"one, {self.classes[0]!r}" if self.classes else "none"
        return f"{self.config.path!r} needs a subfolder for each class, at least two (it has {found})"


def _first(names: list[str], count: int) -> str:
    return ", ".join(names[:count]) + (", ..." if len(names) > count else "")


def fits(count: int, config: Any) -> None:
    """Refuse images that this machine's memory can't hold. Raises GanzooError."""
    if not hasattr(os, "sysconf"):  # as on Windows
        return
    need = count * config.size**2 * config.channels
    have = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if need > 0.7 * have:
        raise GanzooError(
            f"{count:,} images of {config.size}x{config.size} need {need / 2**30:.1f} GiB of memory and "
            f"this machine has {have / 2**30:.1f}; use fewer, or a smaller size"
        )


def _decode(files: list[Path], config: ImageFolder.Config) -> tuple[list[np.ndarray], list[Path]]:
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        arrays = list(pool.map(lambda file: read_square(file, config), files))
    kept = [(array, file) for array, file in zip(arrays, files, strict=True) if array is not None]
    broken = [file.name for file, array in zip(files, arrays, strict=True) if array is None]
    if broken:
        said = "%d of %d images can't be read, being damaged or far too large, and are left out: %s"
        log.warning(said, len(broken), len(files), _first(broken, 5))
    if not kept:
        raise GanzooError(f"none of the {len(files)} images in {config.path!r} can be read")
    return [array for array, _ in kept], [file for _, file in kept]


def read_square(file: Path, config: Any) -> np.ndarray | None:
    """A picture cut to the `size` and `channels` of `config`, uint8 (size, size, channels), or None."""
    try:
        with Image.open(file) as image:
            image.draft("RGB", (config.size, config.size))  # a large JPEG is decoded at a fraction of its size
            return squared(image, config.size, config.channels)
    except Exception:  # Pillow's decoders raise all sorts of things on damaged files
        return None
