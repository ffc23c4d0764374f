"""Gates: what a family's model must reach before it is published or shipped."""

from dataclasses import dataclass

from ganzoo.evaluation.measure import Report


@dataclass(frozen=True)
class Check:
    """One demand on a model: what was measured, its value, and what it must be."""

    what: str
    value: float
    limit: float
    at_least: bool = True

    @property
    def passed(self) -> bool:
        return self.value >= self.limit if self.at_least else self.value <= self.limit

    def __str__(self) -> str:
        sign = "≥" if self.at_least else "≤"
        return f"{'ok  ' if self.passed else 'FAIL'} {self.what}: {self.value:.4f} ({sign} {self.limit:g})"


def conditional(report: Report) -> list[Check]:
    """Right labels, every class, near the real pictures, and varied within each class; no copies."""
    accuracy, coverage = report["label-accuracy"], report["class-coverage"]
    return [
        Check("classifier on held-out pictures", report["classifier-accuracy"].value, 0.985),
        Check("samples recognised as the label asked for", accuracy.value, 0.985),
        Check(f"the same, worst class ({_worst(accuracy.per_class)})", min(accuracy.per_class.values()), 0.965),
        Check(f"coverage, worst class ({_worst(coverage.per_class)})", min(coverage.per_class.values()), 0.6),
        Check(
            "Fréchet distance over that of real training pictures",
            report["frechet-distance"].details["ratio"],
            1.2,
            at_least=False,
        ),
        *memorisation(report),
    ]


def memorisation(report: Report) -> list[Check]:
    """Samples keep away from the training pictures about as held-out pictures do, and from each other."""
    return [
        Check("samples nearer to a training picture than 99 % of held-out ones", report["copies"].value, 0.05, False),
        Check("samples that nearly repeat another sample", report["duplicates"].value, 0.05, False),
    ]


def _worst(per_class: dict[str, float]) -> str:
    return min(per_class, key=lambda name: per_class[name])
