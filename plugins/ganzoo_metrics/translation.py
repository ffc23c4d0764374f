"""Metrics of translated pictures: the content is still there, and what needs no change gets none."""

import torch
from torch.nn.functional import normalize

from ganzoo import Metric, Result
from ganzoo.evaluation.kernel import standardised


class Content(Metric):
    """The fraction of translations whose own source is the most alike of all sources, by the cosine of features.

    1 when each keeps its content, 1 / count when none does. `similarity` is the mean cosine with the own source.
    """

    title, higher_is_better, ideal = "Content kept", True, 1.0
    needs = ("features", "sources")

    def measure(self, evidence):
        for _ in zip(evidence.pairs("sources"), range(1), strict=False):
            pass  # refuses sets that don't pair
        made, sources = evidence.samples.features, evidence.sources.features
        a, b = (normalize(standardised(part, part), dim=1) for part in (made, sources))
        alike = a @ b.T
        own = alike.diagonal()
        right = (alike.argmax(1) == torch.arange(len(own))).double().mean().item()
        return Result(right, details={"similarity": own.double().mean().item(), "chance": 1 / len(own)})


class Identity(Metric):
    """1 less the mean absolute difference of pixels in [0, 1] between pictures of the target and their translation."""

    title, higher_is_better, ideal = "Identity on the target", True, 1.0
    needs = ("sources", "pairs")

    @property
    def minimum(self):
        return 1

    def measure(self, evidence):
        kept = [1 - (a - b).abs().mean().item() for a, b in evidence.pairs("sources")]
        return Result(sum(kept) / len(kept), details={"least": min(kept)})
