"""A person's own two folders as domains: pairs by file name, or unpaired."""

import logging
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from PIL import Image
from pydantic import Field
from torch import Tensor

from ganzoo import GanzooError, Settings, Spec
from ganzoo.files import typed
from ganzoo.photos import pictures_in
from ganzoo_data.folder import fits, read_square
from ganzoo_data.held_out import part_of
from ganzoo_style.augment import Augment
from ganzoo_style.domains import Domains

log = logging.getLogger("ganzoo")


class FolderUnpaired(Domains):
    """Two folders of images, one for each domain; their subfolders too. Scaled and cropped in the middle to squares."""

    paired = False

    class Config(Settings):
        a: str = Field(min_length=1, max_length=4096, description="folder of the source domain")
        b: str = Field(min_length=1, max_length=4096, description="folder of the target domain")
        size: int = Field(ge=4, le=4096, description="side of the squares in pixels")
        channels: Literal[1, 3] | None = Field(None, description="1 grey, 3 colour; left out: what the images have")
        augment: Augment = Field(Augment(), description="of training pictures")
        licence: str = Field("unknown", max_length=500, description="licence of the images, for the model's card")
        split: Literal["train", "test"] = Field("train", description="test is for measuring, never for training")
        held_out: bool = Field(
            True, description="keep an eighth for measuring, from about 800 images of each domain on"
        )

    def __init__(self, config):
        super().__init__(config)
        roots = typed(config.a), typed(config.b)
        if roots[0].resolve() == roots[1].resolve():
            raise GanzooError(f"domains a and b are the same folder {config.a!r}; translation needs two")
        chosen = self.choose(
            *(pictures_in(root, f" for domain {domain}") for root, domain in zip(roots, "ab", strict=True))
        )
        channels = config.channels or alike_channels(*chosen)
        about = config.model_copy(update={"channels": channels})
        chosen, part = part_of(config, dict(zip(roots, chosen, strict=True)))
        fits(sum(map(len, chosen)), about)
        columns = self.readable(chosen, [decoded(files, about) for files in chosen])
        if config.split == "test":  # one pass shows each picture once
            least = min(map(len, columns))
            columns = [column[torch.linspace(0, len(column) - 1, least).long()] for column in columns]
        self.hold(**dict(zip("ab", columns, strict=True)))
        names = [root.resolve().name or domain for root, domain in zip(roots, "ab", strict=True)]
        if names[0] == names[1]:
            names = [f"{root.resolve().parent.name}-{name}" for root, name in zip(roots, names, strict=True)]
        self.spec = Spec(
            name=f"{names[0]} and {names[1]}, {'paired' if self.paired else 'unpaired'}{part}"[:200],
            count=max(len(column) for column in self.data.values()),
            size=config.size,
            channels=channels,
            domains=tuple(name[:90] for name in names),
            licence=config.licence,
        )

    @classmethod
    def is_place(cls, setting, value):
        return setting in ("a", "b")

    def choose(self, *files: list[Path]) -> tuple[list[Path], ...]:
        """The files of both domains that are used."""
        return files

    def readable(self, files: Sequence[list[Path]], images: list[list[np.ndarray | None]]) -> list[Tensor]:
        """What could be decoded, a column for each domain."""
        return [stacked(files[i], images[i], [image is not None for image in images[i]], "ab"[i]) for i in (0, 1)]


class FolderPairs(FolderUnpaired):
    """Two folders whose images pair by their path without the suffix; what has no partner is listed and left out."""

    paired = True

    def choose(self, *files: list[Path]) -> tuple[list[Path], ...]:
        roots = typed(self.config.a), typed(self.config.b)
        a, b = (by_name(*domain) for domain in zip(files, roots, "ab", strict=True))
        both = [name for name in a if name in b]
        if not both:
            raise GanzooError(
                f"no image of {self.config.a!r} has the file name of one in {self.config.b!r} "
                f"({_some(a)}; {_some(b)}); give pairs the same name, or use data 'folder-unpaired'"
            )
        for domain, own, other in (("a", a, b), ("b", b, a)):
            alone = [name for name in own if name not in other]
            if alone:
                log.warning(
                    "%d of %d images of domain %s have no partner: %s", len(alone), len(own), domain, _some(alone)
                )
        return [a[name] for name in both], [b[name] for name in both]

    def readable(self, files: Sequence[list[Path]], images: list[list[np.ndarray | None]]) -> list[Tensor]:
        both = [a is not None and b is not None for a, b in zip(*images, strict=True)]
        return [stacked(files[i], images[i], both, "ab"[i]) for i in (0, 1)]


def by_name(files: list[Path], root: Path, domain: str) -> dict[str, Path]:
    """The images of a folder by their path without the suffix. Raises GanzooError when two have one name."""
    found: dict[str, Path] = {}
    for file in files:
        name = str(file.relative_to(root).with_suffix(""))
        if name in found:
            raise GanzooError(
                f"domain {domain} has both {found[name].name!r} and {file.name!r}, and images pair by their name "
                "without the suffix; keep one, or rename it"
            )
        found[name] = file
    return found


def alike_channels(a: list[Path], b: list[Path]) -> Literal[1, 3]:
    """1 where both domains are grey, 3 where both have colour. Raises GanzooError where they differ."""
    grey = [all(_is_grey(file) for file in files[:100]) for files in (a, b)]
    if grey[0] != grey[1]:
        words = ["grey" if one else "in colour" for one in grey]
        raise GanzooError(
            f"domain a is {words[0]} and domain b {words[1]}; say channels = 1 or channels = 3, and both become that"
        )
    return 1 if grey[0] else 3


def _is_grey(file: Path) -> bool:
    try:
        with Image.open(file) as image:
            return image.mode in ("1", "L", "LA", "I", "F") or image.mode.startswith("I;16")
    except (OSError, ValueError):
        return False


def decoded(files: list[Path], config: FolderUnpaired.Config) -> list[np.ndarray | None]:
    """Each image as (size, size, channels) uint8, None where it can't be read."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(lambda file: read_square(file, config), files))


def stacked(files: list[Path], images: list[np.ndarray | None], wanted: list[bool], domain: str) -> Tensor:
    """The wanted images, uint8 (N, C, size, size); the others are named. Raises GanzooError when none is left."""
    left_out = [file.name for file, keep in zip(files, wanted, strict=True) if not keep]
    if left_out:
        log.warning(
            "%d images of domain %s are left out, since they can't be read: %s", len(left_out), domain, _some(left_out)
        )
    kept = [image for image, keep in zip(images, wanted, strict=True) if keep and image is not None]
    if not kept:
        raise GanzooError(f"none of the {len(files)} images of domain {domain} can be read")
    return torch.from_numpy(np.stack(kept)).permute(0, 3, 1, 2).contiguous()


def _some(names) -> str:
    names = sorted(map(str, names))
    return ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
