"""Metrics of translated pictures: the content is still there, and what needs no change gets none."""

import torch
from torch.nn.functional import normalize

from ganzoo import GanzooError, Metric, Result
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


class Retrieval(Metric):
    """The fraction of translations whose own counterpart is the most alike of all of the reference's pictures.

    By the cosine of features that are standardised by the reference. 1 / count by chance. It needs a reference that
    pairs with the translations: what another hand made of the same thing.
    """

    title, higher_is_better, ideal = "Right counterpart found", True, 1.0
    needs = ("features", "reference")

    def measure(self, evidence):
        for _ in zip(evidence.pairs(), range(1), strict=False):
            pass  # refuses sets that don't pair
        made, wanted = evidence.samples.features, evidence.reference.features
        a, b = (normalize(standardised(part, wanted), dim=1) for part in (made, wanted))
        alike = a @ b.T
        own = alike.diagonal()
        higher = (alike > own[:, None]).sum(1).double()
        first, five = ((higher < k).double().mean().item() for k in (1, 5))
        return Result(first, details={"among_5": five, "chance": 1 / len(own)})


class L1(Metric):
    """The mean absolute difference to the counterpart, pixels in [0, 1]."""

    title, higher_is_better, ideal = "L1 distance", False, 0.0
    needs = ("reference", "pairs")

    @property
    def minimum(self):
        return 1

    def measure(self, evidence):
        apart = [(a - b).abs().mean().item() for a, b in evidence.pairs()]
        return Result(sum(apart) / len(apart), details={"worst": max(apart)})


class Steadiness(Metric):
    """How much a clip's translation changes from frame to frame, over how much the clip itself does (1: as much).

    The frames are taken in the order of their names. What flickers has more than 1, what is frozen nearly 0.
    """

    title, higher_is_better, ideal = "Change between frames over that of the clip", False, 1.0
    needs = ("sources", "pairs")

    def measure(self, evidence):
        made = given = 0.0
        before = None
        for frame, source in evidence.pairs("sources"):
            if before is not None:
                if before[0].shape != frame.shape:
                    raise GanzooError("the frames of a clip must have one size")
                made += (frame - before[0]).abs().mean().item()
                given += (source - before[1]).abs().mean().item()
            before = frame, source
        if not given:
            raise GanzooError("nothing moves in the clip, so a change between frames can't be compared with its own")
        steps = evidence.samples.count - 1
        return Result(made / given, details={"change": made / steps, "clip_change": given / steps})


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
