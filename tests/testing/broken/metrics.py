"""Broken metrics, beside good ones."""

from ganzoo import Metric, Result
from tests.testing.broken.marks import caught_by


class Spread(Metric):
    """How unlike pictures are, by their features."""

    title, higher_is_better, needs = "Spread", True, ("features",)

    def measure(self, evidence):
        return Result(evidence.samples.features.std().item())


@caught_by("measures")
class Raises(Spread):
    def measure(self, evidence):
        raise ZeroDivisionError("of course")


@caught_by("measures")
class Endless(Spread):
    def measure(self, evidence):
        return Result(float("inf"))


@caught_by("measures")
class GivesATensor(Spread):
    def measure(self, evidence):
        return evidence.samples.features.std()


@caught_by("measures")
class NeedsMoreThanItSays(Spread):
    def measure(self, evidence):
        return Result(evidence.training.features.std().item())


@caught_by("measures")
class Untitled(Spread):
    title = ""


@caught_by("measures")
class EitherWay(Spread):
    higher_is_better = None


@caught_by("measures")
class NeedsTheUnknown(Spread):
    needs = ("features", "moonlight")
