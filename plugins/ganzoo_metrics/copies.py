"""Whether a model repeats what it was trained on, or itself."""

import torch
from pydantic import Field

from ganzoo import Metric, Result, Settings
from ganzoo.evaluation.neighbours import nearest


class Copies(Metric):
    """The fraction of samples nearer to a training picture than all but 1 % of the held-out pictures are.

    Distances are between grey pixels (at most 32 a side), divided by the root of their number, so 1 is black against
    white. 0.01 is what new pictures of the same kind would score. `nearest` and `nearest_held_out` are the medians of
    the distance to the nearest training picture, `nearest_least` the least; `closer` is the chance that a sample is
    nearer to the training pictures than a held-out picture is (Meehan et al., 2020): 0.5 for new pictures, 1 for
    copies.
    """

    title = "Copies of training pictures"
    needs = ("reference", "training")
    higher_is_better, ideal, pixelwise = False, 0.01, True

    class Config(Settings):
        quantile: float = Field(0.01, gt=0, lt=1, description="of the held-out pictures' distances")

    @property
    def minimum(self):
        return round(1 / self.config.quantile)

    def measure(self, evidence):
        training = evidence.training.thumbnails
        scale = training.shape[1] ** 0.5
        fake = nearest(evidence.samples.thumbnails, training)[0] / scale
        real = nearest(evidence.reference.thumbnails, training)[0] / scale
        limit = real.quantile(self.config.quantile)
        ranks = torch.searchsorted(fake.sort().values, real)
        details = {
            "nearest": fake.median().item(),
            "nearest_held_out": real.median().item(),
            "nearest_least": fake.min().item(),
            "nearest_least_held_out": real.min().item(),
            "limit": limit.item(),
            "closer": ranks.double().mean().item() / len(fake),
        }
        return Result((fake < limit).double().mean().item(), details=details)


class Duplicates(Metric):
    """The fraction of samples that nearly repeat another sample: a root mean square difference of pixels below 2 %."""

    title = "Duplicates among samples"
    needs = ()
    higher_is_better, ideal = False, 0.0

    class Config(Settings):
        limit: float = Field(0.02, gt=0, lt=1, description="root mean square difference of grey pixels in [0, 1]")

    def measure(self, evidence):
        pixels = evidence.samples.thumbnails
        distances = nearest(pixels, pixels, itself=True)[0] / pixels.shape[1] ** 0.5
        repeated = (distances < self.config.limit).double().mean().item()
        return Result(repeated, details={"nearest": distances.median().item()})
