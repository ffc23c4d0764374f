"""Metrics that compare two sets of pictures by their features."""

import math

import torch
from pydantic import Field

from ganzoo import GanzooError, Metric, Result, Settings
from ganzoo.evaluation.frechet import Moments, frechet_distance
from ganzoo.evaluation.kernel import kernel_distance, standardised
from ganzoo.evaluation.neighbours import density_coverage, precision_recall


class FrechetDistance(Metric):
    """Distance of two normal distributions fitted to the features (Heusel et al., 2017), 0 when they are the same.

    Few pictures make it larger, so real pictures have a distance too. `real_distance` is that of the training pictures
    to the reference, `ratio` the samples' over it; both are taken in groups of `group` pictures and averaged over the
    groups. `ratio_all` is the ratio with as many as there are of both, where the bias is least. Against the training
    pictures themselves there is only the value.
    """

    title, standard = "Fréchet distance", ("FID", "inception-v3", 50_000)
    higher_is_better, ideal = False, 0.0

    class Config(Settings):
        group: int | None = Field(
            None, ge=2, le=1_000_000_000, description="pictures in a group; as many as the reference by default"
        )

    def measure(self, evidence):
        samples, reference = evidence.samples, evidence.reference
        details = {}
        if evidence.has_training and not evidence.against_training:
            training = evidence.training
            most = min(samples.count, training.count)
            group = min(self.config.group or reference.count, most)
            floor, equal = (_grouped(view, reference.moments, group) for view in (training, samples))
            all_floor, all_equal = (_grouped(view, reference.moments, most, most) for view in (training, samples))
            details = {"ratio": equal / floor, "real_distance": floor, "group": float(group)}
            details |= {"ratio_all": all_equal / all_floor, "group_all": float(most)}
        return Result(frechet_distance(samples.moments, reference.moments), details=details)


def _grouped(view, reference, group, most=None):
    groups = [view.features[places] for places in view.order[:most].split(group) if len(places) == group]
    return math.fsum(frechet_distance(Moments.over(part), reference) for part in groups) / len(groups)


class ClassFrechetDistance(Metric):
    """The mean over the classes of the Fréchet distance within a class; a model that ignores labels fails it."""

    title = "Fréchet distance within a class"
    needs = ("features", "reference", "labels")
    higher_is_better, ideal = False, 0.0

    def measure(self, evidence):
        per_class = {}
        for i, name in enumerate(evidence.label_names):
            fake, real = evidence.samples.of_class(i), evidence.reference.of_class(i)
            if min(len(fake), len(real)) < 2:
                raise GanzooError(
                    f"the Fréchet distance within class {name!r} needs 2 pictures each or more; there are {len(real)} "
                    f"in the reference and {len(fake)} samples; take more of each, or other metrics"
                )
            per_class[name] = frechet_distance(Moments.over(fake), Moments.over(real))
        return Result(math.fsum(per_class.values()) / len(per_class), per_class)


class KernelDistance(Metric):
    """Kernel inception distance: unbiased, so it may be used with few pictures (Binkowski et al., 2018).

    Over all pairs; features are standardised by the reference first. `error` is the estimator's standard error. It is
    unbiased for independent sets: where samples have counterparts in the reference, none is compared with its own.
    """

    title = "Kernel distance"
    higher_is_better, ideal = False, 0.0

    class Config(Settings):
        standardise: bool = Field(True, description="features by the mean and deviation of the reference")

    def measure(self, evidence):
        x, y = evidence.samples.features, evidence.reference.features
        if self.config.standardise:
            x, y = standardised(x, y), standardised(y, y)
        paired = evidence.paired
        found = kernel_distance(x, y, paired=paired)
        return Result(found.value, details={"error": found.error}, counterparts="left out" if paired else "none")


class Nearest(Metric):
    """The base of the scores that are defined by the k-th nearest neighbour."""

    higher_is_better = True

    class Config(Settings):
        k: int = Field(5, ge=1, le=1000, description="the neighbour that a ball reaches to")

    @property
    def minimum(self):
        return self.config.k + 1


class Precision(Nearest):
    """The fraction of samples within the reference's manifold (Kynkäänniemi et al., 2019)."""

    title, position = "Precision", 0

    class Config(Settings):
        k: int = Field(3, ge=1, le=1000, description="the neighbour that a ball reaches to")

    def measure(self, evidence):
        k = self.config.k
        both = evidence.once(
            ("precision", k), lambda: precision_recall(evidence.reference.features, evidence.samples.features, k)
        )
        return Result(both[self.position])


class Recall(Precision):
    """The fraction of the reference within the samples' manifold (Kynkäänniemi et al., 2019)."""

    title, position = "Recall", 1


class Density(Nearest):
    """How many reference balls hold a sample, over k: 1 for the reference's own distribution (Naeem et al., 2020)."""

    title, position, ideal = "Density", 0, 1.0

    def measure(self, evidence):
        k = self.config.k
        samples, reference = evidence.samples, evidence.reference
        count = min(samples.count, reference.count)
        both = evidence.once(
            ("density", k),
            lambda: density_coverage(reference.features, samples.features[samples.order[:count]], k),
        )
        return Result(both[self.position], count=count)


class Coverage(Density):
    """The fraction of reference pictures with a sample in their ball (Naeem et al., 2020).

    As many samples as reference pictures are used (fewer where there are not enough), so equal distributions score
    1 - 2^-k.
    """

    title, position = "Coverage", 1

    @property
    def ideal(self):
        return 1 - 0.5**self.config.k


class ClassCoverage(Coverage):
    """Coverage of each class's reference pictures by the samples asked for with that label; the value is the mean.

    Where training pictures are at hand, `real` is that of as many of them, which an ideal model can reach, and `ten`
    that of ten of them, over and over: what a model reaches that has collapsed to ten pictures of each class.
    """

    title = "Coverage within a class"
    needs = ("features", "reference", "labels")

    def measure(self, evidence):
        per_class, real_ones, ten, k, used = {}, [], [], self.config.k, 0
        for i, name in enumerate(evidence.label_names):
            real, fake = evidence.reference.of_class(i), evidence.samples.of_class(i)
            if min(len(real), len(fake)) <= k:
                raise GanzooError(
                    f"coverage of class {name!r} needs more than {k} pictures each; there are {len(real)} in the "
                    f"reference and {len(fake)} samples; take more of each, a smaller k, or other metrics"
                )
            per_class[name] = density_coverage(real, fake[: len(real)], k)[1]
            used += min(len(real), len(fake))
            if evidence.has_training and len(seen := evidence.training.of_class(i)) > k:
                few = seen[torch.linspace(0, len(seen) - 1, 10).long()].repeat(-(-len(real) // 10), 1)
                real_ones.append(density_coverage(real, seen[: len(real)], k)[1])
                ten.append(density_coverage(real, few[: len(real)], k)[1])
        whole = len(ten) == len(per_class)
        details = {"real": math.fsum(real_ones) / len(ten), "ten": math.fsum(ten) / len(ten)} if whole else {}
        return Result(math.fsum(per_class.values()) / len(per_class), per_class, details, count=used)
