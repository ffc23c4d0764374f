"""Patches of the photographs with their low-resolution counterparts, for super-resolution."""

import functools
from typing import Any

from ganzoo import Spec
from ganzoo_collections.photos import about, pictures
from ganzoo_superres.patches import PatchPairs


@functools.lru_cache(maxsize=4)
def _held(config: PatchPairs.Config) -> dict[str, Any]:
    """Decoding takes seconds, and opening the same data twice in a process is common."""
    patches = PatchPairs(config)
    patches.hold(pictures(config.split))
    return vars(patches)


class Photos(PatchPairs):
    """Patches of 13 photographs for training, of 8 others for measuring."""

    def __init__(self, config=None):
        super().__init__(config)
        entries = about(self.config.split)
        vars(self).update(_held(self.config), _draws={})
        credits = [f"{entry['file']} by {entry['author']} ({entry['licence']})" for entry in entries]
        self.spec = Spec(
            name=f"photos ({self.config.split})",
            count=len(self.cumulative),
            channels=3,
            scale=self.config.scale,
            licence=" AND ".join(dict.fromkeys(entry["licence"] for entry in entries)),
            attribution=f"Photographs, resized: {'; '.join(credits)}.",
        )
