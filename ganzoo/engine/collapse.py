"""A generator that collapses while it trains: seen at the next checkpoint, and said at once."""

import logging
import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d

from ganzoo.dataset import ResidentDataset
from ganzoo.engine.export import lent
from ganzoo.model import Model
from ganzoo.regularized import discriminators
from ganzoo.resolve import Parts

log = logging.getLogger("ganzoo")
COUNT, SIDE = 32, 16
FELL = 0.25  # of the highest spread so far


class Watch:
    """Looks at what a few fixed latents or pictures become.

    A good generator's images stay as far apart as they came to be; one that collapses, or gives up to a discriminator
    that is too sure, makes nearly the same of all. It is said once, with the last checkpoint from before.
    """

    def __init__(self, parts: Parts):
        self.parts = parts
        self.possible = bool(discriminators(parts.strategy))
        self.highest, self.well, self.said = 0.0, 0, False

    def look(self, networks: Mapping[str, nn.Module], images: int) -> None:
        """Judge the published networks after so many training images. What fails here costs the warning alone."""
        if not self.possible:
            return
        try:
            with lent(self.parts, networks) as model:
                now = min((apart(small(made)) for made in few(model, self.parts)), default=0.0)
        except Exception as error:
            log.debug("whether the generator collapsed can't be seen: %s", error)
            return
        if not math.isfinite(now):  # which is told and mended elsewhere
            return
        if now >= FELL * self.highest:
            self.highest, self.well = max(now, self.highest), images
        elif not self.said:
            self.said = True
            log.warning(
                "the generator has collapsed: at %s images what it makes lies %.0f%% as far apart as at %s or before; "
                "stop, and begin anew with a smaller training.optimizer.%s.lr",
                f"{images:,}",
                100 * now / self.highest,
                f"{self.well:,}",
                self.parts.architecture.published[0],
            )


@torch.inference_mode()
def few(model: Model, parts: Parts) -> list[Tensor]:
    """Images in [0, 1] of a few fixed latents, or what each published network makes of a few training pictures."""
    if model.task == "generate":
        return [model.sample(COUNT, seed=0)]
    if not isinstance(parts.dataset, ResidentDataset) or model.conditions:
        return []
    given = [(t.float() + 1) / 2 for t in parts.dataset.read(parts.columns[: len(model.networks)], 0, 0, COUNT)]
    ways = model.directions or (None,)
    return [model.transform(x, direction=way).cpu() for x, way in zip(given, ways, strict=False)]


def small(images: Tensor) -> Tensor:
    """Images (N, C, H, W), each shrunk to 16x16, as vectors."""
    return adaptive_avg_pool2d(images.float(), min(SIDE, images.shape[-1])).flatten(1)


def apart(vectors: Tensor) -> float:
    """The mean distance between any two."""
    return float(torch.pdist(vectors).mean())
