"""Gates: what a family's model must reach before it is published or shipped."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ganzoo.errors import GanzooError
from ganzoo.evaluation.measure import COUNT, Report, evaluate_model
from ganzoo.metric import Measurement
from ganzoo.model import Model

OWN = ("copies", "duplicates")
MEASURED = {  # what each family's gate looks at
    "conditional": ("classifier-accuracy", "label-accuracy", "class-coverage", "frechet-distance", *OWN),
    "unconditional": ("coverage", "frechet-distance", *OWN),
    "super-resolution": ("psnr", "patch-kernel-distance"),
    "translation": ("content", "kernel-distance,standardise=false"),
}


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
        return (
            f"{self.what} is {self.value:.4g} and must be {'at least' if self.at_least else 'at most'} {self.limit:g}"
        )


@dataclass(frozen=True)
class Verdict:
    """What a gate found, and what it could not judge by."""

    family: str
    checks: list[Check]
    notes: list[str] = field(default_factory=list)
    bars: list[Check] = field(default_factory=list)  # beyond the gate: what the models that ship with ganzoo reach

    @property
    def passed(self) -> bool:
        return all(check.passed for check in self.checks)

    @property
    def reasons(self) -> list[str]:
        """Each demand that was missed."""
        return [str(check) for check in self.checks if not check.passed]


def family(model: Model) -> str:
    """The family whose gate a model has to pass."""
    if model.task == "transform":
        return "super-resolution" if model.scale else "translation"
    return "conditional" if model.labels else "unconditional"


def judge(kind: str, report: Report) -> Verdict:
    """A generator's verdict. Raises GanzooError for families that need more than one report."""
    if kind not in ("conditional", "unconditional", "translation"):
        raise GanzooError(f"the gate of {kind} compares several reports; use gates.{kind.replace('-', '_')}")
    missing = [name for name in MEASURED[kind] if name not in report.measurements]
    if missing:
        raise GanzooError(
            f"the gate of {kind} models needs {', '.join(missing)}, which {report.name} was not measured by"
        )
    if kind == "translation":
        if "untouched" not in report.beside:
            raise GanzooError("the gate of translation compares with untouched sources, which were not measured")
        return translation(report, report.beside["untouched"])
    return conditional(report) if kind == "conditional" else unconditional(report)


def conditional(report: Report) -> Verdict:
    """Right labels, every class of them, varied within each class; no copies.

    Label accuracy alone is passed by one picture a class, coverage of the set by a model that is blind to its labels.
    """
    accuracy, coverage = report["label-accuracy"], report["class-coverage"]
    checks = [
        Check("the classifier's accuracy on the reference", report["classifier-accuracy"].value, 0.985),
        Check("label accuracy", accuracy.value, 0.985),
        Check(f"label accuracy of class {_worst(accuracy)!r}", min(accuracy.per_class.values()), 0.965),
        Check(f"coverage of class {_worst(coverage)!r}", min(coverage.per_class.values()), 0.6),
    ]
    return Verdict("conditional", checks + _memorisation(report), bars=_like_real(report))


def unconditional(report: Report) -> Verdict:
    """Coverage of the reference, and no copies. A model that collapsed to some modes fails it."""
    checks = [Check("coverage", report["coverage"].value, 0.6)]
    return Verdict("unconditional", checks + _memorisation(report))


def super_resolution(model: Report, bicubic: Report, instrument: Mapping[str, Report] | None = None) -> Verdict:
    """A higher PSNR than bicubic and, where the instrument is proven, a smaller patch-kernel-distance.

    `instrument` holds reports of the same pictures by a GAN upscaler ("gan"), bicubic ("bicubic") and blur ("blur").
    Only where it ranks them in that order does the perceptual score count; otherwise the verdict says that it doesn't.
    """
    name = "patch-kernel-distance"
    checks = [Check("PSNR less that of bicubic", model["psnr"].minus(bicubic["psnr"]), 0.0)]
    if instrument is None:
        return Verdict("super-resolution", checks, [f"{name} is not proven on a GAN upscaler here: PSNR alone counts"])
    gan, plain, blur = (instrument[key][name] for key in ("gan", "bicubic", "blur"))
    if not (gan.better_than(plain) and plain.better_than(blur)):
        note = f"{name} ranks GAN {gan}, bicubic {plain}, blur {blur}, which no eye would: PSNR alone counts"
        return Verdict("super-resolution", checks, [note])
    less = model[name].minus(bicubic[name])
    return Verdict("super-resolution", [*checks, Check(f"{name} less that of bicubic", less, 0.0, at_least=False)])


def translation(model: Report, untouched: Report) -> Verdict:
    """The content is still recognised, and the style is nearer to the target than the sources' own is."""
    name = MEASURED["translation"][1]
    style = model[name].minus(untouched[name])
    checks = [
        Check("content kept", model["content"].value, 0.5),
        Check("kernel distance to the target less that of the sources", style, 0.0, at_least=False),
    ]
    return Verdict("translation", checks)


def _like_real(report: Report) -> list[Check]:
    ratio = report["frechet-distance"].details.get("ratio")
    what = "the Fréchet distance over that of training pictures"
    return [] if ratio is None else [Check(what, ratio, 1.2, at_least=False)]


def _memorisation(report: Report) -> list[Check]:
    """Held-out pictures score 0.01 for copies, by definition; five times as many are too many."""
    return [
        Check("the fraction of copies", report["copies"].value, 0.05, at_least=False),
        Check("the fraction of duplicates", report["duplicates"].value, 0.05, at_least=False),
    ]


def _worst(measurement: Measurement) -> str:
    return min(measurement.per_class, key=lambda name: measurement.per_class[name])


def gate(folder: Path, count: int = COUNT) -> list[str]:
    """Why a model folder must not be published: nothing when it passes. Measures its weights now."""
    model = Model.read(folder)
    kind = family(model)
    if model.task != "generate":
        return [f"models of the family {kind} can't be measured from their folder alone yet"]
    return judge(kind, evaluate_model(model, MEASURED[kind], seeds=(0,), count=count)).reasons
