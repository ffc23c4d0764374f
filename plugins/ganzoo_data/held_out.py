"""The part of a person's own pictures that is held out for measuring."""

import hashlib
import logging
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ganzoo import NothingHeldOut

log = logging.getLogger("ganzoo")
LEAST = 100  # pictures of a folder that are held out where any are: fewer are no reference
LEAST_OF_CLASS = 6  # as many as coverage needs of each


def part_of(config: Any, folders: dict[Path, list[Path]], classes: Sequence[str] = ()) -> tuple[list[list[Path]], str]:
    """Of each folder's files those of `config.split`, and what to call the part: ", train".

    About one of eight is held out, by the hash of its place in the folder without the suffix, so that pairs stay
    together and pictures that are added move none. Where that is too few, or `config.held_out` is false, all are
    trained on, the part has no name, and the test part raises NothingHeldOut.
    """
    held = [_eighth(files, root) for root, files in folders.items()]
    of_class = Counter(
        file.relative_to(root).parts[0] for root, part in zip(folders, held, strict=True) for file in part
    )
    enough = min(map(len, held)) >= LEAST and all(of_class[name] >= LEAST_OF_CLASS for name in classes)
    test = config.split == "test"
    if not config.held_out or not enough:
        if test:
            where = " and ".join(f"{str(root)!r} ({len(files)} images)" for root, files in folders.items())
            each = f", with {LEAST_OF_CLASS} of each class" if classes else ""
            raise NothingHeldOut(f"{where} holds nothing out: data.held_out is false, or an eighth isn't {LEAST}{each}")
        return list(folders.values()), ""
    if not test:
        counts = " and ".join(f"{len(h)} of {len(files)}" for h, files in zip(held, folders.values(), strict=True))
        log.info("%s images are held out for measuring; data.held_out=false trains on all", counts)
    parts = zip(folders.values(), held, strict=True)
    return [[file for file in files if (file in h) == test] for files, h in parts], f", {config.split}"


def _eighth(files: list[Path], root: Path) -> set[Path]:
    names = {file: os.fsencode(file.relative_to(root).with_suffix("").as_posix()) for file in files}
    return {file for file, name in names.items() if hashlib.sha256(name).digest()[0] < 256 // 8}
