"""A person's own photographs as patches."""

import logging
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field

from ganzoo import GanzooError, Spec
from ganzoo.files import typed
from ganzoo.photos import eight_bits, pictures_in, read
from ganzoo_superres.patches import PatchPairs

log = logging.getLogger("ganzoo")


class PhotoFolder(PatchPairs):
    """Patches of the photographs in a folder, however deep; what can't be read is named and left out.

    Every eighth photograph, by name, is held out for measuring where there are at least eight.
    """

    class Config(PatchPairs.Config):
        path: str = Field(min_length=1, max_length=4096, description="folder of photographs")
        channels: Literal[1, 3] = Field(3, description="1 grey, 3 colour")
        licence: str = Field("unknown", max_length=500, description="licence of the photographs, for the model's card")

    def __init__(self, config):
        super().__init__(config)
        root = typed(self.config.path)
        files = pictures_in(root)
        if self.config.split == "test" and len(files) < 8:
            raise GanzooError(f"folder {str(root)!r} has {len(files)} photographs; from 8 on some are held out")
        held = files[::8] if len(files) >= 8 else []
        self.hold(self._pictures([f for f in files if (f in held) == (self.config.split == "test")]))
        self.spec = Spec(
            name=f"photo-folder ({root.resolve().name}, {self.config.split})"[:200],
            count=len(self.cumulative),
            channels=self.config.channels,
            scale=self.config.scale,
            licence=self.config.licence,
        )

    def _pictures(self, files: list[Path]):
        for file in files:
            try:
                image = eight_bits(read(file), self.config.channels)
            except GanzooError as error:
                log.warning("%s; it is left out", error)
                continue
            array = np.asarray(image)
            yield array.reshape(*array.shape[:2], -1)
