"""Emoji as domains of translation: pairs of the same meaning, unpaired pictures, and several styles at once."""

import torch
from pydantic import Field
from torch import Tensor

from ganzoo import Settings, Spec
from ganzoo_collections.emoji import Split, Style, about, index, items, pictures
from ganzoo_style.augment import Augment
from ganzoo_style.domains import Domains


def tiles(style: str, chosen: list[dict]) -> Tensor:
    """uint8 (N, 3, 64, 64)."""
    return torch.from_numpy(pictures(style, chosen)).permute(0, 3, 1, 2).contiguous()


class EmojiPairs(Domains):
    """The same emoji by two hands, 64x64 RGB on white: `a` is the source, `b` the target."""

    class Config(Settings):
        source: Style = Field("noto", description="who drew domain a")
        target: Style = Field("fluent3d", description="who drew domain b")
        split: Split = Field("train", description="test is for measuring, never for training")
        augment: Augment = Field(Augment(), description="of training pictures")

    def __init__(self, config=None):
        super().__init__(config)
        source, target, split = self.config.source, self.config.target, self.config.split
        self.items = items(split, source, target)
        self.hold(a=tiles(source, self.items), b=tiles(target, self.items))
        self.spec = Spec(
            name=f"emoji {source} and {target}, {'paired' if self.paired else 'unpaired'} ({split})",
            count=len(self.items),
            size=64,
            channels=3,
            domains=(source, target),
            **about(source, target),
        )
