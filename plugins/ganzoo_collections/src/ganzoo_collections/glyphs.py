"""Letters and digits drawn in 494 fonts."""

import json
from importlib.resources import as_file, files
from typing import Literal

import numpy as np
import torch
from pydantic import Field

from ganzoo import ResidentDataset, Settings, Spec

LICENCE = "drawings made with free fonts (OFL, Apache, GPL with font exception, Bitstream Vera, GUST, public domain)"


class Glyphs(ResidentDataset):
    """A-Z and 0-9, 32x32 grey; 398 fonts for training, 96 other fonts for testing."""

    class Config(Settings):
        split: Literal["train", "test"] = Field("train", description="test is for measuring, never for training")

    def __init__(self, config=None):
        super().__init__(config)
        split, folder = self.config.split, files(__package__) / "data/glyphs"
        with as_file(folder / "glyphs36.npz") as path, np.load(path) as arrays:
            images, labels = arrays[f"x_{split}"], arrays[f"y_{split}"]
            drawn_in = arrays[f"f_{split}"]
        about = json.loads((folder / "fonts.json").read_text("utf-8"))
        self.fonts = tuple(about["fonts"][i]["name"] for i in dict.fromkeys(drawn_in.tolist()))
        packages = sorted({font["package"] for font in about["fonts"]})
        self.hold(image=torch.from_numpy(images)[:, None], label=torch.from_numpy(labels).long())
        self.spec = Spec(
            name=f"glyphs ({split})",
            count=len(images),
            size=32,
            channels=1,
            labels=tuple(about["chars"]),
            licence=LICENCE,
            attribution=f"Drawn with the fonts of the Debian packages {', '.join(packages)}.",
        )
