"""Emoji as domains of translation: pairs of the same meaning, unpaired pictures, and several styles at once."""

import torch
from pydantic import Field
from torch import Tensor

from ganzoo import GanzooError, ResidentDataset, Settings, Spec
from ganzoo_collections.emoji import Split, Style, about, items, pictures
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
        if source == target:
            raise GanzooError(f"source and target are both {source!r}; translation needs two styles")
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


class EmojiUnpaired(EmojiPairs):
    """Emoji by two hands, each shuffled by itself: a batch's `a` and `b` have nothing to do with each other.

    The test split pairs, since what became of the content can only be measured so.
    """

    def __init__(self, config=None):
        self.paired = (config or self.Config()).split == "test"
        super().__init__(config)


class EmojiStyles(ResidentDataset):
    """Emoji of several styles in one batch; the label is the style."""

    class Config(Settings):
        styles: tuple[Style, ...] = Field(
            ("noto", "twemoji", "fluent3d"), min_length=2, max_length=3, description="whose"
        )
        split: Split = Field("train", description="test is for measuring, never for training")

    def __init__(self, config=None):
        super().__init__(config)
        styles, split = tuple(dict.fromkeys(self.config.styles)), self.config.split
        if len(styles) < 2:
            raise GanzooError(f"the only style is {styles[0]!r}; several domains need two or three styles")
        drawn = [tiles(style, items(split, style)) for style in styles]
        labels = [torch.full((len(part),), i) for i, part in enumerate(drawn)]
        self.hold(image=torch.cat(drawn), label=torch.cat(labels))
        self.spec = Spec(
            name=f"emoji {', '.join(styles)} ({split})",
            count=len(self.data["label"]),
            size=64,
            channels=3,
            labels=styles,
            domains=styles,
            **about(*styles),
        )
