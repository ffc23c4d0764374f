"""Emoji in three drawing styles: aligned in meaning, not in pixels."""

import functools
import json
from importlib.resources import files
from typing import Any, Literal

import numpy as np
import torch
from PIL import Image
from pydantic import Field

from ganzoo import ResidentDataset, Settings, Spec

STYLES = {  # file, licence, credit
    "noto": ("noto_64.webp", "Apache-2.0", "Noto Emoji (c) Google LLC, Apache License 2.0."),
    "twemoji": (
        "twemoji_64.webp",
        "CC-BY-4.0",
        "Twemoji (c) 2019 Twitter, Inc and other contributors, graphics licensed under CC BY 4.0 "
        "(https://creativecommons.org/licenses/by/4.0/). Changes: composed on white.",
    ),
    "fluent3d": (
        "fluent3d_64.webp",
        "MIT",
        "Fluent Emoji (c) Microsoft Corporation, MIT License. Changes: resized to 64x64 on white.",
    ),
}
CAPTIONS_CREDIT = "Names and order: emoji-data (c) 2013 Cal Henderson, MIT License."
Style = Literal["noto", "twemoji", "fluent3d"]
Split = Literal["train", "test"]


@functools.cache
def index() -> dict[str, Any]:
    """What is known of the 1,911 emoji: `categories`, and `items` with caption, category, label, split, fluent3d."""
    return json.loads((files(__package__) / "data/emoji/emoji.json").read_text("utf-8"))


def items(split: str, *styles: str) -> list[dict[str, Any]]:
    """The emoji of a split that every one of `styles` draws (Fluent lacks 59 of the 1,911), in order."""
    drawn = [item for item in index()["items"] if item["split"] == split]
    return [item for item in drawn if "fluent3d" not in styles or item["fluent3d"] is not None]


def pictures(style: str, chosen: list[dict[str, Any]]) -> np.ndarray:
    """The emoji `chosen` in one style: (N, 64, 64, 3) uint8 on white."""
    places = [item["fluent3d" if style == "fluent3d" else "i"] for item in chosen]
    return _tiles(style)[places]


@functools.cache
def _tiles(style: str) -> np.ndarray:
    with (files(__package__) / "data/emoji" / STYLES[style][0]).open("rb") as file:
        sheet = np.asarray(Image.open(file).convert("RGB"))
    side = index()["tile"]
    tiles = sheet.reshape(sheet.shape[0] // side, side, sheet.shape[1] // side, side, 3).transpose(0, 2, 1, 3, 4)
    return tiles.reshape(-1, side, side, 3)


def about(*styles: str) -> dict[str, str]:
    """Licence and attribution of a set in these styles, for a `Spec`."""
    chosen = [STYLES[style] for style in dict.fromkeys(styles)]
    licences = dict.fromkeys([licence for _, licence, _ in chosen] + ["MIT"])
    credit = " ".join([credit for _, _, credit in chosen] + [CAPTIONS_CREDIT])
    return {"licence": " AND ".join(licences), "attribution": credit}


class Emoji(ResidentDataset):
    """Emoji of one style, 64x64 RGB on white; the label is the category."""

    class Config(Settings):
        style: Style = Field("noto", description="who drew them")
        split: Split = Field("train", description="test is for measuring, never for training")

    def __init__(self, config=None):
        super().__init__(config)
        style, split = self.config.style, self.config.split
        chosen = items(split, style)
        self.captions = tuple(item["caption"] for item in chosen)
        images = torch.from_numpy(pictures(style, chosen)).permute(0, 3, 1, 2).contiguous()
        self.hold(image=images, label=torch.tensor([item["label"] for item in chosen]))
        self.spec = Spec(
            name=f"emoji {style} ({split})",
            count=len(chosen),
            size=64,
            channels=3,
            labels=tuple(index()["categories"]),
            **about(style),
        )
