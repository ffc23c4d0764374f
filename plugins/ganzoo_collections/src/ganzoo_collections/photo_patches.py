"""Patches of the photographs with their low-resolution counterparts, for super-resolution."""

from ganzoo import Spec
from ganzoo_collections.photos import about, pictures
from ganzoo_superres.patches import PatchPairs


class Photos(PatchPairs):
    """Patches of 13 photographs for training, of 8 others for measuring."""

    def __init__(self, config=None):
        super().__init__(config)
        entries = about(self.config.split)
        self.hold(pictures(self.config.split))
        credits = [f"{entry['file']} by {entry['author']} ({entry['licence']})" for entry in entries]
        self.spec = Spec(
            name=f"photos ({self.config.split})",
            count=len(self.cumulative),
            channels=3,
            scale=self.config.scale,
            licence=" AND ".join(dict.fromkeys(entry["licence"] for entry in entries)),
            attribution=f"Photographs, resized: {'; '.join(credits)}.",
        )
