"""Photographs, each with its author and licence."""

import json
from importlib.resources import files

import numpy as np
from PIL import Image


def about(split: str) -> list[dict[str, str]]:
    """File, author, licence, source and change of each photograph of "train" (13) or "test" (8)."""
    entries = json.loads((files(__package__) / "data/photos/photos.json").read_text("utf-8"))
    return [entry for entry in entries if entry["file"].startswith(f"{split}/")]


def pictures(split: str) -> list[np.ndarray]:
    """The photographs of a split, (H, W, 3) uint8 each: up to 1408 pixels for training, 512 for testing."""
    shown = []
    for entry in about(split):
        with (files(__package__) / "data/photos" / entry["file"]).open("rb") as file:
            shown.append(np.asarray(Image.open(file).convert("RGB")))
    return shown
